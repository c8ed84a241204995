import Bytes
import Testing

@testable import CoordinationProtocol

private func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { $0 != " " && $0 != "\n" }.map { UInt8($0.hexDigitValue ?? 0) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

private func roundTrip<R: JuteRecord & Equatable>(_ record: R) throws {
    #expect(try R.decode(record.encoded) == record)
    // Cut anywhere it fails to read, or reads as an older peer's shorter form, but never traps.
    let whole = record.encoded
    for count in 0..<whole.count { _ = try? R.decode(Array(whole[..<count])) }
}

@Suite("Coordination messages")
struct MessagesTests {
    @Test("a connect request with and without the read-only flag") func connect() throws {
        let old = bytes("00000000 0000000000000007 00002710 0100000000000001 00000010 000102030405060708090a0b0c0d0e0f")
        var request = try ConnectRequest.decode(old)
        #expect(old.count == 44)
        #expect(request.readOnly == nil)
        #expect(request.lastZxidSeen == 7)
        #expect(request.timeout == 10_000)
        #expect(request.sessionID == 0x0100_0000_0000_0001)
        #expect(request.password == [UInt8](0..<16))
        #expect(request.encoded == old)
        request.readOnly = false
        #expect(request.encoded == old + [0])
        #expect(try ConnectRequest.decode(old + [1]).readOnly == true)
        var response = ConnectResponse()
        #expect(response.encoded.count == 37)
        response.readOnly = nil
        #expect(response.encoded.count == 36)
        try roundTrip(response)
    }

    @Test("null data is not empty data") func nullIsNotEmpty() throws {
        var response = GetDataResponse()
        #expect(Array(response.encoded[..<4]) == bytes("ffffffff"))
        #expect(try GetDataResponse.decode(response.encoded).data == nil)
        response.data = []
        #expect(Array(response.encoded[..<4]) == bytes("00000000"))
        #expect(try GetDataResponse.decode(response.encoded).data == [])
    }

    @Test("a stat is 68 bytes, a persisted one 60") func stat() throws {
        var stat = Stat()
        stat.czxid = 1
        stat.pzxid = -2
        stat.numChildren = 9
        #expect(stat.encoded.count == Stat.sizeBytes)
        #expect(StatPersisted().encoded.count == StatPersisted.sizeBytes)
        try roundTrip(stat)
    }

    @Test("a create request is laid out as the jute says") func create() throws {
        let request = CreateRequest(path: "/a", data: [1, 2], mode: .ephemeralSequential)
        #expect(
            request.encoded
                == bytes(
                    "00000002 2f61 00000002 0102 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000003"))
        try roundTrip(request)
        try roundTrip(CreateTTLRequest(path: "/a", data: nil, ttl: 5))
    }

    @Test("a multi goes there and back, also without operations") func multi() throws {
        try roundTrip(MultiRequest())
        #expect(MultiRequest().encoded == bytes("ffffffff 01 ffffffff"))
        try roundTrip(
            MultiRequest([
                .create(CreateRequest(path: "/a", data: nil)), .check(CheckVersionRequest(path: "/b", version: 3)),
                .setData(SetDataRequest(path: "/b", data: [1])), .delete(DeleteRequest(path: "/c")),
                .create2(CreateRequest(path: "/d", data: [])),
                .createTTL(CreateTTLRequest(path: "/e", data: [], ttl: 9)),
                .createContainer(CreateRequest(path: "/f", data: [], mode: .container)),
            ]))
        try roundTrip(
            MultiResponse([
                .created(path: "/a"), .checked, .set(Stat()), .deleted, .created2(path: "/d", Stat()),
                .data(nil, Stat()), .children(["x"]), .error(.noNode),
            ]))
        let failed = MultiResponse([.error(.ok), .error(.nodeExists), .error(.runtimeInconsistency)])
        #expect(failed.firstError == .nodeExists)
        #expect(
            Array(failed.encoded[..<26]) == bytes("ffffffff 00 00000000 00000000 ffffffff 00 ffffff92 ffffff92"))
    }

    @Test("the other records go there and back") func others() throws {
        try roundTrip(AuthPacket(scheme: "digest", auth: [UInt8]("a:b".utf8)))
        try roundTrip(WatchEvent(.nodeDeleted, path: "/a"))
        try roundTrip(AddWatchRequest(path: "/a", recursive: true))
        try roundTrip(WatchesRequest(path: "/a", .persistent))
        try roundTrip(SetACLRequest(path: "/a", acl: ACL.creatorAll))
        try roundTrip(ReplyHeader(xid: -8, zxid: 1 << 40, error: .badVersion))
        var watches = SetWatches2()
        watches.relativeZxid = 4
        watches.dataWatches = ["/a", "/b"]
        watches.persistentRecursiveWatches = ["/"]
        try roundTrip(watches)
        var who = WhoAmIResponse()
        who.clientInfo = [ClientInfo(scheme: "ip", user: "127.0.0.1")]
        try roundTrip(who)
        var config = ReconfigRequest()
        config.newMembers = ""
        try roundTrip(config)
    }

    @Test("absurd counts and lengths are refused without allocating") func absurd() {
        for count in ["7fffffff", "fffffffe", "80000000"] {
            #expect(throws: JuteError.self) { try GetChildrenResponse.decode(bytes(count + "00000000")) }
            #expect(throws: JuteError.self) { try PathRequest.decode(bytes(count + "00000000")) }
            #expect(throws: JuteError.self) { try WhoAmIResponse.decode(bytes(count + "00000000")) }
        }
        #expect(throws: JuteError.self) { try PathRequest.decode(bytes("ffffffff")) }
        #expect(try! GetChildrenResponse.decode(bytes("ffffffff")).children == [])
    }

    @Test("a logged multi inside a multi is refused, however deep they are") func nestedMulti() {
        var record: [UInt8] = bytes("00000000")
        for _ in 0..<2000 {
            var outer = JuteWriter()
            outer.int32(1)
            outer.int32(OpCode.multi.rawValue)
            record.withUnsafeBytes { outer.slice($0) }
            record = outer.bytes.array
        }
        record.withUnsafeBytes { raw in
            var reader = JuteReader(raw)
            #expect(throws: JuteError.self) { try TransactionRecord(.multi, from: &reader) }
        }
    }

    @Test("a reply with an error has no body, and lengths do not count themselves") func frames() {
        var writer = JuteWriter()
        writer.reply(xid: 5, zxid: 6, error: .noNode, StatResponse())
        #expect(writer.bytes.array == bytes("00000010 00000005 0000000000000006 ffffff9b"))
        writer = JuteWriter()
        writer.request(xid: -2, .ping)
        #expect(writer.bytes.array == bytes("00000008 fffffffe 0000000b"))
    }
}
