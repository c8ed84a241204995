import Bytes
import ClusterModel
import Compression

/// Between the formats: up for what old producers send (the log holds v2 only), down for what old consumers understand.
package enum BatchConversion {
    /// What Produce 0 to 2 brought, as one v2 batch, checked and packed by `rules`. Nil when it is of that format already: to be
    /// checked, and used in place. Messages of magic 0 have no timestamp (-1).
    package static func upConvert(
        _ bytes: UnsafeRawBufferPointer, _ rules: BatchValidator.Rules, limit: Int = RecordIterator.defaultLimit
    ) throws(RecordError) -> [UInt8]? {
        guard bytes.count > 16 else { throw bytes.isEmpty ? .invalid("no messages") : .corrupt("a cut message") }
        if bytes[16] == 2 { return nil }
        var messages = LegacyMessages(bytes)
        guard let first = try messages.next() else { throw .corrupt("a cut message") }
        let packing = rules.packing ?? .init(first.codec)
        var builder = BatchBuilder(codec: packing.codec)
        var faults = RecordFaults()
        func take(_ message: LegacyMessage, _ builder: inout BatchBuilder) {
            BatchPreparation.judge(
                builder.count, hasKey: message.key != nil, offset: message.offset, timestamp: message.timestamp, rules,
                &faults)
            builder.append(timestamp: message.timestamp, key: message.key, value: message.value)
        }
        func admit(_ message: LegacyMessage) throws(RecordError) {
            guard message.size <= rules.maxBatchBytes else {
                throw .tooLarge(bytes: message.size, limit: rules.maxBatchBytes)
            }
            guard !message.isLogAppendTime else { throw .invalidTimestamp(BatchPreparation.appendTimeClaimed) }
        }
        try admit(first)
        if first.codec != .none {
            guard messages.position == bytes.count else { throw .invalid("more than one packed message set") }
            let unpacked = try first.opened(limit: limit)
            defer { unpacked.deallocate() }
            var inside = LegacyMessages(UnsafeRawBufferPointer(unpacked))
            while let inner = try inside.next() {
                guard inner.codec == .none else { throw .invalid("a packed message inside a packed message") }
                guard inner.magic == first.magic else { throw .invalid("mixed magics") }
                take(inner, &builder)
            }
            guard inside.position == unpacked.count else { throw .corrupt("a cut message inside a packed message set") }
        } else {
            var next: LegacyMessage? = first
            while let message = next {
                guard message.codec == .none else { throw .invalid("a packed message set among messages") }
                guard message.magic == first.magic else { throw .invalid("mixed magics") }
                try admit(message)
                take(message, &builder)
                next = try messages.next()
            }
            guard messages.position == bytes.count else { throw .corrupt("a cut message") }
        }
        guard builder.count > 0 else { throw .invalid("no messages") }
        guard faults.isEmpty else { throw .records(faults) }
        let batch: [UInt8]
        do throws(CompressionError) { batch = try builder.build(level: packing.level) } catch {
            throw .invalid("packing: \(error)")
        }
        guard batch.count <= rules.maxBatchBytes else {
            throw .tooLarge(bytes: batch.count, limit: rules.maxBatchBytes)
        }
        return batch
    }

    /// A message set for an old consumer.
    package struct OldSet: Equatable {
        package var bytes: [UInt8]
        /// Behind the last entry that was looked at whole, also when nothing of it is in the set. Nil: there was none.
        package var next: Offset?
    }

    /// The records from `offset` on as a message set of magic 0 or 1. Headers are lost, control batches left out. A batch with a codec
    /// becomes a packed message of the same codec; entries of that magic or an older one stay as they are.
    /// - Parameter maxBytes: where the set ends, but never before it has one message.
    /// - Throws: for the first entry that cannot be converted (packed with zstd, which such readers do not know; damaged) when
    ///   nothing comes before it; else that entry ends the set.
    /// Cost: one entry is unpacked at a time, into at most `limit` bytes.
    /// Rule: Kafka 3.9's `RecordsUtil.downConvert`, which does not stop within a batch without codec, and keeps records below the
    /// offset asked for where there is a codec.
    package static func downConvert(
        _ bytes: UnsafeRawBufferPointer, toMagic magic: UInt8, from offset: Offset, maxBytes: Int = .max,
        limit: Int = RecordIterator.defaultLimit
    ) throws(RecordError) -> OldSet {
        precondition(magic <= 1, "down-conversion to magic \(magic)")
        var out = ByteWriter(capacity: min(bytes.count, maxBytes, 1 << 20) + 64)
        var next: Offset?
        var position = 0
        entries: while out.count < maxBytes,
            let header = BatchHeader(UnsafeRawBufferPointer(rebasing: bytes[position...])),
            header.size <= bytes.count - position
        {
            let entry = UnsafeRawBufferPointer(rebasing: bytes[position..<position + header.size])
            position += header.size
            if !header.isControl, header.lastOffset >= offset {
                let before = out.count
                do throws(RecordError) {
                    let whole = try put(entry, header, magic, offset, maxBytes, limit, &out)
                    guard whole else { break entries }
                } catch {
                    out.truncate(to: before)
                    guard out.count > 0 else { throw error }
                    break entries
                }
            }
            next = header.lastOffset &+ 1
        }
        return OldSet(bytes: out.array, next: next)
    }

    /// - Returns: whether all of the entry is in the set.
    private static func put(
        _ entry: UnsafeRawBufferPointer, _ header: BatchHeader, _ magic: UInt8, _ offset: Offset, _ maxBytes: Int,
        _ limit: Int, _ out: inout ByteWriter
    ) throws(RecordError) -> Bool {
        if header.magic <= magic {
            guard out.count == 0 || out.count + entry.count <= maxBytes else { return false }
            out.raw(entry)
            return true
        }
        var set = PackedSet(magic: magic)
        if header.magic == 2 {
            let batch = try RecordBatch(entry)
            guard batch.codec != .zstd else { throw .unsupportedCompression(.zstd) }
            set.codec = batch.codec ?? .none
            set.isLogAppendTime = batch.isLogAppendTime
            var iterator = try RecordIterator(batch, limit: limit)
            while let record = try iterator.next() {
                guard record.offset >= offset else { continue }
                guard set.add(record.offset, record.timestamp, record.key, record.value, maxBytes, &out) else {
                    return false
                }
            }
        } else {
            var messages = LegacyMessages(entry)
            guard let outer = try messages.next() else { throw .corrupt("a cut message") }
            set.codec = outer.codec
            for record in try LegacyMessages.records(entry, limit: limit) where record.offset >= offset {
                let fits = record.key.withBytes { key in
                    record.value.withBytes { set.add(record.offset, -1, key, $0, maxBytes, &out) }
                }
                guard fits else { return false }
            }
        }
        return try set.finish(maxBytes, &out)
    }

    /// What becomes of one batch: its records one behind another, or, with a codec, in the value of one message.
    private struct PackedSet: ~Copyable {
        let magic: UInt8
        var codec = Codec.none
        var isLogAppendTime = false
        private var inner = ByteWriter(capacity: 64)
        private var first: Offset?
        private var last: Offset = 0
        private var newest: Int64 = -1

        init(magic: UInt8) { self.magic = magic }

        /// - Returns: false when the set is as long as it may be.
        mutating func add(
            _ offset: Offset, _ timestamp: Int64, _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?,
            _ maxBytes: Int, _ out: inout ByteWriter
        ) -> Bool {
            newest = max(newest, timestamp)
            last = offset
            guard codec != .none else {
                let before = out.count
                PackedSet.put(offset, 0, timestamp, key, value, magic, isLogAppendTime, &out)
                guard before == 0 || out.count <= maxBytes else {
                    out.truncate(to: before)
                    return false
                }
                return true
            }
            if first == nil { first = offset }
            // Magic 0 has offsets as they are inside, magic 1 counts them from the first.
            let place = magic == 0 ? offset : offset &- (first ?? offset)
            PackedSet.put(place, 0, timestamp, key, value, magic, isLogAppendTime, &inner)
            return true
        }

        mutating func finish(_ maxBytes: Int, _ out: inout ByteWriter) throws(RecordError) -> Bool {
            guard codec != .none, first != nil else { return true }
            var packed = ByteWriter(capacity: 1024)
            do throws(CompressionError) {
                try codec.pack(inner.bytes, into: &packed, legacyLZ4: magic == 0)
            } catch { throw .invalid("packing: \(error)") }
            let before = out.count
            PackedSet.put(last, codec.rawValue, newest, nil, packed.bytes, magic, isLogAppendTime, &out)
            guard before == 0 || out.count <= maxBytes else {
                out.truncate(to: before)
                return false
            }
            return true
        }

        private static func put(
            _ offset: Offset, _ codec: UInt8, _ timestamp: Int64, _ key: UnsafeRawBufferPointer?,
            _ value: UnsafeRawBufferPointer?, _ magic: UInt8, _ isLogAppendTime: Bool, _ out: inout ByteWriter
        ) {
            out.int64(offset)
            let sizeAt = out.count
            out.int32(0)
            out.int32(0)
            out.uint8(magic)
            out.uint8(codec | (magic == 1 && isLogAppendTime ? 8 : 0))
            if magic == 1 { out.int64(timestamp) }
            for part in [key, value] {
                out.int32(part.map { Int32($0.count) } ?? -1)
                if let part { out.raw(part) }
            }
            out.patch(int32: Int32(out.count - sizeAt - 4), at: sizeAt)
            let covered = UnsafeRawBufferPointer(rebasing: out.bytes[(sizeAt + 8)...])
            out.patch(int32: Int32(bitPattern: Checksum.crc32(covered)), at: sizeAt + 4)
        }
    }
}

extension [UInt8]? {
    fileprivate func withBytes<R>(_ body: (UnsafeRawBufferPointer?) -> R) -> R {
        guard let bytes = self else { return body(nil) }
        return bytes.withUnsafeBytes { body($0) }
    }
}
