import ClusterModel
import Platform
import Records

/// Goes from batch to batch of a segment by their headers, in few reads.
struct HeaderScanner: ~Copyable {
    private static let chunk = 8 << 10

    private let file: any File
    private let end: Int64
    private(set) var position: Int64
    /// Where the batch last given begins.
    private(set) var batchPosition: Int64
    private let buffer: UnsafeMutableRawBufferPointer
    private var bufferStart: Int64 = 0
    private var buffered = 0
    private let damaged: [DamagedStretch]

    /// - Parameter damaged: what is passed over.
    init(_ file: any File, from position: Int64, to end: Int64, damaged: [DamagedStretch] = []) {
        self.file = file
        self.end = end
        self.damaged = damaged
        self.position = position
        batchPosition = position
        buffer = .allocate(byteCount: HeaderScanner.chunk, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// Nothing is left. Where `next` gave nil and this is false, no batch begins.
    var isAtEnd: Bool { position >= end }

    /// Nil at the end, and where no whole batch can begin.
    mutating func next() throws(DiskError) -> BatchHeader? {
        if !damaged.isEmpty { position = damaged.skip(position) }
        let left = end - position
        guard left >= 26 else { return nil }
        let wanted = Int(min(Int64(BatchHeader.wanted), left))
        if position < bufferStart || position + Int64(wanted) > bufferStart + Int64(buffered) {
            bufferStart = position
            let window = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(Int64(HeaderScanner.chunk), left))])
            buffered = try file.read(into: window, at: position)
        }
        let offset = Int(position - bufferStart)
        guard buffered - offset >= wanted else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + wanted])
        guard let header = BatchHeader(bytes), Int64(header.size) <= left else { return nil }
        batchPosition = position
        position += Int64(header.size)
        return header
    }
}

/// Reads a segment's batches whole, one after another, with memory used again. A class here was miscompiled by Swift 6.3
/// (-O, cross-module-optimization): it was put on the stack without its header, and freed as if it had one.
struct BatchScanner: ~Copyable {
    private static let chunk = 1 << 20

    private let file: any File
    private let end: Int64
    private(set) var position: Int64
    private(set) var batchPosition: Int64
    private var buffer: UnsafeMutableRawBufferPointer
    private var bufferStart: Int64
    private var buffered = 0
    private let damaged: [DamagedStretch]

    /// - Parameter damaged: what is passed over.
    init(_ file: any File, from position: Int64, to end: Int64, damaged: [DamagedStretch] = []) {
        self.file = file
        self.end = end
        self.damaged = damaged
        self.position = position
        batchPosition = position
        bufferStart = position
        buffer = .allocate(byteCount: Int(min(Int64(BatchScanner.chunk), max(64, end - position))), alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// The next batch's header and bytes, valid until the next call. Nil at the end, and where no whole batch can begin.
    mutating func next() throws(DiskError) -> (header: BatchHeader, bytes: UnsafeRawBufferPointer)? {
        if !damaged.isEmpty { position = damaged.skip(position) }
        let left = end - position
        guard left >= 26 else { return nil }
        let peek = try bytes(Int(min(Int64(BatchHeader.wanted), left)))
        guard let peek, let header = BatchHeader(peek), Int64(header.size) <= left, let whole = try bytes(header.size)
        else {
            return nil
        }
        batchPosition = position
        position += Int64(header.size)
        return (header, whole)
    }

    private mutating func bytes(_ count: Int) throws(DiskError) -> UnsafeRawBufferPointer? {
        var offset = Int(position - bufferStart)
        if offset + count > buffered {
            if count > buffer.count {
                buffer.deallocate()
                buffer = .allocate(byteCount: count, alignment: 16)
            }
            bufferStart = position
            offset = 0
            let room = Int(min(Int64(buffer.count), end - position))
            buffered = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]), at: position)
            guard buffered >= count else { return nil }
        }
        return UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + count])
    }
}

extension BatchHeader {
    /// Whether the bytes this header was read from are what was written: the checksum of their format.
    func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if magic == 2 {
            guard let batch = try? RecordBatch(bytes) else { return false }
            return batch.crcMatches
        }
        var messages = LegacyMessages(bytes)
        return (try? messages.next()) ?? nil != nil
    }
}
