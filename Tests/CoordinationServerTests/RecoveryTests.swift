import Bytes
import Coordination
import CoordinationProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import CoordinationServer

@Suite("Recovery of the coordinator's disk")
struct RecoveryTests {
    private let simulation = Simulation(seed: 1)
    private var disk: any Disk { simulation.node("zk").world.disk }

    init() throws {
        try simulation.node("zk").world.disk.createDirectory("d")
    }

    /// Creates of `/n1`, `/n2`, …, numbered by their zxid.
    /// - Parameter batch: the first zxid of those synced together; each by itself when nil.
    private func entries(_ zxids: ClosedRange<Int64>, batch: Int64? = nil) -> [[UInt8]] {
        zxids.map { zxid in
            var writer = JuteWriter()
            let path = [UInt8]("/n\(zxid)".utf8)
            var list = ACL.open
            var acl = JuteWriter()
            acl.records(&list)
            path.withUnsafeBytes { path in
                LogFormat.append(
                    TransactionHeader(sessionID: 1, cxid: 1, zxid: zxid, time: 5, op: .create),
                    .create(
                        CreateTxn(
                            path: path, data: path, acl: acl.bytes.bytes, ephemeral: false,
                            parentCVersion: Int32(truncatingIfNeeded: zxid))
                    ),
                    batch: batch ?? zxid, to: &writer)
            }
            return writer.bytes.array
        }
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try disk.open("d/" + name, .replace)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        file.close()
    }

    /// What a start would find, and do.
    private func recovered(trustEmpty: Bool = false) throws -> (zxid: Int64, nodes: Int, remarks: [String]) {
        let files = try DataFiles(disk: disk, directory: "d", logDirectory: "d")
        let recovery = try Recovery(files, trustEmpty: trustEmpty)
        for mend in recovery.mends { try mend.perform(on: disk) }
        return (recovery.tree.lastZxid, recovery.tree.nodeCount - 4, recovery.remarks)
    }

    private func refusal() -> String? { problem()?.description }

    private func problem() -> StartProblem? {
        do throws(StartProblem) {
            _ = try Recovery(DataFiles(disk: disk, directory: "d", logDirectory: "d"))
            return nil
        } catch { return error }
    }

    private func takeSnapshot() throws {
        var recovery = try Recovery(DataFiles(disk: disk, directory: "d", logDirectory: "d"))
        try SnapshotStore(disk: disk, directory: "d", logDirectory: "d").writeNow(&recovery.tree)
    }

    @Test("a log cut or zeroed at every byte is mended to its last whole transaction") func everyByte() throws {
        let all = entries(1...6)
        let whole = LogFormat.header + all.flatMap { $0 }
        var ends: [Int] = [LogFormat.headerBytes]
        for entry in all { ends.append(ends[ends.count - 1] + entry.count) }
        for cut in 0...whole.count {
            for zeroed in [false, true] {
                let padding = zeroed ? [UInt8](repeating: 0, count: whole.count - cut + 100) : []
                try write("log.1", Array(whole[..<cut]) + padding)
                let expected = Int64((ends.lastIndex { $0 <= cut } ?? 0))
                let found = try recovered()
                #expect(found.zxid == expected, "cut at \(cut), zeroed \(zeroed)")
                #expect(found.nodes == Int(expected))
                // What is written behind the mended tail, in the next file, survives the next start.
                if disk.exists("d/log.\(expected + 1)") == false || expected == 0 {
                    try write(
                        "log.\(expected + 1)",
                        LogFormat.header + entries((expected + 1)...(expected + 2)).flatMap { $0 })
                    #expect(try recovered().zxid == expected + 2, "behind a cut at \(cut), zeroed \(zeroed)")
                    try disk.remove("d/log.\(expected + 1)")
                }
            }
        }
    }

    @Test("a changed byte in the last transaction cuts it off, and that is said") func lastDamaged() throws {
        let all = entries(1...3)
        var bytes = LogFormat.header + all.flatMap { $0 }
        bytes[bytes.count - 10] ^= 4
        try write("log.1", bytes + [UInt8](repeating: 0, count: 50))
        let found = try recovered()
        #expect(found.zxid == 2)
        #expect(found.remarks.count == 1)
        #expect(try recovered().remarks == [])
    }

    @Test("a changed byte in the middle is refused at every place") func middleDamaged() throws {
        let all = entries(1...3)
        let start = LogFormat.headerBytes + all[0].count
        for position in start..<(start + all[1].count) {
            var bytes = LogFormat.header + all.flatMap { $0 }
            bytes[position] ^= 0x10
            try write("log.1", bytes)
            #expect(refusal()?.contains("damaged in the middle") == true, "at \(position)")
        }
        let untouched = LogFormat.header + all.flatMap { $0 }
        try write("log.1", untouched)
        #expect(try recovered().zxid == 3)
    }

