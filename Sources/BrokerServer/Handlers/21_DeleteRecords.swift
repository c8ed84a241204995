import Broker
import ClusterModel
import CommitLog
import KafkaProtocol
import Platform

extension RequestRouter {
    /// Moves the start of logs forward, and answers when that is on the disk and every live replica has done so.
    func deleteRecords(
        _ request: DeleteRecordsRequest, _ context: RequestContext, then: @escaping (DeleteRecordsResponse) -> Void
    ) {
        var response = DeleteRecordsResponse()
        var waits: [(topic: Int, partition: Int, host: PartitionHost, offset: Offset)] = []
        for (t, topic) in request.topics.enumerated() {
            var answers: [DeleteRecordsResponse.DeleteRecordsPartitionResult] = []
            for (p, asked) in topic.partitions.enumerated() {
                var answer = DeleteRecordsResponse.DeleteRecordsPartitionResult()
                answer.partitionIndex = asked.partitionIndex
                answer.lowWatermark = -1
                if TopicName.isInternal(topic.name) {
                    answer.errorCode = .invalidTopicException
                } else if let host = node.partitions.host(topic.name, asked.partitionIndex) {
                    do throws(PartitionError) {
                        if let offset = try host.deleteRecords(below: asked.offset) {
                            waits.append((t, p, host, offset))
                        } else {
                            answer.errorCode = .policyViolation
                        }
                    } catch {
                        answer.errorCode = ErrorCode(rawValue: error.wireCode)
                    }
                } else {
                    answer.errorCode = absence(of: topic.name, asked.partitionIndex)
                }
                answers.append(answer)
            }
            response.topics.append(
                .with {
                    $0.name = topic.name
                    $0.partitions = answers
                })
        }
        let isOver: () -> Bool = { waits.allSatisfy { ($0.host.lowWatermark ?? .max) >= $0.offset } }
        let answer: () -> Void = {
            for wait in waits {
                let reached = wait.host.lowWatermark
                // Not to be promised: the start could not be written.
                if wait.host.isOffline {
                    response.topics[wait.topic].partitions[wait.partition].errorCode = .kafkaStorageError
                } else if let reached, reached >= wait.offset {
                    response.topics[wait.topic].partitions[wait.partition].lowWatermark = reached
                } else {
                    response.topics[wait.topic].partitions[wait.partition].errorCode =
                        reached == nil ? .notLeaderOrFollower : .requestTimedOut
                }
            }
            then(response)
        }
        let deadline = node.world.clock.now + .milliseconds(Int(max(0, request.timeoutMs)))
        let written: () -> Void = { [node] in
            if isOver() { return answer() }
            context.connection?.visitor = node.waiting.park(
                at: waits.map(\.host.place), until: deadline, reason: "deletion of records", isOver: isOver,
                then: { _ in answer() })
        }
        var directories: [LogDirectory] = []
        for wait in waits where !directories.contains(where: { $0 === wait.host.directory }) {
            directories.append(wait.host.directory)
        }
        var left = directories.count
        guard left > 0 else { return written() }
        for directory in directories {
            directory.checkpointLogStarts {
                left -= 1
                if left == 0 { written() }
            }
        }
    }
}
