/// Where groups lie in the tree (architecture, section 5).
package enum GroupPaths {
    package static let layout = "/letterbox"
    package static let buckets = "/letterbox/groups"
    package static let consumers = "/consumers"

    /// Its version is the owner epoch: every write for the bucket's groups is conditional on it.
    package static func bucket(_ number: Int) -> String { "/letterbox/groups/\(number)" }
    /// Ephemeral; its data is the owner's broker id.
    package static func owner(_ bucket: Int) -> String { "/letterbox/groups/\(bucket)/owner" }

    package static func group(_ id: String) -> String { "/consumers/" + encoded(id) }
    package static func offsets(_ id: String) -> String { group(id) + "/offsets" }
    package static func topic(_ id: String, _ topic: String) -> String { "\(offsets(id))/\(topic)" }
    package static func partition(_ id: String, _ topic: String, _ partition: Int32) -> String {
        "\(offsets(id))/\(topic)/\(partition)"
    }
    package static func meta(_ id: String, _ topic: String, _ partition: Int32) -> String {
        "\(offsets(id))/\(topic)/\(partition)/meta"
    }
    /// The generation's head.
    package static func head(_ id: String) -> String { group(id) + "/group" }
    package static func chunk(_ id: String, _ name: String) -> String { group(id) + "/group/" + name }

    /// Percent-encoded UTF-8: printable ASCII except `/` and `%` stays; `.` and `..` encode their dots; the empty id is `%`.
    package static func encoded(_ id: String) -> String {
        switch id {
        case "": return "%"
        case ".": return "%2E"
        case "..": return "%2E%2E"
        default: break
        }
        let digits = [UInt8]("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in id.utf8 {
            if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "/"), byte != UInt8(ascii: "%") {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Nil for a name that `encoded` never gives: somebody else's node.
    package static func decoded(_ name: String) -> String? {
        if name == "%" { return "" }
        var out: [UInt8] = []
        var rest = name.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                out.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                return nil
            }
            out.append(high << 4 | low)
        }
        guard let id = String(validating: out, as: UTF8.self), encoded(id) == name else { return nil }
        return id
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
