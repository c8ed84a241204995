import Configuration
import Records
import Testing

@testable import Broker

@Suite("Broker and topic settings")
struct TopicConfigTests {
    private func config(_ more: KeyValuePairs<String, String> = [:]) throws -> BrokerConfig {
        var properties = Properties(["zookeeper.connect": "localhost:2181"])
        for (name, value) in more { properties[name] = value }
        return try BrokerConfig(properties, hostName: "here")
    }
    private func refusal(_ more: KeyValuePairs<String, String>) -> String? {
        do {
            _ = try config(more)
            return nil
        } catch { return "\(error)" }
    }

    @Test("an empty file has Kafka's defaults") func defaults() throws {
        let config = try config()
        #expect(config.brokerID == .none)
        #expect(config.listeners.map(\.binds.description) == ["PLAINTEXT://:9092"])
        #expect(config.listeners.map(\.tells.description) == ["PLAINTEXT://here:9092"])
        #expect(config.logDirs == ["/tmp/kafka-logs"])
        let topic = TopicConfig(overrides: [:], defaults: config.topicDefaults)
        #expect(topic.retentionMs == 604_800_000)
        #expect(topic.log.segmentBytes == 1 << 30)
        #expect(topic.log.segmentMs == 604_800_000)
        #expect(topic.log.flushMs == .max)
        #expect(topic.maxMessageBytes == 1_048_588)
        #expect(topic.timestampBeforeMaxMs == .max)
        #expect(topic.deletes && !topic.compacts)
    }

    @Test("every key of Kafka 3.9 is known, each once") func names() {
        let names = BrokerKeys.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.count == 331 + 5)
        #expect(TopicKeys.all.count == 36)
        // Whatever a topic key takes its default from exists.
        for topic in TopicKeys.all {
            for synonym in topic.synonyms { #expect(names.contains(synonym.name), "\(synonym.name)") }
            #expect(throws: Never.self) { try topic.key.defaultText.map { try topic.key.check($0) } }
        }
    }

    @Test("of hours, minutes and milliseconds the finest that is set counts") func synonyms() throws {
        func retention(_ more: KeyValuePairs<String, String>) throws -> Int64 {
            TopicConfig(overrides: [:], defaults: try config(more).topicDefaults).retentionMs
        }
        #expect(try retention(["log.retention.hours": "1"]) == 3_600_000)
        #expect(try retention(["log.retention.hours": "1", "log.retention.minutes": "2"]) == 120_000)
        #expect(try retention(["log.retention.minutes": "2", "log.retention.ms": "3"]) == 3)
        #expect(try retention(["log.retention.hours": "-1"]) == -1)
        #expect(try retention(["log.retention.ms": "-1"]) == -1)
    }

    @Test("a topic's own value wins, one that does not parse counts for nothing") func overrides() throws {
        let defaults = try config(["min.insync.replicas": "2", "log.segment.bytes": "1000"]).topicDefaults
        let topic = TopicConfig(
            overrides: ["min.insync.replicas": "3", "segment.bytes": "many", "cleanup.policy": "compact,delete"],
            defaults: defaults)
        #expect(topic.minInSync == 3)
        #expect(topic.log.segmentBytes == 1000)
        #expect(topic.compacts && topic.deletes)
    }

    @Test("the packing is the topic's, else the broker's, with the level of its codec") func packing() throws {
        let plain = try config([:]).topicDefaults
        #expect(TopicConfig(overrides: [:], defaults: plain).packing == nil)
        #expect(TopicConfig(overrides: [:], defaults: plain).convertsForOldConsumers)
        func packing(_ overrides: [String: String], _ broker: KeyValuePairs<String, String> = [:]) throws
            -> BatchValidator.Packing?
        {
            TopicConfig(overrides: overrides, defaults: try config(broker).topicDefaults).packing
        }
        #expect(try packing(["compression.type": "gzip"]) == .init(.gzip, level: -1))
        #expect(try packing(["compression.type": "uncompressed"]) == .init(.none))
        #expect(try packing(["compression.type": "snappy", "compression.gzip.level": "3"]) == .init(.snappy))
        let broker: KeyValuePairs = [
            "compression.type": "zstd", "compression.zstd.level": "7", "compression.lz4.level": "2",
        ]
        #expect(try packing([:], broker) == .init(.zstd, level: 7))
        #expect(try packing(["compression.type": "lz4"], broker) == .init(.lz4, level: 2))
        #expect(try packing(["compression.type": "producer"], broker) == nil)
        let closed = try config(["log.message.downconversion.enable": "false"]).topicDefaults
        #expect(!TopicConfig(overrides: [:], defaults: closed).convertsForOldConsumers)
    }

