import Bytes
import CoordinationProtocol
import Glibc
import Platform

/// Bytes of a log that are no entry, and what can be known about them.
struct LogDamage: Equatable {
    /// Where they begin.
    var offset: Int64
    /// From there to the last byte that is not zero.
    var bytes: Int64
    /// The transaction that should stand there.
    var zxid: Int64
    /// It has its length and its end, and only the checksum does not fit.
    var wasWhole = false
    /// Whole entries behind it.
    var following: ClosedRange<Int64>?
    /// Where the last of those ends.
    var followingEnd: Int64 = 0
    /// Nothing broken stands behind the last of those.
    var endsWhole: Bool { following != nil && followingEnd == offset + bytes }
    /// Some of those were written after this one was durable, or nobody can tell.
    var isAcknowledged = false
}

/// One log file, read from its header to its last whole entry.
struct LogScan {
    enum End: Equatable {
        /// Entries, and behind them nothing or zeros.
        case clean
        /// No more than a part of a header, and zeros: the machine stopped before the first entry.
        case noHeader
        /// It begins as no transaction log does.
        case foreign
        /// The last write never ended, so nobody was told of it.
        case torn(LogDamage)
        /// What was promised lies behind it.
        case damaged(LogDamage)
        /// The one who was handed the entries wants no more, and why.
        case refused(String)
    }

    let path: String
    private(set) var sizeBytes: Int64 = 0
    private(set) var entries = 0
    private(set) var first: Int64?
    private(set) var last: Int64?
    /// Where the last whole entry ends.
    private(set) var endOffset: Int64 = 0
    private(set) var end = End.clean
    /// Its first bytes are not those of a log. A header is durable before the first entry: entries tell that it was damaged later.
    private(set) var hasBadHeader = false

    /// - Parameters:
    ///   - begins: the zxid in the file's name.
    ///   - each: handed every whole entry; a text ends the reading.
    init(
        _ path: String, begins: Int64, on disk: any Disk,
        each: (TransactionHeader, UnsafeRawBufferPointer) -> String? = { _, _ in nil }
    ) throws(DiskError) {
        self.path = path
        let file = try disk.open(path, .read)
        defer { file.close() }
        sizeBytes = file.size
        var window = FileWindow(file)
        try window.fill(atLeast: LogFormat.headerBytes)
        guard window.bytes.count >= LogFormat.headerBytes else {
            end = .noHeader
            return
        }
        var header = JuteReader(window.bytes)
        hasBadHeader = (try? header.int32()) != LogFormat.magic
        window.consume(LogFormat.headerBytes)
        while true {
            endOffset = window.offset
            switch LogFormat.next(window.bytes, longest: Int(clamping: sizeBytes - window.offset)) {
            case .entry(let entry, let count):
                var reader = JuteReader(entry)
                guard let transaction = try? TransactionHeader(from: &reader) else {
                    end = .refused(LogScan.unknownKind(path))
                    return
                }
                if let refusal = each(transaction, entry) {
                    end = .refused(refusal)
                    return
                }
                entries += 1
                first = first ?? transaction.zxid
                last = transaction.zxid
                window.consume(count)
            case .cut where window.offset + Int64(window.bytes.count) < sizeBytes:
                try window.fill(atLeast: window.bytes.count + 1)
            case .end, .cut, .damaged:
                end = try whatFollows(file, begins: begins)
                return
            }
        }
    }

    static func unknownKind(_ path: String) -> String {
        "\(path) holds a transaction of a kind not known here. It was written by a newer or other program."
    }

    /// What stands behind the last whole entry.
    private func whatFollows(_ file: any File, begins: Int64) throws(DiskError) -> End {
        let isHeaderless = hasBadHeader && entries == 0
        guard let extent = try Extent(of: file, from: endOffset) else { return isHeaderless ? .noHeader : .clean }
        if isHeaderless {
            var damage = LogDamage(offset: 0, bytes: extent.end, zxid: begins)
            try LogScan.find(&damage, in: file, from: endOffset, to: extent.end)
            return damage.following == nil ? .foreign : .damaged(damage)
        }
        var damage = LogDamage(
            offset: endOffset, bytes: extent.end - endOffset, zxid: last.map { $0 &+ 1 } ?? begins)
        try LogScan.find(&damage, in: file, from: endOffset, to: extent.end)
        return damage.isAcknowledged ? .damaged(damage) : .torn(damage)
    }

