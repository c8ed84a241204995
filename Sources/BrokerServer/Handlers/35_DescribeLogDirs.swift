import Broker
import ClusterModel
import CommitLog
import KafkaProtocol
import Platform

extension RequestRouter {
    /// What lies in each log directory: sizes, how far copies have come, the space of the file system.
    func describeLogDirs(
        _ request: DescribeLogDirsRequest, _ context: RequestContext,
        then: @escaping (DescribeLogDirsResponse) -> Void
    ) {
        var wanted: [String: Set<Int32>]?
        if let topics = request.topics {
            wanted = [:]
            for topic in topics { wanted?[topic.topic, default: []].formUnion(topic.partitions) }
        }
        func isWanted(_ partition: TopicPartition) -> Bool {
            wanted.map { $0[partition.topic]?.contains(partition.partition) ?? false } ?? true
        }
        let hosts = node.partitions.hosts
        var response = DescribeLogDirsResponse()
        response.results = node.partitions.directories.map { directory in
            describe(directory, hosts.filter { isWanted($0.partition) })
        }
        response.results += node.partitions.unusable.map { path, _ in
            .with {
                $0.errorCode = .kafkaStorageError
                $0.logDir = node.world.disk.absolutePath(path)
            }
        }
        then(response)
    }

    private func describe(
        _ directory: LogDirectory, _ hosts: [PartitionHost]
    ) -> DescribeLogDirsResponse.DescribeLogDirsResult {
        var result = DescribeLogDirsResponse.DescribeLogDirsResult()
        let disk = node.world.disk
        result.logDir = disk.absolutePath(directory.path)
        guard directory.offlineReason == nil else {
            result.errorCode = .kafkaStorageError
            return result
        }
        result.totalBytes = (try? disk.totalBytes(directory.path)) ?? -1
        result.usableBytes = (try? disk.freeBytes(directory.path)) ?? -1
        for host in hosts {
            var found: [DescribeLogDirsResponse.DescribeLogDirsPartition] = []
            if host.directory === directory {
                found.append(
                    .with {
                        $0.partitionIndex = host.partition.partition
                        $0.partitionSize = host.log.size
                        $0.offsetLag = max(0, host.highWatermark - host.log.logEndOffset)
                    })
            } else if let future = directory.futures[host.partition] {
                found.append(
                    .with {
                        $0.partitionIndex = host.partition.partition
                        $0.partitionSize = future.size
                        $0.offsetLag = max(0, host.log.logEndOffset - future.logEndOffset)
                        $0.isFutureKey = true
                    })
            }
            guard !found.isEmpty else { continue }
            if result.topics.last?.name == host.partition.topic {
                result.topics[result.topics.count - 1].partitions += found
            } else {
                result.topics.append(
                    .with {
                        $0.name = host.partition.topic
                        $0.partitions = found
                    })
            }
        }
        return result
    }
}
