import Bytes
import ClusterModel
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("A partition's log")
struct PartitionLogTests {
    let fixture = LogFixture(writesInPlace: 0.5)
    var simulation: Simulation { fixture.simulation }

    func log(_ settings: (inout LogSettings) -> Void = { _ in }) throws -> (LogDirectory, PartitionLog) {
        settings(&fixture.settings)
        let directory = try fixture.open()
        let log = try directory.createLog(TopicPartition("orders", 3), topicID: nil, settings: fixture.settings)
        return (directory, log)
    }

    @Test("gives consecutive offsets and reads back what it was given") func appendsAndReads() throws {
        let (_, log) = try log()
        #expect(try log.append(batch(3), epoch: 5, in: simulation).offsets == 0..<3)
        #expect(try log.append(batch(2), epoch: 5, in: simulation).offsets == 3..<5)
        #expect(log.logEndOffset == 5 && log.nextOffset == 5)
        let slice = try log.read(from: 4, maxBytes: 1 << 20, below: 5, atLeastOneBatch: false)
        #expect(slice.startOffset == 3)
        try slice.contents().withUnsafeBytes { raw in
            let view = try RecordBatch(raw)
            #expect(view.baseOffset == 3 && view.leaderEpoch == 5 && view.crcMatches)
        }
        #expect(try log.read(from: 5, maxBytes: 100, below: 5, atLeastOneBatch: true).region == nil)
        #expect(throws: ReadError.outOfRange(asked: 6, start: 0, end: 5)) {
            try log.read(from: 6, maxBytes: 100, below: 5, atLeastOneBatch: true)
        }
    }

    @Test("shows whole batches below the bound only, and the first one whole when asked") func bounds() throws {
        let (_, log) = try log()
        for _ in 0..<3 { _ = try log.append(batch(2), in: simulation) }
        let size = batch(2).count
        #expect(try log.read(from: 0, maxBytes: 1 << 20, below: 4, atLeastOneBatch: true).length == 2 * size)
        #expect(try log.read(from: 0, maxBytes: 1 << 20, below: 3, atLeastOneBatch: true).length == size)
        #expect(try log.read(from: 2, maxBytes: 1 << 20, below: 2, atLeastOneBatch: true).length == 0)
        #expect(try log.read(from: 0, maxBytes: 10, below: 6, atLeastOneBatch: true).length == size)
        #expect(try log.read(from: 0, maxBytes: 10, below: 6, atLeastOneBatch: false).length == 10)
        #expect(try log.read(from: 0, maxBytes: size + 10, below: 6, atLeastOneBatch: true).length == size + 10)
    }

    @Test("answers in order while the disk is busy, and its end waits for the disk") func busyDisk() throws {
        let (_, log) = try log { $0.segmentBytes = 300 }
        var answers: [Range<Offset>] = []
        for _ in 0..<20 {
            var bytes = batch(1)
            bytes.withUnsafeMutableBytes { raw in
                log.append(raw, leaderEpoch: 1) { result in
                    if case .success(let range) = result {
                        answers.append(range.offsets)
                        #expect(log.logEndOffset == range.offsets.upperBound)
                        // Readers get all that is written and nothing that is not, also when the log has rolled meanwhile.
                        let end = log.logEndOffset
                        #expect((try? log.bytes(from: 0, below: end).count) == Int(end) * batch(1).count)
                        #expect(
                            (try? log.read(from: end - 1, maxBytes: 1 << 20, below: end, atLeastOneBatch: true).length)
                                == batch(1).count)
                    }
                }
            }
        }
        #expect(log.nextOffset == 20)
        fixture.settle()
        #expect(answers == (0..<20).map { Offset($0)..<Offset($0) + 1 })
        #expect(log.segmentBases.count > 4 && log.logEndOffset == 20)
        #expect(try log.bytes(from: 0, below: 20).count == 20 * batch(1).count)
        #expect(log.recoveryPoint >= log.segmentBases.last ?? 0)
    }

    @Test("rolls by the records' time") func rollsByTime() throws {
        let (_, log) = try log { $0.segmentMs = 1000 }
        for time: Int64 in [5000, 6000, 6001, 6500, 7100] { _ = try log.append(batch(timestamp: time), in: simulation) }
        fixture.settle()
        #expect(log.segmentBases == [0, 2, 4])
    }

    @Test("rolls when an index is full") func rollsByIndex() throws {
        let (_, log) = try log {
            $0.indexIntervalBytes = 0
            $0.segmentIndexBytes = 40
        }
        for _ in 0..<12 { _ = try log.append(batch(), in: simulation) }
        #expect(log.segmentBases.count > 1)
    }

    @Test("answers a repeated batch with its first offsets, and refuses gaps and old epochs") func idempotence() throws
    {
        let (directory, log) = try log()
        func send(_ sequence: Int32, _ count: Int = 1, epoch: Int16 = 0) throws(AppendError) -> AppendedRange {
            try log.append(batch(count, producer: .init(id: 7, epoch: epoch, baseSequence: sequence)), in: simulation)
        }
        #expect(try send(0, 3).offsets == 0..<3)
        #expect(try send(3).offsets == 3..<4)
        let again = try send(0, 3)
        #expect(again.isDuplicate && again.offsets == 0..<3 && log.logEndOffset == 4)
        #expect(throws: AppendError.sequenceGap(producerID: 7, expected: 4, got: 5)) { try send(5) }
        for sequence: Int32 in 4..<9 { _ = try send(sequence) }
        // Five are remembered.
        #expect(throws: AppendError.sequenceGap(producerID: 7, expected: 9, got: 3)) { try send(3) }
        #expect(throws: AppendError.sequenceGap(producerID: 7, expected: 0, got: 9)) { try send(9, epoch: 1) }
        #expect(try send(0, epoch: 1).offsets == 9..<10)
        #expect(throws: AppendError.staleProducerEpoch(producerID: 7, current: 1, got: 0)) { try send(9) }
        // Also after a restart, clean or not.
        fixture.node.restart()
        let killed = try #require(try fixture.open().logs[log.partition])
        #expect(killed.ledger == log.ledger)
        _ = directory
    }

    @Test("takes a producer's later batches only behind its first, unless producers may have been forgotten")
    func unknownProducers() throws {
        let (_, log) = try log()
        func send(_ sequence: Int32) throws(AppendError) {
            _ = try log.append(batch(producer: .init(id: 7, epoch: 0, baseSequence: sequence)), in: simulation)
        }
        #expect(throws: AppendError.sequenceGap(producerID: 7, expected: 0, got: 6)) { try send(6) }
        try send(0)
        // Once somebody was forgotten, any number may be right.
        var ledger = log.ledger
        ledger.expire(nowMs: .max, expirationMs: 1)
        #expect(ledger.entries.isEmpty && !ledger.knowsEveryProducer)
        #expect(ProducerLedger(fromFirstRecord: true).knowsEveryProducer)
    }

    @Test("cuts at any offset and goes on from there") func truncates() throws {
        let (_, log) = try log { $0.segmentBytes = 300 }
        for epoch: Int32 in 0..<10 { _ = try log.append(batch(2), epoch: LeaderEpoch(epoch), in: simulation) }
        fixture.settle()
        var cut: [AppendError?] = []
        log.truncate(to: 7) { cut.append($0) }
        var late = batch(1)
        var placed: Range<Offset>?
        late.withUnsafeMutableBytes { raw in
            log.append(raw, leaderEpoch: 11) { placed = (try? $0.get())?.offsets }
        }
        fixture.settle()
        #expect(cut == [nil])
        // 7 is within the batch of 6 and 7, which goes as a whole.
        #expect(placed == 6..<7)
        #expect(log.latestEpoch == 11)
        #expect(log.endOffset(forEpoch: 2) == EpochEnd(epoch: 2, endOffset: 6))
        #expect(log.endOffset(forEpoch: 5) == EpochEnd(epoch: 2, endOffset: 6))
        #expect(log.endOffset(forEpoch: 11) == EpochEnd(epoch: 11, endOffset: 7))
        #expect(log.endOffset(forEpoch: 12) == nil)
        #expect(try log.bytes(from: 0, below: 7).count == 3 * batch(2).count + batch(1).count)
    }

    @Test("starts over at the leader's start") func startsOver() throws {
        let (directory, log) = try log { $0.segmentBytes = 300 }
        for _ in 0..<10 { _ = try log.append(batch(2), in: simulation) }
        log.restart(at: 500) { #expect($0 == nil) }
        fixture.settle()
        #expect(log.logStartOffset == 500 && log.logEndOffset == 500 && log.latestEpoch == nil)
        #expect(try log.append(batch(2), epoch: 3, in: simulation).offsets == 500..<502)
        #expect(fixture.close(directory) == nil)
        let again = try #require(try fixture.open().logs[log.partition])
        #expect(again.logStartOffset == 500 && again.logEndOffset == 502)
        #expect(try again.bytes(from: 500, below: 502).count == batch(2).count)
    }

    @Test("follows a leader: offsets and epochs stay, gaps are fine, going back is not") func follows() throws {
        let (_, log) = try log()
        var bytes = batch(2) + batch(1)
        let first = batch(2).count
        bytes.withUnsafeMutableBytes { raw in
            RecordBatch.place(raw, at: 10, leaderEpoch: 1)
            RecordBatch.place(UnsafeMutableRawBufferPointer(rebasing: raw[first...]), at: 20, leaderEpoch: 2)
        }
        func follow(_ bytes: [UInt8]) -> Result<AppendedRange, AppendError>? {
            var result: Result<AppendedRange, AppendError>?
            bytes.withUnsafeBytes { log.appendAsFollower($0) { result = $0 } }
            fixture.settle()
            return result
        }
        // The last batch is cut: left out.
        #expect(try follow(Array(bytes.dropLast()))?.get().offsets == 10..<12)
        #expect(log.logEndOffset == 12)
        #expect(throws: AppendError.unexpectedOffset(got: 10, logEnd: 12)) { try follow(bytes)?.get() }
        #expect(try follow(Array(bytes[first...]))?.get().offsets == 20..<21)
        #expect(log.epochs.entries == [.init(epoch: 1, startOffset: 10), .init(epoch: 2, startOffset: 20)])
        // Between the two there is nothing: reading goes on at the next batch.
        #expect(try log.read(from: 15, maxBytes: 1000, below: 21, atLeastOneBatch: true).startOffset == 20)
        var damaged = Array(bytes[first...])
        damaged.withUnsafeMutableBytes { RecordBatch.place($0, at: 30, leaderEpoch: 2) }
        damaged[damaged.count - 1] ^= 1
        #expect(throws: AppendError.self) { try follow(damaged)?.get() }
        #expect(log.logEndOffset == 21)
    }

    @Test("holds offsets further apart than an index entry can tell") func farApart() throws {
        let (directory, log) = try log()
        var bytes = batch(1) + batch(1)
        let first = batch(1).count
        bytes.withUnsafeMutableBytes { raw in
            RecordBatch.place(raw, at: 5, leaderEpoch: 1)
            RecordBatch.place(UnsafeMutableRawBufferPointer(rebasing: raw[first...]), at: 6_000_000_000, leaderEpoch: 1)
        }
        for part in [bytes, Array(bytes[first...])] {
            part.withUnsafeBytes { log.appendAsFollower($0) { #expect((try? $0.get()) != nil) } }
            fixture.settle()
        }
        #expect(log.segmentBases == [0, 6_000_000_000] && log.logEndOffset == 6_000_000_001)
        #expect(fixture.close(directory) == nil)
        let again = try #require(try fixture.open().logs[log.partition])
        #expect(try again.bytes(from: 0, below: 6_000_000_001) == bytes)
    }

    @Test("finds offsets by time") func byTime() throws {
        let (_, log) = try log {
            $0.segmentBytes = 1000
            $0.indexIntervalBytes = 100
        }
        for step in 0..<50 { _ = try log.append(batch(2, timestamp: 1000 + Int64(step) * 10), in: simulation) }
        fixture.settle()
        for step in 0..<50 {
            let exact = try log.offset(forTimestamp: 1000 + Int64(step) * 10 + 1, below: log.logEndOffset)
            #expect(
                exact
                    == TimestampOffset(timestamp: 1001 + Int64(step) * 10, offset: Offset(step * 2 + 1), leaderEpoch: 0)
            )
        }
        #expect(try log.offset(forTimestamp: 0, below: 100)?.offset == 0)
        #expect(try log.offset(forTimestamp: 2000, below: 100) == nil)
        #expect(try log.offset(forTimestamp: 1490, below: 98) == nil)
        #expect(try log.offsetOfMaxTimestamp() == TimestampOffset(timestamp: 1491, offset: 99, leaderEpoch: 0))
    }

    @Test("answers after a sync when flush.messages says so") func flushMessages() throws {
        let (_, log) = try log { $0.flushMessages = 2 }
        _ = try log.append(batch(1), in: simulation)
        #expect(log.recoveryPoint == 0)
        _ = try log.append(batch(1), in: simulation)
        #expect(log.recoveryPoint == 2)
        fixture.node.crash(.power)
        fixture.node.restart()
        let again = try #require(try fixture.open().logs[log.partition])
        #expect(again.logEndOffset == 2)
    }

    @Test("goes offline at the first disk error and promises nothing more") func diskError() throws {
        let (directory, log) = try log()
        _ = try log.append(batch(1), in: simulation)
        var told: [String] = []
        log.wentOffline = { told.append($0) }
        fixture.node.storage.fail(.write, of: ".log", code: 5)
        #expect(throws: AppendError.self) { try log.append(batch(1), in: simulation) }
        #expect(told.count == 1 && log.offlineReason != nil && log.logEndOffset == 1)
        #expect(throws: AppendError.self) { try log.append(batch(1), in: simulation) }
        #expect(throws: ReadError.self) { try log.read(from: 0, maxBytes: 1, below: 1, atLeastOneBatch: true) }
        #expect(fixture.close(directory) != nil)
        #expect(!fixture.disk.exists("\(fixture.path)/.kafka_cleanshutdown"))
        #expect(try fixture.open().logs[log.partition]?.logEndOffset == 1)
    }

    @Test("does not begin before its start after the start has moved") func logStart() throws {
        let (directory, log) = try log()
        for epoch: Int32 in 0..<5 { _ = try log.append(batch(2), epoch: LeaderEpoch(epoch), in: simulation) }
        log.advanceLogStart(to: 5)
        #expect(throws: ReadError.outOfRange(asked: 4, start: 5, end: 10)) {
            try log.read(from: 4, maxBytes: 100, below: 10, atLeastOneBatch: true)
        }
        #expect(log.epochs.entries.first == .init(epoch: 2, startOffset: 5))
        #expect(try log.offset(forTimestamp: 0, below: 10)?.offset == 5)
        #expect(fixture.close(directory) == nil)
        #expect(try fixture.open().logs[log.partition]?.logStartOffset == 5)
    }
}
