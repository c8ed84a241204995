import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Quotas")
struct QuotaTests {
    private func rig(enforced: Bool = true) -> (Rig, ClientID) {
        var rules = CoordinationRules()
        rules.enforceQuota = enforced
        let rig = Rig(rules)
        return (rig, rig.client())
    }

    private func setQuota(_ rig: Rig, _ client: ClientID, _ path: String, _ limits: String) {
        var home = "/zookeeper/quota"
        for component in path.split(separator: "/") {
            home += "/" + component
            rig.create(client, home)
        }
        rig.create(client, home + "/zookeeper_limits", [UInt8](limits.utf8))
        rig.create(client, home + "/zookeeper_stats", [UInt8]("count=0,bytes=0".utf8))
    }

    private func usage(_ rig: Rig, _ client: ClientID, _ path: String) -> String? {
        let reply = rig.ask(client, .getData, GetDataRequest(path: "/zookeeper/quota\(path)/zookeeper_stats"))
        return (try? reply.read(GetDataResponse.self).data).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("usage counts the node and all below it, from the moment the stats node is there") func counted() {
        let (rig, a) = rig()
        rig.create(a, "/q", [1, 2, 3])
        rig.create(a, "/q/a", [1, 2])
        setQuota(rig, a, "/q", "count=-1,bytes=-1")
        #expect(usage(rig, a, "/q") == "count=2,bytes=5")
        rig.create(a, "/q/a/b", [1, 2, 3, 4])
        rig.create(a, "/q/null", nil)
        rig.set(a, "/q/a", [])
        rig.create(a, "/qq", [1])
        #expect(usage(rig, a, "/q") == "count=4,bytes=7")
        rig.delete(a, "/q/a/b")
        rig.set(a, "/q", nil)
        #expect(usage(rig, a, "/q") == "count=3,bytes=0")
        let stat = rig.stat(a, "/zookeeper/quota/q/zookeeper_stats")
        #expect(stat?.version == 0)
        #expect(stat?.dataLength == 15)
    }

    @Test("only the nearest quota above a change counts it") func nearest() {
        let (rig, a) = rig()
        rig.create(a, "/q")
        rig.create(a, "/q/in")
        setQuota(rig, a, "/q", "count=-1,bytes=-1")
        setQuota(rig, a, "/q/in", "count=-1,bytes=-1")
        rig.create(a, "/q/in/x", [1])
        rig.create(a, "/q/y", [1, 2])
        #expect(usage(rig, a, "/q") == "count=3,bytes=2")
        #expect(usage(rig, a, "/q/in") == "count=2,bytes=1")
        #expect(rig.delete(a, "/zookeeper/quota/q/in/zookeeper_limits") == .ok)
        rig.create(a, "/q/in/z", [1, 2, 3])
        #expect(usage(rig, a, "/q") == "count=4,bytes=5")
        #expect(usage(rig, a, "/q/in") == "count=2,bytes=1")
    }

    @Test("a hard limit refuses what grows beyond it, and only that") func hard() {
        let (rig, a) = rig()
        rig.create(a, "/q", [])
        setQuota(rig, a, "/q", "count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=3")
        #expect(rig.create(a, "/q/a", [1, 2]).error == .ok)
        #expect(rig.create(a, "/q/b", [1, 2, 3]).error == .quotaExceeded)
        #expect(rig.create(a, "/q/b", [1, 2]).error == .ok)
        #expect(rig.create(a, "/q/c", []).error == .quotaExceeded)
        #expect(rig.set(a, "/q/b", [1, 2, 3]) == .quotaExceeded)
        #expect(rig.set(a, "/q/b", [9, 9]) == .ok)
        #expect(rig.set(a, "/q/b", [1]) == .ok)
        #expect(usage(rig, a, "/q") == "count=3,bytes=3")
        rig.set(a, "/zookeeper/quota/q/zookeeper_limits", [UInt8]("countHardLimit=1,byteHardLimit=1".utf8))
        #expect(rig.set(a, "/q/a", [1]) == .ok)
        #expect(rig.create(a, "/elsewhere", [UInt8](repeating: 0, count: 100)).error == .ok)
    }

    @Test("a multi is measured as a whole") func multi() {
        let (rig, a) = rig()
        rig.create(a, "/q", [])
        setQuota(rig, a, "/q", "countHardLimit=3")
        let tooMany = rig.multi(a, (1...3).map { .create(CreateRequest(path: "/q/\($0)", data: [])) })
        #expect(tooMany == [.error(.ok), .error(.ok), .error(.quotaExceeded)])
        #expect(usage(rig, a, "/q") == "count=1,bytes=0")
        rig.create(a, "/q/old")
        rig.create(a, "/q/older")
        let swapped = rig.multi(
            a,
            [
                .delete(DeleteRequest(path: "/q/old")), .create(CreateRequest(path: "/q/new", data: [1])),
                .setData(SetDataRequest(path: "/q/new", data: [1, 2])),
            ])
        #expect(swapped.count == 3)
        #expect(usage(rig, a, "/q") == "count=3,bytes=2")
    }

    @Test("soft limits, and hard ones that are not enforced, warn once a minute") func warns() {
        let (rig, a) = rig(enforced: false)
        rig.create(a, "/q", [])
        setQuota(rig, a, "/q", "count=2,bytes=-1=;byteHardLimit=3")
        rig.create(a, "/q/a", [1])
        #expect(rig.core.excesses.isEmpty)
        rig.create(a, "/q/b", [1])
        #expect(rig.core.excesses == [QuotaExcess(path: "/q", measure: .count, usage: 3, limit: 2, isHard: false)])
        rig.create(a, "/q/c", [1, 2])
        #expect(rig.core.excesses == [QuotaExcess(path: "/q", measure: .bytes, usage: 4, limit: 3, isHard: true)])
        rig.create(a, "/q/d", [1])
        #expect(rig.core.excesses.isEmpty)
        rig.wallMs += 60_000
        rig.delete(a, "/q/d")
        #expect(rig.core.excesses.isEmpty)
        rig.create(a, "/q/d", [])
        #expect(rig.core.excesses.map(\.usage) == [5])
    }

    @Test("usage ends the same through closed sessions, a snapshot, and the log") func survives() throws {
        let (rig, a) = rig()
        rig.create(a, "/q", [1])
        setQuota(rig, a, "/q", "countHardLimit=100")
        let leaving = rig.client()
        rig.create(leaving, "/q/e", [1, 2], mode: .ephemeral)
        rig.create(a, "/q/k", [1, 2, 3])
        #expect(usage(rig, a, "/q") == "count=3,bytes=6")
        _ = rig.ask(leaving, .closeSession)
        #expect(usage(rig, a, "/q") == "count=2,bytes=4")

        var replayed = ZnodeTree()
        Rig.replayed(rig.log, onto: &replayed)
        #expect(everything(replayed) == everything(rig.core.tree))

        // Changes while the snapshot is under way do not show in it; the log brings them.
        let before = rig.log.count
        var step = 0
        let snapshot = rig.snapshot(nodesAtOnce: 1) { rig in
            step += 1
            rig.create(a, "/q/during\(step)", [7])
        }
        var loaded = try Rig.loaded(snapshot.bytes, zxid: snapshot.zxid)
        Rig.replayed(Array(rig.log[before...]), onto: &loaded)
        #expect(everything(loaded) == everything(rig.core.tree))
        // Again over a tree that has it all already: nothing is counted twice.
        Rig.replayed(Array(rig.log[before...]), onto: &loaded)
        #expect(everything(loaded) == everything(rig.core.tree))
    }

    @Test("text that is no quota limits nothing, and is put right") func nonsense() {
        #expect(QuotaText(count: 4, bytes: 5).text == "count=4,bytes=5")
        for text in ["count=4,bytes=5=;byteHardLimit=-1;countHardLimit=10", "count=-1,bytes=-1"] {
            #expect(text.utf8.withContiguousStorageIfAvailable { QuotaText(UnsafeRawBufferPointer($0))?.text } == text)
        }
        let (rig, a) = rig()
        rig.create(a, "/q", [])
        setQuota(rig, a, "/q", "none at all")
        rig.set(a, "/zookeeper/quota/q/zookeeper_stats", [0xff])
        #expect(rig.create(a, "/q/a", [1]).error == .ok)
        #expect(usage(rig, a, "/q") == "count=2,bytes=1")
        setQuota(rig, a, "", "countHardLimit=1")
        #expect(rig.create(a, "/anything").error == .ok)
    }
}
