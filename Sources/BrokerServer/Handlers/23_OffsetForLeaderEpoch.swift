import Broker
import ClusterModel
import KafkaProtocol

extension RequestRouter {
    func offsetForLeaderEpoch(
        _ request: OffsetForLeaderEpochRequest, _ context: RequestContext,
        then: @escaping (OffsetForLeaderEpochResponse) -> Void
    ) {
        var response = OffsetForLeaderEpochResponse()
        for topic in request.topics {
            var answers: [OffsetForLeaderEpochResponse.EpochEndOffset] = []
            for asked in topic.partitions {
                var answer = OffsetForLeaderEpochResponse.EpochEndOffset()
                answer.partition = asked.partition
                if let host = node.partitions.host(topic.topic, asked.partition) {
                    do throws(PartitionError) {
                        try host.admit(
                            currentEpoch: LeaderEpoch(asked.currentLeaderEpoch),
                            leaderOnly: context.version < 3 || request.replicaID != -2)
                        if let end = host.log.endOffset(forEpoch: LeaderEpoch(asked.leaderEpoch)) {
                            answer.leaderEpoch = context.version >= 1 ? end.epoch.raw : -1
                            answer.endOffset = end.endOffset
                        }
                    } catch {
                        answer.errorCode = ErrorCode(rawValue: error.wireCode)
                    }
                } else {
                    answer.errorCode = absence(of: topic.topic, asked.partition)
                }
                answers.append(answer)
            }
            response.topics.append(
                .with {
                    $0.topic = topic.topic
                    $0.partitions = answers
                })
        }
        then(response)
    }
}
