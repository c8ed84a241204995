import Broker
import KafkaProtocol

extension RequestRouter {
    func alterPartition(
        _ request: AlterPartitionRequest, _ context: RequestContext, then: @escaping (AlterPartitionResponse) -> Void
    ) {
        guard let controller = node.controller else {
            var response = AlterPartitionResponse()
            response.errorCode = .notController
            return then(response)
        }
        controller.alterPartition(request, then: then)
    }
}
