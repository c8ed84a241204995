import Bytes
import ClusterModel
import FoundationEssentials
import Platform
import PosixPlatform
import Testing

@testable import CommitLog

@Suite("A log on a real disk")
struct RealDiskTests {
    @Test("appends, rolls, syncs, closes and opens again") func wholeLife() throws {
        let path = FileManager.default.temporaryDirectory.path + "/letterbox-log-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let world = PosixWorld(speaker: "test", level: .error)
        var settings = LogSettings()
        settings.segmentBytes = 4000
        settings.indexIntervalBytes = 300
        let partition = TopicPartition("orders", 0)
        var directory = try LogDirectory.open(path, world: world)
        try directory.loadLogs { _ in settings }
        var log = try directory.createLog(partition, topicID: UUID128(high: 1, low: 2), settings: settings)
        var answered: [Offset] = []
        for _ in 0..<200 {
            var bytes = batch(3, size: 40)
            bytes.withUnsafeMutableBytes { raw in
                log.append(raw, leaderEpoch: 2) {
                    if case .success(let range) = $0 { answered.append(range.offsets.lowerBound) }
                }
            }
        }
        #expect(world.run(until: { answered.count == 200 }, atMost: .seconds(20)))
        #expect(answered == (0..<200).map { $0 * 3 })
        var cut = false
        log.truncate(to: 450) { cut = $0 == nil }
        #expect(world.run(until: { cut }, atMost: .seconds(20)))
        #expect(log.logEndOffset == 450)
        let held = try log.bytes(from: 0, below: 450)
        var closed: LogOpenError??
        directory.close(highWatermarks: [partition: 450], brokerEpoch: 1) { closed = .some($0) }
        #expect(world.run(until: { closed != nil }, atMost: .seconds(20)))
        #expect(closed == .some(nil))

        directory = try LogDirectory.open(path, world: world)
        try directory.loadLogs { _ in settings }
        log = try #require(directory.logs[partition])
        #expect(directory.stoppedCleanly && directory.highWatermarks == [partition: 450])
        #expect(log.logEndOffset == 450 && log.recoveryPoint == 450 && log.segmentBases.count > 5)
        #expect(try log.bytes(from: 0, below: 450) == held)
    }
}
