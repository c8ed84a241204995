import ClusterModel

package enum ElectionKind: Equatable, Sendable {
    /// The first replica of the assignment.
    case preferred
    /// Whoever is left, also from outside the in-sync set: committed records may be lost.
    case unclean
}

package struct ElectionAnswer: Equatable, Sendable {
    package enum Verdict: Equatable, Sendable {
        case elected
        case notNeeded
        /// The preferred replica is not there or not in sync.
        case preferredNotAvailable
        /// No replica is there.
        case nobodyEligible
        case unknownPartition
        case beingDeleted
    }
    package var partition: TopicPartition
    package var verdict: Verdict
    package init(partition: TopicPartition, verdict: Verdict) {
        self.partition = partition
        self.verdict = verdict
    }
}

/// Elections that an operator asks for (ElectLeaders, `/admin/preferred_replica_election`).
extension ControllerCore {
    struct ElectionRequest: Equatable, Sendable {
        var kind: ElectionKind
        var order: [TopicPartition]
        var answers: [TopicPartition: ElectionAnswer.Verdict] = [:]
    }

    /// The answer is one effect, once it is recorded or known to be in vain for all of them.
    package mutating func electionAsked(
        request: UInt64, _ kind: ElectionKind, _ partitions: [TopicPartition]
    ) -> [Effect] {
        var asked = ElectionRequest(kind: kind, order: partitions)
        var wanted: [TopicPartition] = []
        for partition in partitions {
            if deletions[partition.topic] != nil {
                asked.answers[partition] = .beingDeleted
            } else if let view = view[partition] {
                if isNeeded(kind, view) { wanted.append(partition) } else { asked.answers[partition] = .notNeeded }
            } else {
                asked.answers[partition] = .unknownPartition
            }
        }
        for partition in wanted { want(kind, partition) }
        electionRequests[request] = asked
        var effects = settle(wanted)
        for partition in wanted { effects += electionsGoOn(after: partition) }
        return effects + answerElections()
    }

    private func isNeeded(_ kind: ElectionKind, _ partition: PartitionView) -> Bool {
        guard let state = partition.recorded?.state else { return true }
        let leads = view.stands(state.leader, in: state) && !partition.failedReplicas.contains(state.leader)
        return !(leads && (kind == .unclean || state.leader == partition.replicas.first))
    }

    private mutating func want(_ kind: ElectionKind, _ partition: TopicPartition) {
        switch kind {
        case .preferred: view[partition]?.wantsPreferredLeader = true
        case .unclean: view[partition]?.wantsUncleanLeader = true
        }
    }

    mutating func electionsGoOn(after partition: TopicPartition) -> [Effect] {
        guard !electionRequests.isEmpty, let view = view[partition], view.pending == nil, view.asked.isEmpty else {
            return []
        }
        for request in electionRequests.keys.sorted() {
            guard let asked = electionRequests[request], asked.order.contains(partition),
                asked.answers[partition] == nil
            else { continue }
            let verdict: ElectionAnswer.Verdict =
                switch asked.kind {
                case _ where !isNeeded(asked.kind, view): .elected
                case .preferred: .preferredNotAvailable
                case .unclean: .nobodyEligible
                }
            electionRequests[request]?.answers[partition] = verdict
        }
        return answerElections()
    }

    private mutating func answerElections() -> [Effect] {
        var effects: [Effect] = []
        for request in electionRequests.keys.sorted() {
            guard let asked = electionRequests[request], asked.order.allSatisfy({ asked.answers[$0] != nil }) else {
                continue
            }
            electionRequests[request] = nil
            let answers = asked.order.compactMap { partition in
                asked.answers[partition].map { ElectionAnswer(partition: partition, verdict: $0) }
            }
            effects.append(.answerElection(request: request, answers))
        }
        return effects
    }

    /// `/admin/preferred_replica_election` was read: done at once, and the node goes.
    package mutating func oldElectionSeen(_ partitions: [TopicPartition]) -> [Effect] {
        let known = partitions.filter { deletions[$0.topic] == nil && view[$0] != nil }
        for partition in known { want(.preferred, partition) }
        return settle(known) + [.removeOldElection]
    }
}
