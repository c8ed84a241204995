import ClusterModel
import CommitLog

/// A topic's settings as its partitions need them: its own values, else the broker's.
package struct TopicConfig: Equatable, Sendable {
    package var log = LogSettings()
    /// `min.insync.replicas`
    package var minInSync = 1
    /// `max.message.bytes`
    package var maxMessageBytes = 1_048_588
    /// `message.timestamp.type` is LogAppendTime.
    package var usesLogAppendTime = false
    /// `message.timestamp.before.max.ms`, `message.timestamp.after.max.ms`
    package var timestampBeforeMaxMs = Int64.max
    package var timestampAfterMaxMs = Int64.max
    /// `file.delete.delay.ms`
    package var fileDeleteDelayMs: Int64 = 60_000
    /// `unclean.leader.election.enable`
    package var allowsUncleanElection = false
    /// What was set for the topic itself, as it was written.
    package var overrides: [String: String] = [:]

    package init() {}
}
