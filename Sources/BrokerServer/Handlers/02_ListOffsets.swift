import Broker
import ClusterModel
import CommitLog
import KafkaProtocol

extension RequestRouter {
    func listOffsets(
        _ request: ListOffsetsRequest, _ context: RequestContext, then: @escaping (ListOffsetsResponse) -> Void
    ) {
        if request.asksForLogEnds { return then(node.logEnds(request)) }
        var response = ListOffsetsResponse()
        var seen: Set<TopicPartition> = []
        var twice: Set<TopicPartition> = []
        for topic in request.topics {
            for partition in topic.partitions {
                let name = TopicPartition(topic.name, partition.partitionIndex)
                if !seen.insert(name).inserted { twice.insert(name) }
            }
        }
        for topic in request.topics {
            var answers: [ListOffsetsResponse.ListOffsetsPartitionResponse] = []
            for partition in topic.partitions {
                var answer = ListOffsetsResponse.ListOffsetsPartitionResponse()
                answer.partitionIndex = partition.partitionIndex
                if twice.contains(TopicPartition(topic.name, partition.partitionIndex)), context.version >= 1 {
                    answer.errorCode = .invalidRequest
                } else {
                    look(topic.name, partition, request, context, &answer)
                }
                answers.append(answer)
            }
            response.topics.append(
                .with {
                    $0.name = topic.name
                    $0.partitions = answers
                })
        }
        then(response)
    }

    private func look(
        _ topic: String, _ asked: ListOffsetsRequest.ListOffsetsPartition, _ request: ListOffsetsRequest,
        _ context: RequestContext, _ answer: inout ListOffsetsResponse.ListOffsetsPartitionResponse
    ) {
        guard let host = node.partitions.host(topic, asked.partitionIndex) else {
            answer.errorCode = absence(of: topic, asked.partitionIndex)
            return
        }
        do throws(PartitionError) {
            try host.admit(currentEpoch: LeaderEpoch(asked.currentLeaderEpoch), leaderOnly: request.replicaID != -2)
            let sees: PartitionHost.Sight =
                request.replicaID == -1 ? (request.isolationLevel == 1 ? .committed : .consumer) : .everything
            if context.version == 0 {
                // Every other negative number came later.
                guard asked.timestamp >= -2 else {
                    answer.errorCode = .unsupportedVersion
                    return
                }
                answer.oldStyleOffsets = try host.oldOffsets(
                    before: asked.timestamp, atMost: Int(max(0, asked.maxNumOffsets)), sees)
                return
            }
            let least: Int16 =
                switch asked.timestamp {
                case -3: 7
                case -4: 8
                case -5: 9
                default: 1
                }
            guard context.version >= least, asked.timestamp >= -5 else {
                answer.errorCode = .unsupportedVersion
                return
            }
            guard let found = try host.offset(at: asked.timestamp, sees) else { return }
            answer.timestamp = found.timestamp
            answer.offset = found.offset
            answer.leaderEpoch = context.version >= 4 ? found.leaderEpoch.raw : -1
        } catch {
            var code = ErrorCode(rawValue: error.wireCode)
            if code == .offsetNotAvailable, context.version < 5 { code = .leaderNotAvailable }
            answer.errorCode = code
        }
    }
}
