import Bytes
import ClusterModel
import Platform
import Records

/// What a partition's directory holds, checked and ready for a ``PartitionLog``.
struct LoadedLog {
    var segments: [Segment]
    var logStartOffset: Offset
    var nextOffset: Offset
    var recoveryPoint: Offset
    var ledger: ProducerLedger
    var epochs: EpochCache
    /// What their file says.
    var storedEpochs: EpochCache
    /// What had to be mended, for the journal.
    var repairs: [String]
    /// Offsets between two segments: compacted away, or a file is missing.
    var gaps: [Range<Offset>]
    /// What was synced once and is no longer what it was.
    var damaged: [DamagedStretch] { segments.flatMap(\.damaged) }

    /// Makes all records behind the recovery point durable. Cost: one sync of each segment there, and of two directories.
    func sync(_ directory: String, _ disk: any Disk) throws(DiskError) {
        guard nextOffset > recoveryPoint else { return }
        for (index, segment) in segments.enumerated()
        where index + 1 == segments.count || segments[index + 1].baseOffset >= recoveryPoint {
            try segment.file?.sync()
        }
        try disk.syncDirectory(directory)
        try disk.syncDirectory(parentDirectory(of: directory))
    }
}

/// Opens one partition's directory. After a clean stop it believes the files, after a glance; after any other it reads everything
/// from the recovery point on, cuts at the first bad batch, and rebuilds what follows from the records.
struct LogRecovery {
    let directory: String
    let disk: any Disk
    let settings: LogSettings
    let nowMs: Int64
    var repairs: [String] = []
    var segments: [Segment] = []
    private var gaps: [Range<Offset>] = []
    /// Where the segment ends that was opened last.
    private var endOfOpened: Offset = 0
    private var cutsAtGaps = false
    /// Of the last segment too; with a clean stop all that lies before it was synced as well.
    private var recoveryPoint: Offset = 0
    private var isClean = false
    /// As it was known last; nil when nobody knows.
    private var highWatermark: Offset?
    /// Bases of segments that were read whole.
    private var mendedBases: [Offset] = []
    /// Transactions end in them.
    private var hasMarkers = false

    init(directory: String, disk: any Disk, settings: LogSettings, nowMs: Int64) {
        self.directory = directory
        self.disk = disk
        self.settings = settings
        self.nowMs = nowMs
    }

    /// - Parameter isClean: the directory was closed in order.
    /// - Parameter lostPower: what was not synced may be missing anywhere: a gap between unsynced segments is a loss then, and
    ///   otherwise what compaction left to a follower.
    static func load(
        _ directory: String, disk: any Disk, settings: LogSettings, recoveryPoint: Offset, logStart: Offset,
        isClean: Bool, lostPower: Bool, highWatermark: Offset? = nil, nowMs: Int64
    ) throws(DiskError) -> LoadedLog {
        var recovery = LogRecovery(directory: directory, disk: disk, settings: settings, nowMs: nowMs)
        recovery.cutsAtGaps = lostPower && !isClean
        recovery.highWatermark = highWatermark
        return try recovery.load(recoveryPoint: recoveryPoint, logStart: logStart, isClean: isClean)
    }

