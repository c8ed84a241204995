import Configuration
import KafkaClient
import KafkaProtocol

/// `kafka-get-offsets`: one line a partition, `topic:partition:offset`.
package enum GetOffsetsCommand {
    static let help = HelpText(
        "An interactive shell for getting topic-partition offsets.",
        examples: [
            "kafka-get-offsets.sh --bootstrap-server localhost:9092 --topic orders",
            "kafka-get-offsets.sh --bootstrap-server localhost:9092 --topic orders --time earliest",
            "kafka-get-offsets.sh --bootstrap-server localhost:9092 --topic-partitions orders:0-2,letters",
        ],
        options: [
            .value("bootstrap-server", of: "HOST:PORT", help: "The broker to ask first; several with commas."),
            .value("broker-list", of: "HOST:PORT", help: "The old name of --bootstrap-server."),
            .value("topic", of: "REGEX", help: "Topics; all when left out. Not with --topic-partitions."),
            .value("partitions", of: "N,N", help: "Partition numbers; all when left out. Not with --topic-partitions."),
            .value(
                "topic-partitions", of: "LIST",
                help:
                    "Patterns with commas: topic:1, topic:0-3 (3 left out), topic:2-, topic:-3, topic, :0. Topics are regular "
                    + "expressions."),
            .value(
                "time", of: "TIME",
                help: "-1 or latest (the default), -2 or earliest, -3 or max-timestamp, -4 or earliest-local, -5 or "
                    + "latest-tiered, or the first offset at or after so many milliseconds since 1970."),
            .flag("exclude-internal-topics", help: "Leave out internal topics."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .flag("help", help: "This."),
            .flag("version", help: "The version of Kafka that this tool's words are from."),
        ])

    /// Which partitions one pattern means.
    struct Pattern {
        var topic: TopicFilter?
        var partitions: Range<Int32>

        /// `topic:1`, `topic:0-3`, `topic:2-`, `topic:-3`, `topic`, `:0`.
        init(_ text: some StringProtocol) throws(ToolFailure) {
            let wrong = ToolFailure("Invalid topic-partition pattern: \(text)")
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            topic = parts[0].isEmpty ? nil : try TopicFilter(String(parts[0]))
            partitions = 0..<Int32.max
            guard parts.count == 2, !parts[1].isEmpty else { return }
            let range = parts[1].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            func number(_ text: some StringProtocol, _ fallback: Int32) throws(ToolFailure) -> Int32 {
                if text.isEmpty { return fallback }
                guard let number = Int32(text), number >= 0 else { throw wrong }
                return number
            }
            let first = try number(range[0], 0)
            if range.count == 1 {
                guard first < Int32.max else { throw wrong }
                partitions = first..<(first + 1)
            } else {
                partitions = first..<max(first, try number(range[1], .max))
            }
        }

        func matches(_ topic: String, _ partition: Int32) -> Bool {
            partitions.contains(partition) && (self.topic?.matches(topic) ?? true)
        }
    }

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(arguments, help, tool) { line throws(ToolFailure) in
            do {
                if !line.has("bootstrap-server"), !line.has("broker-list"),
                    tool.environment("LETTERBOX_BOOTSTRAP") == nil
                {
                    throw CommandLineError("Missing required argument \"[bootstrap-server]\"")
                }
                let time = try timestamp(try line.value("time") ?? "latest")
                let patterns = try patterns(line)
                let session = try ToolRun.open(line, tool, clientID: "GetOffsetShell", older: "broker-list")
                do {
                    try show(patterns, time, excludeInternal: line.has("exclude-internal-topics"), session)
                } catch let error as ClusterError {
                    throw ToolFailure("Error occurred: \(session.told(error, call: "listTopics"))")
                }
                return 0
            } catch let error as CommandLineError {
                throw ToolFailure.usage(error.message, help)
            } catch let error as ToolFailure {
                throw error
            } catch {
                throw ToolFailure("\(error)")
            }
        }
    }

    static func timestamp(_ text: String) throws(ToolFailure) -> Int64 {
        switch text {
        case "latest": return -1
        case "earliest": return -2
        case "max-timestamp": return -3
        case "earliest-local": return -4
        case "latest-tiered": return -5
        default:
            guard let time = Int64(text) else {
                throw ToolFailure(
                    "Error occurred: Malformed time argument \(text). Please use -1 or latest / -2 or earliest / -3 or "
                        + "max-timestamp / -4 or earliest-local / -5 or latest-tiered, or a specified long format timestamp"
                )
            }
            return time
        }
    }

    private static func patterns(_ line: CommandLine) throws -> [Pattern] {
        if let text = try line.value("topic-partitions") {
            if line.has("topic") || line.has("partitions") {
                throw ToolFailure("--topic-partitions cannot be used with --topic or --partitions")
            }
            return try text.split(separator: ",").map { part throws(ToolFailure) in try Pattern(part) }
        }
        let topic = try line.value("topic") ?? ""
        guard let partitions = try line.value("partitions") else {
            var all = try Pattern("")
            all.topic = topic.isEmpty ? nil : try TopicFilter(topic)
            return [all]
        }
        return try partitions.split(separator: ",").map { text throws(ToolFailure) in
            guard let number = Int32(trimmed(text)), number >= 0, number < Int32.max else {
                throw ToolFailure(
                    "Error occurred: --partitions expects a comma separated list of numeric partition ids, but received: "
                        + partitions)
            }
            var pattern = try Pattern("")
            pattern.topic = topic.isEmpty ? nil : try TopicFilter(topic)
            pattern.partitions = number..<(number + 1)
            return pattern
        }
    }

    private struct Place: Hashable {
        var topic: String
        var partition: Int32
    }

    private static func show(
        _ patterns: [Pattern], _ time: Int64, excludeInternal: Bool, _ session: ClusterSession
    ) throws {
        var open: [Place] = []
        for topic in try session.metadata().topics {
            guard let name = topic.name, !(excludeInternal && topic.isInternal) else { continue }
            for partition in topic.partitions
            where patterns.contains(where: { $0.matches(name, partition.partitionIndex) }) {
                open.append(Place(topic: name, partition: partition.partitionIndex))
            }
        }
        if open.isEmpty {
            throw ToolFailure("Error occurred: Could not match any topic-partitions with the specified filters")
        }
        open.sort { $0.topic == $1.topic ? $0.partition < $1.partition : $0.topic < $1.topic }
        var offsets: [Place: Int64] = [:]
        var refused: [Place: ErrorCode] = [:]
        let deadline = session.deadline
        var waiting = open
        // Leaders move: what one refuses for now, its successor is asked for.
        while !waiting.isEmpty {
            refused = [:]
            var byLeader: [Int32: [Place]] = [:]
            for place in waiting {
                guard let leader = session.link.leader(of: place.topic, place.partition) else {
                    refused[place] = .leaderNotAvailable
                    continue
                }
                byLeader[leader, default: []].append(place)
            }
            for (leader, places) in byLeader.sorted(by: { $0.key < $1.key }) {
                let response = try session.ask(.broker(leader), request(places, time))
                for topic in response.topics {
                    for partition in topic.partitions {
                        let place = Place(topic: topic.name, partition: partition.partitionIndex)
                        if partition.errorCode == .none {
                            // Version 0 has a list.
                            offsets[place] = partition.oldStyleOffsets.first ?? partition.offset
                        } else {
                            refused[place] = partition.errorCode
                        }
                    }
                }
            }
            waiting = waiting.filter { refused[$0]?.isRetriable == true }
            guard !waiting.isEmpty, session.tool.world.clock.now < deadline else { break }
            session.tool.run(until: { false }, atMost: .milliseconds(100))
            _ = try session.metadata(of: Array(Set(waiting.map(\.topic))).sorted())
        }
        var lines: [String] = []
        for place in open {
            if let offset = offsets[place] {
                if offset >= 0 { lines.append("\(place.topic):\(place.partition):\(offset)") }
            } else {
                session.tool.warn(
                    "Skip getting offsets for topic-partition \(place.topic)-\(place.partition) due to error: "
                        + "\(refused[place] ?? .unknownServerError)")
            }
        }
        if !lines.isEmpty { session.tool.say(lines.joined(separator: "\n")) }
    }

    private static func request(_ places: [Place], _ time: Int64) -> ListOffsetsRequest {
        var request = ListOffsetsRequest()
        request.replicaID = -1
        for place in places {
            if request.topics.last?.name != place.topic { request.topics.append(.with { $0.name = place.topic }) }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partitionIndex = place.partition
                    $0.timestamp = time
                })
        }
        return request
    }
}
