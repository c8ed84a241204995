import KafkaProtocol

extension RequestRouter {
    /// Members of groups this broker owns.
    func describeGroups(
        _ request: DescribeGroupsRequest, _ context: RequestContext, then: @escaping (DescribeGroupsResponse) -> Void
    ) {
        groups.describeGroups(request, then: then)
    }
}
