/// One press, whatever bytes the terminal sends for it.
enum Key: Equatable {
    case character(Character)
    case enter, tab, interrupt, endOfInput
    case backspace, delete, killWord, killToStart, killToEnd, yank
    case left, right, wordLeft, wordRight, home, end
    case up, down, search
    case clearScreen
}

/// Bytes to keys: UTF-8, control letters, and the escape sequences of the terminals in use (ANSI, xterm, the Linux console).
struct KeyDecoder {
    private var pending: [UInt8] = []

    /// What `bytes` complete; the beginning of a key stays until its rest comes.
    mutating func keys(from bytes: some Sequence<UInt8>) -> [Key] {
        pending += bytes
        var keys: [Key] = []
        var rest = pending[...]
        while let (key, length) = KeyDecoder.first(of: rest) {
            if let key { keys.append(key) }
            rest = rest.dropFirst(length)
        }
        pending = Array(rest)
        return keys
    }

    /// The first key and its length; no key for what means nothing here. Nil when more bytes are needed.
    private static func first(of bytes: ArraySlice<UInt8>) -> (key: Key?, length: Int)? {
        guard let first = bytes.first else { return nil }
        if first == 0x1b { return escape(bytes) }
        if first < 0x20 || first == 0x7f { return (control(first), 1) }
        let length = first < 0x80 ? 1 : first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        let body = bytes.prefix(length)
        guard length > 0, body.dropFirst().allSatisfy({ $0 & 0xc0 == 0x80 }) else { return (nil, 1) }
        guard body.count == length else { return nil }
        let text = String(decoding: body, as: UTF8.self)
        guard text.count == 1, let character = text.first else { return (nil, 1) }
        return (.character(character), length)
    }

    private static func control(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x01: .home
        case 0x02: .left
        case 0x03: .interrupt
        case 0x04: .endOfInput
        case 0x05: .end
        case 0x06: .right
        case 0x08, 0x7f: .backspace
        case 0x09: .tab
        case 0x0a, 0x0d: .enter
        case 0x0b: .killToEnd
        case 0x0c: .clearScreen
        case 0x0e: .down
        case 0x10: .up
        case 0x12: .search
        case 0x15: .killToStart
        case 0x17: .killWord
        case 0x19: .yank
        default: nil
        }
    }

    private static func escape(_ bytes: ArraySlice<UInt8>) -> (key: Key?, length: Int)? {
        let body = bytes.dropFirst()
        guard let second = body.first else { return nil }
        switch second {
        case UInt8(ascii: "b"): return (.wordLeft, 2)
        case UInt8(ascii: "f"): return (.wordRight, 2)
        case 0x7f: return (.killWord, 2)
        case UInt8(ascii: "["), UInt8(ascii: "O"):
            // Parameters, then one final letter.
            guard let final = body.dropFirst().firstIndex(where: { (0x40...0x7e).contains($0) }) else {
                return body.count > 16 ? (nil, body.count + 1) : nil
            }
            let parameters = String(decoding: body[(body.startIndex + 1)..<final], as: UTF8.self)
            return (sequence(parameters, bytes[final]), final - bytes.startIndex + 1)
        default: return (nil, 1)
        }
    }

    private static func sequence(_ parameters: String, _ final: UInt8) -> Key? {
        switch (Unicode.Scalar(final), parameters) {
        case ("A", _): .up
        case ("B", _): .down
        case ("C", ""): .right
        case ("D", ""): .left
        case ("C", _): .wordRight
        case ("D", _): .wordLeft
        case ("H", _), ("~", "1"), ("~", "7"): .home
        case ("F", _), ("~", "4"), ("~", "8"): .end
        case ("~", "3"): .delete
        default: nil
        }
    }
}
