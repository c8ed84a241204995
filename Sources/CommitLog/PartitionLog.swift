import Bytes
import ClusterModel
import Platform
import Records

/// Where an append now lies.
package struct AppendedRange: Equatable {
    /// Half-open: `120..<123` for three records.
    package var offsets: Range<Offset>
    /// The idempotence rules recognised a batch that is in the log already: these are its offsets of then, nothing was appended.
    package var isDuplicate: Bool
    /// The largest timestamp among the appended batches (of a duplicate: its own).
    package var maxTimestamp: Int64
}

/// A piece of the log as it lies in one segment file, ready to be sent from there. It begins with the batch that contains the
/// offset asked for, so perhaps with records before it; its last batch may be cut by the number of bytes asked for.
package struct LogSlice {
    /// Nil when there is nothing below the bound.
    package var region: FileRegion?
    /// The first batch's base offset; the offset asked for when there is nothing.
    package var startOffset: Offset
    package var length: Int { region?.length ?? 0 }
}

package struct EpochEnd: Equatable {
    package var epoch: LeaderEpoch
    package var endOffset: Offset
}

package struct TimestampOffset: Equatable {
    package var timestamp: Int64
    package var offset: Offset
    package var leaderEpoch: LeaderEpoch
}

/// One partition on disk: its records in segments, and what must be known to find them again. It knows nothing of leaders: it
/// gives offsets, ranges and epochs. All calls and completions are on the deciding thread.
///
/// Appends are accepted at once (their offsets are given out) and answered when written; `logEndOffset` is behind
/// `nextOffset` while the disk is busy.
package final class PartitionLog {
    package let partition: TopicPartition
    /// `<log.dir>/<topic>-<partition>`
    package private(set) var directory: String
    package private(set) var topicID: UUID128?
    /// Changes take effect with the next append.
    package var settings: LogSettings
    /// Why nothing works any more: the first disk error. Nil while all is well.
    package private(set) var offlineReason: String?
    /// Told once, when the log goes offline.
    package var wentOffline: ((String) -> Void)?

    // MARK: Ends

    /// First offset that readers may ask for.
    package private(set) var logStartOffset: Offset
    /// One behind the last record written.
    package private(set) var logEndOffset: Offset
    /// One behind the last record accepted: what the next append gets.
    package private(set) var nextOffset: Offset
    /// Everything below is synced.
    package private(set) var recoveryPoint: Offset
    /// Bytes in all segments.
    package var size: Int64 { fatalError() }
    /// First offset of the oldest open transaction; nil when there is none.
    package var firstUnstableOffset: Offset? { fatalError() }

    init(partition: TopicPartition, directory: String, topicID: UUID128?, settings: LogSettings) {
        self.partition = partition
        self.directory = directory
        self.topicID = topicID
        self.settings = settings
        logStartOffset = 0
        logEndOffset = 0
        nextOffset = 0
        recoveryPoint = 0
    }

    // MARK: Appending

    /// The leader's append. `batches`: whole, validated v2 batches (`BatchValidator`); their base offsets and leader epochs are
    /// overwritten in place. Checks sequence numbers first (section 5 of Kafka's rules), so that nothing is written on error.
    /// - Parameter then: once, possibly within the call, after the write and, with `flush.messages`, after the sync.
    /// Cost: one write of all bytes from where they are. They may be reused as soon as this returns.
    package func append(
        _ batches: UnsafeMutableRawBufferPointer, leaderEpoch: LeaderEpoch,
        then: @escaping (Result<AppendedRange, AppendError>) -> Void
    ) { fatalError() }

    /// What a leader sent: offsets and epochs stay as they are. A cut batch at the end is left out. An empty range when no
    /// whole batch was there. Refuses offsets below `nextOffset`; gaps are fine (compaction makes them).
    package func appendAsFollower(
        _ batches: UnsafeRawBufferPointer, then: @escaping (Result<AppendedRange, AppendError>) -> Void
    ) { fatalError() }

    // MARK: Reading

    /// - Parameter below: high watermark, last stable offset or log end: only whole batches below it are in the slice.
    /// - Parameter atLeastOneBatch: when the first batch is larger than `maxBytes` the slice holds it whole all the same
    ///   (KIP-74); otherwise it is cut.
    /// Cost: none for reads near the end; otherwise an index look-up and a scan of some batch headers.
    package func read(from offset: Offset, maxBytes: Int, below: Offset, atLeastOneBatch: Bool) throws(ReadError) -> LogSlice {
        fatalError()
    }

    /// The first record (among those below `below`) whose timestamp is at least `timestamp`; nil when there is none.
    package func offset(forTimestamp timestamp: Int64, below: Offset) throws(ReadError) -> TimestampOffset? { fatalError() }
    /// The record with the largest timestamp (KIP-734): ListOffsets -3. Nil when no record has a timestamp.
    package func offsetOfMaxTimestamp() throws(ReadError) -> TimestampOffset? { fatalError() }

    // MARK: Leader epochs

    package var latestEpoch: LeaderEpoch? { fatalError() }
    /// Which epoch the record at `offset` was written under.
    package func epoch(ofOffset offset: Offset) -> LeaderEpoch? { fatalError() }
    /// A leader begins its epoch at the log's end. No effect when the epoch is known.
    package func beginEpoch(_ epoch: LeaderEpoch) { fatalError() }
    /// OffsetsForLeaderEpoch: the largest epoch not above `epoch` that is known here and where it ends. Nil: undefined (-1, -1).
    package func endOffset(forEpoch epoch: LeaderEpoch) -> EpochEnd? { fatalError() }

    // MARK: Cutting

    /// Cuts away `offset` and all behind it. Appends asked for afterwards wait until it is done.
    package func truncate(to offset: Offset, then: @escaping (AppendError?) -> Void) { fatalError() }
    /// Forgets everything and goes on at `offset`: the leader's log begins behind the end of this one.
    package func restart(at offset: Offset, then: @escaping (AppendError?) -> Void) { fatalError() }
    /// DeleteRecords, and the leader's log start as told to followers. Never backwards, never beyond `logEndOffset`.
    package func advanceLogStart(to offset: Offset) { fatalError() }

    // MARK: Durability

    /// Syncs all that is written. `recoveryPoint` moves when it is done.
    package func flush(then: @escaping (AppendError?) -> Void) { fatalError() }
    /// `flush.ms`: call it now and then.
    package func flushIfDue() { fatalError() }
    /// Forgets producers that wrote nothing for `producer.id.expiration.ms`.
    package func expireProducers() { fatalError() }
    /// Writes out indexes and the producers' state, syncs, closes. Nothing else works afterwards.
    package func close(then: @escaping (AppendError?) -> Void) { fatalError() }
}
