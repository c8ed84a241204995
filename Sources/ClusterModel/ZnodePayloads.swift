import Bytes

/// `/brokers/ids/N`, version 5. Readers accept 1 to 5.
package struct BrokerRegistration: Equatable, Sendable {
    package var endpoints: [Endpoint]
    /// Which security protocol each listener name speaks.
    package var protocols: [(listener: String, protocol: String)]
    package var rack: String?
    package var timestampMs: Int64

    package init(
        endpoints: [Endpoint], protocols: [(listener: String, protocol: String)], rack: String?, timestampMs: Int64
    ) {
        self.endpoints = endpoints
        self.protocols = protocols
        self.rack = rack
        self.timestampMs = timestampMs
    }

    package static func == (a: BrokerRegistration, b: BrokerRegistration) -> Bool {
        a.endpoints == b.endpoints && a.rack == b.rack && a.timestampMs == b.timestampMs
            && a.protocols.map(\.listener) == b.protocols.map(\.listener)
            && a.protocols.map(\.protocol) == b.protocols.map(\.protocol)
    }

    package var payload: [UInt8] {
        // `host` and `port` are for readers of version 1: the first plaintext endpoint, or nobody.
        let plain = endpoints.first { endpoint in
            protocols.contains { $0.listener == endpoint.listener && $0.protocol == "PLAINTEXT" }
        }
        let text = JSONText.object { json in
            json.field("features", raw: "{}")
            json.field(
                "listener_security_protocol_map",
                raw: JSONText.object { map in for entry in protocols { map.field(entry.listener, entry.protocol) } })
            json.field("endpoints", endpoints.map(\.description))
            json.field("jmx_port", -1)
            json.field("port", plain?.port ?? -1)
            json.field("host", raw: plain.map { JSONText.quoted($0.host) } ?? "null")
            json.field("version", 5)
            json.field("timestamp", "\(timestampMs)")
            if let rack { json.field("rack", rack) }
        }
        return [UInt8](text.utf8)
    }

    private struct Shape: Decodable {
        var version: Int?
        var host: String?
        var port: Int32?
        var endpoints: [String]?
        var listener_security_protocol_map: [String: String]?
        var rack: String?
        var timestamp: String?
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let shape = try JSONText.decode(Shape.self, payload, "a broker's registration")
        if let texts = shape.endpoints {
            endpoints = []
            for text in texts {
                guard let endpoint = Endpoint(text) else { throw PayloadError("a broker's registration names the endpoint \(text)") }
                endpoints.append(endpoint)
            }
        } else {
            guard let host = shape.host, let port = shape.port else { throw PayloadError("a broker's registration has no endpoint") }
            endpoints = [Endpoint(listener: "PLAINTEXT", host: host, port: port)]
        }
        let map = shape.listener_security_protocol_map ?? [:]
        protocols = endpoints.map { (listener: $0.listener, protocol: map[$0.listener] ?? $0.listener) }
        rack = shape.rack
        timestampMs = shape.timestamp.flatMap { Int64($0) } ?? -1
    }

    package func endpoint(_ listener: String) -> Endpoint? { endpoints.first { $0.listener == listener } }
}

