import FoundationEssentials

/// Data of a znode that is not what it should be.
package struct PayloadError: Error, Equatable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Writes compact JSON in the order it is told: Kafka's own order, so that people and tools see what they know.
struct JSONText {
    private(set) var text = ""
    private var first = true

    static func object(_ body: (inout JSONText) -> Void) -> String {
        var writer = JSONText()
        writer.text = "{"
        body(&writer)
        return writer.text + "}"
    }

    mutating func field(_ key: String, raw value: String) {
        if !first { text += "," }
        first = false
        text += JSONText.quoted(key) + ":" + value
    }
    mutating func field(_ key: String, _ value: String) { field(key, raw: JSONText.quoted(value)) }
    mutating func field(_ key: String, _ value: some BinaryInteger) { field(key, raw: String(value)) }
    mutating func field(_ key: String, _ values: [String]) {
        field(key, raw: "[" + values.map(JSONText.quoted).joined(separator: ",") + "]")
    }
    mutating func field(_ key: String, ids: [BrokerID]) { field(key, raw: JSONText.list(ids)) }

    static func list(_ ids: [BrokerID]) -> String { "[" + ids.map(\.description).joined(separator: ",") + "]" }

    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out + "\""
    }

    static func decode<T: Decodable>(_ type: T.Type, _ bytes: [UInt8], _ what: String) throws(PayloadError) -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            let shown = String(decoding: bytes.prefix(80), as: UTF8.self)
            throw PayloadError("\(what) cannot be read: \(bytes.isEmpty ? "no data" : shown)")
        }
    }
}

/// Ids of brokers, as JSON numbers.
extension BrokerID: Codable {
    package init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(Int32.self)) }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(raw)
    }
}
