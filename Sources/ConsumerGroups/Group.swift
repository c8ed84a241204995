import KafkaProtocol
import Platform

/// One consumer group as its owner knows it: members, generation, committed offsets, and the writes on their way to the tree.
/// Value in, orders out; deadlines are kept here and the driver holds one timer a group.
package struct Group {
    package let id: String
    package internal(set) var state: GroupState = .empty
    /// When the group came into its state.
    package internal(set) var stateSinceMs: Int64
    /// `consumer`, `connect`, …; nil for a group that only ever committed offsets.
    package internal(set) var protocolType: String?
    package internal(set) var protocolName: String?
    package internal(set) var generation: Int32 = 0
    package internal(set) var leader: String?
    package internal(set) var members: [String: GroupMember] = [:]
    package internal(set) var offsets = OffsetTable()
    /// Ids given out with MEMBER_ID_REQUIRED and not joined yet, with their deadline. They hold up the rebalance.
    package internal(set) var pending: [String: Instant] = [:]

    /// `group.instance.id` to member id.
    var instances: [String: String] = [:]
    /// How many members offer each protocol.
    var support: [String: Int] = [:]
    /// How many members wait in JoinGroup.
    var joined = 0
    /// Members of this generation whose SyncGroup has not come.
    var owedSync: Set<String> = []
    /// Topics some member reads; nil when nobody can tell.
    var subscribed: Set<String>?
    var writes: [WriteID: PendingWrite] = [:]

    var rebalanceDeadline: Instant?
    /// Not nil during the first rebalance of an empty group: how much longer its delay may still become.
    var initialDelayLeft: Duration?
    var newMemberSeen = false
    var syncDeadline: Instant?

    private var lastOrder: UInt64 = 0
    private var earliest: Instant?
    private var armed: Instant?

    package init(id: String, at moment: Moment) {
        self.id = id
        stateSinceMs = moment.wallMs
    }

    package var isConsumerGroup: Bool { protocolType == "consumer" }
    package var membersInOrder: [GroupMember] { members.values.sorted { $0.order < $1.order } }
    /// The longest any member asked to be given for rejoining.
    var rebalanceTimeout: Duration { members.values.map(\.rebalanceTimeout).max() ?? .zero }

    mutating func transition(to state: GroupState, at moment: Moment) {
        self.state = state
        stateSinceMs = moment.wallMs
    }

    // MARK: members

    mutating func add(_ member: GroupMember) {
        var member = member
        lastOrder += 1
        member.order = lastOrder
        if let instance = member.instanceID { instances[instance] = member.id }
        if leader == nil { leader = member.id }
        for name in member.protocolNames { support[name, default: 0] += 1 }
        if member.awaitingJoin != nil { joined += 1 }
        pending[member.id] = nil
        members[member.id] = member
    }

    /// Takes a member out; a reply it still waits for tells it so.
    mutating func remove(_ id: String, into effects: inout GroupEffects) {
        pending[id] = nil
        owedSync.remove(id)
        guard let member = members.removeValue(forKey: id) else { return }
        for name in member.protocolNames { support[name, default: 0] -= 1 }
        if let token = member.awaitingJoin {
            joined -= 1
            effects.answer(token, .join(.refused(.unknownMemberID, memberID: "")))
        }
        if let token = member.awaitingSync { effects.answer(token, .sync(.refused(.unknownMemberID))) }
        if let instance = member.instanceID { instances[instance] = nil }
        if leader == id { leader = membersInOrder.first?.id }
    }

    /// A known member asks again: with what it offers now, and a reply to wait for.
    mutating func update(_ id: String, with joining: Joining, into effects: inout GroupEffects) {
        guard var member = members[id] else { return }
        for name in member.protocolNames { support[name, default: 0] -= 1 }
        member.protocols = joining.protocols
        member.sessionTimeout = joining.sessionTimeout
        member.rebalanceTimeout = joining.rebalanceTimeout
        for name in member.protocolNames { support[name, default: 0] += 1 }
        if let older = member.awaitingJoin {
            effects.answer(older, .join(.refused(.rebalanceInProgress, memberID: id)))
        } else {
            joined += 1
        }
        member.awaitingJoin = joining.token
        members[id] = member
    }

    mutating func answerJoin(_ id: String, _ response: JoinGroupResponse, into effects: inout GroupEffects) {
        guard let token = members[id]?.awaitingJoin else { return }
        members[id]?.awaitingJoin = nil
        joined -= 1
        effects.answer(token, .join(response))
    }

    /// A sign of life: the member has its whole session again.
    mutating func restartSession(_ id: String, at now: Instant) {
        guard let timeout = members[id]?.sessionTimeout else { return }
        members[id]?.deadline = now + timeout
        note(now + timeout)
    }

    /// Who may not act under this name: unknown, or a static member that another has replaced.
    func refusal(of memberID: String, _ instanceID: String?) -> ErrorCode? {
        if let instanceID {
            guard let current = instances[instanceID] else { return .unknownMemberID }
            if current != memberID { return .fencedInstanceID }
        }
        return members[memberID] == nil ? .unknownMemberID : nil
    }

    // MARK: time

    mutating func note(_ deadline: Instant) {
        if earliest.map({ deadline < $0 }) ?? true { earliest = deadline }
    }

    /// At the end of every event: one timer a group, moved only when something is due earlier than it.
    mutating func settle(into effects: inout GroupEffects) {
        guard let due = earliest else { return }
        earliest = nil
        if let armed, armed <= due { return }
        armed = due
        effects.wake(id, at: due)
    }

    package mutating func timeReached(
        at moment: Moment, settings: GroupSettings, into effects: inout GroupEffects
    ) {
        armed = nil
        let now = moment.now
        for (id, deadline) in pending.sorted(by: { $0.key < $1.key }) where deadline <= now {
            pending[id] = nil
            completeJoinIfReady(at: moment, into: &effects)
        }
        for member in membersInOrder {
            // Completing a rebalance just now may have given it a new session.
            guard let deadline = members[member.id]?.deadline, deadline <= now else { continue }
            if members[member.id]?.mustNotExpire == true {
                members[member.id]?.deadline = nil
            } else {
                drop(member.id, at: moment, into: &effects)
            }
        }
        if let deadline = rebalanceDeadline, deadline <= now {
            rebalanceTimeReached(at: moment, settings: settings, into: &effects)
        }
        if let deadline = syncDeadline, deadline <= now { syncTimeReached(at: moment, into: &effects) }

        for deadline in pending.values { note(deadline) }
        for member in members.values { if let deadline = member.deadline { note(deadline) } }
        if let rebalanceDeadline { note(rebalanceDeadline) }
        if let syncDeadline { note(syncDeadline) }
        settle(into: &effects)
    }

    /// A member left or fell silent.
    mutating func drop(_ id: String, at moment: Moment, into effects: inout GroupEffects) {
        remove(id, into: &effects)
        switch state {
        case .empty, .dead: break
        case .stable, .completingRebalance: prepareRebalance(at: moment, into: &effects)
        case .preparingRebalance: completeJoinIfReady(at: moment, into: &effects)
        }
    }

    // MARK: what lies in the tree

    /// - Parameter assignments: those the leader has just sent; without them, those in force.
    func stored(state: GroupState, assignments: [String: [UInt8]]? = nil, wallMs: Int64) -> StoredGroup {
        StoredGroup(
            protocolType: protocolType, protocolName: protocolName, generation: generation, leader: leader,
            timestampMs: wallMs,
            members: membersInOrder.map { member in
                StoredMember(
                    id: member.id, instanceID: member.instanceID, clientID: member.client.clientID,
                    clientHost: member.client.host, rebalanceTimeoutMs: member.rebalanceTimeout.wireMs,
                    sessionTimeoutMs: member.sessionTimeout.wireMs, protocols: member.protocols,
                    assignment: assignments.map { $0[member.id] ?? [] } ?? member.assignment)
            })
    }

    /// A group read from the tree by its new owner: it goes on where the old one stopped.
    package init(
        loading id: String, _ stored: StoredGroup?, offsets: OffsetTable, settings: GroupSettings, at moment: Moment,
        into effects: inout GroupEffects
    ) {
        self.init(id: id, at: moment)
        self.offsets = offsets
        guard let stored else { return }
        stateSinceMs = stored.timestampMs
        protocolType = stored.protocolType
        protocolName = stored.members.isEmpty ? nil : stored.protocolName
        generation = stored.generation
        for held in stored.members {
            var member = GroupMember(
                id: held.id, instanceID: held.instanceID,
                client: ClientIdentity(clientID: held.clientID, host: held.clientHost),
                sessionTimeout: .milliseconds(Int64(held.sessionTimeoutMs)),
                rebalanceTimeout: .milliseconds(Int64(held.rebalanceTimeoutMs)), protocols: held.protocols)
            member.assignment = held.assignment
            add(member)
            restartSession(held.id, at: moment.now)
        }
        if let chosen = stored.leader, members[chosen] != nil { leader = chosen }
        if !members.isEmpty { state = .stable }
        subscribed = subscribedTopics()
        if members.count > settings.maxSize { prepareRebalance(at: moment, into: &effects) }
        settle(into: &effects)
    }

    /// This broker no longer owns the group: whoever waits looks for the new owner.
    package mutating func unload(into effects: inout GroupEffects) {
        for member in membersInOrder {
            if let token = member.awaitingJoin {
                effects.answer(token, .join(.refused(.notCoordinator, memberID: member.id)))
            }
            if let token = member.awaitingSync { effects.answer(token, .sync(.refused(.notCoordinator))) }
        }
        for (_, write) in writes.sorted(by: { $0.key < $1.key }) {
            write.refuse(with: .notCoordinator, into: &effects)
        }
        members = [:]
        writes = [:]
        effects.forget(id)
    }
}

extension GroupMember {
    /// Each once, whatever the client sent.
    var protocolNames: Set<String> { Set(protocols.map(\.name)) }
}

extension Duration {
    /// As the wire has it: milliseconds in 32 bits.
    var wireMs: Int32 { Int32(clamping: wholeMilliseconds) }
}

extension JoinGroupResponse {
    /// Every refusal looks alike: no generation, no protocol, no leader, no members.
    package static func refused(_ error: ErrorCode, memberID: String) -> JoinGroupResponse {
        var response = JoinGroupResponse()
        response.errorCode = error
        response.generationID = -1
        response.protocolName = nil
        response.memberID = memberID
        return response
    }
}

extension SyncGroupResponse {
    package static func refused(_ error: ErrorCode) -> SyncGroupResponse {
        var response = SyncGroupResponse()
        response.errorCode = error
        return response
    }
}
