import Bytes
import ClusterModel
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("Produce and Fetch")
struct ProduceAndFetchTests {
    private let stage = Stage()
    private let client: RawClient

    init() throws {
        stage.start(0)
        stage.whenServing(0)
        client = stage.client()
        var metadata = MetadataRequest()
        metadata.topics = [.with { $0.name = "t" }]
        let answer = try #require(try client.ask(metadata, version: 9))
        // Held until the topic made by asking has a leader.
        #expect(answer.topics.first?.errorCode == ErrorCode.none)
        #expect(answer.topics.first?.partitions.first?.leaderID == 0)
    }

    private func produce(
        _ records: [UInt8], topic: String = "t", partition: Int32 = 0, acks: Int16 = -1, version: Int16 = 9
    ) throws -> ProduceResponse.PartitionProduceResponse? {
        var request = ProduceRequest()
        request.acks = acks
        request.timeoutMs = 1000
        request.topicData = [
            .with {
                $0.name = topic
                $0.partitionData = [
                    .with {
                        $0.index = partition
                        $0.records = .owned(records)
                    }
                ]
            }
        ]
        return try client.ask(request, version: version)?.responses.first?.partitionResponses.first
    }

    private func fetch(from offset: Int64, wait: Int32 = 0, bytes: Int32 = 1 << 20, version: Int16 = 11) throws
        -> FetchResponse.PartitionData?
    {
        var request = FetchRequest()
        request.maxWaitMs = wait
        request.minBytes = 1
        request.topics = [
            .with {
                $0.topic = "t"
                $0.partitions = [
                    .with {
                        $0.fetchOffset = offset
                        $0.partitionMaxBytes = bytes
                    }
                ]
            }
        ]
        return try client.ask(request, version: version)?.responses.first?.partitions.first
    }

    @Test("records come back as they were sent, with their offsets") func roundTrip() throws {
        #expect(try produce(Stage.batch(["a", "b"]))?.baseOffset == 0)
        #expect(try produce(Stage.batch(["c"]), acks: 1)?.baseOffset == 2)
        let data = try #require(try fetch(from: 0))
        #expect(data.highWatermark == 3)
        var batches: [ClosedRange<Int64>] = []
        data.records.withBytes { bytes in
            var reader = RecordBatches(bytes)
            while let batch = try? reader.next() {
                #expect(batch.crcMatches)
                batches.append(batch.baseOffset...batch.lastOffset)
            }
        }
        #expect(batches == [0...1, 2...2])
        #expect(try fetch(from: 3)?.records.count == 0)
        #expect(try fetch(from: 4)?.errorCode == .offsetOutOfRange)
    }

    @Test("a response may be smaller than one batch: that batch comes whole all the same") func oversized() throws {
        let large = Stage.batch([String(repeating: "x", count: 5000)])
        _ = try produce(large)
        #expect(try fetch(from: 0, bytes: 100)?.records.count == large.count)
    }

    @Test("each fault has its code and leaves the log as it was") func faults() throws {
        var two = Stage.batch(["a"])
        two += two
        var damaged = Stage.batch(["a"])
        damaged[damaged.count - 1] ^= 1
        var moved = Stage.batch(["a"])
        moved[7] = 5
        let cases: [([UInt8], ErrorCode)] = [
            ([], .invalidRecord), (two, .invalidRecord), (damaged, .corruptMessage), (moved, .invalidRecord),
            ([1, 2, 3], .corruptMessage),
        ]
        for (bytes, code) in cases {
            let answer = try #require(try produce(bytes))
            #expect(answer.errorCode == code)
            #expect(answer.baseOffset == -1)
        }
        #expect(try produce(Stage.batch(["a"]), topic: "nobody")?.errorCode == .unknownTopicOrPartition)
        #expect(try produce(Stage.batch(["a"]), partition: 7)?.errorCode == .unknownTopicOrPartition)
        #expect(try produce(Stage.batch(["a"]), topic: "__consumer_offsets")?.errorCode == .invalidTopicException)
        #expect(try produce(Stage.batch(["a"]), acks: 5)?.errorCode == .invalidRequiredAcks)
        #expect(try fetch(from: 0)?.highWatermark == 0)
    }

