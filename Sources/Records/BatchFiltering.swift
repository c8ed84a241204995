import Bytes
import ClusterModel
import Compression

/// What is left of a batch when some of its records go.
package enum FilteredBatch: Equatable {
    case unchanged
    case removed
    case rewritten([UInt8])
}

/// How a batch may change while records are taken out of it.
package struct BatchFilter: Equatable {
    /// Keep the header when no record is left: it tells the last sequence number and epoch of its producer.
    package var keepsEmpty = false
    /// Records without a value, and whatever `marksAlways` says, may be removed from this time on, ms since 1970: the batch is to
    /// remember it, unless it remembers one already (KIP-534).
    package var horizonMs: Int64 = 0
    /// Remember the horizon even when every record has a value: the marker of a transaction of which nothing else is left.
    package var marksAlways = false
    package init(keepsEmpty: Bool = false, horizonMs: Int64 = 0, marksAlways: Bool = false) {
        self.keepsEmpty = keepsEmpty
        self.horizonMs = horizonMs
        self.marksAlways = marksAlways
    }
}

extension RecordBatch {
    /// From when on its tombstones or its marker may be removed, ms since 1970; nil while none was set.
    package var deleteHorizonMs: Int64? { hasDeleteHorizon ? baseTimestamp : nil }

    /// The batch with the records that `keep` wants: base offset, last offset, producer, sequence number, epoch and codec stay, and so
    /// does each record's offset. Packed anew at the codec's usual level.
    /// - Throws: the batch cannot be read. Its checksum is the caller's concern.
    /// Rule: Kafka 3.9's `MemoryRecords.filterTo`.
    package func filtered(
        _ filter: BatchFilter, limit: Int = RecordIterator.defaultLimit, keep: (Record) -> Bool
    ) throws(RecordError) -> FilteredBatch {
        var kept: [Record] = []
        var hasTombstone = false
        var read = 0
        var iterator = try RecordIterator(self, limit: limit)
        while let record = try iterator.next() {
            read += 1
            guard keep(record) else { continue }
            kept.append(record)
            if record.value == nil { hasTombstone = true }
        }
        if kept.isEmpty { return filter.keepsEmpty ? (read == 0 ? .unchanged : .rewritten(emptied)) : .removed }
        let marks = !hasDeleteHorizon && (hasTombstone || filter.marksAlways)
        if kept.count == read, !marks { return .unchanged }
        let result = try rewritten(kept, horizon: marks ? filter.horizonMs : deleteHorizonMs)
        // The records lie in the iterator's memory until here.
        _ = try iterator.next()
        return .rewritten(result)
    }

    private var lastingAttributes: Int16 {
        attributes & (RecordBatch.logAppendTimeBit | RecordBatch.transactionalBit | RecordBatch.controlBit)
    }
    private var producer: BatchBuilder.Producer {
        .init(id: producerID, epoch: producerEpoch, baseSequence: baseSequence)
    }

    private func rewritten(_ records: [Record], horizon: Int64?) throws(RecordError) -> [UInt8] {
        let base = horizon ?? records[0].timestamp
        var body = ByteWriter(capacity: size)
        var newest: Int64 = -1
        for record in records {
            newest = max(newest, record.timestamp)
            RecordLayout.put(
                timestampDelta: record.timestamp &- base,
                offsetDelta: Int32(truncatingIfNeeded: record.offset &- baseOffset), key: record.key,
                value: record.value,
                headerCount: record.headerCount, headerBytes: record.headerBytes, into: &body)
        }
        let header = BatchHeaderFields(
            baseOffset: baseOffset, leaderEpoch: leaderEpoch,
            attributes: lastingAttributes | (horizon == nil ? 0 : RecordBatch.deleteHorizonBit),
            lastOffsetDelta: lastOffsetDelta, baseTimestamp: base,
            maxTimestamp: isLogAppendTime ? maxTimestamp : newest, producer: producer,
            count: Int32(truncatingIfNeeded: records.count))
        do throws(CompressionError) {
            return try header.batch(of: body.bytes, codec: codec ?? .none)
        } catch { throw .corrupt("packing: \(error)") }
    }

    /// The header alone.
    private var emptied: [UInt8] {
        let header = BatchHeaderFields(
            baseOffset: baseOffset, leaderEpoch: leaderEpoch, attributes: lastingAttributes,
            lastOffsetDelta: lastOffsetDelta, baseTimestamp: -1, maxTimestamp: maxTimestamp, producer: producer,
            count: 0)
        // Without a codec nothing can fail.
        return (try? header.batch(of: UnsafeRawBufferPointer(start: nil, count: 0), codec: .none)) ?? []
    }
}
