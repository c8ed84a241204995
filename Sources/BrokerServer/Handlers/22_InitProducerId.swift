import Broker
import KafkaProtocol

extension RequestRouter {
    func initProducerID(
        _ request: InitProducerIdRequest, _ context: RequestContext, then: @escaping (InitProducerIdResponse) -> Void
    ) {
        guard let ids = node.producerIDs else {
            var response = InitProducerIdResponse()
            response.errorCode = .coordinatorLoadInProgress
            response.producerEpoch = -1
            return then(response)
        }
        ids.initProducerID(request, then: then)
    }
}
