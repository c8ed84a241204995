import Bytes
import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import KafkaProtocol
import Platform

/// What the controller reads, each path with one watch however often it is read.
extension ControllerDriver {
    func brokersChanged(_ term: Term) {
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

    func readLiveBrokers(_ term: Term, then: @escaping (Result<[LiveBroker], CoordinationError>) -> Void) {
        term.readingBrokers = true
        term.brokersStale = false
        let done: (Result<[LiveBroker], CoordinationError>) -> Void = { result in
            term.readingBrokers = false
            then(result)
        }
        tree.children(Znodes.brokerIDs, watch: watch(Znodes.brokerIDs, term) { $0.brokersChanged(term) }) {
            [self] result in
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

    struct FoundBroker {
        var live: LiveBroker
        var registration: BrokerRegistration
    }

    func readBroker(_ name: String, _ term: Term, then: @escaping (Result<FoundBroker?, CoordinationError>) -> Void) {
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
            tree.readIfThere(Znodes.twin(id)) { [self] result in
                guard case .success(let twin) = result else { return then(.failure(result.error)) }
                guard let twin, twin.stat.ephemeralOwner == node.stat.ephemeralOwner else {
                    if term.strangers.insert(id).inserted {
                        journal.warning("gives no partition to a broker that is not Letterbox's", ["stranger": id])
                    }
                    return then(.success(nil))
                }
                let live = LiveBroker(
                    id: id, epoch: BrokerEpoch(node.stat.czxid), rack: registration.rack,
                    registrationVersion: node.stat.version,
                    isSuspect: (try? BrokerTwin(payload: twin.data))?.isSuspect ?? false)
                then(.success(FoundBroker(live: live, registration: registration)))
            }
        }
    }

    func topicsChanged(_ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        tree.children(Znodes.brokerTopics, watch: watch(Znodes.brokerTopics, term) { $0.topicsChanged(term) }) {
            [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let names) = result else {
                term.armed.remove(Znodes.brokerTopics)
                return failed(result.error, "read the topics") { [weak self] in self?.topicsChanged(term) }
            }
            happened(term) { $0.topicsSeen(names) }
        }
    }

    func deletionsChanged(_ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        tree.children(Znodes.deleteTopics, watch: watch(Znodes.deleteTopics, term) { $0.deletionsChanged(term) }) {
            [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let names) = result else {
                term.armed.remove(Znodes.deleteTopics)
                return failed(result.error, "read the deletions") { [weak self] in self?.deletionsChanged(term) }
            }
            happened(term) { $0.deletionsSeen(names) }
        }
    }

    struct FoundTopic {
        var contents: TopicContents
        var rules: ElectionRules?
    }

    func readTopic(_ name: String, _ term: Term, then: @escaping (Result<FoundTopic?, CoordinationError>) -> Void) {
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
            tree.readIfThere(Znodes.topicConfig(name)) { [self] result in
                guard case .success(let config) = result else { return then(.failure(result.error)) }
                let overrides = config.flatMap { try? ConfigPayload(payload: $0.data).settings } ?? [:]
                then(.success(FoundTopic(contents: contents, rules: rules(overrides))))
            }
        }
    }

    func topicChanged(_ name: String, _ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        readTopic(name, term) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let found) = result else {
                return failed(result.error, "read topic \(name)") { [weak self] in self?.topicChanged(name, term) }
            }
            var random = WorldRandom(world)
            let id = UUID128.random(using: &random)
            happened(term) { $0.topicRead(name, found?.contents, freshID: id, rules: found?.rules) }
        }
    }

    func readState(_ node: ReadNode, of partition: TopicPartition) -> ReadState? {
        do throws(PayloadError) {
            let state = try PartitionState(payload: node.data)
            return ReadState(
                recorded: RecordedState(
                    state: LeaderAndInSync(
                        leader: state.leader, leaderEpoch: state.leaderEpoch, inSync: state.isr,
                        controllerEpoch: state.controllerEpoch, recovering: state.recoveryState != 0,
                        lives: state.lives),
                    partitionEpoch: PartitionEpoch(node.stat.version)),
                writtenAt: node.stat.mzxid)
        } catch {
            journal.error("cannot read a partition's state", ["partition": partition, "error": error])
            return nil
        }
    }

    /// What a topic's own settings say, over the cluster's.
    private func rules(_ overrides: [String: String]) -> ElectionRules? {
        let unclean = overrides[TopicKeys.uncleanElection.name].map { $0 == "true" }
        let minInSync = overrides[TopicKeys.minInSync.name].flatMap { Int($0) }
        guard unclean != nil || minInSync != nil else { return nil }
        let others = settings.core.rules
        return ElectionRules(
            uncleanElection: unclean ?? others.uncleanElection, minInSync: minInSync ?? others.minInSync)
    }

    /// The cluster-wide settings changed.
    package func electionRulesChanged(to rules: ElectionRules) {
        settings.core.rules = rules
        guard let term else { return }
        happened(term) { $0.electionRulesChanged(to: rules) }
    }

    /// A topic's settings changed (the config watcher of this broker tells).
    package func electionRulesChanged(_ topic: String, to rules: ElectionRules?) {
        guard let term else { return }
        happened(term) { $0.electionRulesChanged(topic, to: rules) }
    }
}
