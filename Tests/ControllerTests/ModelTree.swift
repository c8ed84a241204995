import ClusterModel

@testable import Controller

/// A tree that outlives controllers, with brokers that follow at once: what a controller's death at any write leaves behind can
/// be handed to the next one.
struct ModelTree {
    var brokers: [LiveBroker]
    var topics: [String: TopicContents] = [:]
    var states: [TopicPartition: RecordedState] = [:]
    var deletions: [String] = []
    var oldReassignments: [OldReassignment] = []
    /// Who holds a log of each partition.
    var copies: [TopicPartition: Set<BrokerID>] = [:]
    /// Answers, in order.
    var refusals: [ReassignmentAnswer] = []
    var elections: [ElectionAnswer] = []
    /// Followers that never catch up.
    var lagging: Set<BrokerID> = []
    private var epoch: ControllerEpoch = 2
    private var nextRequest: UInt64 = 1_000_000

    init(_ brokers: [LiveBroker]) { self.brokers = brokers }

    /// Another controller takes office and reads.
    mutating func controller(writes: inout Int) -> ControllerCore {
        epoch = ControllerEpoch(epoch.raw + 1)
        var core = ControllerCore(epoch: epoch)
        var contents = ControllerCore.TreeContents()
        contents.brokers = brokers
        contents.topics = topics
        contents.states = states.mapValues { ReadState(recorded: $0, writtenAt: 0) }
        contents.deletions = deletions
        contents.oldReassignments = oldReassignments
        run(&core, core.elected(contents), writes: &writes)
        return core
    }

    /// Performs until nothing is left to do, or `writes` writes were done: then the controller is dead.
    mutating func run(_ core: inout ControllerCore, _ effects: [ControllerCore.Effect], writes: inout Int) {
        var queue = effects[...]
        while writes > 0 {
            guard let effect = queue.popFirst() else {
                let more = hear(core.takeAnnouncements(), &core)
                if more.isEmpty { return }
                queue += more
                continue
            }
            switch effect {
            case .createStates(let topic, let new, _):
                writes -= 1
                for one in new {
                    let partition = TopicPartition(topic, one.partition)
                    states[partition] = RecordedState(state: one.state, partitionEpoch: 0)
                    if writes > 0 { queue += core.stateWritten(partition, .written(0)) }
                }
            case .setState(let partition, let state, let expecting):
                writes -= 1
                guard states[partition]?.partitionEpoch == expecting else {
                    queue += core.stateWritten(partition, .refused)
                    continue
                }
                states[partition] = RecordedState(state: state, partitionEpoch: expecting.next)
                if writes > 0 { queue += core.stateWritten(partition, .written(expecting.next)) }
            case .readState(let partition):
                queue += core.stateRead(
                    partition, states[partition].map { ReadState(recorded: $0, writtenAt: 0) })
            case .setAssignment(let topic, var contents):
                writes -= 1
                guard topics[topic]?.version == contents.version else {
                    queue += core.assignmentWritten(topic, version: nil)
                    continue
                }
                contents.version += 1
                topics[topic] = contents
                if writes > 0 { queue += core.assignmentWritten(topic, version: contents.version) }
            case .readTopic(let topic): queue += core.topicRead(topic, topics[topic], freshID: someID)
            case .removeTopic(let topic):
                writes -= 1
                topics[topic] = nil
                deletions.removeAll { $0 == topic }
                for partition in states.keys where partition.topic == topic { states[partition] = nil }
                if writes > 0 { queue += core.topicRemoved(topic) }
            case .setOldReassignments(let left):
                writes -= 1
                oldReassignments = left
            case .answerReassignment(_, let answers): refusals += answers
            case .answerElection(_, let answers): elections += answers
            default: break
            }
        }
    }

    /// Brokers do as they are told; each leader asks to have all its followers in sync.
    private mutating func hear(_ batch: [BrokerOrders], _ core: inout ControllerCore) -> [ControllerCore.Effect] {
        var effects: [ControllerCore.Effect] = []
        for orders in batch {
            for order in orders.orders {
                switch order {
                case .leaderAndIsr(let partitions, _):
                    for told in partitions {
                        copies[told.partition, default: []].insert(orders.broker)
                        let state = told.recorded.state
                        guard state.leader == orders.broker else { continue }
                        let wanted = told.replicas.filter { replica in
                            state.inSync.contains(replica)
                                || (!lagging.contains(replica) && core.view.brokers[replica] != nil)
                        }
                        guard Set(wanted) != Set(state.inSync) else { continue }
                        nextRequest += 1
                        effects += core.inSyncChangeAsked(
                            request: nextRequest,
                            [
                                InSyncAsk(
                                    partition: told.partition, leaderEpoch: state.leaderEpoch,
                                    inSync: wanted.map { ($0, core.view.brokers[$0]?.epoch ?? .none) },
                                    partitionEpoch: told.recorded.partitionEpoch)
                            ])
                    }
                case .stopReplica(let stopped):
                    let deleted = stopped.filter(\.delete).map(\.partition)
                    for partition in deleted { copies[partition]?.remove(orders.broker) }
                    effects += core.replicasStopped(deleted, failed: [], on: orders.broker)
                case .updateMetadata: break
                }
            }
        }
        return effects
    }

    func assignment(_ partition: TopicPartition) -> ReplicaAssignment? {
        topics[partition.topic]?.assignment(of: partition.partition)
    }
}
