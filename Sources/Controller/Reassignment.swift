import ClusterModel

/// One line of `/admin/reassign_partitions`.
package struct OldReassignment: Equatable, Sendable {
    package var partition: TopicPartition
    package var target: [BrokerID]
    package init(partition: TopicPartition, target: [BrokerID]) {
        self.partition = partition
        self.target = target
    }
}

package enum ReassignmentRefusal: Error, Equatable, Sendable {
    case unknownPartition
    case noReplicas
    case duplicateReplicas
    case invalidBroker
    case notAlive([BrokerID])
    /// There is nothing to cancel.
    case notMoving
    /// None of those that would be left is in sync: somebody else leads, and holds what they do not.
    case nobodyInSync
}

package struct ReassignmentAnswer: Equatable, Sendable {
    package var partition: TopicPartition
    /// Nil: the tree says so.
    package var refusal: ReassignmentRefusal?
    package init(partition: TopicPartition, refusal: ReassignmentRefusal? = nil) {
        self.partition = partition
        self.refusal = refusal
    }
}

/// Replicas move in steps, each of which a new controller finds in the tree and goes on from:
///
/// 1. The assignment names those that come beside those that are there; the leader hears of them in a new epoch.
/// 2. They follow, and enter the in-sync set one by one.
/// 3. Once all of the target are in it, those that go leave leadership and set in one write, and are told to delete.
/// 4. The assignment names the target only.
///
/// A cancellation, or another target, goes through 3 and 4 with what the unfinished move had added.
/// Rule: KIP-455; Kafka 3.9 (KafkaController) for the order of writes.
extension ControllerCore {
    struct ReassignmentRequest: Equatable, Sendable {
        var order: [TopicPartition]
        var answers: [TopicPartition: ReassignmentAnswer] = [:]
    }

    // MARK: Asked

    /// - Parameter asks: where to; nil: back to where it was. The answer is one effect, once the tree says so for all.
    package mutating func reassignmentAsked(
        request: UInt64, _ asks: [(partition: TopicPartition, target: [BrokerID]?)]
    ) -> [Effect] {
        reassignmentRequests[request] = ReassignmentRequest(order: asks.map(\.partition))
        var begun: [TopicPartition] = []
        for ask in asks {
            do throws(ReassignmentRefusal) {
                if try begin(ask.partition, ask.target, request: request) {
                    begun.append(ask.partition)
                } else {
                    answer(ask.partition, to: request, nil)
                }
            } catch { answer(ask.partition, to: request, error) }
        }
        // Whatever was asked last holds.
        let left = oldReassignments.filter { !begun.contains($0.partition) }
        return setOldReassignments(left) + settle(begun) + answerReassignments()
    }

    /// - Returns: false when it is there already.
    private mutating func begin(
        _ partition: TopicPartition, _ target: [BrokerID]?, request: UInt64?
    ) throws(ReassignmentRefusal) -> Bool {
        guard deletions[partition.topic] == nil, let view = view[partition] else { throw .unknownPartition }
        if let target {
            guard !target.isEmpty else { throw .noReplicas }
            guard Set(target).count == target.count else { throw .duplicateReplicas }
            guard target.allSatisfy({ $0.raw >= 0 }) else { throw .invalidBroker }
        }
        if view.move?.step == .recording, let request {
            self.view[partition]?.move?.queued.append(.init(request: request, target: target))
            return true
        }
        let goal: ReplicaAssignment
        if let target {
            goal = view.assignment.moving(to: target)
            let absent = goal.adding.filter { self.view.brokers[$0] == nil }
            guard absent.isEmpty else { throw .notAlive(absent) }
        } else {
            guard view.assignment.isMoving else { throw .notMoving }
            goal = ReplicaAssignment(view.assignment.origin)
        }
        guard goal != view.assignment else { return false }
        if let state = view.recorded?.state, !view.assignment.dropped(by: goal).isEmpty {
            let left = goal.replicas.filter { state.inSync.contains($0) && self.view.stands($0, in: state) }
            guard !left.isEmpty else { throw .nobodyInSync }
        }
        self.view[partition]?.move = PartitionView.Move(goal: goal, step: .relieving)
        return true
    }