    @Test("bytes that never arrived in the last batch cut it off, however much of it did arrive", arguments: 0..<4)
    func tornBatch(_ hole: Int) throws {
        let durable = entries(1...3), batch = entries(4...8, batch: 4)
        var bytes = LogFormat.header + durable.flatMap { $0 }
        let start = bytes.count + batch[..<hole].reduce(0) { $0 + $1.count }
        bytes += batch.flatMap { $0 }
        for position in start..<(start + batch[hole].count) { bytes[position] = 0 }
        try write("log.1", bytes + [UInt8](repeating: 0, count: 4096))
        let found = try recovered()
        #expect(found.zxid == 3 + Int64(hole))
        #expect(found.remarks.count == 1)
        #expect(found.remarks[0].contains("transaction 0x\(4 + hole) to 0x8"))
        #expect(try recovered().remarks == [])
    }

    @Test("zeros over a durable transaction are refused at every place, not taken for the end")
    func zerosInTheMiddle() throws {
        let all = entries(1...4)
        for index in 0..<3 {
            var bytes = LogFormat.header + all.flatMap { $0 }
            let start = LogFormat.headerBytes + all[..<index].reduce(0) { $0 + $1.count }
            for position in start..<(start + all[index].count) { bytes[position] = 0 }
            try write("log.1", bytes)
            #expect(refusal()?.contains("damaged in the middle") == true, "transaction \(index + 1)")
            #expect(try disk.contents("d/log.1") == bytes, "and nothing was changed")
        }
    }

    @Test("what is cut off is kept beside") func keptBeside() throws {
        let all = entries(1...3)
        let whole = LogFormat.header + all.flatMap { $0 }
        let torn = Array(whole.dropLast(20))
        try write("log.1", torn)
        #expect(try recovered().zxid == 2)
        let cut = LogFormat.headerBytes + all[0].count + all[1].count
        #expect(try disk.contents("d/set-aside/log.1.from-\(cut)") == Array(torn[cut...]))
        #expect(try disk.contents("d/log.1") == Array(torn[..<cut]))
    }

    @Test("damage in a log that others follow is named with its place, and the remedy keeps every byte")
    func damagedBeforeOthers() throws {
        var first = LogFormat.header + entries(1...3).flatMap { $0 }
        first[first.count - 20] ^= 1
        try write("log.1", first)
        try write("log.4", LogFormat.header + entries(4...5).flatMap { $0 })
        let found = try #require(problem())
        #expect(found.description.contains("d/log.1 is damaged in the middle"))
        #expect(found.description.contains("d/log.4 goes on with 0x4"))
        #expect(try disk.contents("d/log.1") == first)
        for mend in found.remedy { try mend.perform(on: disk) }
        #expect(try recovered().zxid == 2)
        #expect(disk.exists("d/set-aside/log.4"))
    }

    @Test(
        "without room for what a remedy would cut, nothing is cut; a start goes on without what was promised to nobody")
    func noRoomToKeep() throws {
        var first = LogFormat.header + entries(1...3).flatMap { $0 }
        first[first.count - entries(3...3).flatMap { $0 }.count - 20] ^= 1
        try write("log.1", first)
        let found = try #require(problem())
        let storage = simulation.node("zk").storage
        let capacity = storage.capacity
        storage.capacity = storage.usedBytes
        #expect(throws: DiskError.self) { for mend in found.remedy { try mend.perform(on: disk) } }
        #expect(try disk.contents("d/log.1") == first)
        #expect((try? disk.list("d/set-aside"))?.isEmpty != false)
        let cut = try #require(found.remedy.first)
        #expect(try cut.perform(on: disk, keepsAll: false)?.hasPrefix("there was no room to keep") == true)
        #expect((try? disk.list("d/set-aside"))?.isEmpty != false)
        storage.capacity = capacity
        #expect(try recovered().zxid == 1)
    }

    @Test("a damaged header loses nothing while entries stand behind it; with the first of them it is refused and told")
    func badHeader() throws {
        let whole = LogFormat.header + entries(1...3).flatMap { $0 }
        for index in 0..<4 {
            var bytes = whole
            bytes[index] ^= 0x10
            try write("log.1", bytes)
            let found = try recovered()
            #expect(found.zxid == 3 && found.remarks.contains { $0.contains("its header was damaged") })
            #expect(try disk.contents("d/log.1") == whole)
        }
        var bytes = whole
        for index in 0..<(LogFormat.headerBytes + 30) { bytes[index] = 0 }
        try write("log.1", bytes)
        let found = try #require(problem())
        #expect(found.description.contains("d/log.1 is damaged at its beginning"))
        #expect(found.description.contains("whole transactions up to 0x3 follow in it: acknowledged changes"))
        #expect(try disk.contents("d/log.1") == bytes)
        // What was never a log is no damage.
        try write("log.1", [UInt8]("not a log at all, however long it may be".utf8))
        #expect(refusal()?.contains("is not a transaction log") == true)
    }

