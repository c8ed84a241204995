import Broker
import KafkaProtocol

extension RequestRouter {
    func allocateProducerIDs(
        _ request: AllocateProducerIdsRequest, _ context: RequestContext,
        then: @escaping (AllocateProducerIdsResponse) -> Void
    ) {
        guard let ids = node.producerIDs, let controller = node.controller else {
            var response = AllocateProducerIdsResponse()
            response.errorCode = .notController
            return then(response)
        }
        ids.allocate(request, controller: controller, then: then)
    }
}
