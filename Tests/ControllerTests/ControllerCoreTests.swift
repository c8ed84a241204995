import Bytes
import ClusterModel
import Testing

@testable import Controller

extension ControllerCore {
    /// Performs writes as a tree without rivals would, until nothing is left to write.
    @discardableResult
    mutating func performed(_ effects: [Effect], epochs: inout [TopicPartition: PartitionEpoch]) -> [Effect] {
        var queue = effects
        var all: [Effect] = []
        while !queue.isEmpty {
            let effect = queue.removeFirst()
            all.append(effect)
            switch effect {
            case .createStates(let topic, let states, _):
                for new in states {
                    epochs[TopicPartition(topic, new.partition)] = 0
                    queue += stateWritten(TopicPartition(topic, new.partition), .written(0))
                }
            case .setState(let partition, _, let expecting):
                let known = epochs[partition] ?? expecting
                epochs[partition] = known.next
                queue += stateWritten(partition, .written(known.next))
            case .removeTopic(let name): queue += topicRemoved(name)
            default: break
            }
        }
        return all
    }
    /// Without its lives, which most tests do not speak of.
    func state(_ topic: String, _ partition: Int32) -> LeaderAndInSync? {
        view[TopicPartition(topic, partition)]?.recorded?.state.withoutLives
    }
}

extension [ControllerCore.Effect] {
    var withoutLives: Self {
        map { effect in
            switch effect {
            case .setState(let partition, let state, let expecting):
                .setState(partition, state.withoutLives, expecting: expecting)
            case .createStates(let topic, let states, let underExisting):
                .createStates(
                    topic: topic, states.map { .init(partition: $0.partition, state: $0.state.withoutLives) },
                    underExisting: underExisting)
            default: effect
            }
        }
    }
}

extension LeaderAndInSync {
    init(_ leader: BrokerID, _ leaderEpoch: LeaderEpoch, _ inSync: [BrokerID]) {
        self.init(leader: leader, leaderEpoch: leaderEpoch, inSync: inSync, controllerEpoch: 3)
    }
    var withoutLives: Self {
        var copy = self
        copy.lives = [:]
        return copy
    }
}

let someID = UUID128(high: 1, low: 2)
let t0 = TopicPartition("t", 0)
func live(_ ids: [BrokerID], epoch: BrokerEpoch = 100) -> [LiveBroker] { ids.map { LiveBroker(id: $0, epoch: epoch) } }

/// A controller in office over `brokers`, with one topic `t`.
func office(_ brokers: [BrokerID], _ assignment: [Int32: [BrokerID]]) -> (
    ControllerCore, [TopicPartition: PartitionEpoch]
) {
    var core = ControllerCore(epoch: 3)
    var epochs: [TopicPartition: PartitionEpoch] = [:]
    var tree = ControllerCore.TreeContents()
    tree.brokers = live(brokers)
    core.performed(core.elected(tree), epochs: &epochs)
    core.performed(
        core.topicRead("t", TopicContents(id: someID, partitions: assignment), freshID: someID), epochs: &epochs)
    _ = core.takeAnnouncements()
    return (core, epochs)
}