    // MARK: Going on

    /// Part of ``settle(_:)``, with the partition's view taken out: what its move wants next.
    mutating func goOnMoving(
        _ partition: TopicPartition, _ view: inout PartitionView, recording: inout Set<String>
    ) -> [Effect] {
        if view.move == nil, view.assignment.isMoving, let inSync = view.recorded?.state.inSync,
            view.assignment.target.allSatisfy(inSync.contains)
        {
            view.move = PartitionView.Move(goal: ReplicaAssignment(view.assignment.target), step: .relieving)
        }
        guard let move = view.move else { return [] }
        if move.step == .relieving, view.recorded != nil, !view.assignment.dropped(by: move.goal).isEmpty {
            guard
                let state = PartitionLifecycle.relieved(view, for: move.goal, in: self.view, controllerEpoch: epoch)
            else {
                // Those that could lead have gone since.
                view.move = nil
                return answerReassignments(of: partition, .nobodyInSync)
            }
            view.pending = state
            view.decideAgain = false
            return []
        }
        view.move?.step = .recording
        recording.insert(partition.topic)
        return []
    }

    /// A state was written in a new leader epoch: does nobody whom the move drops have a part in it any more?
    /// - Returns: who is dropped now.
    func relieved(_ view: inout PartitionView) -> [BrokerID] {
        guard let move = view.move, move.step == .relieving, let state = view.recorded?.state,
            state.inSync.allSatisfy(move.goal.replicas.contains), move.goal.replicas.contains(state.leader)
        else { return [] }
        view.move?.step = .recording
        return view.assignment.dropped(by: move.goal)
    }

    mutating func drop(_ partition: TopicPartition, from brokers: [BrokerID], leaderEpoch: LeaderEpoch) {
        for broker in brokers {
            if view.brokers[broker] != nil {
                announcements.stop(partition, on: broker, leaderEpoch: leaderEpoch, delete: true)
            } else {
                strays[broker, default: []].insert(partition)
            }
        }
    }

    /// One write for all partitions of the topic that wait for one.
    mutating func writeAssignment(of name: String) -> [Effect] {
        guard let topic = view.topics[name], topic.writing == nil, deletions[name] == nil else { return [] }
        var contents = TopicContents(id: topic.id, partitions: [:], version: topic.version)
        var writing: [Int32: ReplicaAssignment] = [:]
        for (number, partition) in topic.partitions {
            var assignment = partition.assignment
            if let move = partition.move, move.step == .recording {
                assignment = move.goal
                writing[number] = assignment
            }
            contents.partitions[number] = assignment.replicas
            if !assignment.adding.isEmpty { contents.adding[number] = assignment.adding }
            if !assignment.removing.isEmpty { contents.removing[number] = assignment.removing }
        }
        guard !writing.isEmpty else { return [] }
        view.topics[name]?.writing = writing
        return [.setAssignment(name, contents)]
    }

    /// - Parameter version: the znode's; nil when the write was refused, or nobody knows.
    package mutating func assignmentWritten(_ name: String, version: Int32?) -> [Effect] {
        guard let writing = view.topics[name]?.writing else { return [] }
        view.topics[name]?.writing = nil
        guard let version else { return [.readTopic(name)] }
        view.topics[name]?.version = version
        guard deletions[name] == nil else { return [] }
        var effects: [Effect] = []
        for number in writing.keys.sorted() {
            if let assignment = writing[number] { effects += adopt(assignment, for: TopicPartition(name, number)) }
        }
        // What began meanwhile waits for a write of its own.
        return effects + settle((view.topics[name]?.partitionNumbers ?? []).map { TopicPartition(name, $0) })
    }

