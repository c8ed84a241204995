import Bytes
import ClusterModel
import KafkaProtocol
import Platform

/// All groups of the buckets this broker owns: finds the group a request is for, or says why this broker cannot answer it.
package struct GroupCatalog {
    /// Where a bucket stands on this broker.
    package enum Standing: Equatable, Sendable { case elsewhere, loading, serving }

    package var settings: GroupSettings
    /// False when this broker has not heard from the coordinator for a whole session: somebody else may own its groups by now.
    package var hasAuthority = true
    package private(set) var groups: [String: Group] = [:]
    package private(set) var standings = [Standing](repeating: .elsewhere, count: GroupOwnership.bucketCount)

    package init(settings: GroupSettings) { self.settings = settings }

    /// In this order: no such name, still loading, somebody else's.
    func refusal(of group: String, emptyNameAllowed: Bool) -> ErrorCode? {
        if group.isEmpty, !emptyNameAllowed { return .invalidGroupID }
        switch standings[GroupOwnership.bucket(of: group)] {
        case .loading where hasAuthority: return .coordinatorLoadInProgress
        case .serving where hasAuthority: return nil
        case .elsewhere, .loading, .serving: return .notCoordinator
        }
    }

    // MARK: buckets

    package mutating func bucketLoading(_ bucket: Int) { standings[bucket] = .loading }

    /// What the tree holds of one group.
    package struct LoadedGroup {
        package var id: String
        package var stored: StoredGroup?
        package var offsets: OffsetTable
        package init(id: String, stored: StoredGroup?, offsets: OffsetTable) {
            self.id = id
            self.stored = stored
            self.offsets = offsets
        }
    }

    /// A bucket's groups are all read: from now on they are served.
    /// - Parameter topicID: the id a topic has now; offsets committed under another one are removed.
    package mutating func bucketLoaded(
        _ bucket: Int, _ loaded: [LoadedGroup], topicID: (String) -> UUID128?, at moment: Moment,
        into effects: inout GroupEffects
    ) {
        standings[bucket] = .serving
        for found in loaded.sorted(by: { $0.id < $1.id }) {
            var group = Group(
                loading: found.id, found.stored, offsets: found.offsets, settings: settings, at: moment, into: &effects)
            for (topic, id, _) in found.offsets.all() {
                if let id, let current = topicID(topic), id != current {
                    group.removeOffsets(of: topic, into: &effects)
                }
            }
            groups[found.id] = group
        }
    }

    package mutating func bucketLost(_ bucket: Int, into effects: inout GroupEffects) {
        standings[bucket] = .elsewhere
        for id in groups.keys.filter({ GroupOwnership.bucket(of: $0) == bucket }).sorted() {
            groups[id]?.unload(into: &effects)
            groups[id] = nil
        }
    }

    // MARK: membership

    /// - Parameter newID: a random UUID's text, in case the member needs an id.
    package mutating func join(
        _ request: JoinGroupRequest, version: Int16, from client: ClientIdentity, newID: @autoclosure () -> String,
        token: ReplyToken, at moment: Moment, into effects: inout GroupEffects
    ) {
        func refuse(_ error: ErrorCode) {
            effects.answer(token, .join(.refused(error, memberID: request.memberID)))
        }
        let id = request.groupID
        if let error = refusal(of: id, emptyNameAllowed: false) { return refuse(error) }
        let session = Duration.milliseconds(Int64(request.sessionTimeoutMs))
        guard session >= settings.minSessionTimeout, session <= settings.maxSessionTimeout else {
            return refuse(.invalidSessionTimeout)
        }
        if groups[id] == nil {
            guard request.memberID.isEmpty else { return refuse(.unknownMemberID) }
            groups[id] = Group(id: id, at: moment)
        }
        // Version 0 has no rebalance timeout; the session's stands in for it (KIP-62).
        let rebalance = request.rebalanceTimeoutMs < 0 ? session : .milliseconds(Int64(request.rebalanceTimeoutMs))
        let joining = Joining(
            memberID: request.memberID, instanceID: request.groupInstanceID, client: client, sessionTimeout: session,
            rebalanceTimeout: rebalance, protocolType: request.protocolType,
            protocols: request.protocols.map { MemberProtocol(name: $0.name, metadata: $0.metadata) },
            needsKnownID: version >= 4 && request.groupInstanceID == nil, maySkipAssignment: version >= 9,
            newID: request.memberID.isEmpty ? newID() : "", token: token)
        groups[id]?.join(joining, at: moment, settings: settings, into: &effects)
        forgetIfBlank(id, into: &effects)
    }

    package mutating func sync(
        _ request: SyncGroupRequest, version: Int16, token: ReplyToken, at moment: Moment,
        into effects: inout GroupEffects
    ) {
        func refuse(_ error: ErrorCode) { effects.answer(token, .sync(.refused(error))) }
        // Version 5 must name what the member believes was chosen (KIP-559).
        if version >= 5, request.protocolType == nil || request.protocolName == nil {
            return refuse(.inconsistentGroupProtocol)
        }
        switch refusal(of: request.groupID, emptyNameAllowed: false) {
        case nil: break
        case .coordinatorLoadInProgress?: return refuse(.rebalanceInProgress)
        case let error?: return refuse(error)
        }
        guard groups[request.groupID] != nil else { return refuse(.unknownMemberID) }
        groups[request.groupID]?.sync(request, token: token, at: moment, into: &effects)
    }

    package mutating func heartbeat(
        _ request: HeartbeatRequest, at moment: Moment, into effects: inout GroupEffects
    ) -> ErrorCode {
        switch refusal(of: request.groupID, emptyNameAllowed: false) {
        case nil: break
        case .coordinatorLoadInProgress?: return .none  // its session begins anew after the load
        case let error?: return error
        }
        return groups[request.groupID]?.heartbeat(request, at: moment, into: &effects) ?? .unknownMemberID
    }

    package mutating func leave(
        _ request: LeaveGroupRequest, version: Int16, at moment: Moment, into effects: inout GroupEffects
    ) -> LeaveGroupResponse {
        var response = LeaveGroupResponse()
        var leaving = request.members
        if version < 3 {
            var only = LeaveGroupRequest.MemberIdentity()
            only.memberID = request.memberID
            leaving = [only]
        }
        if let error = refusal(of: request.groupID, emptyNameAllowed: false) {
            response.errorCode = error
        } else if groups[request.groupID]?.state == .dead {
            response.errorCode = .coordinatorNotAvailable
        } else {
            for identity in leaving {
                var gone = LeaveGroupResponse.MemberResponse()
                gone.memberID = identity.memberID
                gone.groupInstanceID = identity.groupInstanceID
                gone.errorCode =
                    groups[request.groupID]?.leave(
                        identity.memberID, identity.groupInstanceID, at: moment, into: &effects) ?? .unknownMemberID
                response.members.append(gone)
            }
            // Before version 3 there was one member and one place for its error (KIP-345).
            if version < 3 {
                response.errorCode = response.members.first?.errorCode ?? .none
                response.members = []
            }
        }
        return response
    }

    // MARK: outcomes and time

    package mutating func writeEnded(
        _ write: WriteID, of group: String, _ outcome: WriteOutcome, at moment: Moment,
        into effects: inout GroupEffects
    ) {
        if groups[group]?.writeEnded(write, outcome, at: moment, into: &effects) == true { groups[group] = nil }
    }

    package mutating func writeDelayed(
        _ write: WriteID, of group: String, at moment: Moment, into effects: inout GroupEffects
    ) {
        groups[group]?.writeDelayed(write, at: moment, into: &effects)
    }

    package mutating func timeReached(_ group: String, at moment: Moment, into effects: inout GroupEffects) {
        groups[group]?.timeReached(at: moment, settings: settings, into: &effects)
        forgetIfBlank(group, into: &effects)
    }

    /// A group that nothing was ever stored of and nobody is in need not be remembered.
    private mutating func forgetIfBlank(_ id: String, into effects: inout GroupEffects) {
        guard let group = groups[id], group.isBlank else { return }
        groups[id] = nil
        effects.forget(id)
    }

    /// Lets one group decide something.
    mutating func change<R>(_ id: String, _ body: (inout Group) -> R) -> R? {
        guard let place = groups.index(forKey: id) else { return nil }
        return body(&groups.values[place])
    }

    mutating func create(_ id: String, at moment: Moment) { groups[id] = Group(id: id, at: moment) }
}

