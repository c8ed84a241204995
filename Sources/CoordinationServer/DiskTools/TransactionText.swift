import CoordinationProtocol
import Glibc

/// A transaction in the words of ZooKeeper's own dump: one line, which programs grep.
enum TransactionText {
    static func line(_ header: TransactionHeader, _ record: TransactionRecord) -> String {
        "\(shortTime(header.time)) session 0x\(hex(header.sessionID)) cxid 0x\(String(UInt32(bitPattern: header.cxid), radix: 16)) "
            + "zxid 0x\(hex(header.zxid)) \(name(header.op)) \(text(record))"
    }

    private static func hex(_ value: Int64) -> String { String(UInt64(bitPattern: value), radix: 16) }

    private static func text(_ record: TransactionRecord) -> String {
        switch record {
        case .create(let txn):
            "\(plain(txn.path)),\(plain(txn.data)),\(lists(txn.acl)),\(txn.ephemeral),\(txn.parentCVersion)"
        case .createContainer(let txn):
            "\(plain(txn.path)),\(plain(txn.data)),\(lists(txn.acl)),\(txn.parentCVersion)"
        case .createTTL(let txn):
            "\(plain(txn.path)),\(plain(txn.data)),\(lists(txn.acl)),\(txn.parentCVersion),\(txn.ttl)"
        case .delete(let path): quoted(path)
        case .setData(let path, let data, let version): "\(plain(path)),\(plain(data)),\(version)"
        case .setACL(let path, let acl, let version):
            "\(quoted(path)),v{\(decoded(acl).map { "s{\(entry($0))}" }.joined(separator: ","))},\(version)"
        case .check(let path, let version): "\(quoted(path)),\(version)"
        case .multi(let parts):
            parts.map { part in
                var writer = JuteWriter()
                part.record.write(to: &writer)
                return "\(name(part.op)):\(plain(writer.bytes.bytes))"
            }.joined(separator: ";")
        case .createSession(let timeout): "\(timeout)"
        case .closeSession(let paths): paths.map { "v{\($0.map(quoted).joined(separator: ","))}" } ?? ""
        case .error(let error): "\(error.rawValue)"
        }
    }

    private static func plain(_ bytes: UnsafeRawBufferPointer?) -> String {
        bytes.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private static func quoted(_ bytes: UnsafeRawBufferPointer) -> String { quoted(plain(bytes)) }

    /// A text among commas and braces.
    private static func quoted(_ text: String) -> String {
        var out = "'"
        for character in text.unicodeScalars {
            switch character {
            case "\0": out += "%00"
            case "\n": out += "%0A"
            case "\r": out += "%0D"
            case ",": out += "%2C"
            case "}": out += "%7D"
            case "%": out += "%25"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }

    private static func entry(_ acl: ACL) -> String {
        "\(acl.permissions.rawValue),s{\(quoted(acl.scheme)),\(quoted(acl.id))}"
    }

    /// Each entry ends its line, as in ZooKeeper.
    private static func lists(_ acl: UnsafeRawBufferPointer) -> String {
        "[" + decoded(acl).map { entry($0) + "\n" }.joined(separator: ", ") + "]"
    }

    private static func decoded(_ acl: UnsafeRawBufferPointer) -> [ACL] {
        var reader = JuteReader(acl)
        var list: [ACL] = []
        try? reader.records(&list)
        return list
    }

    private static func name(_ op: OpCode) -> String {
        switch op {
        case .deleteContainer: "unknown 20"
        default: "\(op)"
        }
    }

    /// `11/22/26, 3:48:48 AM UTC`.
    static func shortTime(_ milliseconds: Int64) -> String { formatted(milliseconds, "%-m/%-d/%y, %-I:%M:%S %p %Z") }
    /// `Sun Nov 22 03:48:48 UTC 2026`.
    static func longTime(_ milliseconds: Int64) -> String { formatted(milliseconds, "%a %b %d %H:%M:%S %Z %Y") }
    /// `Nov 22, 2026, 3:48:48 AM`.
    static func fileTime(_ milliseconds: Int64) -> String { formatted(milliseconds, "%b %-d, %Y, %-I:%M:%S %p") }

    private static func formatted(_ milliseconds: Int64, _ pattern: String) -> String {
        var seconds = time_t(milliseconds / 1000 - (milliseconds % 1000 < 0 ? 1 : 0))
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "\(milliseconds)" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { room in
            let count = strftime(room.baseAddress, room.count, pattern, &parts)
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]), as: UTF8.self)
        }
    }
}
