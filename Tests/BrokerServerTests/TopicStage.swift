import Bytes
import ClusterModel
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

/// What tests of replicas ask of a stage: topics where they want them, records in, records out.
extension Stage {
    /// - Parameter assignments: the replicas of each partition.
    func makeTopic(_ name: String, _ assignments: [[Int32]], _ configs: KeyValuePairs<String, String> = [:]) throws {
        let known = try #require(brokers.values.compactMap(\.node).first)
        let controller = Int(known.metadata.controller.raw)
        var create = CreateTopicsRequest()
        create.timeoutMs = 10_000
        create.topics = [
            .with {
                $0.name = name
                $0.numPartitions = -1
                $0.replicationFactor = -1
                $0.assignments = assignments.enumerated().map { index, replicas in
                    .with {
                        $0.partitionIndex = Int32(index)
                        $0.brokerIDs = replicas
                    }
                }
                $0.configs = configs.map { key, value in
                    .with {
                        $0.name = key
                        $0.value = value
                    }
                }
            }
        ]
        let answer = try #require(try client(of: controller).ask(create, version: 5))
        try #require(answer.topics.first?.errorCode == ErrorCode.none)
    }

    /// - Returns: the partition's part of the answer; nil when there was none.
    func produce(
        _ values: [String], key: String? = nil, to topic: String, _ partition: Int32 = 0, broker: Int = 0,
        acks: Int16 = -1
    ) throws -> ProduceResponse.PartitionProduceResponse? {
        var request = ProduceRequest()
        request.acks = acks
        request.timeoutMs = 5000
        request.topicData = [
            .with {
                $0.name = topic
                $0.partitionData = [
                    .with {
                        $0.index = partition
                        $0.records = .owned(Stage.batch(values, key: key))
                    }
                ]
            }
        ]
        return try client(of: broker).ask(request, version: 9)?.responses.first?.partitionResponses.first
    }

    func fetch(
        _ topic: String, from offset: Int64, broker: Int = 0, rack: String = "", version: Int16 = 12,
        maxWait: Int32 = 0
    ) throws -> FetchResponse.PartitionData? {
        var request = FetchRequest()
        request.replicaID = -1
        request.maxWaitMs = maxWait
        request.minBytes = 1
        request.maxBytes = 1 << 20
        request.sessionEpoch = -1
        request.rackID = rack
        request.topics = [
            .with {
                $0.topic = topic
                $0.partitions = [
                    .with {
                        $0.fetchOffset = offset
                        $0.partitionMaxBytes = 1 << 20
                    }
                ]
            }
        ]
        return try client(of: broker).ask(request, version: version)?.responses.first?.partitions.first
    }

    /// All bytes of a replica's log.
    func bytes(_ topic: String, _ partition: Int32 = 0, broker: Int = 0) throws -> [UInt8] {
        let log = try #require(node(broker)?.partitions.host(topic, partition)).log
        var found: [UInt8] = []
        var offset = log.logStartOffset
        while offset < log.logEndOffset {
            let slice = try log.read(from: offset, maxBytes: 1 << 20, below: log.logEndOffset, atLeastOneBatch: true)
            let bytes = try slice.contents()
            found += bytes
            offset = bytes.withUnsafeBytes { Stage.end(of: $0) } ?? log.logEndOffset
        }
        return found
    }
}
