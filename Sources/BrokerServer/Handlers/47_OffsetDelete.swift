import KafkaProtocol

extension RequestRouter {
    /// Offsets of topics nobody in the group reads.
    func offsetDelete(
        _ request: OffsetDeleteRequest, _ context: RequestContext, then: @escaping (OffsetDeleteResponse) -> Void
    ) {
        groups.offsetDelete(request, then: then)
    }
}
