import Broker
import KafkaProtocol

extension RequestRouter {
    func deleteTopics(
        _ request: DeleteTopicsRequest, _ context: RequestContext, then: @escaping (DeleteTopicsResponse) -> Void
    ) {
        guard let admin = node.topicAdmin else {
            var response = DeleteTopicsResponse()
            let asked =
                context.version >= 6
                ? request.topics.map { ($0.name, $0.topicID) } : request.topicNames.map { ($0, .zero) }
            response.responses = asked.map { name, id in
                var result = DeleteTopicsResponse.DeletableTopicResult()
                result.name = name
                result.topicID = id
                result.errorCode = .notController
                return result
            }
            return then(response)
        }
        admin.deleteTopics(request, version: context.version, then: then)
    }
}
