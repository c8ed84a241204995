import ClusterModel
import Configuration

/// `server.properties`, read and checked: what is wrong with it is found here, before anything is touched.
package struct BrokerConfig: Sendable {
    /// One listener: what is bound, and what clients are told.
    package struct Listener: Equatable, Sendable {
        package var binds: Endpoint
        package var tells: Endpoint
        /// `PLAINTEXT`.
        package var securityProtocol: String
    }

    package let settings: Settings
    /// -1: not said.
    package let brokerID: BrokerID
    package let coordinator: String
    package let listeners: [Listener]
    package let interBrokerListener: String
    package let logDirs: [String]
    package let topicDefaults: TopicDefaults
    /// Names in the file that nobody knows, each with the name that was probably meant.
    package let notUnderstood: [(name: String, nearest: String?)]

    /// - Parameter hostName: what clients are told where neither key names a host.
    package init(_ properties: Properties, hostName: String) throws(ConfigError) {
        settings = try Settings(properties, keys: BrokerKeys.all)
        let settings = settings
        notUnderstood = settings.notUnderstood.filter { entry in
            !BrokerKeys.authorizers.contains(entry.name) && !entry.name.hasPrefix("listener.name.")
        }
        guard let coordinator = settings[BrokerKeys.coordinator], !coordinator.isEmpty else {
            throw ConfigError(
                key: "zookeeper.connect", value: nil,
                reason: "where is the coordinator? For example zookeeper.connect=localhost:2181")
        }
        self.coordinator = coordinator
        let id = settings[BrokerKeys.brokerID]
        let generates = settings[BrokerKeys.generateID]
        guard id >= (generates ? -1 : 0), !generates || id <= settings[BrokerKeys.reservedMaxID], id <= Int(Int32.max)
        else {
            throw ConfigError(
                key: "broker.id", value: String(id),
                reason:
                    "must be \(generates ? "-1 to reserved.broker.max.id (\(settings[BrokerKeys.reservedMaxID]))" : "0 or more")"
            )
        }
        brokerID = BrokerID(Int32(id))
        listeners = try BrokerConfig.listeners(settings, hostName: hostName)
        interBrokerListener = try BrokerConfig.interBroker(settings, listeners)
        logDirs = configList(settings[BrokerKeys.logDirs] ?? settings[BrokerKeys.logDir]).filter { !$0.isEmpty }
        guard !logDirs.isEmpty else {
            throw ConfigError(key: "log.dirs", value: "", reason: "At least one log directory must be defined")
        }
        guard Set(logDirs).count == logDirs.count else {
            throw ConfigError(
                key: "log.dirs", value: logDirs.joined(separator: ","), reason: "a directory is named twice")
        }
        try BrokerConfig.checkRanges(settings)
        topicDefaults = TopicDefaults(settings)
    }

    private static func listeners(_ settings: Settings, hostName: String) throws(ConfigError) -> [Listener] {
        var protocols: [String: String] = [:]
        let mapText = settings[BrokerKeys.protocolMap]
        for entry in configList(mapText) {
            let parts = entry.split(separator: ":").map { String($0).uppercased() }
            guard parts.count == 2, ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(parts[1]) else {
                throw ConfigError(
                    key: "listener.security.protocol.map", value: mapText, reason: "\(entry) is not NAME:PROTOCOL")
            }
            protocols[parts[0]] = parts[1]
        }
        func parse(_ key: String, _ text: String) throws(ConfigError) -> [Endpoint] {
            var endpoints: [Endpoint] = []
            for item in configList(text) {
                guard let endpoint = Endpoint(item) else {
                    throw ConfigError(key: key, value: text, reason: "\(item) is not NAME://host:port")
                }
                guard !endpoints.contains(where: { $0.listener == endpoint.listener }) else {
                    throw ConfigError(key: key, value: text, reason: "Each listener must have a different name")
                }
                endpoints.append(endpoint)
            }
            guard !endpoints.isEmpty else {
                throw ConfigError(key: key, value: text, reason: "at least one listener is needed")
            }
            return endpoints
        }
        let boundText = settings[BrokerKeys.listeners]
        let bound = try parse("listeners", boundText)
        for (index, endpoint) in bound.enumerated() where endpoint.port != 0 {
            guard !bound[..<index].contains(where: { $0.port == endpoint.port && $0.host == endpoint.host }) else {
                throw ConfigError(
                    key: "listeners", value: boundText, reason: "Each listener must have a different port")
            }
        }
        let toldText = settings[BrokerKeys.advertisedListeners]
        let told = try toldText.map { (text) throws(ConfigError) in try parse("advertised.listeners", text) }
        for endpoint in told ?? [] {
            guard bound.contains(where: { $0.listener == endpoint.listener }) else {
                throw ConfigError(
                    key: "advertised.listeners", value: toldText,
                    reason:
                        "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners: "
                        + "\(endpoint.listener) is not bound")
            }
        }
        var result: [Listener] = []
        for endpoint in bound {
            guard let securityProtocol = protocols[endpoint.listener] else {
                throw ConfigError(
                    key: "listeners", value: boundText,
                    reason:
                        "No security protocol defined for listener \(endpoint.listener) (listener.security.protocol.map)"
                )
            }
            guard securityProtocol == "PLAINTEXT" else {
                throw ConfigError(
                    key: "listeners", value: boundText,
                    reason: "\(securityProtocol) is not supported yet; use PLAINTEXT")
            }
            var tells = told?.first { $0.listener == endpoint.listener } ?? endpoint
            if tells.host.isEmpty { tells.host = hostName }
            guard tells.host != "0.0.0.0", tells.host != "::" else {
                throw ConfigError(
                    key: told == nil ? "listeners" : "advertised.listeners", value: toldText ?? boundText,
                    reason:
                        "advertised.listeners cannot use the nonroutable meta-address \(tells.host). Use a routable IP address."
                )
            }
            result.append(Listener(binds: endpoint, tells: tells, securityProtocol: securityProtocol))
        }
        return result
    }

    private static func interBroker(_ settings: Settings, _ listeners: [Listener]) throws(ConfigError) -> String {
        if let name = settings[BrokerKeys.interBrokerListener]?.uppercased() {
            guard !settings.isSet(BrokerKeys.interBrokerProtocol) else {
                throw ConfigError(
                    key: "inter.broker.listener.name", value: name,
                    reason: "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set")
            }
            guard listeners.contains(where: { $0.binds.listener == name }) else {
                throw ConfigError(
                    key: "inter.broker.listener.name", value: name,
                    reason: "must be a listener name defined in advertised.listeners")
            }
            return name
        }
        let wanted = settings[BrokerKeys.interBrokerProtocol]
        guard let listener = listeners.first(where: { $0.binds.listener == wanted }) else {
            throw ConfigError(
                key: "security.inter.broker.protocol", value: wanted,
                reason: "no listener bears this name; say which one brokers use with inter.broker.listener.name")
        }
        return listener.binds.listener
    }

    static func checkRanges(_ settings: Settings) throws(ConfigError) {
        if let roll = settings[BrokerKeys.rollMs], roll < 1 {
            throw ConfigError(
                key: "log.roll.ms", value: String(roll), reason: "log.roll.ms must be greater than or equal to 1")
        }
        if let kept = settings[BrokerKeys.retentionMs], kept == 0 || kept < -1 {
            throw ConfigError(
                key: "log.retention.ms", value: String(kept),
                reason: "log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
        }
        let wait = settings[BrokerKeys.replicaFetchWait]
        guard wait <= settings[BrokerKeys.replicaSocketTimeout], wait <= settings[BrokerKeys.lagMax] else {
            throw ConfigError(
                key: "replica.fetch.wait.max.ms", value: settings.text(BrokerKeys.replicaFetchWait),
                reason: "may not exceed replica.socket.timeout.ms and replica.lag.time.max.ms")
        }
        if let selector = settings[BrokerKeys.replicaSelector], !selector.isEmpty {
            let known = ["RackAwareReplicaSelector", "LeaderSelector"].map { "org.apache.kafka.common.replica.\($0)" }
            guard known.contains(selector) else {
                throw ConfigError(
                    key: "replica.selector.class", value: selector,
                    reason: "must be one of \(known.joined(separator: ", ")): other classes cannot be loaded here")
            }
        }
    }

    /// `replica.selector.class` names the rack-aware one.
    package var sendsConsumersToTheirRack: Bool {
        settings[BrokerKeys.replicaSelector].map { $0.hasSuffix(".RackAwareReplicaSelector") } ?? false
    }
    /// `replica.lag.time.max.ms`
    package var replicaLagMax: Duration { settings[BrokerKeys.lagMax] }
    package subscript<Value>(_ key: ConfigKey<Value>) -> Value { settings[key] }
}
