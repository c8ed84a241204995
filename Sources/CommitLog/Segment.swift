import ClusterModel
import Platform
import Records

/// One stretch of the log: a file of batches, named by the first offset it may hold, and its two indexes. The last one grows;
/// the others are sealed.
final class Segment {
    let baseOffset: Offset
    let directory: String
    /// Nil while it is being made.
    var file: (any File)?
    /// Bytes accepted; those being written included.
    var size: Int64 = 0
    /// Of them, those at the end whose write has not completed: nobody may look there yet.
    private var unwritten: Int64 = 0
    /// Bytes that are in the file. A segment may be followed by another and still wait for its last writes.
    var written: Int64 { size - unwritten }
    var offsetIndex: OffsetIndex
    var timeIndex: TimeIndex
    /// Of all batches; -1 when none has one.
    private(set) var maxTimestamp: Int64 = -1
    /// The last offset of the batch that has it.
    private(set) var offsetOfMaxTimestamp: Offset
    private var bytesSinceIndexEntry = 0
    /// The largest timestamp of the first append: what `segment.ms` counts from. Nil in an empty segment.
    var firstTimestamp: Int64?
    let createdMs: Int64
    /// How much sooner than `segment.ms` it is rolled.
    var rollJitterMs: Int64 = 0
    /// A crash cannot take the file's name away any more.
    var nameIsDurable: Bool

    /// Empty, without a file yet.
    init(baseOffset: Offset, directory: String, nowMs: Int64, disk: any Disk) {
        self.baseOffset = baseOffset
        self.directory = directory
        offsetIndex = OffsetIndex(
            path: SegmentFiles.path(directory, baseOffset, .index), baseOffset: baseOffset, disk: disk)
        timeIndex = TimeIndex(
            path: SegmentFiles.path(directory, baseOffset, .timeIndex), baseOffset: baseOffset, disk: disk)
        offsetOfMaxTimestamp = baseOffset
        createdMs = nowMs
        nameIsDurable = false
    }

    /// One that is there, with indexes believed sound.
    init(
        opened file: any File, baseOffset: Offset, directory: String, offsetIndex: OffsetIndex, timeIndex: TimeIndex,
        hasAborted: Bool, nowMs: Int64
    ) throws(DiskError) {
        self.baseOffset = baseOffset
        self.directory = directory
        self.file = file
        size = file.size
        self.offsetIndex = offsetIndex
        self.timeIndex = timeIndex
        offsetOfMaxTimestamp = baseOffset
        createdMs = nowMs
        nameIsDurable = true
        aborted = hasAborted ? nil : []
        if let last = try timeIndex.last() {
            maxTimestamp = last.timestamp
            offsetOfMaxTimestamp = last.offset
        }
    }

    /// Known to be so, by position.
    var damaged: [DamagedStretch] = []

    /// Aborted transactions whose markers are here; nil when they are in the file alone.
    var aborted: [AbortedTransaction]? = []

    static func storedAborted(
        _ base: Offset, _ directory: String, _ disk: any Disk
    ) throws(DiskError) -> [AbortedTransaction] {
        let path = SegmentFiles.path(directory, base, .transactionIndex)
        guard disk.exists(path) else { return [] }
        guard let found = TransactionIndex.transactions(try disk.contents(path)) else {
            throw DiskError(operation: "read", path: path, code: 0, reason: "not an index of aborted transactions")
        }
        return found
    }

    func abortedTransactions(_ disk: any Disk) throws(DiskError) -> [AbortedTransaction] {
        if let aborted { return aborted }
        return try Segment.storedAborted(baseOffset, directory, disk)
    }

    /// What `segment.ms` and `max.compaction.lag.ms` count from; -1 when there is none. Looks into the file once.
    func readFirstTimestamp() throws(DiskError) -> Int64 {
        if firstTimestamp == nil, let file {
            var scanner = HeaderScanner(file, from: 0, to: size)
            firstTimestamp = try scanner.next()?.maxTimestamp
        }
        return firstTimestamp ?? -1
    }

    /// For work that a lane does.
    var stored: StoredSegment? {
        file.map { StoredSegment(base: baseOffset, file: $0, size: size, damaged: damaged) }
    }

    /// It grows no more, and its indexes are in their files.
    var isSealed: Bool { offsetIndex.file.isSealed && timeIndex.file.isSealed }

    var path: String { SegmentFiles.path(directory, baseOffset, .log) }

    /// A set of `bytes` at the end of the segment. Index entries as Kafka makes them: before the set is counted, for its last offset.
    func accepted(
        _ bytes: Int, lastOffset: Offset, maxTimestamp: Int64, offsetOfMaxTimestamp: Offset, indexInterval: Int
    ) {
        if size == 0 { firstTimestamp = maxTimestamp }
        if maxTimestamp > self.maxTimestamp {
            self.maxTimestamp = maxTimestamp
            self.offsetOfMaxTimestamp = offsetOfMaxTimestamp
        }
        if bytesSinceIndexEntry > indexInterval {
            offsetIndex.append(lastOffset, size)
            // In memory: nothing can fail.
            try? timeIndex.append(self.maxTimestamp, self.offsetOfMaxTimestamp)
            bytesSinceIndexEntry = 0
        }
        bytesSinceIndexEntry += bytes
        size += Int64(bytes)
        unwritten += Int64(bytes)
    }

    /// The oldest of what was accepted is in the file now.
    func wrote(_ bytes: Int) { unwritten -= Int64(bytes) }

    /// The segment will not grow any more: the time index gets its last word.
    func finishTimes() {
        try? timeIndex.append(maxTimestamp, offsetOfMaxTimestamp)
    }

