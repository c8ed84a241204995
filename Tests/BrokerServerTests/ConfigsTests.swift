import KafkaProtocol
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("Settings changed while brokers run")
struct ConfigsTests {
    private typealias Op = (operation: Int8, name: String, value: String?)

    private func alter(
        _ client: RawClient, type: Int8, _ name: String, _ steps: [Op], validateOnly: Bool = false
    ) throws -> IncrementalAlterConfigsResponse.AlterConfigsResourceResponse {
        var request = IncrementalAlterConfigsRequest()
        request.validateOnly = validateOnly
        request.resources = [
            .with {
                $0.resourceType = type
                $0.resourceName = name
                $0.configs = steps.map { step in
                    .with {
                        $0.configOperation = step.operation
                        $0.name = step.name
                        $0.value = step.value
                    }
                }
            }
        ]
        return try #require(try client.ask(request, version: 1)?.responses.first)
    }

    private func describe(
        _ client: RawClient, type: Int8, _ name: String, _ key: String
    ) throws -> DescribeConfigsResponse.DescribeConfigsResourceResult? {
        var request = DescribeConfigsRequest()
        request.includeSynonyms = true
        request.resources = [
            .with {
                $0.resourceType = type
                $0.resourceName = name
                $0.configurationKeys = [key]
            }
        ]
        return try client.ask(request, version: 4)?.results.first?.configs.first
    }

    private func twoBrokers() throws -> Stage {
        let stage = Stage()
        stage.start(0)
        stage.start(1)
        try #require(stage.whenServing(0, 1))
        return stage
    }

    private func makeTopic(_ stage: Stage) throws {
        let controller = Int(try #require(stage.node(0)?.metadata.controller.raw))
        var create = CreateTopicsRequest()
        create.timeoutMs = 10_000
        create.topics = [
            .with {
                $0.name = "t"
                $0.numPartitions = 2
                $0.replicationFactor = 2
            }
        ]
        let answer = try #require(try stage.client(of: controller).ask(create, version: 5))
        try #require(answer.topics.first?.errorCode == ErrorCode.none)
    }

    @Test("a topic's setting reaches the logs of every broker; the answer comes when it is in force where it was asked")
    func topics() throws {
        let stage = try twoBrokers()
        try makeTopic(stage)
        let client = stage.client(of: 1)
        let answer = try alter(client, type: 2, "t", [(0, "max.message.bytes", "4321"), (0, "segment.bytes", "9999")])
        #expect(answer.errorCode == ErrorCode.none && answer.errorMessage == nil)
        #expect(stage.node(1)?.partitions.hosts(of: "t").map(\.config.maxMessageBytes) == [4321, 4321])
        #expect(
            stage.simulation.run(within: .seconds(5)) {
                stage.node(0)?.partitions.hosts(of: "t").map(\.log.settings.segmentBytes) == [9999, 9999]
            })
        let told = try #require(try describe(client, type: 2, "t", "max.message.bytes"))
        #expect(told.value == "4321" && told.configSource == 1 && !told.readOnly)
        _ = try alter(client, type: 2, "t", [(1, "max.message.bytes", nil)])
        #expect(try describe(client, type: 2, "t", "max.message.bytes")?.value == "1048588")
        #expect(try describe(client, type: 2, "t", "segment.bytes")?.value == "9999")
    }

