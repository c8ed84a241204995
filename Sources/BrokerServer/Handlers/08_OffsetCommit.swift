import KafkaProtocol

extension RequestRouter {
    /// What a consumer has read so far; answered when it is in the tree.
    func offsetCommit(
        _ request: OffsetCommitRequest, _ context: RequestContext, then: @escaping (OffsetCommitResponse) -> Void
    ) {
        groups.offsetCommit(request, version: context.version, then: then)
    }
}
