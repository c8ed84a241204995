/// Data of a znode that is not what it should be.
package struct PayloadError: Error, Equatable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Writes compact JSON in the order it is told: Kafka's own order, so that people and tools see what they know.
package struct JSONText {
    package private(set) var text = ""
    private var first = true

    package static func object(_ body: (inout JSONText) -> Void) -> String {
        var writer = JSONText()
        writer.text = "{"
        body(&writer)
        return writer.text + "}"
    }

    package mutating func field(_ key: String, raw value: String) {
        if !first { text += "," }
        first = false
        text += JSONText.quoted(key) + ":" + value
    }
    package mutating func field(_ key: String, _ value: String) { field(key, raw: JSONText.quoted(value)) }
    package mutating func field(_ key: String, _ value: some BinaryInteger) { field(key, raw: String(value)) }
    package mutating func field(_ key: String, _ values: [String]) {
        field(key, raw: "[" + values.map(JSONText.quoted).joined(separator: ",") + "]")
    }
    mutating func field(_ key: String, ids: [BrokerID]) { field(key, raw: JSONText.list(ids)) }

    static func list(_ ids: [BrokerID]) -> String { "[" + ids.map(\.description).joined(separator: ",") + "]" }

    /// Escaped where Jackson escapes, and as it does.
    package static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{8}": out += "\\b"
            case "\u{c}": out += "\\f"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16, uppercase: true)
                    out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out + "\""
    }
}

/// A payload being read: says what it was meant to be when something is wrong with it.
struct JSONDocument {
    private let json: JSONValue
    private let what: String
    private let bytes: [UInt8]

    init(_ bytes: [UInt8], _ what: String) throws(PayloadError) {
        self.what = what
        self.bytes = bytes
        guard let json = JSONValue(parsing: bytes), json.members != nil else {
            self.json = .null
            throw unreadable
        }
        self.json = json
    }

    private var unreadable: PayloadError {
        let shown = String(decoding: bytes.prefix(80), as: UTF8.self)
        return PayloadError("\(what) cannot be read: \(bytes.isEmpty ? "no data" : shown)")
    }

    /// Nil when the key is missing or holds null.
    subscript(_ key: String) -> JSONValue? {
        guard let value = json[key], value != .null else { return nil }
        return value
    }

    /// The key must be there, and hold what `read` wants.
    func required<T>(_ key: String, _ read: (JSONValue) -> T?) throws(PayloadError) -> T {
        guard let value = self[key], let found = read(value) else { throw unreadable }
        return found
    }

    /// The key may be missing; what is there must be what `read` wants.
    func optional<T>(_ key: String, _ read: (JSONValue) -> T?) throws(PayloadError) -> T? {
        guard let value = self[key] else { return nil }
        guard let found = read(value) else { throw unreadable }
        return found
    }
}
