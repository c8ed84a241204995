import ClusterModel
import Platform

/// What a cleaner may use.
package struct CleanerTools: Equatable, Sendable {
    /// `log.cleaner.dedupe.buffer.size`, shared out among the cleanings that may run at once.
    package var memoryBytes = 128 << 20
    /// `log.cleaner.io.buffer.load.factor`
    package var loadFactor = 0.9
    /// `log.cleaner.io.buffer.size`: how much is read before anybody else gets a turn.
    package var stepBytes = 512 << 10
    package init() {}
}

package enum CleaningOutcome: Equatable {
    /// Everything below the offset is clean.
    case cleaned(upTo: Offset, CleaningTotals)
    /// The log was cut, closed or moved meanwhile, or the disk had no room. Nothing is lost.
    case cancelled(String)
    /// The log cannot be cleaned: a line for the operator.
    case unusable(String)
}

/// A cleaning under way: has the work done step by step in a lane of little weight, swaps in what comes of it, and stops when the log
/// is cut or closed. All calls are on the deciding thread.
final class LogCleaning {
    private let log: PartitionLog
    private let world: any World
    private let lane: any DiskLane
    private let work: CleaningWork
    /// How long to wait after so many bytes.
    private let pause: (Int) -> Duration
    private let then: (CleaningOutcome) -> Void
    private var isCancelled = false

    init(
        _ log: PartitionLog, _ work: CleaningWork, lane: any DiskLane, pause: @escaping (Int) -> Duration,
        then: @escaping (CleaningOutcome) -> Void
    ) {
        self.log = log
        self.work = work
        self.lane = lane
        self.pause = pause
        self.then = then
        world = log.world
    }

    func cancel() { isCancelled = true }

    func go() {
        guard !isCancelled else { return giveUp("the log was cut or closed") }
        let work = self.work
        lane.perform { () throws(DiskError) -> (CleaningWork.Step, Int) in
            (try work.step(), work.bytesMoved)
        } then: { [self] result in
            switch result {
            case .success(let (step, bytes)): took(step, bytes)
            case .failure(let error):
                // Without a number it is no word of the disk's: a file that is not what it should be.
                if !isCancelled, error.code == 0 { return giveUp(error.description, isUnusable: true) }
                // What retention took away meanwhile is missing, and nothing else is wrong.
                if !isCancelled, !error.isNoSpace, !error.isMissing { log.fail(error) }
                giveUp(error.description)
            }
        }
    }

    private func took(_ step: CleaningWork.Step, _ bytes: Int) {
        guard !isCancelled else { return giveUp("the log was cut or closed") }
        switch step {
        case .went: goOn(bytes)
        case .made(let group):
            log.swapIn(group) { [self] isIn in
                if isIn { return goOn(bytes) }
                isCancelled = true
                giveUp("its segments are no longer there")
            }
        case .done(let offset): end(.cleaned(upTo: offset, work.totals))
        case .unusable(let reason): giveUp(reason, isUnusable: true)
        }
    }

    private func goOn(_ bytes: Int) {
        let pause = pause(bytes)
        if pause > .zero { world.after(pause) { [self] in go() } } else { go() }
    }

    private func giveUp(_ reason: String, isUnusable: Bool = false) {
        let work = self.work
        lane.perform { () throws(DiskError) in
            work.giveUp()
        } then: { [self] _ in
            end(isUnusable ? .unusable(reason) : .cancelled(reason))
        }
    }

    private func end(_ outcome: CleaningOutcome) {
        log.cleaningEnded(self)
        then(outcome)
    }
}

extension PartitionLog {
    package var isBeingCleaned: Bool { cleaning != nil }

    /// What could be cleaned now.
    /// - Parameter stableBelow: the last stable offset.
    /// - Parameter checkpoint: up to where it was cleaned before.
    package func cleanable(_ rules: CompactionRules, stableBelow: Offset, checkpoint: Offset?) -> Cleanable {
        compactionFacts(rules, stableBelow, checkpoint).cleanable(rules, nowMs: world.clock.wallMs)
    }

    private func compactionFacts(
        _ rules: CompactionRules, _ stableBelow: Offset, _ checkpoint: Offset?
    ) -> CompactionFacts {
        var pieces: [CompactionFacts.Piece] = []
        var sealed = true
        for segment in segments where sealed {
            sealed = segment.isSealed
            // Who asks for no maximum does not pay for a look into every segment.
            let first = rules.maxLagMs == .max ? -1 : (try? segment.readFirstTimestamp()) ?? -1
            pieces.append(
                .init(
                    baseOffset: segment.baseOffset, size: segment.size,
                    offsetIndexBytes: segment.offsetIndex.file.sizeBytes,
                    timeIndexBytes: segment.timeIndex.file.sizeBytes, newestMs: newest(segment), firstMs: first))
        }
        return CompactionFacts(
            pieces: pieces, logStartOffset: logStartOffset, logEndOffset: logEndOffset, checkpoint: checkpoint,
            // What compaction leaves out of unsynced segments would look like a loss after a power failure.
            settledBelow: min(stableBelow, recoveryPoint))
    }

    /// Cleans what ``cleanable(_:stableBelow:checkpoint:)`` tells. One cleaning at a time.
    /// - Parameter pause: how long to wait after so many bytes were read and written.
    package func clean(
        _ rules: CompactionRules, stableBelow: Offset, checkpoint: Offset?, tools: CleanerTools,
        pause: @escaping (Int) -> Duration = { _ in .zero }, then: @escaping (CleaningOutcome) -> Void
    ) {
        guard refusal == nil, !isExclusive, cleaning == nil else { return then(.cancelled("the log is busy")) }
        // What ended the transactions below `stableBelow` must be as durable as they are: a marker that is lost opens its transaction
        // again, and what is aborted then has superseded nothing.
        sync { [self] error in
            if let error { return then(.cancelled("\(error)")) }
            beginCleaning(rules, stableBelow, checkpoint, tools, pause, then)
        }
    }

