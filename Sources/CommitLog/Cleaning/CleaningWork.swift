import ClusterModel
import Platform
import Records

/// One cleaning of one log, a step at a time: first the keys of the part that was not cleaned before, then group after group of segments
/// copied without what later records replace. Belongs to the cleaner's lane; nothing here touches the log itself.
final class CleaningWork {
    struct Source {
        var baseOffset: Offset
        /// The next segment's base.
        var nextBase: Offset
        var file: any File
        var size: Int64
        var path: String
    }

    struct Orders {
        var directory: String
        var disk: any Disk
        /// All segments below the first that must be left alone, oldest first.
        var sources: [Source]
        var facts: CompactionFacts
        var cleanable: Cleanable
        var settings: LogSettings
        var tools: CleanerTools
        var lastWords: [Int64: RecordKeeper.LastWord]
        /// As far as it is in memory; the others are asked of the files of `abortedBases`. Of the whole log: a transaction may end
        /// behind what is cleaned.
        var aborted: [AbortedTransaction]
        var abortedBases: [Offset]
        var nowMs: Int64
        var deleteRetentionMs: Int64
        var secret: (UInt64, UInt64)
        /// Where in the first dirty segment the dirty part begins, at the latest.
        var firstDirtyPosition: Int64
    }

    enum Step {
        case went
        /// Whole and synced, to be swapped in before the next step.
        case made(CleanedGroup)
        /// Everything below is clean.
        case done(upTo: Offset)
        /// The log cannot be cleaned; in words.
        case unusable(String)
    }

    private enum Phase {
        case beginning
        case indexing(source: Int, position: Int64)
        case copying(group: Int, source: Int, position: Int64)
        case done
    }

    private let orders: Orders
    private let map: OffsetMap
    private var keeper: RecordKeeper
    private var phase = Phase.beginning
    private var indexed = CleanedTransactions()
    private var groups: [Range<Int>] = []
    private var output: CleanedSegment?
    private var legacyHorizonMs: Int64 = 0
    /// By the last step, read and written: what the rate is reckoned from.
    private(set) var bytesMoved = 0
    private(set) var totals = CleaningTotals()

    init(_ orders: Orders) {
        self.orders = orders
        let range = orders.cleanable.firstUncleanable - orders.cleanable.firstDirty
        map = OffsetMap(
            bytes: orders.tools.memoryBytes, loadFactor: orders.tools.loadFactor, entries: range, secret: orders.secret)
        map.latestOffset = orders.cleanable.firstDirty - 1
        keeper = RecordKeeper(
            offsets: map, lastWords: orders.lastWords, nowMs: orders.nowMs, deleteRetentionMs: orders.deleteRetentionMs)
    }

    /// About `tools.stepBytes` further.
    func step() throws(DiskError) -> Step {
        bytesMoved = 0
        do throws(CleaningProblem) {
            switch phase {
            case .beginning:
                try begin()
                return .went
            case .indexing(let source, let position): return try index(source, position)
            case .copying(let group, let source, let position): return try copy(group, source, position)
            case .done:
                map.release()
                return .done(upTo: map.latestOffset + 1)
            }
        } catch {
            switch error {
            case .disk(let error): throw error
            case .unusable(let reason): return .unusable(reason)
            }
        }
    }

    /// What was begun and will not be finished goes.
    func giveUp() {
        try? output?.discard()
        output = nil
        map.release()
    }

    private func begin() throws(CleaningProblem) {
        let aborted = try disk { () throws(DiskError) in
            var found = orders.aborted
            for base in orders.abortedBases {
                found += try Segment.storedAborted(base, orders.directory, orders.disk)
            }
            return found
        }
        indexed.add(aborted)
        keeper.transactions.add(aborted)
        let first = orders.sources.lastIndex { $0.baseOffset <= orders.cleanable.firstDirty } ?? 0
        if first > 0 {
            let modified = try disk { () throws(DiskError) in
                try orders.disk.modifiedMs(orders.sources[first - 1].path)
            }
            legacyHorizonMs = modified - orders.deleteRetentionMs
        }
        phase = .indexing(source: first, position: orders.firstDirtyPosition)
    }

    private func disk<T>(_ work: () throws(DiskError) -> T) throws(CleaningProblem) -> T {
        do throws(DiskError) { return try work() } catch { throw .disk(error) }
    }

