import Bytes
import ClusterModel
import Compression

/// What stands before the records of a v2 batch, for whoever makes one.
struct BatchHeaderFields {
    var baseOffset: Offset = 0
    var leaderEpoch = LeaderEpoch.none
    /// Without the codec's bits.
    var attributes: Int16 = 0
    var lastOffsetDelta: Int32
    var baseTimestamp: Int64
    var maxTimestamp: Int64
    var producer = BatchBuilder.Producer.none
    var count: Int32

    /// The whole batch, its records packed and its checksum computed.
    func batch(
        of records: UnsafeRawBufferPointer, codec: Codec, level: Int? = nil
    ) throws(CompressionError) -> [UInt8] {
        // What a codec makes of them is mostly far less.
        let expected = codec == .none ? records.count : min(records.count, 64 << 10)
        var out = ByteWriter(capacity: RecordBatch.headerSize + expected + 64)
        out.int64(baseOffset)
        out.int32(0)
        out.int32(leaderEpoch.raw)
        out.int8(2)
        out.int32(0)
        out.int16(attributes | Int16(codec.rawValue))
        out.int32(lastOffsetDelta)
        out.int64(baseTimestamp)
        out.int64(maxTimestamp)
        out.int64(producer.id)
        out.int16(producer.epoch)
        out.int32(producer.baseSequence)
        out.int32(count)
        if codec == .none { out.raw(records) } else { try codec.pack(records, into: &out, level: level) }
        out.patch(int32: Int32(out.count - RecordBatch.overhead), at: RecordBatch.Field.length)
        let covered = UnsafeRawBufferPointer(rebasing: out.bytes[RecordBatch.Field.attributes...])
        out.patch(int32: Int32(bitPattern: Checksum.crc32c(covered)), at: RecordBatch.Field.crc)
        return out.array
    }
}

/// One record's bytes, as they lie in a batch before packing.
enum RecordLayout {
    static func put(
        timestampDelta: Int64, offsetDelta: Int32, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headerCount: Int, headerBytes: UnsafeRawBufferPointer?, into body: inout ByteWriter
    ) {
        var size = 1 + varintSize(timestampDelta) + varintSize(Int64(offsetDelta)) + varintSize(Int64(headerCount))
        for part in [key, value] { size += varintSize(Int64(part?.count ?? -1)) + (part?.count ?? 0) }
        size += headerBytes?.count ?? 0
        body.varint(Int32(size))
        body.int8(0)
        body.varlong(timestampDelta)
        body.varint(offsetDelta)
        for part in [key, value] {
            body.varint(part.map { Int32($0.count) } ?? -1)
            if let part { body.raw(part) }
        }
        body.varint(Int32(headerCount))
        if let headerBytes { body.raw(headerBytes) }
    }

    /// Bytes of a zigzag varint; the same for both widths.
    static func varintSize(_ value: Int64) -> Int {
        let zigzag = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        return max(1, (64 - zigzag.leadingZeroBitCount + 6) / 7)
    }
}
