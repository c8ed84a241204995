import ClusterModel
import Compression
import FoundationEssentials
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

/// Random lives of a compacted, retained, transactional log against the list of everything that was ever written to it.
@Suite("A log over years")
struct LongLifeTests {
    struct Known: Equatable {
        var record: OwnedRecord
        /// Of the batch it came in.
        var next: Offset
        /// The wall clock when it was appended.
        var at: Int64
        var producer: Int64 = -1
        var isTransactional = false
        var isMarker = false
        /// By a marker that was written: nil while the transaction is open.
        var isAborted: Bool?
    }

    final class Story {
        let fixture: LogFixture
        var random: SeededRandom
        var directory: LogDirectory
        var log: PartitionLog
        let partition = TopicPartition("state", 0)
        var rules = CompactionRules()
        var retention = RetentionRules()
        var model: [Known] = []
        var answered: Offset = 0
        var synced: Offset = 0
        var highWatermark: Offset = 0
        var sequences: [Int64: Int32] = [:]
        /// Where the transactions that are open began.
        var open: [Int64: Offset] = [:]
        /// What became of transactions, by producer and first offset. A coordinator never changes its mind: a marker that was lost is
        /// written again.
        var decided: [Int64: [Offset: Bool]] = [:]
        /// Markers that say so.
        var aborts: Set<Offset> = []
        var time: Int64 = 1_000_000
        var cleanings = 0
        var retained = 0

        init(_ seed: UInt64) throws {
            fixture = LogFixture(seed: seed, writesInPlace: 0.5)
            random = SeededRandom(seed: seed &* 77 &+ 5)
            fixture.settings.segmentBytes = Int.random(in: 600...2500, using: &random)
            fixture.settings.indexIntervalBytes = Int.random(in: 0...300, using: &random)
            fixture.settings.segmentMs = Bool.random(using: &random) ? 800 : .max
            fixture.settings.fileDeleteDelayMs = Int64.random(in: 0...20_000, using: &random)
            rules.deleteRetentionMs = Int64.random(in: 0...30_000, using: &random)
            rules.minDirtyRatio = 0
            if Bool.random(using: &random) { retention.bytes = Int64.random(in: 3000...9000, using: &random) }
            retention.deletes = Bool.random(using: &random)
            directory = try fixture.open()
            log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
            try fixture.disk.syncDirectory(fixture.path)
            try fixture.disk.syncDirectory(log.directory)
        }

        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
        /// A log that lost more than its start begins anew there.
        var end: Offset { max(model.last?.next ?? 0, log.logStartOffset) }
        func note() { synced = max(synced, min(log.recoveryPoint, end)) }

        // MARK: Writing

        func write(_ bytes: [UInt8], _ known: [Known]) {
            var bytes = bytes
            let first = log.nextOffset
            bytes.withUnsafeMutableBytes { RecordBatch.place($0, at: first, leaderEpoch: 0) }
            let next = first + Int64(known.count)
            for (index, known) in known.enumerated() {
                var known = known
                known.record.offset = first + Int64(index)
                known.next = next
                known.at = fixture.node.wallMs
                model.append(known)
            }
            bytes.withUnsafeBytes { raw in
                log.appendAsFollower(raw) { [self] result in
                    switch result {
                    case .success(let range): answered = max(answered, range.offsets.upperBound)
                    case .failure(let error): Issue.record("append failed: \(error)")
                    }
                }
            }
        }

        func append() {
            time += Int64.random(in: -20...150, using: &random)
            let count = Int.random(in: 1...4, using: &random)
            let codecs: [Codec] = [.none, .none, .lz4, .gzip]
            let codec = codecs.randomElement(using: &random) ?? .none
            var builder = BatchBuilder(codec: codec)
            var known: [Known] = []
            var producer = BatchBuilder.Producer.none
            var isTransactional = false
            if chance(50) {
                let id = Int64.random(in: 1...4, using: &random)
                isTransactional = id > 2
                producer = .init(id: id, epoch: 0, baseSequence: sequences[id] ?? 0)
                sequences[id] = Sequence32.advanced(producer.baseSequence, by: Int32(count))
                if isTransactional, open[id] == nil {
                    open[id] = log.nextOffset
                    decided[id]?[log.nextOffset] = nil
                }
            }
            for _ in 0..<count {
                let key = Array("key\(Int.random(in: 0..<9, using: &random))".utf8)
                let value = chance(20) ? nil : Array("\(model.count) \(random.next())".utf8)
                // Producers' clocks disagree, and some have none.
                let stamp = chance(3) ? -1 : time + Int64.random(in: -700...700, using: &random)
                let record = OwnedRecord(timestamp: stamp, key: key, value: value)
                builder.append(record)
                known.append(
                    Known(record: record, next: 0, at: 0, producer: producer.id, isTransactional: isTransactional))
            }
            guard let bytes = try? builder.build(producer: producer, isTransactional: isTransactional) else { return }
            write(bytes, known)
        }

