import FoundationEssentials
import Testing

/// What Apache Kafka 3.9.0 wrote and said, beside the tests.
enum GoldenFiles {
    private static let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try #require(FileManager.default.contents(atPath: "\(tests)/\(path)")))
    }
    static func lines(_ path: String) throws -> [String] {
        String(decoding: try bytes(path), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    /// A message, its version, its bytes, and how Kafka's converter writes it.
    struct Message {
        var name: String
        var version: Int16
        var bytes: [UInt8]
        var json: String
    }
    static func messages(_ names: String...) throws -> [Message] {
        try lines("ToolsTests/Golden/stored.tsv").compactMap { line in
            let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard words.count == 5, names.contains(words[0]) else { return nil }
            return Message(name: words[0], version: Int16(words[1]) ?? -1, bytes: hex(words[3]), json: words[4])
        }
    }

    static func hex(_ text: String) -> [UInt8] {
        let digits = text.filter { $0 != " " }.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