@Suite("A controller in office")
struct ControllerCoreTests {
    @Test("gives a new topic leaders, and tells replicas before everybody") func newTopic() {
        var core = ControllerCore(epoch: 3)
        var epochs: [TopicPartition: PartitionEpoch] = [:]
        var tree = ControllerCore.TreeContents()
        tree.brokers = live([0, 1])
        core.performed(core.elected(tree), epochs: &epochs)
        _ = core.takeAnnouncements()
        #expect(core.topicsSeen(["t"]) == [.readTopic("t")])
        let effects = core.topicRead("t", TopicContents(id: someID, partitions: [0: [1, 0], 1: [0]]), freshID: someID)
        #expect(
            effects.withoutLives == [
                .tell(.topicAppeared("t", partitions: 2)),
                .createStates(
                    topic: "t",
                    [
                        .init(partition: 0, state: LeaderAndInSync(1, 0, [1, 0])),
                        .init(partition: 1, state: LeaderAndInSync(0, 0, [0])),
                    ], underExisting: false),
            ])
        #expect(core.takeAnnouncements() == [])
        core.performed(effects, epochs: &epochs)
        let orders = core.takeAnnouncements()
        #expect(orders.map(\.broker) == [0, 1])
        guard case .leaderAndIsr(let told, let leaders)? = orders[1].orders.first,
            case .updateMetadata(let routed, let brokers, false)? = orders[1].orders.last
        else { Issue.record("\(orders)"); return }
        #expect(told.map(\.partition) == [t0])
        #expect(told[0].isNew && told[0].topicID == someID)
        #expect(leaders == [1])
        #expect(routed.map(\.partition.partition) == [0, 1])
        #expect(brokers == [0, 1])
    }

    @Test("keeps a partition without a live replica new until one comes") func staysNew() {
        var (core, epochs) = office([0], [0: [1]])
        #expect(core.state("t", 0) == nil)
        core.performed(core.brokersSeen(live([0, 1])), epochs: &epochs)
        #expect(core.state("t", 0)?.leader == 1)
    }

    @Test("moves leaders off a broker that disappeared; it is back in sync only through its leader") func disappears() {
        var (core, epochs) = office([0, 1], [0: [0, 1], 1: [1, 0]])
        core.performed(core.brokersSeen(live([1])), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(1, 1, [1]))
        #expect(core.state("t", 1) == LeaderAndInSync(1, 1, [1]))
        core.performed(core.brokersSeen(live([1]) + live([0], epoch: 200)), epochs: &epochs)
        #expect(core.state("t", 0)?.inSync == [1])
        let orders = core.takeAnnouncements()
        #expect(orders.first?.broker == 0 && orders.first?.epoch == 200)
    }

    @Test("leaves the last in-sync replica in the set, and elects it again in a new epoch") func lastStanding() {
        var (core, epochs) = office([0], [0: [0]])
        core.performed(core.brokersSeen([]), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(-1, 1, [0]))
        core.performed(core.brokersSeen(live([0], epoch: 300)), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(0, 2, [0]))
    }

    @Test("gives a bounced leader a new epoch, also when it is the only replica") func bounced() {
        var (core, epochs) = office([0], [0: [0]])
        let effects = core.brokersSeen(live([0], epoch: 200))
        // Of the epoch of its old life it hears nothing.
        let orders = core.takeAnnouncements().flatMap(\.orders)
        #expect(orders.count == 1)
        #expect(orders.allSatisfy { if case .updateMetadata = $0 { true } else { false } })
        core.performed(effects, epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(0, 1, [0]))
        #expect(core.takeAnnouncements().flatMap(\.orders).count == 2)
    }

    @Test("prefers in-sync replicas that lived through it to a bounced one, which stays in the set: it lost nothing")
    func bouncedWithOthers() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(live([0], epoch: 200) + live([1])), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(1, 1, [0, 1]))
        // The one that seemed to live may have been dead already.
        core.performed(core.brokersSeen(live([0], epoch: 200)), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(0, 2, [0]))
    }

    @Test("keeps the set when every in-sync replica began a new life") func allBounced() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(live([0, 1], epoch: 200)), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(0, 1, [0, 1]))
    }

    @Test("knows on failover a leader's new life by a registration younger than the state") func failover() {
        func elected(writtenAt: Int64) -> LeaderAndInSync? {
            var core = ControllerCore(epoch: 3)
            var epochs: [TopicPartition: PartitionEpoch] = [t0: 7]
            var tree = ControllerCore.TreeContents()
            tree.brokers = live([0], epoch: 500)
            tree.topics = ["t": TopicContents(id: someID, partitions: [0: [0]])]
            tree.states = [
                t0: ReadState(
                    recorded: RecordedState(state: LeaderAndInSync(0, 9, [0]), partitionEpoch: 7), writtenAt: writtenAt)
            ]
            core.performed(core.elected(tree), epochs: &epochs)
            return core.state("t", 0)
        }
        #expect(elected(writtenAt: 499)?.leaderEpoch == 10)
        #expect(elected(writtenAt: 501)?.leaderEpoch == 9)
    }

    @Test("knows on failover a member's new life also when the state was written after it began") func failoverByLives()
    {
        // The leader had a set recorded, with an order of its old life, after it had registered anew.
        var core = ControllerCore(epoch: 3)
        var epochs: [TopicPartition: PartitionEpoch] = [t0: 7]
        var tree = ControllerCore.TreeContents()
        tree.brokers = live([0], epoch: 500) + live([1])
        tree.topics = ["t": TopicContents(id: someID, partitions: [0: [0, 1]])]
        var state = LeaderAndInSync(0, 9, [0, 1])
        state.lives = [0: 400, 1: 100]
        tree.states = [t0: ReadState(recorded: RecordedState(state: state, partitionEpoch: 7), writtenAt: 600)]
        core.performed(core.elected(tree), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(1, 10, [0, 1]))
    }

    @Test("reads the state again when a write is refused, and decides anew") func refused() {
        var (core, _) = office([0, 1], [0: [0, 1]])
        let effects = core.brokersSeen(live([1]))
        #expect(effects.withoutLives.contains(.setState(t0, LeaderAndInSync(1, 1, [1]), expecting: 0)))
        #expect(core.stateWritten(t0, .refused) == [.readState(t0)])
        let found = RecordedState(state: LeaderAndInSync(0, 0, [0]), partitionEpoch: 1)
        let again = core.stateRead(t0, ReadState(recorded: found, writtenAt: 50))
        #expect(again.withoutLives == [.setState(t0, LeaderAndInSync(.none, 1, [0]), expecting: 1)])
    }

    @Test("recognises its own write when only the answer was lost") func lostAnswer() {
        var (core, _) = office([0, 1], [0: [0, 1]])
        _ = core.brokersSeen(live([1]))
        var mine = RecordedState(state: LeaderAndInSync(1, 1, [1]), partitionEpoch: 1)
        mine.state.lives = [1: 100]
        _ = core.stateRead(t0, ReadState(recorded: mine, writtenAt: 600))
        #expect(core.view[t0]?.recorded == mine)
        #expect(core.view[t0]?.pending == nil)
    }

    @Test("decides again when something happens while a write is out") func decidesAgain() {
        var (core, epochs) = office([0, 1, 2], [0: [0, 1, 2]])
        _ = core.brokersSeen(live([1, 2]))
        #expect(core.brokersSeen(live([2])).filter { if case .setState = $0 { true } else { false } } == [])
        epochs[t0] = 1
        core.performed(core.stateWritten(t0, .written(1)), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(2, 2, [2]))
    }

    @Test("relieves a broker that shuts down, and answers once nothing is left to move") func controlledShutdown()
        throws
    {
        var (core, epochs) = office([0, 1], [0: [0, 1], 1: [0]])
        let effects = try core.controlledShutdownAsked(request: 1, by: 0, brokerEpoch: 100)
        let answer = ControllerCore.Effect.answerControlledShutdown(request: 1, stillLed: [])
        #expect(!effects.contains(answer))
        let all = core.performed(effects, epochs: &epochs)
        #expect(all.contains(answer))
        #expect(core.state("t", 0) == LeaderAndInSync(1, 1, [1]))
        #expect(core.state("t", 1)?.leader == 0)
        #expect(throws: ControllerCore.ShutdownRefusal.staleBrokerEpoch) {
            try core.controlledShutdownAsked(request: 2, by: 0, brokerEpoch: 99)
        }
    }

    @Test("gives partitions back to their preferred leaders") func preferred() {
        var (core, epochs) = office([0, 1], [0: [0, 1], 1: [1, 0]])
        core.performed(core.brokersSeen(live([1])), epochs: &epochs)
        core.performed(core.brokersSeen(live([1]) + live([0], epoch: 200)), epochs: &epochs)
        #expect(core.rebalanceDue() == [])
        let ask = InSyncAsk(partition: t0, leaderEpoch: 1, inSync: [(1, 100), (0, 200)], partitionEpoch: 1)
        core.performed(core.inSyncChangeAsked(request: 1, [ask]), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(1, 1, [0, 1]))
        core.performed(core.rebalanceDue(), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(0, 2, [0, 1]))
    }
}

