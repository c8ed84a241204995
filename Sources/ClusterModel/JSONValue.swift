/// A JSON text as it stands in a znode: parsed by hand, so that no program carries Foundation for it and a controller can read
/// thousands.
/// Objects keep their order; of doubled keys the last one counts, as with the writers' parsers.
package enum JSONValue: Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    package struct Member: Equatable {
        package var key: String
        package var value: JSONValue
    }

    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var array: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
    package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    /// Whole numbers, also those written as text: timestamps and block ends come as text.
    package var integer: Int64? {
        switch self {
        case .integer(let number): number
        case .string(let text): Int64(text)
        default: nil
        }
    }
    package var int32: Int32? { integer.flatMap { Int32(exactly: $0) } }
    package var brokers: [BrokerID]? {
        guard let array else { return nil }
        let ids = array.compactMap { $0.int32.map { BrokerID($0) } }
        return ids.count == array.count ? ids : nil
    }

    /// Nil when the bytes are not one whole JSON text.
    package init?(parsing bytes: [UInt8]) {
        var parser = JSONParser(bytes: bytes)
        guard let value = parser.value(depth: 0) else { return nil }
        parser.blanks()
        guard parser.position == bytes.count else { return nil }
        self = value
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var position = 0
    /// Deeper nesting is refused: the stack is ours, the text is not.
    static let deepest = 32

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func blanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    mutating func take(word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count else { return false }
        for index in 0..<count where bytes[position + index] != word.utf8Start[index] { return false }
        position += count
        return true
    }

    mutating func value(depth: Int) -> JSONValue? {
        guard depth < JSONParser.deepest else { return nil }
        blanks()
        switch next {
        case UInt8(ascii: "{"): return object(depth)
        case UInt8(ascii: "["): return array(depth)
        case UInt8(ascii: "\""): return text().map { .string($0) }
        case UInt8(ascii: "t"): return take(word: "true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return take(word: "false") ? .bool(false) : nil
        case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
        default: return number()
        }
    }

    mutating func object(_ depth: Int) -> JSONValue? {
        position += 1
        var members: [JSONValue.Member] = []
        blanks()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            blanks()
            guard next == UInt8(ascii: "\""), let key = text() else { return nil }
            blanks()
            guard take(UInt8(ascii: ":")), let value = value(depth: depth + 1) else { return nil }
            members.append(JSONValue.Member(key: key, value: value))
            blanks()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    mutating func array(_ depth: Int) -> JSONValue? {
        position += 1
        var items: [JSONValue] = []
        blanks()
        if take(UInt8(ascii: "]")) { return .array(items) }
        while true {
            guard let item = value(depth: depth + 1) else { return nil }
            items.append(item)
            blanks()
            if take(UInt8(ascii: "]")) { return .array(items) }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    mutating func number() -> JSONValue? {
        let start = position
        while let byte = next, (byte >= 0x30 && byte <= 0x39) || "+-.eE".utf8.contains(byte) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if let whole = Int64(text) { return .integer(whole) }
        return Double(text).map { .number($0) }
    }

    mutating func text() -> String? {
        position += 1
        var raw: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(validating: raw, as: UTF8.self)
            case UInt8(ascii: "\\"): guard escape(into: &raw) else { return nil }
            case 0..<0x20: return nil
            default: raw.append(byte)
            }
        }
        return nil
    }

    mutating func escape(into raw: inout [UInt8]) -> Bool {
        guard let byte = next else { return false }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): raw.append(0x0a)
        case UInt8(ascii: "r"): raw.append(0x0d)
        case UInt8(ascii: "t"): raw.append(0x09)
        case UInt8(ascii: "b"): raw.append(0x08)
        case UInt8(ascii: "f"): raw.append(0x0c)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): raw.append(byte)
        case UInt8(ascii: "u"):
            guard var code = hex4() else { return false }
            if code >= 0xd800, code < 0xdc00 {
                guard take(word: "\\u"), let low = hex4(), low >= 0xdc00, low < 0xe000 else { return false }
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { return false }
            raw.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: return false
        }
        return true
    }

    mutating func hex4() -> UInt32? {
        guard bytes.count - position >= 4 else { return nil }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else { return nil }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
