import Bytes
import ClusterModel
import Platform
import Records

/// What several neighbouring segments become: written beside them under `.cleaned` names, swapped in when it is whole and synced.
struct CleanedGroup {
    /// Its indexes are in memory until the swap is done.
    var segment: Segment
    /// The segments it replaces, oldest first.
    var bases: [Offset]
    /// Files written: the records, the indexes, perhaps the aborted transactions.
    var kinds: [SegmentFiles.Kind]
}

/// A cleaned segment in the making. Belongs to the cleaner's lane until it is finished.
final class CleanedSegment {
    static let suffix = ".cleaned"
    private static let buffered = 1 << 20

    let segment: Segment
    private let directory: String
    private let disk: any Disk
    private let file: any File
    private let indexInterval: Int
    private var buffer = ByteWriter(capacity: 64 << 10)
    private var written: Int64 = 0
    /// Every batch so far was taken as it was.
    private(set) var isUnchanged = true

    init(_ baseOffset: Offset, directory: String, disk: any Disk, indexInterval: Int, nowMs: Int64) throws(DiskError) {
        self.directory = directory
        self.disk = disk
        self.indexInterval = indexInterval
        segment = Segment(baseOffset: baseOffset, directory: directory, nowMs: nowMs, disk: disk)
        file = try disk.open(segment.path + CleanedSegment.suffix, .replace)
        segment.file = file
    }

    func removed() { isUnchanged = false }

    /// - Parameter header: of `bytes`, one whole batch.
    func append(_ bytes: UnsafeRawBufferPointer, _ header: BatchHeader, isChanged: Bool) throws(DiskError) {
        if isChanged { isUnchanged = false }
        if buffer.count > 0, buffer.count + bytes.count > CleanedSegment.buffered { try writeOut() }
        buffer.raw(bytes)
        segment.accepted(
            bytes.count, lastOffset: header.lastOffset, maxTimestamp: header.maxTimestamp,
            offsetOfMaxTimestamp: header.lastOffset, indexInterval: indexInterval)
    }

    private func writeOut() throws(DiskError) {
        try file.write(buffer.bytes, at: written)
        written += Int64(buffer.count)
        buffer = ByteWriter(capacity: CleanedSegment.buffered)
    }

    /// Everything is on the device when this returns.
    /// - Parameter aborted: what the index of aborted transactions must say; nil when there was none and is none.
    /// - Parameter modifiedMs: retention by time goes by the file's age where records have none.
    func finish(
        replacing bases: [Offset], aborted: [AbortedTransaction]?, modifiedMs: Int64
    ) throws(DiskError) -> CleanedGroup {
        try writeOut()
        segment.wrote(Int(segment.size))
        segment.finishTimes()
        var kinds: [SegmentFiles.Kind] = [.index, .timeIndex]
        try put(segment.offsetIndex.file.unwritten ?? [], .index)
        try put(segment.timeIndex.file.unwritten ?? [], .timeIndex)
        if let aborted {
            kinds.append(.transactionIndex)
            try put(TransactionIndex.bytes(aborted), .transactionIndex)
        }
        try file.sync()
        try disk.setModified(segment.path + CleanedSegment.suffix, toMs: modifiedMs)
        segment.nameIsDurable = true
        segment.aborted = aborted == nil ? [] : nil
        return CleanedGroup(segment: segment, bases: bases, kinds: kinds + [.log])
    }

    private func put(_ bytes: [UInt8], _ kind: SegmentFiles.Kind) throws(DiskError) {
        let path = SegmentFiles.path(directory, segment.baseOffset, kind) + CleanedSegment.suffix
        try disk.write(bytes, to: path)
        let file = try disk.open(path, .update)
        defer { file.close() }
        try file.sync()
    }

    func discard() throws(DiskError) {
        for kind in SegmentFiles.Kind.allCases {
            let path = SegmentFiles.path(directory, segment.baseOffset, kind) + CleanedSegment.suffix
            if disk.exists(path) { try disk.remove(path) }
        }
    }
}
