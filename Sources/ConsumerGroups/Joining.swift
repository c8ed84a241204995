import KafkaProtocol
import Platform

/// One JoinGroup as the group sees it.
package struct Joining {
    /// Empty for somebody new.
    package var memberID: String
    package var instanceID: String?
    package var client: ClientIdentity
    package var sessionTimeout: Duration
    package var rebalanceTimeout: Duration
    package var protocolType: String
    package var protocols: [MemberProtocol]
    /// Version 4 and later without an instance id: first fetch an id, then join with it (KIP-394).
    package var needsKnownID: Bool
    /// Version 9 and later: a leader can be told that its assignment is not asked for (KIP-814).
    package var maySkipAssignment: Bool
    /// A random UUID's text, should a member id have to be made.
    package var newID: String
    package var token: ReplyToken
}

extension Group {
    package mutating func join(
        _ joining: Joining, at moment: Moment, settings: GroupSettings, into effects: inout GroupEffects
    ) {
        if !hasRoom(for: joining.memberID, maxSize: settings.maxSize) {
            remove(joining.memberID, into: &effects)
            effects.answer(joining.token, .join(.refused(.groupMaxSizeReached, memberID: "")))
        } else if state == .dead {
            effects.answer(joining.token, .join(.refused(.coordinatorNotAvailable, memberID: joining.memberID)))
        } else if !offersSomethingCommon(joining) {
            effects.answer(joining.token, .join(.refused(.inconsistentGroupProtocol, memberID: joining.memberID)))
        } else if joining.memberID.isEmpty {
            joinAsNew(joining, at: moment, settings: settings, into: &effects)
        } else {
            joinAsKnown(joining, at: moment, settings: settings, into: &effects)
        }
        completeJoinIfReady(at: moment, into: &effects)
        settle(into: &effects)
    }

    /// A group that was larger than allowed, or is full, sheds those who have not joined yet.
    private func hasRoom(for memberID: String, maxSize: Int) -> Bool {
        switch state {
        case .empty, .dead: true
        case .preparingRebalance: members[memberID]?.awaitingJoin != nil || joined < maxSize
        case .completingRebalance, .stable: members[memberID] != nil || members.count < maxSize
        }
    }

    private func offersSomethingCommon(_ joining: Joining) -> Bool {
        if state == .empty { return !joining.protocolType.isEmpty && !joining.protocols.isEmpty }
        return protocolType == joining.protocolType
            && joining.protocols.contains { support[$0.name, default: 0] == members.count }
    }

    private mutating func joinAsNew(
        _ joining: Joining, at moment: Moment, settings: GroupSettings, into effects: inout GroupEffects
    ) {
        if let instance = joining.instanceID {
            let id = "\(instance)-\(joining.newID)"
            if let former = instances[instance] {
                replaceStatic(former, by: id, joining, at: moment, settings: settings, into: &effects)
            } else {
                enter(id, joining, at: moment, settings: settings, into: &effects)
            }
            return
        }
        let id = "\(joining.client.clientID)-\(joining.newID)"
        guard joining.needsKnownID else {
            return enter(id, joining, at: moment, settings: settings, into: &effects)
        }
        pending[id] = moment.now + joining.sessionTimeout
        note(moment.now + joining.sessionTimeout)
        effects.answer(joining.token, .join(.refused(.memberIDRequired, memberID: id)))
    }

    private mutating func joinAsKnown(
        _ joining: Joining, at moment: Moment, settings: GroupSettings, into effects: inout GroupEffects
    ) {
        let id = joining.memberID
        if pending[id] != nil, joining.instanceID == nil {
            return enter(id, joining, at: moment, settings: settings, into: &effects)
        }
        if let error = refusal(of: id, joining.instanceID) {
            return effects.answer(joining.token, .join(.refused(error, memberID: id)))
        }
        let unchanged = members[id]?.protocols == joining.protocols
        switch state {
        case .preparingRebalance:
            update(id, with: joining, into: &effects)
        case .completingRebalance:
            if unchanged {
                // Its reply was lost: it gets the same again.
                effects.answer(joining.token, .join(generationAnswer(for: id)))
            } else {
                update(id, with: joining, into: &effects)
                prepareRebalance(at: moment, settings: settings, into: &effects)
            }
        case .stable:
            if unchanged, leader != id {
                effects.answer(joining.token, .join(generationAnswer(for: id)))
            } else {
                // A leader that joins again wants a new assignment: topics have changed, say.
                update(id, with: joining, into: &effects)
                prepareRebalance(at: moment, settings: settings, into: &effects)
            }
        case .empty, .dead:
            effects.answer(joining.token, .join(.refused(.unknownMemberID, memberID: id)))
        }
    }

