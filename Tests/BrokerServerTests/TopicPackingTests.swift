import Bytes
import ClusterModel
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

extension Stage {
    /// - Returns: the partition's part of the answer; nil when there was none.
    func produce(
        _ bytes: [UInt8], to topic: String, version: Int16 = 9, acks: Int16 = -1
    ) throws -> ProduceResponse.PartitionProduceResponse? {
        var request = ProduceRequest()
        request.acks = acks
        request.timeoutMs = 5000
        request.topicData = [
            .with {
                $0.name = topic
                $0.partitionData = [.with { $0.records = .owned(bytes) }]
            }
        ]
        return try client().ask(request, version: version)?.responses.first?.partitionResponses.first
    }

    static func batch(packed codec: String, _ values: [String], times: [Int64] = [], producer: Int64 = -1) throws
        -> [UInt8]
    {
        var builder = BatchBuilder(codec: .init(name: codec) ?? .none)
        for (index, value) in values.enumerated() {
            builder.append(
                timestamp: index < times.count ? times[index] : 1_700_000_000_000, key: Array("k".utf8),
                value: Array(value.utf8), headers: [RecordHeader(key: [0x68], value: [0x76])])
        }
        return try builder.build(
            producer: producer < 0 ? .none : .init(id: producer, epoch: 2, baseSequence: 0))
    }

    static let codecs = ["uncompressed", "gzip", "snappy", "lz4", "zstd"]
}

@Suite("Topics that choose their packing and their time")
struct TopicPackingTests {
    private let stage = Stage()

    private func codec(_ topic: String, broker: Int = 0) throws -> String? {
        try stage.bytes(topic, broker: broker).withUnsafeBytes { try RecordBatch($0).codec?.name }
    }

    private func alter(_ topic: String, _ name: String, _ value: String) throws {
        var request = IncrementalAlterConfigsRequest()
        request.resources = [
            .with {
                $0.resourceType = 2
                $0.resourceName = topic
                $0.configs = [
                    .with {
                        $0.name = name
                        $0.configOperation = 0
                        $0.value = value
                    }
                ]
            }
        ]
        let answer = try stage.client().ask(request, version: 1)
        try #require(answer?.responses.first?.errorCode == ErrorCode.none)
    }

