import ClusterModel
import Configuration

/// A broker's settings as they stand now (KIP-226). From the strongest: its own in the tree, those of the whole cluster in the
/// tree, the file's, the default. What the tree says and this broker cannot use is left out, and told.
package struct BrokerSettings: Sendable {
    /// DescribeConfigs' numbers.
    package enum Source: Int8, Sendable {
        case topic = 1
        case broker = 2
        case cluster = 3
        case file = 4
        case byDefault = 5
    }

    package let file: Settings
    package private(set) var ofBroker: [String: String] = [:]
    package private(set) var ofCluster: [String: String] = [:]
    package private(set) var current: Settings
    package private(set) var topicDefaults: TopicDefaults

    package init(file: Settings) {
        self.file = file
        current = file
        topicDefaults = TopicDefaults(file)
    }

    package subscript<Value>(_ key: ConfigKey<Value>) -> Value { current[key] }

    /// What the tree says now.
    /// - Returns: what is wrong with it, one text each; those keys stay as if they were not set.
    package mutating func take(broker: [String: String], cluster: [String: String]) -> [String] {
        ofBroker = broker
        ofCluster = cluster
        var problems: [String] = []
        var merged = file.properties
        for (settings, isPerBroker) in [(cluster, false), (broker, true)] {
            for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
                if let problem = BrokerSettings.problem(name, value, isPerBroker: isPerBroker) {
                    problems.append(problem)
                } else {
                    merged[name] = value
                }
            }
        }
        do throws(ConfigError) {
            let settings = try Settings(merged, keys: file.keys)
            try BrokerConfig.checkRanges(settings)
            current = settings
        } catch {
            problems.append(error.description)
            current = file
        }
        topicDefaults = TopicDefaults(current)
        return problems
    }

    /// A key's values from the strongest to the default; the first one counts.
    package func values(of key: any AnyConfigKey) -> [(value: String, source: Source)] {
        var values: [(String, Source)] = []
        if let text = ofBroker[key.name] { values.append((trimmed(text), .broker)) }
        if let text = ofCluster[key.name] { values.append((trimmed(text), .cluster)) }
        if let text = file.properties[key.name] { values.append((trimmed(text), .file)) }
        if let text = key.defaultText { values.append((text, .byDefault)) }
        return values
    }

    // MARK: What may be changed

    static let keys = Dictionary(BrokerKeys.all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    /// Whether these can be a broker's settings in the tree (all of them, after the change).
    /// - Parameter isPerBroker: false for those of the whole cluster.
    /// - Returns: the message that goes with INVALID_REQUEST; its words are Kafka's where Kafka refuses too.
    package func problem(_ settings: [String: String], isPerBroker: Bool) -> String? {
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            if let problem = BrokerSettings.problem(name, value, isPerBroker: isPerBroker) { return problem }
        }
        // One that is bad together with the file's.
        var trial = self
        return trial.take(
            broker: isPerBroker ? settings : ofBroker, cluster: isPerBroker ? ofCluster : settings
        ).first
    }

    private static func problem(_ name: String, _ value: String, isPerBroker: Bool) -> String? {
        guard let key = keys[name] else {
            if name.hasPrefix("listener.name.") {
                return "Settings of single listeners cannot be changed while the broker runs yet: \(name)"
            }
            let nearest = nearestName(to: name, among: BrokerKeys.all.map(\.name))
            return "Unknown broker config name: \(name)" + (nearest.map { " (did you mean \($0)?)" } ?? "")
        }
        if key.change == .atStart { return "Cannot update these configs dynamically: Set(\(name))" }
        if name.hasPrefix("ssl.") {
            return "These security configs can be dynamically updated only per-listener using the listener prefix: "
                + "Set(\(name))"
        }
        if notWhileRunning.contains(name) {
            return
                "\(name) cannot be changed while the broker runs yet: change it in the broker's file and start it again"
        }
        if key.change == .perBroker, !isPerBroker {
            return "Cannot update these configs at default cluster level, broker id must be specified: Set(\(name))"
        }
        do throws(ConfigError) { try key.check(value) } catch { return error.description }
        return nil
    }

    /// Dynamic in Kafka, and not obeyed here before the next start: refused rather than pretended.
    private static let notWhileRunning: Set<String> = [
        "listeners", "advertised.listeners", "listener.security.protocol.map",
    ]
}
