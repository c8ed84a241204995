import Coordination
import CoordinationProtocol
import Platform

/// Who changed what, as ZooKeeper 3.9's audit log words it (`audit.enable=true`): tab-separated, failures at the level of errors.
final class AuditTrail {
    private let journal: Journal
    /// Whom this process belongs to: the user of starts, stops, and nodes that go with their session.
    private let owner: String

    init(_ world: any World) {
        journal = world.journal.speaking(as: "audit")
        owner = ProcessFacts.environment(world)["USER"] ?? ProcessFacts.environment(world)["LOGNAME"] ?? "unknown"
    }

    func server(_ operation: String, result: String) {
        write([("user", owner), ("operation", operation)], result)
    }

    /// The nodes that went with a session.
    func ended(_ session: Int64, _ change: TreeChange) {
        for path in change.ephemerals ?? [] {
            write(
                [
                    ("session", "0x" + LogFormat.hex(session)), ("user", owner),
                    ("operation", "ephemeralZNodeDeletionOnSessionCloseOrExpire"), ("znode", text(path)),
                ], "success")
        }
    }

    /// A request that changed something, or tried to.
    func handled(
        _ packet: UnsafeRawBufferPointer, _ outcome: CoordinationCore.Outcome, _ connection: ClientConnection,
        _ core: borrowing CoordinationCore
    ) {
        guard let change = outcome.change, let op = outcome.op else { return }
        let who = [
            ("session", "0x" + LogFormat.hex(change.header.sessionID)),
            ("user", core.users(of: connection.client).joined(separator: ",")), ("ip", connection.connection.peer.host),
        ]
        switch change.record {
        case .multi(let parts): multi(parts, packet, who)
        case .error: failed(op, packet, who)
        default:
            guard let told = Told(op, packet, behind: 8) else { return }
            write(who + told.fields(path: AuditTrail.path(of: change.record)), "success")
        }
    }

    private func failed(_ op: OpCode, _ packet: UnsafeRawBufferPointer, _ who: [(String, String)]) {
        if op == .multi {
            write(who + [("operation", "multiOperation")], "failure")
        } else if op == .reconfig {
            write(who + [("operation", "reconfig")], "failure")
        } else if let told = Told(op, packet, behind: 8) {
            write(who + told.fields(path: nil), "failure")
        }
    }

    private func multi(_ parts: [TransactionPart], _ packet: UnsafeRawBufferPointer, _ who: [(String, String)]) {
        if parts.contains(where: { if case .error = $0.record { true } else { false } }) {
            return write(who + [("operation", "multiOperation")], "failure")
        }
        for part in parts {
            guard let path = AuditTrail.path(of: part.record) else { continue }
            switch part.op {
            case .create, .create2, .createContainer, .createTTL:
                write(who + [("operation", "create"), ("znode", text(path))], "success")
            case .delete, .deleteContainer:
                write(who + [("operation", "delete"), ("znode", text(path))], "success")
            case .setData: write(who + [("operation", "setData"), ("znode", text(path))], "success")
            default: break
            }
        }
    }

    /// What a single request says about itself.
    private struct Told {
        var operation: String
        var path: UnsafeRawBufferPointer
        var mode: String?
        var acl: String?

        /// - Parameter behind: bytes of the request's header.
        init?(_ op: OpCode, _ packet: UnsafeRawBufferPointer, behind header: Int) {
            guard packet.count > header else { return nil }
            var reader = JuteReader(UnsafeRawBufferPointer(rebasing: packet[header...]))
            do throws(JuteError) {
                path = try reader.text()
                switch op {
                case .create, .create2, .createContainer, .createTTL:
                    operation = "create"
                    _ = try reader.slice()
                    _ = try reader.aclSlice()
                    mode = CreateMode(rawValue: try reader.int32()).map(AuditTrail.name)
                case .delete: operation = "delete"
                case .setData: operation = "setData"
                case .setACL:
                    operation = "setAcl"
                    var list: [ACL] = []
                    try reader.records(&list)
                    acl = list.map(AuditTrail.name).joined(separator: ",")
                default: return nil
                }
            } catch { return nil }
        }

        /// - Parameter path: the one it became, when that is known: of a sequential node.
        func fields(path became: UnsafeRawBufferPointer?) -> [(String, String)] {
            var fields = [("operation", operation), ("znode", String(decoding: became ?? path, as: UTF8.self))]
            if let mode { fields.append(("znode_type", mode)) }
            if let acl { fields.append(("acl", acl)) }
            return fields
        }
    }

    private static func path(of record: TransactionRecord) -> UnsafeRawBufferPointer? {
        switch record {
        case .create(let txn), .createContainer(let txn), .createTTL(let txn): txn.path
        case .delete(let path), .setData(let path, _, _), .setACL(let path, _, _): path
        case .check, .multi, .createSession, .closeSession, .error: nil
        }
    }

    private static func name(_ mode: CreateMode) -> String {
        switch mode {
        case .persistent: "persistent"
        case .ephemeral: "ephemeral"
        case .persistentSequential: "persistent_sequential"
        case .ephemeralSequential: "ephemeral_sequential"
        case .container: "container"
        case .persistentWithTTL: "persistent_with_ttl"
        case .persistentSequentialWithTTL: "persistent_sequential_with_ttl"
        }
    }

    private static func name(_ entry: ACL) -> String {
        var letters = ""
        for (bit, letter) in zip([Permissions.read, .write, .create, .delete, .admin], ["r", "w", "c", "d", "a"])
        where entry.permissions.contains(bit) { letters += letter }
        return "\(entry.scheme):\(entry.id):\(letters)"
    }

    private func text(_ path: UnsafeRawBufferPointer) -> String { String(decoding: path, as: UTF8.self) }

    private func write(_ fields: [(String, String)], _ result: String) {
        var line = ""
        for (key, value) in fields { line += "\(key)=\(AuditTrail.inOneLine(value))\t" }
        line += "result=\(result)"
        if result == "failure" { journal.error(line) } else { journal.info(line) }
    }

    /// A name with a line's end in it must not forge a second line.
    private static func inOneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    $0.properties.generalCategory == .control ? "?" : $0
                }))
    }
}