    @Test("are stored as they say, on every replica, whatever producers send", arguments: Stage.codecs)
    func stored(target: String) throws {
        stage.start(0)
        stage.start(1)
        stage.whenServing(0, 1)
        for source in Stage.codecs {
            let topic = "\(source)-\(target)"
            try stage.makeTopic(topic, [[0, 1]], ["compression.type": target])
            let sent = try Stage.batch(packed: source, (0..<30).map { "a value, the same as ever \($0)" }, producer: 7)
            let answer = try #require(try stage.produce(sent, to: topic))
            #expect(answer.errorCode == .none && answer.baseOffset == 0 && answer.logAppendTimeMs == -1)
            let bytes = try stage.bytes(topic)
            #expect(try codec(topic) == (target == "uncompressed" ? "none" : target))
            #expect(try stage.bytes(topic, broker: 1) == bytes)
            try bytes.withUnsafeBytes { raw in
                let batch = try RecordBatch(raw)
                #expect(
                    batch.crcMatches && batch.producerID == 7 && batch.producerEpoch == 2 && batch.baseSequence == 0)
                let expected = try sent.withUnsafeBytes { try RecordBatch($0).ownedRecords() }
                #expect(try batch.ownedRecords() == expected)
            }
            // The same again is the same, also to a leader that packed it.
            #expect(try stage.produce(sent, to: topic)?.baseOffset == 0)
            #expect(try stage.bytes(topic).count == bytes.count)
        }
    }

    @Test("follow the broker's setting, and changes of either, while the broker runs") func changes() throws {
        stage.start(0, ["compression.type": "gzip", "compression.gzip.level": "1"])
        stage.whenServing(0)
        try stage.makeTopic("t", [[0]])
        _ = try stage.produce(try Stage.batch(packed: "none", ["a"]), to: "t")
        #expect(try codec("t") == "gzip")
        try alter("t", "compression.type", "lz4")
        let host = try #require(stage.node(0)?.partitions.host("t", 0))
        #expect(stage.simulation.run(within: .seconds(10)) { host.config.packing?.codec.name == "lz4" })
        #expect(host.config.packing?.level == 9)
        try alter("t", "compression.lz4.level", "17")
        #expect(stage.simulation.run(within: .seconds(10)) { host.config.packing?.level == 17 })
        try alter("t", "compression.type", "producer")
        #expect(stage.simulation.run(within: .seconds(10)) { host.config.packing == nil })
    }

    @Test("refuse what is too large once it is packed their way, and old producers' zstd") func refusals() throws {
        stage.start(0)
        stage.whenServing(0)
        try stage.makeTopic("plain", [[0]], ["compression.type": "uncompressed", "max.message.bytes": "2000"])
        let text = String(repeating: "x", count: 1500)
        #expect(try stage.produce(try Stage.batch(packed: "gzip", [text]), to: "plain")?.errorCode == ErrorCode.none)
        #expect(
            try stage.produce(try Stage.batch(packed: "gzip", [text, text]), to: "plain")?.errorCode == .messageTooLarge
        )
        #expect(stage.node(0)?.partitions.host("plain", 0)?.log.logEndOffset == 1)
        try stage.makeTopic("zstd", [[0]], ["compression.type": "zstd"])
        for version: Int16 in [3, 6] {
            #expect(
                try stage.produce(try Stage.batch(packed: "zstd", ["a"]), to: "zstd", version: version)?.errorCode
                    == .unsupportedCompressionType)
            // What the broker makes of gzip is its own affair.
            #expect(
                try stage.produce(try Stage.batch(packed: "gzip", ["a"]), to: "zstd", version: version)?.errorCode
                    == ErrorCode.none)
        }
        #expect(try codec("zstd") == "zstd")
        for version: Int16 in 0...17 {
            guard version < 13 else { break }
            let answer = try #require(try stage.fetch("zstd", from: 0, version: version))
            #expect(
                answer.errorCode == (version < 10 ? .unsupportedCompressionType : ErrorCode.none), "Fetch \(version)")
        }
    }

    @Test("that stamp records tell the time in every version of Produce that has a place for it") func appendTime()
        throws
    {
        stage.start(0)
        stage.whenServing(0)
        try stage.makeTopic("t", [[0]], ["message.timestamp.type": "LogAppendTime"])
        for version: Int16 in 3...11 {
            let now = stage.simulation.node("broker-0").world.clock.wallMs
            let answer = try #require(
                try stage.produce(
                    try Stage.batch(packed: "lz4", ["a", "b"], times: [5, 7]), to: "t", version: version))
            #expect(answer.errorCode == ErrorCode.none)
            #expect(answer.logAppendTimeMs >= now, "Produce \(version)")
        }
        let bytes = try stage.bytes("t")
        try bytes.withUnsafeBytes { raw in
            var batches = RecordBatches(raw)
            var count = 0
            while let batch = try batches.next() {
                count += 1
                #expect(batch.crcMatches && batch.isLogAppendTime && batch.maxTimestamp > 7)
                #expect(try batch.ownedRecords().allSatisfy { $0.timestamp == batch.maxTimestamp })
            }
            #expect(count == 9)
        }
        // Sent twice, it was appended once, at its own time.
        let once = try Stage.batch(packed: "none", ["c"], producer: 9)
        let first = try #require(try stage.produce(once, to: "t"))
        stage.simulation.run(for: .seconds(3))
        let second = try #require(try stage.produce(once, to: "t"))
        #expect(second.baseOffset == first.baseOffset && second.logAppendTimeMs == first.logAppendTimeMs)
    }

    @Test("name each record that is too old, too young or without a key, in versions that have a place for it")
    func faults() throws {
        stage.start(0, ["log.message.timestamp.difference.max.ms": "60000"])
        stage.whenServing(0)
        try stage.makeTopic("t", [[0]])
        let now = stage.simulation.node("broker-0").world.clock.wallMs
        let bad = try Stage.batch(
            packed: "gzip", ["a", "b", "c", "d"], times: [now, now - 120_000, now + 10_000, now + 120_000])
        for version: Int16 in 3...11 {
            let answer = try #require(try stage.produce(bad, to: "t", version: version))
            #expect(answer.errorCode == .invalidTimestamp && answer.baseOffset == -1)
            #expect(answer.recordErrors.map(\.batchIndex) == (version >= 8 ? [1, 3] : []))
            guard version >= 8 else { continue }
            #expect(answer.errorMessage == "One or more records have been rejected due to invalid timestamp")
            #expect(answer.recordErrors[0].batchIndexErrorMessage?.contains("is out of range") == true)
        }
        try stage.makeTopic("keys", [[0]], ["cleanup.policy": "compact"])
        let answer = try #require(try stage.produce(["a", "b"], to: "keys"))
        #expect(answer.errorCode == .invalidRecord && answer.recordErrors.map(\.batchIndex) == [0, 1])
        #expect(
            answer.recordErrors[1].batchIndexErrorMessage
                == "Compacted topic cannot accept message without key in topic partition keys-0")
        #expect(answer.errorMessage?.contains("2 record errors in total") == true)
    }
}
