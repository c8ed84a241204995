import ClusterModel

/// What a leader asks AlterPartition for.
package struct InSyncAsk: Equatable, Sendable {
    package var partition: TopicPartition
    package var leaderEpoch: LeaderEpoch
    /// Brokers with the life in which they were seen; -1 where the leader cannot say.
    package var inSync: [(BrokerID, BrokerEpoch)]
    package var recovering: Bool
    package var partitionEpoch: PartitionEpoch
    package init(
        partition: TopicPartition, leaderEpoch: LeaderEpoch, inSync: [(BrokerID, BrokerEpoch)],
        recovering: Bool = false,
        partitionEpoch: PartitionEpoch
    ) {
        self.partition = partition
        self.leaderEpoch = leaderEpoch
        self.inSync = inSync
        self.recovering = recovering
        self.partitionEpoch = partitionEpoch
    }
    package static func == (a: InSyncAsk, b: InSyncAsk) -> Bool {
        a.partition == b.partition && a.leaderEpoch == b.leaderEpoch && a.recovering == b.recovering
            && a.partitionEpoch == b.partitionEpoch && a.inSync.elementsEqual(b.inSync, by: ==)
    }
}

package struct InSyncAnswer: Equatable, Sendable {
    package enum Refusal: Equatable, Sendable {
        case unknownPartition
        /// The leader epoch is an older one.
        case fenced
        /// It is newer than this controller's: it asks the wrong one.
        case notController
        /// The partition epoch moved on.
        case superseded
        /// Somebody in the set is not live, is about to stop, or lives another life.
        case ineligible
        case recoveryConflict
        /// Another change is under way, or how one ended is not known: ask again, and rely on both sets until then.
        case undecided
    }
    package enum Verdict: Equatable, Sendable {
        case recorded(RecordedState)
        case refused(Refusal)
    }
    package var partition: TopicPartition
    package var verdict: Verdict
    package init(partition: TopicPartition, verdict: Verdict) {
        self.partition = partition
        self.verdict = verdict
    }
}

extension ControllerCore {
    struct InSyncRequest: Equatable, Sendable {
        var order: [TopicPartition]
        var answers: [TopicPartition: InSyncAnswer.Verdict]
    }

    /// - Returns: false when the life that asks is not the registered one (STALE_BROKER_EPOCH).
    package func isRegistered(_ broker: BrokerID, _ brokerEpoch: BrokerEpoch) -> Bool {
        view.brokers[broker]?.epoch == brokerEpoch
    }

    /// A leader proposes other in-sync sets. The answer is one effect, after all of them were recorded or refused.
    package mutating func inSyncChangeAsked(request: UInt64, _ asks: [InSyncAsk]) -> [Effect] {
        var pending = InSyncRequest(order: asks.map(\.partition), answers: [:])
        var effects: [Effect] = []
        for ask in asks {
            switch judge(ask) {
            case .answer(let verdict):
                pending.answers[ask.partition] = verdict
                // Its leader knows an older set, and proposes nothing until it has heard of the recorded one.
                if verdict == .refused(.superseded), let leader = view[ask.partition]?.recorded?.state.leader {
                    announcements.lead(ask.partition, tell: [leader])
                }
            case .write(let state, let expecting):
                view[ask.partition]?.pending = state
                effects.append(.setState(ask.partition, state, expecting: expecting))
            }
        }
        inSyncRequests[request] = pending
        return effects + answerInSyncRequests()
    }

    private enum Judgement {
        case answer(InSyncAnswer.Verdict)
        case write(LeaderAndInSync, expecting: PartitionEpoch)
    }

    private func judge(_ ask: InSyncAsk) -> Judgement {
        guard deletions[ask.partition.topic] == nil, let partition = view[ask.partition],
            let recorded = partition.recorded
        else {
            return .answer(.refused(.unknownPartition))
        }
        let now = recorded.state
        if ask.leaderEpoch > now.leaderEpoch { return .answer(.refused(.notController)) }
        if ask.leaderEpoch < now.leaderEpoch { return .answer(.refused(.fenced)) }
        if partition.pending != nil { return .answer(.refused(.undecided)) }
        let wanted = ask.inSync.map(\.0)
        let same =
            wanted.count == now.inSync.count && wanted.allSatisfy(now.inSync.contains)
            && ask.recovering == now.recovering
        if same, ask.partitionEpoch <= recorded.partitionEpoch { return .answer(.recorded(recorded)) }
        if ask.partitionEpoch != recorded.partitionEpoch { return .answer(.refused(.superseded)) }
        if ask.recovering, !now.recovering || wanted.count > 1 { return .answer(.refused(.recoveryConflict)) }
        guard wanted.contains(now.leader) else { return .answer(.refused(.ineligible)) }
        // A member that began a new life is about to be taken out.
        guard now.inSync.allSatisfy({ !wanted.contains($0) || view.stands($0, in: now) }) else {
            return .answer(.refused(.ineligible))
        }
        for (broker, epoch) in ask.inSync where broker != now.leader {
            guard partition.replicas.contains(broker), view.isLive(broker), !partition.failedReplicas.contains(broker),
                epoch == .none || epoch == view.brokers[broker]?.epoch
            else { return .answer(.refused(.ineligible)) }
        }
        var next = now
        next.inSync = partition.replicas.filter(wanted.contains)
        next.controllerEpoch = epoch
        next.recovering = ask.recovering
        next.lives = PartitionLifecycle.lives(of: next.inSync, view)
        return .write(next, expecting: recorded.partitionEpoch)
    }

    /// - Parameter verdict: what became of the write, as far as it is known.
    mutating func inSyncWriteAnswered(_ partition: TopicPartition, _ verdict: InSyncAnswer.Verdict) -> [Effect] {
        for request in inSyncRequests.keys.sorted() {
            guard let pending = inSyncRequests[request], pending.order.contains(partition),
                pending.answers[partition] == nil
            else {
                continue
            }
            inSyncRequests[request]?.answers[partition] = verdict
        }
        return answerInSyncRequests()
    }

    private mutating func answerInSyncRequests() -> [Effect] {
        var effects: [Effect] = []
        for request in inSyncRequests.keys.sorted() {
            guard let pending = inSyncRequests[request], pending.order.allSatisfy({ pending.answers[$0] != nil }) else {
                continue
            }
            inSyncRequests[request] = nil
            let answers = pending.order.compactMap { partition in
                pending.answers[partition].map { InSyncAnswer(partition: partition, verdict: $0) }
            }
            effects.append(.answerInSyncChange(request: request, answers))
        }
        return effects
    }
}
