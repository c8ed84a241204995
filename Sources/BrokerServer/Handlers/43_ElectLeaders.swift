import Broker
import KafkaProtocol

extension RequestRouter {
    func electLeaders(
        _ request: ElectLeadersRequest, _ context: RequestContext, then: @escaping (ElectLeadersResponse) -> Void
    ) {
        guard let controller = node.controller else {
            var response = ElectLeadersResponse()
            response.errorCode = .notController
            return then(response)
        }
        controller.electLeaders(request, then: then)
    }
}
