import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// `status`: is the cluster well? One look, or waiting until it is.
package enum StatusCommand {
    static let help = HelpText(
        "Tell whether coordinator and brokers are well: who is there, who is controller, what is offline, who lags.",
        examples: ["status.sh", "status.sh --wait 30 --brokers 3", "status.sh --json"],
        options: [
            .value("zookeeper", of: "HOST:PORT", help: "The coordinator (default localhost:2181)."),
            .value("brokers", of: "N", help: "How many brokers there should be."),
            .optional("wait", of: "SECONDS", help: "Wait until all is well, at most so long (default 60)."),
            .flag("json", help: "One JSON object, for programs."),
            .helpFlag,
        ])

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        // No words are fine here.
        ToolRun.guarded(arguments + ["--"], help, tool) { line throws(ToolFailure) in
            let coordinator: String
            let expected: Int?
            let patience: Int
            do throws(CommandLineError) {
                coordinator = try line.value("zookeeper") ?? "localhost:2181"
                expected = try line.integer("brokers")
                patience = try line.integer("wait") ?? 60
            } catch {
                throw ToolFailure.usage(error.message, help)
            }
            let deadline = tool.world.clock.now + .seconds(line.has("wait") ? Int64(clamping: max(patience, 0)) : 0)
            while true {
                let health = look(coordinator, expected, tool, patience: line.has("wait") ? .seconds(1) : .seconds(3))
                if health.verdict == .healthy || tool.world.clock.now >= deadline {
                    tool.say(line.has("json") ? health.json : health.lines.joined(separator: "\n"))
                    return health.verdict.rawValue
                }
                tool.run(until: { false }, atMost: .milliseconds(200))
            }
        }
    }

    private static func look(
        _ coordinator: String, _ expected: Int?, _ tool: any ToolWorld, patience: Duration
    ) -> ClusterHealth {
        var health = ClusterHealth(coordinator: coordinator, expectedBrokers: expected)
        do throws(ToolFailure) {
            let known = try CoordinatorLookup.read(coordinator, tool, patience: patience)
            health.brokers = known.brokers
            health.controller = known.controller
        } catch {
            health.coordinatorTrouble = error.message
        }
        guard !health.brokers.isEmpty else { return health }
        do {
            let session = try ClusterSession(
                tool, bootstrap: health.brokers.map(\.address).joined(separator: ","), clientID: "status",
                patience: patience)
            session.isQuiet = true
            try ask(session, &health)
        } catch let error as ClusterError {
            health.brokerTrouble = ClusterSession.advice(error) ?? "no broker answers: \(error)"
        } catch let error as ToolFailure {
            health.brokerTrouble = error.message
        } catch {
            health.brokerTrouble = "\(error)"
        }
        return health
    }

    private static func ask(_ session: ClusterSession, _ health: inout ClusterHealth) throws {
        let topics = try session.metadata().topics
        health.topics = topics.count
        session.patience = .seconds(1)
        for broker in health.brokers {
            // Any answer will do.
            do { _ = try session.ask(.broker(broker.id), DescribeClusterRequest()) } catch {
                health.silent.append(broker.id)
            }
        }
        for topic in topics {
            for partition in topic.partitions {
                let place = TopicPartition(topic.name ?? "", partition.partitionIndex)
                health.partitions += 1
                if partition.leaderID < 0 { health.offline.append(place) }
                if partition.isrNodes.count < partition.replicaNodes.count { health.underReplicated.append(place) }
            }
        }
        health.offline.sort()
        health.underReplicated.sort()
        // Lags are an extra: what cannot be asked for now is left out.
        let offline = Set(health.offline)
        health.lags = (try? lags(session, without: offline)) ?? []
    }

    private static func lags(_ session: ClusterSession, without offline: Set<TopicPartition>) throws -> [ClusterHealth
        .Lag]
    {
        let groups = GroupsAdmin(session: session)
        var committed: [String: [TopicPartition: Int64]] = [:]
        for group in try groups.list(states: [], types: []) { committed[group.name] = try groups.committed(group.name) }
        let places = Set(committed.values.flatMap(\.keys)).subtracting(offline).sorted()
        guard !places.isEmpty else { return [] }
        let ends = try groups.offsets(of: places, at: -1)
        var lags: [ClusterHealth.Lag] = []
        for (group, offsets) in committed {
            for (topic, places) in Dictionary(grouping: offsets.keys, by: \.topic) {
                let records = places.reduce(into: Int64(0)) { sum, place in
                    if let end = ends[place], let offset = offsets[place] { sum += max(end - offset, 0) }
                }
                if records > 0 { lags.append(ClusterHealth.Lag(group: group, topic: topic, records: records)) }
            }
        }
        return lags.sorted { ($1.records, $0.group, $0.topic) < ($0.records, $1.group, $1.topic) }
    }
}
