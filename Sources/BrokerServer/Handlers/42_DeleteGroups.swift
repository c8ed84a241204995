import KafkaProtocol

extension RequestRouter {
    /// Empty groups go, with their offsets.
    func deleteGroups(
        _ request: DeleteGroupsRequest, _ context: RequestContext, then: @escaping (DeleteGroupsResponse) -> Void
    ) {
        groups.deleteGroups(request, then: then)
    }
}
