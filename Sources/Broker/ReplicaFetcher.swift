import Bytes
import ClusterModel
import CommitLog
import KafkaClient
import KafkaProtocol
import Platform
import Replication

/// Fetches from one broker for every replica here that follows it: one connection, one fetch session, one request at a time. It
/// performs what each ``FollowerReplica`` orders and decides nothing about logs.
///
/// A follower asks from its written end only, for asking from an offset says that everything below it is held.
final class ReplicaFetcher {
    typealias Key = WantedPartition.Key

    let world: any World
    let me: BrokerID
    let source: BrokerID
    let settings: Settings
    let rates: ReplicationRates
    /// Told how many records were cut off a log to follow the source.
    var cut: (Int64) -> Void = { _ in }
    private let address: () -> BrokerAddress?
    private let brokerEpoch: () -> BrokerEpoch
    private var isOpen = true
    /// By topic and partition.
    var followed: [Followed] = []
    var link: BrokerLink?

    /// As the source knows it.
    var session = FollowerSession()
    private let line = Line()
    /// When a fetch last went over everybody.
    private var surveyed: Instant?
    private static let surveyEvery: Duration = .seconds(5)
    /// Those followed, as answers name them; made when it is wanted.
    var index: [Key: Followed] = [:]

    /// The fetch under way; 0 for none.
    private var asking: UInt64 = 0
    private var lastFetch: UInt64 = 0
    /// Appends of the last answer that are not written yet, and one for the answer being gone over.
    var open = 0
    /// After a lost connection or a refused fetch.
    private var retry: TimerID?
    var failures = 0
    private var interruption: TimerID?
    private var isPumping = false

    init(
        world: any World, me: BrokerID, source: BrokerID, settings: Settings, rates: ReplicationRates,
        address: @escaping () -> BrokerAddress?,
        brokerEpoch: @escaping () -> BrokerEpoch
    ) {
        self.world = world
        self.me = me
        self.source = source
        self.settings = settings
        self.rates = rates
        self.address = address
        self.brokerEpoch = brokerEpoch
    }

    var count: Int { followed.count }

    // MARK: Who is followed

    func follow(_ host: PartitionHost) {
        let one = Followed(host, line)
        followed.insert(one, at: place(of: host.partition))
        index = [:]
        host.settle { [weak self, weak one] result in
            guard let one else { return }
            self?.proceed(one, result)
        }
    }

    func leave(_ partition: TopicPartition) {
        let place = place(of: partition)
        guard place < followed.count, followed[place].host.partition == partition else { return }
        let one = followed.remove(at: place)
        one.isOver = true
        session.leaveOut(one)
        index = [:]
    }

