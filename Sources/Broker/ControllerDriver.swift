import Bytes
import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import KafkaProtocol
import Platform

/// Performs what ``ControllerSeat`` and ``ControllerCore`` order, and tells them what happened. It decides nothing.
///
/// Each time in office is a term; an answer that belongs to an older term is dropped. Every write is a multi that begins with a
/// check of `/controller_epoch`: once that fails, somebody else has been elected, and the term is over.
package final class ControllerDriver {
    private final class Term {
        let epoch: ControllerEpoch
        let epochVersion: Int32
        /// Nil while the tree is still being read.
        var core: ControllerCore?
        var registrations: [BrokerID: BrokerRegistration] = [:]
        /// Paths with a watch of ours that has not fired: each has one, however often it is read.
        var armed: Set<String> = []
        var strangers: Set<BrokerID> = []
        var readingBrokers = false
        var brokersStale = false
        var flushing = false
        var rebalance: TimerID?
        init(epoch: ControllerEpoch, epochVersion: Int32) {
            self.epoch = epoch
            self.epochVersion = epochVersion
        }
    }

    private struct Waiter {
        /// Nil while it must go on waiting.
        var isOver: (ControllerCore) -> Bool
        var then: (Bool) -> Void
        var timer: TimerID?
        var asked = false
    }

    private let world: any World
    private let tree: any Tree
    package let settings: ControllerSettings
    private let channels: ControllerChannels
    private let journal: Journal
    private var seat: ControllerSeat
    /// The session in which a watch on the seat stands.
    private var seatWatchedIn: Int64 = 0
    private var term: Term?
    private var waiters: [UInt64: Waiter] = [:]
    private var nextNumber: UInt64 = 1
    private var shutdownAnswers: [UInt64: (ControlledShutdownResponse) -> Void] = [:]
    private var inSyncAnswers: [UInt64: (AlterPartitionResponse) -> Void] = [:]
    private var inSyncQuestions: [UInt64: AlterPartitionRequest] = [:]
    /// Who holds the seat, as far as this broker knows.
    package private(set) var controller: BrokerID?
    package var controllerChanged: (BrokerID?) -> Void = { _ in }

    package init(world: any World, tree: any Tree, settings: ControllerSettings, channels: ControllerChannels) {
        self.world = world
        self.tree = tree
        self.settings = settings
        self.channels = channels
        journal = world.journal.speaking(as: "broker \(settings.broker) controller")
        seat = ControllerSeat(me: settings.broker)
        channels.answered = { [weak self] broker, request, answer in self?.heard(broker, request, answer) }
    }

    /// Elected, and done reading the tree.
    package var isController: Bool { term?.core != nil }
    package var epoch: ControllerEpoch? { term?.epoch }
    /// What the controller here knows; nil elsewhere.
    package var view: ClusterView? { term?.core?.view }
    package func isBeingDeleted(_ topic: String) -> Bool { term?.core?.deletions[topic] != nil }
    package func registration(of broker: BrokerID) -> BrokerRegistration? { term?.registrations[broker] }

    // MARK: The seat

    /// After registration: only a registered broker stands for election.
    package func sessionBegan() { perform(seat.sessionBegan()) }
    package func sessionEnded() { perform(seat.sessionEnded()) }

    private func perform(_ effects: [ControllerSeat.Effect]) {
        for effect in effects {
            switch effect {
            case .readSeat: readSeat()
            case .readEpoch: readEpoch()
            case .claim(let epoch, let expecting): claim(epoch, expecting: expecting)
            case .takeOffice(let epoch, let version): takeOffice(epoch, version)
            case .leaveOffice: leaveOffice()
            case .follow(let holder):
                guard holder != controller || holder == nil else { continue }
                controller = holder
                controllerChanged(holder)
            }
        }
    }

    private func readSeat() {
        let session = tree.sessionID
        var watch: (() -> Void)?
        if seatWatchedIn != session {
            seatWatchedIn = session
            watch = { [weak self] in
                guard let self, self.tree.sessionID == session else { return }
                self.seatWatchedIn = 0
                self.perform(self.seat.seatChanged())
            }
        }
        // `exists` waits for the seat's creation as well as for its end.
        tree.stat(Znodes.controller, watch: watch) { [self] result in
            guard tree.sessionID == session else { return }
            switch result {
            case .failure(let error):
                if watch != nil { seatWatchedIn = 0 }
                failed(error, "read \(Znodes.controller)") { [weak self] in self?.readSeat() }
            case .success(nil): perform(seat.seatRead(holder: nil, mine: false))
            case .success(let stat?):
                tree.readIfThere(Znodes.controller) { [self] result in
                    guard tree.sessionID == session else { return }
                    guard case .success(let node) = result else { return }
                    let holder = node.flatMap { try? ControllerSeatPayload(payload: $0.data).broker }
                    perform(seat.seatRead(holder: holder, mine: stat.ephemeralOwner == session))
                }
            }
        }
    }

    private func readEpoch() {
        tree.readIfThere(Znodes.controllerEpoch) { [self] result in
            switch result {
            case .failure(let error): failed(error, "read \(Znodes.controllerEpoch)") { [weak self] in self?.readEpoch() }
            case .success(nil):
                tree.ensure(Znodes.controllerEpoch, data: [UInt8]("0".utf8)) { [self] error in
                    if let error { return failed(error, "create \(Znodes.controllerEpoch)") { [weak self] in self?.readEpoch() } }
                    readEpoch()
                }
            case .success(let node?):
                guard let epoch = Int32(String(decoding: node.data, as: UTF8.self)) else {
                    return journal.error("found no number in /controller_epoch")
                }
                perform(seat.epochRead(.init(epoch: ControllerEpoch(epoch), version: node.stat.version)))
            }
        }
    }

    private func claim(_ epoch: ControllerEpoch, expecting: Int32) {
        let payload = ControllerSeatPayload(broker: settings.broker, timestampMs: world.clock.wallMs).payload
        tree.multi([
            .create(Znodes.controller, payload, mode: .ephemeral),
            .set(Znodes.controllerEpoch, [UInt8]("\(epoch)".utf8), version: expecting),
        ]) { [self] result in
            switch result {
            case .success(let results):
                var version = expecting &+ 1
                if results.count > 1, case .set(let stat) = results[1] { version = stat.version }
                controller = settings.broker
                controllerChanged(controller)
                perform(seat.claimed(.won(version: version)))
            case .failure(let failure):
                switch failure.error {
                case .sessionExpired: break
                case .connectionLoss: perform(seat.claimed(.unknown))
                default: perform(seat.claimed(.lost))
                }
            }
        }
    }

    /// What cannot be done now is tried again, unless the session is gone: the next one begins anew.
    private func failed(_ error: CoordinationError, _ what: String, again: @escaping () -> Void) {
        guard error != .sessionExpired else { return }
        journal.warning("could not \(what)", ["error": error])
        world.after(.milliseconds(500), again)
    }

    // MARK: A term

    private func takeOffice(_ epoch: ControllerEpoch, _ version: Int32) {
        if controller != settings.broker {
            controller = settings.broker
            controllerChanged(controller)
        }
        journal.notice("became controller", ["epoch": epoch])
        let term = Term(epoch: epoch, epochVersion: version)
        self.term = term
        tree.ensure(Znodes.feature, data: FeaturePayload.enabled) { _ in }
        readTree(term)
    }

    private func leaveOffice() {
        guard let term else { return }
        journal.notice("is no longer controller", ["epoch": term.epoch])
        if let rebalance = term.rebalance { world.timers.cancel(rebalance) }
        self.term = nil
        channels.closeAll()
        for number in waiters.keys.sorted() { end(number, false) }
        for number in shutdownAnswers.keys.sorted() {
            var response = ControlledShutdownResponse()
            response.errorCode = .staleControllerEpoch
            shutdownAnswers.removeValue(forKey: number)?(response)
        }
        for number in inSyncAnswers.keys.sorted() {
            var response = AlterPartitionResponse()
            response.errorCode = .notController
            inSyncAnswers.removeValue(forKey: number)?(response)
        }
        inSyncQuestions = [:]
    }

    private func isCurrent(_ term: Term) -> Bool { self.term === term }

    /// A watch for `path`, unless one stands already.
    private func watch(_ path: String, _ term: Term, _ fired: @escaping (ControllerDriver) -> Void) -> (() -> Void)? {
        guard term.armed.insert(path).inserted else { return nil }
        return { [weak self] in
            term.armed.remove(path)
            guard let self, self.isCurrent(term) else { return }
            fired(self)
        }
    }

    /// Everything a new controller must know, read with watches before anything is decided.
    private func readTree(_ term: Term) {
        var contents = ControllerCore.TreeContents()
        let again: () -> Void = { [weak self] in
            guard let self, self.isCurrent(term) else { return }
            self.readTree(term)
        }
        readLiveBrokers(term) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let brokers) = result else { return failed(result.error, "read the brokers", again: again) }
            contents.brokers = brokers
            tree.children(Znodes.brokerTopics, watch: watch(Znodes.brokerTopics, term) { $0.topicsChanged(term) }) { [self] result in
                guard isCurrent(term) else { return }
                guard case .success(let names) = result else {
                    term.armed.remove(Znodes.brokerTopics)
                    return failed(result.error, "read the topics", again: again)
                }
                tree.readAll(names, read: { [self] name, then in readTopic(name, term, then: then) }) { [self] result in
                    guard isCurrent(term) else { return }
                    guard case .success(let topics) = result else {
                        return failed(result.error, "read the topics", again: again)
                    }
                    for (name, found) in topics {
                        guard let found else { continue }
                        contents.topics[name] = found.contents
                        contents.uncleanElection[name] = found.unclean
                    }
                    readStates(term, contents, again: again)
                }
            }
        }
    }

    private func readStates(_ term: Term, _ partial: ControllerCore.TreeContents, again: @escaping () -> Void) {
        var contents = partial
        let partitions = contents.topics.keys.sorted().flatMap { name in
            (contents.topics[name]?.partitions.keys.sorted() ?? []).map { TopicPartition(name, $0) }
        }
        tree.readAll(
            partitions.map { Znodes.partitionState($0) }, read: { [self] path, then in tree.readIfThere(path, then: then) }
        ) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let states) = result else { return failed(result.error, "read the partitions", again: again) }
            for (partition, state) in zip(partitions, states) {
                if let node = state.value, let read = readState(node, of: partition) { contents.states[partition] = read }
            }
            tree.children(Znodes.deleteTopics, watch: watch(Znodes.deleteTopics, term) { $0.deletionsChanged(term) }) { [self] result in
                guard isCurrent(term) else { return }
                guard case .success(let names) = result else {
                    term.armed.remove(Znodes.deleteTopics)
                    return failed(result.error, "read the deletions", again: again)
                }
                contents.deletions = names
                var core = ControllerCore(epoch: term.epoch, settings: settings.core)
                let effects = core.elected(contents)
                term.core = core
                journal.info(
                    "read the tree",
                    ["brokers": contents.brokers.count, "topics": contents.topics.count, "partitions": partitions.count])
                perform(effects, term)
                // What changed while it was read.
                if term.brokersStale { brokersChanged(term) }
                topicsChanged(term)
                scheduleRebalance(term, after: .seconds(5))
            }
        }
    }

    private func scheduleRebalance(_ term: Term, after delay: Duration) {
        term.rebalance = world.after(delay) { [weak self] in
            guard let self, self.isCurrent(term) else { return }
            self.happened(term) { $0.rebalanceDue() }
            self.scheduleRebalance(term, after: self.settings.rebalanceInterval)
        }
    }

    // MARK: Reading

    private func brokersChanged(_ term: Term) {
        guard isCurrent(term) else { return }
        guard term.core != nil, !term.readingBrokers else {
            term.brokersStale = true
            return
        }
        readLiveBrokers(term) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let brokers) = result else {
                return failed(result.error, "read the brokers") { [weak self] in self?.brokersChanged(term) }
            }
            happened(term) { $0.brokersSeen(brokers) }
            if term.brokersStale { brokersChanged(term) }
        }
    }

    private func readLiveBrokers(_ term: Term, then: @escaping (Result<[LiveBroker], CoordinationError>) -> Void) {
        term.readingBrokers = true
        term.brokersStale = false
        let done: (Result<[LiveBroker], CoordinationError>) -> Void = { result in
            term.readingBrokers = false
            then(result)
        }
        tree.children(Znodes.brokerIDs, watch: watch(Znodes.brokerIDs, term) { $0.brokersChanged(term) }) { [self] result in
            guard case .success(let names) = result else {
                term.armed.remove(Znodes.brokerIDs)
                return done(.failure(result.error))
            }
            let ids = names.filter { Int32($0) != nil }
            tree.readAll(ids, read: { [self] name, then in readBroker(name, term, then: then) }) { [self] result in
                guard case .success(let found) = result else { return done(.failure(result.error)) }
                guard isCurrent(term) else { return }
                var live: [LiveBroker] = []
                var registrations: [BrokerID: BrokerRegistration] = [:]
                for case (_, let broker?) in found {
                    registrations[broker.live.id] = broker.registration
                    live.append(broker.live)
                }
                term.registrations = registrations
                done(.success(live))
            }
        }
    }

    private struct FoundBroker {
        var live: LiveBroker
        var registration: BrokerRegistration
    }

    private func readBroker(_ name: String, _ term: Term, then: @escaping (Result<FoundBroker?, CoordinationError>) -> Void) {
        guard let number = Int32(name) else { return then(.success(nil)) }
        let id = BrokerID(number)
        let path = Znodes.broker(id)
        tree.readIfThere(path, watch: watch(path, term) { $0.brokersChanged(term) }) { [self] result in
            guard case .success(let node) = result else {
                term.armed.remove(path)
                return then(.failure(result.error))
            }
            guard let node, let registration = try? BrokerRegistration(payload: node.data) else {
                term.armed.remove(path)
                return then(.success(nil))
            }
            tree.stat(Znodes.twin(id)) { [self] result in
                guard case .success(let twin) = result else { return then(.failure(result.error)) }
                guard twin?.ephemeralOwner == node.stat.ephemeralOwner else {
                    if term.strangers.insert(id).inserted {
                        journal.warning("gives no partition to a broker that is not Letterbox's", ["stranger": id])
                    }
                    return then(.success(nil))
                }
                let live = LiveBroker(
                    id: id, epoch: BrokerEpoch(node.stat.czxid), rack: registration.rack,
                    registrationVersion: node.stat.version)
                then(.success(FoundBroker(live: live, registration: registration)))
            }
        }
    }

    private func topicsChanged(_ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        tree.children(Znodes.brokerTopics, watch: watch(Znodes.brokerTopics, term) { $0.topicsChanged(term) }) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let names) = result else {
                term.armed.remove(Znodes.brokerTopics)
                return failed(result.error, "read the topics") { [weak self] in self?.topicsChanged(term) }
            }
            happened(term) { $0.topicsSeen(names) }
        }
    }

    private func deletionsChanged(_ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        tree.children(Znodes.deleteTopics, watch: watch(Znodes.deleteTopics, term) { $0.deletionsChanged(term) }) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let names) = result else {
                term.armed.remove(Znodes.deleteTopics)
                return failed(result.error, "read the deletions") { [weak self] in self?.deletionsChanged(term) }
            }
            happened(term) { $0.deletionsSeen(names) }
        }
    }

    private struct FoundTopic {
        var contents: TopicContents
        var unclean: Bool?
    }

    private func readTopic(_ name: String, _ term: Term, then: @escaping (Result<FoundTopic?, CoordinationError>) -> Void) {
        let path = Znodes.topic(name)
        tree.readIfThere(path, watch: watch(path, term) { $0.topicChanged(name, term) }) { [self] result in
            guard case .success(let node) = result else {
                term.armed.remove(path)
                return then(.failure(result.error))
            }
            guard let node, let assignment = try? TopicAssignment(payload: node.data) else {
                term.armed.remove(path)
                return then(.success(nil))
            }
            let contents = TopicContents(
                id: assignment.topicID, partitions: assignment.replicas, adding: assignment.adding,
                removing: assignment.removing, version: node.stat.version)
            tree.readIfThere(Znodes.topicConfig(name)) { result in
                guard case .success(let config) = result else { return then(.failure(result.error)) }
                let settings = config.flatMap { try? ConfigPayload(payload: $0.data).settings } ?? [:]
                let unclean = settings["unclean.leader.election.enable"].map { $0 == "true" }
                then(.success(FoundTopic(contents: contents, unclean: unclean)))
            }
        }
    }

    private func topicChanged(_ name: String, _ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        readTopic(name, term) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let found) = result else {
                return failed(result.error, "read topic \(name)") { [weak self] in self?.topicChanged(name, term) }
            }
            var random = WorldRandom(world)
            let id = UUID128.random(using: &random)
            happened(term) { $0.topicRead(name, found?.contents, freshID: id, uncleanElection: found?.unclean) }
        }
    }

    private func readState(_ node: ReadNode, of partition: TopicPartition) -> ReadState? {
        do throws(PayloadError) {
            let state = try PartitionState(payload: node.data)
            return ReadState(
                recorded: RecordedState(
                    state: LeaderAndInSync(
                        leader: state.leader, leaderEpoch: state.leaderEpoch, inSync: state.isr,
                        controllerEpoch: state.controllerEpoch, recovering: state.recoveryState != 0),
                    partitionEpoch: PartitionEpoch(node.stat.version)),
                writtenAt: node.stat.mzxid)
        } catch {
            journal.error("cannot read a partition's state", ["partition": partition, "error": error])
            return nil
        }
    }

    /// A topic's settings changed (the config watcher of this broker tells).
    package func uncleanElectionChanged(_ topic: String, to allowed: Bool?) {
        guard let term else { return }
        happened(term) { $0.uncleanElectionChanged(topic, to: allowed) }
    }

    // MARK: Performing

    private func happened(_ term: Term, _ event: (inout ControllerCore) -> [ControllerCore.Effect]) {
        guard isCurrent(term), term.core != nil else { return }
        guard let effects = term.core.mutate(event) else { return }
        perform(effects, term)
    }

    private func perform(_ effects: [ControllerCore.Effect], _ term: Term) {
        for effect in effects {
            switch effect {
            case .readTopic(let name): topicChanged(name, term)
            case .readState(let partition): readAgain(partition, term)
            case .createStates(let topic, let states, let underExisting):
                create(topic, states, underExisting: underExisting, term)
            case .setState(let partition, let state, let expecting): set(partition, state, expecting, term)
            case .setTopicID(let name, let id, let contents):
                let assignment = TopicAssignment(
                    topicID: id, replicas: contents.partitions, adding: contents.adding, removing: contents.removing)
                fenced([.set(Znodes.topic(name), assignment.payload, version: contents.version)], term) { [weak self] failure in
                    if failure != nil { self?.topicChanged(name, term) }
                }
            case .removeTopic(let name): remove(name, term)
            case .removeDeletionMark(let name):
                fenced([.delete(Znodes.deletedTopic(name))], term) { _ in }
            case .openChannel(let broker): channels.open(broker)
            case .closeChannel(let broker): channels.close(broker)
            case .answerInSyncChange(let request, let answers): answer(request, answers, term)
            case .answerControlledShutdown(let request, let stillLed):
                var response = ControlledShutdownResponse()
                response.remainingPartitions = stillLed.map {
                    var remaining = ControlledShutdownResponse.RemainingPartition()
                    remaining.topicName = $0.topic
                    remaining.partitionIndex = $0.partition
                    return remaining
                }
                shutdownAnswers.removeValue(forKey: request)?(response)
            case .tell(let story): tell(story)
            }
        }
        announceSoon(term)
    }

    /// One batch for all that happens in a turn.
    private func announceSoon(_ term: Term) {
        guard !term.flushing else { return }
        term.flushing = true
        world.timers.soon { [weak self] in
            term.flushing = false
            guard let self, self.isCurrent(term), let batch = term.core.mutate({ $0.takeAnnouncements() }) else { return }
            let encoder = ControlOrderEncoder(
                controller: self.settings.broker, controllerEpoch: term.epoch,
                interBrokerListener: self.settings.interBrokerListener, registrations: term.registrations)
            for orders in batch {
                for order in orders.orders {
                    self.channels.send(encoder.request(order, brokerEpoch: orders.epoch), to: orders.broker)
                }
            }
            self.askWaiters()
        }
    }

    /// A multi under the check of our epoch. `then` gets the failure of the operations themselves, counted without the check.
    private func fenced(
        _ operations: [MultiOperation], _ term: Term, results: (([MultiResult]) -> Void)? = nil,
        then: @escaping (MultiFailure?) -> Void
    ) {
        tree.multi([.check(Znodes.controllerEpoch, version: term.epochVersion)] + operations) { [self] result in
            guard isCurrent(term) else { return }
            switch result {
            case .success(let all):
                results?(Array(all.dropFirst()))
                then(nil)
            case .failure(let failure):
                if failure.error == .sessionExpired { return }
                if failure.index == 0 {
                    journal.notice("was fenced", ["epoch": term.epoch])
                    return perform(seat.fenced())
                }
                then(MultiFailure(index: failure.index.map { $0 - 1 }, error: failure.error))
            }
        }
    }

    private func payload(_ state: LeaderAndInSync) -> [UInt8] {
        PartitionState(
            leader: state.leader, leaderEpoch: state.leaderEpoch, controllerEpoch: state.controllerEpoch, isr: state.inSync,
            recoveryState: state.recovering ? 1 : 0
        ).payload
    }

    private func create(_ topic: String, _ states: [ControllerCore.NewState], underExisting: Bool, _ term: Term) {
        let chunk = Array(states.prefix(200))
        let rest = Array(states.dropFirst(200))
        var operations: [MultiOperation] = underExisting ? [] : [.create(Znodes.partitions(topic), nil)]
        for new in chunk {
            let partition = TopicPartition(topic, new.partition)
            operations.append(.create(Znodes.partition(partition), nil))
            operations.append(.create(Znodes.partitionState(partition), payload(new.state)))
        }
        fenced(operations, term) { [weak self] failure in
            guard let self else { return }
            guard failure != nil else {
                for new in chunk {
                    self.happened(term) { $0.stateWritten(TopicPartition(topic, new.partition), .written(0)) }
                }
                if !rest.isEmpty { self.create(topic, rest, underExisting: true, term) }
                return
            }
            // Some of it is there already: piece by piece.
            for new in states { self.createAlone(TopicPartition(topic, new.partition), new.state, term) }
        }
    }

    private func createAlone(_ partition: TopicPartition, _ state: LeaderAndInSync, _ term: Term) {
        tree.stat(Znodes.topic(partition.topic)) { [self] result in
            guard isCurrent(term), case .success(let stat) = result else { return }
            // Parents are made only below a topic that is still there.
            guard stat != nil else { return topicChanged(partition.topic, term) }
            tree.ensure(Znodes.partition(partition)) { [self] _ in
                guard isCurrent(term) else { return }
                fenced([.create(Znodes.partitionState(partition), payload(state))], term) { [weak self] failure in
                    self?.happened(term) { $0.stateWritten(partition, failure == nil ? .written(0) : .refused) }
                }
            }
        }
    }

    private func set(_ partition: TopicPartition, _ state: LeaderAndInSync, _ expecting: PartitionEpoch, _ term: Term) {
        var version = expecting.next
        fenced(
            [.set(Znodes.partitionState(partition), payload(state), version: expecting.raw)], term,
            results: { results in if case .set(let stat)? = results.first { version = PartitionEpoch(stat.version) } }
        ) { [weak self] failure in
            self?.happened(term) { $0.stateWritten(partition, failure == nil ? .written(version) : .refused) }
        }
    }

    private func readAgain(_ partition: TopicPartition, _ term: Term) {
        tree.readIfThere(Znodes.partitionState(partition)) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let node) = result else {
                return failed(result.error, "read \(partition)") { [weak self] in self?.readAgain(partition, term) }
            }
            let read = node.flatMap { readState($0, of: partition) }
            happened(term) { $0.stateRead(partition, read) }
        }
    }

    /// Everything below a topic, then the topic, its config and its mark; from the leaves up, in pieces a multi can carry.
    private func remove(_ name: String, _ term: Term) {
        let again: () -> Void = { [weak self] in
            guard let self, self.isCurrent(term) else { return }
            self.remove(name, term)
        }
        tree.children(Znodes.partitions(name)) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let numbers) = result else { return failed(result.error, "read topic \(name)", again: again) }
            let paths = numbers.map { "\(Znodes.partitions(name))/\($0)" }
            tree.readAll(paths, read: { [self] path, then in tree.children(path, then: then) }) { [self] result in
                guard isCurrent(term) else { return }
                guard case .success(let leaves) = result else { return failed(result.error, "read topic \(name)", again: again) }
                var operations: [MultiOperation] = []
                for (path, children) in leaves {
                    for child in children { operations.append(.delete("\(path)/\(child)")) }
                    operations.append(.delete(path))
                }
                removePieces(operations[...], term, again: again) { [self] in removeTop(name, term, again: again) }
            }
        }
    }

    private func removePieces(
        _ operations: ArraySlice<MultiOperation>, _ term: Term, again: @escaping () -> Void, then: @escaping () -> Void
    ) {
        guard !operations.isEmpty else { return then() }
        fenced(Array(operations.prefix(200)), term) { [weak self] failure in
            guard let self else { return }
            if let failure { return self.failed(failure.error, "remove a topic", again: again) }
            self.removePieces(operations.dropFirst(200), term, again: again, then: then)
        }
    }

    private func removeTop(_ name: String, _ term: Term, again: @escaping () -> Void) {
        let paths = [Znodes.partitions(name), Znodes.topic(name), Znodes.topicConfig(name), Znodes.deletedTopic(name)]
        tree.readAll(paths, read: { [self] path, then in tree.stat(path, then: then) }) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let found) = result else { return failed(result.error, "read topic \(name)", again: again) }
            let operations = found.filter { $0.value != nil }.map { MultiOperation.delete($0.path) }
            fenced(operations, term) { [weak self] failure in
                guard let self else { return }
                if let failure { return self.failed(failure.error, "remove topic \(name)", again: again) }
                self.happened(term) { $0.topicRemoved(name) }
                // It may have been made again while its watch was ours.
                self.topicsChanged(term)
            }
        }
    }

    private func tell(_ story: ControllerCore.Story) {
        switch story {
        case .brokerAppeared(let broker, let epoch): journal.notice("saw a broker appear", ["broker": broker, "broker_epoch": epoch])
        case .brokerDisappeared(let broker): journal.notice("saw a broker disappear", ["broker": broker])
        case .brokerBounced(let broker, let epoch):
            journal.notice("saw a broker begin a new life", ["broker": broker, "broker_epoch": epoch])
        case .leaderElected(let partition, let from, let state):
            journal.info(
                "elected a leader",
                [
                    "partition": partition, "from": from ?? .none, "leader": state.leader, "epoch": state.leaderEpoch,
                    "isr": state.inSync.map(\.description).joined(separator: ","),
                ])
        case .leaderless(let partition, let inSync):
            journal.warning(
                "found no leader",
                ["partition": partition, "isr": inSync.map(\.description).joined(separator: ",")])
        case .uncleanElection(let partition, let state):
            journal.warning(
                "elected a leader from outside the in-sync set: committed records may be lost",
                ["partition": partition, "leader": state.leader, "epoch": state.leaderEpoch])
        case .topicAppeared(let name, let partitions):
            journal.info("saw a new topic", ["topic": name, "partitions": partitions])
        case .topicDeletionStarted(let name): journal.info("began to delete a topic", ["topic": name])
        case .topicDeletionWaits(let name, let brokers):
            journal.notice(
                "cannot delete a topic while brokers that hold it are down",
                ["topic": name, "waits_for": brokers.map(\.description).joined(separator: ",")])
        case .topicDeleted(let name): journal.info("deleted a topic", ["topic": name])
        case .brokerShutsDown(let broker): journal.notice("relieves a broker that stops", ["broker": broker])
        }
    }

    // MARK: What brokers answer

    private func heard(_ broker: BrokerID, _ request: ControlRequest, _ answer: ControlAnswer) {
        guard let term else { return }
        switch (request, answer) {
        case (.leaderAndIsr(let request), .leaderAndIsr(let response)):
            var failed: [TopicPartition] = []
            for topic in response.topics {
                guard let name = request.topicStates.first(where: { $0.topicID == topic.topicID })?.topicName else { continue }
                failed += topic.partitionErrors.filter { $0.errorCode == .kafkaStorageError }
                    .map { TopicPartition(name, $0.partitionIndex) }
            }
            failed += response.partitionErrors.filter { $0.errorCode == .kafkaStorageError }
                .map { TopicPartition($0.topicName, $0.partitionIndex) }
            if !failed.isEmpty { happened(term) { $0.replicasFailed(failed, on: broker) } }
        case (.stopReplica(let request), .stopReplica(let response)):
            var errors: [TopicPartition: ErrorCode] = [:]
            for error in response.partitionErrors { errors[TopicPartition(error.topicName, error.partitionIndex)] = error.errorCode }
            guard response.errorCode == .none else { return }
            var deleted: [TopicPartition] = []
            var failed: [TopicPartition] = []
            for topic in request.topicStates {
                for state in topic.partitionStates where state.deletePartition {
                    let partition = TopicPartition(topic.topicName, state.partitionIndex)
                    switch errors[partition] ?? .none {
                    case .none, .unknownTopicOrPartition: deleted.append(partition)
                    default: failed.append(partition)
                    }
                }
            }
            if !deleted.isEmpty || !failed.isEmpty {
                happened(term) { $0.replicasStopped(deleted, failed: failed, on: broker) }
            }
        default: break
        }
        askWaiters()
    }

    // MARK: What brokers ask

    package func controlledShutdown(_ request: ControlledShutdownRequest, then: @escaping (ControlledShutdownResponse) -> Void) {
        var response = ControlledShutdownResponse()
        guard let term, term.core != nil else {
            response.errorCode = .staleControllerEpoch
            return then(response)
        }
        let number = nextNumber
        nextNumber += 1
        shutdownAnswers[number] = then
        do throws(ControllerCore.ShutdownRefusal) {
            guard var core = term.core else { return }
            let effects = try core.controlledShutdownAsked(
                request: number, by: BrokerID(request.brokerID), brokerEpoch: BrokerEpoch(request.brokerEpoch))
            term.core = core
            perform(effects, term)
        } catch {
            shutdownAnswers[number] = nil
            switch error {
            case .unknownBroker: response.errorCode = .brokerNotAvailable
            case .staleBrokerEpoch: response.errorCode = .staleBrokerEpoch
            }
            then(response)
        }
    }

    package func alterPartition(_ request: AlterPartitionRequest, then: @escaping (AlterPartitionResponse) -> Void) {
        var response = AlterPartitionResponse()
        guard let term, let core = term.core else {
            response.errorCode = .notController
            return then(response)
        }
        guard core.isRegistered(BrokerID(request.brokerID), BrokerEpoch(request.brokerEpoch)) else {
            response.errorCode = .staleBrokerEpoch
            return then(response)
        }
        let number = nextNumber
        nextNumber += 1
        inSyncAnswers[number] = then
        inSyncQuestions[number] = request
        var asks: [InSyncAsk] = []
        for topic in request.topics {
            guard let name = self.name(of: topic, in: core) else { continue }
            for partition in topic.partitions {
                let members =
                    partition.newIsrWithEpochs.isEmpty
                    ? partition.newIsr.map { (BrokerID($0), BrokerEpoch.none) }
                    : partition.newIsrWithEpochs.map { (BrokerID($0.brokerID), BrokerEpoch($0.brokerEpoch)) }
                asks.append(
                    InSyncAsk(
                        partition: TopicPartition(name, partition.partitionIndex), leaderEpoch: LeaderEpoch(partition.leaderEpoch),
                        inSync: members, recovering: partition.leaderRecoveryState == 1,
                        partitionEpoch: PartitionEpoch(partition.partitionEpoch)))
            }
        }
        happened(term) { $0.inSyncChangeAsked(request: number, asks) }
    }

    private func name(of topic: AlterPartitionRequest.TopicData, in core: ControllerCore) -> String? {
        if topic.topicID.isZero { return topic.topicName }
        return core.view.topicNames.first { core.view.topics[$0]?.id == topic.topicID }
    }

    private func answer(_ number: UInt64, _ answers: [InSyncAnswer], _ term: Term) {
        guard let then = inSyncAnswers.removeValue(forKey: number), let request = inSyncQuestions.removeValue(forKey: number),
            let core = term.core
        else { return }
        let verdicts = Dictionary(answers.map { ($0.partition, $0.verdict) }) { first, _ in first }
        var response = AlterPartitionResponse()
        response.topics = request.topics.map { asked in
            var topic = AlterPartitionResponse.TopicData()
            topic.topicName = asked.topicName
            topic.topicID = asked.topicID
            let name = self.name(of: asked, in: core)
            topic.partitions = asked.partitions.map { partition in
                var result = AlterPartitionResponse.PartitionData()
                result.partitionIndex = partition.partitionIndex
                guard let name, let verdict = verdicts[TopicPartition(name, partition.partitionIndex)] else {
                    result.errorCode = asked.topicID.isZero ? .unknownTopicOrPartition : .unknownTopicID
                    return result
                }
                switch verdict {
                case .recorded(let recorded):
                    result.leaderID = recorded.state.leader.raw
                    result.leaderEpoch = recorded.state.leaderEpoch.raw
                    result.isr = recorded.state.inSync.map(\.raw)
                    result.leaderRecoveryState = recorded.state.recovering ? 1 : 0
                    result.partitionEpoch = recorded.partitionEpoch.raw
                case .refused(let refusal):
                    result.errorCode =
                        switch refusal {
                        case .unknownPartition: .unknownTopicOrPartition
                        case .fenced: .fencedLeaderEpoch
                        case .notController: .notController
                        case .superseded: .invalidUpdateVersion
                        case .ineligible: asked.topicID.isZero ? .operationNotAttempted : .ineligibleReplica
                        case .recoveryConflict: .invalidRequest
                        case .busy: .operationNotAttempted
                        }
                }
                return result
            }
            return topic
        }
        then(response)
    }

    // MARK: Waiting for the cluster to know

    /// Calls back with true once `isOver` holds and every live broker has heard of it (those that do not answer are waited for a
    /// second); with false at the deadline or when the term ends.
    package func whenHeard(
        within limit: Duration, isOver: @escaping (ControllerCore) -> Bool, then: @escaping (Bool) -> Void
    ) {
        guard isController else { return then(false) }
        let number = nextNumber
        nextNumber += 1
        let timer = world.after(limit) { [weak self] in self?.end(number, false) }
        waiters[number] = Waiter(isOver: isOver, then: then, timer: timer)
        world.timers.soon { [weak self] in self?.askWaiters() }
    }

    private func askWaiters() {
        guard let term, let core = term.core, core.announcements.isEmpty else { return }
        for number in waiters.keys.sorted() {
            guard let waiter = waiters[number], !waiter.asked, waiter.isOver(core) else { continue }
            waiters[number]?.asked = true
            channels.whenHeard(patience: .seconds(1)) { [weak self] in self?.end(number, true) }
        }
    }

    private func end(_ number: UInt64, _ reached: Bool) {
        guard let waiter = waiters.removeValue(forKey: number) else { return }
        if let timer = waiter.timer { world.timers.cancel(timer) }
        waiter.then(reached)
    }
}

extension Result where Failure == CoordinationError {
    /// `ok` of a success.
    var error: CoordinationError {
        if case .failure(let error) = self { error } else { .ok }
    }
}

extension Optional where Wrapped == ControllerCore {
    /// In place; nil when there is none.
    fileprivate mutating func mutate<R>(_ body: (inout ControllerCore) -> R) -> R? {
        guard self != nil else { return nil }
        return body(&self!)
    }
}
