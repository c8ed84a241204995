import KafkaProtocol

extension RequestRouter {
    /// What was committed, from the owner's memory.
    func offsetFetch(
        _ request: OffsetFetchRequest, _ context: RequestContext, then: @escaping (OffsetFetchResponse) -> Void
    ) {
        groups.offsetFetch(request, version: context.version, then: then)
    }
}
