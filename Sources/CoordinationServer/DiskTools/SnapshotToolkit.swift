import Coordination
import Platform

/// ZooKeeper's `SnapshotFormatter`: lists what a snapshot holds.
package struct SnapshotToolkit {
    package var path: String
    /// The nodes' data, in base 64, instead of its length.
    package var showsData = false
    /// In the form of `ncdu`, with sizes.
    package var isJSON = false

    package init(path: String) { self.path = path }

    /// - Returns: why it cannot be listed.
    package func run(on disk: any Disk, wallMs: Int64, write: (String) -> Void) -> String? {
        let name = String(path.split(separator: "/").last ?? "")
        guard let file = SnapshotFile(name, in: parentDirectory(of: path)) else {
            return "\(path) is not a snapshot by its name: snapshot.ZXID, snapshot.ZXID.gz or snapshot.ZXID.snappy"
        }
        do throws(DiskError) {
            switch try file.load(from: disk) {
            case .damaged(let damage): return "\(path) is not whole: \(damage.reason)"
            case .whole(let loaded):
                if isJSON { json(loaded.tree, wallMs, write) } else { details(loaded, file.zxid, write) }
                return nil
            }
        } catch {
            return error.isMissing ? "File '\(path)' does not exist." : "\(path) cannot be read: \(error.reason)"
        }
    }

    private func details(_ loaded: borrowing LoadedSnapshot, _ zxid: Int64, _ write: (String) -> Void) {
        // Apache counts the root twice: it stands under "" and under "/".
        write("ZNode Details (count=\(loaded.tree.nodeCount + 1)):\n")
        var last = zxid
        loaded.tree.walk(enter: { node in
            last = max(last, node.mzxid, node.pzxid)
            var lines = "----\n\(node.path)\n"
            lines += "  cZxid = \(SnapshotToolkit.hex(node.czxid))\n  ctime = \(TransactionText.longTime(node.ctime))\n"
            lines += "  mZxid = \(SnapshotToolkit.hex(node.mzxid))\n  mtime = \(TransactionText.longTime(node.mtime))\n"
            lines += "  pZxid = \(SnapshotToolkit.hex(node.pzxid))\n  cversion = \(node.cversion)\n"
            lines += "  dataVersion = \(node.version)\n  aclVersion = \(node.aversion)\n"
            lines += "  ephemeralOwner = \(SnapshotToolkit.hex(node.owner))\n"
            lines +=
                showsData
                ? "  data = \(SnapshotToolkit.base64(node.data))\n" : "  dataLength = \(node.data?.count ?? 0)\n"
            write(lines)
        })
        write("----\nSession Details (sid, timeout, ephemeralCount):\n")
        for (session, timeout) in loaded.tree.sessions.sorted(by: { $0.key < $1.key }) {
            write("\(SnapshotToolkit.hex(session)), \(timeout), \(loaded.tree.ephemeralCount(of: session))\n")
        }
        if let digest = loaded.digest, digest.zxid > 0 {
            write("Target zxid digest is: \(LogFormat.hex(digest.zxid)), \(digest.value)\n")
        }
        write("----\nLast zxid: 0x\(LogFormat.hex(last))\n")
    }

    private func json(_ tree: borrowing ZnodeTree, _ wallMs: Int64, _ write: (String) -> Void) {
        write("[1,0,{\"progname\":\"SnapshotFormatter.java\",\"progver\":\"0.01\",\"timestamp\":\(wallMs)}")
        var inode = 1000
        tree.walk(
            enter: { node in
                inode += 1
                let name = node.path == "/" ? "/" : node.path.split(separator: "/").last ?? ""
                let size = node.data?.count ?? 0
                write(
                    ",\(node.childCount > 0 ? "[" : ""){\"name\":\"\(SnapshotToolkit.escaped(name))\",\"asize\":\(size),"
                        + "\"dsize\":\(size),\"dev\":0,\"ino\":\(inode)}")
            },
            leave: { node in
                if node.childCount > 0 { write("]") }
            })
        write("]")
    }

    private static func escaped(_ text: Substring) -> String { escaped(String(text)) }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{0}"..<" ":
                let hex = String(character.value, radix: 16, uppercase: true)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }

    /// `0x` and fourteen digits, or as many as it takes.
    private static func hex(_ value: Int64) -> String {
        let digits = LogFormat.hex(value)
        return "0x" + String(repeating: "0", count: max(0, 14 - digits.count)) + digits
    }

    private static func base64(_ bytes: UnsafeRawBufferPointer?) -> String {
        guard let bytes else { return "" }
        let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = group.reduce(0) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for index in 0..<4 {
                let digit = alphabet[Int(value >> (18 - 6 * UInt32(index))) & 63]
                out.append(index <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
