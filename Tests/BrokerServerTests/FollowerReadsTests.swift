import ClusterModel
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("Reading from followers, and copying under a throttle")
struct FollowerReadsTests {
    private func stage(_ more: KeyValuePairs<String, String> = [:]) throws -> Stage {
        let stage = Stage()
        for id in 0...1 {
            stage.start(
                id,
                pairs: [
                    ("broker.rack", "rack-\(id)"),
                    ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector"),
                ] + more.map { ($0.key, $0.value) })
        }
        try #require(stage.whenServing(0, 1))
        return stage
    }

    @Test("the leader sends a consumer to the in-sync replica of its rack, and to no other") func preferred() throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0, 1]])
        #expect(try stage.produce(["one", "two"], to: "t")?.errorCode == ErrorCode.none)
        let sent = try #require(try stage.fetch("t", from: 0, rack: "rack-1"))
        #expect(sent.preferredReadReplica == 1 && sent.records.count == 0 && sent.errorCode == ErrorCode.none)
        for rack in ["", "rack-0", "rack-7"] {
            let here = try #require(try stage.fetch("t", from: 0, rack: rack))
            #expect(here.preferredReadReplica == -1 && here.records.count > 0, "\(rack)")
        }
        // A consumer of before KIP-392 knows nothing of it.
        #expect(try stage.fetch("t", from: 0, rack: "", version: 10)?.records.count ?? 0 > 0)
    }

    @Test("a follower serves consumers up to its high watermark; old consumers it sends to the leader") func reads()
        throws
    {
        let stage = try stage()
        try stage.makeTopic("t", [[0, 1]])
        #expect(try stage.produce(["one", "two"], to: "t")?.errorCode == ErrorCode.none)
        #expect(
            stage.simulation.run(within: .seconds(5)) { stage.node(1)?.partitions.host("t", 0)?.highWatermark == 2 })
        let told = try #require(try stage.fetch("t", from: 0, broker: 1, rack: "rack-1"))
        #expect(told.errorCode == ErrorCode.none && told.records.count > 0 && told.highWatermark == 2)
        #expect(try stage.fetch("t", from: 0, broker: 1, version: 10)?.errorCode == .notLeaderOrFollower)
        #expect(try stage.fetch("t", from: 3, broker: 1)?.errorCode == .offsetOutOfRange)
        // Whoever waits there is answered when the follower's high watermark moves.
        let waiting = stage.client(of: 1)
        var request = FetchRequest()
        request.replicaID = -1
        request.maxWaitMs = 20_000
        request.minBytes = 1
        request.maxBytes = 1 << 20
        request.sessionEpoch = -1
        request.topics = [
            .with {
                $0.topic = "t"
                $0.partitions = [
                    .with {
                        $0.fetchOffset = 2
                        $0.partitionMaxBytes = 1 << 20
                    }
                ]
            }
        ]
        try waiting.send(request, version: 12)
        #expect(try stage.produce(["three"], to: "t")?.baseOffset == 2)
        let frame = try #require(waiting.next(within: .seconds(5)))
        let answer = try waiting.decode(FetchRequest.self, frame, version: 12)
        #expect(answer.responses.first?.partitions.first?.records.count ?? 0 > 0)
    }

    @Test("other selectors cannot be loaded, and the start says so") func selectors() {
        let stage = Stage()
        stage.start(0, ["replica.selector.class": "com.example.Mine"])
        #expect(stage.simulation.run(within: .seconds(5)) { stage.failures[0] != nil })
        #expect(stage.failures[0]?.contains("replica.selector.class") == true)
    }

    @Test(
        "a throttled replica that is behind copies at the rate of either side, and joins the in-sync set",
        arguments: ["leader", "follower"])
    func throttled(side: String) throws {
        let stage = try stage(["\(side).replication.throttled.rate": "100000"])
        try stage.makeTopic(
            "t", [[0, 1]], ["\(side).replication.throttled.replicas": "*", "min.insync.replicas": "1"])
        stage.simulation.node("broker-1").crash(.process)
        let large = String(repeating: "x", count: 100_000)
        #expect(
            stage.simulation.run(within: .seconds(60)) {
                stage.node(0)?.partitions.host("t", 0)?.leader.inSync.count == 1
            })
        for _ in 0..<20 { #expect(try stage.produce([large], to: "t")?.errorCode == ErrorCode.none) }
        stage.restart(1)
        try #require(stage.whenServing(0, 1))
        let began = stage.simulation.now
        #expect(
            stage.simulation.run(within: .seconds(120)) {
                stage.node(0)?.partitions.host("t", 0)?.leader.inSync.count == 2
            })
        let took = stage.simulation.now - began
        #expect(took > .seconds(8) && took < .seconds(60))
        // In sync it is free: acks=all does not wait for the rate.
        let before = stage.simulation.now
        for _ in 0..<5 { #expect(try stage.produce([large], to: "t")?.errorCode == ErrorCode.none) }
        #expect(stage.simulation.now - before < .seconds(4))
    }
}
