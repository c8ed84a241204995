import ClusterModel
import KafkaProtocol

/// `kafka-leader-election`: gives partitions back to their preferred leaders, or a leader at any price.
package enum LeaderElectionCommand {
    static let help = HelpText(
        "Elect leaders: the preferred ones, or with unclean any replica that lives, at the price of records it lacks.",
        examples: [
            "kafka-leader-election.sh --bootstrap-server localhost:9092 --election-type preferred --all-topic-partitions",
            "kafka-leader-election.sh --bootstrap-server localhost:9092 --election-type preferred --topic orders --partition 0",
        ],
        options: [
            .bootstrap,
            .value("election-type", of: "TYPE", help: "preferred or unclean."),
            .value("topic", of: "NAME", help: "The topic; --partition goes with it."),
            .value("partition", of: "N", help: "The partition of --topic."),
            .flag("all-topic-partitions", help: "Every partition that needs it."),
            .value(
                "path-to-json-file", of: "FILE",
                help: "Partitions from a file: {\"partitions\": [{\"topic\": \"orders\", \"partition\": 0}]}"),
            .value("admin.config", of: "FILE", help: "Properties for the client."),
            .helpFlag, .versionFlag,
        ])

    private enum Scope {
        case all
        case these([TopicPartition])
    }

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.admin(arguments, help, tool, call: "electLeaders", configOption: "admin.config") {
            line throws(CommandLineError) in
            try line.requireServer(tool)
            try line.require("election-type")
            try check(line)
        } _: { line, session in
            let kind = try kind(line)
            return try elect(kind, try scope(line, tool), session)
        }
    }

    private static func check(_ line: CommandLine) throws(CommandLineError) {
        let scopes = ["topic", "all-topic-partitions", "path-to-json-file"]
        guard scopes.count(where: { line.has($0) }) == 1 else {
            throw CommandLineError(
                "One and only one of the following options is required: " + scopes.joined(separator: ", "))
        }
        if line.has("topic"), !line.has("partition") {
            throw CommandLineError("Missing required option(s): partition")
        }
        if line.has("partition"), !line.has("topic") {
            throw CommandLineError("Option partition is only allowed if topic is used")
        }
    }

    private static func kind(_ line: CommandLine) throws(CommandLineError) -> (name: String, code: Int8) {
        switch try line.value("election-type")?.lowercased() {
        case "preferred": return ("PREFERRED", 0)
        case "unclean": return ("UNCLEAN", 1)
        case let other:
            throw CommandLineError(
                "Cannot parse argument '\(other ?? "")' of option election-type: preferred or unclean")
        }
    }

    private static func scope(_ line: CommandLine, _ tool: any ToolWorld) throws -> Scope {
        if let topic = try line.value("topic") {
            guard let number = try line.integer("partition"), let partition = Int32(exactly: number), partition >= 0
            else { throw CommandLineError("Cannot parse argument of option partition") }
            return .these([TopicPartition(topic, partition)])
        }
        guard let path = try line.value("path-to-json-file") else { return .all }
        let entries = try PartitionList.read(path, tool)
        let doubles = PartitionList.doubles(entries)
        guard doubles.isEmpty else {
            throw ToolFailure("Replica election data contains duplicate partitions: \(PartitionList.joined(doubles))")
        }
        return .these(entries.map(\.place))
    }

    private static func elect(
        _ kind: (name: String, code: Int8), _ scope: Scope, _ session: ClusterSession
    ) throws -> Int32 {
        var request = ElectLeadersRequest()
        request.electionType = kind.code
        switch scope {
        case .all: request.topicPartitions = nil
        case .these(let places):
            request.topicPartitions = PartitionList.byTopic(places).map { topic, partitions in
                .with {
                    $0.topic = topic
                    $0.partitions = partitions
                }
            }
        }
        request.timeoutMs = 30_000
        session.patience = .seconds(40)
        let response = try session.ask(.controller, request) { $0.errorCode == .notController ? $0.errorCode : nil }
        guard response.errorCode == .none else { throw ToolFailure("Error: \(response.errorCode.told())") }

        var elected: [TopicPartition] = []
        var needless: [TopicPartition] = []
        var failed: [(TopicPartition, String)] = []
        for topic in response.replicaElectionResults {
            for partition in topic.partitionResult {
                let place = TopicPartition(topic.topic, partition.partitionID)
                switch partition.errorCode {
                case .none: elected.append(place)
                case .electionNotNeeded: needless.append(place)
                default: failed.append((place, partition.errorCode.told(partition.errorMessage)))
                }
            }
        }
        let tool = session.tool
        if !elected.isEmpty {
            tool.say(
                "Successfully completed leader election (\(kind.name)) for partitions \(PartitionList.joined(elected))")
        }
        if !needless.isEmpty {
            tool.say("Valid replica already elected for partitions \(PartitionList.joined(needless))")
        }
        for (place, words) in failed.sorted(by: { $0.0 < $1.0 }) {
            tool.say("Error completing leader election (\(kind.name)) for partition: \(place): \(words)")
        }
        guard failed.isEmpty else { throw ToolFailure("\(failed.count) replica(s) could not be elected") }
        return 0
    }
}