    func mustRoll(
        before bytes: Int, lastOffset: Offset, maxTimestamp: Int64, settings: LogSettings, nowMs: Int64
    ) -> Bool {
        if lastOffset - baseOffset > Int64(Int32.max) { return true }
        guard size > 0 else { return false }
        if size > Int64(settings.segmentBytes) - Int64(bytes) { return true }
        let waited: Int64
        if let firstTimestamp, firstTimestamp >= 0 {
            waited = maxTimestamp &- firstTimestamp
        } else {
            waited = nowMs - createdMs
        }
        return waited > settings.segmentMs - rollJitterMs || offsetIndex.isFull(settings.segmentIndexBytes)
            || timeIndex.isFull(settings.segmentIndexBytes)
    }

    // MARK: Finding

    struct Place: Equatable {
        var baseOffset: Offset
        var position: Int64
        var size: Int
    }

    enum Finding: Equatable {
        case found(Place)
        /// The segment ends before.
        case nothing
        /// Batches should follow each other and do not: nobody may go on behind it as if nothing had been there.
        case noBatch(position: Int64)
    }

    /// The first batch whose last offset is at least `offset`.
    func place(of offset: Offset) throws(DiskError) -> Place? {
        if case .found(let place) = try find(offset) { return place }
        return nil
    }

    func find(_ offset: Offset) throws(DiskError) -> Finding {
        guard let file else { return .nothing }
        if let entry = try offsetIndex.entry(atOrBefore: offset, logSize: written) {
            let found = try scan(file, from: entry.position, for: offset, notBehind: entry.offset)
            // The index may be what is wrong: the log itself decides.
            if case .noBatch = found {} else { return found }
        }
        return try scan(file, from: 0, for: offset, notBehind: .max)
    }

    /// - Parameter first: the batch at `position` begins no later.
    private func scan(
        _ file: any File, from position: Int64, for offset: Offset, notBehind first: Offset
    ) throws(DiskError) -> Finding {
        var scanner = HeaderScanner(file, from: position, to: written, damaged: damaged)
        var isFirst = damaged.skip(position) == position
        var last: Offset = -1
        while let header = try scanner.next() {
            if isFirst, header.baseOffset > first { return .noBatch(position: position) }
            isFirst = false
            guard header.lastOffset > last else { return .noBatch(position: scanner.batchPosition) }
            last = header.lastOffset
            if header.lastOffset >= offset {
                return .found(Place(baseOffset: header.baseOffset, position: scanner.batchPosition, size: header.size))
            }
        }
        return scanner.isAtEnd ? .nothing : .noBatch(position: scanner.position)
    }

    /// Cuts the view to `position`, where the batch at or behind `offset` begins. The file itself is cut by somebody else.
    func truncate(to offset: Offset, position: Int64) throws(DiskError) {
        try offsetIndex.file.unseal()
        try timeIndex.file.unseal()
        try offsetIndex.truncate(to: offset, position: position)
        try timeIndex.truncate(to: offset)
        size = position
        unwritten = 0
        damaged.removeAll { $0.bytes.lowerBound >= position }
        bytesSinceIndexEntry = 0
        if position == 0 { firstTimestamp = nil }
        try readMaxTimestamp()
    }

    /// From the time index and what lies behind its last entry.
    private func readMaxTimestamp() throws(DiskError) {
        maxTimestamp = -1
        offsetOfMaxTimestamp = baseOffset
        var from: Int64 = 0
        if let last = try timeIndex.last() {
            maxTimestamp = last.timestamp
            offsetOfMaxTimestamp = last.offset
            from = try offsetIndex.position(atOrBefore: last.offset, logSize: size)
        }
        guard let file else { return }
        var scanner = HeaderScanner(file, from: from, to: size, damaged: damaged)
        while let header = try scanner.next() {
            guard header.maxTimestamp > maxTimestamp else { continue }
            maxTimestamp = header.maxTimestamp
            offsetOfMaxTimestamp = header.lastOffset
        }
    }

    /// What a scan of the whole file found (``LogRecovery``).
    func recovered(size: Int64, maxTimestamp: Int64, offsetOfMaxTimestamp: Offset, firstTimestamp: Int64?) {
        self.size = size
        self.maxTimestamp = maxTimestamp
        self.offsetOfMaxTimestamp = offsetOfMaxTimestamp
        self.firstTimestamp = firstTimestamp
        bytesSinceIndexEntry = 0
    }
}

/// A segment as values that a lane's helper may have.
struct StoredSegment {
    var base: Offset
    var file: any File
    var size: Int64
    var damaged: [DamagedStretch]
}

/// How the files of a log are named.
package enum SegmentFiles {
    package enum Kind: String, CaseIterable, Sendable {
        case log = ".log"
        case index = ".index"
        case timeIndex = ".timeindex"
        case transactionIndex = ".txnindex"
        case snapshot = ".snapshot"
    }

    package static func path(_ directory: String, _ offset: Offset, _ kind: Kind) -> String {
        "\(directory)/\(digits(offset))\(kind.rawValue)"
    }

    /// Twenty of them.
    package static func digits(_ offset: Offset) -> String {
        let text = String(offset)
        return String(repeating: "0", count: max(0, 20 - text.utf8.count)) + text
    }

    /// Nil for a name of another form.
    package static func parse(_ name: String) -> (offset: Offset, kind: Kind)? {
        guard let dot = name.firstIndex(of: "."), let kind = Kind(rawValue: String(name[dot...])) else { return nil }
        let digits = name[..<dot]
        guard digits.utf8.count == 20, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let offset = Int64(digits),
            offset < 1 << 62
        else { return nil }
        return (offset, kind)
    }
}
