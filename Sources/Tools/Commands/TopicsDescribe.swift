import Bytes
import KafkaProtocol

extension TopicsCommand {
    /// A topic's overrides, in the order the broker tells them, and its `min.insync.replicas`.
    private struct TopicSettings {
        var overrides: [(name: String, value: String)] = []
        var minInSync = 1
    }

    static func describe(_ line: CommandLine, _ session: ClusterSession) throws {
        let response = try session.metadata()
        let living = Set(response.brokers.map(\.nodeID))
        let filter = try line.value("topic").map { text throws(ToolFailure) in try TopicFilter(text) }
        var wantedID: UUID128?
        if let text = try line.value("topic-id") {
            guard let id = UUID128(text: text) else { throw ToolFailure("\(text) is not a topic id") }
            wantedID = id
        }
        let topics = response.topics.filter { topic in
            guard let name = topic.name, !(topic.isInternal && line.has("exclude-internal")) else { return false }
            if let wantedID { return topic.topicID == wantedID }
            return filter.map { $0.matches(name) } ?? true
        }.sorted { ($0.name ?? "") < ($1.name ?? "") }
        if topics.isEmpty, !line.has("if-exists") {
            if let wantedID { throw ToolFailure("TopicId '\(wantedID.text)' does not exist as expected") }
            if let name = try line.value("topic") {
                throw ToolFailure("Topic 'Optional[\(name)]' does not exist as expected")
            }
        }
        if topics.isEmpty { return }
        let settings = try settings(of: topics.compactMap(\.name), session)

        let filters = [
            "under-replicated-partitions", "unavailable-partitions", "under-min-isr-partitions",
            "at-min-isr-partitions",
        ].filter { line.has($0) }
        let onlyOverrides = line.has("topics-with-overrides")
        var lines: [String] = []
        for topic in topics {
            let name = topic.name ?? ""
            let known = settings[name] ?? TopicSettings()
            if filters.isEmpty, !onlyOverrides || !known.overrides.isEmpty {
                let copies = topic.partitions.first?.replicaNodes.count ?? 0
                let configs = known.overrides.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
                lines.append(
                    "Topic: \(name)\tTopicId: \(topic.topicID.text)\tPartitionCount: \(topic.partitions.count)\t"
                        + "ReplicationFactor: \(copies)\tConfigs: \(configs)")
            }
            if onlyOverrides { continue }
            for partition in topic.partitions.sorted(by: { $0.partitionIndex < $1.partitionIndex }) {
                let inSync = partition.isrNodes.count
                let hasLeader = partition.leaderID >= 0 && living.contains(partition.leaderID)
                let isShown =
                    filters.isEmpty
                    || filters.contains { filter in
                        switch filter {
                        case "under-replicated-partitions": inSync < partition.replicaNodes.count
                        case "unavailable-partitions": !hasLeader
                        case "under-min-isr-partitions": !hasLeader || inSync < known.minInSync
                        default: inSync == known.minInSync
                        }
                    }
                guard isShown else { continue }
                func list(_ brokers: [Int32]) -> String { brokers.map(String.init).joined(separator: ",") }
                lines.append(
                    "\tTopic: \(name)\tPartition: \(partition.partitionIndex)\t"
                        + "Leader: \(hasLeader ? String(partition.leaderID) : "none")\t"
                        + "Replicas: \(list(partition.replicaNodes))\tIsr: \(list(partition.isrNodes))\t"
                        + "Elr: N/A\tLastKnownElr: N/A")
            }
        }
        if !lines.isEmpty { session.tool.say(lines.joined(separator: "\n")) }
    }

    private static func settings(
        of names: [String], _ session: ClusterSession
    ) throws -> [String: TopicSettings] {
        var request = DescribeConfigsRequest()
        request.resources = names.map { name in
            .with {
                $0.resourceType = 2
                $0.resourceName = name
                $0.configurationKeys = nil
            }
        }
        let response = try session.ask(.anyBroker, request)
        var found: [String: TopicSettings] = [:]
        for result in response.results where result.errorCode == .none {
            var settings = TopicSettings()
            for config in result.configs {
                // 1: set on the topic itself.
                if config.configSource == 1 { settings.overrides.append((config.name, config.value ?? "")) }
                if config.name == "min.insync.replicas", let value = config.value.flatMap({ Int($0) }) {
                    settings.minInSync = value
                }
            }
            found[result.resourceName] = settings
        }
        return found
    }
}
