import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Watches")
struct WatchTests {
    @Test("fire once, for the change and for the parent") func once() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        #expect(rig.stat(b, "/x", watch: true) == nil)
        _ = rig.children(b, "/", watch: true)
        rig.create(a, "/x")
        #expect(rig.told(b) == ["created /x", "children /"])
        rig.set(a, "/x")
        rig.create(a, "/y")
        #expect(rig.told(b) == [])
        _ = rig.stat(b, "/x", watch: true)
        rig.set(a, "/x")
        #expect(rig.told(b) == ["changed /x"])
    }

    @Test("a delete seen by data and child watch is told once, then the parent's children") func deleteOnce() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        rig.create(a, "/p")
        rig.create(a, "/p/x")
        _ = rig.ask(b, .getData, GetDataRequest(path: "/p/x", watch: true))
        _ = rig.children(b, "/p/x", watch: true)
        _ = rig.children(b, "/p", watch: true)
        rig.delete(a, "/p/x")
        #expect(rig.told(b) == ["deleted /p/x", "children /p"])
        #expect(rig.core.watchCounts == (0, 0, 0))
    }

    @Test("failed getData and getChildren leave none, failed exists does") func failed() {
        let rig = Rig()
        let a = rig.client()
        _ = rig.ask(a, .getData, GetDataRequest(path: "/x", watch: true))
        _ = rig.children(a, "/x", watch: true)
        #expect(rig.core.watchCounts.all == 0)
        _ = rig.stat(a, "/x", watch: true)
        _ = rig.stat(a, "/x", watch: true)
        #expect(rig.core.watchCounts == (1, 1, 1))
    }

    @Test("persistent ones stay; recursive ones see everything below but no children events") func persistent() {
        let rig = Rig()
        let a = rig.client(), b = rig.client(), c = rig.client()
        #expect(rig.ask(b, .addWatch, AddWatchRequest(path: "/p", recursive: false)).body == [0, 0, 0, 0])
        #expect(rig.ask(c, .addWatch, AddWatchRequest(path: "/p", recursive: true)).error == .ok)
        for _ in 0..<2 {
            rig.create(a, "/p")
            rig.create(a, "/p/x")
            rig.create(a, "/pother")
            rig.set(a, "/p/x")
            rig.delete(a, "/p/x")
            rig.delete(a, "/p")
            rig.delete(a, "/pother")
            #expect(rig.told(b) == ["created /p", "children /p", "children /p", "deleted /p"])
            #expect(rig.told(c) == ["created /p", "created /p/x", "changed /p/x", "deleted /p/x", "deleted /p"])
        }
        rig.close(c)
        rig.create(a, "/p")
        #expect(rig.told(c) == [])
    }

    @Test("a recursive watch on the root sees all") func root() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        _ = rig.ask(b, .addWatch, AddWatchRequest(path: "/", recursive: true))
        rig.create(a, "/q")
        rig.create(a, "/q/r")
        #expect(rig.told(b) == ["created /q", "created /q/r"])
    }

    @Test("a one-shot watch on the path of a persistent one does not disturb it") func together() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        rig.create(a, "/p")
        _ = rig.ask(b, .addWatch, AddWatchRequest(path: "/p", recursive: false))
        _ = rig.stat(b, "/p", watch: true)
        rig.set(a, "/p")
        rig.set(a, "/p")
        #expect(rig.told(b) == ["changed /p", "changed /p"])
    }

    @Test("removing and checking name the kind") func removing() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/p")
        _ = rig.stat(a, "/p", watch: true)
        #expect(rig.ask(a, .checkWatches, WatchesRequest(path: "/p", .children)).error == .noWatcher)
        #expect(rig.ask(a, .checkWatches, WatchesRequest(path: "/p", .data)).error == .ok)
        #expect(rig.ask(a, .removeWatches, WatchesRequest(path: "/p", .any)).error == .ok)
        #expect(rig.ask(a, .removeWatches, WatchesRequest(path: "/p", .any)).error == .noWatcher)
        #expect(rig.core.watchCounts == (0, 0, 0))
        #expect(rig.ask(a, .addWatch, [0, 0, 0, 2, 0x2f, 0x70, 0, 0, 0, 7]).error == .marshallingError)
    }

    @Test("a session's end tells of each of its nodes") func sessionEnd() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        rig.create(a, "/e", mode: .ephemeral)
        _ = rig.children(b, "/", watch: true)
        _ = rig.stat(b, "/e", watch: true)
        #expect(rig.expire(rig.core.session(of: a)) == a)
        #expect(rig.told(b) == ["deleted /e", "children /"])
    }

    @Test("after a reconnect what changed since is told, the rest is armed") func setWatches() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        for path in ["/same", "/new-data", "/new-child", "/gone"] { rig.create(a, path) }
        var watches = SetWatches2()
        watches.relativeZxid = rig.core.zxid
        rig.set(a, "/new-data")
        rig.create(a, "/new-child/c")
        rig.delete(a, "/new-child/c")
        rig.delete(a, "/gone")
        rig.create(a, "/came")
        watches.dataWatches = ["/same", "/new-data", "/gone", "/new-child"]
        watches.existWatches = ["/came", "/never"]
        watches.childWatches = ["/same", "/new-child", "/gone"]
        watches.persistentWatches = ["/new-data"]
        let reply = rig.ask(b, .setWatches2, watches.encoded, xid: -8)
        #expect(reply.header.xid == -8)
        #expect(
            rig.told(b) == [
                "changed /new-data", "deleted /gone", "created /came", "children /new-child", "deleted /gone",
            ])
        rig.set(a, "/same")
        rig.set(a, "/new-child")
        rig.create(a, "/never")
        rig.set(a, "/new-data")
        #expect(rig.told(b) == ["changed /same", "changed /new-child", "created /never", "changed /new-data"])
    }

    @Test("who may not read a node is not told of it") func forbidden() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        let auth = AuthPacket(scheme: "digest", auth: [UInt8]("u:p".utf8))
        #expect(rig.ask(a, .auth, auth.encoded, xid: -4).header == ReplyHeader(xid: -4, zxid: 0))
        _ = rig.ask(b, .addWatch, AddWatchRequest(path: "/", recursive: true))
        rig.create(a, "/secret", acl: ACL.creatorAll)
        rig.set(a, "/secret")
        #expect(rig.told(b) == [])
        rig.create(a, "/open")
        #expect(rig.told(b) == ["created /open"])
    }

    @Test("thousands of watches come and go and none is left") func many() {
        let rig = Rig()
        let a = rig.client()
        let watchers = (0..<40).map { _ in rig.client() }
        for index in 0..<300 {
            for watcher in watchers where (index + watcher.raw) % 3 == 0 {
                _ = rig.stat(watcher, "/n\(index)", watch: true)
            }
        }
        let expected = rig.core.watchCounts.all
        for index in 0..<150 { rig.create(a, "/n\(index)") }
        let told = watchers.reduce(0) { $0 + rig.told($1).count }
        #expect(told + rig.core.watchCounts.all == expected)
        for watcher in watchers { rig.close(watcher) }
        #expect(rig.core.watchCounts == (0, 0, 0))
    }
}
