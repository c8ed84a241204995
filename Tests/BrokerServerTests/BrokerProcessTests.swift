import ClusterModel
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("A broker's start and stop")
struct BrokerProcessTests {
    private let stage = Stage()

    private func failure(_ id: Int) -> String? {
        stage.simulation.run(within: .seconds(60)) { stage.failures[id] != nil }
        return stage.failures[id]
    }

    @Test("it says that it is started once the controller knows it, and which cluster it belongs to") func started() {
        stage.start(0)
        #expect(stage.whenServing(0))
        stage.simulation.run(for: .seconds(1))
        #expect(stage.said(0).contains("[KafkaServer id=0] started (kafka.server.KafkaServer)"))
        #expect(stage.said(0).contains { $0.hasPrefix("Cluster ID = ") })
        #expect(stage.said(0).contains { $0.hasPrefix("PLAINTEXT ") && $0.hasSuffix(" broker-0:9092") })
    }

    @Test("without a coordinator it waits, says so, and gives up in time") func noCoordinator() {
        stage.simulation.node("coordinator").crash(.process)
        let before = stage.simulation.now
        stage.start(0, ["zookeeper.connection.timeout.ms": "7000"])
        #expect(failure(0)?.hasPrefix("LB-1009") == true)
        #expect(stage.simulation.now - before < .seconds(8))
        #expect(stage.said(0).contains { $0.hasPrefix("waiting for the coordinator at coordinator:2181") })
    }

    @Test("a coordinator that comes later is in time") func lateCoordinator() {
        stage.simulation.node("coordinator").crash(.process)
        stage.start(0)
        stage.simulation.run(for: .seconds(5))
        stage.simulation.node("coordinator").restart()
        #expect(stage.whenServing(0))
        #expect(stage.failures[0] == nil)
    }

    @Test("it does not serve another cluster from its disk") func otherCluster() {
        stage.start(0, ["zookeeper.connect": "coordinator:2181/one"])
        #expect(stage.whenServing(0))
        stage.simulation.node("broker-0").crash(.process)
        stage.start(0, ["zookeeper.connect": "coordinator:2181/two"])
        #expect(failure(0)?.hasPrefix("LB-1010") == true)
    }

    @Test("another broker's number is refused once it is sure that it lives") func sameID() {
        stage.start(0)
        #expect(stage.whenServing(0))
        stage.start(1, ["broker.id": "0"])
        #expect(failure(1)?.hasPrefix("LB-1012") == true)
        #expect(stage.node(0)?.metadata.isAlive(0) == true)
    }

    @Test("Apache's internal topics are not silently passed over") func internalTopics() throws {
        let node = stage.simulation.node("broker-0")
        try node.world.disk.createDirectory("/logs/__consumer_offsets-7")
        stage.start(0)
        #expect(failure(0)?.hasPrefix("LB-1018") == true)
        node.crash(.process)
        stage.start(0, switches: ["ignore-internal-topics"])
        #expect(stage.whenServing(0))
        #expect(stage.failures[0] == nil)
    }

    @Test("a mistyped setting is told, and refused when that is asked for") func strict() {
        stage.start(0, ["log.retention.hour": "3"])
        #expect(stage.whenServing(0))
        #expect(
            stage.said(0).contains(
                "1 setting not understood: log.retention.hour (did you mean log.retention.hours?)"))
        stage.start(1, ["log.retention.hour": "3"], switches: ["strict-config"])
        #expect(failure(1)?.contains("log.retention.hours") == true)
    }

    @Test("a broker without a number draws one, and keeps it") func drawnID() {
        stage.start(5, ["broker.id": "-1"])
        #expect(
            stage.simulation.run(within: .seconds(30)) { stage.node(5).map { $0.metadata.isAlive($0.id) } ?? false })
        #expect(stage.node(5)?.id == 1001)
        stage.simulation.node("broker-5").crash(.process)
        stage.start(5, ["broker.id": "-1"])
        #expect(
            stage.simulation.run(within: .seconds(30)) { stage.node(5).map { $0.metadata.isAlive($0.id) } ?? false })
        #expect(stage.node(5)?.id == 1001)
    }

    @Test("a killed broker is back without waiting for its old session to expire") func quickRestart() {
        stage.start(0)
        #expect(stage.whenServing(0))
        stage.simulation.node("broker-0").crash(.process)
        let before = stage.simulation.now
        stage.start(0)
        #expect(stage.whenServing(0))
        #expect(stage.simulation.now - before < .seconds(2))
    }

    @Test("three brokers tell the same about a topic, whoever is asked") func three() throws {
        for id in 0...2 { stage.start(id) }
        #expect(stage.whenServing(0, 1, 2))
        let controller = Int(try #require(stage.node(0)?.metadata.controller.raw))
        var create = CreateTopicsRequest()
        create.timeoutMs = 10_000
        create.topics = [
            .with {
                $0.name = "t"
                $0.numPartitions = 6
                $0.replicationFactor = 1
            }
        ]
        let made = try #require(try stage.client(of: controller).ask(create, version: 5))
        #expect(made.topics.first?.errorCode == ErrorCode.none)
        // CreateTopics answers when every broker knows: nobody has to wait any more.
        var leaders: [[Int32]] = []
        for id in 0...2 {
            var request = MetadataRequest()
            request.topics = [.with { $0.name = "t" }]
            request.allowAutoTopicCreation = false
            let answer = try #require(try stage.client(of: id).ask(request, version: 9))
            leaders.append(answer.topics.first?.partitions.map(\.leaderID) ?? [])
        }
        #expect(Set(leaders).count == 1)
        #expect(Set(leaders[0]) == [0, 1, 2])
    }

    @Test("replicas that do not keep up leave the in-sync set, and acks=all goes on without them") func lagging() throws
    {
        for id in 0...1 { stage.start(id, ["replica.lag.time.max.ms": "2000"]) }
        #expect(stage.whenServing(0, 1))
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
        _ = try stage.client(of: controller).ask(create, version: 5)
        func led(by id: Int) -> PartitionHost? {
            stage.node(id)?.partitions.hosts(of: "t").first { $0.isLeader }
        }
        // Nothing is behind while there is nothing: a record makes the difference.
        for id in 0...1 {
            let host = try #require(led(by: id))
            var request = ProduceRequest()
            request.acks = 1
            request.topicData = [
                .with {
                    $0.name = "t"
                    $0.partitionData = [
                        .with {
                            $0.index = host.partition.partition
                            $0.records = .owned(Stage.batch(["a"]))
                        }
                    ]
                }
            ]
            _ = try stage.client(of: id).ask(request, version: 7)
        }
        // Whether or not followers fetch, the high watermark reaches the record: with them, or without those that left.
        #expect(
            stage.simulation.run(within: .seconds(30)) { (0...1).allSatisfy { led(by: $0)?.highWatermark == 1 } })
    }

    @Test("a clean stop ends the session: the others know at once") func stops() {
        for id in 0...1 { stage.start(id) }
        #expect(stage.whenServing(0, 1))
        var stopped = false
        stage.brokers[1]?.stop { stopped = true }
        #expect(stage.simulation.run(within: .seconds(10)) { stopped })
        #expect(stage.simulation.run(within: .seconds(2)) { stage.node(0)?.metadata.isAlive(1) == false })
    }
}
