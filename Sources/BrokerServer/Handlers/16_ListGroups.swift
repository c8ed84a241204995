import KafkaProtocol

extension RequestRouter {
    /// The groups this broker owns.
    func listGroups(
        _ request: ListGroupsRequest, _ context: RequestContext, then: @escaping (ListGroupsResponse) -> Void
    ) {
        groups.listGroups(request, then: then)
    }
}
