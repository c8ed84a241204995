import ClusterModel
import CommitLog
import KafkaProtocol

extension ListOffsetsRequest {
    /// In the name of no replica (-2), and about ends only: what a controller asks after power failures.
    package var asksForLogEnds: Bool {
        replicaID == -2 && topics.allSatisfy { $0.partitions.allSatisfy { $0.timestamp == -1 } }
    }
}

// What a broker does about logs that may hold less than it had acknowledged, beside saying so in its registration.
extension BrokerNode {
    /// The controller compares copies: how far do the logs here go, whatever role they have, or none yet?
    package func logEnds(_ request: ListOffsetsRequest) -> ListOffsetsResponse {
        var response = ListOffsetsResponse()
        response.topics = request.topics.map { topic in
            .with {
                $0.name = topic.name
                $0.partitions = topic.partitions.map { logEnd(TopicPartition(topic.name, $0.partitionIndex)) }
            }
        }
        return response
    }

    private func logEnd(_ partition: TopicPartition) -> ListOffsetsResponse.ListOffsetsPartitionResponse {
        var answer = ListOffsetsResponse.ListOffsetsPartitionResponse()
        answer.partitionIndex = partition.partition
        // What lies on a disk counts, whether or not the controller has given this life a part in it yet.
        let log = partitions.host(partition)?.log ?? partitions.directories.lazy.compactMap { $0.logs[partition] }.first
        guard let log else {
            let mayBeUnreadable = partitions.hasFailedDirectories || partitions.hasUnopened(partition)
            answer.errorCode = mayBeUnreadable ? .kafkaStorageError : .unknownTopicOrPartition
            return answer
        }
        guard log.offlineReason == nil else {
            answer.errorCode = .kafkaStorageError
            return answer
        }
        answer.offset = log.logEndOffset
        answer.leaderEpoch = (log.epoch(ofOffset: log.logEndOffset - 1) ?? .none).raw
        return answer
    }

    /// A directory's logs are whole again once each of them is a member of its in-sync set in this life: it leads because the
    /// controller chose it knowing, or it has caught up with the one that does.
    func trustTailsAgain() {
        for directory in partitions.directories
        where directory.tailIsSuspect && directory.logs.keys.allSatisfy(isWhole) {
            directory.trustTail()
            guard !directory.logs.isEmpty else { continue }
            world.journal.notice(
                "trusts its logs again: each is in its in-sync set",
                ["directory": directory.path, "partitions": directory.logs.count])
        }
    }

    private func isWhole(_ partition: TopicPartition) -> Bool {
        guard let host = partitions.host(partition),
            let known = metadata.topic(partition.topic)?
                .partition(partition.partition), known.replicas.contains(id)
        else { return true }
        // Metadata of the old life may still name it, and so does a set that waits for a leader.
        return known.leader != .none && host.role != .idle && known.inSync.contains(id)
            && known.leaderEpoch >= host.leaderEpoch
    }
}