    private func beginCleaning(
        _ rules: CompactionRules, _ stableBelow: Offset, _ checkpoint: Offset?, _ tools: CleanerTools,
        _ pause: @escaping (Int) -> Duration, _ then: @escaping (CleaningOutcome) -> Void
    ) {
        guard refusal == nil, !isExclusive, cleaning == nil else { return then(.cancelled("the log is busy")) }
        let facts = compactionFacts(rules, stableBelow, checkpoint)
        let cleanable = facts.cleanable(rules, nowMs: world.clock.wallMs)
        let sources = zip(segments, segments.dropFirst()).compactMap { segment, next -> CleaningWork.Source? in
            guard segment.baseOffset < cleanable.firstUncleanable, let file = segment.file else { return nil }
            return .init(
                baseOffset: segment.baseOffset, nextBase: next.baseOffset, file: file, size: segment.size,
                path: segment.path)
        }
        guard cleanable.dirtyBytes > 0, !sources.isEmpty else { return then(.cancelled("there is nothing to clean")) }
        let position: Int64
        do throws(DiskError) {
            let segment = segments[segmentIndex(of: cleanable.firstDirty)]
            position = try segment.offsetIndex.position(atOrBefore: cleanable.firstDirty, logSize: segment.size)
        } catch {
            fail(error)
            return then(.cancelled(error.description))
        }
        let orders = CleaningWork.Orders(
            directory: directory, disk: disk, sources: sources, facts: facts, cleanable: cleanable, settings: settings,
            tools: tools, lastWords: lastWords, aborted: segments.flatMap { $0.aborted ?? [] },
            abortedBases: segments.filter { $0.aborted == nil }.map(\.baseOffset),
            nowMs: world.clock.wallMs, deleteRetentionMs: rules.deleteRetentionMs,
            secret: (world.random(), world.random()), firstDirtyPosition: position)
        let cleaning = LogCleaning(
            self, CleaningWork(orders), lane: disk.backgroundLane(parentDirectory(of: directory)), pause: pause,
            then: then)
        self.cleaning = cleaning
        // Before any gap is made, the recovery point above it is known to the next start.
        guard let persistRecoveryPoint else { return cleaning.go() }
        persistRecoveryPoint { cleaning.go() }
    }

    private var lastWords: [Int64: RecordKeeper.LastWord] {
        ledger.entries.mapValues { entry in
            entry.batches.last.map { .data($0.lastOffset) } ?? .marker(epoch: entry.epoch)
        }
    }

    func cancelCleaning() {
        cleaning?.cancel()
        cleaning = nil
    }

    func cleaningEnded(_ ended: LogCleaning) {
        if cleaning === ended { cleaning = nil }
    }

    /// Readers get the cleaned segment from now on: it is open, and its indexes stay in memory until its files have their names.
    /// - Parameter then: with false when what it replaces is no longer there.
    func swapIn(_ group: CleanedGroup, then: @escaping (Bool) -> Void) {
        guard refusal == nil, !isExclusive,
            let first = segments.firstIndex(where: { $0.baseOffset == group.bases[0] }),
            first + group.bases.count < segments.count,
            segments[first..<(first + group.bases.count)].map(\.baseOffset) == group.bases
        else {
            let (disk, directory) = (self.disk, self.directory)
            return syncLane.perform { () throws(DiskError) in
                for kind in group.kinds {
                    let path = SegmentFiles.path(directory, group.segment.baseOffset, kind) + CleanedSegment.suffix
                    if disk.exists(path) { try disk.remove(path) }
                }
            } then: { _ in
                then(false)
            }
        }
        segments.replaceSubrange(first..<(first + group.bases.count), with: [group.segment])
        inFlight += 1
        let swap = SegmentSwap(disk: disk, directory: directory, group: group)
        syncLane.perform { () throws(DiskError) in
            try swap.perform()
        } then: { [self] result in
            switch result {
            case .success(let renamed):
                deletedFiles.append((renamed, world.clock.now))
                group.segment.offsetIndex.file.seal()
                group.segment.timeIndex.file.seal()
            case .failure(let error): fail(error)
            }
            landed()
            then(offlineReason == nil)
        }
    }
}

/// The order of renames in which a crash at any point leaves the old segments or the new one, never neither (``LogRecovery`` finishes
/// or undoes it). Kafka's names, so that either's start understands the other's halt.
struct SegmentSwap {
    static let suffix = ".swap"
    var disk: any Disk
    var directory: String
    var group: CleanedGroup

    /// - Returns: the files given up.
    func perform() throws(DiskError) -> [String] {
        let base = group.segment.baseOffset
        // While a `.cleaned` is left none of it counts.
        for kind in group.kinds {
            let path = SegmentFiles.path(directory, base, kind)
            try disk.rename(path + CleanedSegment.suffix, to: path + SegmentSwap.suffix)
        }
        // From here on a start goes forward: nothing may be given up before that is certain.
        try disk.syncDirectory(directory)
        var renamed: [String] = []
        // Oldest first: what is left, if anything, is younger than what is gone.
        for old in group.bases {
            renamed += try PartitionLog.markDeleted(
                directory, old, [.log, .index, .timeIndex, .transactionIndex], disk)
        }
        // The records last: as long as they are a `.swap`, a start looks for the rest.
        for kind in group.kinds {
            let path = SegmentFiles.path(directory, base, kind)
            try disk.rename(path + SegmentSwap.suffix, to: path)
        }
        try disk.syncDirectory(directory)
        return renamed
    }
}
