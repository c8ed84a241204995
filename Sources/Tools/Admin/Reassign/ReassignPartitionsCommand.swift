import ClusterModel
import Configuration
import Controller
import KafkaProtocol
import Platform

/// `kafka-reassign-partitions`: moves replicas to other brokers, slowly when asked to, and back.
package enum ReassignPartitionsCommand {
    static let help = HelpText(
        "Move replicas between brokers, and between the directories of a broker.",
        examples: [
            "kafka-reassign-partitions.sh --bootstrap-server localhost:9092 --generate --topics-to-move-json-file t.json "
                + "--broker-list 0,1,2",
            "kafka-reassign-partitions.sh --bootstrap-server localhost:9092 --execute --reassignment-json-file r.json "
                + "--throttle 10000000",
            "kafka-reassign-partitions.sh --bootstrap-server localhost:9092 --verify --reassignment-json-file r.json",
        ],
        options: [
            .bootstrap,
            .flag("generate", help: "Propose where topics could lie; changes nothing."),
            .flag("execute", help: "Begin the moves of a file."),
            .flag("verify", help: "Show how far they are, and take the throttles away once all are done."),
            .flag("cancel", help: "Stop the moves of a file and go back."),
            .flag("list", help: "Show every move under way."),
            .value(
                "reassignment-json-file", of: "FILE",
                help: "{\"partitions\": [{\"topic\": \"orders\", \"partition\": 0, \"replicas\": [1,2,3], "
                    + "\"log_dirs\": [\"any\",\"any\",\"any\"]}], \"version\": 1}"),
            .value(
                "topics-to-move-json-file", of: "FILE",
                help: "With --generate: {\"topics\": [{\"topic\": \"orders\"}], \"version\": 1}"),
            .value("broker-list", of: "N,N", help: "With --generate: the brokers to lie on."),
            .flag("disable-rack-aware", help: "With --generate: pay no attention to racks."),
            .value("throttle", of: "BYTES", help: "Bytes a second that moves between brokers may take of each."),
            .value(
                "replica-alter-log-dirs-throttle", of: "BYTES",
                help: "Bytes a second that moves between directories may take of each broker."),
            .flag("additional", help: "Although moves are under way; also to change the throttle."),
            .flag("preserve-throttles", help: "With --verify and --cancel: leave throttles alone."),
            .value(
                "timeout", of: "MS", help: "How long to wait for moves between directories to begin (default 10000)."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .helpFlag, .versionFlag,
        ])

    static let actions = ["generate", "execute", "verify", "cancel", "list"]

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.admin(arguments, help, tool, call: "alterPartitionReassignments") { line throws(CommandLineError) in
            try line.requireServer(tool)
            try check(line)
        } _: { line, session in
            do {
                switch actions.first(where: { line.has($0) }) {
                case "generate": try generate(line, session)
                case "execute": try Reassigning(session).execute(line, plan(line, tool))
                case "verify":
                    try Reassigning(session).verify(plan(line, tool), keepThrottles: line.has("preserve-throttles"))
                case "cancel":
                    try Reassigning(session).cancel(plan(line, tool), keepThrottles: line.has("preserve-throttles"))
                default: try list(session)
                }
            } catch let failure as ToolFailure {
                // On stdout, as scripts expect it.
                tool.say(failure.message)
                return failure.status
            } catch let refusal as ConfigRefusal {
                tool.say("Error: \(refusal)")
                return 1
            }
            return 0
        }
    }

    private static func check(_ line: CommandLine) throws(CommandLineError) {
        guard actions.count(where: { line.has($0) }) == 1, let action = actions.first(where: { line.has($0) }) else {
            throw CommandLineError(
                "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list")
        }
        let needs = [
            "generate": ["topics-to-move-json-file", "broker-list"], "execute": ["reassignment-json-file"],
            "verify": ["reassignment-json-file"], "cancel": ["reassignment-json-file"],
        ]
        for option in needs[action] ?? [] { try line.require(option) }
        let fits = [
            "throttle": ["execute"], "replica-alter-log-dirs-throttle": ["execute"], "additional": ["execute"],
            "preserve-throttles": ["verify", "cancel"], "disable-rack-aware": ["generate"], "broker-list": ["generate"],
            "topics-to-move-json-file": ["generate"], "timeout": ["execute"],
            "reassignment-json-file": ["execute", "verify", "cancel"],
        ]
        for (option, allowed) in fits.sorted(by: { $0.key < $1.key })
        where line.has(option) && !allowed.contains(action) {
            throw CommandLineError("Option \"[\(option)]\" can't be used with action \"[\(action)]\"")
        }
        for option in ["throttle", "replica-alter-log-dirs-throttle"] {
            if let bytes = try line.integer(option), bytes < 0 {
                throw CommandLineError("Option \(option) wants a number of bytes a second")
            }
        }
    }

    private static func plan(_ line: CommandLine, _ tool: any ToolWorld) throws -> ReassignmentPlan {
        try ReassignmentPlan(PartitionList.read(line.value("reassignment-json-file") ?? "", tool))
    }

    // MARK: Generate

    private static func generate(_ line: CommandLine, _ session: ClusterSession) throws {
        let path = try line.value("topics-to-move-json-file") ?? ""
        guard let items = try PartitionList.parse(path, session.tool)["topics"]?.array else {
            throw ToolFailure("Error: \(path): there is no list \"topics\" in it")
        }
        let names = items.compactMap { $0["topic"]?.string }
        guard Set(names).count == names.count else {
            throw ToolFailure(
                "Error: List of topics to reassign contains duplicate entries: \(names.sorted().joined(separator: ","))"
            )
        }
        let brokers = try (line.value("broker-list") ?? "").split(separator: ",").map { word throws(ToolFailure) in
            guard let id = Int32(trimmed(word)) else { throw ToolFailure("Error: For input string: \"\(word)\"") }
            return id
        }
        guard Set(brokers).count == brokers.count else {
            throw ToolFailure("Error: Broker list contains duplicate entries")
        }
        let metadata = try session.metadata()
        var topics: [String: [TopicPartition: [Int32]]] = [:]
        for name in names {
            guard let topic = metadata.topics.first(where: { $0.name == name }) else {
                throw ToolFailure("Error: \(ErrorCode.unknownTopicOrPartition.told("Topic \(name) not found."))")
            }
            for partition in topic.partitions {
                topics[name, default: [:]][TopicPartition(name, partition.partitionIndex)] = partition.replicaNodes
            }
        }
        let current = ReassignmentPlan(
            Dictionary(
                uniqueKeysWithValues: topics.values.flatMap { $0.map { ($0.key, ReassignmentPlan.Target($0.value)) } }))
        session.tool.say("Current partition replica assignment\n\(current.text)\n")
        let aware = !line.has("disable-rack-aware")
        let candidates = brokers.map { id in
            ReplicaPlacement.Candidate(
                BrokerID(id), rack: aware ? metadata.brokers.first { $0.nodeID == id }?.rack : nil)
        }
        let racked = candidates.count { $0.rack != nil }
        guard racked == 0 || racked == candidates.count else {
            throw ToolFailure(
                "Error: Not all brokers have rack information. Add --disable-rack-aware in command line to make replica "
                    + "assignment without rack information.")
        }
        let proposed = try ReassignmentPlan.generated(topics: topics, over: candidates) { count in
            Int(session.tool.world.random() % UInt64(max(count, 1)))
        }
        session.tool.say("Proposed partition reassignment configuration\n\(proposed.text)")
    }

    // MARK: List

    private static func list(_ session: ClusterSession) throws {
        let ongoing = try Reassigning(session).ongoing()
        guard !ongoing.isEmpty else { return session.tool.say("No partition reassignments found.") }
        session.tool.say("Current partition reassignments:")
        func text(_ ids: [Int32]) -> String { ids.map(String.init).joined(separator: ",") }
        for (place, move) in ongoing.sorted(by: { $0.key < $1.key }) {
            var line = "\(place): replicas: \(text(move.replicas))."
            if !move.adding.isEmpty { line += " adding: \(text(move.adding))." }
            if !move.removing.isEmpty { line += " removing: \(text(move.removing))." }
            session.tool.say(line)
        }
    }
}
