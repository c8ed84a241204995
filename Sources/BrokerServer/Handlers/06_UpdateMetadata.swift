import Broker
import KafkaProtocol

extension RequestRouter {
    func updateMetadata(
        _ request: UpdateMetadataRequest, _ context: RequestContext, then: @escaping (UpdateMetadataResponse) -> Void
    ) {
        node.updateMetadata(request, then: then)
    }
}
