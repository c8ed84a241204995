import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Sessions with many nodes")
struct LargeSessionTests {
    /// A session with ephemerals below several parents, more than its closing entry lists by name; beside it a node that stays.
    private func crowded() -> (Rig, owner: ClientID, other: ClientID, before: (nodes: Int, bytes: Int)) {
        let rig = Rig()
        let owner = rig.client(), other = rig.client()
        for parent in ["/p", "/p/q", "/r"] { rig.create(other, parent, [1]) }
        rig.create(other, "/r/stays", mode: .ephemeral)
        let before = (rig.core.nodeCount, rig.core.dataSize)
        let filling = String(repeating: "x", count: 200)
        for index in 0..<3000 {
            let parent = ["", "/p", "/p/q", "/r"][index % 4]
            rig.create(
                owner, "\(parent)/\(filling)\(index)", [UInt8](repeating: 7, count: index % 50), mode: .ephemeral)
        }
        return (rig, owner, other, before)
    }

    @Test("end with all of them at one zxid, listed or not, and leave nothing behind") func vanish() throws {
        let (rig, owner, other, before) = crowded()
        let zxid = rig.core.zxid
        #expect(rig.expire(rig.core.session(of: owner)) == owner)
        #expect(rig.core.zxid == zxid + 1)
        #expect(rig.core.nodeCount == before.nodes)
        #expect(rig.core.dataSize == before.bytes)
        #expect(rig.core.ephemeralCount == 1)
        for parent in ["/", "/p", "/p/q", "/r"] { #expect(rig.stat(other, parent)?.pzxid == zxid + 1) }
        #expect(rig.children(other, "/r") == ["stays"])

        var replayed = ZnodeTree()
        Rig.replayed(rig.log, onto: &replayed)
        let (again, live) = (everything(replayed), everything(rig.core.tree))
        #expect(again == live)
    }

    @Test("tell the watchers of each, and of the parents once") func told() {
        let (rig, owner, other, _) = crowded()
        let watcher = rig.client()
        let names = rig.children(other, "/p/q") ?? []
        for name in names.prefix(100) + names.suffix(1) where name.hasPrefix("x") {
            _ = rig.stat(watcher, "/p/q/\(name)", watch: true)
        }
        _ = rig.children(watcher, "/p/q", watch: true)
        _ = rig.children(watcher, "/r", watch: true)
        _ = rig.expire(rig.core.session(of: owner))
        let told = rig.told(watcher)
        #expect(Set(told).count == told.count)
        #expect(told.filter { $0.hasPrefix("deleted /p/q/x") }.count == 101)
        #expect(told.filter { $0.hasPrefix("children") }.sorted() == ["children /p/q", "children /r"])
        #expect(told.count == 103)
    }

    @Test(
        "with more paths than its end can list, the log has an empty list: no bytes would be read as one by Apache's servers"
    )
    func unlisted() throws {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        let name = String(repeating: "n", count: 1000)
        for index in 0..<540 { rig.create(b, "/\(name)\(index)", nil, mode: .ephemeral) }
        _ = rig.ask(b, .closeSession)
        #expect(rig.stat(a, "/\(name)0") == nil)
        try #require(rig.log.last).withUnsafeBytes { entry in
            var reader = JuteReader(entry)
            let header = try TransactionHeader(from: &reader), count = try reader.int32()
            #expect(header.op == .closeSession && count == 0)
            #expect(reader.left == 0)
        }
    }

