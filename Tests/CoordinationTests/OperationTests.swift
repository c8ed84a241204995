import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Operations on nodes")
struct OperationTests {
    @Test("a fresh tree looks as ZooKeeper's") func fresh() {
        let rig = Rig()
        let a = rig.client()
        #expect(rig.children(a, "/") == ["zookeeper"])
        #expect(rig.children(a, "/zookeeper") == ["config", "quota"])
        #expect(rig.stat(a, "/")?.cversion == -1)
        #expect(rig.stat(a, "/zookeeper")?.cversion == -2)
        #expect(rig.stat(a, "/zookeeper/config")?.aversion == -1)
        #expect(rig.core.nodeCount == 4)
        for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            #expect(rig.delete(a, path) == .badArguments)
        }
        #expect(rig.set(a, "/zookeeper/config") == .noAuth)
    }

    @Test("sequence numbers count children ever created, cversion creates and deletes") func sequence() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/p")
        #expect(rig.created(a, "/p/x-", mode: .persistentSequential) == "/p/x-0000000000")
        rig.create(a, "/p/plain")
        #expect(rig.create(a, "/p/plain").error == .nodeExists)
        #expect(rig.created(a, "/p/y-", mode: .ephemeralSequential) == "/p/y-0000000002")
        rig.delete(a, "/p/x-0000000000")
        rig.delete(a, "/p/plain")
        rig.delete(a, "/p/y-0000000002")
        #expect(rig.stat(a, "/p")?.cversion == 6)
        #expect(rig.created(a, "/p/", mode: .persistentSequential) == "/p/0000000003")
        #expect(rig.stat(a, "/p")?.numChildren == 1)
    }

    @Test("a failed multi takes its sequence numbers back") func sequenceRollback() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/p")
        let results = rig.multi(
            a,
            [
                .create(CreateRequest(path: "/p/s-", data: nil, mode: .persistentSequential)),
                .delete(DeleteRequest(path: "/none")),
            ])
        #expect(results == [.error(.ok), .error(.noNode)])
        #expect(rig.stat(a, "/p")?.cversion == 0)
        #expect(rig.created(a, "/p/s-", mode: .persistentSequential) == "/p/s-0000000000")
    }

    @Test("null data is not empty data") func nullData() throws {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/null", nil)
        rig.create(a, "/empty", [])
        #expect(try rig.ask(a, .getData, GetDataRequest(path: "/null")).read(GetDataResponse.self).data == nil)
        #expect(try rig.ask(a, .getData, GetDataRequest(path: "/empty")).read(GetDataResponse.self).data == [])
        rig.set(a, "/empty", nil)
        #expect(try rig.ask(a, .getData, GetDataRequest(path: "/empty")).read(GetDataResponse.self).data == nil)
    }

    @Test("versions are checked and raised; -1 matches any") func versions() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/v")
        #expect(rig.set(a, "/v", [1], version: 1) == .badVersion)
        #expect(rig.set(a, "/v", [1, 2], version: 0) == .ok)
        #expect(rig.set(a, "/v", [1], version: -1) == .ok)
        let stat = rig.stat(a, "/v")
        #expect(stat?.version == 2)
        #expect(stat?.dataLength == 1)
        #expect(stat?.mzxid == rig.core.zxid)
        #expect(rig.delete(a, "/v", version: 1) == .badVersion)
        rig.create(a, "/v/c")
        #expect(rig.delete(a, "/v", version: 2) == .notEmpty)
        #expect(rig.delete(a, "/v/c") == .ok)
        #expect(rig.stat(a, "/v")?.pzxid == rig.core.zxid)
        #expect(rig.delete(a, "/v", version: 2) == .ok)
        #expect(rig.delete(a, "/v") == .noNode)
        #expect(rig.ask(a, .check, CheckVersionRequest(path: "/zookeeper", version: 0)).error == .ok)
        #expect(rig.ask(a, .check, CheckVersionRequest(path: "/zookeeper", version: 7)).error == .badVersion)
    }

    @Test("each write uses up one zxid, failed ones too; reads none") func zxids() {
        let rig = Rig()
        let a = rig.client()
        #expect(rig.core.zxid == 1)
        rig.create(a, "/z")
        rig.create(a, "/z")
        #expect(rig.core.zxid == 3)
        _ = rig.stat(a, "/z")
        _ = rig.children(a, "/none")
        #expect(rig.core.zxid == 3)
        _ = rig.multi(a, [.delete(DeleteRequest(path: "/none"))])
        #expect(rig.core.zxid == 4)
        #expect(rig.log.count == 4)
    }

    @Test("paths are checked after the parent is found") func paths() {
        let rig = Rig()
        let a = rig.client()
        #expect(rig.create(a, "/a//b").error == .noNode)
        #expect(rig.create(a, "nope").error == .badArguments)
        #expect(rig.create(a, "").error == .badArguments)
        #expect(rig.create(a, "//").error == .badArguments)
        #expect(rig.create(a, "/").error == .nodeExists)
        #expect(rig.create(a, "/..").error == .badArguments)
        #expect(rig.create(a, "/.").error == .badArguments)
        #expect(rig.create(a, "/x\u{1}").error == .badArguments)
        #expect(rig.create(a, "/x\u{f000}").error == .badArguments)
        #expect(rig.create(a, "/😀").error == .badArguments)
        #expect(rig.create(a, "/...").error == .ok)
        #expect(rig.create(a, "/größe").error == .ok)
        #expect(rig.create(a, "/a").error == .ok)
        #expect(rig.create(a, "/a/").error == .badArguments)
        #expect(rig.created(a, "/a/", mode: .persistentSequential) == "/a/0000000000")
        for path in ["foo", "/x/", "/a/"] {
            #expect(rig.ask(a, .getData, GetDataRequest(path: path)).error == .noNode)
            #expect(rig.set(a, path) == .badArguments)
        }
    }

    @Test("ephemeral nodes have no children and go with their session") func ephemerals() throws {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        rig.create(a, "/p")
        rig.create(a, "/p/e", mode: .ephemeral)
        #expect(rig.create(b, "/p/e/c").error == .noChildrenForEphemerals)
        #expect(rig.stat(b, "/p/e")?.ephemeralOwner == rig.core.session(of: a))
        let all = rig.ask(a, .getEphemerals, PathRequest(path: "/"))
        #expect(try all.read(GetEphemeralsResponse.self).ephemerals == ["/p/e"])
        let reply = rig.ask(a, .closeSession)
        #expect(reply.error == .ok)
        #expect(reply.body == [])
        #expect(rig.children(b, "/p") == [])
        #expect(rig.stat(b, "/p")?.cversion == 2)
    }

    @Test("a flag that is none is a bad argument; TTLs only when they are enabled") func modes() {
        let rig = Rig()
        let a = rig.client()
        var request = CreateRequest(path: "/m", data: nil)
        request.flags = 9
        #expect(rig.ask(a, .create, request).error == .badArguments)
        #expect(rig.ask(a, .createTTL, CreateTTLRequest(path: "/m", data: nil, ttl: 5)).error == .unimplemented)
        var rules = CoordinationRules()
        rules.extendedTypes = true
        let other = Rig(rules)
        let b = other.client()
        #expect(other.ask(b, .createTTL, CreateTTLRequest(path: "/m", data: nil, ttl: 0)).error == .badArguments)
        #expect(other.ask(b, .createTTL, CreateTTLRequest(path: "/m", data: nil, ttl: 1 << 40)).error == .badArguments)
        #expect(other.ask(b, .createTTL, CreateTTLRequest(path: "/m", data: nil, ttl: 50)).error == .ok)
        #expect(other.stat(b, "/m")?.ephemeralOwner == 0)
        #expect(other.reap() == 0)
        other.wallMs += 51
        #expect(other.reap() == 1)
        #expect(other.stat(b, "/m") == nil)
    }

    @Test("a container goes when it is empty and had a child") func containers() {
        let rig = Rig()
        let a = rig.client()
        #expect(rig.ask(a, .createContainer, CreateRequest(path: "/c", data: nil, mode: .container)).error == .ok)
        #expect(rig.stat(a, "/c")?.ephemeralOwner == 0)
        #expect(rig.reap() == 0)
        rig.create(a, "/c/x")
        #expect(rig.reap() == 0)
        rig.delete(a, "/c/x")
        #expect(rig.reap() == 1)
        #expect(rig.children(a, "/") == ["zookeeper"])
    }

    @Test("operations ZooKeeper does not have are refused, reconfig as a single server does") func others() throws {
        let rig = Rig()
        let a = rig.client()
        #expect(rig.ask(a, .reconfig, ReconfigRequest()).error == .reconfigDisabled)
        #expect(rig.ask(a, .ping, xid: -2).header.xid == -2)
        rig.create(a, "/x")
        rig.create(a, "/x/y")
        rig.create(a, "/x/y/z")
        let number = rig.ask(a, .getAllChildrenNumber, PathRequest(path: "/x"))
        #expect(try number.read(GetAllChildrenNumberResponse.self).totalNumber == 2)
        #expect(try rig.ask(a, .sync, PathRequest(path: "/x")).read(PathRequest.self).path == "/x")
        #expect(rig.ask(a, .create, [0, 0]).error == .marshallingError)
    }

    @Test("ten thousand nodes come and go and every one is found") func many() {
        let rig = Rig()
        let a = rig.client()
        for round in 0..<3 {
            for directory in 0..<20 {
                rig.create(a, "/d\(directory)")
                for node in 0..<170 {
                    rig.create(a, "/d\(directory)/node-\(node)-\(round)", [UInt8](repeating: 7, count: node))
                }
            }
            #expect(rig.core.nodeCount == 4 + 20 * 171)
            for directory in 0..<20 {
                #expect(rig.children(a, "/d\(directory)")?.count == 170)
                for node in stride(from: 0, to: 170, by: 2) {
                    #expect(rig.stat(a, "/d\(directory)/node-\(node)-\(round)")?.dataLength == Int32(node))
                    #expect(rig.delete(a, "/d\(directory)/node-\(node)-\(round)") == .ok)
                }
                for node in stride(from: 1, to: 170, by: 2) {
                    #expect(rig.delete(a, "/d\(directory)/node-\(node)-\(round)") == .ok)
                }
                #expect(rig.delete(a, "/d\(directory)") == .ok)
            }
            #expect(rig.core.nodeCount == 4)
        }
        #expect(rig.core.dataSize == "/zookeeper/zookeeper/quota/zookeeper/config".utf8.count)
    }
}

