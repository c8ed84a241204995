import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Access control")
struct AccessControlTests {
    private func authenticated(_ rig: Rig, _ credentials: String) -> ClientID {
        let client = rig.client()
        _ = rig.ask(client, .auth, AuthPacket(scheme: "digest", auth: [UInt8](credentials.utf8)))
        return client
    }

    @Test("digests are those of ZooKeeper's documentation") func digests() {
        #expect(SHA1.base64(SHA1.hash([UInt8]("abc".utf8))) == "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")
        #expect(AccessControl.digest([UInt8]("super:admin".utf8)) == "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=")
    }

    @Test("creating and deleting asks the parent, setting the node, setACL its administrator") func checks() {
        let rig = Rig()
        let owner = authenticated(rig, "u:p"), other = rig.client()
        rig.create(owner, "/p", acl: ACL.creatorAll)
        #expect(rig.create(other, "/p/c").error == .noAuth)
        rig.create(owner, "/p/c", acl: ACL.open)
        #expect(rig.delete(other, "/p/c") == .noAuth)
        #expect(rig.set(other, "/p/c") == .ok)
        #expect(rig.set(other, "/p") == .noAuth)
        #expect(rig.ask(other, .getData, GetDataRequest(path: "/p")).error == .noAuth)
        #expect(rig.ask(other, .getChildren, GetChildrenRequest(path: "/p")).error == .noAuth)
        #expect(rig.ask(other, .getACL, PathRequest(path: "/p")).error == .noAuth)
        #expect(rig.ask(other, .setACL, SetACLRequest(path: "/p", acl: ACL.open)).error == .noAuth)
        #expect(rig.ask(owner, .setACL, SetACLRequest(path: "/p", acl: ACL.readOnly, version: 1)).error == .badVersion)
        #expect(rig.ask(owner, .setACL, SetACLRequest(path: "/p", acl: ACL.readOnly, version: 0)).error == .ok)
        #expect(rig.stat(other, "/p")?.aversion == 1)
        #expect(rig.create(owner, "/p/d").error == .noAuth)
    }

    @Test("getACL hides digests from those who may not administrate") func masking() throws {
        let rig = Rig()
        let owner = authenticated(rig, "u:p"), other = rig.client()
        rig.create(owner, "/p", acl: ACL.creatorAll + ACL.readOnly)
        let shown = try rig.ask(other, .getACL, PathRequest(path: "/p")).read(GetACLResponse.self).acl
        #expect(shown.map(\.id) == ["u:x", "anyone"])
        let own = try rig.ask(owner, .getACL, PathRequest(path: "/p")).read(GetACLResponse.self).acl
        #expect(own.first?.id == AccessControl.digest([UInt8]("u:p".utf8)))
    }

    @Test("a null id is an empty one, as kazoo writes it") func nullID() throws {
        let rig = Rig()
        let owner = authenticated(rig, "u:p")
        var request = JuteWriter()
        request.string("/n")
        request.slice(nil)
        request.int32(1)
        request.int32(31)
        request.string("auth")
        request.int32(-1)
        request.int32(0)
        #expect(rig.ask(owner, .create, request.bytes.array).error == .ok)
        let list = try rig.ask(owner, .getACL, PathRequest(path: "/n")).read(GetACLResponse.self).acl
        #expect(list.map(\.scheme) == ["digest"])
    }

    @Test("lists that mean nothing are refused") func invalid() {
        let rig = Rig()
        let a = rig.client()
        for list in [
            [], [ACL(.all, scheme: "world", id: "x")], [ACL(.all, scheme: "none", id: "x")],
            [ACL(.all, scheme: "ip", id: "1.2.3")], [ACL(.all, scheme: "ip", id: "1.2.3.4/33")],
            [ACL(.all, scheme: "digest", id: "nocolon")], ACL.creatorAll,
        ] {
            #expect(rig.create(a, "/i", acl: list).error == .invalidACL)
        }
        #expect(
            rig.create(a, "/i", acl: ACL.open + ACL.open + [ACL(.read, scheme: "ip", id: "10.0.0.0/8")]).error == .ok)
        let list = try? rig.ask(a, .getACL, PathRequest(path: "/i")).read(GetACLResponse.self).acl
        #expect(list?.count == 2)
    }

    @Test("auth stands for everything proven; a wrong digest is another identity, an unknown scheme an error")
    func auth() {
        let rig = Rig()
        let a = authenticated(rig, "u:p")
        _ = rig.ask(a, .auth, AuthPacket(scheme: "digest", auth: [UInt8]("v:q".utf8)))
        rig.create(a, "/n", acl: ACL.creatorAll)
        let b = authenticated(rig, "v:wrong")
        #expect(rig.set(b, "/n") == .noAuth)
        #expect(rig.set(authenticated(rig, "v:q"), "/n") == .ok)
        #expect(rig.ask(a, .auth, AuthPacket(scheme: "kerberos", auth: [])).error == .authFailed)
        let who = try? rig.ask(a, .whoAmI).read(WhoAmIResponse.self).clientInfo
        #expect(who?.map(\.user) == ["127.0.0.1", "u", "v"])
    }

    @Test("the super digest opens everything") func superUser() {
        var rules = CoordinationRules()
        rules.superDigest = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="
        let rig = Rig(rules)
        let a = authenticated(rig, "u:p")
        rig.create(a, "/n", acl: ACL.creatorAll)
        #expect(rig.set(authenticated(rig, "super:wrong"), "/n") == .noAuth)
        #expect(rig.set(authenticated(rig, "super:admin"), "/n") == .ok)
        #expect(rig.set(authenticated(rig, "super:admin"), "/zookeeper/config") == .ok)
    }

    @Test(
        "addresses match by their first bits",
        arguments: [
            ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.0.0/16", true), ("10.2.2.3", "10.1.0.0/16", false),
            ("10.1.2.3", "0.0.0.0/0", true), ("::ffff:10.1.2.3", "10.1.2.3", true), ("fe80::1", "fe80::/10", true),
            ("::1", "fe80::/10", false), ("::1", "::1", true), ("127.0.0.1", "::1", false),
        ])
    func addresses(_ address: String, _ network: String, _ matches: Bool) {
        let list = [ACL(.read, scheme: "ip", id: network)]
        #expect(AccessControl.allows(list, .read, to: Identities(address: address)) == matches)
        #expect(!AccessControl.allows(list, .write, to: Identities(address: address)))
    }
}
