/// JSON for people: one member a line, two blanks a level.
package enum JSONLayout {
    /// Nil when `bytes` are not an object or a list.
    package static func indented(_ bytes: [UInt8]) -> String? {
        switch JSONValue(parsing: bytes) {
        case .object, .array: break
        default: return nil
        }
        var out: [UInt8] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        func line() { out += [10] + [UInt8](repeating: UInt8(ascii: " "), count: 2 * depth) }
        for byte in bytes {
            if isInString {
                out.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: " "), 9, 10, 13: continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                out.append(byte)
                depth += 1
                line()
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                let isEmpty = out.last { $0 != 10 && $0 != 32 }.map {
                    $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "[")
                }
                depth -= 1
                if isEmpty == true {
                    while out.last == 10 || out.last == 32 { out.removeLast() }
                } else {
                    line()
                }
                out.append(byte)
            case UInt8(ascii: ","):
                out.append(byte)
                line()
            case UInt8(ascii: ":"): out += [byte, 32]
            default:
                isInString = byte == UInt8(ascii: "\"")
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
