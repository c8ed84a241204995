import Broker
import KafkaProtocol

extension RequestRouter {
    func alterPartitionReassignments(
        _ request: AlterPartitionReassignmentsRequest, _ context: RequestContext,
        then: @escaping (AlterPartitionReassignmentsResponse) -> Void
    ) {
        guard let controller = node.controller else {
            var response = AlterPartitionReassignmentsResponse()
            response.errorCode = .notController
            response.errorMessage = nil
            return then(response)
        }
        controller.alterPartitionReassignments(request, then: then)
    }
}
