import ClusterModel

/// What was found out about a cluster, and what follows from it. No calls.
struct ClusterHealth: Equatable {
    enum Verdict: Int32 {
        case healthy = 0
        case degraded = 1
        case down = 2
    }

    struct Lag: Equatable {
        var group: String
        var topic: String
        var records: Int64
    }

    var coordinator: String
    /// Why the coordinator could not be asked; nil when it answered.
    var coordinatorTrouble: String?
    var brokers: [CoordinatorLookup.Broker] = []
    /// How many there should be; nil when nobody said.
    var expectedBrokers: Int?
    var controller: Int32?
    /// Why no broker could be asked; nil when one answered.
    var brokerTrouble: String?
    /// Registered, but they do not answer.
    var silent: [Int32] = []
    var topics = 0
    var partitions = 0
    var offline: [TopicPartition] = []
    var underReplicated: [TopicPartition] = []
    /// The largest first.
    var lags: [Lag] = []

    /// What is wrong, the worst first; empty when nothing is.
    var troubles: [String] {
        var troubles: [String] = []
        if let coordinatorTrouble { troubles.append(coordinatorTrouble) }
        if coordinatorTrouble == nil, brokers.isEmpty {
            troubles.append(
                "no broker is registered; start one: scripts/kafka-server-start.sh config/server.properties")
        }
        if let brokerTrouble, !brokers.isEmpty { troubles.append(brokerTrouble) }
        if let expectedBrokers, brokers.count < expectedBrokers, !brokers.isEmpty {
            troubles.append("\(brokers.count) of \(expectedBrokers) brokers are registered")
        }
        for broker in silent { troubles.append("broker \(broker) is registered and does not answer") }
        if coordinatorTrouble == nil, !brokers.isEmpty, controller == nil {
            troubles.append("no broker is controller at the moment")
        }
        if !offline.isEmpty { troubles.append("without a leader: \(ClusterHealth.some(offline))") }
        if !underReplicated.isEmpty {
            troubles.append("fewer replicas in sync than assigned: \(ClusterHealth.some(underReplicated))")
        }
        return troubles
    }

    var verdict: Verdict {
        if brokers.isEmpty || brokerTrouble != nil { return .down }
        return troubles.isEmpty ? .healthy : .degraded
    }

    private static func some(_ places: [TopicPartition]) -> String {
        let shown = places.prefix(5).map(\.description).joined(separator: ", ")
        return places.count > 5 ? "\(shown) and \(places.count - 5) more" : shown
    }

    var lines: [String] {
        func line(_ name: String, _ words: String) -> String {
            name + String(repeating: " ", count: max(13 - name.count, 1)) + words
        }
        var lines = [line("coordinator", coordinatorTrouble == nil ? coordinator : "\(coordinator)  ! does not answer")]
        if coordinatorTrouble == nil {
            lines.append(
                line(
                    "brokers",
                    brokers.isEmpty ? "none" : brokers.map { "\($0.id) \($0.address)" }.joined(separator: "   ")))
            lines.append(line("controller", controller.map { "broker \($0)" } ?? "none"))
        }
        if !brokers.isEmpty, brokerTrouble == nil {
            lines.append(
                line(
                    "partitions",
                    "\(partitions) in \(topics) topics, \(offline.count) offline, \(underReplicated.count) under-replicated"
                ))
            for (index, lag) in lags.prefix(5).enumerated() {
                lines.append(line(index == 0 ? "lag" : "", "\(lag.records)  group \(lag.group)  topic \(lag.topic)"))
            }
        }
        let word =
            switch verdict {
            case .healthy: "OK"
            case .degraded: "DEGRADED"
            case .down: "DOWN"
            }
        lines.append(line(word, troubles.isEmpty ? "nothing is amiss" : troubles.joined(separator: "; ")))
        return lines
    }

    var json: String {
        func list(_ places: [TopicPartition]) -> String {
            "[" + places.map { JSONText.quoted($0.description) }.joined(separator: ",") + "]"
        }
        return JSONText.object {
            $0.field("status", "\(verdict)")
            $0.field("troubles", troubles)
            $0.field("coordinator", coordinator)
            $0.field(
                "brokers",
                raw: "["
                    + brokers.map { broker in
                        JSONText.object {
                            $0.field("id", broker.id)
                            $0.field("address", broker.address)
                        }
                    }.joined(separator: ",") + "]")
            $0.field("silent", raw: "[" + silent.map(String.init).joined(separator: ",") + "]")
            $0.field("controller", raw: controller.map(String.init) ?? "null")
            $0.field("topics", topics)
            $0.field("partitions", partitions)
            $0.field("offline", raw: list(offline))
            $0.field("underReplicated", raw: list(underReplicated))
            $0.field(
                "lags",
                raw: "["
                    + lags.map { lag in
                        JSONText.object {
                            $0.field("group", lag.group)
                            $0.field("topic", lag.topic)
                            $0.field("records", lag.records)
                        }
                    }.joined(separator: ",") + "]")
        }
    }
}
