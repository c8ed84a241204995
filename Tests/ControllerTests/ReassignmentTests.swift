import ClusterModel
import Testing

@testable import Controller

@Suite("A reassignment")
struct ReassignmentTests {
    private let t1 = TopicPartition("t", 1)

    /// Brokers 0 to 5, and a topic with two partitions on the first three.
    private func settled() -> (ModelTree, ControllerCore) {
        var tree = ModelTree(live([0, 1, 2, 3, 4, 5]))
        tree.topics = ["t": TopicContents(id: someID, partitions: [0: [0, 1, 2], 1: [1, 2, 0]])]
        var enough = Int.max
        let core = tree.controller(writes: &enough)
        return (tree, core)
    }
    private func ask(
        _ asks: [(partition: TopicPartition, target: [BrokerID]?)], _ tree: inout ModelTree,
        _ core: inout ControllerCore,
        writes: inout Int
    ) {
        tree.run(&core, core.reassignmentAsked(request: 1, asks), writes: &writes)
    }
    private func ask(
        _ asks: [(partition: TopicPartition, target: [BrokerID]?)], _ tree: inout ModelTree,
        _ core: inout ControllerCore
    ) {
        var enough = Int.max
        ask(asks, &tree, &core, writes: &enough)
    }

    @Test("moves a partition to other brokers, its leader too, and leaves no copy behind") func moves() {
        var (tree, core) = settled()
        ask([(t0, [3, 4])], &tree, &core)
        #expect(tree.refusals == [ReassignmentAnswer(partition: t0)])
        #expect(tree.assignment(t0) == ReplicaAssignment([3, 4]))
        #expect(tree.assignment(t1) == ReplicaAssignment([1, 2, 0]))
        #expect(tree.states[t0]?.state.inSync == [3, 4])
        #expect(tree.states[t0]?.state.leader == 3)
        #expect(tree.copies[t0] == [3, 4])
    }

    @Test("keeps a leader that is in the target") func keepsLeader() {
        var (tree, core) = settled()
        ask([(t0, [3, 0])], &tree, &core)
        #expect(tree.states[t0]?.state.leader == 0)
        #expect(tree.assignment(t0) == ReplicaAssignment([3, 0]))
        #expect(tree.copies[t0] == [0, 3])
    }

    @Test("names those that come and go while they do, and ends when the last has caught up") func showsBoth() {
        var (tree, core) = settled()
        tree.lagging = [4]
        ask([(t0, [3, 4])], &tree, &core)
        #expect(tree.assignment(t0) == ReplicaAssignment([3, 4, 0, 1, 2], adding: [3, 4], removing: [0, 1, 2]))
        #expect(tree.states[t0]?.state.inSync == [3, 0, 1, 2])
        #expect(tree.states[t0]?.state.leader == 0)
        tree.lagging = []
        let state = tree.states[t0]?.state
        var enough = Int.max
        let ask = InSyncAsk(
            partition: t0, leaderEpoch: state?.leaderEpoch ?? 0,
            inSync: [3, 4, 0, 1, 2].map { ($0, 100) }, partitionEpoch: tree.states[t0]?.partitionEpoch ?? 0)
        tree.run(&core, core.inSyncChangeAsked(request: 5, [ask]), writes: &enough)
        #expect(tree.assignment(t0) == ReplicaAssignment([3, 4]))
        #expect(tree.copies[t0] == [3, 4])
    }

    @Test("is not taken back by a reading of its topic that is older than what was written since") func staleReading() {
        var (tree, core) = settled()
        tree.lagging = [3, 4]
        ask([(t0, [3, 4])], &tree, &core)
        let before = tree.topics["t"]
        ask([(t0, [3, 4, 0])], &tree, &core)
        let view = core.view
        #expect(core.topicRead("t", before, freshID: someID) == [])
        #expect(core.view == view)
        #expect(core.view[t0]?.assignment.target == [3, 4, 0])
    }

    @Test("is written once, also when its topic is read meanwhile") func readWhileWriting() {
        var (tree, core) = settled()
        guard case .setAssignment("t", let written)? = core.reassignmentAsked(request: 1, [(t0, [3, 1, 2])]).last else {
            Issue.record("nothing was written")
            return
        }
        #expect(core.topicRead("t", tree.topics["t"], freshID: someID) == [])
        tree.topics["t"] = written
        tree.topics["t"]?.version += 1
        var enough = Int.max
        tree.run(&core, core.assignmentWritten("t", version: written.version + 1), writes: &enough)
        #expect(tree.assignment(t0) == ReplicaAssignment([3, 1, 2]))
    }

    @Test("cancelled, puts everything back and deletes what was begun") func cancels() {
        var (tree, core) = settled()
        tree.lagging = [4]
        ask([(t0, [3, 4])], &tree, &core)
        ask([(t0, nil), (t1, nil)], &tree, &core)
        #expect(tree.refusals.suffix(2) == [.init(partition: t0), .init(partition: t1, refusal: .notMoving)])
        #expect(tree.assignment(t0) == ReplicaAssignment([0, 1, 2]))
        #expect(tree.states[t0]?.state.inSync == [0, 1, 2])
        #expect(tree.copies[t0] == [0, 1, 2])
    }