    private func records<T>(
        _ source: Source, _ header: BatchHeader, _ work: () throws(RecordError) -> T
    ) throws(CleaningProblem) -> T {
        do throws(RecordError) { return try work() } catch {
            throw .unusable("the batch at offset \(header.baseOffset) of \(source.path) cannot be read: \(error)")
        }
    }

    /// Goes through a source's batches from `position` on, until enough was read.
    /// - Parameter visit: false ends it behind that batch.
    /// - Returns: where to go on; nil at the source's end.
    private func scan(
        _ source: Source, from position: Int64,
        _ visit: (BatchHeader, UnsafeRawBufferPointer) throws(CleaningProblem) -> Bool
    ) throws(CleaningProblem) -> Int64? {
        var scanner = BatchScanner(source.file, from: position, to: source.size)
        while true {
            let next: (header: BatchHeader, bytes: UnsafeRawBufferPointer)?
            do throws(DiskError) { next = try scanner.next() } catch { throw .disk(error) }
            guard let (header, bytes) = next else {
                guard scanner.position == source.size else {
                    throw .unusable("no batch begins at byte \(scanner.position) of \(source.path)")
                }
                return nil
            }
            // The base offset is not covered by the checksum.
            guard header.matches(bytes), header.baseOffset >= (header.magic < 2 ? 0 : source.baseOffset),
                header.lastOffset >= source.baseOffset, header.lastOffset < source.nextBase
            else {
                throw .unusable(
                    "the batch at offset \(header.baseOffset), byte \(scanner.batchPosition) of \(source.path) is damaged"
                )
            }
            bytesMoved += bytes.count
            totals.bytesRead += Int64(bytes.count)
            let goesOn = try visit(header, bytes)
            if !goesOn || bytesMoved >= orders.tools.stepBytes { return scanner.position }
        }
    }

    // MARK: Keys

    private func index(_ at: Int, _ position: Int64) throws(CleaningProblem) -> Step {
        guard at < orders.sources.count else {
            try beginCopying()
            return .went
        }
        let source = orders.sources[at]
        var isFull = false
        let next = try scan(source, from: position) { (header, bytes) throws(CleaningProblem) in
            let fits = try records(source, header) { () throws(RecordError) in try put(header, bytes) }
            guard fits else {
                isFull = true
                return false
            }
            map.latestOffset = max(map.latestOffset, header.lastOffset)
            return true
        }
        if isFull {
            guard map.latestOffset >= orders.cleanable.firstDirty else {
                throw .unusable(
                    "log.cleaner.dedupe.buffer.size is too small: \(map.count) keys fit, and the batch at byte \(position) of \(source.path) has more"
                )
            }
            try beginCopying()
            return .went
        }
        if let next {
            phase = .indexing(source: at, position: next)
        } else {
            // What compaction or a leader left out at the end is clean as well.
            map.latestOffset = max(map.latestOffset, source.nextBase - 1)
            phase = .indexing(source: at + 1, position: 0)
        }
        return .went
    }

    /// - Returns: false when there is no room.
    private func put(_ header: BatchHeader, _ bytes: UnsafeRawBufferPointer) throws(RecordError) -> Bool {
        let firstDirty = orders.cleanable.firstDirty
        guard header.magic == 2 else {
            for record in try LegacyMessages.records(bytes) where record.offset >= firstDirty {
                guard let key = record.key else { continue }
                guard key.withUnsafeBytes({ map.put($0, record.offset) }) else { return false }
            }
            return true
        }
        let batch = try RecordBatch(bytes)
        if batch.isControl {
            _ = try indexed.metMarker(batch)
            return true
        }
        let isAborted = indexed.metData(batch)
        guard !isAborted, header.lastOffset >= firstDirty else { return true }
        var iterator = try RecordIterator(batch)
        while let record = try iterator.next() {
            guard let key = record.key, record.offset >= firstDirty else { continue }
            guard map.putSoon(key, record.offset) else { return false }
        }
        return map.putWaiting()
    }

    // MARK: Copies

