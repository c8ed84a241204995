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
    struct Settings {
        /// `replica.fetch.wait.max.ms`
        var wait: Duration
        /// `replica.fetch.min.bytes`
        var minBytes: Int
        /// `replica.fetch.max.bytes`, per partition
        var partitionBytes: Int
        /// `replica.fetch.response.max.bytes`
        var responseBytes: Int
        /// `replica.fetch.backoff.ms`: the longest pause after errors; the first ones are shorter.
        var backoff: Duration
        /// `replica.socket.timeout.ms`
        var timeout: Duration

        init(_ config: BrokerConfig) {
            wait = config[BrokerKeys.replicaFetchWait]
            minBytes = config[BrokerKeys.replicaFetchMinBytes]
            partitionBytes = config[BrokerKeys.replicaFetchMaxBytes]
            responseBytes = config[BrokerKeys.replicaResponseMaxBytes]
            backoff = config[BrokerKeys.replicaBackoff]
            timeout = config[BrokerKeys.replicaSocketTimeout]
        }
    }

    typealias Key = WantedPartition.Key

    /// One partition under one leader epoch: a new epoch makes a new one, so that answers meant for the old are told apart.
    private final class Followed {
        enum State {
            /// Settling, cutting or asking for offsets.
            case busy
            case ready
            /// After an error.
            case pausing
            /// Until a new LeaderAndIsr.
            case waitsForController
        }
        let host: PartitionHost
        let epoch: LeaderEpoch
        var state = State.busy
        var from: Offset = 0
        /// The fetch it was last part of.
        var askedIn: UInt64 = 0
        var askedFrom: Offset = 0
        /// Errors since it was last answered.
        var errors = 0
        /// Followed no longer, or anew under another epoch.
        var isOver = false
        init(_ host: PartitionHost) {
            self.host = host
            epoch = host.leaderEpoch
        }
    }

    private let world: any World
    private let me: BrokerID
    private let source: BrokerID
    private let settings: Settings
    private let address: () -> BrokerAddress?
    private let brokerEpoch: () -> BrokerEpoch
    private var isOpen = true
    /// By topic and partition.
    private var followed: [Followed] = []
    private var link: BrokerLink?

    // The fetch session, as the source knows it.
    private var sessionID: Int32 = 0
    private var sessionEpoch: Int32 = 0
    private var usesIDs = true
    private var told: [Key: FetchRequest.FetchPartition] = [:]

    /// The fetch under way; 0 for none.
    private var asking: UInt64 = 0
    private var lastFetch: UInt64 = 0
    /// Appends of the last answer that are not written yet, and one for the answer being gone over.
    private var open = 0
    /// After a lost connection or a refused fetch.
    private var retry: TimerID?
    private var failures = 0
    private var interruption: TimerID?
    private var isPumping = false

    init(
        world: any World, me: BrokerID, source: BrokerID, settings: Settings, address: @escaping () -> BrokerAddress?,
        brokerEpoch: @escaping () -> BrokerEpoch
    ) {
        self.world = world
        self.me = me
        self.source = source
        self.settings = settings
        self.address = address
        self.brokerEpoch = brokerEpoch
    }

    var count: Int { followed.count }

    // MARK: Who is followed

    func follow(_ host: PartitionHost) {
        let one = Followed(host)
        followed.insert(one, at: place(of: host.partition))
        host.settle { [weak self, weak one] result in
            guard let one else { return }
            self?.proceed(one, result)
        }
    }

    func leave(_ partition: TopicPartition) {
        let place = place(of: partition)
        guard place < followed.count, followed[place].host.partition == partition else { return }
        followed.remove(at: place).isOver = true
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
        for timer in [retry, interruption].compactMap({ $0 }) { world.timers.cancel(timer) }
        retry = nil
        interruption = nil
        link?.close()
        link = nil
    }

    private func isCurrent(_ one: Followed) -> Bool {
        isOpen && !one.isOver && one.host.follows(source, under: one.epoch)
    }

    // MARK: What the follower's mind orders

    private func proceed(_ one: Followed, _ result: Result<[FollowerReplica.Effect], AppendError>) {
        guard isCurrent(one) else { return }
        switch result {
        case .success(let effects): perform(effects, one)
        case .failure(let error):
            world.journal.warning("a follower's log refused", ["partition": one.host.partition, "reason": "\(error)"])
            pause(one)
        }
    }

    private func perform(_ effects: [FollowerReplica.Effect], _ one: Followed) {
        for effect in effects {
            switch effect {
            case .truncate(let offset):
                world.journal.info(
                    "truncates",
                    [
                        "partition": one.host.partition, "from": one.host.log.nextOffset, "to": offset,
                        "high_watermark": one.host.highWatermark, "leader": source, "epoch": one.epoch,
                    ])
                one.state = .busy
                // Where to fetch from is known when it is done.
                return one.host.truncate(to: offset) { [weak self] in self?.proceed(one, $0) }
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

    /// After the first error not for long: usually the leader has not heard of its leadership yet.
    private func pause(_ one: Followed) {
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
                self.followed.contains(where: { $0.state == .ready && $0.askedIn != fetch })
            else { return }
            self.asking = 0
            self.forgetSession()
            self.link = nil
            link.close()
            self.pump()
        }
    }

    // MARK: Fetching

    private func pump() {
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
        let request = request(number, version: link.version(of: .fetch, atMost: mayUseIDs ? .max : 12) ?? 12)
        link.send(request, atMost: usesIDs ? .max : 12, timeout: settings.wait + settings.timeout) {
            [weak self] result in
            guard let self, self.asking == number else { return }
            self.asking = 0
            switch result {
            case .success(let response): self.answered(response, number)
            case .failure(let error): self.failed("\(error)")
            }
        }
    }

    private var mayUseIDs: Bool { followed.allSatisfy { $0.state != .ready || !$0.host.topicID.isZero } }

    private func connected() -> BrokerLink? {
        guard let address = address() else { return nil }
        if let link, !link.isEnded, link.address == address { return link }
        link?.close()
        forgetSession()
        var options = LinkOptions(clientID: "broker-\(me)-fetcher-\(source)")
        options.connectTimeout = .seconds(5)
        // For the agreement on versions; a fetch brings its own.
        options.requestTimeout = .seconds(5)
        let made = BrokerLink(world: world, to: address, options: options)
        link = made
        return made
    }

    /// The next fetch is a full one; it names the old session, so that the source can drop it.
    private func forgetSession() {
        sessionEpoch = 0
        told = [:]
    }

    private func failed(_ reason: String) {
        guard isOpen else { return }
        if let link, link.isEnded { self.link = nil }
        forgetSession()
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

    private func key(_ host: PartitionHost) -> Key {
        usesIDs
            ? Key(topicID: host.topicID, name: "", partition: host.partition.partition)
            : Key(topicID: .zero, name: host.partition.topic, partition: host.partition.partition)
    }

    private func request(_ number: UInt64, version: Int16) -> FetchRequest {
        if usesIDs != (version >= 13) {
            forgetSession()
            usesIDs = version >= 13
        }
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
        request.sessionID = sessionID
        request.sessionEpoch = sessionEpoch
        var wanted: Set<Key> = []
        for one in followed where one.state == .ready {
            let host = one.host
            var asked = FetchRequest.FetchPartition()
            asked.partition = host.partition.partition
            asked.currentLeaderEpoch = one.epoch.raw
            asked.fetchOffset = one.from
            asked.lastFetchedEpoch = (host.log.latestEpoch ?? .none).raw
            asked.logStartOffset = host.log.logStartOffset
            asked.partitionMaxBytes = Int32(clamping: settings.partitionBytes)
            one.askedIn = number
            one.askedFrom = one.from
            let key = key(host)
            wanted.insert(key)
            guard told[key] != asked else { continue }
            told[key] = asked
            if let last = request.topics.last, last.topic == host.partition.topic {
                request.topics[request.topics.count - 1].partitions.append(asked)
            } else {
                request.topics.append(
                    .with {
                        $0.topic = host.partition.topic
                        $0.topicID = host.topicID
                        $0.partitions = [asked]
                    })
            }
        }
        guard told.count > wanted.count else { return request }
        let forgotten = told.keys.filter { !wanted.contains($0) }.sorted {
            ($0.name, $0.topicID.text, $0.partition) < ($1.name, $1.topicID.text, $1.partition)
        }
        for key in forgotten {
            told[key] = nil
            request.forgottenTopicsData.append(
                .with {
                    $0.topic = key.name
                    $0.topicID = key.topicID
                    $0.partitions = [key.partition]
                })
        }
        return request
    }

    // MARK: Answers

    private func answered(_ response: FetchResponse, _ number: UInt64) {
        if response.errorCode != .none {
            // Sessions may be dropped at any time: the next fetch simply names everything again.
            sessionID = 0
            return failed("\(response.errorCode)")
        }
        if failures >= 3 { world.journal.info("fetches again", ["leader": source, "attempts": failures]) }
        failures = 0
        sessionID = response.sessionID
        sessionEpoch = response.sessionID == 0 ? 0 : (sessionEpoch == .max ? 1 : sessionEpoch + 1)
        if response.sessionID == 0 { told = [:] }
        open = 1
        var byKey: [Key: Followed] = [:]
        if !response.responses.isEmpty {
            for one in followed where one.askedIn == number { byKey[key(one.host)] = one }
        }
        for topic in response.responses {
            for data in topic.partitions {
                let key = Key(
                    topicID: usesIDs ? topic.topicID : .zero, name: usesIDs ? "" : topic.topic,
                    partition: data.partitionIndex)
                // Meanwhile another leader may have been named: what the old one says is nothing to that.
                guard let one = byKey[key], one.state == .ready, one.from == one.askedFrom, isCurrent(one) else {
                    continue
                }
                take(data, one)
            }
        }
        close()
    }

    private func close() {
        open -= 1
        if open == 0 { pump() }
    }

    private func take(_ data: FetchResponse.PartitionData, _ one: Followed) {
        let host = one.host
        switch data.errorCode {
        case .none: break
        case .offsetOutOfRange: return askForEnds(one)
        case .fencedLeaderEpoch: return perform(host.following { $0.fenced(askedUnder: one.epoch) }, one)
        default:
            if one.errors == 3 {
                world.journal.info(
                    "a leader refuses a fetch",
                    ["partition": host.partition, "leader": source, "epoch": one.epoch, "reason": data.errorCode])
            }
            return pause(one)
        }
        one.errors = 0
        if data.divergingEpoch.endOffset >= 0 {
            let epoch = LeaderEpoch(data.divergingEpoch.epoch)
            let local = host.log.endOffset(forEpoch: epoch).map {
                Replication.EpochEnd(epoch: $0.epoch, end: $0.endOffset)
            }
            let leader = Replication.EpochEnd(epoch: epoch, end: data.divergingEpoch.endOffset)
            return perform(host.following { $0.diverged(leaderSays: leader, local: local) }, one)
        }
        one.state = .busy
        open += 1
        data.records.withBytes { records in
            append(records, data.highWatermark, data.logStartOffset, one)
        }
    }

    private func append(
        _ records: UnsafeRawBufferPointer, _ highWatermark: Offset, _ logStart: Offset, _ one: Followed
    ) {
        let host = one.host
        let landed: (Result<[FollowerReplica.Effect], AppendError>) -> Void = { [weak self] result in
            self?.proceed(one, result)
            self?.close()
        }
        host.appendAsFollower(records, leaderHighWatermark: highWatermark, leaderLogStart: logStart) {
            [world, source] result in
            // The leader's log begins in the midst of a batch, which comes whole: an empty log begins with it too.
            if case .failure(.unexpectedOffset(let base, _)) = result, base >= 0,
                host.log.logStartOffset == host.log.nextOffset
            {
                world.journal.info(
                    "begins with a whole batch", ["partition": host.partition, "at": base, "leader": source])
                host.log.restart(at: base) { _ in }
                return host.appendAsFollower(
                    records, leaderHighWatermark: highWatermark, leaderLogStart: logStart, then: landed)
            }
            landed(result)
        }
    }

    // MARK: Out of range

    /// What the leader's log holds decides where to go on: asked for at the same connection, earliest and latest.
    private func askForEnds(_ one: Followed) {
        guard let link, link.isReady else { return pause(one) }
        one.state = .busy
        var found: [Offset?] = []
        for timestamp in [Int64(-2), -1] {
            var request = ListOffsetsRequest()
            request.replicaID = me.raw
            request.topics = [
                .with {
                    $0.name = one.host.partition.topic
                    $0.partitions = [
                        .with {
                            $0.partitionIndex = one.host.partition.partition
                            $0.currentLeaderEpoch = one.epoch.raw
                            $0.timestamp = timestamp
                        }
                    ]
                }
            ]
            link.send(request) { [weak self] result in
                guard let self else { return }
                var offset: Offset?
                if case .success(let response) = result, let answer = response.topics.first?.partitions.first,
                    answer.errorCode == .none, answer.offset >= 0
                {
                    offset = answer.offset
                }
                found.append(offset)
                guard found.count == 2, self.isCurrent(one) else { return }
                guard let start = found[0], let end = found[1], start <= end else { return self.pause(one) }
                // Going on from the same place would meet the same answer: not without a pause.
                one.errors += 1
                let effects = one.host.following { $0.outOfRange(leaderStart: start, leaderEnd: end) }
                if effects == [.fetch(from: one.from)] { self.pause(one) } else { self.perform(effects, one) }
            }
        }
    }
}