    /// Of the first one that is not before `partition`.
    private func place(of partition: TopicPartition) -> Int {
        var (low, high) = (0, followed.count)
        while low < high {
            let middle = (low + high) / 2
            if followed[middle].host.partition < partition { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func stop() {
        isOpen = false
        followed = []
        line.clear()
        for timer in [retry, interruption].compactMap({ $0 }) { world.timers.cancel(timer) }
        retry = nil
        interruption = nil
        link?.close()
        link = nil
    }

    func isCurrent(_ one: Followed) -> Bool {
        isOpen && !one.isOver && one.host.follows(source, under: one.epoch)
    }

    // MARK: What the follower's mind orders

    func proceed(_ one: Followed, _ result: Result<[FollowerReplica.Effect], AppendError>) {
        guard isCurrent(one) else { return }
        switch result {
        case .success(let effects): perform(effects, one)
        case .failure(.noRoom):
            // Nothing is asked for that could not be kept.
            one.state = .pausing
            one.host.log.whenThereIsRoom { [weak self, weak one] in
                guard let self, let one, one.state == .pausing, self.isCurrent(one) else { return }
                one.state = .ready
                self.becameReady()
            }
        case .failure(let error):
            world.journal.warning("a follower's log refused", ["partition": one.host.partition, "reason": "\(error)"])
            pause(one)
        }
    }

    func perform(_ effects: [FollowerReplica.Effect], _ one: Followed) {
        for effect in effects {
            switch effect {
            case .truncate(let offset):
                one.state = .busy
                let end = one.host.log.nextOffset
                let promised = one.promised
                // Where to fetch from is known when it is done.
                return one.host.truncate(to: offset) { [weak self] result in
                    self?.tellOfCut(one, from: end, promised: promised)
                    self?.proceed(one, result)
                }
            case .startOver(let offset):
                let log = one.host.log
                let isEmpty = log.logStartOffset == log.nextOffset
                let facts: Journal.Fields = [
                    "partition": one.host.partition, "from": log.nextOffset, "to": offset, "leader": source,
                ]
                if isEmpty {
                    world.journal.info("begins where the leader's log begins", facts)
                } else {
                    world.journal.warning("starts over: the leader has deleted what comes next here", facts)
                }
                one.state = .busy
                return one.host.startOver(at: offset) { [weak self] in self?.proceed(one, $0) }
            // Kept by the mind; whoever waits was woken.
            case .advanceHighWatermark: break
            case .advanceLogStart(let offset): one.host.log.advanceLogStart(to: offset)
            case .fetch(let offset):
                one.from = offset
                one.state = .ready
                becameReady()
            case .waitForController: one.state = .waitsForController
            }
        }
    }

    /// Batches are cut whole, so only the log knows where it ends now. What lay above the high watermark known here was never
    /// acknowledged with acks=all; what lay below was, and only an unclean election can have lost it.
    private func tellOfCut(_ one: Followed, from end: Offset, promised: Offset) {
        let now = one.host.log.nextOffset
        guard now < end else { return }
        cut(end - now)
        let records = end - now == 1 ? "1 record" : "\(end - now) records"
        let meaning =
            now >= promised
            ? "never acknowledged with acks=all"
            : "those below \(promised) had been committed: an election outside the in-sync set lost them"
        world.journal.warning(
            "LB-3020 \(one.host.partition): broker \(me) cut offsets \(now)-\(end - 1) (\(records), \(meaning)) to follow leader \(source)",
            ["epoch": one.epoch])
    }

    /// After the first error not for long: usually the leader has not heard of its leadership yet.
    func pause(_ one: Followed) {
        one.state = .pausing
        one.errors += 1
        world.after(delay(after: one.errors)) { [weak self, weak one] in
            guard let self, let one, one.state == .pausing, self.isCurrent(one) else { return }
            one.state = .ready
            self.becameReady()
        }
    }

    private func delay(after errors: Int) -> Duration {
        min(settings.backoff, .milliseconds(20 << min(max(errors - 1, 0), 10)))
    }

    /// Whoever becomes ready while the source holds an answer back would wait for that: the wait is ended then, at the price of
    /// a new connection, a moment later so that others may join.
    private func becameReady() {
        guard asking != 0 else { return pump() }
        guard open == 0, interruption == nil else { return }
        let fetch = asking
        interruption = world.after(.milliseconds(10)) { [weak self] in
            guard let self else { return }
            self.interruption = nil
            guard self.asking == fetch, let link = self.link, link.isReady,
                self.line.members.contains(where: {
                    $0.state == .ready && !self.session.knows($0) && !$0.isHeldBack && !$0.isOver
                })
            else { return }
            self.asking = 0
            self.session.forget()
            self.link = nil
            link.close()
            self.pump()
        }
    }

    // MARK: Fetching

    func pump() {
        guard isOpen, !isPumping else { return }
        isPumping = true
        world.timers.soon { [weak self] in
            self?.isPumping = false
            self?.fetch()
        }
    }

    private func fetch() {
        guard isOpen, asking == 0, open == 0, retry == nil, followed.contains(where: { $0.state == .ready }) else {
            return
        }
        guard let link = connected() else { return failed("its address is not known yet") }
        lastFetch += 1
        let number = lastFetch
        asking = number
        guard link.isReady else {
            return link.whenReady { [weak self] result in
                guard let self, self.asking == number else { return }
                self.asking = 0
                switch result {
                case .success: self.fetch()
                case .failure(let error): self.failed("\(error)")
                }
            }
        }
        guard let request = request(version: link.version(of: .fetch, atMost: mayUseIDs ? .max : 12) ?? 12)
        else {
            asking = 0
            return
        }
        link.send(request, atMost: session.usesIDs ? .max : 12, timeout: settings.wait + settings.timeout) {
            [weak self] result in
            guard let self, self.asking == number else { return }
            self.asking = 0
            switch result {
            case .success(let response): self.answered(response)
            case .failure(let error): self.failed("\(error)")
            }
        }
    }

    /// Those who stand in the session already have theirs.
    private var mayUseIDs: Bool {
        (session.goesOn && session.usesIDs ? line.members : followed)
            .allSatisfy { $0.state != .ready || !$0.host.topicID.isZero }
    }

    private func connected() -> BrokerLink? {
        guard let address = address() else { return nil }
        if let link, !link.isEnded, link.address == address { return link }
        link?.close()
        session.forget()
        var options = LinkOptions(clientID: "broker-\(me)-fetcher-\(source)")
        options.connectTimeout = .seconds(5)
        // For the agreement on versions; a fetch brings its own.
        options.requestTimeout = .seconds(5)
        let made = BrokerLink(world: world, to: address, options: options)
        link = made
        return made
    }

    func failed(_ reason: String) {
        guard isOpen else { return }
        if let link, link.isEnded { self.link = nil }
        session.forget()
        failures += 1
        // The first attempts may come before the source is ready, or before the controller has said where it is.
        if failures == 3 || failures == 30 {
            world.journal.info(
                "cannot fetch",
                ["leader": source, "partitions": followed.count, "reason": reason, "attempts": failures])
        }
        guard retry == nil else { return }
        retry = world.after(delay(after: failures)) { [weak self] in
            self?.retry = nil
            self?.pump()
        }
    }

    func isThrottled(_ host: PartitionHost) -> Bool {
        host.config.followerThrottled.contains(partition: host.partition.partition, broker: me)
    }

    /// Nil when all that is ready is held back by the throttle; it is asked again when that lets go.
    private func request(version: Int16) -> FetchRequest? {
        let pause = rates.pause(.follower)
        var holdsBack = false
        if session.usesIDs != (version >= 13) { index = [:] }
        session.speak(usingIDs: version >= 13)
        var request = FetchRequest()
        if version >= 15 {
            request.replicaState.replicaID = me.raw
            request.replicaState.replicaEpoch = brokerEpoch().raw
        } else {
            request.replicaID = me.raw
        }
        request.maxWaitMs = Int32(clamping: settings.wait.wholeMilliseconds)
        request.minBytes = Int32(clamping: settings.minBytes)
        request.maxBytes = Int32(clamping: settings.responseBytes)
        session.begin(&request)
        for one in toGoOver() {
            guard one.state == .ready else {
                session.leaveOut(one)
                continue
            }
            let host = one.host
            // Whoever has caught up is never throttled: it would leave the in-sync set for a reassignment's sake.
            one.isHeldBack = pause > .zero && one.isBehind && isThrottled(host)
            if one.isHeldBack {
                holdsBack = true
                line.add(one)
                session.leaveOut(one)
                continue
            }
            var asked = FetchRequest.FetchPartition()
            asked.partition = host.partition.partition
            asked.currentLeaderEpoch = one.epoch.raw
            asked.fetchOffset = one.from
            asked.lastFetchedEpoch = (host.log.latestEpoch ?? .none).raw
            asked.logStartOffset = host.log.logStartOffset
            asked.partitionMaxBytes = Int32(clamping: settings.partitionBytes)
            session.name(one, asked, in: &request)
        }
        if holdsBack {
            guard session.count > 0 else {
                retry = world.after(pause) { [weak self] in
                    self?.retry = nil
                    self?.pump()
                }
                return nil
            }
            request.maxWaitMs = min(request.maxWaitMs, Int32(clamping: pause.wholeMilliseconds))
        }
        session.end(&request)
        return request
    }

    /// Everybody at the beginning of a session and now and then: the start of a log here moves by itself.
    private func toGoOver() -> [Followed] {
        let now = world.clock.now
        if session.goesOn, let surveyed, now - surveyed < ReplicaFetcher.surveyEvery { return line.take() }
        surveyed = now
        line.clear()
        return followed
    }
}
