import Bytes
import CoordinationProtocol

/// How a transaction log lies on the disk: a header of 16 bytes, then entries of checksum, length, bytes and an end mark.
enum LogFormat {
    static let magic: Int32 = 0x5A4B_4C47
    static let version: Int32 = 2
    static let headerBytes = 16
    static let endMark: UInt8 = 0x42
    /// Checksum, length and end mark around an entry's bytes.
    static let framingBytes = 13

    static var header: [UInt8] {
        var writer = JuteWriter()
        writer.int32(magic)
        writer.int32(version)
        writer.int64(0)
        return writer.bytes.array
    }

    /// Behind each record stands what Apache's servers take for a digest of the tree in a version they do not know, and
    /// pass over: this number, then the first zxid of the batch that was written and synced together. Where bytes in the
    /// middle are no entry, it tells a write that never ended from acknowledged changes that were damaged later.
    static let batchMark: Int32 = 0x4C42

    /// - Parameter batch: the first zxid of what is synced together with this; everything before it is durable when this is
    ///   written.
    static func append(
        _ header: TransactionHeader, _ record: TransactionRecord, batch: Int64, to writer: inout JuteWriter
    ) {
        let start = writer.bytes.count
        writer.int64(0)
        let frame = writer.beginFrame()
        header.write(to: &writer)
        record.write(to: &writer)
        writer.int32(batchMark)
        writer.int64(batch)
        writer.endFrame(frame)
        let entry = UnsafeRawBufferPointer(rebasing: writer.bytes.bytes[(start + 12)...])
        writer.bytes.patch(int64: Int64(Checksum.adler32(entry)), at: start)
        writer.bytes.uint8(endMark)
    }

    enum Found {
        /// - Parameter bytes: the whole entry's length, its framing included.
        case entry(UnsafeRawBufferPointer, bytes: Int)
        /// More bytes are needed to tell.
        case cut
        /// Zeros, as they are written ahead.
        case end
        case damaged
    }

    /// The first zxid of an entry's batch; nil when an Apache server wrote it.
    static func batch(of entry: UnsafeRawBufferPointer) -> Int64? {
        guard entry.count >= TransactionHeader.sizeBytes + 12 else { return nil }
        var reader = JuteReader(UnsafeRawBufferPointer(rebasing: entry[(entry.count - 12)...]))
        guard (try? reader.int32()) == batchMark else { return nil }
        return try? reader.int64()
    }

    /// What stands at the start of `bytes`.
    /// - Parameter longest: what the file could still hold: a length above it is none.
    static func next(_ bytes: UnsafeRawBufferPointer, longest: Int = Int(Int32.max)) -> Found {
        var reader = ByteReader(bytes)
        do throws(ByteError) {
            let sum = try reader.int64()
            let count = Int(try reader.int32())
            if count == 0, sum == 0 { return .end }
            guard count > 0, count <= longest, sum >= 0, sum <= 0xffff_ffff else { return .damaged }
            let entry = try reader.slice(count)
            guard try reader.uint8() == endMark, Int64(Checksum.adler32(entry)) == sum else { return .damaged }
            return .entry(entry, bytes: count + framingBytes)
        } catch {
            return .cut
        }
    }

    static func hex(_ zxid: Int64) -> String { String(UInt64(bitPattern: zxid), radix: 16) }

    /// The zxid in `log.1f`.
    static func zxid(ofLog name: String) -> Int64? {
        guard name.hasPrefix("log.") else { return nil }
        return UInt64(name.dropFirst(4), radix: 16).map { Int64(bitPattern: $0) }
    }
}