    @Test("what cannot be set for a topic is said in Kafka's words") func problems() {
        func problem(_ name: String, _ value: String?) -> String? { TopicKeys.problem([(name: name, value: value)]) }
        #expect(problem("retention.ms", "1000") == nil)
        #expect(problem("retension.ms", "1000") == "Unknown topic config name: retension.ms")
        #expect(
            problem("retention.ms", "x") == "Invalid value x for configuration retention.ms: Not a number of type LONG")
        #expect(
            problem("min.insync.replicas", "0")
                == "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1")
        #expect(problem("compression.type", "producer") == nil)
        for codec in ["uncompressed", "gzip", "snappy", "lz4", "zstd"] {
            #expect(problem("compression.type", codec) == nil)
        }
        #expect(problem("compression.type", "none")?.contains("compression.type") == true)
        for level in ["-1", "1", "9"] { #expect(problem("compression.gzip.level", level) == nil) }
        for level in ["0", "10", "-2"] {
            #expect(
                problem("compression.gzip.level", level)
                    == "Invalid value \(level) for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"
            )
        }
        for (name, good, bad) in [
            ("compression.lz4.level", ["1", "17"], ["0", "18"]),
            ("compression.zstd.level", ["-131072", "0", "22"], ["-131073", "23"]),
        ] {
            for level in good { #expect(problem(name, level) == nil) }
            for level in bad { #expect(problem(name, level)?.contains("Value must be") == true) }
        }
        #expect(
            TopicKeys.problem([("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "4")])?.contains("5") == true)
    }

    @Test("listeners are refused that clients could not use") func listeners() throws {
        let two = try config([
            "listeners": "INSIDE://10.0.0.1:9092,OUTSIDE://:19092",
            "advertised.listeners": "INSIDE://10.0.0.1:9092,OUTSIDE://kafka.example.org:443",
            "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
            "inter.broker.listener.name": "INSIDE",
        ])
        #expect(two.interBrokerListener == "INSIDE")
        #expect(two.listeners[1].tells.description == "OUTSIDE://kafka.example.org:443")
        #expect(refusal(["listeners": "PLAINTEXT://0.0.0.0:9092"])?.contains("nonroutable") == true)
        #expect(refusal(["listeners": "INSIDE://:9092"])?.contains("No security protocol") == true)
        #expect(refusal(["listeners": "PLAINTEXT//:9092"])?.contains("NAME://host:port") == true)
        #expect(refusal(["listeners": "PLAINTEXT://:1,PLAINTEXT://:2"])?.contains("different name") == true)
        #expect(refusal(["advertised.listeners": "SSL://x:1"])?.contains("subset") == true)
        #expect(refusal(["listeners": "SSL://:9092"])?.contains("not supported yet") == true)
        #expect(refusal(["compression.type": "gzip", "compression.gzip.level": "9"]) == nil)
        #expect(refusal(["compression.gzip.level": "0"])?.contains("between 1 and 9 or equal to -1") == true)
        #expect(refusal(["log.retention.ms": "0"]) != nil)
        #expect(refusal(["zookeeper.connect": ""]) != nil)
        #expect(refusal(["broker.id": "2000"]) != nil)
    }

    @Test("a mistyped name is told, with the one that was meant") func typos() throws {
        let config = try config([
            "log.retention.hour": "3", "super.users": "User:a", "listener.name.x.ssl.keystore.type": "JKS",
        ])
        #expect(config.notUnderstood.map(\.name) == ["log.retention.hour"])
        #expect(config.notUnderstood.first?.nearest == "log.retention.hours")
    }
}
