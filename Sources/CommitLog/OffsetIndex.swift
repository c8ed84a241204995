import ClusterModel
import Platform

/// `NNN.index`: from offsets to places in the segment, one entry about every `index.interval.bytes`. An entry holds the last
/// offset of an appended set and the place where the set begins.
final class OffsetIndex {
    static let entrySize = 8
    let baseOffset: Offset
    let file: IndexFile

    struct Entry: Equatable {
        var offset: Offset
        var position: Int64
    }

    init(path: String, baseOffset: Offset, disk: any Disk) {
        self.baseOffset = baseOffset
        file = IndexFile(path: path, entrySize: OffsetIndex.entrySize, disk: disk)
    }

    init(opening path: String, baseOffset: Offset, disk: any Disk) throws(DiskError) {
        self.baseOffset = baseOffset
        file = try IndexFile(opening: path, entrySize: OffsetIndex.entrySize, disk: disk)
    }

    func isFull(_ limit: Int) -> Bool { file.count >= limit / OffsetIndex.entrySize }

    private func decoded(_ bytes: UnsafeRawBufferPointer) -> Entry {
        Entry(
            offset: baseOffset + Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self))),
            position: Int64(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: Int32.self))))
    }

    func entry(_ index: Int) throws(DiskError) -> Entry { try file.entry(index, decoded) }
    func last() throws(DiskError) -> Entry? { file.count == 0 ? nil : try entry(file.count - 1) }

    func append(_ offset: Offset, _ position: Int64) {
        var words = (Int32(offset - baseOffset).bigEndian, Int32(position).bigEndian)
        withUnsafeBytes(of: &words) { file.append($0) }
    }

    /// The last entry that is not behind `offset`; nil also when it points out of the log of `logSize` bytes: a start glances at the
    /// first and the last entry only, and what lies between may be damaged.
    func entry(atOrBefore offset: Offset, logSize: Int64) throws(DiskError) -> Entry? {
        guard let entry = try file.last(decoded, where: { $0.offset <= offset })?.entry else { return nil }
        return (0..<logSize).contains(entry.position) ? entry : nil
    }

    /// A place at or before the batch that holds `offset`, in a log of `logSize` bytes.
    func position(atOrBefore offset: Offset, logSize: Int64) throws(DiskError) -> Int64 {
        try entry(atOrBefore: offset, logSize: logSize)?.position ?? 0
    }

    /// Forgets entries that name `offset` or later, or a place at or behind `position`.
    func truncate(to offset: Offset, position: Int64) throws(DiskError) {
        let kept = try file.last(decoded, where: { $0.offset < offset && $0.position < position })
        file.truncate(toCount: (kept?.index ?? -1) + 1)
    }

    /// Whether the entries can be believed for a log of `logSize` bytes, as far as a glance tells.
    func looksSound(logSize: Int64) throws(DiskError) -> Bool {
        guard !file.hasOddSize else { return false }
        guard let last = try last() else { return true }
        let first = try entry(0)
        return first.offset >= baseOffset && last.offset >= first.offset && first.position >= 0
            && last.position >= first.position && last.position < logSize
            && (file.count == 1 || last.position > first.position)
    }
}
