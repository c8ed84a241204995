import KafkaProtocol

extension RequestRouter {
    /// Members leave without waiting for their session to end.
    func leaveGroup(
        _ request: LeaveGroupRequest, _ context: RequestContext, then: @escaping (LeaveGroupResponse) -> Void
    ) {
        groups.leaveGroup(request, version: context.version) { response in
            var response = response
            // Before version 3 the one member has no entry of its own.
            if context.version < 3 { response.members = [] }
            then(response)
        }
    }
}
