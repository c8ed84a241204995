import ClusterModel
import Records
import Testing

@testable import CommitLog

@Suite("What is to be compacted")
struct CompactionRulesTests {
    /// Five sealed segments of 100 bytes, ten offsets each, the newest record of each at 10 s, 20 s …, and the growing one.
    func facts(checkpoint: Offset? = nil, settled: Offset = .max, start: Offset = 0, end: Offset = 55)
        -> CompactionFacts
    {
        CompactionFacts(
            pieces: (0..<6).map {
                .init(
                    baseOffset: 10 * $0, size: $0 == 5 ? 30 : 100, offsetIndexBytes: 8, timeIndexBytes: 12,
                    newestMs: 10_000 * ($0 + 1), firstMs: 10_000 * $0 + 1)
            }, logStartOffset: start, logEndOffset: end, checkpoint: checkpoint, settledBelow: settled)
    }

    @Test("all sealed segments behind the checkpoint") func behindCheckpoint() {
        let fresh = facts().cleanable(CompactionRules(), nowMs: 0)
        #expect(fresh.firstDirty == 0 && fresh.firstUncleanable == 50)
        #expect(fresh.cleanBytes == 0 && fresh.dirtyBytes == 500 && fresh.dirtyRatio == 1)
        let later = facts(checkpoint: 30).cleanable(CompactionRules(), nowMs: 0)
        #expect(later.cleanBytes == 300 && later.dirtyBytes == 200 && later.dirtyRatio == 0.4)
        #expect(!later.isDue(CompactionRules()))
        var rules = CompactionRules()
        rules.minDirtyRatio = 0.39
        #expect(later.isDue(rules))
    }

    @Test("never what is not settled, nor a part of a segment") func settled() {
        #expect(facts(settled: 39).cleanable(CompactionRules(), nowMs: 0).firstUncleanable == 30)
        #expect(facts(settled: 40).cleanable(CompactionRules(), nowMs: 0).firstUncleanable == 40)
        let nothing = facts(settled: 5).cleanable(CompactionRules(), nowMs: 0)
        #expect(nothing.dirtyBytes == 0 && !nothing.isDue(CompactionRules()))
        let stuck = facts(checkpoint: 35, settled: 12).cleanable(CompactionRules(), nowMs: 0)
        #expect(stuck.dirtyBytes == 0)
    }

    @Test("not what is younger than min.compaction.lag.ms") func minLag() {
        var rules = CompactionRules()
        rules.minLagMs = 15_000
        #expect(facts().cleanable(rules, nowMs: 45_000).firstUncleanable == 30)
        #expect(facts().cleanable(rules, nowMs: 44_999).firstUncleanable == 20)
    }

    @Test("at any ratio what is older than max.compaction.lag.ms") func maxLag() {
        var rules = CompactionRules()
        rules.maxLagMs = 20_000
        let waiting = facts(checkpoint: 40)
        #expect(!waiting.cleanable(rules, nowMs: 60_001).isDue(rules))
        #expect(waiting.cleanable(rules, nowMs: 60_002).isDue(rules))
    }

    @Test("from the start again when the checkpoint cannot be") func badCheckpoint() {
        for checkpoint: Offset in [7, 56] {
            let found = facts(checkpoint: checkpoint, start: 10).cleanable(CompactionRules(), nowMs: 0)
            #expect(found.hasBadCheckpoint && found.firstDirty == 10)
        }
    }

    @Test("neighbours become one segment as far as they fit") func groups() {
        #expect(facts().groups(below: 50, segmentBytes: 1000, indexBytes: 1000) == [0..<5])
        #expect(facts().groups(below: 50, segmentBytes: 250, indexBytes: 1000) == [0..<2, 2..<4, 4..<5])
        #expect(facts().groups(below: 50, segmentBytes: 1000, indexBytes: 36) == [0..<3, 3..<5])
        #expect(facts().groups(below: 31, segmentBytes: 1000, indexBytes: 1000) == [0..<4])
        #expect(facts().groups(below: 50, segmentBytes: 1, indexBytes: 1000).count == 5)
        var wide = facts()
        wide.pieces[3].baseOffset = 1 << 31
        wide.pieces[4].baseOffset = 1 << 31 + 10
        wide.pieces[5].baseOffset = 1 << 31 + 20
        #expect(wide.groups(below: 1 << 32, segmentBytes: 1000, indexBytes: 1000) == [0..<3, 3..<5])
    }
}

@Suite("The map of keys")
struct OffsetMapTests {
    @Test("hashes as SipHash-2-4 does") func vectors() {
        let secret: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
        // OpenSSL's answers for the bytes 0, 1, 2 …
        let known: [(Int, UInt64, UInt64)] = [
            (0, 0xa3_81_7f_04_ba_25_a8_e6, 0x6d_f6_72_14_c7_55_02_93),
            (1, 0xda_87_c1_d8_6b_99_af_44, 0x34_76_59_11_9b_22_fc_45),
            (15, 0x54_93_e9_99_33_b0_a8_11, 0x7e_08_ec_0f_97_cf_c3_d9),
            (16, 0x6e_e2_a4_ca_67_b0_54_bb, 0xfd_33_15_bf_85_23_05_77),
        ]
        for (count, first, second) in known {
            let hash = [UInt8](0..<UInt8(count)).withUnsafeBytes { SipHash.hash128($0, secret: secret) }
            #expect(hash.0.byteSwapped == first && hash.1.byteSwapped == second)
        }
    }