@Suite("Multi")
struct MultiTests {
    @Test("later operations see earlier ones; one zxid for all") func sees() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/b")
        let before = rig.core.zxid
        let results = rig.multi(
            a,
            [
                .create(CreateRequest(path: "/m", data: [1])), .create(CreateRequest(path: "/m/c", data: nil)),
                .setData(SetDataRequest(path: "/m", data: [1, 2], version: 0)),
                .check(CheckVersionRequest(path: "/m", version: 1)), .delete(DeleteRequest(path: "/m/c")),
                .delete(DeleteRequest(path: "/b")), .create2(CreateRequest(path: "/b", data: [9])),
            ])
        #expect(rig.core.zxid == before + 1)
        #expect(results.count == 7)
        #expect(results.first == .created(path: "/m"))
        if case .set(let stat) = results[2] {
            #expect(stat.version == 1)
            #expect(stat.numChildren == 1)
            #expect(stat.mzxid == before + 1)
        } else {
            Issue.record("the third result is not a stat")
        }
        #expect(results[3] == .checked)
        #expect(results[4] == .deleted)
        if case .created2(let path, let stat) = results[6] {
            #expect(path == "/b")
            #expect(stat.czxid == before + 1)
        } else {
            Issue.record("the last result is not path and stat")
        }
        #expect(rig.stat(a, "/m")?.cversion == 2)
    }

    @Test("a failing one undoes all, and says which it was") func fails() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        rig.create(a, "/x")
        _ = rig.children(b, "/", watch: true)
        _ = rig.stat(b, "/x", watch: true)
        let before = rig.core.zxid
        let reply = rig.ask(
            a, .multi,
            MultiRequest([
                .create(CreateRequest(path: "/n", data: nil)), .setData(SetDataRequest(path: "/x", data: [1])),
                .create(CreateRequest(path: "/x", data: nil)), .delete(DeleteRequest(path: "/x")),
                .check(CheckVersionRequest(path: "/x")),
            ]))
        #expect(reply.error == .ok)
        #expect(
            (try? reply.read(MultiResponse.self).results)
                == [
                    .error(.ok), .error(.ok), .error(.nodeExists), .error(.runtimeInconsistency),
                    .error(.runtimeInconsistency),
                ])
        #expect(rig.core.zxid == before + 1)
        #expect(rig.stat(a, "/n") == nil)
        #expect(rig.stat(a, "/x")?.version == 0)
        #expect(rig.told(b) == [])
    }

    @Test("no operations at all is answered, reads among writes are not read") func odd() throws {
        let rig = Rig()
        let a = rig.client()
        #expect(try rig.ask(a, .multi, MultiRequest()).read(MultiResponse.self).results == [])
        let mixed = rig.ask(
            a, .multi, MultiRequest([.getData(GetDataRequest(path: "/")), .delete(DeleteRequest(path: "/x"))]))
        #expect(mixed.error == .marshallingError)
        #expect(mixed.body == [])
    }

    @Test("multiRead goes on after errors") func multiRead() throws {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/x", [4])
        let results = try rig.ask(
            a, .multiRead,
            MultiRequest([
                .getData(GetDataRequest(path: "/none")), .getData(GetDataRequest(path: "/x")),
                .getChildren(GetChildrenRequest(path: "/zookeeper")),
            ])
        ).read(MultiResponse.self).results
        #expect(results.count == 3)
        #expect(results.first == .error(.noNode))
        if case .data(let data, _) = results[1] { #expect(data == [4]) } else { Issue.record("no data") }
        if case .children(let children) = results[2] {
            #expect(children.sorted() == ["config", "quota"])
        } else {
            Issue.record("none")
        }
    }

    @Test("a read in a multiRead leaves no watch, whatever it asks for") func multiReadWatches() {
        let rig = Rig()
        let a = rig.client()
        rig.create(a, "/x")
        let request = MultiRequest([
            .getData(GetDataRequest(path: "/x", watch: true)),
            .getChildren(GetChildrenRequest(path: "/x", watch: true)),
        ])
        #expect(rig.ask(a, .multiRead, request.encoded).error == .ok)
        rig.set(a, "/x")
        rig.create(a, "/x/y")
        #expect(rig.told(a) == [])
    }

    @Test("a path of one letter is not the root, in a multi either") func oneLetter() {
        let rig = Rig()
        let a = rig.client()
        for second in [
            MultiOperation.setData(SetDataRequest(path: "a", data: [1])),
            .check(CheckVersionRequest(path: "a", version: -1)),
            .create(CreateRequest(path: "a/b", data: nil)), .delete(DeleteRequest(path: "a")),
        ] {
            let results = rig.multi(a, [.create(CreateRequest(path: "/x", data: nil)), second])
            #expect(results.first == .error(.ok) && results.count == 2)
            #expect(results.last != .error(.ok))
            #expect(rig.stat(a, "/x") == nil)
        }
    }

    @Test("in a multi the flags make a container; the log has a create2 as a create, which every server reads")
    func multiKinds()
        throws
    {
        let rig = Rig()
        let a = rig.client()
        let results = rig.multi(
            a,
            [
                .create(CreateRequest(path: "/c", data: nil, mode: .container)),
                .create2(CreateRequest(path: "/two", data: [1, 2])),
            ])
        #expect(results.count == 2)
        if case .created2(let path, _)? = results.first {
            #expect(path == "/c")
        } else {
            Issue.record("a container is told with its stat")
        }
        if case .created2(let path, let stat)? = results.last {
            #expect(path == "/two" && stat.dataLength == 2)
        } else {
            Issue.record("a create2 is told with its stat")
        }
        try #require(rig.log.last).withUnsafeBytes { entry in
            var reader = JuteReader(entry)
            let header = try TransactionHeader(from: &reader)
            guard case .multi(let parts) = try TransactionRecord(header.op, from: &reader) else {
                Issue.record("no multi in the log")
                return
            }
            #expect(parts.map { $0.op } == [OpCode.createContainer, .create])
        }
    }

    @Test("what one creates another of the same multi protects") func listsWithin() {
        let rig = Rig()
        let a = rig.client()
        let results = rig.multi(
            a,
            [
                .create(CreateRequest(path: "/own", data: nil, acl: [ACL(.read, scheme: "world", id: "anyone")])),
                .create(CreateRequest(path: "/own/child", data: nil)),
            ])
        #expect(results == [.error(.ok), .error(.noAuth)])
    }
}
