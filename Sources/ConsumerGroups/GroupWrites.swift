import ClusterModel
import KafkaProtocol
import Platform

/// What a group will do when a write of its has ended.
enum PendingWrite {
    case assignment(generation: Int32, [String: [UInt8]])
    case emptied
    case staticReplacement(StaticReplacement)
    case commit(PendingCommit)
    case removeOffsets([TopicPartition], OffsetDelete?)
    case removeGroup(ReplyToken?)

    /// The broker gives the group up: only the client is left to be told.
    func refuse(with error: ErrorCode, into effects: inout GroupEffects) {
        switch self {
        case .assignment, .emptied, .staticReplacement: break  // the members' own waiting replies tell them
        case .commit(let commit): commit.refuse(with: error, into: &effects)
        case .removeOffsets(_, let request): request?.refuse(with: error, into: &effects)
        case .removeGroup(let token): if let token { effects.answer(token, .groupDelete(error)) }
        }
    }
}

struct StaticReplacement {
    var before: GroupMember
    var id: String
    var formerLeader: String?
    var token: ReplyToken
    var maySkipAssignment: Bool
}

/// One OffsetCommit on its way: its reply is ready but for the partitions that wait for the tree.
struct PendingCommit {
    var lines: [OffsetLine]
    var response: OffsetCommitResponse
    /// Places in the response, topic and partition, that share the outcome.
    var waiting: [(topic: Int, partition: Int)]
    /// Nil when the client has been answered: it was told that it took too long.
    var token: ReplyToken?

    func refuse(with error: ErrorCode, into effects: inout GroupEffects) {
        guard let token else { return }
        var response = response
        for place in waiting { response.topics[place.topic].partitions[place.partition].errorCode = error }
        effects.answer(token, .commit(response))
    }
}

struct OffsetDelete {
    var response: OffsetDeleteResponse
    var token: ReplyToken

    func refuse(with error: ErrorCode, into effects: inout GroupEffects) {
        var response = OffsetDeleteResponse()
        response.errorCode = error
        effects.answer(token, .offsetDelete(response))
    }
}

extension Group {
    /// Offsets that a commit still on its way is about to set.
    var partitionsBeingCommitted: Set<TopicPartition> {
        var partitions: Set<TopicPartition> = []
        for case .commit(let commit) in writes.values {
            for line in commit.lines { partitions.insert(TopicPartition(line.topic, line.partition)) }
        }
        return partitions
    }

    /// A write has ended. Only now does what it wrote become true here.
    /// - Returns: whether the group is gone.
    mutating func writeEnded(
        _ write: WriteID, _ outcome: WriteOutcome, at moment: Moment, into effects: inout GroupEffects
    ) -> Bool {
        guard let pending = writes.removeValue(forKey: write) else { return false }
        defer { settle(into: &effects) }
        switch (pending, outcome) {
        case (.assignment(let generation, let assignments), .written):
            guard state == .completingRebalance, generation == self.generation else { return false }
            assignmentWritten(assignments, at: moment, into: &effects)
        case (.assignment(let generation, _), .failed(let error)):
            guard state == .completingRebalance, generation == self.generation else { return false }
            refuseSyncs(with: error, at: moment, into: &effects)
            prepareRebalance(at: moment, into: &effects)
        case (.emptied, _):
            break  // an empty generation that is not in the tree is written with the next one
        case (.staticReplacement(let replacement), .written):
            replacementWritten(replacement, at: moment, into: &effects)
        case (.staticReplacement(let replacement), .failed(let error)):
            replacementFailed(replacement, error, at: moment, into: &effects)
        case (.commit(let commit), .written):
            for line in commit.lines { offsets.apply(line) }
            if let token = commit.token { effects.answer(token, .commit(commit.response)) }
        case (.removeOffsets(let partitions, let request), .written):
            for partition in partitions { offsets.remove(partition) }
            if let request { effects.answer(request.token, .offsetDelete(request.response)) }
        case (.removeGroup(let token), .written):
            if let token { effects.answer(token, .groupDelete(.none)) }
            effects.forget(id)
            return true
        case (.removeGroup, .failed(let error)):
            state = .empty
            pending.refuse(with: error, into: &effects)
        case (.commit, .failed(let error)), (.removeOffsets, .failed(let error)):
            pending.refuse(with: error, into: &effects)
        }
        return false
    }

    /// A write has waited for `offsets.commit.timeout.ms`. It may still happen; its client is told not to count on it.
    mutating func writeDelayed(_ write: WriteID, at moment: Moment, into effects: inout GroupEffects) {
        switch writes[write] {
        case nil, .emptied: break
        case .assignment, .staticReplacement:
            _ = writeEnded(write, .failed(.coordinatorNotAvailable), at: moment, into: &effects)
        case .commit(var commit):
            commit.refuse(with: .coordinatorNotAvailable, into: &effects)
            commit.token = nil
            writes[write] = .commit(commit)
        case .removeOffsets(let partitions, let request):
            request?.refuse(with: .coordinatorNotAvailable, into: &effects)
            writes[write] = .removeOffsets(partitions, nil)
        case .removeGroup(let token):
            if let token { effects.answer(token, .groupDelete(.coordinatorNotAvailable)) }
            writes[write] = .removeGroup(nil)
        }
    }

    private mutating func replacementWritten(
        _ replacement: StaticReplacement, at moment: Moment, into effects: inout GroupEffects
    ) {
        // If a rebalance has begun meanwhile, its end answers.
        guard state == .stable, members[replacement.id]?.awaitingJoin == replacement.token else { return }
        var response = generationAnswer(for: replacement.id)
        if replacement.maySkipAssignment {
            response.skipAssignment = leader == replacement.id
        } else {
            // Told the old leader's name, it takes itself for a follower and assigns nothing: nobody would hear it (KIP-345).
            response.leader = replacement.formerLeader ?? ""
            response.members = []
        }
        answerJoin(replacement.id, response, into: &effects)
        restartSession(replacement.id, at: moment.now)
    }

    private mutating func replacementFailed(
        _ replacement: StaticReplacement, _ error: ErrorCode, at moment: Moment, into effects: inout GroupEffects
    ) {
        guard state == .stable, members[replacement.id]?.awaitingJoin == replacement.token else { return }
        answerJoin(replacement.id, .refused(error, memberID: ""), into: &effects)
        guard var member = members[replacement.id] else { return }
        for name in member.protocolNames { support[name, default: 0] -= 1 }
        member.protocols = replacement.before.protocols
        member.sessionTimeout = replacement.before.sessionTimeout
        member.rebalanceTimeout = replacement.before.rebalanceTimeout
        for name in member.protocolNames { support[name, default: 0] += 1 }
        members[replacement.id] = member
        renameMember(replacement.id, to: replacement.before.id, fencing: false, into: &effects)
        restartSession(replacement.before.id, at: moment.now)
    }
}