    @Test("knows the latest offset of each key, and says when it is full") func remembers() {
        let map = OffsetMap(bytes: 100 * OffsetMap.slotSize, loadFactor: 0.9, entries: .max, secret: (1, 2))
        func key(_ number: Int) -> [UInt8] { Array("key-\(number)".utf8) }
        func put(_ number: Int, _ offset: Offset) -> Bool { key(number).withUnsafeBytes { map.put($0, offset) } }
        func find(_ number: Int) -> Offset? { key(number).withUnsafeBytes { map.offset(of: $0) } }
        for number in 0..<90 { #expect(put(number, Offset(number))) }
        #expect(!put(90, 90))
        // A known key needs no room.
        #expect(put(3, 1000) && map.count == 90)
        for number in 0..<90 { #expect(find(number) == (number == 3 ? 1000 : Offset(number))) }
        #expect(find(90) == nil)
    }

    @Test("puts many keys together as it puts them one by one, and says no when one of them has no room")
    func together() {
        let alone = OffsetMap(bytes: 100 * OffsetMap.slotSize, loadFactor: 0.9, entries: .max, secret: (1, 2))
        let many = OffsetMap(bytes: 100 * OffsetMap.slotSize, loadFactor: 0.9, entries: .max, secret: (1, 2))
        func key(_ number: Int) -> [UInt8] { Array("key-\(number)".utf8) }
        for offset in 0..<500 {
            // Some more than once among those that wait.
            let number = offset * 7 % 90 / (offset % 3 + 1)
            #expect(key(number).withUnsafeBytes { alone.put($0, Offset(offset)) })
            #expect(key(number).withUnsafeBytes { many.putSoon($0, Offset(offset)) })
        }
        #expect(many.putWaiting() && many.putWaiting() && many.count == alone.count)
        for number in 0..<90 {
            #expect(key(number).withUnsafeBytes { many.offset(of: $0) == alone.offset(of: $0) })
        }
        let free = 90 - many.count
        for number in 0..<free { #expect(key(1000 + number).withUnsafeBytes { many.putSoon($0, 1000) }) }
        #expect(many.putWaiting())
        #expect(key(2000).withUnsafeBytes { many.putSoon($0, 2000) })
        #expect(!many.putWaiting() && many.count == 90)
    }

    @Test("takes its memory with the first key, on the thread that puts it, and gives it back when told") func memory()
    {
        let map = OffsetMap(bytes: 1000, loadFactor: 0.9, entries: .max, secret: (1, 2))
        let key: [UInt8] = [7]
        #expect(map.memoryBytes == 0 && key.withUnsafeBytes { map.offset(of: $0) } == nil)
        #expect(key.withUnsafeBytes { map.put($0, 5) } && (1...1000).contains(map.memoryBytes))
        map.release()
        #expect(map.memoryBytes == 0 && map.count == 0 && key.withUnsafeBytes { map.offset(of: $0) } == nil)
    }
}

@Suite("Transactions, while a log is compacted")
struct CleanedTransactionsTests {
    func data(_ producer: Int64, at offset: Offset) throws -> [UInt8] {
        var builder = BatchBuilder()
        builder.append(timestamp: 1, key: [1], value: [2])
        return try builder.build(
            producer: .init(id: producer, epoch: 0, baseSequence: 0), isTransactional: true, baseOffset: offset)
    }
    func marker(_ kind: ControlRecord.Kind, _ producer: Int64, at offset: Offset) -> [UInt8] {
        ControlRecord(kind: kind, coordinatorEpoch: 0).batch(
            timestamp: 1, producerID: producer, producerEpoch: 0, baseOffset: offset)
    }

    @Test("markers stay while anything is left that they speak of") func markers() throws {
        var seen = CleanedTransactions()
        let aborted = AbortedTransaction(producerID: 1, firstOffset: 10, lastOffset: 13, lastStableOffset: 14)
        let emptied = AbortedTransaction(producerID: 1, firstOffset: 20, lastOffset: 22, lastStableOffset: 23)
        seen.add([emptied, aborted])
        func met(_ bytes: [UInt8]) throws -> Bool {
            try bytes.withUnsafeBytes { raw in
                let batch = try RecordBatch(raw)
                return batch.isControl ? try seen.metMarker(batch) : seen.metData(batch)
            }
        }
        #expect(try met(data(1, at: 5)) == false)
        #expect(try met(marker(.commit, 1, at: 6)) == false)
        #expect(try met(marker(.commit, 1, at: 8)) == true)
        #expect(try met(data(1, at: 10)) == true)
        #expect(try met(data(2, at: 11)) == false)
        #expect(try met(marker(.abort, 1, at: 13)) == false)
        #expect(try met(data(1, at: 15)) == false)
        #expect(try met(marker(.commit, 1, at: 16)) == false)
        #expect(try met(marker(.abort, 1, at: 22)) == true)
        #expect(seen.takeKept() == [aborted] && seen.takeKept().isEmpty)
    }
}