    private func beginCopying() throws(CleaningProblem) {
        totals.keys = map.count
        groups = orders.facts.groups(
            below: map.latestOffset + 1, segmentBytes: orders.settings.segmentBytes,
            indexBytes: orders.settings.segmentIndexBytes)
        phase = groups.first.map { .copying(group: 0, source: $0.lowerBound, position: 0) } ?? .done
    }

    private func copy(_ group: Int, _ at: Int, _ position: Int64) throws(CleaningProblem) -> Step {
        let source = orders.sources[at]
        let out = try cleanedSegment(source.baseOffset)
        let keepsTombstones = try disk { () throws(DiskError) in
            try orders.disk.modifiedMs(source.path) > legacyHorizonMs
        }
        let next = try scan(source, from: position) { (header, bytes) throws(CleaningProblem) in
            let result = try records(source, header) { () throws(RecordError) in
                try filtered(header, bytes, keepsTombstones)
            }
            try disk { () throws(DiskError) in try take(result, header, bytes, out) }
            return true
        }
        if let next {
            phase = .copying(group: group, source: at, position: next)
        } else if at + 1 < groups[group].upperBound {
            phase = .copying(group: group, source: at + 1, position: 0)
        } else {
            let more = group + 1 < groups.count
            phase = more ? .copying(group: group + 1, source: groups[group + 1].lowerBound, position: 0) : .done
            return try disk { () throws(DiskError) in try finish(out, orders.sources[groups[group]]) }
        }
        return .went
    }

    private func cleanedSegment(_ base: Offset) throws(CleaningProblem) -> CleanedSegment {
        if let output { return output }
        let made = try disk { () throws(DiskError) in
            try CleanedSegment(
                base, directory: orders.directory, disk: orders.disk,
                indexInterval: orders.settings.indexIntervalBytes, nowMs: orders.nowMs)
        }
        output = made
        return made
    }

    private func filtered(
        _ header: BatchHeader, _ bytes: UnsafeRawBufferPointer, _ keepsTombstones: Bool
    ) throws(RecordError) -> FilteredBatch {
        guard header.magic == 2 else {
            let records = try LegacyMessages.records(bytes)
            return keeper.keepsLegacy(records, keepsTombstones: keepsTombstones) ? .unchanged : .removed
        }
        return try keeper.filtered(try RecordBatch(bytes))
    }

    private func take(
        _ result: FilteredBatch, _ header: BatchHeader, _ bytes: UnsafeRawBufferPointer, _ out: CleanedSegment
    ) throws(DiskError) {
        let before = out.segment.size
        switch result {
        case .removed: out.removed()
        case .unchanged: try out.append(bytes, header, isChanged: false)
        case .rewritten(let new):
            var problem: DiskError?
            new.withUnsafeBytes { raw in
                guard let header = BatchHeader(raw) else { preconditionFailure("a batch without a header was made") }
                do throws(DiskError) { try out.append(raw, header, isChanged: true) } catch { problem = error }
            }
            if let problem { throw problem }
        }
        bytesMoved += Int(out.segment.size - before)
        totals.bytesWritten += out.segment.size - before
    }

    private func finish(_ out: CleanedSegment, _ sources: ArraySlice<Source>) throws(DiskError) -> Step {
        let kept = keeper.transactions.takeKept()
        totals.keyless = keeper.keyless
        if sources.count == 1, out.isUnchanged {
            try out.discard()
            output = nil
            return .went
        }
        // An index that stood there must not be taken for this one's.
        let hadIndex = sources.contains {
            orders.disk.exists(SegmentFiles.path(orders.directory, $0.baseOffset, .transactionIndex))
        }
        let modified = try sources.last.map { last throws(DiskError) in try orders.disk.modifiedMs(last.path) }
        let group = try out.finish(
            replacing: sources.map(\.baseOffset), aborted: hadIndex || !kept.isEmpty ? kept : nil,
            modifiedMs: modified ?? orders.nowMs)
        output = nil
        return .made(group)
    }
}

private enum CleaningProblem: Error {
    case disk(DiskError)
    case unusable(String)
}

/// What a cleaning has done so far.
package struct CleaningTotals: Equatable {
    /// Different ones in the part that was not cleaned before.
    package var keys = 0
    package var bytesRead: Int64 = 0
    package var bytesWritten: Int64 = 0
    /// Records without a key, which were removed.
    package var keyless = 0
}
