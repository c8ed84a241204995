import Broker
import KafkaProtocol

extension RequestRouter {
    func leaderAndIsr(
        _ request: LeaderAndIsrRequest, _ context: RequestContext, then: @escaping (LeaderAndIsrResponse) -> Void
    ) {
        node.leaderAndIsr(request, then: then)
    }
}