        func endTransaction() {
            guard let (id, first) = open.min(by: { $0.key < $1.key }) else { return }
            open[id] = nil
            let isAborted = decided[id]?[first] ?? chance(50)
            decided[id, default: [:]][first] = isAborted
            for index in model.indices where model[index].producer == id && model[index].record.offset >= first {
                model[index].isAborted = isAborted
            }
            if isAborted { aborts.insert(log.nextOffset) } else { aborts.remove(log.nextOffset) }
            let marker = ControlRecord(kind: isAborted ? .abort : .commit, coordinatorEpoch: 0)
            write(
                marker.batch(timestamp: time, producerID: id, producerEpoch: 0),
                [
                    Known(
                        record: OwnedRecord(timestamp: time, key: nil, value: nil), next: 0, at: 0, producer: id,
                        isMarker: true)
                ])
        }

        // MARK: Everything else that happens

        func clean() {
            guard !log.isBeingCleaned else { return }
            highWatermark = max(highWatermark, chance(70) ? log.logEndOffset : highWatermark)
            var tools = CleanerTools()
            tools.stepBytes = Int.random(in: 1...2000, using: &random)
            if chance(10) { tools.memoryBytes = 20 * OffsetMap.slotSize }
            let stable = log.lastStableOffset(highWatermark: highWatermark)
            log.clean(
                rules, stableBelow: stable, checkpoint: directory.cleanedBelow[partition], tools: tools
            ) { [self] outcome in
                switch outcome {
                case .cleaned(let offset, _):
                    cleanings += 1
                    directory.cleaned(partition, below: offset)
                case .cancelled: break
                case .unusable(let reason):
                    if tools.memoryBytes > 1000 { Issue.record("unusable: \(reason)") }
                }
            }
            if chance(50) { fixture.settle() }
        }

        func retain() {
            highWatermark = max(highWatermark, chance(70) ? log.logEndOffset : highWatermark)
            let before = log.logStartOffset
            if chance(20), highWatermark > before {
                log.advanceLogStart(to: Offset.random(in: before...highWatermark, using: &random))
            }
            log.retain(retention, highWatermark: highWatermark)
            if log.logStartOffset != before { retained += 1 }
            log.removeDeletedFiles()
        }

        func truncate() throws {
            if chance(50) { fixture.settle() }
            note()
            let least = max(log.logStartOffset, highWatermark)
            guard end > least else { return }
            var done = false
            log.truncate(to: Offset.random(in: least...end, using: &random)) { error in
                #expect(error == nil)
                done = true
            }
            fixture.settle()
            try #require(done)
            ended(at: log.logEndOffset)
        }

        /// What is known of producers and transactions follows from what is left.
        func ended(at offset: Offset) {
            model.removeAll { $0.next > offset }
            answered = min(answered, offset)
            synced = min(synced, offset)
            highWatermark = min(highWatermark, offset)
            open = [:]
            for index in model.indices { model[index].isAborted = nil }
            var began: [Int64: Offset] = [:]
            for (index, known) in model.enumerated() where known.producer > 2 {
                if !known.isMarker {
                    if began[known.producer] == nil { began[known.producer] = known.record.offset }
                    continue
                }
                let first = began.removeValue(forKey: known.producer) ?? .max
                let isAborted = aborts.contains(known.record.offset)
                for earlier in model[..<index].indices
                where model[earlier].producer == known.producer && model[earlier].record.offset >= first {
                    model[earlier].isAborted = isAborted
                }
            }
            open = began
            for (id, first) in began {
                guard let isAborted = decided[id]?[first] else { continue }
                for index in model.indices where model[index].producer == id && model[index].record.offset >= first {
                    model[index].isAborted = isAborted
                }
            }
            sequences = [:]
            for (id, entry) in log.ledger.entries {
                sequences[id] = entry.batches.last.map { Sequence32.next($0.lastSequence) } ?? 0
            }
        }
        func crash(_ kind: CrashKind) throws {
            note()
            fixture.node.crash(kind)
            try reopen(atLeast: kind == .process ? answered : synced)
        }

        func restart() throws {
            fixture.settle()
            try #require(fixture.close(directory) == nil)
            synced = end
            fixture.node.crash(chance(50) ? .power : .process)
            try reopen(atLeast: end)
        }

        func reopen(atLeast least: Offset) throws {
            fixture.node.restart()
            directory = try fixture.open()
            try #require(directory.failures.isEmpty, "\(directory.failures)")
            if directory.logs[partition] == nil {
                try #require(least == 0)
                _ = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
            }
            log = try #require(directory.logs[partition])
            try #require(log.logEndOffset >= least, "lost \(least - log.logEndOffset) offsets that were promised")
            ended(at: log.logEndOffset)
            answered = end
        }

        // MARK: Judging

