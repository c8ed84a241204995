import Bytes
import ClusterModel
import Compression

/// A view of one whole v2 batch where it lies. Making one checks that the header is there and the lengths agree; it neither
/// copies nor looks at the records. Valid as long as the bytes are.
package struct RecordBatch {
    /// Everything before the records.
    package static let headerSize = 61
    /// The base offset and the length, which the length does not count.
    package static let overhead = 12

    enum Field {
        static let length = 8
        static let leaderEpoch = 12
        static let magic = 16
        static let crc = 17
        static let attributes = 21
        static let lastOffsetDelta = 23
        static let baseTimestamp = 27
        static let maxTimestamp = 35
        static let producerID = 43
        static let producerEpoch = 51
        static let baseSequence = 53
        static let count = 57
    }

    package static let logAppendTimeBit: Int16 = 1 << 3
    package static let transactionalBit: Int16 = 1 << 4
    package static let controlBit: Int16 = 1 << 5
    package static let deleteHorizonBit: Int16 = 1 << 6

    private let base: UnsafeRawPointer
    /// Total bytes, header and overhead included.
    package let size: Int

    /// The batch at the beginning of `bytes`, behind which others may lie.
    package init(_ bytes: UnsafeRawBufferPointer) throws(RecordError) {
        guard let base = bytes.baseAddress, bytes.count >= RecordBatch.headerSize else {
            throw .corrupt("\(bytes.count) bytes are less than a batch header")
        }
        let magic = base.load(fromByteOffset: Field.magic, as: UInt8.self)
        guard magic == 2 else { throw .invalid("magic \(magic) where 2 is expected") }
        let length = Int(Int32(bigEndian: base.loadUnaligned(fromByteOffset: Field.length, as: Int32.self)))
        guard length >= RecordBatch.headerSize - RecordBatch.overhead,
            length <= bytes.count - RecordBatch.overhead
        else { throw .corrupt("batch length \(length) with \(bytes.count) bytes there") }
        self.base = base
        size = length + RecordBatch.overhead
    }

    @inline(__always) private func int64(_ at: Int) -> Int64 {
        Int64(bigEndian: base.loadUnaligned(fromByteOffset: at, as: Int64.self))
    }
    @inline(__always) private func int32(_ at: Int) -> Int32 {
        Int32(bigEndian: base.loadUnaligned(fromByteOffset: at, as: Int32.self))
    }
    @inline(__always) private func int16(_ at: Int) -> Int16 {
        Int16(bigEndian: base.loadUnaligned(fromByteOffset: at, as: Int16.self))
    }

    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: size) }
    package var baseOffset: Offset { int64(0) }
    package var leaderEpoch: LeaderEpoch { LeaderEpoch(int32(Field.leaderEpoch)) }
    package var crc: UInt32 { UInt32(bitPattern: int32(Field.crc)) }
    package var attributes: Int16 { int16(Field.attributes) }
    package var lastOffsetDelta: Int32 { int32(Field.lastOffsetDelta) }
    /// The first record's timestamp; the delete horizon when `hasDeleteHorizon`.
    package var baseTimestamp: Int64 { int64(Field.baseTimestamp) }
    package var maxTimestamp: Int64 { int64(Field.maxTimestamp) }
    package var producerID: Int64 { int64(Field.producerID) }
    package var producerEpoch: Int16 { int16(Field.producerEpoch) }
    package var baseSequence: Int32 { int32(Field.baseSequence) }
    package var count: Int32 { int32(Field.count) }

    package var lastOffset: Offset { baseOffset &+ Int64(lastOffsetDelta) }
    package var nextOffset: Offset { lastOffset &+ 1 }
    package var hasProducerID: Bool { producerID >= 0 }
    /// Sequences count from 0 to 2³¹-1 and begin again.
    package var lastSequence: Int32 {
        baseSequence < 0 ? -1 : Sequence32.advanced(baseSequence, by: lastOffsetDelta)
    }
    package var isLogAppendTime: Bool { attributes & RecordBatch.logAppendTimeBit != 0 }
    package var isTransactional: Bool { attributes & RecordBatch.transactionalBit != 0 }
    package var isControl: Bool { attributes & RecordBatch.controlBit != 0 }
    package var hasDeleteHorizon: Bool { attributes & RecordBatch.deleteHorizonBit != 0 }
    /// Nil for the codes 5 to 7, which mean nothing.
    package var codec: Codec? { Codec(rawValue: UInt8(attributes & 7)) }

    /// The records as they lie: packed, when there is a codec.
    package var payload: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + RecordBatch.headerSize, count: size - RecordBatch.headerSize)
    }

    /// Cost: a pass over all bytes behind the checksum.
    package var computedCRC: UInt32 {
        Checksum.crc32c(
            UnsafeRawBufferPointer(start: base + Field.attributes, count: size - Field.attributes))
    }
    package var crcMatches: Bool { computedCRC == crc }
}

/// Changes to a batch where it lies.
extension RecordBatch {
    /// Both fields are outside the checksum: nothing else has to change.
    package static func place(
        _ batch: UnsafeMutableRawBufferPointer, at baseOffset: Offset, leaderEpoch: LeaderEpoch
    ) {
        precondition(batch.count >= headerSize, "placing a batch of \(batch.count) bytes")
        batch.storeBytes(of: baseOffset.bigEndian, toByteOffset: 0, as: Int64.self)
        batch.storeBytes(of: leaderEpoch.raw.bigEndian, toByteOffset: Field.leaderEpoch, as: Int32.self)
    }

