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
    final class Term {
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
        /// Whose logs are to be compared, asked for at the end of the turn.
        var logEndsWanted: [(BrokerID, [TopicPartition])] = []
        var rebalance: TimerID?
        init(epoch: ControllerEpoch, epochVersion: Int32) {
            self.epoch = epoch
            self.epochVersion = epochVersion
        }
    }

    struct Waiter {
        /// Nil while it must go on waiting.
        var isOver: (ControllerCore) -> Bool
        var then: (Bool) -> Void
        var timer: TimerID?
        var asked = false
    }

    let world: any World
    let tree: any Tree
    /// What a term begins with.
    package internal(set) var settings: ControllerSettings
    let channels: ControllerChannels
    let journal: Journal
    var seat: ControllerSeat
    /// The session in which a watch on the seat stands.
    var seatWatchedIn: Int64 = 0
    var term: Term?
    var waiters: [UInt64: Waiter] = [:]
    var asksWaiters = false
    var nextNumber: UInt64 = 1
    var shutdownAnswers: [UInt64: (ControlledShutdownResponse) -> Void] = [:]
    var inSyncAnswers: [UInt64: (AlterPartitionResponse) -> Void] = [:]
    var inSyncQuestions: [UInt64: AlterPartitionRequest] = [:]
    var operatorAnswers = OperatorAnswers()
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

    func perform(_ effects: [ControllerSeat.Effect]) {
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

    func readSeat() {
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

    func readEpoch() {
        tree.readIfThere(Znodes.controllerEpoch) { [self] result in
            switch result {
            case .failure(let error):
                failed(error, "read \(Znodes.controllerEpoch)") { [weak self] in self?.readEpoch() }
            case .success(nil):
                tree.ensure(Znodes.controllerEpoch, data: [UInt8]("0".utf8)) { [self] error in
                    if let error {
                        return failed(error, "create \(Znodes.controllerEpoch)") { [weak self] in self?.readEpoch() }
                    }
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

    func claim(_ epoch: ControllerEpoch, expecting: Int32) {
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
    func failed(_ error: CoordinationError, _ what: String, again: @escaping () -> Void) {
        guard error != .sessionExpired else { return }
        journal.warning("could not \(what)", ["error": error])
        world.after(.milliseconds(500), again)
    }

    // MARK: A term

    func takeOffice(_ epoch: ControllerEpoch, _ version: Int32) {
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

    func leaveOffice() {
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
        endOperatorAnswers()
    }

    /// Put before what is written on the controller's behalf: with it, nothing is written once somebody else was elected.
    /// Empty where this broker is not the controller.
    package var fence: [MultiOperation] {
        term.map { [.check(Znodes.controllerEpoch, version: $0.epochVersion)] } ?? []
    }

    func isCurrent(_ term: Term) -> Bool { self.term === term }

    /// A watch for `path`, unless one stands already.
    func watch(_ path: String, _ term: Term, _ fired: @escaping (ControllerDriver) -> Void) -> (() -> Void)? {
        guard term.armed.insert(path).inserted else { return nil }
        return { [weak self] in
            term.armed.remove(path)
            guard let self, self.isCurrent(term) else { return }
            fired(self)
        }
    }

    /// Everything a new controller must know, read with watches before anything is decided.
    func readTree(_ term: Term) {
        var contents = ControllerCore.TreeContents()
        let again: () -> Void = { [weak self] in
            guard let self, self.isCurrent(term) else { return }
            self.readTree(term)
        }
        readLiveBrokers(term) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let brokers) = result else {
                return failed(result.error, "read the brokers", again: again)
            }
            contents.brokers = brokers
            tree.children(Znodes.brokerTopics, watch: watch(Znodes.brokerTopics, term) { $0.topicsChanged(term) }) {
                [self] result in
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
                        contents.rules[name] = found.rules
                    }
                    readStates(term, contents, again: again)
                }
            }
        }
    }

    func readStates(_ term: Term, _ partial: ControllerCore.TreeContents, again: @escaping () -> Void) {
        var contents = partial
        let partitions = contents.topics.keys.sorted().flatMap { name in
            (contents.topics[name]?.partitions.keys.sorted() ?? []).map { TopicPartition(name, $0) }
        }
        tree.readAll(
            partitions.map { Znodes.partitionState($0) },
            read: { [self] path, then in tree.readIfThere(path, then: then) }
        ) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let states) = result else {
                return failed(result.error, "read the partitions", again: again)
            }
            for (partition, state) in zip(partitions, states) {
                if let node = state.value, let read = readState(node, of: partition) {
                    contents.states[partition] = read
                }
            }
            tree.children(Znodes.deleteTopics, watch: watch(Znodes.deleteTopics, term) { $0.deletionsChanged(term) }) {
                [self] result in
                guard isCurrent(term) else { return }
                guard case .success(let names) = result else {
                    term.armed.remove(Znodes.deleteTopics)
                    return failed(result.error, "read the deletions", again: again)
                }
                contents.deletions = names
                readOldReassignments(term) { [self] result in
                    guard isCurrent(term) else { return }
                    guard case .success(let list) = result else {
                        return failed(result.error, "read the reassignments", again: again)
                    }
                    contents.oldReassignments = list
                    begin(term, contents)
                }
            }
        }
    }

    /// The tree was read: from here on it is decided.
    func begin(_ term: Term, _ contents: ControllerCore.TreeContents) {
        var core = ControllerCore(epoch: term.epoch, settings: settings.core)
        let effects = core.elected(contents)
        term.core = core
        journal.info(
            "read the tree",
            [
                "brokers": contents.brokers.count, "topics": contents.topics.count,
                "partitions": contents.topics.values.reduce(0) { $0 + $1.partitions.count },
            ])
        perform(effects, term)
        // What changed while it was read.
        if term.brokersStale { brokersChanged(term) }
        topicsChanged(term)
        for name in contents.topics.keys.sorted() where !term.armed.contains(Znodes.topic(name)) {
            topicChanged(name, term)
        }
        if !term.armed.contains(Znodes.deleteTopics) { deletionsChanged(term) }
        if !term.armed.contains(Znodes.reassignPartitions) { oldReassignmentsChanged(term) }
        oldElectionChanged(term)
        logDirEventsChanged(term)
        scheduleRebalance(term, after: .seconds(5))
    }

    func scheduleRebalance(_ term: Term, after delay: Duration) {
        term.rebalance = world.after(delay) { [weak self] in
            guard let self, self.isCurrent(term) else { return }
            self.happened(term) { $0.rebalanceDue() }
            self.scheduleRebalance(term, after: self.settings.rebalanceInterval)
        }
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
    mutating func mutate<R>(_ body: (inout ControllerCore) -> R) -> R? {
        guard var core = self else { return nil }
        // Not two owners at once: what is changed would be copied first.
        self = nil
        defer { self = core }
        return body(&core)
    }
}