    @Test("a snapshot that cannot be read still tells how far the tree had come") func newerThanTheLogs() throws {
        try write("log.1", LogFormat.header + entries(1...3).flatMap { $0 })
        try takeSnapshot()
        try write("log.4", LogFormat.header + entries(4...6).flatMap { $0 })
        try takeSnapshot()
        var newest = try disk.contents("d/snapshot.6")
        newest[newest.count / 2] ^= 1
        try write("snapshot.6", newest)
        #expect(try recovered().zxid == 6)
        try disk.remove("d/log.4")
        let found = try #require(problem())
        #expect(found.description.contains("d/snapshot.6 is not whole"))
        #expect(found.description.contains("transactions 0x4 to 0x6 are missing"))
        for mend in found.remedy { try mend.perform(on: disk) }
        #expect(try recovered().zxid == 3)
    }

    @Test("damage in a log that a whole snapshot covers loses nothing and is told") func coveredDamage() throws {
        var bytes = LogFormat.header + entries(1...3).flatMap { $0 }
        try write("log.1", bytes)
        try takeSnapshot()
        bytes[LogFormat.headerBytes + 30] ^= 1
        try write("log.1", bytes)
        let found = try recovered()
        #expect(found.zxid == 3 && found.nodes == 3)
        #expect(found.remarks.contains { $0.contains("nothing is lost") })
        // Two places: what stood at the last one, nobody can tell.
        var two = bytes
        two[two.count - 20] ^= 1
        try write("log.1", two)
        #expect(refusal()?.contains("d/log.1 is damaged in the middle") == true)
        // With one that the snapshot does not hold behind it, it is refused.
        try write("log.1", bytes + entries(4...4).flatMap { $0 })
        #expect(refusal()?.contains("d/log.1 is damaged in the middle") == true)
    }

    @Test(
        "numbers in names are believed to be any",
        arguments: ["0", "7fffffffffffffff", "8000000000000000", "ffffffffffffffff"])
    func oddNames(_ number: String) throws {
        var log = LogFormat.header + entries(1...3).flatMap { $0 }
        try write("log.\(number)", log)
        _ = problem()
        log[1] ^= 1
        log[LogFormat.headerBytes + 30] ^= 1
        try write("log.\(number)", log)
        _ = problem()
        try write("snapshot.\(number)", [])
        _ = problem()
    }

    @Test("a purge counts no snapshot that a start has found broken") func brokenSnapshotsDoNotCount() throws {
        for zxid in Int64(1)...4 {
            try write("log.\(zxid)", LogFormat.header + entries(zxid...zxid).flatMap { $0 })
            try takeSnapshot()
        }
        for name in ["snapshot.2", "snapshot.3", "snapshot.4"] {
            var bytes = try disk.contents("d/" + name)
            bytes[bytes.count / 2] ^= 1
            try write(name, bytes)
        }
        #expect(try SnapshotStore.purge(disk, "d", "d", keeping: 3) { _ in }.isEmpty)
        #expect(try recovered().zxid == 4)
    }

    @Test("logs without the snapshot they build on are refused and explained, unless they are trusted")
    func missingSnapshot() throws {
        try write("log.5", LogFormat.header + entries(5...6).flatMap { $0 })
        #expect(refusal()?.hasPrefix("No snapshot found, but there are log entries: there is no snapshot in d") == true)
        #expect(try recovered(trustEmpty: true).nodes == 2)
        // Another epoch's first number is no beginning either.
        try disk.remove("d/log.5")
        let later = Int64(5) << 32 | 1
        try write("log.\(String(later, radix: 16))", LogFormat.header + entries(later...later).flatMap { $0 })
        #expect(refusal()?.hasPrefix("No snapshot found") == true)
        // All of it, from the beginning, is as good as a snapshot.
        try disk.remove("d/log.\(String(later, radix: 16))")
        try write("log.1", LogFormat.header + entries(1...6).flatMap { $0 })
        #expect(try recovered().zxid == 6)
    }

