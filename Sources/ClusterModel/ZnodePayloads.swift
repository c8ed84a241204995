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
            if let rack { json.field("rack", rack) }
            json.field("jmx_port", -1)
            json.field("port", plain?.port ?? -1)
            json.field("host", raw: plain.map { JSONText.quoted($0.host) } ?? "null")
            json.field("version", 5)
            json.field("timestamp", "\(timestampMs)")
        }
        return [UInt8](text.utf8)
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let json = try JSONDocument(payload, "a broker's registration")
        if let texts = try json.optional("endpoints", \.array) {
            endpoints = []
            for text in texts {
                guard let name = text.string, let endpoint = Endpoint(name) else {
                    throw PayloadError("a broker's registration names the endpoint \(text.string ?? "without text")")
                }
                endpoints.append(endpoint)
            }
        } else {
            guard let host = json["host"]?.string, let port = json["port"]?.int32 else {
                throw PayloadError("a broker's registration has no endpoint")
            }
            endpoints = [Endpoint(listener: "PLAINTEXT", host: host, port: port)]
        }
        let map = json["listener_security_protocol_map"]
        // Before version 4 a listener bore its protocol's name.
        protocols = endpoints.map { (listener: $0.listener, protocol: map?[$0.listener]?.string ?? $0.listener) }
        rack = try json.optional("rack", \.string)
        timestampMs = json["timestamp"]?.integer ?? -1
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

    package init(payload: [UInt8]) throws(PayloadError) {
        let json = try JSONDocument(payload, "a topic's assignment")
        topicID = try json.optional("topic_id", \.string).flatMap { UUID128(text: $0) }
        replicas = try json.required("partitions", TopicAssignment.numbered)
        adding = try json.optional("adding_replicas", TopicAssignment.numbered) ?? [:]
        removing = try json.optional("removing_replicas", TopicAssignment.numbered) ?? [:]
    }

    private static func numbered(_ json: JSONValue) -> [Int32: [BrokerID]]? {
        guard let members = json.members else { return nil }
        var numbered: [Int32: [BrokerID]] = [:]
        for member in members {
            guard let partition = Int32(member.key), partition >= 0, let brokers = member.value.brokers else {
                return nil
            }
            numbered[partition] = brokers
        }
        return numbered
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
    /// Ours, which Kafka's readers pass over: the broker epochs in which the members are in sync.
    package var lives: [BrokerID: BrokerEpoch]

    package init(
        leader: BrokerID, leaderEpoch: LeaderEpoch, controllerEpoch: ControllerEpoch, isr: [BrokerID],
        recoveryState: Int8 = 0, lives: [BrokerID: BrokerEpoch] = [:]
    ) {
        self.leader = leader
        self.leaderEpoch = leaderEpoch
        self.controllerEpoch = controllerEpoch
        self.isr = isr
        self.recoveryState = recoveryState
        self.lives = lives
    }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("controller_epoch", controllerEpoch.raw)
            json.field("leader", leader.raw)
            json.field("version", 1)
            if recoveryState != 0 { json.field("leader_recovery_state", recoveryState) }
            json.field("leader_epoch", leaderEpoch.raw)
            json.field("isr", ids: isr)
            guard !lives.isEmpty else { return }
            json.field(
                "letterbox_lives",
                raw: JSONText.object { inner in
                    for broker in lives.keys.sorted() { inner.field("\(broker)", lives[broker]?.raw ?? -1) }
                })
        }
        return [UInt8](text.utf8)
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let json = try JSONDocument(payload, "a partition's state")
        self.init(
            leader: BrokerID(try json.required("leader", \.int32)),
            leaderEpoch: LeaderEpoch(try json.required("leader_epoch", \.int32)),
            controllerEpoch: ControllerEpoch(try json.required("controller_epoch", \.int32)),
            isr: try json.required("isr", \.brokers),
            recoveryState: json["leader_recovery_state"]?.integer.flatMap { Int8(exactly: $0) } ?? 0,
            lives: try json.optional("letterbox_lives", PartitionState.lives) ?? [:])
    }

    private static func lives(_ json: JSONValue) -> [BrokerID: BrokerEpoch]? {
        guard let members = json.members else { return nil }
        var lives: [BrokerID: BrokerEpoch] = [:]
        for member in members {
            guard let broker = Int32(member.key), let epoch = member.value.integer else { return nil }
            lives[BrokerID(broker)] = BrokerEpoch(epoch)
        }
        return lives
    }
}

