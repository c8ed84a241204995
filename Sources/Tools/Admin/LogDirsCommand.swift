import ClusterModel
import Configuration
import KafkaProtocol

/// `kafka-log-dirs`: which replicas lie in which directory of which broker, and how large they are; JSON for scripts.
package enum LogDirsCommand {
    static let help = HelpText(
        "Show the log directories of brokers and the replicas in them, as JSON.",
        examples: ["kafka-log-dirs.sh --bootstrap-server localhost:9092 --describe --topic-list orders"],
        options: [
            .bootstrap,
            .flag("describe", help: "Describe the directories; the only action."),
            .value("topic-list", of: "T,T", help: "Only these topics; all when left out."),
            .value("broker-list", of: "N,N", help: "Only these brokers; all when left out."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .helpFlag, .versionFlag,
        ])

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.admin(arguments, help, tool, call: "describeLogDirs") { line throws(CommandLineError) in
            try line.requireServer(tool)
            try line.require("describe")
        } _: { line, session in
            try describe(line, session)
            return 0
        }
    }

    private static func describe(_ line: CommandLine, _ session: ClusterSession) throws {
        let topics = try line.value("topic-list").map { $0.split(separator: ",").map { trimmed($0) } } ?? []
        let living = try session.metadata().brokers.map(\.nodeID).sorted()
        var wanted = living
        if let text = try line.value("broker-list") {
            wanted = try text.split(separator: ",").map { word throws(ToolFailure) in
                guard let id = Int32(trimmed(word)) else { throw ToolFailure("For input string: \"\(word)\"") }
                return id
            }
            let missing = Set(wanted).subtracting(living).sorted()
            guard missing.isEmpty else {
                throw ToolFailure(
                    "ERROR: The given brokers do not exist from --broker-list: \(list(missing)). "
                        + "Current existent brokers: \(list(living))")
            }
        }
        session.tool.say("Querying brokers for log directories information")
        var brokers: [String] = []
        for broker in wanted {
            var request = DescribeLogDirsRequest()
            request.topics = nil
            let response = try session.ask(.broker(broker), request)
            guard response.errorCode == .none else {
                throw ToolFailure("broker \(broker): \(response.errorCode.told())")
            }
            let directories = response.results.map { directory(of: $0, topics) }
            brokers.append(
                JSONText.object {
                    $0.field("broker", broker)
                    $0.field("logDirs", raw: "[" + directories.joined(separator: ",") + "]")
                })
        }
        session.tool.say("Received log directory information from brokers \(list(wanted))")
        session.tool.say(
            JSONText.object {
                $0.field("brokers", raw: "[" + brokers.joined(separator: ",") + "]")
                $0.field("version", 1)
            })
    }

    private static func directory(of result: DescribeLogDirsResponse.DescribeLogDirsResult, _ topics: [String])
        -> String
    {
        var replicas: [(place: TopicPartition, text: String)] = []
        for topic in result.topics where topics.isEmpty || topics.contains(topic.name) {
            for partition in topic.partitions {
                let place = TopicPartition(topic.name, partition.partitionIndex)
                replicas.append(
                    (
                        place,
                        JSONText.object {
                            $0.field("partition", place.description)
                            $0.field("size", partition.partitionSize)
                            $0.field("offsetLag", partition.offsetLag)
                            $0.field("isFuture", raw: partition.isFutureKey ? "true" : "false")
                        }
                    ))
            }
        }
        replicas.sort { $0.place < $1.place }
        return JSONText.object {
            $0.field("partitions", raw: "[" + replicas.map(\.text).joined(separator: ",") + "]")
            if result.errorCode == .none {
                $0.field("error", raw: "null")
            } else {
                $0.field("error", result.errorCode.exceptionName)
            }
            $0.field("logDir", result.logDir)
        }
    }

    private static func list(_ brokers: [Int32]) -> String { brokers.map(String.init).joined(separator: ",") }
}