@Suite("A proposed in-sync set")
struct InSyncChangesTests {
    private func verdict(_ change: (inout InSyncAsk) -> Void) -> InSyncAnswer.Verdict? {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(live([0])), epochs: &epochs)
        core.performed(core.brokersSeen(live([0]) + live([1], epoch: 200)), epochs: &epochs)
        var ask = InSyncAsk(partition: t0, leaderEpoch: 1, inSync: [(0, 100), (1, 200)], partitionEpoch: 1)
        change(&ask)
        for case .answerInSyncChange(9, let answers) in core.performed(
            core.inSyncChangeAsked(request: 9, [ask]), epochs: &epochs)
        {
            return answers.first?.verdict
        }
        return nil
    }
    @Test("is recorded without a new leader epoch") func recorded() {
        guard case .recorded(let state)? = verdict({ _ in }) else { Issue.record("refused"); return }
        #expect(state.state.withoutLives == LeaderAndInSync(0, 1, [0, 1]) && state.partitionEpoch == 2)
        #expect(state.state.lives == [0: 100, 1: 200])
    }
    @Test("is refused for each reason by its own name") func refused() {
        #expect(verdict { $0.partition = TopicPartition("x", 0) } == .refused(.unknownPartition))
        #expect(verdict { $0.leaderEpoch = 0 } == .refused(.fenced))
        #expect(verdict { $0.leaderEpoch = 2 } == .refused(.notController))
        #expect(verdict { $0.partitionEpoch = 0 } == .refused(.superseded))
        #expect(verdict { $0.inSync = [(0, 100), (1, 150)] } == .refused(.ineligible))
        #expect(verdict { $0.inSync = [(0, 100), (2, -1)] } == .refused(.ineligible))
    }
    @Test("that is refused as an older one's makes the controller tell the leader what is recorded") func toldAgain() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(live([0])), epochs: &epochs)
        _ = core.takeAnnouncements()
        _ = core.inSyncChangeAsked(
            request: 9, [InSyncAsk(partition: t0, leaderEpoch: 1, inSync: [(0, 100), (1, 1)], partitionEpoch: 0)])
        let orders = core.takeAnnouncements().filter { $0.broker == 0 }.flatMap(\.orders)
        #expect(orders.contains { if case .leaderAndIsr = $0 { true } else { false } })
    }
    /// Refused as superseded, its leader would wait for ever for news that do not come.
    @Test("whose write was lost on the way is undecided, not superseded") func lostWrite() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(live([0])), epochs: &epochs)
        core.performed(core.brokersSeen(live([0]) + live([1], epoch: 200)), epochs: &epochs)
        let ask = InSyncAsk(partition: t0, leaderEpoch: 1, inSync: [(0, 100), (1, 200)], partitionEpoch: 1)
        _ = core.inSyncChangeAsked(request: 9, [ask])
        guard let recorded = core.view[t0]?.recorded else { Issue.record("nothing is recorded"); return }
        // Asked a second time, by a leader that heard nothing: neither yes nor no yet.
        #expect(
            core.inSyncChangeAsked(request: 10, [ask])
                == [.answerInSyncChange(request: 10, [.init(partition: t0, verdict: .refused(.undecided))])])
        #expect(core.stateWritten(t0, .refused) == [.readState(t0)])
        let effects = core.stateRead(t0, ReadState(recorded: recorded, writtenAt: 50))
        #expect(
            effects == [.answerInSyncChange(request: 9, [.init(partition: t0, verdict: .refused(.undecided))])])
    }
}

