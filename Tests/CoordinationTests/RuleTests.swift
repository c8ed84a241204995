import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Rules of ZooKeeper 3.9")
struct RuleTests {
    @Test("getEphemerals takes any text for a prefix, and null for all") func ephemerals() throws {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        for path in ["/e", "/ee", "/f"] { rig.create(a, path, mode: .ephemeral) }
        func below(_ client: ClientID, _ prefix: String?) throws -> [String] {
            var body = JuteWriter()
            if let prefix { body.string(prefix) } else { body.slice(nil) }
            let reply = rig.ask(client, .getEphemerals, body.bytes.array)
            return try reply.read(GetEphemeralsResponse.self).ephemerals.sorted()
        }
        #expect(try below(a, "/e") == ["/e", "/ee"])
        #expect(try below(a, "/") == ["/e", "/ee", "/f"])
        #expect(try below(a, nil) == ["/e", "/ee", "/f"])
        #expect(try below(a, "e") == [])
        #expect(try below(b, "/") == [])
    }

    @Test("exists refuses a path with a zero byte, and keeps no watch for it") func zeroByte() {
        let rig = Rig()
        let a = rig.client()
        let reply = rig.ask(a, .exists, ExistsRequest(path: "/a\0b", watch: true))
        #expect(reply.error == .badArguments)
        #expect(rig.core.watchCounts.all == 0)
    }

    @Test("flags that belong to another operation make a multi unreadable") func flagsWithin() {
        let rig = Rig()
        let a = rig.client()
        for flags in [5, 6, 9, -1] as [Int32] {
            var wrong = CreateRequest(path: "/x", data: nil)
            wrong.flags = flags
            let reply = rig.ask(
                a, .multi, MultiRequest([.create(CreateRequest(path: "/y", data: nil)), .create(wrong)]))
            #expect(reply.error == .marshallingError)
        }
        #expect(rig.children(a, "/") == ["zookeeper"])
    }

    @Test("a setACL within a multi is not overlooked but refused") func setACLWithin() {
        let rig = Rig()
        let a = rig.client()
        var body = JuteWriter()
        MultiHeader(type: OpCode.setACL.rawValue).write(to: &body)
        SetACLRequest(path: "/", acl: ACL.readOnly).write(to: &body)
        MultiHeader.end.write(to: &body)
        #expect(rig.ask(a, .multi, body.bytes.array).error == .marshallingError)
    }

    @Test("a token of SASL is answered with none, and the connection goes on") func sasl() {
        let rig = Rig()
        let a = rig.client()
        var token = JuteWriter()
        token.slice(nil)
        let reply = rig.ask(a, .sasl, token.bytes.array)
        #expect(reply.error == .ok)
        #expect(reply.body == [0xff, 0xff, 0xff, 0xff])
        #expect(rig.create(a, "/on").error == .ok)
        #expect(rig.create(a, "/own", acl: [ACL(.all, scheme: "sasl", id: "somebody")]).error == .invalidACL)
    }

    @Test("reconfig is disabled, or not to be had on a single server") func reconfig() {
        var rules = CoordinationRules()
        rules.reconfigEnabled = true
        let rig = Rig(rules)
        #expect(rig.ask(rig.client(), .reconfig, ReconfigRequest()).error == .unimplemented)
    }

    @Test("whoAmI names users without their secrets, and the super user") func whoAmI() throws {
        var rules = CoordinationRules()
        rules.superDigest = AccessControl.digest([UInt8]("super:secret".utf8))
        let rig = Rig(rules)
        let a = rig.client("10.1.2.3")
        for credentials in ["u:p", "super:secret"] {
            _ = rig.ask(a, .auth, AuthPacket(scheme: "digest", auth: [UInt8](credentials.utf8)))
        }
        let told = try rig.ask(a, .whoAmI).read(WhoAmIResponse.self).clientInfo
        #expect(
            told.map { "\($0.scheme) \($0.user)" }.sorted() == ["digest super", "digest u", "ip 10.1.2.3", "super "])
    }

    @Test("a container that never had a child goes when a time is set for that") func neverUsed() {
        var rules = CoordinationRules()
        rules.neverUsedContainerMs = 500
        let rig = Rig(rules)
        let a = rig.client()
        _ = rig.ask(a, .createContainer, CreateRequest(path: "/c", data: nil, mode: .container))
        rig.wallMs += 500
        #expect(rig.reap() == 0)
        rig.wallMs += 1
        #expect(rig.reap() == 1)
        #expect(rig.children(a, "/") == ["zookeeper"])
    }

    @Test("a TTL node that was touched since it was found stays") func touched() {
        var rules = CoordinationRules()
        rules.extendedTypes = true
        let rig = Rig(rules)
        let a = rig.client()
        _ = rig.ask(a, .createTTL, CreateTTLRequest(path: "/t", data: nil, ttl: 50))
        rig.wallMs += 51
        let found = rig.core.reapable(wallMs: rig.wallMs, limit: 10)
        #expect(found == [[UInt8]("/t".utf8)])
        rig.set(a, "/t")
        found[0].withUnsafeBytes { #expect(rig.core.reap($0, wallMs: rig.wallMs) == nil) }
        #expect(rig.stat(a, "/t")?.version == 1)
    }

    @Test("TTL nodes of 3.5.3, which look like a session's, are known when that is asked for") func old() throws {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/kept", mode: .ephemeral)
        rig.create(a, "/old")
        let id = try #require(
            "/old".utf8.withContiguousStorageIfAvailable { rig.core.tree.store.find(PathBytes($0)) } ?? nil)
        let mark = Int64.min | 5000
        rig.core.tree.store[id].pointee.owner = mark
        rig.core.tree.own(id, mark)
        let snapshot = rig.snapshot()
        var rules = CoordinationRules()
        rules.emulates353TTL = true
        let reopened = Rig(tree: try Rig.loaded(snapshot.bytes, zxid: snapshot.zxid), rules)
        let b = reopened.client()
        #expect(reopened.stat(b, "/old")?.ephemeralOwner == 0)
        #expect(reopened.stat(b, "/kept")?.ephemeralOwner == rig.core.session(of: a))
        #expect(reopened.reap() == 0)
        reopened.wallMs += 5001
        #expect(reopened.reap() == 1)
        #expect(reopened.children(b, "/") == ["kept", "zookeeper"])
    }

    @Test("what setWatches tells is not given the zxid of a change it was not") func setWatchesZxid() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/x")
        var request = SetWatches()
        request.dataWatches = ["/x", "/gone"]
        _ = rig.ask(a, .setWatches, request)
        #expect(rig.core.deliveries.map(\.zxid) == [-1, -1])
    }

    @Test("credentials of nothing prove nothing") func noCredentials() {
        let rig = Rig()
        let a = rig.client()
        var packet = AuthPacket()
        packet.scheme = "digest"
        #expect(rig.ask(a, .auth, packet).error == .authFailed)
    }
}
