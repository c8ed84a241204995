import Bytes
import ClusterModel
import Compression

/// Between the formats: up for what old producers send (the log holds v2 only), down for what old consumers understand.
package enum BatchConversion {
    /// What Produce 0 to 2 brought, as one v2 batch with its codec kept, checked by `rules`. Nil when it is one v2 batch
    /// already, checked, to be used in place. Messages of magic 0 have no timestamp (-1).
    package static func upConvert(
        _ bytes: UnsafeRawBufferPointer, _ rules: BatchValidator.Rules, limit: Int = RecordIterator.defaultLimit
    ) throws(RecordError) -> [UInt8]? {
        guard bytes.count > 16 else { throw bytes.isEmpty ? .invalid("no messages") : .corrupt("a cut message") }
        let magic = bytes[16]
        if magic == 2 {
            _ = try BatchValidator.checkProduced(bytes, rules)
            return nil
        }
        var messages = LegacyMessages(bytes)
        guard let first = try messages.next() else { throw .corrupt("a cut message") }
        guard first.size <= rules.maxBatchBytes else { throw .tooLarge(bytes: first.size, limit: rules.maxBatchBytes) }
        guard !first.isLogAppendTime else {
            throw .invalidTimestamp("a producer may not set the timestamp type LogAppendTime")
        }
        var builder = BatchBuilder(codec: first.codec)
        if first.codec != .none {
            guard messages.position == bytes.count else { throw .invalid("more than one packed message set") }
            let unpacked = try first.opened(limit: limit)
            defer { unpacked.deallocate() }
            var inside = LegacyMessages(UnsafeRawBufferPointer(unpacked))
            while let inner = try inside.next() {
                guard inner.codec == .none else { throw .invalid("a packed message inside a packed message") }
                guard inner.magic == first.magic else { throw .invalid("mixed magics") }
                builder.append(timestamp: inner.timestamp, key: inner.key, value: inner.value)
            }
            guard inside.position == unpacked.count else { throw .corrupt("a cut message inside a packed message set") }
        } else {
            var next: LegacyMessage? = first
            while let message = next {
                guard message.codec == .none else { throw .invalid("a packed message set among messages") }
                guard message.magic == first.magic else { throw .invalid("mixed magics") }
                guard message.size <= rules.maxBatchBytes else {
                    throw .tooLarge(bytes: message.size, limit: rules.maxBatchBytes)
                }
                if message.isLogAppendTime {
                    throw .invalidTimestamp("a producer may not set the timestamp type LogAppendTime")
                }
                builder.append(timestamp: message.timestamp, key: message.key, value: message.value)
                next = try messages.next()
            }
            guard messages.position == bytes.count else { throw .corrupt("a cut message") }
        }
        guard builder.count > 0 else { throw .invalid("no messages") }
        let batch = try build(builder)
        var problem: RecordError?
        batch.withUnsafeBytes { raw in
            do throws(RecordError) { _ = try BatchValidator.checkProduced(raw, rules) } catch { problem = error }
        }
        if let problem { throw problem }
        return batch
    }

    private static func build(_ builder: borrowing BatchBuilder) throws(RecordError) -> [UInt8] {
        do throws(CompressionError) {
            return try builder.build()
        } catch {
            throw .corrupt("packing: \(error)")
        }
    }

    /// The records of v2 batches from `offset` on as a message set of magic 0 or 1, unpacked: headers are lost, control batches
    /// left out. Batches packed with zstd, which such readers cannot know, are refused; everything before them is given first.
    package static func downConvert(
        _ bytes: UnsafeRawBufferPointer, toMagic magic: UInt8, from offset: Offset,
        limit: Int = RecordIterator.defaultLimit
    ) throws(RecordError) -> [UInt8] {
        precondition(magic <= 1, "down-conversion to magic \(magic)")
        var out = ByteWriter(capacity: bytes.count + 64)
        var batches = RecordBatches(bytes)
        while let batch = try batches.next() {
            if batch.isControl || batch.lastOffset < offset { continue }
            if batch.codec == .zstd {
                guard out.count > 0 else { throw .unsupportedCompression(.zstd) }
                break
            }
            var iterator = try RecordIterator(batch, limit: limit)
            while let record = try iterator.next() {
                guard record.offset >= offset else { continue }
                put(record, magic, isLogAppendTime: batch.isLogAppendTime, &out)
            }
        }
        return out.array
    }

    private static func put(_ record: Record, _ magic: UInt8, isLogAppendTime: Bool, _ out: inout ByteWriter) {
        out.int64(record.offset)
        let sizeAt = out.count
        out.int32(0)
        out.int32(0)
        out.uint8(magic)
        out.uint8(magic == 1 && isLogAppendTime ? 8 : 0)
        if magic == 1 { out.int64(record.timestamp) }
        for part in [record.key, record.value] {
            out.int32(part.map { Int32($0.count) } ?? -1)
            if let part { out.raw(part) }
        }
        out.patch(int32: Int32(out.count - sizeAt - 4), at: sizeAt)
        let covered = UnsafeRawBufferPointer(rebasing: out.bytes[(sizeAt + 8)...])
        out.patch(int32: Int32(bitPattern: Checksum.crc32(covered)), at: sizeAt + 4)
    }
}
