import Bytes
import Configuration
import KafkaClient
import KafkaProtocol

/// `kafka-topics`: creates, lists, describes, alters and deletes topics.
package enum TopicsCommand {
    static let help = HelpText(
        "Create, delete, describe, or change a topic.",
        examples: [
            "kafka-topics.sh --bootstrap-server localhost:9092 --create --topic orders --partitions 3",
            "kafka-topics.sh --bootstrap-server localhost:9092 --list",
            "kafka-topics.sh --bootstrap-server localhost:9092 --describe --topic orders",
            "kafka-topics.sh --bootstrap-server localhost:9092 --alter --topic orders --partitions 6",
        ],
        options: [
            .value("bootstrap-server", of: "HOST:PORT", help: "The broker to ask first; several with commas."),
            .value(
                "zookeeper", of: "HOST:PORT", help: "The coordinator, as tutorials before Kafka 3 have it.",
                hidden: true),
            .flag("create", help: "Create a topic."),
            .flag("list", help: "List topics."),
            .flag("describe", help: "Show partitions, leaders, replicas and overrides of topics."),
            .flag("alter", help: "Raise the number of partitions."),
            .flag("delete", help: "Delete topics."),
            .value("topic", of: "NAME", help: "The topic; except with --create a regular expression."),
            .value("topic-id", of: "ID", help: "Describe the topic with this id."),
            .value("partitions", of: "N", help: "How many partitions, in all; the broker's default when left out."),
            .value("replication-factor", of: "N", help: "How many copies of each; the broker's default when left out."),
            .value(
                "replica-assignment", of: "B:B,B:B",
                help: "Brokers of each partition's replicas, the preferred leader first: 0:1,1:2 for two partitions."),
            .value("config", of: "KEY=VALUE", help: "An override for the topic being created; may be repeated."),
            .value("delete-config", of: "KEY", help: "Not supported; kafka-configs changes topics.", hidden: true),
            .flag("if-exists", help: "Alter, describe, delete: a topic that is missing is no error."),
            .flag("if-not-exists", help: "Create: a topic that exists is no error."),
            .flag("exclude-internal", help: "List, describe: leave out internal topics."),
            .flag(
                "under-replicated-partitions",
                help: "Describe only partitions with fewer replicas in sync than assigned."),
            .flag("unavailable-partitions", help: "Describe only partitions without a living leader."),
            .flag(
                "under-min-isr-partitions",
                help: "Describe only partitions with fewer in sync than min.insync.replicas."),
            .flag("at-min-isr-partitions", help: "Describe only partitions with just min.insync.replicas in sync."),
            .flag("topics-with-overrides", help: "Describe only topics with overrides, without their partitions."),
            .value("partition-size-limit-per-response", of: "N", help: "Accepted, without effect.", hidden: true),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .flag("help", help: "This."),
            .flag("version", help: "The version of Kafka that this tool's words are from."),
        ])

    static let actions = ["list", "describe", "create", "alter", "delete"]

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(arguments, help, tool) { line throws(ToolFailure) in
            guard actions.count(where: { line.has($0) }) == 1 else {
                throw ToolFailure.usage(
                    "Command must include exactly one action: --list, --describe, --create, --alter or --delete", help)
            }
            try check(line)
            let session = try ToolRun.open(line, tool, clientID: "adminclient-1")
            do {
                if line.has("create") {
                    try create(line, session)
                } else if line.has("list") {
                    try list(line, session)
                } else if line.has("describe") {
                    try describe(line, session)
                } else if line.has("alter") {
                    try alter(line, session)
                } else {
                    try delete(line, session)
                }
                return 0
            } catch let error as ToolFailure {
                // On stdout, as scripts expect it.
                tool.say("Error while executing topic command : \(error.message)")
                return error.status
            } catch let error as ClusterError {
                let call = line.has("create") ? "createTopics" : line.has("delete") ? "deleteTopics" : "listTopics"
                tool.say("Error while executing topic command : \(session.told(error, call: call))")
                return 1
            } catch let error as CommandLineError {
                throw ToolFailure.usage(error.message, help)
            } catch {
                throw ToolFailure("\(error)")
            }
        }
    }

    /// Which options go with which action.
    private static func check(_ line: CommandLine) throws(ToolFailure) {
        do throws(CommandLineError) {
            if !line.has("list"), !line.has("describe") { try line.require("topic") }
            if line.has("alter") {
                if line.has("config") {
                    throw CommandLineError(
                        "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\" "
                            + "(the kafka-configs CLI supports altering topic configs with a --bootstrap-server option)"
                    )
                }
                try line.require("partitions")
            }
            let fits: [(option: String, actions: [String])] = [
                ("config", ["create"]), ("delete-config", []), ("partitions", ["create", "alter"]),
                ("replication-factor", ["create"]), ("replica-assignment", ["create", "alter"]),
                ("under-replicated-partitions", ["describe"]), ("unavailable-partitions", ["describe"]),
                ("under-min-isr-partitions", ["describe"]), ("at-min-isr-partitions", ["describe"]),
                ("topics-with-overrides", ["describe"]), ("topic-id", ["describe"]),
                ("if-exists", ["alter", "describe", "delete"]), ("if-not-exists", ["create"]),
                ("exclude-internal", ["list", "describe"]),
            ]
            for (option, allowed) in fits where line.has(option) {
                if let action = actions.first(where: { line.has($0) }), !allowed.contains(action) {
                    throw CommandLineError("Option \"[\(option)]\" can't be used with option \"[\(action)]\"")
                }
            }
            if line.has("create"), line.has("replica-assignment") {
                for other in ["partitions", "replication-factor"] where line.has(other) {
                    throw CommandLineError("Option \"[replica-assignment]\" can't be used with option \"[\(other)]\"")
                }
            }
        } catch {
            throw ToolFailure.usage(error.message, help)
        }
    }

    // MARK: Create

    private static func create(_ line: CommandLine, _ session: ClusterSession) throws {
        var topic = CreateTopicsRequest.CreatableTopic()
        topic.name = try line.value("topic") ?? ""
        topic.numPartitions = -1
        topic.replicationFactor = -1
        if let text = try line.value("replica-assignment") {
            for (partition, brokers) in try assignment(text).enumerated() {
                topic.assignments.append(
                    .with {
                        $0.partitionIndex = Int32(partition)
                        $0.brokerIDs = brokers
                    })
            }
        }
        for pair in line.all("config") {
            guard let equals = pair.firstIndex(of: "=") else {
                throw ToolFailure(
                    "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\"."
                )
            }
            topic.configs.append(
                .with {
                    $0.name = trimmed(pair[..<equals])
                    $0.value = trimmed(pair[pair.index(after: equals)...])
                })
        }
        if topic.name.contains(where: { $0 == "." || $0 == "_" }) {
            session.tool.say(
                "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. "
                    + "To avoid issues it is best to use either, but not both.")
        }
        if let factor = try line.integer("replication-factor") {
            guard let factor = Int16(exactly: factor), factor >= 1 else {
                throw ToolFailure("The replication factor must be between 1 and 32767 inclusive")
            }
            topic.replicationFactor = factor
        }
        if let count = try line.integer("partitions") {
            guard let count = Int32(exactly: count), count >= 1 else {
                throw ToolFailure("The partitions must be greater than 0")
            }
            topic.numPartitions = count
        }
        var request = CreateTopicsRequest()
        request.topics = [topic]
        request.timeoutMs = 25_000
        let response = try session.ask(.controller, request) { response in
            response.topics.first.map(\.errorCode).flatMap { $0 == .notController ? $0 : nil }
        }
        guard let result = response.topics.first else { throw ToolFailure("the broker did not say what became of it") }
        if result.errorCode == .topicAlreadyExists, line.has("if-not-exists") { return }
        guard result.errorCode == .none else { throw ToolFailure(result.errorMessage ?? result.errorCode.description) }
        session.tool.say("Created topic \(topic.name).")
    }

    /// `0:1,1:2`: a list of brokers a partition.
    static func assignment(_ text: String) throws(ToolFailure) -> [[Int32]] {
        var partitions: [[Int32]] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            var brokers: [Int32] = []
            for word in part.split(separator: ":", omittingEmptySubsequences: false) {
                guard let broker = Int32(trimmed(word)) else {
                    throw ToolFailure("For input string: \"\(word)\" in --replica-assignment; it is written 0:1,1:2")
                }
                if brokers.contains(broker) {
                    throw ToolFailure("Partition replica lists may not contain duplicate entries: \(broker)")
                }
                brokers.append(broker)
            }
            if let first = partitions.first, first.count != brokers.count {
                throw ToolFailure("Partition \(partitions.count) has different replication factor: \(brokers.count)")
            }
            partitions.append(brokers)
        }
        return partitions
    }

    // MARK: List, alter, delete

    /// All topics that the words ask for, by name.
    private static func chosen(
        _ line: CommandLine, _ session: ClusterSession
    ) throws -> [MetadataResponse.MetadataResponseTopic] {
        let filter = try line.value("topic").map { text throws(ToolFailure) in try TopicFilter(text) }
        let excludeInternal = line.has("exclude-internal")
        return try session.metadata().topics.filter { topic in
            guard let name = topic.name, !(excludeInternal && topic.isInternal) else { return false }
            return filter.map { $0.matches(name) } ?? true
        }.sorted { ($0.name ?? "") < ($1.name ?? "") }
    }

    private static func mustExist(
        _ topics: [MetadataResponse.MetadataResponseTopic], _ line: CommandLine
    ) throws {
        if topics.isEmpty, !line.has("if-exists"), let name = try line.value("topic") {
            throw ToolFailure("Topic 'Optional[\(name)]' does not exist as expected")
        }
    }

    private static func list(_ line: CommandLine, _ session: ClusterSession) throws {
        let names = try chosen(line, session).compactMap(\.name)
        if !names.isEmpty { session.tool.say(names.joined(separator: "\n")) }
    }

    private static func alter(_ line: CommandLine, _ session: ClusterSession) throws {
        guard let count = try line.integer("partitions"), let count = Int32(exactly: count) else {
            throw CommandLineError("Missing required argument \"[partitions]\"")
        }
        let topics = try chosen(line, session)
        try mustExist(topics, line)
        var request = CreatePartitionsRequest()
        request.timeoutMs = 25_000
        for topic in topics {
            var change = CreatePartitionsRequest.CreatePartitionsTopic()
            change.name = topic.name ?? ""
            change.count = count
            change.assignments = nil
            if let text = try line.value("replica-assignment") {
                // The first lists are those of the partitions that exist.
                change.assignments = try assignment(text).dropFirst(topic.partitions.count).map { brokers in
                    .with { $0.brokerIDs = brokers }
                }
            }
            request.topics.append(change)
        }
        if request.topics.isEmpty { return }
        let response = try session.ask(.controller, request) { response in
            response.results.first.map(\.errorCode).flatMap { $0 == .notController ? $0 : nil }
        }
        for result in response.results where result.errorCode != .none {
            throw ToolFailure(result.errorMessage ?? result.errorCode.description)
        }
    }

    private static func delete(_ line: CommandLine, _ session: ClusterSession) throws {
        let topics = try chosen(line, session)
        try mustExist(topics, line)
        if topics.isEmpty { return }
        var request = DeleteTopicsRequest()
        request.topicNames = topics.compactMap(\.name)
        request.timeoutMs = 25_000
        // By name: later versions carry ids beside them, in a field of their own.
        let response = try session.ask(.controller, request, atMost: 5) { response in
            response.responses.first.map(\.errorCode).flatMap { $0 == .notController ? $0 : nil }
        }
        for result in response.responses where result.errorCode != .none {
            if result.errorCode == .unknownTopicOrPartition, line.has("if-exists") { continue }
            throw ToolFailure(result.errorMessage ?? "\(result.name ?? ""): \(result.errorCode)")
        }
    }
}