    private mutating func load(recoveryPoint: Offset, logStart told: Offset, isClean: Bool) throws(DiskError)
        -> LoadedLog
    {
        var logStart = told
        self.recoveryPoint = recoveryPoint
        self.isClean = isClean
        try finishInterrupted()
        var epochs = loadEpochs()
        let epochsWereLost = epochs == nil
        try openSegments(from: isClean ? .max : recoveryPoint)
        try rebuildAborted()
        if segments.isEmpty { segments = [try emptySegment(at: logStart)] }
        var nextOffset = try endOfLog()
        // Records leave from the front, so only the loss of what was not synced can have brought the end below the start; else it is the
        // checkpoint that is wrong, and records are not removed on its word.
        if nextOffset < logStart, nextOffset > segments[0].baseOffset, !cutsAtGaps, recoveryPoint <= nextOffset {
            repairs.append(
                "passed over \(OffsetCheckpoint.logStarts): it says that the log begins at \(logStart), and it ends at \(nextOffset)"
            )
            logStart = segments[0].baseOffset
        }
        if nextOffset < logStart {
            repairs.append("removed all: the log ended at \(nextOffset), before its start \(logStart)")
            for segment in segments { try removeFiles(of: segment) }
            segments = [try emptySegment(at: logStart)]
            nextOffset = logStart
            epochs?.clear()
        }
        let start = max(logStart, segments[0].baseOffset)
        // The last segment grows: its indexes are wanted in memory.
        if let last = segments.last {
            last.aborted = try last.abortedTransactions(disk)
            try last.offsetIndex.file.unseal()
            try last.timeIndex.file.unseal()
            if let file = last.file {
                var scanner = HeaderScanner(file, from: 0, to: last.size, damaged: last.damaged)
                last.firstTimestamp = try scanner.next()?.maxTimestamp
            }
        }
        var cache = EpochCache()
        if let epochs { cache = epochs }
        _ = cache.truncateEnd(to: nextOffset)
        try readEpochs(into: &cache, from: epochsWereLost ? start : isClean ? nextOffset : recoveryPoint)
        _ = cache.truncateStart(to: start)
        // The file must not say what is not so. What records said anew is written before the recovery point passes them.
        var stored = epochs ?? EpochCache()
        if !cache.extends(stored) || (epochs == nil && disk.exists("\(directory)/\(PartitionLog.epochFile)")) {
            try disk.replace("\(directory)/\(PartitionLog.epochFile)", with: Array(cache.text.utf8))
            stored = cache
        }
        var ledger = try LogRecovery.ledger(
            directory, disk: disk, upTo: nextOffset, segments: segments.compactMap(\.stored))
        let committed = max(start, min(highWatermark ?? start, nextOffset))
        if ledger.hasSeenMarkers, try hasMarkers(from: committed) {
            ledger.takeEndings(
                from: try LogRecovery.ledger(
                    directory, disk: disk, upTo: nextOffset, segments: segments.compactMap(\.stored),
                    snapshotsUpTo: committed, dropsOthers: false))
        }
        return LoadedLog(
            segments: segments, logStartOffset: start, nextOffset: nextOffset,
            recoveryPoint: isClean ? nextOffset : min(recoveryPoint, nextOffset), ledger: ledger, epochs: cache,
            storedEpochs: stored, repairs: repairs, gaps: gaps.filter { $0.lowerBound >= start })
    }

    // MARK: Files

    /// What an interrupted deletion or compaction left behind.
    private mutating func finishInterrupted() throws(DiskError) {
        let names = try disk.list(directory).filter { !$0.isDirectory }.map(\.name)
        func base(_ name: String, _ suffix: String) -> Offset? {
            name.hasSuffix(suffix) ? SegmentFiles.parse(String(name.dropLast(suffix.utf8.count)))?.offset : nil
        }
        let lowestCleaned = names.compactMap { base($0, ".cleaned") }.min() ?? .max
        var swapped: [Offset] = []
        for name in names {
            let isStale = base(name, ".swap").map { $0 >= lowestCleaned } ?? false
            if isStale || name.hasSuffix(".deleted") || name.hasSuffix(".cleaned") || name.hasSuffix(".tmp") {
                try disk.remove("\(directory)/\(name)")
            } else if name.hasSuffix(".log.swap"), let offset = base(name, ".swap") {
                swapped.append(offset)
            }
        }
        for offset in swapped { try finishSwap(offset, names) }
        // Kafka names the records first: what is left of a swap that was nearly done.
        for name in try disk.list(directory).map(\.name) where base(name, ".swap") != nil {
            try disk.rename("\(directory)/\(name)", to: "\(directory)/\(name.dropLast(".swap".utf8.count))")
        }
    }

