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
    private func entries(_ zxids: ClosedRange<Int64>) -> [[UInt8]] {
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
                            path: path, data: path, acl: acl.bytes.bytes, ephemeral: false, parentCVersion: Int32(zxid))
                    ),
                    to: &writer)
            }
            return writer.bytes.array
        }
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try disk.open("d/" + name, .replace)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        file.close()
    }

    private func recovered() throws -> (zxid: Int64, nodes: Int, remarks: [String]) {
        let recovery = try Recovery(disk: disk, directory: "d", logDirectory: "d")
        return (recovery.tree.lastZxid, recovery.tree.nodeCount - 4, recovery.remarks)
    }

    private func refusal() -> String? {
        do throws(StartProblem) {
            _ = try Recovery(disk: disk, directory: "d", logDirectory: "d")
            return nil
        } catch { return error.description }
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
        var recovery = try Recovery(disk: disk, directory: "d", logDirectory: "d")
        let store = SnapshotStore(disk: disk, directory: "d", logDirectory: "d")
        try store.writeNow(&recovery.tree)
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
            var recovery = try Recovery(disk: disk, directory: "d", logDirectory: "d")
            try SnapshotStore(disk: disk, directory: "d", logDirectory: "d").writeNow(&recovery.tree)
        }
        var removed: [String] = []
        let store = SnapshotStore(disk: disk, directory: "d", logDirectory: "d")
        store.purge(keeping: 3) { removed = (try? $0.get()) ?? [] }
        simulation.run(for: .seconds(1))
        #expect(removed.sorted() == ["log.1", "log.3", "snapshot.2", "snapshot.4"])
        #expect(try recovered().zxid == 10)
    }
}
