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

    /// The bytes themselves: for encrypted connections and old formats.
    package func contents() throws(DiskError) -> [UInt8] {
        guard let region else { return [] }
        return try region.contents()
    }
}

extension FileRegion {
    package func contents() throws(DiskError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(length, 1), alignment: 16)
        defer { buffer.deallocate() }
        let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), at: offset)
        guard count == length else {
            throw DiskError(
                operation: "read", path: file.path, code: 0, reason: "\(count) of \(length) bytes at \(offset)")
        }
        return [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
}

package struct EpochEnd: Equatable {
    package var epoch: LeaderEpoch
    package var endOffset: Offset
    package init(epoch: LeaderEpoch, endOffset: Offset) {
        self.epoch = epoch
        self.endOffset = endOffset
    }
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
    package static let epochFile = "leader-epoch-checkpoint"
    package static let metadataFile = "partition.metadata"

    package let partition: TopicPartition
    /// `<log.dir>/<topic>-<partition>`
    package internal(set) var directory: String
    package internal(set) var topicID: UUID128?
    /// Changes take effect with the next append.
    package var settings: LogSettings
    /// Why nothing works any more: the first disk error. Nil while all is well.
    package internal(set) var offlineReason: String?
    /// Told once, when the log goes offline.
    package var wentOffline: ((String) -> Void)?
    /// There is more in ``damage``, or in ``suspects``.
    package var foundDamage: (() -> Void)?
    /// Segments, by their bases, in which a reader met something that is no batch: they should be checked soon.
    package internal(set) var suspects: Set<Offset> = []

    // MARK: Ends

    /// First offset that readers may ask for.
    package internal(set) var logStartOffset: Offset
    /// One behind the last record written.
    package internal(set) var logEndOffset: Offset
    /// Everything below counts as held: written, and synced where `flush.messages` asks for that. Nobody may be told that more is
    /// there.
    package internal(set) var heldEnd: Offset
    /// One behind the last record accepted: what the next append gets.
    package internal(set) var nextOffset: Offset
    /// Everything below is synced.
    package internal(set) var recoveryPoint: Offset
    /// Bytes in all segments.
    package var size: Int64 { segments.reduce(0) { $0 + $1.size } }
    /// Files that hold the records, oldest first, by the first offset each may hold.
    package var segmentBases: [Offset] { segments.map(\.baseOffset) }
    /// First offset of the oldest open transaction; nil when there is none.
    package var firstUnstableOffset: Offset? { ledger.firstOpenTransaction }
    /// What readers of committed records may see: the high watermark, or the beginning of the oldest unfinished transaction.
    package func lastStableOffset(highWatermark: Offset) -> Offset {
        ledger.lastStableOffset(highWatermark: highWatermark)
    }
    /// What is remembered of producers: for tests and DescribeProducers.
    package internal(set) var ledger: ProducerLedger
    package internal(set) var epochs: EpochCache
    /// What the epochs' file says, or will once the lane of syncs has come to it: it may be behind `epochs`, and never
    /// contradicts them.
    /// Nil where nobody knows.
    var storedEpochs: EpochCache?

    // MARK: Within

    let world: any World
    let disk: any Disk
    /// Writes, rolls and cuts, in order.
    let lane: any DiskLane
    /// Of the log directory.
    let room: DiskRoom
    /// Accepted writes that found no room and are being taken back.
    var unwritten: Unwritten?
    /// The epoch that this replica began as a leader, until it follows.
    var ledEpoch: LeaderEpoch?
    /// Syncs, which must not hold up writes.
    let syncLane: any DiskLane
    /// Never empty while open; the last one grows.
    var segments: [Segment]
    var recent = RecentBatches()
    var isClosed = false

    /// Writes, rolls and syncs asked for and not completed.
    var inFlight = 0
    /// A segment's file is being made. Everything behind it waits, so that a crash finds no later segment without the earlier
    /// one's records.
    var isRolling = false
    /// Waits for the new segment's file: the old one may go then.
    var afterRoll: (() -> Void)?
    /// Given up, and removed after `file.delete.delay.ms`. Oldest first; a start removes those that were left.
    var deletedFiles: [(paths: [String], at: Instant)] = []
    var deferred: [Deferred] = []
    /// An operation that must be alone (cutting, closing) waits for quiet or works; everything later waits for it.
    var isExclusive = false
    var whenQuiet: (() -> Void)?
    var waiting: [() -> Void] = []
    /// Duplicates of batches that are not held yet.
    var duplicates: [(end: Offset, answer: (AppendError?) -> Void)] = []

    /// What removes superseded records just now.
    var cleaning: LogCleaning?

    var isSyncing = false
    var syncWaiters: [(AppendError?) -> Void] = []
    /// Counts cuts: a sync that began before one says nothing about what came after.
    var cuts = 0
    var lastSync: Instant
    /// Makes the recovery point known before a cut log is appended to; set by the directory.
    var persistRecoveryPoint: ((@escaping () -> Void) -> Void)?

    /// One that is replaced as a whole.
    struct SmallFile {
        var path: String
        var bytes: [UInt8]
    }

    enum Deferred {
        case write(bytes: [UInt8], segment: Segment, position: Int64, then: (DiskError?) -> Void)
        case roll(Roll)
    }

    init(
        partition: TopicPartition, directory: String, logDirectory: String, topicID: UUID128?, settings: LogSettings,
        loaded: LoadedLog, room: DiskRoom, world: any World
    ) {
        self.partition = partition
        self.directory = directory
        self.topicID = topicID
        self.settings = settings
        self.world = world
        self.room = room
        disk = world.disk
        lane = world.disk.lane(logDirectory)
        syncLane = world.disk.lane(logDirectory + "/#sync")
        segments = loaded.segments
        logStartOffset = loaded.logStartOffset
        logEndOffset = loaded.nextOffset
        heldEnd = loaded.nextOffset
        nextOffset = loaded.nextOffset
        recoveryPoint = loaded.recoveryPoint
        ledger = loaded.ledger
        epochs = loaded.epochs
        storedEpochs = loaded.storedEpochs
        lastSync = world.clock.now
        active.rollJitterMs = drawJitter()
    }

    var active: Segment {
        guard let last = segments.last else { preconditionFailure("log \(partition) has no segment") }
        return last
    }

    /// No record is taken now.
    package var isFull: Bool { room.isFull || unwritten != nil }
    /// Calls back once, when it is worth trying again.
    package func whenThereIsRoom(_ work: @escaping () -> Void) { room.whenThereIsRoom(work) }

    /// Why nothing can be asked of the log.
    var refusal: AppendError? {
        if let offlineReason { return .offline(reason: offlineReason) }
        return isClosed ? .closed : nil
    }

    /// Its directory has failed elsewhere: nothing more is promised here either.
    func goOffline(_ reason: String) {
        guard offlineReason == nil else { return }
        offlineReason = reason
        cancelCleaning()
        let waiters = syncWaiters
        syncWaiters = []
        let answers = duplicates
        duplicates = []
        for waiter in waiters { waiter(.offline(reason: reason)) }
        for duplicate in answers { duplicate.answer(refusal) }
    }

    /// A disk error ends the log's service: what it promised is on the disk, and nobody knows what else is.
    func fail(_ error: DiskError) {
        guard offlineReason == nil else { return }
        offlineReason = error.description
        cancelCleaning()
        // A log that is closed or being deleted has nobody left to tell.
        if isClosed { return }
        world.journal.error("log went offline", ["partition": partition, "reason": error])
        let waiters = syncWaiters
        syncWaiters = []
        let answers = duplicates
        duplicates = []
        wentOffline?(error.description)
        for waiter in waiters { waiter(.offline(reason: error.description)) }
        for duplicate in answers { duplicate.answer(refusal) }
    }

    // MARK: Leader epochs

    package var latestEpoch: LeaderEpoch? { epochs.latest }
    /// Which epoch the record at `offset` was written under.
    package func epoch(ofOffset offset: Offset) -> LeaderEpoch? { epochs.epoch(of: offset) }

    /// A leader begins its epoch at the log's end. No effect when the epoch is known.
    package func beginEpoch(_ epoch: LeaderEpoch) {
        ledEpoch = epoch
        if epochs.assign(epoch, from: nextOffset) { epochsChanged() }
    }

    /// OffsetsForLeaderEpoch: the largest epoch not above `epoch` that is known here and where it ends. Nil: undefined (-1, -1).
    package func endOffset(forEpoch epoch: LeaderEpoch) -> EpochEnd? { epochs.end(of: epoch, logEnd: logEndOffset) }

    /// Epochs that only came to those in the file are written with the next sync: until then the records behind the recovery
    /// point tell them. So a broker that comes to lead a thousand partitions asks nothing of the disk.
    func epochsChanged() {
        guard let storedEpochs, epochs.extends(storedEpochs) else { return writeEpochs() }
    }

    /// Nil when the file says them already. The caller writes it, in the lane of syncs.
    func unwrittenEpochs() -> SmallFile? {
        guard epochs != storedEpochs else { return nil }
        storedEpochs = epochs
        return SmallFile(path: "\(directory)/\(PartitionLog.epochFile)", bytes: Array(epochs.text.utf8))
    }

    /// In the lane of syncs, so that no later sync can be done before the epochs of what it covers are.
    func writeEpochs() {
        guard let file = unwrittenEpochs() else { return }
        let disk = self.disk
        syncLane.perform { () throws(DiskError) in
            try disk.replace(file.path, with: file.bytes)
        } then: { result in
            guard case .failure(let error) = result, !self.isClosed else { return }
            guard error.isWantOfRoom else { return self.fail(error) }
            self.storedEpochs = nil
            self.room.ranOut(error)
            self.room.whenThereIsRoom { [weak self] in self?.writeEpochs() }
        }
    }
}
