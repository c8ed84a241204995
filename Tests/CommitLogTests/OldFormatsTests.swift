import ClusterModel
import Compression
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("A log from before record batches")
struct OldFormatsTests {
    private let fixture = LogFixture()
    private let partition = TopicPartition("letters", 0)

    /// Three records at `offset`, a second apart, in the old words.
    private func old(_ magic: UInt8, _ codec: Codec, at offset: Offset, time: Int64) throws -> [UInt8] {
        var builder = BatchBuilder(codec: codec)
        for index in 0..<3 {
            builder.append(
                timestamp: time + Int64(index) * 1000, key: nil, value: Array("\(offset + Int64(index))".utf8))
        }
        let batch = try builder.build(baseOffset: offset)
        return try batch.withUnsafeBytes { try BatchConversion.downConvert($0, toMagic: magic, from: 0) }.bytes
    }

    private func whole() throws -> [UInt8] {
        try old(0, .none, at: 0, time: 0) + old(0, .gzip, at: 3, time: 0) + old(1, .none, at: 6, time: 10_000)
            + old(1, .snappy, at: 9, time: 20_000) + old(1, .lz4, at: 12, time: 5000)
    }

    private func append(_ bytes: [UInt8], to log: PartitionLog) throws -> AppendedRange {
        var result: Result<AppendedRange, AppendError>?
        bytes.withUnsafeBytes { log.appendAsFollower($0) { result = $0 } }
        fixture.settle()
        return try #require(result).get()
    }

    private func bytes(_ log: PartitionLog) throws -> [UInt8] {
        try log.read(from: 0, maxBytes: 1 << 20, below: log.logEndOffset, atLeastOneBatch: true).contents()
    }

    private func check(_ log: PartitionLog) throws {
        #expect(log.logEndOffset == 15)
        #expect(try bytes(log) == whole())
        // Inside a packed message, and behind a later one whose times are earlier.
        for (time, offset) in [(0, 6), (10_001, 7), (12_001, 9), (21_000, 10), (22_000, 11)] as [(Int64, Offset)] {
            #expect(try log.offset(forTimestamp: time, below: 15)?.offset == offset, "\(time)")
        }
        #expect(try log.offset(forTimestamp: 22_001, below: 15) == nil)
        #expect(try log.offsetOfMaxTimestamp()?.offset == 11)
        let slice = try log.read(from: 10, maxBytes: 1 << 20, below: 15, atLeastOneBatch: true)
        let records = try slice.contents().withUnsafeBytes { try LegacyMessages.records($0) }
        #expect(records.first?.offset == 9 && records.last?.offset == 14)
    }

    @Test("is copied by followers byte for byte, read, searched by time, and there after a crash") func old() throws {
        fixture.settings.indexIntervalBytes = 0
        var directory = try fixture.open()
        var log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        #expect(try append(try whole(), to: log).offsets == 0..<15)
        try check(log)
        #expect(log.latestEpoch == nil)
        try fixture.disk.syncDirectory(fixture.path)
        fixture.node.crash(.process)
        fixture.node.restart()
        directory = try fixture.open()
        log = try #require(directory.logs[partition])
        try check(log)
        // New records come behind.
        #expect(try log.append(batch(2), epoch: 3, in: fixture.simulation).offsets == 15..<17)
        #expect(log.epoch(ofOffset: 16) == 3)
        // What is there already, and what is damaged, is refused.
        #expect(throws: AppendError.self) { try append(try old(1, .gzip, at: 9, time: 0), to: log) }
        var damaged = try old(1, .gzip, at: 17, time: 0)
        damaged[damaged.count - 1] ^= 1
        #expect(throws: AppendError.self) { try append(damaged, to: log) }
        #expect(log.logEndOffset == 17)
    }
}
