import ClusterModel

/// The form which all of Kafka's small text files share: version 0, a count, that many lines of words.
enum Checkpoint {
    /// Nil when the text is of another form.
    static func lines(_ text: String) -> [[Substring]]? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        guard lines.count >= 2, lines[0] == "0", let count = Int(lines[1]), count == lines.count - 2 else { return nil }
        return lines.dropFirst(2).map { $0.split(separator: " ", omittingEmptySubsequences: true) }
    }
}

/// `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `replication-offset-checkpoint`, `cleaner-offset-checkpoint`: an
/// offset a partition.
package enum OffsetCheckpoint {
    package static let recoveryPoints = "recovery-point-offset-checkpoint"
    package static let logStarts = "log-start-offset-checkpoint"
    package static let cleaned = "cleaner-offset-checkpoint"
    package static let highWatermarks = "replication-offset-checkpoint"

    package static func text(_ offsets: [TopicPartition: Offset]) -> String {
        let lines = offsets.sorted { $0.key < $1.key }.map { "\($0.key.topic) \($0.key.partition) \($0.value)\n" }
        return "0\n\(lines.count)\n" + lines.joined()
    }

    /// Nil when it is not what `text` writes.
    package static func parse(_ text: String) -> [TopicPartition: Offset]? {
        guard let lines = Checkpoint.lines(text) else { return nil }
        var offsets: [TopicPartition: Offset] = [:]
        for line in lines {
            guard line.count == 3, let partition = Int32(line[1]), let offset = Int64(line[2]), partition >= 0,
                offset >= 0
            else { return nil }
            offsets[TopicPartition(String(line[0]), partition)] = offset
        }
        return offsets
    }
}