    @Test("settings of the cluster reach every broker and its topics; a broker's own win there alone")
    func brokers() throws {
        let stage = try twoBrokers()
        try makeTopic(stage)
        let client = stage.client(of: 0)
        #expect(try alter(client, type: 4, "", [(0, "message.max.bytes", "5000")]).errorCode == ErrorCode.none)
        #expect(try alter(client, type: 4, "0", [(0, "message.max.bytes", "6000")]).errorCode == ErrorCode.none)
        #expect(
            stage.simulation.run(within: .seconds(5)) {
                stage.node(1)?.partitions.hosts(of: "t").first?.config.maxMessageBytes == 5000
            })
        #expect(stage.node(0)?.partitions.hosts(of: "t").first?.config.maxMessageBytes == 6000)
        let told = try #require(try describe(client, type: 4, "0", "message.max.bytes"))
        #expect(told.value == "6000" && told.configSource == 2)
        #expect(told.synonyms.map(\.source) == [2, 3, 5])
        let other = try #require(try describe(stage.client(of: 1), type: 4, "1", "message.max.bytes"))
        #expect(other.value == "5000" && other.configSource == 3)
        #expect(try describe(client, type: 4, "", "message.max.bytes")?.value == "5000")
        // A broker that comes later reads them too.
        stage.simulation.node("broker-1").crash(.process)
        stage.simulation.node("broker-1").restart()
        #expect(
            stage.simulation.run(within: .seconds(60)) { stage.node(1)?.settings[BrokerKeys.messageMaxBytes] == 5000 })
    }

    @Test("what cannot be is refused with a reason, and a trial changes nothing")
    func refusals() throws {
        let stage = try twoBrokers()
        try makeTopic(stage)
        let client = stage.client(of: 0)
        func code(_ type: Int8, _ name: String, _ steps: [Op]) throws -> ErrorCode {
            let answer = try alter(client, type: type, name, steps)
            #expect(answer.errorMessage?.isEmpty == false)
            return answer.errorCode
        }
        #expect(try code(2, "nobody", [(0, "retention.ms", "1")]) == .unknownTopicOrPartition)
        #expect(try code(2, "t", [(0, "retention.ms", "soon")]) == .invalidConfig)
        #expect(try code(2, "t", [(0, "colour", "blue")]) == .invalidConfig)
        #expect(try code(2, "t", [(0, "leader.replication.throttled.replicas", "x")]) == .invalidConfig)
        #expect(try code(4, "0", [(0, "log.dirs", "/x")]) == .invalidRequest)
        #expect(try code(4, "1", [(0, "message.max.bytes", "1")]) == .invalidRequest)
        #expect(try code(2, "t", [(0, "retention.ms", "1"), (0, "retention.ms", "2")]) == .invalidRequest)
        #expect(try code(2, "t", [(9, "retention.ms", "1")]) == .invalidRequest)
        #expect(try code(2, "t", [(0, "retention.ms", nil)]) == .invalidRequest)
        #expect(
            try alter(client, type: 2, "t", [(0, "retention.ms", "1")], validateOnly: true).errorCode == ErrorCode.none)
        #expect(try describe(client, type: 2, "t", "retention.ms")?.configSource == 5)
    }

    @Test("AlterConfigs replaces all that was set")
    func replacing() throws {
        let stage = try twoBrokers()
        try makeTopic(stage)
        let client = stage.client(of: 0)
        _ = try alter(client, type: 2, "t", [(0, "retention.ms", "1000")])
        var request = AlterConfigsRequest()
        request.resources = [
            .with {
                $0.resourceType = 2
                $0.resourceName = "t"
                $0.configs = [
                    .with {
                        $0.name = "segment.bytes"
                        $0.value = "777"
                    }
                ]
            }
        ]
        #expect(try client.ask(request, version: 2)?.responses.first?.errorCode == ErrorCode.none)
        #expect(stage.node(0)?.topicSettings?["t"].overrides == ["segment.bytes": "777"])
    }

    @Test("a broker's loggers are told, set and given back, each broker's own") func loggers() throws {
        let stage = try twoBrokers()
        let client = stage.client(of: 1)
        let before = try #require(try describe(client, type: 8, "1", "kafka.controller"))
        #expect(before.configSource == 6 && !before.readOnly && !before.isSensitive)
        let root = try #require(try describe(client, type: 8, "1", "root")).value
        #expect(before.value == root)
        #expect(try alter(client, type: 8, "1", [(0, "kafka.controller", "ERROR")]).errorCode == ErrorCode.none)
        #expect(try describe(client, type: 8, "1", "kafka.controller")?.value == "ERROR")
        #expect(try describe(stage.client(of: 0), type: 8, "0", "kafka.controller")?.value == root)
        #expect(try alter(client, type: 8, "1", [(1, "kafka.controller", nil)]).errorCode == ErrorCode.none)
        #expect(try describe(client, type: 8, "1", "kafka.controller")?.value == root)
        #expect(try alter(client, type: 8, "1", [(0, "kafka.nobody", "INFO")]).errorCode == .invalidConfig)
        #expect(try alter(client, type: 8, "0", [(0, "kafka", "INFO")]).errorCode == .invalidRequest)
        var all = AlterConfigsRequest()
        all.resources = [
            .with {
                $0.resourceType = 8
                $0.resourceName = "1"
            }
        ]
        let refusal = try #require(try client.ask(all, version: 1)?.responses.first)
        #expect(refusal.errorCode == .invalidRequest && refusal.errorMessage == "Unknown resource type 8")
    }
}