    /// Completes what is known of a damage: whether the broken entry has its end, and the whole ones behind it.
    private static func find(_ damage: inout LogDamage, in file: any File, from start: Int64, to end: Int64)
        throws(DiskError)
    {
        let stride: Int64 = 240 << 20, overlap: Int64 = 16 << 20
        var from = start
        while from < end {
            let count = Int(min(end - from, stride + overlap))
            let rest = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
            defer { rest.deallocate() }
            let filled = try file.read(into: rest, at: from)
            let bytes = UnsafeRawBufferPointer(rebasing: rest[..<filled])
            if from == start { damage.wasWhole = hasItsEnd(bytes) }
            findFollowing(bytes, &damage, from: from)
            from += stride
        }
    }

    /// Length and end mark fit together.
    private static func hasItsEnd(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var reader = ByteReader(bytes)
        guard (try? reader.int64()) != nil, let count = try? reader.int32(), count > 0,
            (try? reader.skip(Int(count))) != nil
        else { return false }
        return (try? reader.uint8()) == LogFormat.endMark
    }

    /// - Parameter from: where `bytes` begin in the file.
    private static func findFollowing(_ bytes: UnsafeRawBufferPointer, _ damage: inout LogDamage, from: Int64) {
        var position = 1
        while position + LogFormat.framingBytes + TransactionHeader.sizeBytes <= bytes.count {
            // The first half of a checksum is zero: most places are ruled out by it.
            guard bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self) == 0,
                bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) != 0,
                case .entry(let entry, let count) = LogFormat.next(
                    UnsafeRawBufferPointer(rebasing: bytes[position...]), longest: bytes.count - position)
            else {
                position += 1
                continue
            }
            var reader = JuteReader(entry)
            if let header = try? TransactionHeader(from: &reader), header.zxid >= damage.zxid {
                let first = damage.following?.lowerBound ?? header.zxid
                damage.following = min(first, header.zxid)...max(damage.following?.upperBound ?? first, header.zxid)
                damage.followingEnd = from + Int64(position + count)
                // A batch that began behind the damaged transaction was not written before that one was durable.
                if LogFormat.batch(of: entry).map({ $0 > damage.zxid }) ?? true { damage.isAcknowledged = true }
            }
            position += count
        }
    }
}

/// The part of a file that holds something other than zeros.
private struct Extent {
    var end: Int64

    init?(of file: any File, from start: Int64) throws(DiskError) {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
        defer { chunk.deallocate() }
        var last: Int64?
        var offset = start
        while let data = file.nextData(from: offset) {
            let filled = try file.read(into: chunk, at: data)
            guard filled > 0, let base = chunk.baseAddress else { break }
            // All bytes are zero when the first is and each equals the one before it.
            if chunk[0] != 0 || memcmp(base, base + 1, filled - 1) != 0,
                let index = chunk[..<filled].lastIndex(where: { $0 != 0 })
            {
                last = data + Int64(index) + 1
            }
            offset = data + Int64(filled)
        }
        guard let last else { return nil }
        end = last
    }
}

/// A stretch of a file that moves forward; what has not been consumed stays in view.
struct FileWindow: ~Copyable {
    private let file: any File
    private var memory: UnsafeMutableRawBufferPointer
    private var from = 0
    private var to = 0
    /// Where `bytes` stands in the file.
    private(set) var offset: Int64 = 0

    init(_ file: any File, step: Int = 1 << 20) {
        self.file = file
        memory = .allocate(byteCount: step, alignment: 8)
    }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[from..<to]) }

    mutating func consume(_ count: Int) {
        from += count
        offset += Int64(count)
    }

    /// Brings more into view: at least `count` bytes where the file has them.
    mutating func fill(atLeast count: Int) throws(DiskError) {
        guard to - from < count else { return }
        let held = bytes
        if count > memory.count / 2 {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(memory.count * 2, count), alignment: 8)
            larger.copyMemory(from: held)
            memory.deallocate()
            memory = larger
        } else {
            UnsafeMutableRawBufferPointer(rebasing: memory[..<held.count]).copyMemory(from: held)
        }
        to = held.count
        from = 0
        to += try file.read(
            into: UnsafeMutableRawBufferPointer(rebasing: memory[to...]), at: offset + Int64(to))
    }
}
