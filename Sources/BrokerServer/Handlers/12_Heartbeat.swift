import KafkaProtocol

extension RequestRouter {
    /// A member says it is alive and hears whether to rejoin.
    func heartbeat(_ request: HeartbeatRequest, _ context: RequestContext, then: @escaping (HeartbeatResponse) -> Void)
    {
        groups.heartbeat(request, then: then)
    }
}
