import Broker
import KafkaProtocol

extension RequestRouter {
    func controlledShutdown(
        _ request: ControlledShutdownRequest, _ context: RequestContext,
        then: @escaping (ControlledShutdownResponse) -> Void
    ) {
        guard let controller = node.controller else {
            var response = ControlledShutdownResponse()
            response.errorCode = .staleControllerEpoch
            return then(response)
        }
        controller.controlledShutdown(request, then: then)
    }
}
