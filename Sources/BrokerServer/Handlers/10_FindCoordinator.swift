import KafkaProtocol

extension RequestRouter {
    /// Who owns a group, at the address of the listener that was asked.
    func findCoordinator(
        _ request: FindCoordinatorRequest, _ context: RequestContext, then: @escaping (FindCoordinatorResponse) -> Void
    ) {
        groups.findCoordinator(request, version: context.version, listener: context.listener, then: then)
    }
}