    private mutating func enter(
        _ id: String, _ joining: Joining, at moment: Moment, settings: GroupSettings, into effects: inout GroupEffects
    ) {
        var member = GroupMember(
            id: id, instanceID: joining.instanceID, client: joining.client, sessionTimeout: joining.sessionTimeout,
            rebalanceTimeout: joining.rebalanceTimeout, protocols: joining.protocols)
        member.isNew = true
        member.awaitingJoin = joining.token
        // Its session does not run while it waits for its first generation; but nobody waits for ever.
        member.deadline = moment.now + .seconds(300)
        note(moment.now + .seconds(300))
        if state == .preparingRebalance, generation == 0 { newMemberSeen = true }
        if members.isEmpty { protocolType = joining.protocolType }
        add(member)
        if state != .preparingRebalance { prepareRebalance(at: moment, settings: settings, into: &effects) }
    }

    /// A static member came back without its member id, after a restart: it takes its own place over (KIP-345).
    private mutating func replaceStatic(
        _ former: String, by id: String, _ joining: Joining, at moment: Moment, settings: GroupSettings,
        into effects: inout GroupEffects
    ) {
        guard let before = members[former] else { return }
        let formerLeader = leader
        renameMember(former, to: id, fencing: true, into: &effects)
        update(id, with: joining, into: &effects)
        restartSession(id, at: moment.now)
        switch state {
        case .stable where selectedProtocol() == protocolName:
            let write = effects.write(self.id, .generation(stored(state: .stable, wallMs: moment.wallMs)))
            writes[write] = .staticReplacement(
                StaticReplacement(
                    before: before, id: id, formerLeader: formerLeader, token: joining.token,
                    maySkipAssignment: joining.maySkipAssignment))
        case .stable, .completingRebalance:
            prepareRebalance(at: moment, settings: settings, into: &effects)
        case .preparingRebalance, .empty, .dead:
            break
        }
    }

    /// - Parameter fencing: whoever waits under the old id is told that it was replaced.
    mutating func renameMember(
        _ former: String, to id: String, fencing: Bool, into effects: inout GroupEffects
    ) {
        if fencing {
            answerJoin(former, .refused(.fencedInstanceID, memberID: former), into: &effects)
            if let token = members[former]?.awaitingSync {
                members[former]?.awaitingSync = nil
                effects.answer(token, .sync(.refused(.fencedInstanceID)))
            }
        }
        guard var member = members.removeValue(forKey: former) else { return }
        member.id = id
        members[id] = member
        if let instance = member.instanceID { instances[instance] = id }
        if leader == former { leader = id }
        if owedSync.remove(former) != nil { owedSync.insert(id) }
    }

    /// The present generation, as one member is told of it; only the leader learns who the others are.
    func generationAnswer(for id: String) -> JoinGroupResponse {
        var response = JoinGroupResponse()
        response.generationID = generation
        response.protocolType = protocolType
        response.protocolName = protocolName
        response.leader = leader ?? ""
        response.memberID = id
        if leader == id { response.members = membersAsLeaderSees() }
        return response
    }

    func membersAsLeaderSees() -> [JoinGroupResponse.JoinGroupResponseMember] {
        membersInOrder.map { member in
            var shown = JoinGroupResponse.JoinGroupResponseMember()
            shown.memberID = member.id
            shown.groupInstanceID = member.instanceID
            shown.metadata = member.metadata(for: protocolName)
            return shown
        }
    }
}
