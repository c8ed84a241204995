import ClusterModel
import CommitLog
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("Damage on a broker's disk")
struct HealingTests {
    /// Three brokers, a topic of small segments, a hundred batches on all of them.
    private func stage(_ replicas: [Int32]) throws -> Stage {
        let stage = Stage(seed: 3)
        for id in replicas.map(Int.init) {
            stage.start(
                id,
                [
                    "log.scrub.interval.ms": "2000", "log.scrub.max.bytes.per.second": "1000000",
                    "replica.lag.time.max.ms": "4000",
                ])
        }
        try #require(
            stage.simulation.run(within: .seconds(60)) {
                replicas.allSatisfy { id in
                    stage.node(Int(id)).map { node in replicas.allSatisfy { node.metadata.isAlive(BrokerID($0)) } }
                        ?? false
                }
            })
        let controller = Int(try #require(stage.node(0)?.metadata.controller.raw))
        var create = CreateTopicsRequest()
        create.timeoutMs = 10_000
        create.topics = [
            .with {
                $0.name = "t"
                $0.assignments = [
                    .with {
                        $0.partitionIndex = 0
                        $0.brokerIDs = replicas
                    }
                ]
                $0.numPartitions = -1
                $0.replicationFactor = -1
                $0.configs = [
                    .with {
                        $0.name = "segment.bytes"
                        $0.value = "2000"
                    }
                ]
            }
        ]
        #expect(try stage.client(of: controller).ask(create, version: 5)?.topics.first?.errorCode == ErrorCode.none)
        try #require(stage.simulation.run(within: .seconds(20)) { host(stage, 0)?.isLeader == true })
        try produce(stage, 100, acks: -1)
        try #require(
            stage.simulation.run(within: .seconds(20)) {
                replicas.allSatisfy { host(stage, Int($0))?.highWatermark == 100 }
            })
        return stage
    }

    private func produce(_ stage: Stage, _ count: Int, acks: Int16) throws {
        let client = stage.client(of: 0)
        let now = stage.simulation.node("client").world.clock.wallMs
        for number in 0..<count {
            var builder = BatchBuilder(codec: .none)
            builder.append(timestamp: now, key: nil, value: [UInt8](repeating: UInt8(number), count: 100))
            let batch = try builder.build()
            var request = ProduceRequest()
            request.acks = acks
            request.timeoutMs = 5000
            request.topicData = [
                .with {
                    $0.name = "t"
                    $0.partitionData = [.with { $0.records = .owned(batch) }]
                }
            ]
            let answer = try client.ask(request, version: 9)
            try #require(answer?.responses.first?.partitionResponses.first?.errorCode == ErrorCode.none)
        }
    }

    private func host(_ stage: Stage, _ id: Int) -> PartitionHost? { stage.node(id)?.partitions.host("t", 0) }

    private func log(_ stage: Stage, _ id: Int) throws -> [UInt8] {
        let log = try #require(host(stage, id)).log
        var bytes: [UInt8] = []
        for base in log.segmentBases {
            bytes += try stage.simulation.node("broker-\(id)").world.disk.contents(path(base))
        }
        return bytes
    }

    private func path(_ base: Offset) -> String { "/logs/t-0/\(SegmentFiles.digits(base)).log" }

    private func flip(_ stage: Stage, _ id: Int, _ base: Offset, at position: Int64) throws {
        let file = try stage.simulation.node("broker-\(id)").world.disk.open(path(base), .update)
        defer { file.close() }
        let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        defer { byte.deallocate() }
        _ = try file.read(into: byte, at: position)
        byte[0] ^= 0x40
        try file.write(UnsafeRawBufferPointer(byte), at: position)
    }

    private func lines(_ stage: Stage, _ id: Int, _ code: String) -> Int {
        stage.simulation.node("broker-\(id)").lines.filter { $0.text.hasPrefix(code) }.count
    }

    @Test(
        "in closed segments is found by the scrub and put right from another replica, on a follower and on the leader",
        arguments: [0, 1])
    func scrubbed(on id: Int) throws {
        let stage = try stage([0, 1, 2])
        let good = try log(stage, id)
        let bases = try #require(host(stage, id)).log.segmentBases
        try #require(bases.count > 3)
        try flip(stage, id, bases[0], at: 200)
        try flip(stage, id, bases[2], at: 300)
        #expect(try log(stage, id) != good)
        #expect(stage.simulation.run(within: .seconds(120)) { lines(stage, id, "LB-3041") == 2 })
        #expect(lines(stage, id, "LB-3040") == 2)
        #expect(try log(stage, id) == good)
        #expect(host(stage, id)?.log.isDamaged == false)
    }

    @Test("that a broker finds at its start is put right from the leader, without a cut") func atStart() throws {
        let stage = try stage([0, 1, 2])
        let good = try log(stage, 1)
        let bases = try #require(host(stage, 1)).log.segmentBases
        stage.simulation.run(for: .seconds(90))
        // The last one that was synced: a start reads it.
        try flip(stage, 1, bases[bases.count - 2], at: 70)
        stage.simulation.node("broker-1").crash(.process)
        stage.restart(1)
        #expect(stage.simulation.run(within: .seconds(60)) { lines(stage, 1, "LB-3041") == 1 })
        #expect(try log(stage, 1) == good)
        #expect(!stage.simulation.node("broker-1").lines.contains { $0.text.contains("LB-3020") })
    }

    @Test("that a follower was sent is found by its asking again, and put right from one that is whole") func sentOn()
        throws
    {
        let stage = try stage([0, 1, 2])
        stage.simulation.node("broker-2").pause()
        try produce(stage, 10, acks: 1)
        try #require(stage.simulation.run(within: .seconds(60)) { host(stage, 0)?.highWatermark == 110 })
        let good = try self.log(stage, 0)
        let log = try #require(host(stage, 0)).log
        // In the segment that grows, which no scrub looks at.
        let base = try #require(log.segmentBases.last)
        let slice = try log.read(from: 108, maxBytes: 1, below: 110, atLeastOneBatch: true)
        try flip(stage, 0, base, at: try #require(slice.region?.offset) + 70)
        stage.simulation.node("broker-2").resume()
        #expect(stage.simulation.run(within: .seconds(60)) { host(stage, 2)?.log.logEndOffset == 110 })
        #expect(lines(stage, 0, "LB-3041") == 1)
        #expect(try self.log(stage, 0) == good)
        #expect(try self.log(stage, 2) == good)
    }

    @Test("that nobody else can put right is told, refused to readers and never cut away") func alone() throws {
        let stage = try stage([0])
        let bases = try #require(host(stage, 0)).log.segmentBases
        try flip(stage, 0, bases[1], at: 100)
        #expect(stage.simulation.run(within: .seconds(120)) { lines(stage, 0, "LB-3042") == 1 })
        let alone = try #require(host(stage, 0))
        let stretch = try #require(alone.log.damage.first)
        #expect(alone.log.logEndOffset == 100 && alone.log.segmentBases == bases)
        var request = FetchRequest()
        request.topics = [
            .with {
                $0.topic = "t"
                $0.partitions = [
                    .with {
                        $0.fetchOffset = stretch.offsets.lowerBound
                        $0.partitionMaxBytes = 1 << 20
                    }
                ]
            }
        ]
        let answer = try stage.client(of: 0).ask(request, version: 11)
        #expect(answer?.responses.first?.partitions.first?.errorCode == .corruptMessage)
        request.topics[0].partitions[0].fetchOffset = stretch.offsets.upperBound
        let behind = try stage.client(of: 0).ask(request, version: 11)
        #expect(behind?.responses.first?.partitions.first?.errorCode == ErrorCode.none)
        // A clean stop and a start leave everything where it is.
        stage.simulation.run(for: .seconds(5))
        #expect(lines(stage, 0, "LB-3042") == 1)
    }
}