    /// A compacted segment replaces the plain ones in its range of offsets.
    private mutating func finishSwap(_ offset: Offset, _ names: [String]) throws(DiskError) {
        let swap = SegmentFiles.path(directory, offset, .log) + ".swap"
        let file = try disk.open(swap, .read)
        defer { file.close() }
        var last = offset
        var scanner = HeaderScanner(file, from: 0, to: file.size)
        var end: Int64 = 0
        while let header = try scanner.next() {
            last = header.lastOffset
            end = scanner.batchPosition + Int64(header.size)
        }
        // It was whole and synced when it got its name. What it should replace is better than what is left of it.
        if end != file.size, names.contains("\(SegmentFiles.digits(offset)).log") {
            repairs.append("gave up the replacement at \(offset): it is damaged at \(end) of \(file.size) bytes")
            for kind in SegmentFiles.Kind.allCases {
                let path = SegmentFiles.path(directory, offset, kind) + ".swap"
                if disk.exists(path) { try disk.remove(path) }
            }
            return
        }
        for name in names {
            // Of the segment itself only what comes again: the rest may have its name already.
            if let found = SegmentFiles.parse(name), found.kind != .snapshot, found.offset >= offset,
                found.offset <= last, found.offset > offset || found.kind == .log || names.contains(name + ".swap")
            {
                try disk.remove("\(directory)/\(name)")
            }
        }
        for kind in SegmentFiles.Kind.allCases.reversed() {
            let path = SegmentFiles.path(directory, offset, kind)
            if disk.exists(path + ".swap") { try disk.rename(path + ".swap", to: path) }
        }
        try disk.syncDirectory(directory)
        repairs.append("finished the replacement of \(offset)...\(last)")
    }

    private func removeFiles(of segment: Segment) throws(DiskError) {
        try LogRecovery.removeSegment(directory, segment.baseOffset, disk)
    }

    static func removeSegment(_ directory: String, _ offset: Offset, _ disk: any Disk) throws(DiskError) {
        for kind in SegmentFiles.Kind.allCases where kind != .snapshot {
            let path = SegmentFiles.path(directory, offset, kind)
            if disk.exists(path) { try disk.remove(path) }
        }
    }

    private func emptySegment(at offset: Offset) throws(DiskError) -> Segment {
        let segment = Segment(baseOffset: offset, directory: directory, nowMs: nowMs, disk: disk)
        segment.file = try disk.open(segment.path, .replace)
        return segment
    }

    // MARK: Segments

    /// Opens them all; reads and mends those that may hold something at or behind `unsynced`.
    private mutating func openSegments(from unsynced: Offset) throws(DiskError) {
        var bases: [Offset] = []
        var lastSnapshot: Offset?
        var others: [(offset: Offset, name: String)] = []
        for entry in try disk.list(directory) where !entry.isDirectory {
            guard let found = SegmentFiles.parse(entry.name) else { continue }
            switch found.kind {
            case .log: bases.append(found.offset)
            case .index, .timeIndex, .transactionIndex: others.append((found.offset, entry.name))
            case .snapshot: lastSnapshot = max(found.offset, lastSnapshot ?? 0)
            }
        }
        bases.sort()
        for other in others where !bases.contains(other.offset) { try disk.remove("\(directory)/\(other.name)") }
        var expected: Offset = 0
        var end: Offset?
        for (index, base) in bases.enumerated() {
            let next = index + 1 < bases.count ? bases[index + 1] : nil
            if cutsAtGaps, base > unsynced, !segments.isEmpty, base > (try endOfLog()) {
                try dropSegments(bases[index...], "what lay before it is lost")
                break
            }
            // Everything in a segment is below the next one's base. At the base itself the indexes may not have been synced yet.
            let isSynced = next.map { $0 < unsynced } ?? (unsynced == .max)
            let file = try disk.open(SegmentFiles.path(directory, base, .log), .update)
            let segment = try opened(file, base, next, believed: isSynced)
            if let segment {
                noteGap(before: base, after: end)
                segments.append(segment)
                end = endOfOpened
                continue
            }
            if mendedBases.isEmpty { expected = try endOfLog() }
            // A clean stop synced everything, and told the end in two ways.
            let durable = isClean ? next ?? max(recoveryPoint, lastSnapshot ?? 0) : recoveryPoint
            let (mended, isWhole) = try mend(file, base, expecting: max(expected, base), next: next, durable: durable)
            let last = try lastOffset(of: mended)
            if last == nil, base < expected {
                // Nothing in it lies behind the segment before: kept, it would give offsets out a second time.
                try dropSegments([base], "it began at \(base), and the log before it ends at \(expected)")
            } else {
                noteGap(before: base, after: end)
                segments.append(mended)
                mendedBases.append(base)
                expected = last.map { $0 + 1 } ?? base
                end = expected
            }
            if !isWhole {
                try dropSegments(bases[(index + 1)...], "it lay behind a bad batch")
                break
            }
        }
    }

