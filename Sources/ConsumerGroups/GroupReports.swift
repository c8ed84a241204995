import KafkaProtocol
import Platform

// Groups looked at from outside: described, listed, deleted.
extension GroupCatalog {
    package func describe(_ id: String) -> DescribeGroupsResponse.DescribedGroup {
        var described = DescribeGroupsResponse.DescribedGroup()
        described.groupID = id
        if let error = refusal(of: id, emptyNameAllowed: true) {
            described.errorCode = error
            return described
        }
        guard let group = groups[id] else {
            described.groupState = GroupState.dead.name
            return described
        }
        let isStable = group.state == .stable
        described.groupState = group.state.name
        described.protocolType = group.protocolType ?? ""
        described.protocolData = isStable ? group.protocolName ?? "" : ""
        described.members = group.membersInOrder.map { member in
            var shown = DescribeGroupsResponse.DescribedGroupMember()
            shown.memberID = member.id
            shown.groupInstanceID = member.instanceID
            shown.clientID = member.client.clientID
            shown.clientHost = member.client.host
            if isStable {
                shown.memberMetadata = member.metadata(for: group.protocolName)
                shown.memberAssignment = member.assignment
            }
            return shown
        }
        return described
    }

    /// Only the groups this broker owns; who wants all asks all brokers.
    package func list(_ request: ListGroupsRequest) -> ListGroupsResponse {
        var response = ListGroupsResponse()
        guard hasAuthority else {
            response.errorCode = .coordinatorNotAvailable
            return response
        }
        if standings.contains(.loading) { response.errorCode = .coordinatorLoadInProgress }
        let states = Set(request.statesFilter.map { $0.lowercased() })
        let types = Set(request.typesFilter.map { $0.lowercased() })
        guard types.isEmpty || types.contains("classic") else { return response }
        for (id, group) in groups.sorted(by: { $0.key < $1.key })
        where states.isEmpty || states.contains(group.state.name.lowercased()) {
            var listed = ListGroupsResponse.ListedGroup()
            listed.groupID = id
            listed.protocolType = group.protocolType ?? ""
            listed.groupState = group.state.name
            listed.groupType = "classic"
            response.groups.append(listed)
        }
        return response
    }

    package mutating func delete(_ id: String, token: ReplyToken, into effects: inout GroupEffects) {
        func answer(_ error: ErrorCode) { effects.answer(token, .groupDelete(error)) }
        if let error = refusal(of: id, emptyNameAllowed: true) { return answer(error) }
        switch groups[id]?.state {
        case nil, .dead?: answer(.groupIDNotFound)
        case .stable?, .preparingRebalance?, .completingRebalance?: answer(.nonEmptyGroup)
        case .empty?: _ = change(id) { $0.die(for: token, into: &effects) }
        }
    }
}

extension Group {
    /// From here on nobody can enter; the group is gone when the tree says so.
    mutating func die(for token: ReplyToken?, into effects: inout GroupEffects) {
        state = .dead
        writes[effects.write(id, .removeGroup)] = .removeGroup(token)
    }
}
