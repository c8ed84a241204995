import Bytes
import ClusterModel
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

/// Random lives of one log against a list of batches.
@Suite("A log, whatever happens to it")
struct LogModelTests {
    struct Known {
        var bytes: [UInt8]
        var first: Offset
        var next: Offset
        var epoch: LeaderEpoch
    }

    final class Story {
        let fixture: LogFixture
        var random: SeededRandom
        var directory: LogDirectory
        var log: PartitionLog
        let partition = TopicPartition("orders", 0)
        /// What the log must hold, in order: everything accepted.
        var model: [Known] = []
        /// Below this everything was answered: a killed process loses none of it.
        var answered: Offset = 0
        /// Below this everything was said to be synced: a power failure loses none of it.
        var synced: Offset = 0
        /// A sync failed in a life that was killed afterwards. The system shows what it was to write, and takes it for written: no later
        /// life can tell, and a power failure would take it for certain. It does not come in this story any more.
        var isPowerSpared = false
        var epoch: LeaderEpoch = 0
        var sequences: [Int64: Int32] = [:]
        var time: Int64 = 1_000_000

        init(_ seed: UInt64) throws {
            fixture = LogFixture(seed: seed, writesInPlace: 0.4)
            random = SeededRandom(seed: seed &* 31 &+ 7)
            fixture.settings.segmentBytes = Int.random(in: 700...3000, using: &random)
            fixture.settings.indexIntervalBytes = Int.random(in: 0...300, using: &random)
            fixture.settings.segmentMs = Bool.random(using: &random) ? 500 : .max
            fixture.settings.flushMessages =
                Bool.random(using: &random) ? .max : Int64.random(in: 1...20, using: &random)
            directory = try fixture.open()
            log = try directory.createLog(partition, topicID: UUID128(high: 3, low: 4), settings: fixture.settings)
            // Its name is no concern here.
            try fixture.disk.syncDirectory(fixture.path)
            try fixture.disk.syncDirectory(log.directory)
        }

        var end: Offset { model.last?.next ?? log.logStartOffset }

        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        func note() { synced = max(synced, min(log.recoveryPoint, end)) }

        func append() {
            time += Int64.random(in: -20...100, using: &random)
            let count = Int.random(in: 1...4, using: &random)
            var producer = BatchBuilder.Producer.none
            if chance(50) {
                let id = Int64.random(in: 1...3, using: &random)
                let sequence = sequences[id] ?? 0
                producer = .init(id: id, epoch: 0, baseSequence: sequence)
                sequences[id] = Sequence32.advanced(sequence, by: Int32(count))
            }
            var bytes = batch(count, timestamp: time, size: Int.random(in: 0...120, using: &random), producer: producer)
            var known = Known(bytes: bytes, first: log.nextOffset, next: log.nextOffset + Int64(count), epoch: epoch)
            known.bytes.withUnsafeMutableBytes { RecordBatch.place($0, at: known.first, leaderEpoch: known.epoch) }
            let expected = known.first..<known.next
            let isFollowing = chance(30)
            model.append(known)
            let answer: (Result<AppendedRange, AppendError>) -> Void = { [self] result in
                switch result {
                case .success(let range):
                    #expect(range.offsets == expected && !range.isDuplicate)
                    answered = max(answered, range.offsets.upperBound)
                    if fixture.settings.flushMessages == 1 { synced = max(synced, range.offsets.upperBound) }
                case .failure(let error): Issue.record("append failed: \(error)")
                }
            }
            if isFollowing {
                known.bytes.withUnsafeBytes { log.appendAsFollower($0, then: answer) }
            } else {
                bytes.withUnsafeMutableBytes { log.append($0, leaderEpoch: epoch, then: answer) }
            }
            for index in bytes.indices { bytes[index] = 0xee }
        }

        func truncate() throws {
            // Half of the cuts come while writes and syncs are under way: they go first.
            if chance(50) { fixture.settle() }
            note()
            guard end > log.logStartOffset else { return }
            let offset = Offset.random(in: log.logStartOffset...end, using: &random)
            // The sequence numbers after a cut are whatever the ledger says.
            let before = model
            var done = false
            log.truncate(to: offset) { error in
                #expect(error == nil)
                done = true
            }
            model.removeAll { $0.next > offset }
            let cut = end
            answered = min(answered, cut)
            synced = min(synced, cut)
            if chance(30) {
                // The machine goes in the midst of it: the log is what it was, or cut. What it says to be synced may be on its way out.
                fixture.simulation.run(for: .microseconds(Int64.random(in: 0...3000, using: &random)))
                if !done { model = before }
                // What was on its way has been answered meanwhile, and is cut all the same.
                answered = min(answered, cut)
                synced = min(synced, cut)
                try go(chance(50) ? .process : .power)
            } else {
                fixture.settle()
                answered = min(answered, cut)
                synced = min(synced, cut)
                try #require(done && log.logEndOffset == min(offset, cut))
                relearnSequences()
            }
        }

        func relearnSequences() {
            sequences = [:]
            for (id, entry) in log.ledger.entries {
                sequences[id] = entry.batches.last.map { Sequence32.next($0.lastSequence) } ?? 0
            }
        }