/// `/brokers/topics/T`, version 3: which brokers hold each partition, the preferred leader first.
package struct TopicAssignment: Equatable, Sendable {
    /// Nil for topics older than topic ids; the controller gives them one.
    package var topicID: UUID128?
    package var replicas: [Int32: [BrokerID]]
    package var adding: [Int32: [BrokerID]] = [:]
    package var removing: [Int32: [BrokerID]] = [:]

    package init(
        topicID: UUID128?, replicas: [Int32: [BrokerID]], adding: [Int32: [BrokerID]] = [:],
        removing: [Int32: [BrokerID]] = [:]
    ) {
        self.topicID = topicID
        self.replicas = replicas
        self.adding = adding
        self.removing = removing
    }

    private static func map(_ replicas: [Int32: [BrokerID]]) -> String {
        JSONText.object { json in
            for partition in replicas.keys.sorted() { json.field("\(partition)", ids: replicas[partition] ?? []) }
        }
    }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("partitions", raw: TopicAssignment.map(replicas))
            if let topicID { json.field("topic_id", topicID.text) }
            json.field("adding_replicas", raw: TopicAssignment.map(adding))
            json.field("removing_replicas", raw: TopicAssignment.map(removing))
            json.field("version", 3)
        }
        return [UInt8](text.utf8)
    }

    private struct Shape: Decodable {
        var partitions: [String: [BrokerID]]
        var topic_id: String?
        var adding_replicas: [String: [BrokerID]]?
        var removing_replicas: [String: [BrokerID]]?
    }

    private static func numbered(_ map: [String: [BrokerID]]?) throws(PayloadError) -> [Int32: [BrokerID]] {
        var numbered: [Int32: [BrokerID]] = [:]
        for (key, brokers) in map ?? [:] {
            guard let partition = Int32(key), partition >= 0 else { throw PayloadError("a topic's assignment has the partition \(key)") }
            numbered[partition] = brokers
        }
        return numbered
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let shape = try JSONText.decode(Shape.self, payload, "a topic's assignment")
        topicID = shape.topic_id.flatMap { UUID128(text: $0) }
        replicas = try TopicAssignment.numbered(shape.partitions)
        adding = try TopicAssignment.numbered(shape.adding_replicas)
        removing = try TopicAssignment.numbered(shape.removing_replicas)
    }
}

/// `/brokers/topics/T/partitions/P/state`. The znode's version is the partition epoch.
package struct PartitionState: Equatable, Sendable {
    package var leader: BrokerID
    package var leaderEpoch: LeaderEpoch
    package var controllerEpoch: ControllerEpoch
    package var isr: [BrokerID]
    /// 1 while the leader recovers from an unclean election (KIP-704).
    package var recoveryState: Int8

    package init(
        leader: BrokerID, leaderEpoch: LeaderEpoch, controllerEpoch: ControllerEpoch, isr: [BrokerID], recoveryState: Int8 = 0
    ) {
        self.leader = leader
        self.leaderEpoch = leaderEpoch
        self.controllerEpoch = controllerEpoch
        self.isr = isr
        self.recoveryState = recoveryState
    }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("controller_epoch", controllerEpoch.raw)
            json.field("leader", leader.raw)
            json.field("version", 1)
            json.field("leader_epoch", leaderEpoch.raw)
            json.field("isr", ids: isr)
            if recoveryState != 0 { json.field("leader_recovery_state", recoveryState) }
        }
        return [UInt8](text.utf8)
    }

    private struct Shape: Decodable {
        var leader: Int32
        var leader_epoch: Int32
        var controller_epoch: Int32
        var isr: [BrokerID]
        var leader_recovery_state: Int8?
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let shape = try JSONText.decode(Shape.self, payload, "a partition's state")
        self.init(
            leader: BrokerID(shape.leader), leaderEpoch: LeaderEpoch(shape.leader_epoch),
            controllerEpoch: ControllerEpoch(shape.controller_epoch), isr: shape.isr,
            recoveryState: shape.leader_recovery_state ?? 0)
    }
}

/// `/controller`: who holds the seat.
package struct ControllerSeatPayload: Equatable, Sendable {
    package var broker: BrokerID
    package var timestampMs: Int64
    package init(broker: BrokerID, timestampMs: Int64) {
        self.broker = broker
        self.timestampMs = timestampMs
    }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("version", 2)
            json.field("brokerid", broker.raw)
            json.field("timestamp", "\(timestampMs)")
            json.field("kraftControllerEpoch", -1)
        }
        return [UInt8](text.utf8)
    }

    private struct Shape: Decodable {
        var brokerid: Int32
        var timestamp: String?
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let shape = try JSONText.decode(Shape.self, payload, "the controller's seat")
        self.init(broker: BrokerID(shape.brokerid), timestampMs: shape.timestamp.flatMap { Int64($0) } ?? -1)
    }
}

/// `/config/topics/T` and its like: settings that differ from the defaults, all as text.
package struct ConfigPayload: Equatable, Sendable {
    package var settings: [String: String]
    package init(_ settings: [String: String] = [:]) { self.settings = settings }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("version", 1)
            json.field(
                "config",
                raw: JSONText.object { inner in for key in settings.keys.sorted() { inner.field(key, settings[key] ?? "") } })
        }
        return [UInt8](text.utf8)
    }

    private struct Shape: Decodable { var config: [String: String]? }

    package init(payload: [UInt8]) throws(PayloadError) {
        settings = try JSONText.decode(Shape.self, payload, "a config").config ?? [:]
    }
}

