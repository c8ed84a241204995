import ClusterModel
import Compression
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

/// A batch of records by key; no value: a tombstone.
func keyed(
    _ records: [(key: String, value: String?)], timestamp: Int64 = 1000, codec: Codec = .none,
    producer: BatchBuilder.Producer = .none, isTransactional: Bool = false
) -> [UInt8] {
    var builder = BatchBuilder(codec: codec)
    for record in records {
        builder.append(timestamp: timestamp, key: Array(record.key.utf8), value: record.value.map { Array($0.utf8) })
    }
    return (try? builder.build(producer: producer, isTransactional: isTransactional)) ?? []
}

extension PartitionLog {
    /// Everything that can be read, markers included.
    func records() throws -> [OwnedRecord] {
        try bytes(from: logStartOffset, below: logEndOffset).withUnsafeBytes { raw in
            var records: [OwnedRecord] = []
            var batches = RecordBatches(raw)
            while let batch = try batches.next() {
                #expect(batch.crcMatches)
                if !batch.isControl { records += try batch.ownedRecords() }
            }
            return records.filter { $0.offset >= logStartOffset }
        }
    }
    func texts() throws -> [String] {
        try records().map { record in
            let key = record.key.map { String(decoding: $0, as: UTF8.self) } ?? "-"
            return "\(record.offset):\(key)=\(record.value.map { String(decoding: $0, as: UTF8.self) } ?? "-")"
        }
    }
}

@Suite("Compaction")
struct CompactionTests {
    let fixture: LogFixture
    let partition = TopicPartition("state", 0)

    init() {
        fixture = LogFixture(writesInPlace: 0.5)
        fixture.settings.segmentBytes = 300
        fixture.settings.indexIntervalBytes = 0
    }

    func log() throws -> (LogDirectory, PartitionLog) {
        let directory = try fixture.open()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        try fixture.disk.syncDirectory(fixture.path)
        return (directory, log)
    }

    func append(_ log: PartitionLog, _ batches: [UInt8]...) throws {
        for batch in batches { _ = try log.append(batch, in: fixture.simulation) }
    }

    func clean(
        _ log: PartitionLog, _ rules: CompactionRules = CompactionRules(), checkpoint: Offset? = nil,
        tools: CleanerTools = CleanerTools(), stableBelow: Offset? = nil
    ) throws -> CleaningOutcome {
        fixture.settle()
        var outcome: CleaningOutcome?
        log.clean(
            rules, stableBelow: stableBelow ?? log.logEndOffset, checkpoint: checkpoint, tools: tools
        ) { outcome = $0 }
        fixture.simulation.run { outcome != nil }
        fixture.settle()
        return try #require(outcome)
    }

    /// Begins a segment, so that what came before may be cleaned.
    func roll(_ log: PartitionLog) {
        fixture.settle()
        log.roll(at: log.nextOffset)
        fixture.settle()
    }

    @Test("leaves the latest of each key at its offset, and the readers' way through") func latest() throws {
        let (_, log) = try log()
        for round in 0..<30 {
            try append(
                log,
                keyed([("a", "\(round)"), ("b\(round)", "x")], codec: Codec.allCases[round % Codec.allCases.count]))
        }
        roll(log)
        try append(log, keyed([("c", "1")]))
        let before = log.size
        guard case .cleaned(60, let totals) = try clean(log) else {
            Issue.record("not cleaned")
            return
        }
        #expect(totals.keys == 31 && totals.keyless == 0)
        let expected = (0..<30).map { "\(2 * $0 + 1):b\($0)=x" }
        #expect(try log.texts() == Array(expected.dropLast()) + ["58:a=29", "59:b29=x", "60:c=1"])
        #expect(log.size < before && log.logStartOffset == 0 && log.logEndOffset == 61)
        // An offset that is gone leads to the next one.
        let slice = try log.read(from: 58, maxBytes: 1, below: 61, atLeastOneBatch: true)
        #expect(slice.startOffset == 58)
        #expect(log.offlineReason == nil && !log.isBeingCleaned)
        for timestamp: Int64 in [0, 1000] {
            #expect(try log.offset(forTimestamp: timestamp, below: 61)?.offset == 1)
        }
    }

