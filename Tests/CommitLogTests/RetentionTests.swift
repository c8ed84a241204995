import ClusterModel
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("Retention")
struct RetentionTests {
    /// Three sealed segments of 100 bytes, with records of 10, 20 and 30 s, and the growing one with 40 bytes of 35 s.
    func log(start: Offset = 0, highWatermark: Offset = 35) -> Retention {
        Retention(
            pieces: [
                .init(baseOffset: 0, size: 100, newestMs: 10_000), .init(baseOffset: 10, size: 100, newestMs: 20_000),
                .init(baseOffset: 20, size: 100, newestMs: 30_000), .init(baseOffset: 30, size: 40, newestMs: 35_000),
            ], logStartOffset: start, nextOffset: 35, highWatermark: highWatermark)
    }

    @Test("by time lets go of the oldest segments, the last one too when it is old") func byTime() {
        let rules = RetentionRules(milliseconds: 15_000)
        #expect(log().verdict(rules, nowMs: 25_000) == [])
        #expect(log().verdict(rules, nowMs: 25_001) == [.time])
        #expect(log().verdict(rules, nowMs: 36_000) == [.time, .time])
        #expect(log().verdict(rules, nowMs: 99_000) == [.time, .time, .time, .time])
        #expect(log().verdict(RetentionRules(), nowMs: .max) == [])
    }

    @Test("by time stops at the first segment that is young, whatever is behind it") func stopsAtYoung() {
        var log = log()
        log.pieces[1].newestMs = 90_000
        #expect(log.verdict(RetentionRules(milliseconds: 15_000), nowMs: 99_000) == [.time])
    }

    @Test("by size keeps at least what it says") func bySize() {
        #expect(log().verdict(RetentionRules(bytes: 340), nowMs: 0) == [])
        #expect(log().verdict(RetentionRules(bytes: 241), nowMs: 0) == [])
        #expect(log().verdict(RetentionRules(bytes: 240), nowMs: 0) == [.size])
        #expect(log().verdict(RetentionRules(bytes: 1), nowMs: 0) == [.size, .size, .size])
        #expect(log().verdict(RetentionRules(bytes: 0), nowMs: 0) == [.size, .size, .size, .size])
    }

    @Test("never reaches the high watermark") func highWatermark() {
        let rules = RetentionRules(milliseconds: 0, bytes: 0)
        #expect(log(highWatermark: 20).verdict(rules, nowMs: 99_000).count == 2)
        #expect(log(highWatermark: 19).verdict(rules, nowMs: 99_000).count == 1)
        #expect(log(highWatermark: 34).verdict(rules, nowMs: 99_000).count == 3)
    }

    @Test("without delete removes only what lies before the log's start") func compactOnly() {
        let rules = RetentionRules(deletes: false, milliseconds: 0, bytes: 0)
        #expect(log(start: 19).verdict(rules, nowMs: 99_000) == [.start])
        #expect(log(start: 20).verdict(rules, nowMs: 99_000) == [.start, .start])
        #expect(log(start: 35).verdict(rules, nowMs: 99_000).count == 3)
    }

    @Test("begins with the start, goes on with the size, then with the time") func reasons() {
        #expect(
            log(start: 10).verdict(RetentionRules(milliseconds: 10_000, bytes: 140), nowMs: 41_000)
                == [.start, .size, .time])
    }

    @Test("an empty last segment stays") func emptyLast() {
        var log = log()
        log.pieces[3].size = 0
        #expect(log.verdict(RetentionRules(bytes: 0), nowMs: 0).count == 3)
    }
}

@Suite("Deleting old segments")
struct DeletingTests {
    let fixture = LogFixture(writesInPlace: 0.5)
    let partition = TopicPartition("orders", 3)

    /// Ten segments of two batches each.
    func filled() throws -> (LogDirectory, PartitionLog) {
        fixture.settings.segmentBytes = 2 * batch(2).count
        fixture.settings.fileDeleteDelayMs = 60_000
        let directory = try fixture.open()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        for time: Int64 in 0..<20 { _ = try log.append(batch(2, timestamp: 1000 * time), in: fixture.simulation) }
        fixture.settle()
        return (directory, log)
    }

    func names(_ log: PartitionLog) throws -> [String] { try fixture.disk.list(log.directory).map(\.name) }

