import KafkaProtocol
import Platform

// From "somebody came or went" to "everybody has an assignment".
extension Group {
    /// Starts to collect JoinGroup from everybody. An empty group first waits a little for more members to come.
    mutating func prepareRebalance(
        at moment: Moment, settings: GroupSettings? = nil, into effects: inout GroupEffects
    ) {
        guard state == .empty || state == .stable || state == .completingRebalance else { return }
        if state == .completingRebalance { refuseSyncs(with: .rebalanceInProgress, at: moment, into: &effects) }
        owedSync = []
        syncDeadline = nil
        let timeout = rebalanceTimeout
        if state == .empty, let delay = settings?.initialRebalanceDelay {
            initialDelayLeft = max(timeout - delay, .zero)
            newMemberSeen = false
            rebalanceDeadline = moment.now + delay
        } else {
            initialDelayLeft = nil
            rebalanceDeadline = moment.now + timeout
        }
        if let rebalanceDeadline { note(rebalanceDeadline) }
        transition(to: .preparingRebalance, at: moment)
        completeJoinIfReady(at: moment, into: &effects)
    }

    /// Everybody known has joined, and nobody who was given an id is still to come.
    mutating func completeJoinIfReady(at moment: Moment, into effects: inout GroupEffects) {
        guard state == .preparingRebalance, initialDelayLeft == nil, joined == members.count, pending.isEmpty else {
            return
        }
        completeJoin(at: moment, into: &effects)
    }

    mutating func rebalanceTimeReached(
        at moment: Moment, settings: GroupSettings, into effects: inout GroupEffects
    ) {
        rebalanceDeadline = nil
        guard state == .preparingRebalance else { return }
        if let left = initialDelayLeft, left > .zero, newMemberSeen {
            newMemberSeen = false
            let more = min(settings.initialRebalanceDelay, left)
            initialDelayLeft = left - more
            rebalanceDeadline = moment.now + more
            return
        }
        completeJoin(at: moment, into: &effects)
    }

    private mutating func completeJoin(at moment: Moment, into effects: inout GroupEffects) {
        rebalanceDeadline = nil
        initialDelayLeft = nil
        // Static members keep their place until their session ends; others had their chance.
        for member in membersInOrder where member.awaitingJoin == nil && !member.isStatic {
            remove(member.id, into: &effects)
        }
        if let present = leader, members[present]?.awaitingJoin == nil {
            guard let next = membersInOrder.first(where: { $0.awaitingJoin != nil }) else {
                // Only absent static members are left: nothing can be decided without anybody to decide it.
                rebalanceDeadline = moment.now + rebalanceTimeout
                rebalanceDeadline.map { note($0) }
                return
            }
            leader = next.id
        }
        generation &+= 1
        owedSync = []
        protocolName = selectedProtocol()
        subscribed = subscribedTopics()
        if members.isEmpty {
            transition(to: .empty, at: moment)
            let write = effects.write(id, .generation(stored(state: .empty, wallMs: moment.wallMs)))
            writes[write] = .emptied
            return
        }
        transition(to: .completingRebalance, at: moment)
        for member in membersInOrder {
            answerJoin(member.id, generationAnswer(for: member.id), into: &effects)
            members[member.id]?.isNew = false
            restartSession(member.id, at: moment.now)
            owedSync.insert(member.id)
        }
        syncDeadline = moment.now + rebalanceTimeout
        syncDeadline.map { note($0) }
    }

    /// Each member votes for the first of its protocols that all offer; most votes win, the first name among equals.
    func selectedProtocol() -> String? {
        let candidates = Set(support.filter { $0.value == members.count && $0.value > 0 }.keys)
        var votes: [String: Int] = [:]
        for member in members.values {
            if let name = member.vote(candidates) { votes[name, default: 0] += 1 }
        }
        return votes.max { a, b in a.value != b.value ? a.value < b.value : a.key > b.key }?.key
    }