    /// The tree says so: written by us, or read.
    mutating func adopt(_ assignment: ReplicaAssignment, for partition: TopicPartition) -> [Effect] {
        guard var view = view[partition] else { return [] }
        let before = view.assignment
        guard let move = view.move, move.step == .recording, move.goal == assignment else {
            if assignment != before {
                view.assignment = assignment
                view.needsNewEpoch = view.recorded != nil && Set(assignment.replicas) != Set(before.replicas)
                self.view[partition] = view
                announcements.route(partition)
            }
            return []
        }
        let dropped = before.dropped(by: assignment)
        view.assignment = assignment
        view.move = nil
        // The epoch that dropped somebody told the leader also of those that come.
        if dropped.isEmpty, Set(assignment.replicas) != Set(before.replicas), view.recorded != nil {
            view.needsNewEpoch = true
        }
        self.view[partition] = view
        announcements.route(partition)
        var effects: [Effect] =
            assignment.isMoving
            ? [.tell(.reassignmentBegan(partition, assignment))]
            : [.tell(.reassignmentEnded(partition, replicas: assignment.replicas, dropped: dropped))]
        if !assignment.isMoving, oldReassignments.contains(where: { $0.partition == partition }) {
            effects += setOldReassignments(oldReassignments.filter { $0.partition != partition })
        }
        effects += answerReassignments(of: partition, nil, except: move.queued.map(\.request))
        for next in move.queued {
            do throws(ReassignmentRefusal) {
                if try !begin(partition, next.target, request: next.request) {
                    answer(partition, to: next.request, nil)
                }
            } catch { answer(partition, to: next.request, error) }
        }
        return effects + answerReassignments()
    }

    /// A topic is deleted: its partitions go nowhere any more.
    mutating func movesEnd(of topic: TopicView, _ name: String) -> [Effect] {
        var effects: [Effect] = []
        for number in topic.partitionNumbers where topic.partitions[number]?.move != nil {
            let partition = TopicPartition(name, number)
            view[partition]?.move = nil
            effects += answerReassignments(of: partition, .unknownPartition)
        }
        return effects + setOldReassignments(oldReassignments.filter { $0.partition.topic != name })
    }

    // MARK: `/admin/reassign_partitions`

    /// The list was read; it is shortened as its partitions arrive, and removed with the last one.
    package mutating func oldReassignmentsSeen(_ list: [OldReassignment]) -> [Effect] {
        guard list != oldReassignments else { return [] }
        var effects: [Effect] = []
        var left: [OldReassignment] = []
        var begun: [TopicPartition] = []
        for line in list {
            do throws(ReassignmentRefusal) {
                if try begin(line.partition, line.target, request: nil) {
                    begun.append(line.partition)
                    left.append(line)
                } else if view[line.partition]?.assignment.isMoving == true {
                    left.append(line)
                }
            } catch { effects.append(.tell(.reassignmentRefused(line.partition, error))) }
        }
        oldReassignments = list
        return effects + setOldReassignments(left) + settle(begun)
    }

    private mutating func setOldReassignments(_ left: [OldReassignment]) -> [Effect] {
        guard left != oldReassignments else { return [] }
        oldReassignments = left
        return [.setOldReassignments(left)]
    }

    // MARK: Answers

    private mutating func answer(_ partition: TopicPartition, to request: UInt64, _ refusal: ReassignmentRefusal?) {
        reassignmentRequests[request]?.answers[partition] = ReassignmentAnswer(partition: partition, refusal: refusal)
    }

    private mutating func answerReassignments(
        of partition: TopicPartition, _ refusal: ReassignmentRefusal?, except waiting: [UInt64] = []
    ) -> [Effect] {
        for (request, pending) in reassignmentRequests
        where pending.order.contains(partition) && pending.answers[partition] == nil && !waiting.contains(request) {
            answer(partition, to: request, refusal)
        }
        return answerReassignments()
    }

    private mutating func answerReassignments() -> [Effect] {
        var effects: [Effect] = []
        for request in reassignmentRequests.keys.sorted() {
            guard let pending = reassignmentRequests[request],
                pending.order.allSatisfy({ pending.answers[$0] != nil })
            else { continue }
            reassignmentRequests[request] = nil
            effects.append(
                .answerReassignment(request: request, pending.order.compactMap { pending.answers[$0] }))
        }
        return effects
    }
}