extension Group {
    var isBlank: Bool {
        state == .empty && generation == 0 && members.isEmpty && pending.isEmpty && offsets.isEmpty && writes.isEmpty
    }

    mutating func heartbeat(
        _ request: HeartbeatRequest, at moment: Moment, into effects: inout GroupEffects
    ) -> ErrorCode {
        if state == .dead { return .coordinatorNotAvailable }
        if let error = refusal(of: request.memberID, request.groupInstanceID) { return error }
        if request.generationID != generation { return .illegalGeneration }
        switch state {
        case .empty, .dead: return .unknownMemberID
        case .preparingRebalance, .completingRebalance, .stable:
            restartSession(request.memberID, at: moment.now)
            settle(into: &effects)
            return state == .preparingRebalance ? .rebalanceInProgress : .none
        }
    }

    /// - Parameter memberID: empty when a static member is named by its instance id alone (KIP-345).
    mutating func leave(
        _ memberID: String, _ instanceID: String?, at moment: Moment, into effects: inout GroupEffects
    ) -> ErrorCode {
        defer { settle(into: &effects) }
        if memberID.isEmpty {
            guard let instanceID, let current = instances[instanceID] else { return .unknownMemberID }
            drop(current, at: moment, into: &effects)
            return .none
        }
        if pending[memberID] != nil {
            pending[memberID] = nil
            completeJoinIfReady(at: moment, into: &effects)
            return .none
        }
        if let error = refusal(of: memberID, instanceID) { return error }
        drop(memberID, at: moment, into: &effects)
        return .none
    }
}