/// `/config/changes/config_change_N`, version 2 (1 is readable): which entity's settings to read again.
package struct ConfigChangePayload: Equatable, Sendable {
    /// `topics/T`, `brokers/0`, `users/u/clients/c`.
    package var entityPath: String
    package init(entityPath: String) { self.entityPath = entityPath }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("version", 2)
            json.field("entity_path", entityPath)
        }
        return [UInt8](text.utf8)
    }

    private struct Shape: Decodable {
        var entity_path: String?
        var entity_type: String?
        var entity_name: String?
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let shape = try JSONText.decode(Shape.self, payload, "a config change")
        if let path = shape.entity_path {
            entityPath = path
        } else if let type = shape.entity_type, let name = shape.entity_name {
            entityPath = "\(type)/\(name)"
        } else {
            throw PayloadError("a config change names no entity")
        }
    }
}

/// `/cluster/id`.
package struct ClusterIDPayload: Equatable, Sendable {
    package var id: String
    package init(id: String) { self.id = id }
    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("version", "1")
            json.field("id", id)
        }
        return [UInt8](text.utf8)
    }
    private struct Shape: Decodable { var id: String }
    package init(payload: [UInt8]) throws(PayloadError) { id = try JSONText.decode(Shape.self, payload, "the cluster's id").id }
}

/// `/feature`, status 1 (enabled), without features: what a cluster in ZooKeeper mode has.
package enum FeaturePayload {
    package static let enabled = [UInt8](#"{"features":{},"version":2,"status":1}"#.utf8)
}

/// `/latest_producer_id_block`: the newest block of a thousand ids, and who took it.
package struct ProducerIDBlockPayload: Equatable, Sendable {
    package var broker: BrokerID
    package var first: Int64
    /// Inclusive.
    package var last: Int64
    package init(broker: BrokerID, first: Int64, last: Int64) {
        self.broker = broker
        self.first = first
        self.last = last
    }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("version", 1)
            json.field("broker", broker.raw)
            json.field("block_start", "\(first)")
            json.field("block_end", "\(last)")
        }
        return [UInt8](text.utf8)
    }

    private struct Shape: Decodable {
        var broker: Int32
        var block_start: String
        var block_end: String
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let shape = try JSONText.decode(Shape.self, payload, "the producer id block")
        guard let first = Int64(shape.block_start), let last = Int64(shape.block_end), first >= 0, last >= first else {
            throw PayloadError("the producer id block is \(shape.block_start) to \(shape.block_end)")
        }
        self.init(broker: BrokerID(shape.broker), first: first, last: last)
    }
}

/// `/admin/reassign_partitions` (with replicas) and `/admin/preferred_replica_election` (without), as old tools write them.
package struct PartitionListPayload: Equatable, Sendable {
    package var partitions: [(partition: TopicPartition, replicas: [BrokerID])]
    package static func == (a: PartitionListPayload, b: PartitionListPayload) -> Bool {
        a.partitions.map(\.partition) == b.partitions.map(\.partition) && a.partitions.map(\.replicas) == b.partitions.map(\.replicas)
    }

    private struct Shape: Decodable {
        struct Entry: Decodable {
            var topic: String
            var partition: Int32
            var replicas: [BrokerID]?
        }
        var partitions: [Entry]
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        partitions = try JSONText.decode(Shape.self, payload, "a list of partitions").partitions.map {
            (partition: TopicPartition($0.topic, $0.partition), replicas: $0.replicas ?? [])
        }
    }
}

/// `/log_dir_event_notification/log_dir_event_N`: a broker has lost a log directory.
package struct LogDirEventPayload: Equatable, Sendable {
    package var broker: BrokerID
    package init(broker: BrokerID) { self.broker = broker }
    package var payload: [UInt8] { [UInt8](#"{"version":1,"broker":\#(broker),"event":1}"#.utf8) }
    private struct Shape: Decodable { var broker: Int32 }
    package init(payload: [UInt8]) throws(PayloadError) {
        broker = BrokerID(try JSONText.decode(Shape.self, payload, "a log dir event").broker)
    }
}