    private mutating func noteGap(before base: Offset, after end: Offset?) {
        if let end, end < base { gaps.append(end..<base) }
    }

    /// The indexes of aborted transactions of what was read whole, from the ledger of what lies before it.
    private mutating func rebuildAborted() throws(DiskError) {
        let concerned = segments.filter { mendedBases.contains($0.baseOffset) }
        guard let first = concerned.first else { return }
        var ledger = ProducerLedger()
        if hasMarkers {
            let before = segments.filter { $0.baseOffset < first.baseOffset }.compactMap(\.stored)
            ledger = try LogRecovery.ledger(
                directory, disk: disk, upTo: first.baseOffset, segments: before, dropsOthers: false)
        }
        for segment in segments where segment.baseOffset >= first.baseOffset {
            guard let file = segment.file else { continue }
            var found: [AbortedTransaction] = []
            if hasMarkers {
                var scanner = BatchScanner(file, from: 0, to: segment.size, damaged: segment.damaged)
                while let (header, bytes) = try scanner.next() {
                    guard header.magic == 2, let batch = try? RecordBatch(bytes) else { continue }
                    if let aborted = ledger.appended(batch) { found.append(aborted) }
                }
            }
            guard mendedBases.contains(segment.baseOffset) else { continue }
            let path = SegmentFiles.path(directory, segment.baseOffset, .transactionIndex)
            segment.aborted = found.isEmpty ? [] : nil
            // Durable at once: an older one must not come back.
            if !found.isEmpty {
                try disk.replace(path, with: TransactionIndex.bytes(found))
            } else if disk.exists(path) {
                try disk.remove(path)
                try disk.syncDirectory(directory)
            }
        }
    }

    private mutating func dropSegments(_ bases: ArraySlice<Offset>, _ reason: String) throws(DiskError) {
        for base in bases.reversed() {
            repairs.append("removed segment \(base): \(reason)")
            try LogRecovery.removeSegment(directory, base, disk)
        }
        // They must not come back behind what is written next.
        if !bases.isEmpty { try disk.syncDirectory(directory) }
    }

    /// The segment with the indexes it has; nil when it must be read first.
    private mutating func opened(
        _ file: any File, _ base: Offset, _ next: Offset?, believed: Bool
    ) throws(DiskError) -> Segment? {
        guard believed else { return nil }
        do throws(DiskError) {
            let offsets = try OffsetIndex(
                opening: SegmentFiles.path(directory, base, .index), baseOffset: base, disk: disk)
            let times = try TimeIndex(
                opening: SegmentFiles.path(directory, base, .timeIndex), baseOffset: base, disk: disk)
            guard try offsets.looksSound(logSize: file.size), try times.looksSound(nextOffset: next) else {
                repairs.append("rebuilt the indexes of segment \(base): they contradict the log")
                return nil
            }
            // Where the last entry points a batch must begin, and from there they must follow to the end of the file.
            let from = try offsets.last()?.position ?? 0
            var scanner = HeaderScanner(file, from: from, to: file.size)
            var end = from
            var isFirst = true
            endOfOpened = base
            while let header = try scanner.next() {
                if isFirst, let last = try offsets.last(), header.baseOffset > last.offset { break }
                isFirst = false
                endOfOpened = header.lastOffset + 1
                end = scanner.batchPosition + Int64(header.size)
            }
            guard end == file.size else {
                repairs.append("read segment \(base) again: no batch at \(end) of \(file.size) bytes")
                return nil
            }
            let aborted: [AbortedTransaction]
            do throws(DiskError) { aborted = try Segment.storedAborted(base, directory, disk) } catch {
                guard error.code == 0 else { throw error }
                repairs.append("rebuilt the indexes of segment \(base): the one of aborted transactions is damaged")
                return nil
            }
            return try Segment(
                opened: file, baseOffset: base, directory: directory, offsetIndex: offsets, timeIndex: times,
                hasAborted: !aborted.isEmpty, nowMs: nowMs)
        } catch {
            guard error.isMissing else { throw error }
            repairs.append("rebuilt the indexes of segment \(base): one was missing")
            return nil
        }
    }