        func check() throws {
            fixture.settle()
            note()
            try #require(log.offlineReason == nil && log.logEndOffset == end && log.nextOffset == end)
            let now = fixture.node.wallMs
            let found = Dictionary(
                try log.records().map { ($0.offset, $0) },
                uniquingKeysWith: { first, _ in
                    Issue.record("offset \(first.offset) twice")
                    return first
                })
            var latest: [[UInt8]: Offset] = [:]
            for known in model where !known.isMarker && known.isAborted != true {
                if let key = known.record.key { latest[key] = known.record.offset }
            }
            var kept = 0
            for known in model where known.record.offset >= log.logStartOffset && !known.isMarker {
                let offset = known.record.offset
                if let record = found[offset] {
                    try #require(record == known.record, "offset \(offset) holds something else")
                    kept += 1
                    continue
                }
                // Whatever is gone has a reason.
                let isSuperseded = known.record.key.flatMap { latest[$0] } ?? -1 > offset
                let isExpired = known.record.value == nil && now >= known.at + rules.deleteRetentionMs
                try #require(
                    isSuperseded || isExpired || known.isAborted == true, "offset \(offset) was lost: \(known.record)")
            }
            try #require(kept == found.count, "\(found.count - kept) records that nobody wrote")
            try checkCommitted(found)
            try checkTimes()
            for (id, next) in sequences where log.ledger.entries[id] != nil {
                try #require(
                    log.ledger.entries[id]?.batches.last.map { Sequence32.next($0.lastSequence) } ?? next == next)
            }
        }

        /// A time is found where whoever reads all records would find it.
        func checkTimes() throws {
            var all: [(offset: Offset, timestamp: Int64)] = []
            try log.bytes(from: log.logStartOffset, below: end).withUnsafeBytes { raw in
                var batches = RecordBatches(raw)
                while let batch = try batches.next() {
                    for record in try batch.ownedRecords() where record.offset >= log.logStartOffset {
                        all.append((record.offset, record.timestamp))
                    }
                }
            }
            var asked = (0..<8).map { _ in Int64.random(in: 999_000...(time + 800), using: &random) }
            for _ in 0..<8 {
                if let record = all.randomElement(using: &random) { asked.append(max(0, record.timestamp)) }
            }
            for time in asked + [0, .max] {
                let bound = chance(20) ? Offset.random(in: log.logStartOffset...end, using: &random) : end
                let expected = all.first { $0.timestamp >= time && $0.offset < bound }
                let found = try log.offset(forTimestamp: time, below: bound)
                try #require(
                    found?.offset == expected?.offset && found?.timestamp == expected?.timestamp,
                    "\(time): \(String(describing: found)), not \(String(describing: expected))")
            }
            let newest = all.map(\.timestamp).max() ?? -1
            let expected = newest < 0 ? nil : all.first { $0.timestamp == newest }
            let found = try log.offsetOfMaxTimestamp()
            try #require(
                found?.offset == expected?.offset && found?.timestamp == expected?.timestamp,
                "largest: \(String(describing: found)), not \(String(describing: expected))")
        }

        /// A reader of committed records is told to skip exactly what was aborted.
        func checkCommitted(_ found: [Offset: OwnedRecord]) throws {
            let stable = log.lastStableOffset(highWatermark: highWatermark)
            let aborted =
                log.logStartOffset < stable
                ? try log.abortedTransactions(in: log.logStartOffset..<stable) : []
            for known in model where found[known.record.offset] != nil && known.record.offset < stable {
                let offset = known.record.offset
                let isSkipped =
                    known.isTransactional
                    && aborted.contains {
                        $0.producerID == known.producer && $0.firstOffset <= offset && offset < $0.lastOffset
                    }
                try #require(isSkipped == (known.isAborted == true), "offset \(offset)")
            }
        }

        func play(_ steps: Int) throws {
            for _ in 0..<steps {
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<55: append()
                case 55..<62: endTransaction()
                case 62..<70: clean()
                case 70..<74: retain()
                case 74..<78: fixture.simulation.run(for: .microseconds(Int64.random(in: 1...9000, using: &random)))
                case 78..<82: fixture.settle()
                case 82..<84: log.flush { #expect($0 == nil) }
                case 84..<86: directory.checkpointLogs()
                case 86..<90: try truncate()
                case 90..<92: try crash(.process)
                case 92..<94: try crash(.power)
                case 94..<96: try restart()
                default: try check()
                }
            }
            try check()
        }
    }

    /// Some hundreds in every run; as many as `LETTERBOX_LOG_LIVES` says when it is set.
    static let blocks: Int = {
        let wanted = ProcessInfo.processInfo.environment["LETTERBOX_LOG_LIVES"].flatMap { Int($0) } ?? 200
        return max(1, wanted / 10)
    }()

    @Test("keeps what it must, drops what it may, and invents nothing", arguments: 0..<LongLifeTests.blocks)
    func lives(block: Int) throws {
        var cleanings = 0
        for seed in UInt64(block) * 10..<UInt64(block) * 10 + 10 {
            let story = try Story(seed)
            do { try story.play(120) } catch { Issue.record("seed \(seed): \(error)") }
            cleanings += story.cleanings
        }
        // A run in which nothing was ever compacted shows nothing.
        #expect(cleanings > 0)
    }
}
