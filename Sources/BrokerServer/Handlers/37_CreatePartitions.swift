import Broker
import KafkaProtocol

extension RequestRouter {
    func createPartitions(
        _ request: CreatePartitionsRequest, _ context: RequestContext,
        then: @escaping (CreatePartitionsResponse) -> Void
    ) {
        guard let admin = node.topicAdmin else {
            var response = CreatePartitionsResponse()
            response.results = request.topics.map { topic in
                var result = CreatePartitionsResponse.CreatePartitionsTopicResult()
                result.name = topic.name
                result.errorCode = .notController
                return result
            }
            return then(response)
        }
        admin.createPartitions(request, then: then)
    }
}
