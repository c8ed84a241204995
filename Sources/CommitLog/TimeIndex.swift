import ClusterModel
import Platform

/// `NNN.timeindex`: the largest timestamp so far and the last offset of the batch that has it. Both only grow.
final class TimeIndex {
    static let entrySize = 12
    let baseOffset: Offset
    let file: IndexFile

    struct Entry: Equatable {
        var timestamp: Int64
        var offset: Offset
    }

    init(path: String, baseOffset: Offset, disk: any Disk) {
        self.baseOffset = baseOffset
        file = IndexFile(path: path, entrySize: TimeIndex.entrySize, disk: disk)
    }

    init(opening path: String, baseOffset: Offset, disk: any Disk) throws(DiskError) {
        self.baseOffset = baseOffset
        file = try IndexFile(opening: path, entrySize: TimeIndex.entrySize, disk: disk)
    }

    /// One entry is left for the end of the segment.
    func isFull(_ limit: Int) -> Bool { file.count >= limit / TimeIndex.entrySize - 1 }

    private func decoded(_ bytes: UnsafeRawBufferPointer) -> Entry {
        Entry(
            timestamp: Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)),
            offset: baseOffset + Int64(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self))))
    }

    func entry(_ index: Int) throws(DiskError) -> Entry { try file.entry(index, decoded) }
    func last() throws(DiskError) -> Entry? { file.count == 0 ? nil : try entry(file.count - 1) }

    /// Nothing when the last entry is as late already.
    func append(_ timestamp: Int64, _ offset: Offset) throws(DiskError) {
        if let last = try last() {
            guard timestamp > last.timestamp, offset >= last.offset else { return }
        } else if timestamp < 0 {
            return
        }
        withUnsafeTemporaryEntry(timestamp, offset) { file.append($0) }
    }

    private func withUnsafeTemporaryEntry(_ timestamp: Int64, _ offset: Offset, _ use: (UnsafeRawBufferPointer) -> Void)
    {
        var words: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &words) { raw in
            raw.storeBytes(of: timestamp.bigEndian, as: Int64.self)
            raw.storeBytes(of: Int32(offset - baseOffset).bigEndian, toByteOffset: 8, as: Int32.self)
            use(UnsafeRawBufferPointer(rebasing: raw[..<TimeIndex.entrySize]))
        }
    }

    /// The last entry whose timestamp is at most `timestamp`.
    func entry(atOrBefore timestamp: Int64) throws(DiskError) -> Entry? {
        try file.last(decoded, where: { $0.timestamp <= timestamp })?.entry
    }

    func truncate(to offset: Offset) throws(DiskError) {
        let kept = try file.last(decoded, where: { $0.offset < offset })
        file.truncate(toCount: (kept?.index ?? -1) + 1)
    }

    func looksSound(nextOffset: Offset?) throws(DiskError) -> Bool {
        guard !file.hasOddSize else { return false }
        guard let last = try last() else { return true }
        let first = try entry(0)
        if let nextOffset, last.offset >= nextOffset { return false }
        return first.offset >= baseOffset && last.offset >= first.offset && last.timestamp >= first.timestamp
            && (file.count == 1 || last.timestamp > first.timestamp)
    }
}
