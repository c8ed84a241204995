import ClusterModel
import KafkaProtocol

/// `kafka-delete-records`: moves the beginning of partitions forward; what lies before is deleted.
package enum DeleteRecordsCommand {
    static let help = HelpText(
        "Delete the records of partitions up to given offsets.",
        examples: [
            "kafka-delete-records.sh --bootstrap-server localhost:9092 --offset-json-file offsets.json",
            "with  {\"partitions\": [{\"topic\": \"orders\", \"partition\": 0, \"offset\": 100}], \"version\": 1}",
        ],
        options: [
            .bootstrap,
            .value(
                "offset-json-file", of: "FILE",
                help: "Partitions, each with the offset that becomes its first; -1 is its high watermark."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .helpFlag, .versionFlag,
        ])

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.admin(arguments, help, tool, call: "deleteRecords") { line throws(CommandLineError) in
            try line.requireServer(tool)
            try line.require("offset-json-file")
        } _: { line, session in
            let entries = try PartitionList.read(line.value("offset-json-file") ?? "", tool)
            let doubles = PartitionList.doubles(entries)
            guard doubles.isEmpty else {
                throw ToolFailure(
                    "Offset json file contains duplicate topic partitions: \(PartitionList.joined(doubles, ","))")
            }
            var offsets: [TopicPartition: Int64] = [:]
            for entry in entries {
                guard let offset = entry.json["offset"]?.integer else {
                    throw ToolFailure("\(entry.place): there is no \"offset\" beside it")
                }
                offsets[entry.place] = offset
            }
            tool.say("Executing records delete operation")
            let outcomes = try delete(offsets, session)
            tool.say("Records delete operation completed:")
            for (place, outcome) in outcomes.sorted(by: { $0.key < $1.key }) {
                switch outcome {
                case .success(let lowWatermark): tool.say("partition: \(place)\tlow_watermark: \(lowWatermark)")
                case .failure(let refusal): tool.say("partition: \(place)\terror: \(refusal.code.told())")
                }
            }
            // As Kafka's: what became of each partition is in the lines.
            return 0
        }
    }

    struct Refusal: Error { var code: ErrorCode }

    /// Leaders move: what one refuses for now, its successor is asked for.
    private static func delete(
        _ offsets: [TopicPartition: Int64], _ session: ClusterSession
    ) throws -> [TopicPartition: Result<Int64, Refusal>] {
        var outcomes: [TopicPartition: Result<Int64, Refusal>] = [:]
        var waiting = Set(offsets.keys)
        let deadline = session.deadline
        while true {
            _ = try session.metadata(of: Set(waiting.map(\.topic)).sorted())
            var byLeader: [Int32: [TopicPartition]] = [:]
            for place in waiting {
                guard session.link.leaders[place.topic]?[place.partition] != nil else {
                    outcomes[place] = .failure(Refusal(code: .unknownTopicOrPartition))
                    continue
                }
                guard let leader = session.link.leader(of: place.topic, place.partition) else {
                    outcomes[place] = .failure(Refusal(code: .leaderNotAvailable))
                    continue
                }
                byLeader[leader, default: []].append(place)
            }
            for (leader, places) in byLeader.sorted(by: { $0.key < $1.key }) {
                var request = DeleteRecordsRequest()
                request.timeoutMs = 10_000
                request.topics = PartitionList.byTopic(places).map { topic, partitions in
                    .with {
                        $0.name = topic
                        $0.partitions = partitions.map { partition in
                            .with {
                                $0.partitionIndex = partition
                                $0.offset = offsets[TopicPartition(topic, partition)] ?? -1
                            }
                        }
                    }
                }
                for topic in try session.ask(.broker(leader), request).topics {
                    for partition in topic.partitions {
                        outcomes[TopicPartition(topic.name, partition.partitionIndex)] =
                            partition.errorCode == .none
                            ? .success(partition.lowWatermark) : .failure(Refusal(code: partition.errorCode))
                    }
                }
            }
            waiting = waiting.filter { place in
                guard case .failure(let refusal) = outcomes[place] else { return false }
                return refusal.code.isRetriable
            }
            guard !waiting.isEmpty, session.tool.world.clock.now < deadline else { return outcomes }
            session.tool.run(until: { false }, atMost: .milliseconds(100))
        }
    }
}