    @Test("survives a restart, clean or not") func restarts() throws {
        let (directory, log) = try log()
        for round in 0..<30 { try append(log, keyed([("a", "\(round)"), ("b\(round % 4)", "x")])) }
        roll(log)
        _ = try clean(log)
        directory.cleaned(partition, below: 60)
        fixture.settle()
        let texts = try log.texts()
        let bases = log.segmentBases
        fixture.node.crash(.process)
        fixture.node.restart()
        let again = try fixture.open()
        let killed = try #require(again.logs[partition])
        #expect(try killed.texts() == texts && killed.segmentBases == bases && again.cleanedBelow[partition] == 60)
        #expect(fixture.close(again) == nil)
        fixture.node.crash(.power)
        fixture.node.restart()
        let last = try fixture.open()
        #expect(try last.logs[partition]?.texts() == texts)
        #expect(try !fixture.disk.list("\(fixture.path)/\(partition)").contains { $0.name.contains(".deleted") })
    }

    @Test("a tombstone stays visible for delete.retention.ms, then goes") func tombstones() throws {
        let (_, log) = try log()
        var rules = CompactionRules()
        rules.deleteRetentionMs = 1_000_000
        try append(log, keyed([("a", "1"), ("b", "2")]), keyed([("a", nil)]))
        roll(log)
        _ = try clean(log, rules)
        #expect(try log.texts() == ["1:b=2", "2:a=-"])
        try append(log, keyed([("c", "3")]))
        roll(log)
        _ = try clean(log, rules, checkpoint: 3)
        #expect(try log.texts() == ["1:b=2", "2:a=-", "3:c=3"])
        fixture.simulation.run(for: .seconds(1000))
        try append(log, keyed([("d", "4")]))
        roll(log)
        _ = try clean(log, rules, checkpoint: 4)
        #expect(try log.texts() == ["1:b=2", "3:c=3", "4:d=4"])
    }

    @Test("keeps what a producer needs to go on") func producers() throws {
        let (directory, log) = try log()
        defer { withExtendedLifetime(directory) {} }
        for sequence: Int32 in 0..<6 {
            try append(
                log, keyed([("a", "\(sequence)")], producer: .init(id: 7, epoch: 3, baseSequence: sequence)))
        }
        try append(log, keyed([("a", "last")]))
        roll(log)
        _ = try clean(log)
        #expect(try log.texts() == ["6:a=last"])
        // Without snapshots the ledger comes from the batches alone.
        for entry in try fixture.disk.list(log.directory) where entry.name.hasSuffix(".snapshot") {
            try fixture.disk.remove("\(log.directory)/\(entry.name)")
        }
        fixture.node.crash(.process)
        fixture.node.restart()
        let again = try #require(try fixture.open().logs[partition])
        #expect(again.ledger.entries[7]?.batches.last?.lastSequence == 5)
        #expect(again.ledger.entries[7]?.epoch == 3)
        let next = keyed([("a", "6")], producer: .init(id: 7, epoch: 3, baseSequence: 6))
        #expect(try again.append(next, in: fixture.simulation).offsets == 7..<8)
    }

    func follow(_ log: PartitionLog, _ batch: [UInt8]) throws {
        var batch = batch
        batch.withUnsafeMutableBytes { RecordBatch.place($0, at: log.nextOffset, leaderEpoch: 0) }
        var result: Result<AppendedRange, AppendError>?
        batch.withUnsafeBytes { log.appendAsFollower($0) { result = $0 } }
        fixture.simulation.run { result != nil }
        _ = try result?.get()
    }

