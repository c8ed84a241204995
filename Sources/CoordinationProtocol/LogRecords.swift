import Bytes

/// Stands before every record of the transaction log.
package struct TransactionHeader: Hashable, Sendable {
    package static let sizeBytes = 32

    package var sessionID: Int64
    /// The client's xid.
    package var cxid: Int32
    package var zxid: Int64
    /// Milliseconds since 1970.
    package var time: Int64
    package var op: OpCode

    package init(sessionID: Int64, cxid: Int32, zxid: Int64, time: Int64, op: OpCode) {
        self.sessionID = sessionID
        self.cxid = cxid
        self.zxid = zxid
        self.time = time
        self.op = op
    }
}

/// A created node: for plain, container and TTL nodes alike.
package struct CreateTxn {
    package var path: UnsafeRawBufferPointer
    package var data: UnsafeRawBufferPointer?
    /// The encoded vector, its count included.
    package var acl: UnsafeRawBufferPointer
    package var ephemeral: Bool
    /// What the parent's count of created children has become.
    package var parentCVersion: Int32
    /// Milliseconds; only for TTL nodes.
    package var ttl: Int64

    package init(
        path: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer?, acl: UnsafeRawBufferPointer, ephemeral: Bool,
        parentCVersion: Int32, ttl: Int64 = 0
    ) {
        self.path = path
        self.data = data
        self.acl = acl
        self.ephemeral = ephemeral
        self.parentCVersion = parentCVersion
        self.ttl = ttl
    }
}

/// What a transaction did, with absolute results, so that doing it twice changes nothing. Paths and data are slices of the
/// request or of the log file: valid as long as those.
package enum TransactionRecord {
    case create(CreateTxn)
    case createContainer(CreateTxn)
    case createTTL(CreateTxn)
    case delete(path: UnsafeRawBufferPointer)
    case setData(path: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer?, version: Int32)
    case setACL(path: UnsafeRawBufferPointer, acl: UnsafeRawBufferPointer, version: Int32)
    case check(path: UnsafeRawBufferPointer, version: Int32)
    case multi([TransactionPart])
    case createSession(timeout: Int32)
    /// The ephemeral nodes that go with it; nil when the list was too long, or is not told by an older writer.
    case closeSession([UnsafeRawBufferPointer]?)
    /// A request that failed and used up its zxid.
    case error(CoordinationError)
}

/// One operation of a multi.
package struct TransactionPart {
    package var op: OpCode
    package var record: TransactionRecord
    package init(op: OpCode, record: TransactionRecord) {
        self.op = op
        self.record = record
    }
}

extension TransactionHeader {
    package init(from reader: inout JuteReader) throws(JuteError) {
        sessionID = try reader.int64()
        cxid = try reader.int32()
        zxid = try reader.int64()
        time = try reader.int64()
        let type = try reader.int32()
        guard let op = OpCode(rawValue: type) else { throw .badLength(Int(type)) }
        self.op = op
    }

    package func write(to writer: inout JuteWriter) {
        writer.int64(sessionID)
        writer.int32(cxid)
        writer.int64(zxid)
        writer.int64(time)
        writer.int32(op.rawValue)
    }
}

