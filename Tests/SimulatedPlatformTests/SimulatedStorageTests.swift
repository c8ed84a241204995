import Platform
import Testing

@testable import SimulatedPlatform

@Suite("The simulated disk")
struct SimulatedStorageTests {
    private func write(_ text: String, to file: any File, at offset: Int64 = 0) throws {
        var problem: DiskError?
        Array(text.utf8).withUnsafeBytes { raw in
            do throws(DiskError) { try file.write(raw, at: offset) } catch { problem = error }
        }
        if let problem { throw problem }
    }

    @Test("keeps synced bytes under a synced name through a power failure, whatever chance says")
    func synced() throws {
        for seed in 1...50 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            let node = simulation.node("a")
            let disk = node.world.disk
            try disk.createDirectory("data/log")
            try disk.syncDirectory("/")
            try disk.syncDirectory("data")
            let file = try disk.open("data/log/0", .createNew)
            try write("kept", to: file)
            try file.sync()
            try disk.syncDirectory("data/log")
            try write(String(repeating: "x", count: 3000), to: file, at: 4)
            node.crash(.power)
            node.restart()
            let found = node.storage.contents("data/log/0") ?? []
            #expect(found.starts(with: Array("kept".utf8)), "seed \(seed)")
            #expect(found.dropFirst(4).allSatisfy { $0 == UInt8(ascii: "x") || $0 == 0 } && found.count <= 3004)
        }
    }

    @Test("forgets unsynced bytes and names after some power failures, and tears some writes")
    func forgets() throws {
        var sizes: Set<Int> = []
        for seed in 1...60 as ClosedRange<UInt64> {
            let node = Simulation(seed: seed)
            let a = node.node("a")
            let file = try a.world.disk.open("f", .createNew)
            try write(String(repeating: "x", count: 3000), to: file)
            a.crash(.power)
            sizes.insert(a.storage.contents("f")?.count ?? -1)
        }
        #expect(sizes.contains(-1) && sizes.contains(0) && sizes.contains(3000) && sizes.count > 4)
    }

    @Test("writes sectors in any order: a later one may be there where an earlier one is missing, never half of one")
    func sectors() throws {
        var holes = 0
        for seed in 1...200 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            let a = simulation.node("a")
            let file = try a.world.disk.open("f", .createNew)
            try a.world.disk.syncDirectory("/")
            try write(String(repeating: "x", count: 2048), to: file)
            a.crash(.power)
            let bytes = a.storage.contents("f") ?? []
            let sectors = stride(from: 0, to: bytes.count, by: 512).map { bytes[$0..<min($0 + 512, bytes.count)] }
            let isThere = sectors.map { $0.first == UInt8(ascii: "x") }
            if let last = isThere.lastIndex(of: true), isThere[..<last].contains(false) { holes += 1 }
            #expect(sectors.allSatisfy { Set($0).count == 1 })
        }
        #expect(holes > 5)
    }

    @Test("loses nothing when only the process dies")
    func process() throws {
        let node = Simulation(seed: 1)
        let a = node.node("a")
        try write("all", to: try a.world.disk.open("f", .createNew))
        a.crash(.process)
        #expect(a.storage.contents("f") == Array("all".utf8))
    }

    @Test("fails where it is told to; what a failed sync did not write is lost although a later one succeeds")
    func faults() throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            let a = simulation.node("a")
            let file = try a.world.disk.open("f", .createNew)
            try a.world.disk.syncDirectory("/")
            try write("abc", to: file)
            a.storage.fail(.sync, of: "f", code: 5)
            #expect(throws: DiskError.self) { try file.sync() }
            try file.sync()
            a.crash(.power)
            #expect(a.storage.contents("f") == [])
        }
        let small = Simulation(seed: 1).node("a")
        _ = small
        let simulation = Simulation(seed: 1)
        let a = simulation.node("a")
        a.storage.capacity = 10
        let file = try a.world.disk.open("f", .createNew)
        do {
            try write("more than ten bytes", to: file)
            Issue.record("it fitted")
        } catch let error as DiskError { #expect(error.isNoSpace) }
    }

    @Test("replaces a small file as a whole")
    func replaces() throws {
        for seed in 1...30 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            let a = simulation.node("a")
            try a.world.disk.replace("f", with: Array("old".utf8))
            let beside = try a.world.disk.open("f.tmp", .replace)
            try write("new", to: beside)
            try beside.sync()
            try a.world.disk.rename("f.tmp", to: "f")
            a.crash(.power)
            let found = a.storage.contents("f").map { String(decoding: $0, as: UTF8.self) }
            #expect(found == "old" || found == "new")
        }
    }

    @Test("does a lane's work in order and tells of it in that order")
    func lanes() throws {
        let simulation = Simulation(seed: 9)
        let world: SimulatedWorld = simulation.node("a").world
        let file = try world.disk.open("f", .createNew)
        let lane = world.disk.lane("/")
        #expect(lane === world.disk.lane("/"))
        var told: [String] = []
        for round in 0..<20 {
            [UInt8(round)].withUnsafeBytes {
                lane.write($0, to: file, at: Int64(round)) {
                    #expect($0 == nil); told.append("write \(round)")
                }
            }
            lane.sync(file) {
                #expect($0 == nil); told.append("sync \(round)")
            }
            lane.perform { () throws(DiskError) in
                file.size
            } then: {
                told.append("size \((try? $0.get()) ?? -1)")
            }
        }
        #expect(lane.pending > 0)
        simulation.run(for: .seconds(5))
        #expect(told == (0..<20).flatMap { ["write \($0)", "sync \($0)", "size \($0 + 1)"] })
        #expect(lane.pending == 0)
    }

    @Test("locks for one holder at a time, until it lets go or dies")
    func locks() throws {
        let simulation = Simulation(seed: 1)
        let a = simulation.node("a")
        let lock = try a.world.disk.lock("data.lock")
        #expect(lock != nil)
        #expect(try a.world.disk.lock("data.lock") == nil)
        a.restart()
        #expect(try a.world.disk.lock("data.lock") != nil)
    }
}
