import Broker
import KafkaProtocol

extension RequestRouter {
    func stopReplica(
        _ request: StopReplicaRequest, _ context: RequestContext, then: @escaping (StopReplicaResponse) -> Void
    ) {
        node.stopReplica(request, then: then)
    }
}
