import Broker
import KafkaProtocol

extension RequestRouter {
    func listPartitionReassignments(
        _ request: ListPartitionReassignmentsRequest, _ context: RequestContext,
        then: @escaping (ListPartitionReassignmentsResponse) -> Void
    ) {
        guard let controller = node.controller else {
            var response = ListPartitionReassignmentsResponse()
            response.errorCode = .notController
            response.errorMessage = nil
            return then(response)
        }
        controller.listPartitionReassignments(request, then: then)
    }
}
