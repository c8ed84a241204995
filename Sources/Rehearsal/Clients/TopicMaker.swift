import KafkaClient
import KafkaProtocol
import Platform

/// Makes the topics of a play before it begins.
final class TopicMaker {
    private(set) var isDone = false
    private let cluster: ClusterLink

    init(_ world: any World, _ topics: [(name: String, partitions: Int)], minInSync: Int, judge: Judge) {
        let brokers = (0..<Cluster.brokers).map { BrokerAddress(host: "broker-\($0)", port: 9092) }
        cluster = ClusterLink(world: world, bootstrap: brokers, options: LinkOptions(clientID: "admin"))
        var request = CreateTopicsRequest()
        request.timeoutMs = 20_000
        request.topics = topics.map { topic in
            .with {
                $0.name = topic.name
                $0.numPartitions = Int32(topic.partitions)
                $0.replicationFactor = Int16(Cluster.brokers)
                $0.configs = [
                    .with {
                        $0.name = "min.insync.replicas"
                        $0.value = "\(minInSync)"
                    }
                ]
            }
        }
        cluster.ask(
            .controller, request, until: world.clock.now + .seconds(30),
            again: { response in
                response.topics.map(\.errorCode).first { $0 != .none && $0 != .topicAlreadyExists }
            }
        ) { [weak self] result in
            switch result {
            case .failure(let error): judge.violated("no topics could be made: \(error)")
            case .success(let response):
                if let refused = response.topics.first(where: {
                    $0.errorCode != .none && $0.errorCode != .topicAlreadyExists
                }) {
                    judge.violated(
                        "topic \(refused.name) was refused: \(refused.errorCode) \(refused.errorMessage ?? "")")
                }
                self?.isDone = true
            }
        }
    }
}
