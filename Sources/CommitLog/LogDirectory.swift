import Bytes
import ClusterModel
import Platform

/// `meta.properties`: whose directory this is.
package struct DirectoryIdentity: Equatable {
    package var brokerID: BrokerID?
    package var clusterID: String?
    package var directoryID: String?
    package init(brokerID: BrokerID? = nil, clusterID: String? = nil, directoryID: String? = nil) {
        self.brokerID = brokerID
        self.clusterID = clusterID
        self.directoryID = directoryID
    }
}

/// One entry of `log.dirs`: its lock, its identity, its checkpoints and its logs.
///
/// A start: `open` (takes the lock) → compare `identity` → `loadLogs` → serve → `close`. A stop without `close` is an unclean one.
package final class LogDirectory {
    package let path: String
    /// What `meta.properties` said; empty when there is none.
    package private(set) var identity: DirectoryIdentity
    /// The clean-stop marker was there (it is gone now).
    package private(set) var stoppedCleanly: Bool
    /// Without a clean stop and under another boot of the machine: the tails of the logs may be missing records that were
    /// acknowledged ("A start is a new life").
    package private(set) var tailIsSuspect: Bool
    /// Directories of Apache's `__consumer_offsets` and `__transaction_state`: they hold what this broker would ignore.
    package private(set) var internalTopicDirectories: [String]
    /// What `replication-offset-checkpoint` said.
    package private(set) var highWatermarks: [TopicPartition: Offset]
    package private(set) var logs: [TopicPartition: PartitionLog] = [:]

    private init(path: String) {
        self.path = path
        identity = DirectoryIdentity()
        stoppedCleanly = false
        tailIsSuspect = false
        internalTopicDirectories = []
        highWatermarks = [:]
    }

    /// Makes the directory when it is missing, locks it, reads what it says about itself. Blocks.
    package static func open(_ path: String, world: any World) throws(LogOpenError) -> LogDirectory { fatalError() }

    /// Writes `meta.properties`.
    package func identify(as identity: DirectoryIdentity) throws(LogOpenError) { fatalError() }

    /// Opens every partition found, recovering those that need it; finishes deletions. Blocks; for the start.
    /// A log that cannot be opened is left out and told in the journal and in `failures`.
    package func loadLogs(settings: (TopicPartition) -> LogSettings) throws(LogOpenError) { fatalError() }

    /// A new, empty log, or the one that is there. Small files; blocks briefly.
    package func createLog(
        _ partition: TopicPartition, topicID: UUID128?, settings: LogSettings, startingAt offset: Offset = 0
    ) throws(LogOpenError) -> PartitionLog { fatalError() }

    /// The log is gone from here at once; its files are renamed to `<name>.<uuid>-delete` and removed after
    /// `file.delete.delay.ms` by `removeDeleted`, or by the next start.
    package func deleteLog(_ partition: TopicPartition, then: @escaping (LogOpenError?) -> Void) { fatalError() }
    /// Removes what was renamed for deletion at least `olderThanMs` ago.
    package func removeDeleted(olderThanMs: Int64) { fatalError() }

    /// Every 5 s (`replica.high.watermark.checkpoint.interval.ms`). Done by the lane.
    package func checkpointHighWatermarks(_ highWatermarks: [TopicPartition: Offset]) { fatalError() }
    /// Every 60 s: recovery points and log start offsets.
    package func checkpointLogs() { fatalError() }

    /// Closes every log, writes the checkpoints and the clean-stop marker, gives up the lock.
    package func close(
        highWatermarks: [TopicPartition: Offset], brokerEpoch: BrokerEpoch, then: @escaping (LogOpenError?) -> Void
    ) { fatalError() }
}
