import KafkaClient
import KafkaProtocol

/// `kafka-broker-api-versions`: which versions of which APIs every broker speaks.
package enum BrokerApiVersionsCommand {
    static let help = HelpText(
        "This tool helps to retrieve broker version information.",
        examples: ["kafka-broker-api-versions.sh --bootstrap-server localhost:9092"],
        options: [
            .value("bootstrap-server", of: "HOST:PORT", help: "The broker to ask first; several with commas."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .flag("help", help: "This."),
            .flag("version", help: "The version of Kafka that this tool's words are from."),
        ])

    /// APIs that Kafka's clients know and brokers with a coordinator do not have.
    private static let elsewhere: [Int16: String] = [
        55: "DescribeQuorum", 64: "UnregisterBroker", 71: "GetTelemetrySubscriptions", 72: "PushTelemetry",
        74: "ListClientMetricsResources", 75: "DescribeTopicPartitions", 76: "ShareGroupHeartbeat",
        77: "ShareGroupDescribe",
        78: "ShareFetch", 79: "ShareAcknowledge", 80: "AddRaftVoter", 81: "RemoveRaftVoter",
        83: "InitializeShareGroupState", 84: "ReadShareGroupState", 85: "WriteShareGroupState",
        86: "DeleteShareGroupState", 87: "ReadShareGroupStateSummary",
    ]

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(arguments, help, tool) { line throws(ToolFailure) in
            if !line.has("bootstrap-server"), tool.environment("LETTERBOX_BOOTSTRAP") == nil {
                throw ToolFailure.usage("Missing required argument \"[bootstrap-server]\"", help)
            }
            let session = try ToolRun.open(line, tool, clientID: "admin-1")
            do throws(ClusterError) {
                let brokers = try session.metadata(of: []).brokers.sorted { $0.nodeID < $1.nodeID }
                for broker in brokers {
                    let head = "\(broker.host):\(broker.port) (id: \(broker.nodeID) rack: \(broker.rack ?? "null")) -> "
                    guard let link = session.link.link(to: broker.nodeID) else { continue }
                    switch tool.wait({ link.whenReady(then: $0) }) {
                    case .success: tool.say(head + "(\n" + table(link).joined(separator: ",\n") + "\n)")
                    case .failure(let error): tool.say(head + "ERROR: \(error)")
                    }
                }
                return 0
            } catch {
                throw ToolFailure(session.told(error, call: "listNodes"))
            }
        }
    }

    static func table(_ link: BrokerLink) -> [String] {
        var rows: [(key: Int16, text: String)] = []
        for api in link.peerApis {
            let range =
                api.minVersion == api.maxVersion ? "\(api.minVersion)" : "\(api.minVersion) to \(api.maxVersion)"
            guard let key = ApiKey(rawValue: api.apiKey) else {
                rows.append((api.apiKey, "\t\(elsewhere[api.apiKey] ?? "UNKNOWN")(\(api.apiKey)): \(range)"))
                continue
            }
            let usable: String
            if let version = link.version(of: key) {
                usable = "[usable: \(version)]"
            } else {
                usable =
                    api.minVersion > key.versions.upperBound ? "[unusable: node too new]" : "[unusable: node too old]"
            }
            rows.append((api.apiKey, "\t\(key.name)(\(api.apiKey)): \(range) \(usable)"))
        }
        let named = Set(rows.map(\.key))
        for key in ApiKey.allCases where !named.contains(key.rawValue) {
            rows.append((key.rawValue, "\t\(key.name)(\(key.rawValue)): UNSUPPORTED"))
        }
        for (key, name) in elsewhere where !named.contains(key) { rows.append((key, "\t\(name)(\(key)): UNSUPPORTED")) }
        return rows.sorted { $0.key < $1.key }.map(\.text)
    }
}