    @Test("leave quotas as they were") func quotas() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        rig.create(a, "/q", [1])
        for path in ["/zookeeper/quota/q", "/zookeeper/quota/q/zookeeper_limits", "/zookeeper/quota/q/zookeeper_stats"]
        {
            rig.create(a, path, [UInt8]("count=1000,bytes=-1".utf8))
        }
        let usage = {
            rig.ask(a, .getData, GetDataRequest(path: "/zookeeper/quota/q/zookeeper_stats", watch: false)).body
        }
        let before = usage()
        for index in 0..<50 { rig.create(b, "/q/\(index)", [1, 2], mode: .ephemeral) }
        #expect(usage() != before)
        _ = rig.ask(b, .closeSession)
        #expect(usage() == before)
    }

    @Test("a node that comes back under a path just looked for is a new one") func lastFound() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/p")
        rig.create(a, "/p/x", [1])
        let first = rig.stat(a, "/p/x")?.czxid
        #expect(rig.delete(a, "/p/x") == .ok)
        #expect(rig.stat(a, "/p/x") == nil)
        #expect(rig.delete(a, "/p") == .ok)
        rig.create(a, "/other")
        #expect(rig.stat(a, "/p/x") == nil)
        rig.create(a, "/p")
        rig.create(a, "/p/x", [1])
        #expect(rig.stat(a, "/p/x").map { $0.czxid > first ?? .max } == true)
        for odd in ["/p/", "/p//x", "//p", "/p/x/"] {
            #expect(rig.ask(a, .exists, ExistsRequest(path: odd, watch: false)).error == .noNode)
        }
    }

    @Test("ten thousand watchers of one path are told once each, for data and child watch together") func manyWatchers()
    {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/w")
        let watchers = (0..<10_000).map { _ in rig.client() }
        for watcher in watchers {
            _ = rig.stat(watcher, "/w", watch: true)
            _ = rig.children(watcher, "/w", watch: true)
            _ = rig.ask(watcher, .addWatch, AddWatchRequest(path: "/w", recursive: false))
        }
        #expect(rig.core.watchCounts == (10_000, 1, 30_000))
        rig.delete(a, "/w")
        for watcher in watchers { #expect(rig.told(watcher) == ["deleted /w"]) }
        #expect(rig.core.watchCounts == (10_000, 1, 10_000))
        for watcher in watchers { rig.close(watcher) }
        #expect(rig.core.watchCounts == (0, 0, 0))
    }
}

@Suite("A node's body")
struct NodeBodyTests {
    @Test("keeps name, data and numbers through every size, and gives its room back") func sizes() {
        var store = ZnodeStore()
        var random = SeededNumbers(7)
        var model: [(id: ZnodeID, name: [UInt8], data: [UInt8]?, version: Int32)] = []
        for step in 0..<20_000 {
            let data: [UInt8]? =
                random.next() % 10 == 0
                ? nil : [UInt8](repeating: UInt8(step & 0xff), count: Int(random.next() % (step % 3 == 0 ? 3000 : 150)))
            switch random.next() % 4 {
            case 0, 1:
                let name = [UInt8]("n\(step)".utf8) + [UInt8](repeating: 1, count: Int(random.next() % 40))
                let id = name.withUnsafeBytes { name in withBytes(data) { store.insert(name, data: $0, under: .root) } }
                model.append((id, name, data, 0))
            case 2 where !model.isEmpty:
                let index = Int(random.next() % UInt64(model.count))
                withBytes(data) { store.setData($0, of: model[index].id) }
                model[index].data = data
            case 3 where model.count > 500:
                store.remove(model.remove(at: Int(random.next() % UInt64(model.count))).id)
            default:
                guard !model.isEmpty else { continue }
                let index = Int(random.next() % UInt64(model.count))
                model[index].version += 1
                store[model[index].id].pointee.version = model[index].version
            }
        }
        for node in model {
            #expect(store[node.id].pointee.name.elementsEqual(node.name))
            #expect(store[node.id].pointee.data.map { [UInt8]($0) } == node.data)
            #expect(store[node.id].pointee.version == node.version)
            #expect(node.name.withUnsafeBytes { store.child(of: .root, $0) } == node.id)
        }
    }

    private func withBytes<T>(_ data: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
        guard let data else { return body(nil) }
        return data.withUnsafeBytes { body($0) }
    }
}