extension TransactionRecord {
    package init(_ op: OpCode, from reader: inout JuteReader) throws(JuteError) {
        switch op {
        case .create, .create2:
            let path = try reader.text(), data = try reader.slice(), acl = try reader.aclSlice()
            let ephemeral = try reader.bool()
            // Logs of releases before 3.4 end here: -1 means one more than before.
            let parentCVersion = reader.left >= 4 ? try reader.int32() : -1
            self = .create(
                CreateTxn(path: path, data: data, acl: acl, ephemeral: ephemeral, parentCVersion: parentCVersion))
        case .createContainer:
            let path = try reader.text(), data = try reader.slice(), acl = try reader.aclSlice()
            self = .createContainer(
                CreateTxn(path: path, data: data, acl: acl, ephemeral: false, parentCVersion: try reader.int32()))
        case .createTTL:
            let path = try reader.text(), data = try reader.slice(), acl = try reader.aclSlice()
            let parentCVersion = try reader.int32()
            self = .createTTL(
                CreateTxn(
                    path: path, data: data, acl: acl, ephemeral: false, parentCVersion: parentCVersion,
                    ttl: try reader.int64()))
        case .delete, .deleteContainer: self = .delete(path: try reader.text())
        case .setData, .reconfig:
            let path = try reader.text(), data = try reader.slice()
            self = .setData(path: path, data: data, version: try reader.int32())
        case .setACL:
            let path = try reader.text(), acl = try reader.aclSlice()
            self = .setACL(path: path, acl: acl, version: try reader.int32())
        case .check:
            let path = try reader.text()
            self = .check(path: path, version: try reader.int32())
        case .multi:
            let count = try reader.count(itemBytes: 8)
            var parts: [TransactionPart] = []
            parts.reserveCapacity(count)
            for _ in 0..<count {
                let type = try reader.int32()
                // None in another: nobody writes that, and a chain of them would be as deep as the bytes are many.
                guard let op = OpCode(rawValue: type), op != .multi else { throw .badLength(Int(type)) }
                var inner = JuteReader(try reader.text())
                parts.append(TransactionPart(op: op, record: try TransactionRecord(op, from: &inner)))
            }
            self = .multi(parts)
        case .createSession: self = .createSession(timeout: try reader.int32())
        case .closeSession:
            // Nothing, or what stands behind every record (12 bytes), follows the header when there is no list. A list of
            // that length has one path.
            var ahead = reader
            if reader.left == 0 || reader.left == 12, (try? ahead.int32()) != 1 {
                self = .closeSession(nil)
                return
            }
            let count = try reader.count(itemBytes: 4)
            var paths: [UnsafeRawBufferPointer] = []
            paths.reserveCapacity(count)
            for _ in 0..<count { paths.append(try reader.text()) }
            self = .closeSession(paths)
        case .error: self = .error(CoordinationError(rawValue: try reader.int32()))
        default: throw .badLength(Int(op.rawValue))
        }
    }

    package func write(to writer: inout JuteWriter) {
        switch self {
        case .create(let txn):
            write(txn, to: &writer)
            writer.bool(txn.ephemeral)
            writer.int32(txn.parentCVersion)
        case .createContainer(let txn):
            write(txn, to: &writer)
            writer.int32(txn.parentCVersion)
        case .createTTL(let txn):
            write(txn, to: &writer)
            writer.int32(txn.parentCVersion)
            writer.int64(txn.ttl)
        case .delete(let path): writer.slice(path)
        case .setData(let path, let data, let version):
            writer.slice(path)
            writer.slice(data)
            writer.int32(version)
        case .setACL(let path, let acl, let version):
            writer.slice(path)
            writer.bytes.raw(acl)
            writer.int32(version)
        case .check(let path, let version):
            writer.slice(path)
            writer.int32(version)
        case .multi(let parts):
            writer.int32(Int32(truncatingIfNeeded: parts.count))
            for part in parts {
                // Both have the same content, and servers before 3.7.2 pass over a multi with a create2, all of it, without a word.
                writer.int32((part.op == .create2 ? OpCode.create : part.op).rawValue)
                let frame = writer.beginFrame()
                part.record.write(to: &writer)
                writer.endFrame(frame)
            }
        case .createSession(let timeout): writer.int32(timeout)
        case .closeSession(let paths):
            // Too many to list: none are, and whoever replays finds the session's own. Nothing at all would not do, as Apache's
            // servers would take what stands behind the record for a list.
            writer.int32(Int32(truncatingIfNeeded: paths?.count ?? 0))
            for path in paths ?? [] { writer.slice(path) }
        case .error(let error): writer.int32(error.rawValue)
        }
    }

    private func write(_ txn: CreateTxn, to writer: inout JuteWriter) {
        writer.slice(txn.path)
        writer.slice(txn.data)
        writer.bytes.raw(txn.acl)
    }
}

extension JuteReader {
    /// An ACL vector in place, its count included.
    package mutating func aclSlice() throws(JuteError) -> UnsafeRawBufferPointer {
        let start = bytes.cursor
        for _ in 0..<(try count(itemBytes: 12)) {
            _ = try int32()
            _ = try slice()
            _ = try slice()
        }
        return UnsafeRawBufferPointer(start: start, count: bytes.cursor - start)
    }
}