@Suite("A topic's deletion")
struct TopicDeletionTests {
    @Test("hides it, stops every replica, then clears the tree") func deletes() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        #expect(core.deletionsSeen(["t"]) == [.tell(.topicDeletionStarted("t"))])
        let orders = core.takeAnnouncements()
        #expect(orders.map(\.broker) == [0, 1])
        guard case .updateMetadata(let routed, _, _)? = orders[0].orders.first,
            case .stopReplica(let stopped)? = orders[0].orders.last
        else { Issue.record("\(orders)"); return }
        #expect(routed[0].recorded.state.leader == .duringDelete)
        #expect(stopped == [StoppedReplica(partition: t0, leaderEpoch: -2, delete: true)])
        #expect(core.replicasStopped([t0], failed: [], on: 0) == [])
        let last = core.replicasStopped([t0], failed: [], on: 1)
        #expect(last == [.removeTopic("t")])
        core.performed(last, epochs: &epochs)
        #expect(core.view.topics.isEmpty && core.deletions.isEmpty)
    }
    @Test("waits for a broker that is down, and goes on when it is back") func waits() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(live([0])), epochs: &epochs)
        #expect(core.deletionsSeen(["t"]).last == .tell(.topicDeletionWaits("t", for: [1])))
        core.performed(core.brokersSeen(live([0]) + live([1], epoch: 200)), epochs: &epochs)
        #expect(
            core.takeAnnouncements().flatMap(\.orders).contains { if case .stopReplica = $0 { true } else { false } })
    }
    @Test("is no news to a broker that comes or goes meanwhile, though it has nothing left to delete") func comers() {
        var (core, epochs) = office([0, 1, 2], [0: [0, 1]])
        func routed(_ core: inout ControllerCore) -> [BrokerID: [BrokerID]] {
            var leaders: [BrokerID: [BrokerID]] = [:]
            for orders in core.takeAnnouncements() {
                for case .updateMetadata(let told, _, _) in orders.orders {
                    leaders[orders.broker, default: []] += told.map(\.recorded.state.leader)
                }
            }
            return leaders
        }
        core.performed(core.deletionsSeen(["t"]), epochs: &epochs)
        _ = core.takeAnnouncements()
        core.performed(core.replicasStopped([t0], failed: [], on: 1), epochs: &epochs)
        // Broker 0 has not answered yet; 1 dies and comes back, and hears of everything but this.
        core.performed(core.brokersSeen(live([0, 2])), epochs: &epochs)
        #expect(routed(&core) == [0: [], 2: []])
        core.performed(core.brokersSeen(live([0, 2]) + live([1], epoch: 200)), epochs: &epochs)
        #expect(routed(&core) == [0: [], 1: [], 2: []])
        core.performed(core.replicasStopped([t0], failed: [], on: 0), epochs: &epochs)
        #expect(core.view.topics.isEmpty && core.deletions.isEmpty)
    }
    @Test("is not done where it is not allowed, and unknown topics are only unmarked") func notAllowed() {
        var (core, _) = office([0], [0: [0]])
        #expect(core.deletionsSeen(["nothing"]) == [.removeDeletionMark("nothing")])
        core.settings.deletesTopics = false
        #expect(core.deletionsSeen(["t"]) == [.removeDeletionMark("t")])
    }
}
