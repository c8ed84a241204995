import Broker
import ClusterModel
import KafkaProtocol

extension RequestRouter {
    /// Begins to move replicas of this broker to other directories of it; DescribeLogDirs tells how far they are.
    func alterReplicaLogDirs(
        _ request: AlterReplicaLogDirsRequest, _ context: RequestContext,
        then: @escaping (AlterReplicaLogDirsResponse) -> Void
    ) {
        var response = AlterReplicaLogDirsResponse()
        for directory in request.dirs {
            for topic in directory.topics {
                var results: [AlterReplicaLogDirsResponse.AlterReplicaLogDirPartitionResult] = []
                for index in topic.partitions {
                    var result = AlterReplicaLogDirsResponse.AlterReplicaLogDirPartitionResult()
                    result.partitionIndex = index
                    do throws(PartitionDirectory.MoveRefusal) {
                        try node.partitions.move(TopicPartition(topic.name, index), to: directory.path)
                    } catch { result.errorCode = ErrorCode(rawValue: error.rawValue) }
                    results.append(result)
                }
                if let known = response.results.firstIndex(where: { $0.topicName == topic.name }) {
                    response.results[known].partitions += results
                } else {
                    response.results.append(
                        .with {
                            $0.topicName = topic.name
                            $0.partitions = results
                        })
                }
            }
        }
        then(response)
    }
}
