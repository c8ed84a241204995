import Broker
import ClusterModel
import KafkaProtocol

extension RequestRouter {
    func describeCluster(
        _ request: DescribeClusterRequest, _ context: RequestContext, then: @escaping (DescribeClusterResponse) -> Void
    ) {
        var response = DescribeClusterResponse()
        response.clusterID = node.clusterID
        response.endpointType = request.endpointType
        // 1 brokers; 2 controllers, which only a KRaft cluster has.
        guard request.endpointType == 1 else {
            response.errorCode =
                context.version == 0
                ? .invalidRequest : request.endpointType == 2 ? .mismatchedEndpointType : .unsupportedEndpointType
            response.errorMessage =
                request.endpointType == 2
                ? "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                : "Unsupported endpoint type \(request.endpointType)"
            response.endpointType = 1
            return then(response)
        }
        response.controllerID = node.metadata.controller.raw
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations = AuthorizedOperations.cluster
        }
        for broker in node.metadata.brokers {
            guard let address = broker.address(listener: context.listener) else { continue }
            response.brokers.append(
                .with {
                    $0.brokerID = broker.id.raw
                    $0.host = address.host
                    $0.port = address.port
                    $0.rack = broker.rack
                })
        }
        then(response)
    }
}

/// What a client may do, as bits by AclOperation's codes: everything that there is, while nobody authorizes.
enum AuthorizedOperations {
    /// Create, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, Alter, Describe.
    static let cluster = bits([5, 7, 8, 9, 10, 11, 12])
    /// Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs.
    static let topic = bits([3, 4, 5, 6, 7, 8, 10, 11])

    private static func bits(_ codes: [Int32]) -> Int32 { codes.reduce(0) { $0 | 1 << $1 } }
}
