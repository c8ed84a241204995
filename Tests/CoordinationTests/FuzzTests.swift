import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Bytes that mean nothing")
struct FuzzTests {
    private static let requests: [(OpCode, [UInt8])] = {
        var watches = SetWatches2()
        watches.dataWatches = ["/a", "/b"]
        watches.persistentRecursiveWatches = ["/"]
        return [
            (.create, CreateRequest(path: "/a/b", data: [1, 2, 3]).encoded),
            (.create2, CreateRequest(path: "/a/s-", data: nil, mode: .ephemeralSequential).encoded),
            (.createTTL, CreateTTLRequest(path: "/t", data: [], ttl: 5).encoded),
            (.createContainer, CreateRequest(path: "/c", data: [], acl: ACL.creatorAll, mode: .container).encoded),
            (.delete, DeleteRequest(path: "/a/b").encoded), (.exists, ExistsRequest(path: "/a", watch: true).encoded),
            (.getData, GetDataRequest(path: "/a", watch: true).encoded),
            (.getChildren2, GetChildren2Request(path: "/a", watch: true).encoded),
            (.setData, SetDataRequest(path: "/a", data: [5]).encoded),
            (.setACL, SetACLRequest(path: "/a", acl: ACL.open + ACL.readOnly).encoded),
            (.getACL, PathRequest(path: "/a").encoded), (.sync, PathRequest(path: "/a").encoded),
            (.getEphemerals, PathRequest(path: "/a").encoded),
            (.getAllChildrenNumber, PathRequest(path: "/").encoded),
            (.auth, AuthPacket(scheme: "digest", auth: [1, 2]).encoded), (.setWatches2, watches.encoded),
            (.addWatch, AddWatchRequest(path: "/a", recursive: true).encoded),
            (.removeWatches, WatchesRequest(path: "/a", .any).encoded), (.reconfig, ReconfigRequest().encoded),
            (
                .multi,
                MultiRequest([
                    .create(CreateRequest(path: "/m", data: nil)), .setData(SetDataRequest(path: "/a", data: [1])),
                    .check(CheckVersionRequest(path: "/a")), .delete(DeleteRequest(path: "/m")),
                ]).encoded
            ),
            (.multiRead, MultiRequest([.getData(GetDataRequest(path: "/a"))]).encoded), (.whoAmI, []), (.ping, []),
        ]
    }()

    @Test("are answered or refused, and what they did is what the log says", arguments: 1...8 as ClosedRange<UInt64>)
    func requests(_ seed: UInt64) {
        var rules = CoordinationRules()
        rules.extendedTypes = true
        let rig = Rig(rules)
        let a = rig.client()
        rig.create(a, "/a")
        var random = SeededNumbers(seed)
        for _ in 0..<1500 {
            var (op, body) = FuzzTests.requests[Int(random.next() % UInt64(FuzzTests.requests.count))]
            switch random.next() % 4 {
            case 0: break
            case 1: body.removeLast(min(body.count, Int(random.next() % 9)))
            case 2 where !body.isEmpty:
                for _ in 0...random.next() % 3 {
                    body[Int(random.next() % UInt64(body.count))] = UInt8(truncatingIfNeeded: random.next())
                }
            default:
                if !body.isEmpty { body[Int(random.next() % UInt64(body.count))] ^= 1 << UInt8(random.next() % 8) }
                if random.next() % 5 == 0 { op = FuzzTests.requests[Int(random.next() % 23)].0 }
            }
            _ = rig.ask(a, op, body)
        }
        var tree = ZnodeTree()
        Rig.replayed(rig.log, onto: &tree)
        let (replayed, live) = (everything(tree), everything(rig.core.tree))
        #expect(replayed == live)
    }

    @Test("in a log or a snapshot make an error, never a stop") func files() {
        let rig = Rig()
        let a = rig.client()
        for index in 0..<10 { rig.create(a, "/n\(index)", [1], mode: index % 2 == 0 ? .ephemeral : .persistent) }
        _ = rig.multi(a, [.create(CreateRequest(path: "/m", data: nil)), .delete(DeleteRequest(path: "/m"))])
        _ = rig.ask(a, .closeSession)
        let (snapshot, zxid) = rig.snapshot()
        var random = SeededNumbers(3)
        for _ in 0..<600 {
            var bytes = snapshot
            bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            if let tree = try? Rig.loaded(bytes, zxid: zxid) { _ = everything(tree) }
            var log = rig.log
            let index = Int(random.next() % UInt64(log.count))
            log[index][Int(random.next() % UInt64(log[index].count))] = UInt8(truncatingIfNeeded: random.next())
            var tree = ZnodeTree()
            Rig.replayed(log, onto: &tree)
            _ = everything(tree)
        }
    }
}
