import FoundationEssentials

/// The golden data of the other tests, which lie beside this folder.
enum Golden {
    /// `…/Tests`
    static let tests = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    static func bytes(_ path: String) -> [UInt8] {
        [UInt8](FileManager.default.contents(atPath: "\(tests)/\(path)") ?? Data())
    }

    static func names(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(tests)/\(folder)")) ?? []).sorted()
    }

    static func hex(_ text: some Sequence<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text {
            let digit = character <= 57 ? character &- 48 : character &- 87
            if let first = high {
                bytes.append(first << 4 | digit & 15)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }

    /// Every array of batches that the Java library wrote for the tests of Records.
    static let batches: [[UInt8]] = {
        var found: [[UInt8]] = []
        let text = bytes("RecordsTests/Golden/records.json")
        let key = Array("\"hex\":\"".utf8)
        var at = 0
        while at + key.count < text.count {
            guard text[at] == key[0], text[at..<at + key.count].elementsEqual(key) else {
                at += 1
                continue
            }
            at += key.count
            let end = text[at...].firstIndex(of: UInt8(ascii: "\"")) ?? text.endIndex
            found.append(hex(text[at..<end]))
            at = end
        }
        return found
    }()

    /// The vectors of one message, as version and body.
    static func vectors(_ message: String) -> [(version: Int16, body: [UInt8])] {
        bytes("KafkaProtocolTests/Golden/\(message).tsv").split(separator: UInt8(ascii: "\n")).compactMap { line in
            let words = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
            guard words.count >= 3, let version = Int16(String(decoding: words[0], as: UTF8.self)) else { return nil }
            return (version, hex(words[2]))
        }
    }
}
