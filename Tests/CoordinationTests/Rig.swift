import Bytes
import CoordinationProtocol

@testable import Coordination

/// A core with a clock one can turn, spoken to as clients speak.
final class Rig {
    struct Reply {
        var header: ReplyHeader
        var body: [UInt8]
        var error: CoordinationError { header.error }
        func read<R: JuteRecord>(_ type: R.Type = R.self) throws -> R { try R.decode(body) }
    }

    var core: CoordinationCore
    /// Every change in the log's form.
    private(set) var log: [[UInt8]] = []
    var now: Int64 = 1_000_000
    var wallMs: Int64 = 1_700_000_000_000
    /// Events by client, in order: `deleted /a`.
    private(set) var events: [ClientID: [String]] = [:]
    private var xid: Int32 = 0

    init(_ rules: CoordinationRules = CoordinationRules()) {
        core = CoordinationCore(tree: ZnodeTree(), rules: rules, now: now, wallMs: wallMs)
    }

    init(tree: consuming ZnodeTree, _ rules: CoordinationRules = CoordinationRules()) {
        core = CoordinationCore(tree: tree, rules: rules, now: now, wallMs: wallMs)
    }

    func open(_ address: String = "127.0.0.1") -> ClientID { core.clientOpened(address: address) }

    func outcome(
        _ client: ClientID, session: Int64 = 0, password: [UInt8]? = nil, timeout: Int32 = 10_000, seen: Int64 = 0
    )
        -> CoordinationCore.ConnectOutcome
    {
        var request = ConnectRequest()
        request.sessionID = session
        if let password { request.password = password }
        request.timeout = timeout
        request.lastZxidSeen = seen
        let outcome = core.connect(request, from: client, now: now, wallMs: wallMs)
        if case .created(_, let change) = outcome { note(change) }
        return outcome
    }

    /// A connection with a session.
    func client(_ address: String = "127.0.0.1") -> ClientID {
        let client = open(address)
        _ = outcome(client)
        return client
    }

    func ask(_ client: ClientID, _ op: OpCode, _ body: [UInt8] = [], xid given: Int32? = nil) -> Reply {
        xid += 1
        var packet = JuteWriter()
        RequestHeader(xid: given ?? xid, op).write(to: &packet)
        packet.bytes.raw(body)
        var reply = JuteWriter()
        let outcome = core.handle(
            packet.bytes.bytes, from: client, now: now, wallMs: wallMs, durable: core.zxid, reply: &reply)
        if let change = outcome.change { note(change) }
        collect()
        let bytes = reply.bytes.array
        let header = (try? ReplyHeader.decode(Array(bytes[4...]))) ?? ReplyHeader()
        return Reply(header: header, body: Array(bytes[20...]))
    }

    func ask(_ client: ClientID, _ op: OpCode, _ record: some JuteRecord) -> Reply { ask(client, op, record.encoded) }

    @discardableResult
    func create(
        _ client: ClientID, _ path: String, _ data: [UInt8]? = [], mode: CreateMode = .persistent, acl: [ACL] = ACL.open
    )
        -> Reply
    {
        ask(client, .create, CreateRequest(path: path, data: data, acl: acl, mode: mode))
    }

    func created(_ client: ClientID, _ path: String, mode: CreateMode) -> String? {
        try? create(client, path, mode: mode).read(CreateResponse.self).path
    }

    @discardableResult
    func delete(_ client: ClientID, _ path: String, version: Int32 = -1) -> CoordinationError {
        ask(client, .delete, DeleteRequest(path: path, version: version)).error
    }

    @discardableResult
    func set(_ client: ClientID, _ path: String, _ data: [UInt8]? = [1], version: Int32 = -1) -> CoordinationError {
        ask(client, .setData, SetDataRequest(path: path, data: data, version: version)).error
    }

    func stat(_ client: ClientID, _ path: String, watch: Bool = false) -> Stat? {
        try? ask(client, .exists, ExistsRequest(path: path, watch: watch)).read(StatResponse.self).stat
    }