    @Test("acks=0 is answered with nothing, and a fault ends the connection") func noAcks() throws {
        var request = ProduceRequest()
        request.acks = 0
        request.topicData = [
            .with {
                $0.name = "t"
                $0.partitionData = [.with { $0.records = .owned(Stage.batch(["a"])) }]
            }
        ]
        try client.send(request, version: 7)
        #expect(try fetch(from: 0)?.highWatermark == 1)
        request.topicData[0].name = "nobody"
        try client.send(request, version: 7)
        #expect(client.wasEnded())
    }

    @Test("a fetch waits for records and is answered when they come") func longPoll() throws {
        let other = stage.client()
        var request = FetchRequest()
        request.maxWaitMs = 60_000
        request.minBytes = 1
        request.topics = [
            .with {
                $0.topic = "t"
                $0.partitions = [.with { $0.partitionMaxBytes = 1000 }]
            }
        ]
        try other.send(request, version: 11)
        stage.simulation.run(for: .seconds(2))
        #expect(other.frames.isEmpty)
        let before = stage.simulation.now
        _ = try produce(Stage.batch(["a"]))
        let frame = try #require(other.next())
        #expect(stage.simulation.now - before < .seconds(1))
        let answer = try other.decode(FetchRequest.self, frame, version: 11)
        #expect(answer.responses.first?.partitions.first?.records.count ?? 0 > 0)
    }

    @Test("an old producer's messages become a batch") func oldFormat() throws {
        // One message of magic 0: offset, size, CRC, magic, attributes, null key, "hi".
        let body: [UInt8] = [0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 0x68, 0x69]
        let crc = body.withUnsafeBytes { Checksum.crc32($0) }
        var message: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(body.count + 4)]
        withUnsafeBytes(of: crc.bigEndian) { message += $0 }
        message += body
        #expect(try produce(message, version: 0)?.baseOffset == 0)
        #expect(try produce(message, version: 3)?.errorCode == .invalidRecord)
        #expect(try fetch(from: 0)?.highWatermark == 1)
    }

    private func delete(below offset: Int64) throws -> DeleteRecordsResponse.DeleteRecordsPartitionResult? {
        var request = DeleteRecordsRequest()
        request.timeoutMs = 1000
        request.topics = [
            .with {
                $0.name = "t"
                $0.partitions = [.with { $0.offset = offset }]
            }
        ]
        return try client.ask(request, version: 2)?.topics.first?.partitions.first
    }

    @Test("deleted records cannot be read any more; more than there are cannot be deleted") func deleteRecords() throws
    {
        _ = try produce(Stage.batch(["a", "b", "c"]))
        #expect(try delete(below: 4)?.errorCode == .offsetOutOfRange)
        #expect(try delete(below: 2)?.lowWatermark == 2)
        #expect(try fetch(from: 1)?.errorCode == .offsetOutOfRange)
        #expect(try fetch(from: 2)?.logStartOffset == 2)
        #expect(try delete(below: -1)?.lowWatermark == 3)
        // A crash right after the answer brings nothing back.
        stage.simulation.node("broker-0").crash(.process)
        stage.restart(0)
        #expect(stage.whenServing(0))
        #expect(
            stage.simulation.run(within: .seconds(10)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true })
        #expect(stage.node(0)?.partitions.host("t", 0)?.log.logStartOffset == 3)
    }

    @Test("a deletion that cannot be written is not promised") func deletesNothingUnwritten() throws {
        _ = try produce(Stage.batch(["a", "b", "c"]))
        stage.simulation.node("broker-0").storage.fail(.write, of: "log-start-offset-checkpoint", code: 5, times: .max)
        #expect(try delete(below: 2)?.errorCode == .kafkaStorageError)
    }

    @Test("what was written is there after a clean stop, and after a crash") func restarts() throws {
        _ = try produce(Stage.batch(["a", "b"]))
        let node = stage.simulation.node("broker-0")
        var stopped = false
        stage.brokers[0]?.stop { stopped = true }
        #expect(stage.simulation.run(within: .seconds(30)) { stopped })
        node.crash(.process)
        node.restart()
        #expect(stage.whenServing(0))
        stage.simulation.run(within: .seconds(10)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true }
        #expect(stage.node(0)?.partitions.host("t", 0)?.highWatermark == 2)
        node.crash(.process)
        node.restart()
        stage.simulation.run(within: .seconds(30)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true }
        #expect(stage.node(0)?.partitions.host("t", 0)?.log.logEndOffset == 2)
    }
}
