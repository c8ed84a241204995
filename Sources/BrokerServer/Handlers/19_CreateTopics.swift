import Broker
import KafkaProtocol

extension RequestRouter {
    func createTopics(
        _ request: CreateTopicsRequest, _ context: RequestContext, then: @escaping (CreateTopicsResponse) -> Void
    ) {
        guard let admin = node.topicAdmin else {
            var response = CreateTopicsResponse()
            response.topics = request.topics.map { topic in
                var result = CreateTopicsResponse.CreatableTopicResult()
                result.name = topic.name
                result.errorCode = .notController
                result.errorMessage = nil
                return result
            }
            return then(response)
        }
        admin.createTopics(request, then: then)
    }
}