    func subscribedTopics() -> Set<String>? {
        guard isConsumerGroup else { return nil }
        var topics: Set<String> = []
        for member in members.values {
            guard let names = Subscription.topics(in: member.metadata(for: protocolName)) else { return nil }
            topics.formUnion(names)
        }
        return topics
    }

    // MARK: SyncGroup

    package mutating func sync(
        _ request: SyncGroupRequest, token: ReplyToken, at moment: Moment, into effects: inout GroupEffects
    ) {
        defer { settle(into: &effects) }
        if let error = syncRefusal(request) { return effects.answer(token, .sync(.refused(error))) }
        let memberID = request.memberID
        switch state {
        case .empty, .dead:
            effects.answer(token, .sync(.refused(.unknownMemberID)))
        case .preparingRebalance:
            effects.answer(token, .sync(.refused(.rebalanceInProgress)))
        case .completingRebalance:
            if let older = members[memberID]?.awaitingSync {
                effects.answer(older, .sync(.refused(.rebalanceInProgress)))
            }
            members[memberID]?.awaitingSync = token
            syncCame(from: memberID)
            guard leader == memberID else { return }
            var assignments: [String: [UInt8]] = [:]
            for given in request.assignments { assignments[given.memberID] = given.assignment }
            let image = stored(state: .stable, assignments: assignments, wallMs: moment.wallMs)
            writes[effects.write(id, .generation(image))] = .assignment(generation: generation, assignments)
        case .stable:
            syncCame(from: memberID)
            effects.answer(token, .sync(assignmentAnswer(for: memberID)))
            restartSession(memberID, at: moment.now)
        }
    }

    private func syncRefusal(_ request: SyncGroupRequest) -> ErrorCode? {
        if state == .dead { return .coordinatorNotAvailable }
        if let error = refusal(of: request.memberID, request.groupInstanceID) { return error }
        if request.generationID != generation { return .illegalGeneration }
        if let type = request.protocolType, type != protocolType { return .inconsistentGroupProtocol }
        if let name = request.protocolName, name != protocolName { return .inconsistentGroupProtocol }
        return nil
    }

    private mutating func syncCame(from id: String) {
        owedSync.remove(id)
        if owedSync.isEmpty { syncDeadline = nil }
    }

    func assignmentAnswer(for id: String) -> SyncGroupResponse {
        var response = SyncGroupResponse()
        response.protocolType = protocolType
        response.protocolName = protocolName
        response.assignment = members[id]?.assignment ?? []
        return response
    }

    /// The leader's assignment is in the tree: everybody who waits gets its part.
    mutating func assignmentWritten(
        _ assignments: [String: [UInt8]], at moment: Moment, into effects: inout GroupEffects
    ) {
        for member in membersInOrder {
            members[member.id]?.assignment = assignments[member.id] ?? []
            guard let token = member.awaitingSync else { continue }
            members[member.id]?.awaitingSync = nil
            effects.answer(token, .sync(assignmentAnswer(for: member.id)))
            restartSession(member.id, at: moment.now)
        }
        transition(to: .stable, at: moment)
    }

    mutating func refuseSyncs(with error: ErrorCode, at moment: Moment, into effects: inout GroupEffects) {
        for member in membersInOrder {
            members[member.id]?.assignment = []
            guard let token = member.awaitingSync else { continue }
            members[member.id]?.awaitingSync = nil
            effects.answer(token, .sync(.refused(error)))
            restartSession(member.id, at: moment.now)
        }
    }

    /// Who has not asked for its assignment within the rebalance timeout is out.
    mutating func syncTimeReached(at moment: Moment, into effects: inout GroupEffects) {
        syncDeadline = nil
        guard state == .completingRebalance || state == .stable, !owedSync.isEmpty else { return }
        for id in owedSync.sorted() { remove(id, into: &effects) }
        prepareRebalance(at: moment, into: &effects)
    }
}
