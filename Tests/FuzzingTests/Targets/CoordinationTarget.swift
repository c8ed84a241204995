import Bytes

@testable import CoordinationProtocol

extension FuzzTarget {
    /// ZooKeeper's requests, replies and log records. An input is the record's number and its bytes.
    static let coordination = FuzzTarget(name: "coordination", maxLength: 32 << 10, mallocLimitMB: 16) { input in
        var choices = Choices(input)
        let number = Int(choices.byte())
        try withCopy(choices.rest) { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            if number < kinds.count {
                try roundTrip(kinds[number], raw)
            } else if number == 255 {
                try readTransaction(raw)
            }
        }
    } seeds: {
        var seeds: [[UInt8]] = []
        func add(_ record: some JuteRecord) {
            let type = Swift.type(of: record)
            guard let number = kinds.firstIndex(where: { $0 == type }) else { return }
            seeds.append([UInt8(number)] + record.encoded)
        }
        for kind in kinds { add(kind.init()) }
        let create = CreateRequest(path: "/brokers/ids/0", data: [1, 2, 3], mode: .ephemeral)
        add(create)
        add(CreateTTLRequest(path: "/a", data: nil, ttl: 5))
        add(SetDataRequest(path: "/a", data: [1], version: 7))
        add(SetACLRequest(path: "/a", acl: ACL.creatorAll, version: 7))
        add(AuthPacket(scheme: "digest", auth: [UInt8]("a:b".utf8)))
        add(WatchEvent(.nodeDeleted, path: "/a"))
        add(
            MultiRequest([
                .create(create), .check(CheckVersionRequest(path: "/b", version: 3)),
                .setData(SetDataRequest(path: "/b", data: [1])), .delete(DeleteRequest(path: "/c")),
                .create2(CreateRequest(path: "/d", data: [])),
                .createTTL(CreateTTLRequest(path: "/e", data: [], ttl: 9)),
                .createContainer(CreateRequest(path: "/f", data: [], mode: .container)),
            ]))
        add(
            MultiResponse([
                .created(path: "/a"), .checked, .set(Stat()), .deleted, .created2(path: "/d", Stat()),
                .data(nil, Stat()), .children(["x"]), .error(.noNode),
            ]))
        var watches = SetWatches2()
        watches.dataWatches = ["/a", "/b"]
        watches.persistentRecursiveWatches = ["/"]
        add(watches)
        var who = WhoAmIResponse()
        who.clientInfo = [ClientInfo(scheme: "ip", user: "127.0.0.1")]
        add(who)
        var children = GetChildren2Response()
        children.children = ["0", "1"]
        add(children)
        return seeds + transactions()
    }

    // Nobody changes it.
    nonisolated(unsafe) private static let kinds: [any JuteRecord.Type] = [
        RequestHeader.self, ReplyHeader.self, ConnectRequest.self, ConnectResponse.self, AuthPacket.self,
        WatchEvent.self, WatchesRequest.self, WatchablePathRequest.self, PathRequest.self, StatResponse.self,
        MultiRequest.self, MultiResponse.self, MultiHeader.self, GetDataResponse.self, SetDataRequest.self,
        GetACLResponse.self, SetACLRequest.self, CreateRequest.self, CreateTTLRequest.self, CreateResponse.self,
        Create2Response.self, GetChildrenResponse.self, GetChildren2Response.self, GetAllChildrenNumberResponse.self,
        GetEphemeralsResponse.self, ReconfigRequest.self, ACL.self, Stat.self, StatPersisted.self, SetWatches.self,
        SetWatches2.self, AddWatchRequest.self, ErrorResponse.self, VersionedPathRequest.self, ClientInfo.self,
        WhoAmIResponse.self,
    ]

    private static func roundTrip<R: JuteRecord>(_ type: R.Type, _ raw: UnsafeRawBufferPointer) throws {
        guard let record = try? R.decode(raw) else { return }
        let first = record.encoded
        let second = try R.decode(first).encoded
        try expect(first == second, "\(R.self) changes when it is read and written")
    }

    private static func readTransaction(_ raw: UnsafeRawBufferPointer) throws {
        var reader = JuteReader(raw)
        guard let header = try? TransactionHeader(from: &reader),
            let record = try? TransactionRecord(header.op, from: &reader)
        else { return }
        // Two empty paths are as long as what follows a record without a list; no node has such a path.
        if case .closeSession(let paths?) = record, paths.contains(where: \.isEmpty) { return }
        func written(_ header: TransactionHeader, _ record: TransactionRecord) -> [UInt8] {
            var writer = JuteWriter()
            header.write(to: &writer)
            record.write(to: &writer)
            return writer.bytes.array
        }
        let first = written(header, record)
        try first.withUnsafeBytes { again in
            var reader = JuteReader(again)
            let header = try TransactionHeader(from: &reader)
            let second = written(header, try TransactionRecord(header.op, from: &reader))
            try expect(first == second, "a transaction changes when it is read and written")
        }
    }

    private static func transactions() -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        func add(_ op: OpCode, _ record: TransactionRecord) {
            var writer = JuteWriter()
            TransactionHeader(sessionID: 1 << 56, cxid: 3, zxid: 9, time: 1_700_000_000_000, op: op).write(to: &writer)
            record.write(to: &writer)
            seeds.append([255] + writer.bytes.array)
        }
        let path = Array("/brokers/ids/0".utf8)
        let acl = Golden.hex("000000010000001f00000005776f726c6400000006616e796f6e65".utf8)
        path.withUnsafeBytes { path in
            acl.withUnsafeBytes { acl in
                let create = CreateTxn(path: path, data: path, acl: acl, ephemeral: true, parentCVersion: 4, ttl: 77)
                let delete = TransactionRecord.delete(path: path)
                let set = TransactionRecord.setData(path: path, data: nil, version: 4)
                add(.create, .create(create))
                add(.createContainer, .createContainer(create))
                add(.createTTL, .createTTL(create))
                add(.delete, delete)
                add(.setData, set)
                add(.setACL, .setACL(path: path, acl: acl, version: 3))
                add(.check, .check(path: path, version: 3))
                add(.createSession, .createSession(timeout: 6000))
                add(.closeSession, .closeSession([path, path]))
                add(.closeSession, .closeSession(nil))
                add(.error, .error(.noNode))
                let parts = [TransactionPart(op: .delete, record: delete), TransactionPart(op: .setData, record: set)]
                add(.multi, .multi(parts))
                add(.multi, .multi([TransactionPart(op: .multi, record: .multi(parts))]))
            }
        }
        return seeds
    }
}