    @Test("gives way to another target") func replaced() {
        var (tree, core) = settled()
        tree.lagging = [4]
        ask([(t0, [3, 4])], &tree, &core)
        ask([(t0, [5, 3])], &tree, &core)
        #expect(tree.assignment(t0) == ReplicaAssignment([5, 3]))
        #expect(tree.copies[t0] == [3, 5])
    }

    @Test("is refused by Kafka's reasons") func refused() {
        var (tree, core) = settled()
        ask(
            [
                (TopicPartition("x", 0), [0]), (t0, []), (t1, [1, 1]),
            ], &tree, &core)
        ask([(t0, [-1]), (t1, [0, 9])], &tree, &core)
        #expect(
            tree.refusals.map(\.refusal) == [
                .unknownPartition, .noReplicas, .duplicateReplicas, .invalidBroker, .notAlive([9]),
            ])
        #expect(tree.topics["t"]?.version == 0)
    }

    @Test("is not cancelled while only those that came are in sync") func cancelKeepsRecords() {
        var (tree, core) = settled()
        tree.lagging = [4]
        ask([(t0, [3, 4])], &tree, &core)
        tree.brokers.removeAll { [0, 1, 2].contains($0.id) }
        var enough = Int.max
        tree.run(&core, core.brokersSeen(tree.brokers), writes: &enough)
        #expect(tree.states[t0]?.state.leader == 3)
        ask([(t0, nil)], &tree, &core)
        #expect(tree.refusals.last == .init(partition: t0, refusal: .nobodyInSync))
    }

    @Test("deletes a copy whose broker was down when the broker is back") func strays() {
        var (tree, core) = settled()
        var enough = Int.max
        tree.run(&core, core.brokersSeen(live([0, 1, 3, 4, 5])), writes: &enough)
        ask([(t0, [3, 4])], &tree, &core)
        #expect(tree.copies[t0] == [2, 3, 4])
        tree.run(&core, core.brokersSeen(live([0, 1, 3, 4, 5]) + live([2], epoch: 200)), writes: &enough)
        #expect(tree.copies[t0] == [3, 4])
    }

    @Test("ends as asked when the controller dies after any of its writes, also twice") func failovers() {
        var total = 0
        for (first, second) in (1...12).flatMap({ first in (1...12).map { (first, $0) } }) {
            var (tree, core) = settled()
            var writes = first
            ask([(t0, [3, 4, 5]), (t1, [1, 3])], &tree, &core, writes: &writes)
            guard writes == 0 else { continue }
            total += 1
            writes = second
            var next = tree.controller(writes: &writes)
            if writes == 0 {
                writes = .max
                next = tree.controller(writes: &writes)
            }
            // Nothing was answered: the operator's tool asks again.
            ask([(t0, [3, 4, 5]), (t1, [1, 3])], &tree, &next)
            let what: Comment = "after \(first) and \(second) writes"
            #expect(tree.assignment(t0) == ReplicaAssignment([3, 4, 5]), what)
            #expect(tree.assignment(t1) == ReplicaAssignment([1, 3]), what)
            #expect(Set(tree.states[t0]?.state.inSync ?? []) == [3, 4, 5], what)
            #expect(Set(tree.states[t1]?.state.inSync ?? []) == [1, 3], what)
            #expect([3, 4, 5].contains(tree.states[t0]?.state.leader), what)
        }
        #expect(total > 12)
    }

    @Test("ends with its topic") func deleted() {
        var (tree, core) = settled()
        tree.lagging = [4]
        ask([(t0, [3, 4])], &tree, &core)
        var enough = Int.max
        tree.deletions = ["t"]
        tree.run(&core, core.deletionsSeen(["t"]), writes: &enough)
        #expect(tree.topics["t"] == nil)
        #expect(tree.copies[t0] == [])
        ask([(t0, [3, 4])], &tree, &core)
        #expect(tree.refusals.last?.refusal == .unknownPartition)
    }

    @Test("goes on when its topic grows meanwhile") func grows() {
        var (tree, core) = settled()
        tree.lagging = [4]
        ask([(t0, [3, 4])], &tree, &core)
        tree.topics["t"]?.partitions[2] = [5]
        tree.topics["t"]?.version += 1
        // The write meets another version, and reads.
        ask([(t1, [3])], &tree, &core)
        #expect(tree.assignment(TopicPartition("t", 2)) == ReplicaAssignment([5]))
        #expect(tree.assignment(t1) == ReplicaAssignment([3]))
        #expect(tree.states[TopicPartition("t", 2)]?.state.leader == 5)
    }

    @Test("written in the old way is done, and its list shrinks until it goes") func oldStyle() {
        var (tree, core) = settled()
        tree.lagging = [4]
        tree.oldReassignments = [
            .init(partition: t0, target: [3, 4]), .init(partition: t1, target: [5]),
            .init(partition: TopicPartition("x", 0), target: [1]),
        ]
        var enough = Int.max
        tree.run(&core, core.oldReassignmentsSeen(tree.oldReassignments), writes: &enough)
        #expect(tree.assignment(t1) == ReplicaAssignment([5]))
        #expect(tree.oldReassignments == [.init(partition: t0, target: [3, 4])])
        tree.lagging = []
        // The next controller finds the rest there.
        _ = tree.controller(writes: &enough)
        #expect(tree.assignment(t0) == ReplicaAssignment([3, 4]))
        #expect(tree.oldReassignments == [])
    }
}