    /// `message.timestamp.type=LogAppendTime`: every record takes `timestamp`. The checksum is computed anew.
    package static func stamp(_ batch: UnsafeMutableRawBufferPointer, logAppendTime timestamp: Int64) {
        precondition(batch.count >= headerSize, "stamping a batch of \(batch.count) bytes")
        let attributes = Int16(bigEndian: batch.loadUnaligned(fromByteOffset: Field.attributes, as: Int16.self))
        batch.storeBytes(of: (attributes | logAppendTimeBit).bigEndian, toByteOffset: Field.attributes, as: Int16.self)
        correct(batch, maxTimestamp: timestamp)
    }

    /// The largest timestamp is another one than the header says. The checksum is computed anew.
    package static func correct(_ batch: UnsafeMutableRawBufferPointer, maxTimestamp: Int64) {
        precondition(batch.count >= headerSize, "correcting a batch of \(batch.count) bytes")
        batch.storeBytes(of: maxTimestamp.bigEndian, toByteOffset: Field.maxTimestamp, as: Int64.self)
        let crc = Checksum.crc32c(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(batch)[Field.attributes...]))
        batch.storeBytes(of: crc.bigEndian, toByteOffset: Field.crc, as: UInt32.self)
    }
}

/// Arithmetic of producers' sequence numbers: 2³¹-1 is followed by 0.
package enum Sequence32 {
    package static func advanced(_ sequence: Int32, by delta: Int32) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(sequence) + Int64(delta)) & 0x7fff_ffff)
    }
    package static func next(_ sequence: Int32) -> Int32 { advanced(sequence, by: 1) }
}

/// The whole v2 batches of a buffer, one behind another. Ends quietly at a cut one, as fetched bytes may end; throws at bytes
/// that cannot begin a batch.
package struct RecordBatches {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next batch begins; behind the last `next` that gave nil: how many bytes were whole batches.
    package private(set) var position = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package mutating func next() throws(RecordError) -> RecordBatch? {
        let left = UnsafeRawBufferPointer(rebasing: bytes[position...])
        guard left.count >= RecordBatch.overhead + 5 else { return nil }
        let length = Int(Int32(bigEndian: left.loadUnaligned(fromByteOffset: 8, as: Int32.self)))
        guard length >= RecordBatch.headerSize - RecordBatch.overhead else {
            let magic = left[16]
            throw magic < 2 ? .invalid("magic \(magic) where 2 is expected") : .corrupt("batch length \(length)")
        }
        guard length + RecordBatch.overhead <= left.count else { return nil }
        let batch = try RecordBatch(left)
        position += batch.size
        return batch
    }
}

/// What finding one's way through a log needs of any entry, old formats included, from its first bytes.
package struct BatchHeader: Equatable {
    /// As many bytes as `init` wants; fewer do for old formats at the end of a file.
    package static let wanted = RecordBatch.headerSize

    package var baseOffset: Offset
    package var lastOffset: Offset
    package var size: Int
    package var magic: UInt8
    package var leaderEpoch: LeaderEpoch
    /// -1: none.
    package var maxTimestamp: Int64
    /// A transaction's marker.
    package var isControl = false

    /// Nil when these bytes cannot begin an entry.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 26 else { return nil }
        baseOffset = Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self)))
        magic = bytes[16]
        guard magic <= 2, baseOffset >= 0, baseOffset < 1 << 62, length >= (magic == 2 ? 49 : 14) else { return nil }
        size = length + RecordBatch.overhead
        switch magic {
        case 2:
            guard bytes.count >= RecordBatch.headerSize else { return nil }
            let delta = Int32(
                bigEndian: bytes.loadUnaligned(fromByteOffset: RecordBatch.Field.lastOffsetDelta, as: Int32.self))
            guard delta >= 0 else { return nil }
            lastOffset = baseOffset &+ Int64(delta)
            guard lastOffset >= baseOffset, lastOffset < 1 << 62 else { return nil }
            isControl = bytes[RecordBatch.Field.attributes + 1] & UInt8(RecordBatch.controlBit) != 0
            leaderEpoch = LeaderEpoch(
                Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: RecordBatch.Field.leaderEpoch, as: Int32.self)))
            maxTimestamp = Int64(
                bigEndian: bytes.loadUnaligned(fromByteOffset: RecordBatch.Field.maxTimestamp, as: Int64.self))
        default:
            lastOffset = baseOffset
            leaderEpoch = .none
            maxTimestamp = magic == 1 ? Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: 18, as: Int64.self)) : -1
        }
    }
}

/// The whole entries of a log in a buffer, of any format, one behind another. Ends quietly at a cut one, as fetched bytes may end;
/// throws at bytes that cannot begin an entry.
package struct LogEntries {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next entry begins.
    package private(set) var position = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package mutating func next() throws(RecordError) -> (header: BatchHeader, bytes: UnsafeRawBufferPointer)? {
        let left = UnsafeRawBufferPointer(rebasing: bytes[position...])
        guard left.count >= RecordBatch.overhead + 5 else { return nil }
        let length = Int(Int32(bigEndian: left.loadUnaligned(fromByteOffset: 8, as: Int32.self)))
        let least = left[16] == 2 ? RecordBatch.headerSize - RecordBatch.overhead : LegacyMessage.leastSize
        guard length >= least else { throw .corrupt("an entry of \(length) bytes in magic \(left[16])") }
        guard length + RecordBatch.overhead <= left.count else { return nil }
        guard let header = BatchHeader(left) else { throw .corrupt("no batch begins here (magic \(left[16]))") }
        position += header.size
        return (header, UnsafeRawBufferPointer(rebasing: left[..<header.size]))
    }
}
