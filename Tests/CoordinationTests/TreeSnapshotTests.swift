import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Snapshots and replay")
struct TreeSnapshotTests {
    /// A little of everything.
    private func busy() -> (Rig, ClientID) {
        var rules = CoordinationRules()
        rules.extendedTypes = true
        let rig = Rig(rules)
        let a = rig.client(), b = rig.client()
        _ = rig.ask(a, .auth, AuthPacket(scheme: "digest", auth: [UInt8]("u:p".utf8)))
        for index in 0..<30 {
            rig.create(a, "/d\(index)", index % 2 == 0 ? nil : [UInt8](repeating: 1, count: index))
            for child in 0..<index % 7 {
                rig.create(b, "/d\(index)/c\(child)", mode: child % 3 == 2 ? .ephemeral : .persistent)
            }
            if index % 5 == 0 { rig.create(a, "/d\(index)/own", acl: ACL.creatorAll) }
        }
        rig.delete(a, "/d3/c0")
        rig.set(a, "/d4", nil)
        _ = rig.ask(a, .createContainer, CreateRequest(path: "/box", data: nil, mode: .container))
        _ = rig.ask(a, .createTTL, CreateTTLRequest(path: "/ttl", data: [], ttl: 100))
        rig.create(a, "/d1")
        _ = rig.multi(
            a, [.create(CreateRequest(path: "/m", data: [1])), .setData(SetDataRequest(path: "/d5", data: [2]))])
        _ = rig.multi(a, [.create(CreateRequest(path: "/no", data: [1])), .delete(DeleteRequest(path: "/none"))])
        return (rig, a)
    }

    @Test("a replayed log gives the same tree, also when replayed twice") func replay() {
        let (rig, a) = busy()
        _ = rig.ask(a, .closeSession)
        var tree = ZnodeTree()
        Rig.replayed(rig.log, onto: &tree)
        let once = everything(tree)
        let live = everything(rig.core.tree)
        #expect(once == live)
        Rig.replayed(rig.log, onto: &tree)
        // Created again and deleted again by the second pass: all numbers that are absolute stay.
        let (zxid, nodes) = (tree.lastZxid, tree.nodeCount)
        #expect(zxid == rig.core.zxid)
        #expect(nodes == rig.core.nodeCount)
    }

    @Test("a snapshot gives the same tree") func roundTrip() throws {
        let (rig, _) = busy()
        let before = everything(rig.core.tree)
        let (bytes, zxid) = rig.snapshot()
        let tree = try Rig.loaded(bytes, zxid: zxid)
        let after = everything(tree)
        #expect(after == before)
        let snapshotting = rig.core.tree.isSnapshotting
        #expect(!snapshotting)
    }

    @Test("a snapshot is of one point in time whatever happens while it is taken", arguments: [1, 3, 10])
    func pointInTime(_ nodes: Int) throws {
        let (rig, a) = busy()
        let b = rig.client()
        let before = everything(rig.core.tree)
        let logged = rig.log.count
        var random = SeededNumbers(UInt64(nodes))
        let (bytes, zxid) = rig.snapshot(nodesAtOnce: nodes) { rig in
            for _ in 0..<3 {
                let index = random.next() % 34
                switch random.next() % 6 {
                case 0: rig.create(a, "/d\(index)/new\(random.next() % 4)", mode: .ephemeral)
                case 1: rig.set(b, "/d\(index)", [UInt8](repeating: 9, count: Int(random.next() % 9)))
                case 2: rig.delete(b, "/d\(index)/c\(random.next() % 7)")
                case 3: rig.create(b, "/d\(index)")
                case 4: rig.delete(b, "/d\(index)")
                default: _ = rig.ask(a, .setACL, SetACLRequest(path: "/d\(index)", acl: ACL.creatorAll + ACL.open))
                }
            }
        }
        var tree = try Rig.loaded(bytes, zxid: zxid)
        let then = everything(tree)
        #expect(then == before)
        Rig.replayed(Array(rig.log[logged...]), onto: &tree)
        let (now, live) = (everything(tree), everything(rig.core.tree))
        #expect(now == live)
        // And the next one is whole again.
        let (again, later) = rig.snapshot()
        let next = everything(try Rig.loaded(again, zxid: later))
        #expect(next == live)
    }

    @Test("cut anywhere, it is not taken for a whole one") func cut() {
        let (rig, _) = busy()
        let (bytes, zxid) = rig.snapshot()
        for count in stride(from: 0, to: bytes.count, by: 13) {
            var loaded = false
            do {
                _ = everything(try Rig.loaded(Array(bytes[..<count]), zxid: zxid))
                loaded = true
            } catch {}
            #expect(!loaded, "cut at \(count)")
        }
    }

    @Test("counters survive though all children are gone") func counters() throws {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/p")
        for _ in 0..<5 { _ = rig.created(a, "/p/n", mode: .persistentSequential) }
        for index in 0..<5 { rig.delete(a, "/p/n000000000\(index)") }
        let (bytes, zxid) = rig.snapshot()
        let again = Rig(tree: try Rig.loaded(bytes, zxid: zxid))
        let b = again.client()
        #expect(again.stat(b, "/p")?.cversion == 10)
        #expect(again.created(b, "/p/n", mode: .persistentSequential) == "/p/n0000000005")
    }

    @Test("the counter passes its largest value") func overflow() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/p")
        var tree = ZnodeTree()
        Rig.replayed(rig.log, onto: &tree)
        if let id = [UInt8]("/p".utf8).withUnsafeBytes({ tree.store.find($0) }) {
            tree.store[id].pointee.cversion = .max
        }
        let again = Rig(tree: tree)
        let b = again.client()
        #expect(again.created(b, "/p/n", mode: .persistentSequential) == "/p/n2147483647")
        #expect(again.created(b, "/p/n", mode: .persistentSequential) == "/p/n-2147483648")
        #expect(again.created(b, "/p/n", mode: .persistentSequential) == "/p/n-2147483647")
    }

    @Test("a long list of paths is left away, and found again") func longClose() {
        let rig = Rig()
        let a = rig.client()
        let name = String(repeating: "n", count: 1000)
        for index in 0..<600 { rig.create(a, "/\(name)\(index)", mode: .ephemeral) }
        let before = rig.log.count
        _ = rig.ask(a, .closeSession)
        #expect(rig.log[before].count < 100)
        var tree = ZnodeTree()
        Rig.replayed(rig.log, onto: &tree)
        let (now, live) = (everything(tree), everything(rig.core.tree))
        #expect(now == live)
    }
}

struct SeededNumbers {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