    /// Reads the whole segment, cuts it at the first batch that is bad and was never synced, passes over damage to what was, and
    /// makes its indexes anew.
    /// - Parameter durable: everything below was synced once.
    private mutating func mend(
        _ file: any File, _ base: Offset, expecting: Offset, next: Offset?, durable: Offset
    ) throws(DiskError) -> (Segment, isWhole: Bool) {
        let segment = Segment(baseOffset: base, directory: directory, nowMs: nowMs, disk: disk)
        segment.file = file
        // A killed process may have left a name that was never synced: the next sync takes care of it.
        segment.nameIsDurable = false
        var scanner = BatchScanner(file, from: 0, to: file.size)
        var expected = expecting
        var valid: Int64 = 0
        var lastEntryAt: Int64 = 0
        var maxTimestamp: Int64 = -1
        var offsetOfMax = base
        var firstTimestamp: Int64?
        while true {
            guard let (header, bytes) = try scanner.next(),
                header.lastOffset - base <= Int64(Int32.max), valid <= Int64(Int32.max),
                SegmentCheck.isGood(header, bytes, expected, next ?? .max)
            else {
                guard valid < file.size, BadBatch(at: expected, durableBelow: durable) == .damage else { break }
                let limit = next ?? .max
                let (position, offset) = try Resync.nextGood(file, after: valid, to: file.size, expected, limit)
                // Nothing good follows: the log goes on where it had been synced to.
                let end = offset == .max ? durable : max(expected, offset)
                segment.damaged.append(
                    DamagedStretch(segment: base, bytes: valid..<position, offsets: expected..<end))
                (valid, expected) = (position, end)
                scanner = BatchScanner(file, from: position, to: file.size)
                continue
            }
            if firstTimestamp == nil { firstTimestamp = header.maxTimestamp }
            if header.isControl { hasMarkers = true }
            if header.maxTimestamp > maxTimestamp {
                maxTimestamp = header.maxTimestamp
                offsetOfMax = header.lastOffset
            }
            if valid - lastEntryAt > Int64(settings.indexIntervalBytes) {
                segment.offsetIndex.append(header.lastOffset, valid)
                try segment.timeIndex.append(maxTimestamp, offsetOfMax)
                lastEntryAt = valid
            }
            valid += Int64(header.size)
            expected = header.lastOffset + 1
        }
        segment.recovered(
            size: valid, maxTimestamp: maxTimestamp, offsetOfMaxTimestamp: offsetOfMax, firstTimestamp: firstTimestamp)
        segment.finishTimes()
        let isWhole = valid == file.size
        if isWhole, next == nil, expected < durable {
            repairs.append("the log ends at \(expected): what was synced up to \(durable) is gone from the disk")
        }
        if !isWhole {
            repairs.append("cut segment \(base) from \(file.size) to \(valid) bytes")
            try file.truncate(to: valid)
            try file.sync()
        }
        for index in [segment.offsetIndex.file, segment.timeIndex.file] {
            guard let bytes = index.unwritten else { continue }
            try disk.write(bytes, to: index.path)
            index.seal()
        }
        return (segment, isWhole)
    }

    private func lastOffset(of segment: Segment) throws(DiskError) -> Offset? {
        guard let file = segment.file else { return nil }
        var last: Offset?
        var scanner = HeaderScanner(
            file, from: try segment.offsetIndex.last()?.position ?? 0, to: segment.size, damaged: segment.damaged)
        while let header = try scanner.next() { last = header.lastOffset }
        // What lay in a damaged end keeps its offsets: they were given out.
        if let stretch = segment.damaged.last, stretch.bytes.upperBound == segment.size {
            return stretch.offsets.upperBound - 1
        }
        return last
    }

    private func endOfLog() throws(DiskError) -> Offset {
        guard let last = segments.last else { return 0 }
        return try lastOffset(of: last).map { $0 + 1 } ?? last.baseOffset
    }
}

extension Disk {
    /// Replaces a file's content in place. Whoever needs it after a crash syncs it.
    func write(_ bytes: [UInt8], to path: String) throws(DiskError) {
        let file = try open(path, .replace)
        defer { file.close() }
        var problem: DiskError?
        bytes.withUnsafeBytes { raw in
            do throws(DiskError) { try file.write(raw, at: 0) } catch { problem = error }
        }
        if let problem { throw problem }
    }
}
