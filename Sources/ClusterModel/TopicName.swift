/// Kafka's rule for topic names: 1 to 249 characters of `[a-zA-Z0-9._-]`, neither `.` nor `..`.
package enum TopicName {
    package static let longest = 249

    /// Nil when the name is allowed, else Kafka's words for what is wrong with it.
    package static func problem(_ name: String) -> String? {
        if name.isEmpty { return "Topic name is invalid: the empty string is not allowed" }
        if name == "." || name == ".." { return "Topic name is invalid: '\(name)' is not allowed" }
        if name.utf16.count > longest {
            return "Topic name is invalid: the length of '\(name)' is longer than the max allowed length \(longest)"
        }
        if !name.utf8.allSatisfy(isAllowed) {
            return
                "Topic name is invalid: '\(name)' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        }
        return nil
    }

    package static func hasCollisionCharacters(_ name: String) -> Bool { name.contains(".") || name.contains("_") }

    /// Metrics write `.` as `_`: two topics that differ only there would share theirs.
    package static func collide(_ a: String, _ b: String) -> Bool { folded(a) == folded(b) }

    private static func folded(_ name: String) -> [UInt8] {
        name.utf8.map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "_") : $0 }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    package static let consumerOffsets = "__consumer_offsets"
    package static let transactionState = "__transaction_state"
    package static func isInternal(_ name: String) -> Bool { name == consumerOffsets || name == transactionState }
}
