import Bytes
import Glibc

@testable import KafkaProtocol

/// One line of a file in `Golden`.
struct GoldenVector {
    var version: Int16
    var kind: String
    var bytes: [UInt8]
    var fields: JSONValue
}

enum Golden {
    static func lines(_ name: String) -> [[Substring]] {
        let path = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        guard let file = fopen("/\(path)/Golden/\(name).tsv", "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false)
        }
    }

    static func vectors(_ name: String) -> [GoldenVector] {
        lines(name).map { line in
            var parser = JSONParser(bytes: Array(line[3].utf8))
            return GoldenVector(
                version: Int16(line[0]) ?? -1, kind: String(line[1]), bytes: hex(line[2]), fields: parser.value())
        }
    }

    static func hex(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let digit = character <= 57 ? character - 48 : character - 87
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }
}

enum JSONValue: Equatable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

/// Enough of JSON for our own files.
struct JSONParser {
    var bytes: [UInt8]
    var at = 0

    mutating func value() -> JSONValue {
        switch bytes[at] {
        case UInt8(ascii: "{"):
            at += 1
            var members: [String: JSONValue] = [:]
            while bytes[at] != UInt8(ascii: "}") {
                if bytes[at] == UInt8(ascii: ",") { at += 1 }
                let name = text()
                at += 1
                members[name] = value()
            }
            at += 1
            return .object(members)
        case UInt8(ascii: "["):
            at += 1
            var elements: [JSONValue] = []
            while bytes[at] != UInt8(ascii: "]") {
                if bytes[at] == UInt8(ascii: ",") { at += 1 }
                elements.append(value())
            }
            at += 1
            return .array(elements)
        case UInt8(ascii: "\""): return .string(text())
        case UInt8(ascii: "n"):
            at += 4
            return .null
        case UInt8(ascii: "t"):
            at += 4
            return .bool(true)
        case UInt8(ascii: "f"):
            at += 5
            return .bool(false)
        default:
            let start = at
            while at < bytes.count, !",}]".utf8.contains(bytes[at]) { at += 1 }
            return .number(String(decoding: bytes[start..<at], as: UTF8.self))
        }
    }

    private mutating func text() -> String {
        at += 1
        var scalars = String.UnicodeScalarView()
        while bytes[at] != UInt8(ascii: "\"") {
            if bytes[at] == UInt8(ascii: "\\") {
                at += 1
                if bytes[at] == UInt8(ascii: "u") {
                    let code = UInt32(String(decoding: bytes[at + 1..<at + 5], as: UTF8.self), radix: 16) ?? 0
                    scalars.append(Unicode.Scalar(code) ?? "?")
                    at += 5
                    continue
                }
            }
            scalars.append(Unicode.Scalar(bytes[at]))
            at += 1
        }
        at += 1
        return String(scalars)
    }
}

/// Compares a message with its fields by name. Returns the first difference, or nil.
func difference(_ value: Any, _ json: JSONValue, at path: String = "") -> String? {
    func unless(_ same: Bool) -> String? { same ? nil : "\(path): \(value) is not \(json)" }
    switch (value, json) {
    case (let flag as Bool, .bool(let other)): return unless(flag == other)
    case (let code as ErrorCode, .number(let text)): return unless("\(code.rawValue)" == text)
    case (let double as Double, .number(let text)): return unless(double == Double(text))
    case (let id as UUID128, .string(let text)): return unless(id.text == text)
    case (let text as String, .string(let other)): return unless(text == other)
    case (let bytes as [UInt8], .string(let text)): return unless(base64(bytes) == text)
    case (is RecordsField, _): return nil  // the vectors' fields do not show records; their bytes do
    case (let number as any BinaryInteger, .number(let text)): return unless("\(number)" == text)
    default: break
    }
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional {
        guard let wrapped = mirror.children.first else { return unless(json == .null) }
        return difference(wrapped.value, json, at: path)
    }
    switch json {
    case .array(let elements):
        let children = Array(mirror.children)
        guard mirror.displayStyle == .collection, children.count == elements.count else { return unless(false) }
        for (index, element) in elements.enumerated() {
            if let found = difference(children[index].value, element, at: "\(path)[\(index)]") { return found }
        }
        return nil
    case .object(let members):
        var named: [String: Any] = [:]
        for child in mirror.children {
            guard var name = child.label else { continue }
            for (ours, theirs) in [("IDs", "Ids"), ("ID", "Id")] {
                while let range = name.firstRange(of: ours) { name.replaceSubrange(range, with: theirs) }
            }
            named[name] = child.value
        }
        for (name, member) in members.sorted(by: { $0.key < $1.key }) {
            guard let child = named[name] else { return "\(path).\(name) is missing" }
            if let found = difference(child, member, at: "\(path).\(name)") { return found }
        }
        return nil
    default: return unless(false)
    }
}

func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let three = Array(bytes[start..<min(start + 3, bytes.count)])
        let word =
            UInt32(three[0]) << 16 | UInt32(three.count > 1 ? three[1] : 0) << 8
            | UInt32(three.count > 2 ? three[2] : 0)
        for digit in 0..<4 {
            text.append(digit <= three.count ? digits[Int(word >> UInt32(18 - 6 * digit)) & 63] : "=")
        }
    }
    return text
}