/// `/letterbox/brokers/N`, the twin of `/brokers/ids/N`: what Kafka's registration has no place for.
package struct BrokerTwin: Equatable, Sendable {
    /// Of the machine's start.
    package var bootID: String
    /// Its logs may hold less than it had acknowledged: the machine lost power, or a log directory is a new one.
    package var isSuspect: Bool
    package init(bootID: String, isSuspect: Bool) {
        self.bootID = bootID
        self.isSuspect = isSuspect
    }

    package var payload: [UInt8] {
        let text = JSONText.object { json in
            json.field("version", 1)
            json.field("boot", bootID)
            json.field("suspect", raw: isSuspect ? "true" : "false")
        }
        return [UInt8](text.utf8)
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        let json = try JSONDocument(payload, "a broker's twin")
        self.init(bootID: try json.required("boot", \.string), isSuspect: json["suspect"] == .bool(true))
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

    package init(payload: [UInt8]) throws(PayloadError) {
        let json = try JSONDocument(payload, "the controller's seat")
        self.init(
            broker: BrokerID(try json.required("brokerid", \.int32)), timestampMs: json["timestamp"]?.integer ?? -1)
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
                raw: JSONText.object { inner in
                    for key in settings.keys.sorted() { inner.field(key, settings[key] ?? "") }
                })
        }
        return [UInt8](text.utf8)
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        settings =
            try JSONDocument(payload, "a config").optional("config") { config in
                guard let members = config.members else { return nil }
                var settings: [String: String] = [:]
                for member in members {
                    // Hand-written ones have numbers without quotes.
                    guard let value = member.value.string ?? member.value.integer.map(String.init) else { return nil }
                    settings[member.key] = value
                }
                return settings
            } ?? [:]
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

    package init(payload: [UInt8]) throws(PayloadError) {
        let json = try JSONDocument(payload, "a config change")
        if let path = json["entity_path"]?.string {
            entityPath = path
        } else if let type = json["entity_type"]?.string, let name = json["entity_name"]?.string {
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
    package init(payload: [UInt8]) throws(PayloadError) {
        id = try JSONDocument(payload, "the cluster's id").required("id", \.string)
    }
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

    package init(payload: [UInt8]) throws(PayloadError) {
        let json = try JSONDocument(payload, "the producer id block")
        let first = try json.required("block_start", \.integer)
        let last = try json.required("block_end", \.integer)
        guard first >= 0, last >= first else { throw PayloadError("the producer id block is \(first) to \(last)") }
        self.init(broker: BrokerID(try json.required("broker", \.int32)), first: first, last: last)
    }
}

/// `/admin/reassign_partitions` (with replicas) and `/admin/preferred_replica_election` (without), as old tools write them.
package struct PartitionListPayload: Equatable, Sendable {
    package var partitions: [(partition: TopicPartition, replicas: [BrokerID])]
    package static func == (a: PartitionListPayload, b: PartitionListPayload) -> Bool {
        a.partitions.map(\.partition) == b.partitions.map(\.partition)
            && a.partitions.map(\.replicas) == b.partitions.map(\.replicas)
    }

    package init(_ partitions: [(partition: TopicPartition, replicas: [BrokerID])]) { self.partitions = partitions }

    package var payload: [UInt8] {
        let items = partitions.map { item in
            JSONText.object { json in
                json.field("topic", item.partition.topic)
                json.field("partition", item.partition.partition)
                if !item.replicas.isEmpty { json.field("replicas", ids: item.replicas) }
            }
        }
        let text = JSONText.object { json in
            json.field("version", 1)
            json.field("partitions", raw: "[" + items.joined(separator: ",") + "]")
        }
        return [UInt8](text.utf8)
    }

    package init(payload: [UInt8]) throws(PayloadError) {
        partitions = try JSONDocument(payload, "a list of partitions").required("partitions") { list in
            guard let items = list.array else { return nil }
            var found: [(partition: TopicPartition, replicas: [BrokerID])] = []
            for item in items {
                guard let topic = item["topic"]?.string, let partition = item["partition"]?.int32 else { return nil }
                let replicas = item["replicas"]
                guard replicas == nil || replicas?.brokers != nil else { return nil }
                found.append((partition: TopicPartition(topic, partition), replicas: replicas?.brokers ?? []))
            }
            return found
        }
    }
}

/// `/log_dir_event_notification/log_dir_event_N`: a broker has lost a log directory.
package struct LogDirEventPayload: Equatable, Sendable {
    package var broker: BrokerID
    package init(broker: BrokerID) { self.broker = broker }
    package var payload: [UInt8] { [UInt8](#"{"version":1,"broker":\#(broker),"event":1}"#.utf8) }
    package init(payload: [UInt8]) throws(PayloadError) {
        broker = BrokerID(try JSONDocument(payload, "a log dir event").required("broker", \.int32))
    }
}