    @Test("drops what was aborted, and markers when nothing is left that they speak of") func transactions() throws {
        let (_, log) = try log()
        var rules = CompactionRules()
        rules.deleteRetentionMs = 1000
        func marker(_ kind: ControlRecord.Kind, _ producer: Int64) -> [UInt8] {
            ControlRecord(kind: kind, coordinatorEpoch: 0).batch(timestamp: 5, producerID: producer, producerEpoch: 0)
        }
        func data(_ producer: Int64, _ sequence: Int32, _ key: String) -> [UInt8] {
            keyed(
                [(key, "p\(producer)")], producer: .init(id: producer, epoch: 0, baseSequence: sequence),
                isTransactional: true)
        }
        try follow(log, keyed([("a", "old"), ("b", "old")]))
        try follow(log, data(1, 0, "a"))
        try follow(log, data(2, 0, "b"))
        roll(log)
        try follow(log, marker(.abort, 1))
        try follow(log, marker(.commit, 2))
        try follow(log, data(1, 1, "x"))
        try follow(log, marker(.commit, 1))
        try follow(log, data(2, 1, "y"))
        try follow(log, marker(.commit, 2))
        #expect(
            try log.abortedTransactions(from: 0, below: 10)
                == [AbortedTransaction(producerID: 1, firstOffset: 2, lastOffset: 4, lastStableOffset: 3)])
        roll(log)
        _ = try clean(log, rules)
        #expect(try log.texts() == ["0:a=old", "3:b=p2", "6:x=p1", "8:y=p2"])
        // The marker met its data this time.
        #expect(try log.abortedTransactions(from: 0, below: 10).count == 1)
        fixture.simulation.run(for: .seconds(5))
        try follow(log, keyed([("z", "1")]))
        roll(log)
        _ = try clean(log, rules, checkpoint: 10)
        #expect(try log.abortedTransactions(from: 0, below: 10).isEmpty)
        fixture.simulation.run(for: .seconds(5))
        try follow(log, keyed([("z", "2")]))
        roll(log)
        _ = try clean(log, rules, checkpoint: 11)
        #expect(try log.texts() == ["0:a=old", "3:b=p2", "6:x=p1", "8:y=p2", "11:z=2"])
        let markers = try log.bytes(from: 0, below: 10).withUnsafeBytes { raw in
            var offsets: [Offset] = []
            var batches = RecordBatches(raw)
            while let batch = try batches.next() { if batch.isControl { offsets.append(batch.baseOffset) } }
            return offsets
        }
        #expect(!markers.contains(4))
    }

    @Test("says that the memory is too small, or cleans as far as it reaches") func memory() throws {
        let (_, log) = try log()
        for number in 0..<40 { try append(log, keyed([("k\(number % 20)", "\(number)")])) }
        roll(log)
        var tools = CleanerTools()
        tools.memoryBytes = 12 * OffsetMap.slotSize
        guard case .cleaned(let offset, let totals) = try clean(log, tools: tools) else {
            Issue.record("not cleaned")
            return
        }
        #expect(offset == 10 && totals.keys == 10 && log.offlineReason == nil)
        try append(log, keyed((0..<11).map { ("n\($0)", "x") }))
        roll(log)
        guard case .unusable(let reason) = try clean(log, checkpoint: 40, tools: tools) else {
            Issue.record("cleaned with too little memory")
            return
        }
        #expect(reason.contains("log.cleaner.dedupe.buffer.size"))
    }

    @Test("leaves a damaged log as it is, and says where") func damaged() throws {
        let (_, log) = try log()
        for number in 0..<20 { try append(log, keyed([("a", "\(number)")])) }
        roll(log)
        let path = SegmentFiles.path(log.directory, log.segmentBases[1], .log)
        let before = try fixture.disk.list(log.directory)
        // In a record; in a base offset, which no checksum covers; in a length.
        for at: Int64 in [67, 75, 81] {
            fixture.node.storage.flipBit(of: path, at: at)
            guard case .unusable(let reason) = try clean(log) else {
                Issue.record("cleaned a damaged log")
                return
            }
            #expect(reason.contains(path))
            #expect(try fixture.disk.list(log.directory) == before && log.offlineReason == nil)
            fixture.node.storage.flipBit(of: path, at: at)
        }
    }

    @Test("stops when the log is cut, and leaves nothing behind") func cut() throws {
        let (_, log) = try log()
        for number in 0..<40 { try append(log, keyed([("a", "\(number)")])) }
        fixture.settle()
        for moment in stride(from: 0, to: 3000, by: 150) {
            var outcome: CleaningOutcome?
            var cut = false
            var tools = CleanerTools()
            tools.stepBytes = 100
            log.clean(CompactionRules(), stableBelow: log.logEndOffset, checkpoint: nil, tools: tools) { outcome = $0 }
            fixture.simulation.run(for: .microseconds(moment))
            let end = log.logEndOffset
            log.truncate(to: end - 1) { error in
                #expect(error == nil)
                cut = true
            }
            fixture.simulation.run { cut && outcome != nil }
            fixture.settle()
            #expect(log.logEndOffset == end - 1 && log.offlineReason == nil)
            #expect(try log.texts().last == "\(end - 2):a=\(end - 2)")
            #expect(try !fixture.disk.list(log.directory).contains { $0.name.hasSuffix(".cleaned") })
        }
    }

    @Test("a full disk ends the cleaning, not the log") func noSpace() throws {
        let (_, log) = try log()
        for number in 0..<20 { try append(log, keyed([("a", "\(number)")])) }
        roll(log)
        let texts = try log.texts()
        fixture.node.storage.fail(.write, of: ".cleaned", code: 28)
        guard case .cancelled = try clean(log) else {
            Issue.record("cleaned without room")
            return
        }
        #expect(try log.texts() == texts && log.offlineReason == nil)
        guard case .cleaned = try clean(log) else {
            Issue.record("not cleaned when there was room again")
            return
        }
        #expect(try log.texts() == ["19:a=19"])
    }

    @Test("a crash at any operation leaves the old segments or the new one", arguments: [CrashKind.process, .power])
    func crashes(kind: CrashKind) throws {
        var moments = 0
        for moment in 1..<400 {
            let test = CompactionTests(seed: UInt64(moment))
            let fixture = test.fixture
            let (directory, log) = try test.log()
            for number in 0..<16 { try test.append(log, keyed([("a", "\(number)"), ("b\(number % 3)", "\(number)")])) }
            test.roll(log)
            log.flush { #expect($0 == nil) }
            fixture.settle()
            var left = moment
            fixture.node.storage.fault = { _, _ in
                left -= 1
                if left == 0 { fixture.node.crash(kind) }
                return nil
            }
            log.clean(
                CompactionRules(), stableBelow: log.logEndOffset, checkpoint: nil, tools: CleanerTools()
            ) { _ in }
            fixture.simulation.run(for: .seconds(5))
            fixture.node.storage.fault = nil
            withExtendedLifetime(directory) {}
            let wasHit = !fixture.node.isUp
            if !wasHit { fixture.node.crash(kind) }
            fixture.node.restart()
            let again = try #require(try fixture.open().logs[partition], "moment \(moment)")
            #expect(again.logEndOffset == 32, "moment \(moment)")
            var newest: [String: String] = [:]
            for text in try again.texts() {
                let parts = text.split(whereSeparator: { $0 == ":" || $0 == "=" }).map(String.init)
                newest[parts[1]] = parts[2]
            }
            #expect(newest == ["a": "15", "b0": "15", "b1": "13", "b2": "14"], "moment \(moment)")
            let names = try fixture.disk.list(again.directory).map(\.name)
            #expect(!names.contains { $0.hasSuffix(".cleaned") || $0.hasSuffix(".swap") || $0.hasSuffix(".deleted") })
            if !wasHit { break }
            moments += 1
        }
        #expect(moments > 20)
    }

    init(seed: UInt64) {
        fixture = LogFixture(seed: seed, writesInPlace: 0.5)
        fixture.settings.segmentBytes = 300
        fixture.settings.indexIntervalBytes = 0
    }
}
