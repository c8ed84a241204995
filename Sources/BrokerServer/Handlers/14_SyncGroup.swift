import KafkaProtocol

extension RequestRouter {
    /// The leader hands assignments in, everybody gets its own; answered when they are in the tree.
    func syncGroup(_ request: SyncGroupRequest, _ context: RequestContext, then: @escaping (SyncGroupResponse) -> Void)
    {
        groups.syncGroup(request, version: context.version, then: then)
    }
}