    func children(_ client: ClientID, _ path: String, watch: Bool = false) -> [String]? {
        let reply = ask(client, .getChildren, GetChildrenRequest(path: path, watch: watch))
        return reply.error == .ok ? try? reply.read(GetChildrenResponse.self).children.sorted() : nil
    }

    func multi(_ client: ClientID, _ operations: [MultiOperation]) -> [MultiResult] {
        (try? ask(client, .multi, MultiRequest(operations)).read(MultiResponse.self).results) ?? []
    }

    func expire(_ session: Int64) -> ClientID? {
        let (change, client) = core.expire(session, wallMs: wallMs)
        note(change)
        collect()
        return client
    }

    func reap() -> Int {
        let paths = core.reapable(wallMs: wallMs, limit: 100)
        for path in paths {
            path.withUnsafeBytes { if let change = core.reap($0, wallMs: wallMs) { note(change) } }
            collect()
        }
        return paths.count
    }

    func close(_ client: ClientID) { core.clientClosed(client) }

    func told(_ client: ClientID) -> [String] {
        defer { events[client] = nil }
        return events[client] ?? []
    }

    private func collect() {
        for delivery in core.deliveries {
            let name: String
            switch WatchEventType(rawValue: delivery.event) {
            case .nodeCreated: name = "created"
            case .nodeDeleted: name = "deleted"
            case .nodeDataChanged: name = "changed"
            case .nodeChildrenChanged: name = "children"
            default: name = "?"
            }
            events[delivery.client, default: []].append("\(name) \(delivery.path.text)")
        }
    }

    private func note(_ change: TreeChange) {
        var writer = JuteWriter()
        change.header.write(to: &writer)
        change.record.write(to: &writer)
        log.append(writer.bytes.array)
    }

    // MARK: What would be on the disk

    func snapshot(nodesAtOnce: Int = 1000, between: (Rig) -> Void = { _ in }) -> (bytes: [UInt8], zxid: Int64) {
        var writer = JuteWriter()
        let zxid = core.beginSnapshot(into: &writer)
        between(self)
        while !core.continueSnapshot(nodes: nodesAtOnce, into: &writer) { between(self) }
        return (writer.bytes.array, zxid)
    }

    static func replayed(_ log: [[UInt8]], onto tree: inout ZnodeTree) {
        for entry in log {
            entry.withUnsafeBytes { bytes in
                var reader = JuteReader(bytes)
                if let header = try? TransactionHeader(from: &reader),
                    let record = try? TransactionRecord(header.op, from: &reader)
                {
                    tree.apply(TreeChange(header, record))
                }
            }
        }
    }

    static func loaded(_ bytes: [UInt8], zxid: Int64) throws -> ZnodeTree {
        let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { raw.deallocate() }
        raw.copyBytes(from: bytes)
        var reader = JuteReader(UnsafeRawBufferPointer(raw))
        return try ZnodeTree.read(snapshot: &reader, zxid: zxid)
    }
}

/// Everything a tree holds, to be compared: nodes by path, sessions, last zxid.
func everything(_ tree: borrowing ZnodeTree) -> [String] {
    var lines: [String] = ["zxid \(tree.lastZxid)", "size \(tree.dataSize)"]
    for (session, timeout) in tree.sessions.sorted(by: { $0.key < $1.key }) {
        lines.append("session \(session) \(timeout)")
    }
    var open: [ZnodeID] = [.root]
    while let id = open.popLast() {
        let node = tree.store[id].pointee
        let data = node.data.map { "\([UInt8]($0))" } ?? "null"
        lines.append(
            "\(tree.path(of: id).text) \(data) \(node.stat) owner \(node.owner) cv \(node.cversion) acl \(tree.acls[node.acl])"
        )
        if node.firstChild != .none {
            var child = node.firstChild
            repeat {
                open.append(child)
                child = tree.store[child].pointee.next
            } while child != node.firstChild
        }
    }
    for (session, owned) in tree.ephemerals where !owned.isEmpty { lines.append("owned \(session) \(owned.count)") }
    lines.append("containers \(tree.containers.count) ttls \(tree.ttls.count)")
    return lines.sorted()
}
