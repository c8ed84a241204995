import Configuration
import Testing

@testable import Broker

@Suite("A broker's settings while it runs")
struct BrokerSettingsTests {
    private func settings(_ more: KeyValuePairs<String, String> = [:]) throws -> BrokerSettings {
        var properties = Properties(["zookeeper.connect": "localhost:2181"])
        for (name, value) in more { properties[name] = value }
        return BrokerSettings(file: try BrokerConfig(properties, hostName: "here").settings)
    }

    @Test("the broker's own beat the cluster's, those beat the file's, and that beats the default") func precedence()
        throws
    {
        var settings = try settings(["message.max.bytes": "1000"])
        #expect(settings[BrokerKeys.messageMaxBytes] == 1000)
        #expect(settings.take(broker: [:], cluster: ["message.max.bytes": "2000"]) == [])
        #expect(settings[BrokerKeys.messageMaxBytes] == 2000)
        #expect(settings.take(broker: ["message.max.bytes": "3000"], cluster: ["message.max.bytes": "2000"]) == [])
        #expect(settings[BrokerKeys.messageMaxBytes] == 3000)
        #expect(
            settings.values(of: BrokerKeys.messageMaxBytes).map { "\($0.value) \($0.source)" } == [
                "3000 broker", "2000 cluster", "1000 file", "1048588 byDefault",
            ])
        #expect(settings.take(broker: [:], cluster: [:]) == [])
        #expect(settings[BrokerKeys.messageMaxBytes] == 1000)
    }

    @Test("topics take their defaults from the settings of now") func topics() throws {
        var settings = try settings(["log.retention.hours": "1"])
        #expect(TopicConfig(overrides: [:], defaults: settings.topicDefaults).retentionMs == 3_600_000)
        #expect(settings.take(broker: [:], cluster: ["log.retention.ms": "5000"]) == [])
        #expect(TopicConfig(overrides: [:], defaults: settings.topicDefaults).retentionMs == 5000)
        #expect(TopicConfig(overrides: ["retention.ms": "7"], defaults: settings.topicDefaults).retentionMs == 7)
    }

    @Test("what cannot change while the broker runs is refused in Kafka's words") func refusals() throws {
        let settings = try settings()
        func problem(_ name: String, _ value: String, isPerBroker: Bool = true) -> String? {
            settings.problem([name: value], isPerBroker: isPerBroker)
        }
        #expect(problem("log.dirs", "/x") == "Cannot update these configs dynamically: Set(log.dirs)")
        #expect(problem("broker.id", "3") == "Cannot update these configs dynamically: Set(broker.id)")
        #expect(
            problem("message.max.bytes", "many")
                == "Invalid value many for configuration message.max.bytes: Not a number of type INT")
        #expect(
            problem("sasl.enabled.mechanisms", "PLAIN", isPerBroker: false)
                == "Cannot update these configs at default cluster level, broker id must be specified: Set(sasl.enabled.mechanisms)"
        )
        #expect(
            problem("mesage.max.bytes", "1")
                == "Unknown broker config name: mesage.max.bytes (did you mean message.max.bytes?)")
        #expect(problem("log.retention.ms", "0")?.contains("must be unlimited (-1) or") == true)
        #expect(problem("compression.type", "gzip", isPerBroker: false) == nil)
        #expect(problem("compression.zstd.level", "12", isPerBroker: false) == nil)
        #expect(problem("leader.replication.throttled.rate", "1000", isPerBroker: false) == nil)
    }

    @Test("a value in the tree that cannot be used leaves the others in force") func strangers() throws {
        var settings = try settings()
        let problems = settings.take(broker: ["broker.id": "9", "message.max.bytes": "77"], cluster: [:])
        #expect(problems == ["Cannot update these configs dynamically: Set(broker.id)"])
        #expect(settings[BrokerKeys.messageMaxBytes] == 77)
    }

    @Test("appending to a list and taking from it knows its default; other keys refuse it") func lists() throws {
        func after(_ operation: ConfigAdmin.Operation, _ value: String, _ before: [String: String]) throws -> String? {
            try ConfigAdmin.apply(
                .steps([(operation.rawValue, "cleanup.policy", value)]), to: before, of: .topic("t"))["cleanup.policy"]
        }
        #expect(try after(.append, "compact", [:]) == "delete,compact")
        #expect(try after(.append, "delete", ["cleanup.policy": "delete"]) == "delete")
        #expect(try after(.subtract, "delete", ["cleanup.policy": "compact,delete"]) == "compact")
        #expect(
            throws: ConfigAdmin.Problem(
                .invalidRequest, "Config value append is not allowed for config key: retention.ms")
        ) {
            try ConfigAdmin.apply(.steps([(2, "retention.ms", "1")]), to: [:], of: .topic("t"))
        }
    }
}