    @Test("moves the log's start, renames the files and removes them later") func deletes() throws {
        let (_, log) = try filled()
        let bases = log.segmentBases
        #expect(bases.count == 10)
        log.retain(RetentionRules(bytes: log.size - 3 * Int64(fixture.settings.segmentBytes)), highWatermark: 40)
        #expect(log.segmentBases == Array(bases[3...]) && log.logStartOffset == 12)
        #expect(throws: ReadError.outOfRange(asked: 11, start: 12, end: 40)) {
            try log.read(from: 11, maxBytes: 1, below: 40, atLeastOneBatch: true)
        }
        fixture.settle()
        let deleted = try names(log).filter { $0.hasSuffix(".deleted") }
        #expect(deleted.filter { $0.hasSuffix(".log.deleted") }.count == 3)
        #expect(deleted.contains("00000000000000000008.index.deleted"))
        #expect(deleted.contains("00000000000000000008.snapshot.deleted"))
        log.removeDeletedFiles()
        fixture.settle()
        #expect(try names(log).contains { $0.hasSuffix(".deleted") })
        fixture.simulation.run(for: .seconds(50))
        log.removeDeletedFiles()
        fixture.settle()
        #expect(try !names(log).contains { $0.hasSuffix(".deleted") } && log.offlineReason == nil)
    }

    @Test("begins a new segment when everything is due") func everything() throws {
        let (directory, log) = try filled()
        log.retain(RetentionRules(milliseconds: 0), highWatermark: 39)
        fixture.settle()
        #expect(log.segmentBases == [36] && log.logStartOffset == 36)
        log.retain(RetentionRules(milliseconds: 0), highWatermark: 40)
        fixture.settle()
        #expect(log.segmentBases == [40] && log.logStartOffset == 40 && log.size == 0)
        #expect(try log.append(batch(1), in: fixture.simulation).offsets == 40..<41)
        #expect(fixture.close(directory) == nil)
        fixture.node.restart()
        let again = try #require(try fixture.open().logs[partition])
        #expect(again.logStartOffset == 40 && again.logEndOffset == 41)
        #expect(try !names(again).contains { $0.hasSuffix(".deleted") })
    }

    @Test("whoever reads a deleted segment reads on") func readers() throws {
        let (_, log) = try filled()
        let slice = try log.read(from: 0, maxBytes: 1 << 20, below: 40, atLeastOneBatch: true)
        let before = try slice.contents()
        log.retain(RetentionRules(bytes: 0), highWatermark: 40)
        fixture.settle()
        fixture.simulation.run(for: .seconds(60))
        log.removeDeletedFiles()
        fixture.settle()
        #expect(try slice.contents() == before)
    }

    @Test("is finished or undone by a crash at any moment, and leaves no hole", arguments: [CrashKind.process, .power])
    func crashes(kind: CrashKind) throws {
        for moment in 0..<40 {
            let fixture = LogFixture(seed: UInt64(moment))
            fixture.settings.segmentBytes = 2 * batch(2).count
            let directory = try fixture.open()
            let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
            try fixture.disk.syncDirectory(fixture.path)
            for _ in 0..<10 { _ = try log.append(batch(2), in: fixture.simulation) }
            fixture.settle()
            log.flush { #expect($0 == nil) }
            fixture.settle()
            let whole = try log.bytes(from: 0, below: 20)
            var left = moment
            fixture.node.storage.fault = { _, _ in
                left -= 1
                if left == 0 { fixture.node.crash(kind) }
                return nil
            }
            log.retain(RetentionRules(bytes: 0), highWatermark: 14)
            fixture.simulation.run(for: .seconds(1))
            fixture.node.storage.fault = nil
            if fixture.node.isUp { fixture.node.crash(kind) }
            fixture.node.restart()
            let again = try #require(try fixture.open().logs[partition])
            #expect(again.logEndOffset == 20 && again.logStartOffset <= 12)
            let rest = try again.bytes(from: again.logStartOffset, below: 20)
            #expect(!rest.isEmpty && whole.suffix(rest.count).elementsEqual(rest))
        }
    }

    @Test("segments are rolled sooner by a jitter of their own") func jitter() throws {
        fixture.settings.segmentMs = 1000
        fixture.settings.segmentJitterMs = 900
        let directory = try fixture.open()
        var lengths: Set<Offset> = []
        for number: Int32 in 0..<12 {
            let log = try directory.createLog(
                TopicPartition("many", number), topicID: nil, settings: fixture.settings)
            for time: Int64 in 0..<60 { _ = try log.append(batch(timestamp: 50 * time), in: fixture.simulation) }
            for (base, next) in zip(log.segmentBases, log.segmentBases.dropFirst()) {
                // Nothing above segment.ms, nothing below segment.ms - segment.jitter.ms.
                #expect((2...21).contains(next - base))
                lengths.insert(next - base)
            }
        }
        #expect(lengths.count > 3)
    }
}
