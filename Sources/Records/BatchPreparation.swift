import Bytes
import Compression

/// What the leader does to a batch whose header was found good and whose topic asks for more: each record is looked at, and the
/// batch is packed as the topic wants it.
package enum BatchPreparation {
    /// Checks the records by `rules` where these ask for it. The batch's largest timestamp is made what the records say.
    /// - Returns: the batch to append instead; nil when it may stay where it is (its header may have been changed there).
    /// - Throws: ``RecordError/records(_:)`` with every record at fault. The bytes are as they were then.
    /// Cost: nothing for a topic of default settings. Else the batch is unpacked, into at most `limit` bytes.
    /// Rule: Kafka 3.9's `LogValidator`; but a batch whose offset deltas are not 0, 1, 2… is rebuilt without a codec too.
    package static func prepare(
        _ bytes: UnsafeMutableRawBufferPointer, _ batch: RecordBatch, _ rules: BatchValidator.Rules,
        limit: Int = RecordIterator.defaultLimit
    ) throws(RecordError) -> [UInt8]? {
        let codec = batch.codec ?? .none
        guard batch.isLogAppendTime || rules.looksInside(codec) else { return nil }
        let packing = rules.packing ?? .init(codec)
        // Without a codec the result is as large as what comes out: a bomb need not go off first.
        let allowed = packing.codec == .none && codec != .none ? min(limit, rules.maxBatchBytes) : limit
        var iterator = try open(batch, allowed)
        var faults = RecordFaults()
        var newest: Int64 = -1
        var isInOrder = true
        var index: Int32 = 0
        while let record = try iterator.next() {
            if record.offset != batch.baseOffset &+ Int64(index) { isInOrder = false }
            newest = max(newest, record.timestamp)
            if batch.isLogAppendTime {
                faults.add(index, appendTimeClaimed, isTimestamp: true)
            } else {
                judge(
                    index, hasKey: record.key != nil, offset: record.offset, timestamp: record.timestamp, rules, &faults
                )
            }
            index += 1
        }
        guard faults.isEmpty else { throw .records(faults) }
        guard packing.codec == codec, isInOrder else {
            let rebuilt = try rebuilt(batch, iterator, packing, newest: newest, isInOrder: isInOrder, limit: allowed)
            guard rebuilt.count <= rules.maxBatchBytes else {
                throw .tooLarge(bytes: rebuilt.count, limit: rules.maxBatchBytes)
            }
            return rebuilt
        }
        // The append's time will take the place of either.
        if newest != batch.maxTimestamp, !rules.usesLogAppendTime {
            RecordBatch.correct(bytes, maxTimestamp: newest)
        }
        return nil
    }

    static let appendTimeClaimed =
        "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime."

    /// One record, in whatever format it came.
    static func judge(
        _ index: Int32, hasKey: Bool, offset: Int64, timestamp: Int64, _ rules: BatchValidator.Rules,
        _ faults: inout RecordFaults
    ) {
        if rules.needsKeys, !hasKey {
            faults.add(
                index, "Compacted topic cannot accept message without key in topic partition \(rules.partition)")
        } else if rules.boundsTimestamps, timestamp != -1 {
            let age = rules.nowMs &- timestamp
            guard age > rules.oldestMs || 0 &- age > rules.newestMs else { return }
            faults.add(
                index,
                "Timestamp \(timestamp) of message with offset \(offset) is out of range. The timestamp should be within "
                    + "[\(rules.nowMs &- rules.oldestMs), \(rules.nowMs &+ rules.newestMs)]",
                isTimestamp: true)
        }
    }

    /// A batch whose checksum is right and which does not unpack was made so: to send it again is no use.
    private static func open(_ batch: RecordBatch, _ limit: Int) throws(RecordError) -> RecordIterator {
        do throws(RecordError) { return try RecordIterator(batch, limit: limit) } catch {
            if case .corrupt(let why) = error { throw .invalid(why) }
            throw error
        }
    }

    /// Producer, sequence number, transaction, timestamps and headers stay.
    private static func rebuilt(
        _ batch: RecordBatch, _ iterator: borrowing RecordIterator, _ packing: BatchValidator.Packing, newest: Int64,
        isInOrder: Bool, limit: Int
    ) throws(RecordError) -> [UInt8] {
        let header = BatchHeaderFields(
            leaderEpoch: batch.leaderEpoch, attributes: batch.attributes & RecordBatch.transactionalBit,
            lastOffsetDelta: batch.lastOffsetDelta, baseTimestamp: batch.baseTimestamp, maxTimestamp: newest,
            producer: .init(id: batch.producerID, epoch: batch.producerEpoch, baseSequence: batch.baseSequence),
            count: batch.count)
        guard !isInOrder else { return try pack(header, iterator.contents, packing) }
        var body = ByteWriter(capacity: iterator.contents.count + 64)
        var index: Int32 = 0
        var records = try open(batch, limit)
        while let record = try records.next() {
            RecordLayout.put(
                timestampDelta: record.timestamp &- batch.baseTimestamp, offsetDelta: index, key: record.key,
                value: record.value, headerCount: record.headerCount, headerBytes: record.headerBytes, into: &body)
            index += 1
        }
        return try pack(header, body.bytes, packing)
    }

    private static func pack(
        _ header: BatchHeaderFields, _ records: UnsafeRawBufferPointer, _ packing: BatchValidator.Packing
    ) throws(RecordError) -> [UInt8] {
        do throws(CompressionError) {
            return try header.batch(of: records, codec: packing.codec, level: packing.level)
        } catch { throw .invalid("packing: \(error)") }
    }
}
