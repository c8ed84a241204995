import KafkaProtocol

extension RequestRouter {
    /// Members leave without waiting for their session to end.
    func leaveGroup(
        _ request: LeaveGroupRequest, _ context: RequestContext, then: @escaping (LeaveGroupResponse) -> Void
    ) {
        groups.leaveGroup(request, version: context.version, then: then)
    }
}
