import ClusterModel
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("Damage on the disk")
struct DamageTests {
    let partition = TopicPartition("t", 0)

    /// Three segments of five batches of two records each.
    private func made(_ fixture: LogFixture) throws -> (directory: LogDirectory, log: PartitionLog) {
        fixture.settings.segmentBytes = batch(2, size: 50).count * 5
        let directory = try fixture.open()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        for _ in 0..<15 { _ = try log.append(batch(2, size: 50), in: fixture.simulation) }
        fixture.settle()
        #expect(log.segmentBases == [0, 10, 20])
        return (directory, log)
    }

    private func flip(_ fixture: LogFixture, _ base: Offset, at position: Int64) throws {
        let path = SegmentFiles.path("\(fixture.path)/t-0", base, .log)
        var bytes = try fixture.disk.contents(path)
        bytes[Int(position)] ^= 0x40
        try fixture.disk.write(bytes, to: path)
    }

    private var size: Int64 { Int64(batch(2, size: 50).count) }

    /// A copy of what was there, as another replica would send it.
    private func original(_ log: PartitionLog, _ offsets: Range<Offset>) throws -> [UInt8] {
        try log.bytes(from: offsets.lowerBound, below: offsets.upperBound)
    }

    @Test(
        "in what was synced cuts nothing away at a start, clean or not, whichever byte it is", arguments: [true, false])
    func keeps(isClean: Bool) throws {
        // In the header (length, magic, last offset) and among the records.
        for place in [8, 9, 11, 16, 17, 23, 26, 60, 100] as [Int64] {
            for base in [0, 20] as [Offset] {
                let fixture = LogFixture()
                let (directory, log) = try made(fixture)
                #expect(log.recoveryPoint >= 20)
                var flushed = false
                log.flush { _ in flushed = true }
                fixture.simulation.run { flushed }
                #expect(fixture.close(directory) == nil)
                try flip(fixture, base, at: size * 2 + place)
                if !isClean { try fixture.disk.remove("\(fixture.path)/.kafka_cleanshutdown") }
                // What makes a start read everything: nothing but the records tells where they are.
                for base in [0, 10, 20] as [Offset] {
                    try fixture.disk.remove(SegmentFiles.path("\(fixture.path)/t-0", base, .index))
                }
                let again = try fixture.open()
                let log2 = try #require(again.logs[partition])
                #expect(log2.logEndOffset == 30 && log2.segmentBases == [0, 10, 20], "byte \(place) of \(base)")
                #expect(log2.damage.count == 1, "byte \(place) of \(base)")
                let stretch = try #require(log2.damage.first)
                #expect(stretch.offsets == (base + 4)..<(base + 6) && stretch.bytes == size * 2..<size * 3)
                #expect(fixture.node.lines.contains { $0.text.hasPrefix("LB-3040 t-0") })
                // Before it and behind it everything is served; within, nothing is.
                #expect(try log2.bytes(from: base, below: base + 4).count == Int(size) * 2)
                #expect(throws: ReadError.damaged(stretch)) {
                    try log2.read(from: base + 4, maxBytes: 1 << 20, below: 30, atLeastOneBatch: true)
                }
                #expect(try log2.bytes(from: base + 6, below: base + 10).count == Int(size) * 2)
                _ = try log2.append(batch(1), in: fixture.simulation)
                #expect(log2.logEndOffset == 31)
            }
        }
    }

    @Test("at the end of what was synced keeps its offsets") func damagedEnd() throws {
        let fixture = LogFixture()
        let (directory, _) = try made(fixture)
        #expect(fixture.close(directory) == nil)
        try flip(fixture, 20, at: size * 4 + 9)
        let again = try fixture.open()
        let log = try #require(again.logs[partition])
        #expect(log.logEndOffset == 30)
        #expect(log.damage == [DamagedStretch(segment: 20, bytes: size * 4..<size * 5, offsets: 28..<30)])
        let appended = try log.append(batch(1), in: fixture.simulation)
        #expect(appended.offsets == 30..<31)
        #expect(try log.bytes(from: 30, below: 31).count > 0)
    }

    @Test("behind what was synced is a torn write, and cut") func torn() throws {
        let fixture = LogFixture()
        let directory = try fixture.open()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        for _ in 0..<5 { _ = try log.append(batch(2, size: 50), in: fixture.simulation) }
        fixture.node.crash(.process)
        fixture.node.restart()
        try flip(fixture, 0, at: size * 2 + 80)
        let again = try fixture.open()
        #expect(again.logs[partition]?.logEndOffset == 4)
        #expect(again.logs[partition]?.damage == [])
    }

    @Test("in a closed segment is found by a check, and nothing else is") func check() throws {
        let fixture = LogFixture()
        let (_, log) = try made(fixture)
        #expect(log.closedSegments == [0, 10])
        func checked(_ base: Offset) -> Int64? {
            var read: Int64?
            log.check(base, stepBytes: 100, pause: { _ in .zero }) { read = $0 }
            fixture.simulation.run { read != nil }
            return read
        }
        for base in log.closedSegments { #expect(checked(base) == size * 5) }
        #expect(log.damage == [])
        try flip(fixture, 10, at: size + 70)
        try flip(fixture, 10, at: size * 2 + 70)
        var tells = 0
        log.foundDamage = { tells += 1 }
        for base in log.closedSegments { #expect(checked(base) == size * 5) }
        #expect(
            log.damage == [
                DamagedStretch(segment: 10, bytes: size..<size * 3, offsets: 12..<16)
            ] && tells == 1)
        for base in log.closedSegments { _ = checked(base) }
        #expect(tells == 1)
    }

    @Test("a header that leads nowhere is never passed over as if nothing had been there") func brokenHeader() throws {
        let fixture = LogFixture()
        let (_, log) = try made(fixture)
        try flip(fixture, 0, at: size * 3 + 8)
        #expect(try log.bytes(from: 0, below: 6).count == Int(size) * 3)
        #expect { try log.read(from: 6, maxBytes: 1 << 20, below: 30, atLeastOneBatch: true) } throws: {
            guard case ReadError.damaged = $0 else { return false }
            return true
        }
        #expect(log.suspects == [0] && log.offlineReason == nil)
    }

    @Test("of an index's entry is passed by: the log decides") func brokenIndex() throws {
        let fixture = LogFixture()
        fixture.settings.indexIntervalBytes = 1
        let (directory, log) = try made(fixture)
        let all = try log.bytes(from: 0, below: 30)
        #expect(fixture.close(directory) == nil)
        let path = SegmentFiles.path("\(fixture.path)/t-0", 0, .index)
        var index = try fixture.disk.contents(path)
        // An entry in the midst points somewhere else: a glance at the ends does not tell.
        index[8 + 7] ^= 0x11
        try fixture.disk.write(index, to: path)
        let again = try fixture.open()
        let log2 = try #require(again.logs[partition])
        for offset in Offset(0)..<10 {
            let slice = try log2.read(from: offset, maxBytes: 1, below: 30, atLeastOneBatch: true)
            #expect(slice.startOffset == offset / 2 * 2)
        }
        #expect(try log2.bytes(from: 0, below: 30) == all)
    }

    @Test(
        "is healed in place by the same batches, and by nothing else; a crash within leaves damage or the right bytes")
    func heals() throws {
        for crashes in [false, true] {
            let fixture = LogFixture(writesInPlace: 0)
            let (directory, log) = try made(fixture)
            let all = try original(log, 0..<30)
            #expect(fixture.close(directory) == nil)
            try flip(fixture, 10, at: size + 16)
            try fixture.disk.remove(SegmentFiles.path("\(fixture.path)/t-0", 10, .index))
            let again = try fixture.open()
            let log2 = try #require(again.logs[partition])
            let stretch = try #require(log2.damage.first)
            #expect(stretch.offsets == 12..<14)
            func judge(_ bytes: ArraySlice<UInt8>) -> Healing {
                Array(bytes).withUnsafeBytes { Healing.judge($0, for: stretch, isEnd: false, epochs: log2.epochs) }
            }
            let one = Int(size)
            #expect(judge(all[(6 * one)...]) == .heals(length: one))
            #expect(judge(all[(6 * one)..<(7 * one)]) == .heals(length: one))
            #expect(judge(all[(6 * one)..<(7 * one - 1)]) == .wantsMore(whole: 0, from: 12))
            var other = Array(all[(6 * one)..<(7 * one)])
            other[15] ^= 1
            guard case .refused = judge(other[...]) else {
                Issue.record("another epoch's batch was taken")
                return
            }
            other = Array(all[(6 * one)..<(7 * one)])
            other[80] ^= 1
            guard case .refused = judge(other[...]) else {
                Issue.record("a damaged batch was taken")
                return
            }
            guard case .refused = judge(all[(5 * one)...]) else {
                Issue.record("a batch that begins before was taken")
                return
            }
            var isHealed: Bool?
            log2.heal(stretch, with: Array(all[(6 * one)..<(7 * one)])) { isHealed = $0 }
            if crashes {
                // Nobody reads it meanwhile.
                #expect(throws: ReadError.damaged(stretch)) {
                    try log2.read(from: 12, maxBytes: 1, below: 30, atLeastOneBatch: true)
                }
                fixture.node.crash(.power)
                fixture.node.restart()
                let third = try fixture.open()
                let log3 = try #require(third.logs[partition])
                #expect(log3.logEndOffset == 30 && log3.segmentBases == [0, 10, 20])
                if log3.damage.isEmpty { #expect(try log3.bytes(from: 0, below: 30) == all) }
                continue
            }
            fixture.simulation.run { isHealed != nil }
            #expect(isHealed == true && log2.damage == [])
            #expect(try log2.bytes(from: 0, below: 30) == all)
        }
    }
}