    @Test("an unreadable snapshot alone is never taken for an empty tree", arguments: [0, 40]) func trusted(
        _ count: Int
    ) throws {
        try write("log.1", LogFormat.header + entries(1...4).flatMap { $0 })
        try takeSnapshot()
        try disk.remove("d/log.1")
        try write("snapshot.4", Array(try disk.contents("d/snapshot.4")[..<count]))
        #expect(refusal()?.contains("beginning with an empty tree would lose it all") == true)
        // The switch speaks of snapshots that never were.
        #expect(throws: StartProblem.self) { try recovered(trustEmpty: true) }
        // Nothing had been promised when the very first one was cut short.
        try disk.remove("d/snapshot.4")
        try write("snapshot.0", [])
        #expect(try recovered().zxid == 0)
    }

    @Test("an empty log tells by its name what is missing before it") func emptyButNamed() throws {
        try write("log.1", LogFormat.header + entries(1...3).flatMap { $0 })
        try write("log.7", LogFormat.header)
        #expect(refusal()?.contains("transactions 0x4 to 0x6 are missing") == true)
        // Unless the write that would tell of them never ended: an Apache server syncs both files at once.
        try write("log.1", LogFormat.header + entries(1...3).flatMap { $0 } + entries(4...4)[0].dropLast(9))
        #expect(try recovered().zxid == 3)
    }

    @Test("logs or snapshots in the other's directory are refused, not passed over") func mixedUp() throws {
        try disk.createDirectory("e")
        try write("log.1", LogFormat.header + entries(1...3).flatMap { $0 })
        #expect(throws: StartProblem.self) { try DataFiles(disk: disk, directory: "d", logDirectory: "e") }
        #expect(throws: Never.self) { try DataFiles(disk: disk, directory: "e", logDirectory: "d") }
        try takeSnapshot()
        #expect(throws: StartProblem.self) { try DataFiles(disk: disk, directory: "e", logDirectory: "d") }
    }

    @Test("epoch files of an ensemble and other files beside are no problem") func others() throws {
        try write("log.1", LogFormat.header + entries(1...3).flatMap { $0 })
        for name in ["currentEpoch", "acceptedEpoch", "myid", "log.fixed", "log.1.fixed", "snapshot.x", "log"] {
            try write(name, [0x35])
        }
        #expect(try recovered().zxid == 3)
        #expect(try recovered().remarks == [])
    }

    @Test("a missing log is refused and named") func gap() throws {
        try write("log.1", LogFormat.header + entries(1...3).flatMap { $0 })
        try write("log.6", LogFormat.header + entries(6...7).flatMap { $0 })
        #expect(refusal()?.contains("transactions 0x4 to 0x5 are missing") == true)
        try write("log.4", LogFormat.header + entries(4...5).flatMap { $0 })
        #expect(try recovered().zxid == 7)
    }

    @Test("a file without a header yet, empty or zeroed, is no obstacle", arguments: [0, 7, 16, 4096])
    func noHeader(_ count: Int) throws {
        try write("log.1", LogFormat.header + entries(1...2).flatMap { $0 })
        try write("log.3", [UInt8](repeating: 0, count: count))
        #expect(try recovered().zxid == 2)
        #expect(!disk.exists("d/log.3"))
    }

    @Test("the newest whole snapshot is taken, others are passed over and named") func snapshots() throws {
        try write("log.1", LogFormat.header + entries(1...4).flatMap { $0 })
        try takeSnapshot()
        let bytes = try disk.contents("d/snapshot.4")
        try disk.remove("d/log.1")
        try write("log.5", LogFormat.header + entries(5...6).flatMap { $0 })
        #expect(try recovered().zxid == 6)
        #expect(try recovered().nodes == 6)
        for damaged in [
            Array(bytes.dropLast(3)), [], Array(bytes[..<40]), bytes.enumerated().map { $0 == 90 ? $1 ^ 1 : $1 },
        ] {
            try write("snapshot.6", damaged)
            let found = try recovered()
            #expect(found.zxid == 6)
            #expect(found.remarks.count == 1)
        }
        try disk.remove("d/snapshot.4")
        #expect(refusal()?.contains("are missing") == true)
    }

    @Test("purging keeps the newest snapshots and what is needed behind the oldest of them") func purge() throws {
        for (first, last) in [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)] as [(Int64, Int64)] {
            try write("log.\(String(first, radix: 16))", LogFormat.header + entries(first...last).flatMap { $0 })
            try takeSnapshot()
        }
        var removed: [String] = []
        let store = SnapshotStore(disk: disk, directory: "d", logDirectory: "d")
        store.purge(keeping: 3) { removed = (try? $0.get()) ?? [] }
        simulation.run(for: .seconds(1))
        #expect(removed == ["d/snapshot.2", "d/snapshot.4", "d/log.1", "d/log.3"])
        #expect(try recovered().zxid == 10)
    }
}