        func crash(_ kind: CrashKind) throws {
            note()
            try go(kind)
        }

        func go(_ wanted: CrashKind) throws {
            let kind = isPowerSpared ? .process : wanted
            fixture.node.crash(kind)
            fixture.node.restart()
            let least = kind == .process ? answered : synced
            try reopen(atLeast: least)
        }

        func restart() throws {
            fixture.settle()
            #expect(fixture.close(directory) == nil)
            synced = end
            fixture.node.crash(chance(30) && !isPowerSpared ? .power : .process)
            fixture.node.restart()
            try reopen(atLeast: end)
        }

        /// Sometimes the next life ends in the midst of its own recovery, once or twice.
        func dieStarting(_ least: Offset) -> Offset {
            var least = least
            while chance(30) {
                var left = Int.random(in: 0..<60, using: &random)
                var failedSync = false
                fixture.node.storage.fault = { operation, _ in
                    left -= 1
                    guard left < 0 else { return nil }
                    if operation == .sync { failedSync = true }
                    return 5
                }
                _ = try? fixture.open()
                fixture.node.storage.fault = nil
                let kind: CrashKind = chance(50) || isPowerSpared ? .process : .power
                if kind == .process, failedSync { isPowerSpared = true }
                if kind == .power { least = min(least, synced) }
                fixture.node.crash(kind)
                fixture.node.restart()
            }
            return least
        }

        func reopen(atLeast promised: Offset) throws {
            let least = dieStarting(promised)
            directory = try fixture.open()
            try #require(directory.failures.isEmpty, "\(directory.failures)")
            if directory.logs[partition] == nil {
                // Its directory was never synced.
                try #require(least == 0)
                log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
            }
            log = try #require(directory.logs[partition])
            try #require(log.logEndOffset >= least, "lost \(least - log.logEndOffset) offsets that were promised")
            model.removeAll { $0.next > log.logEndOffset }
            answered = end
            synced = min(synced, end)
            relearnSequences()
            #expect(log.recoveryPoint <= log.logEndOffset)
        }

        func check() throws {
            fixture.settle()
            note()
            try #require(log.offlineReason == nil)
            try #require(log.logEndOffset == end && log.nextOffset == end)
            let whole = try log.bytes(
                from: log.logStartOffset, below: end, maxBytes: Int.random(in: 1...3000, using: &random))
            try #require(whole == model.flatMap(\.bytes))
            for _ in 0..<4 {
                guard let known = model.randomElement(using: &random) else { break }
                let offset = Offset.random(in: known.first..<known.next, using: &random)
                let below = Offset.random(in: offset...end, using: &random)
                let slice = try log.read(from: offset, maxBytes: 1 << 20, below: below, atLeastOneBatch: true)
                let segmentEnd = log.segmentBases.first { $0 > offset } ?? .max
                let expected = model.filter { $0.next > offset && $0.next <= min(below, segmentEnd) }.flatMap(\.bytes)
                try #require(try slice.contents() == expected)
                #expect(log.epoch(ofOffset: offset) == known.epoch)
            }
            var ledger = ProducerLedger()
            for known in model { _ = try known.bytes.withUnsafeBytes { ledger.appended(try RecordBatch($0)) } }
            try #require(log.ledger.entries.keys.sorted() == ledger.entries.keys.sorted())
            for (id, entry) in ledger.entries {
                let found = log.ledger.entries[id]
                try #require(found?.epoch == entry.epoch && found?.batches.last == entry.batches.last)
            }
            var epochs = EpochCache()
            for known in model { _ = epochs.assign(known.epoch, from: known.first) }
            let recorded = log.epochs.entries.filter { $0.startOffset < end }
            try #require(recorded == epochs.entries)
            try checkTime()
        }

        func checkTime() throws {
            let records = try model.flatMap { known in
                try known.bytes.withUnsafeBytes { try RecordBatch($0).ownedRecords() }
            }
            guard let latest = records.map(\.timestamp).max() else { return }
            let wanted = Int64.random(in: latest - 300...latest + 10, using: &random)
            let expected = records.first { $0.timestamp >= wanted }
            #expect(try log.offset(forTimestamp: wanted, below: end)?.offset == expected?.offset)
            #expect(try log.offsetOfMaxTimestamp()?.offset == records.first { $0.timestamp == latest }?.offset)
        }

        func play(_ steps: Int) throws {
            for _ in 0..<steps {
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<60: append()
                case 60..<68: fixture.simulation.run(for: .microseconds(Int64.random(in: 1...5000, using: &random)))
                case 68..<73: fixture.settle()
                case 73..<78: epoch = epoch.next
                case 78..<82: log.flush { #expect($0 == nil) }
                case 82..<85: directory.checkpointLogs()
                case 85..<90: try truncate()
                case 90..<93: try crash(.process)
                case 93..<95: try crash(.power)
                case 95..<97: try restart()
                default: try check()
                }
            }
            try check()
        }
    }

    @Test("holds a prefix of what it accepted, with everything it promised", arguments: 0..<20)
    func lives(block: UInt64) throws {
        for seed in block * 10..<block * 10 + 10 {
            let story = try Story(seed)
            do { try story.play(80) } catch { Issue.record("seed \(seed): \(error)") }
        }
    }
}
