import ClusterModel
import Records

/// What a partition remembers of its producers, so that a batch sent twice is written once (KIP-98) and open transactions are
/// known. A pure value: the same batches give the same ledger.
package struct ProducerLedger: Equatable {
    package struct Batch: Equatable {
        package var lastSequence: Int32
        package var lastOffset: Offset
        package var offsetDelta: Int32
        package var timestamp: Int64

        var firstSequence: Int32 {
            // The way back round zero.
            Int32(truncatingIfNeeded: (Int64(lastSequence) - Int64(offsetDelta)) & 0x7fff_ffff)
        }
        var offsets: Range<Offset> { (lastOffset - Int64(offsetDelta))..<(lastOffset + 1) }
    }

    package struct Entry: Equatable {
        package var epoch: Int16
        /// At most five, oldest first.
        package var batches: [Batch] = []
        package var coordinatorEpoch: Int32 = -1
        package var lastTimestamp: Int64 = -1
        package var transactionStart: Offset?

        mutating func begin(epoch: Int16) {
            guard self.epoch != epoch else { return }
            self.epoch = epoch
            batches.removeAll(keepingCapacity: true)
        }

        /// - Returns: whether a transaction begins with this batch.
        mutating func record(_ batch: Batch, epoch: Int16, transactionStart start: Offset?) -> Bool {
            begin(epoch: epoch)
            if batches.count == ProducerLedger.remembered { batches.removeFirst() }
            batches.append(batch)
            lastTimestamp = batch.timestamp
            guard let start, transactionStart == nil else { return false }
            transactionStart = start
            return true
        }
    }

    package enum Verdict: Equatable {
        case new
        /// In the log already, at these offsets.
        case duplicate(Range<Offset>, timestamp: Int64)
    }

    /// How many batches of a producer are remembered: what a client may have in flight.
    package static let remembered = 5

    package private(set) var entries: [Int64: Entry] = [:]
    /// Ended transactions whose marker may be above the high watermark still, by first offset.
    private var endings: [(first: Offset, marker: Offset)] = []
    private var openTransactions = 0
    /// Whether every producer that ever wrote into this log is in `entries`: it was followed from its first record on, and nobody
    /// was forgotten since. What a snapshot tells may lack those that had expired.
    private(set) var knowsEveryProducer: Bool

    package init(fromFirstRecord knowsEveryProducer: Bool = false) { self.knowsEveryProducer = knowsEveryProducer }

    package static func == (a: ProducerLedger, b: ProducerLedger) -> Bool { a.entries == b.entries }

    // MARK: Deciding

    /// What the leader does with a client's batch. Changes nothing.
    package func judge(_ batch: RecordBatch) throws(AppendError) -> Verdict {
        let producerID = batch.producerID
        guard producerID >= 0 else { return .new }
        guard let entry = entries[producerID] else {
            // Kafka takes any number from a producer it does not know: what was in flight behind a batch that this leader refused
            // a moment ago, not being leader yet, would stand before it. Where nobody was forgotten, that is a gap.
            guard !knowsEveryProducer || batch.isControl || batch.baseSequence == 0 else {
                throw .sequenceGap(producerID: producerID, expected: 0, got: batch.baseSequence)
            }
            return .new
        }
        let first = batch.baseSequence
        let last = batch.lastSequence
        if entry.epoch == batch.producerEpoch, !batch.isControl {
            for known in entry.batches where known.lastSequence == last && known.firstSequence == first {
                return .duplicate(known.offsets, timestamp: known.timestamp)
            }
        }
        guard batch.producerEpoch >= entry.epoch else {
            throw .staleProducerEpoch(producerID: producerID, current: entry.epoch, got: batch.producerEpoch)
        }
        if batch.isControl { return .new }
        if batch.producerEpoch > entry.epoch {
            guard first == 0 || entry.epoch < 0 else {
                throw .sequenceGap(producerID: producerID, expected: 0, got: first)
            }
        } else {
            let expected = entry.batches.last.map { Sequence32.next($0.lastSequence) } ?? 0
            guard first == expected else { throw .sequenceGap(producerID: producerID, expected: expected, got: first) }
        }
        if entry.transactionStart != nil, !batch.isTransactional {
            throw .invalidTransactionState(producerID: producerID)
        }
        return .new
    }

    // MARK: Recording

    /// `batch` lies in the log, with its final offsets. Also for what a leader sent and what recovery finds: no questions asked.
    /// - Returns: the transaction that the batch says is aborted.
    @discardableResult
    package mutating func appended(_ batch: RecordBatch) -> AbortedTransaction? {
        guard batch.hasProducerID else { return nil }
        if batch.isControl {
            guard let marker = try? ControlRecord(batch) else { return nil }
            return ended(batch, marker)
        }
        let offsetDelta = batch.lastOffsetDelta
        let known = Batch(
            lastSequence: batch.lastSequence, lastOffset: batch.lastOffset, offsetDelta: offsetDelta,
            timestamp: batch.maxTimestamp)
        // In place: a hot producer's entry is not copied.
        let opened = entries[batch.producerID, default: Entry(epoch: batch.producerEpoch)].record(
            known, epoch: batch.producerEpoch, transactionStart: batch.isTransactional ? batch.baseOffset : nil)
        if opened { openTransactions += 1 }
        return nil
    }

    private mutating func ended(_ batch: RecordBatch, _ marker: ControlRecord) -> AbortedTransaction? {
        var entry = entries[batch.producerID] ?? Entry(epoch: batch.producerEpoch)
        entry.begin(epoch: batch.producerEpoch)
        entry.coordinatorEpoch = marker.coordinatorEpoch
        entry.lastTimestamp = batch.maxTimestamp
        let start = entry.transactionStart
        if let start {
            entry.transactionStart = nil
            openTransactions -= 1
            endings.append((first: start, marker: batch.lastOffset))
        }
        entries[batch.producerID] = entry
        guard let start, marker.kind == .abort else { return nil }
        return AbortedTransaction(
            producerID: batch.producerID, firstOffset: start, lastOffset: batch.lastOffset,
            lastStableOffset: firstOpenTransaction ?? batch.nextOffset)
    }

    /// First offset of the oldest open transaction.
    package var firstOpenTransaction: Offset? {
        guard openTransactions > 0 else { return nil }
        return entries.values.compactMap(\.transactionStart).min()
    }

    /// Below this nothing can change any more for readers of committed records: the high watermark, or the beginning of the oldest
    /// transaction that is open or whose marker is not below the high watermark yet.
    package mutating func lastStableOffset(highWatermark: Offset) -> Offset {
        if openTransactions == 0, endings.isEmpty { return highWatermark }
        endings.removeAll { $0.marker < highWatermark }
        let firstEnding = endings.map(\.first).min() ?? highWatermark
        return min(highWatermark, firstEnding, firstOpenTransaction ?? highWatermark)
    }

    /// Forgets producers without an open transaction whose last record is older than `expirationMs`.
    package mutating func expire(nowMs: Int64, expirationMs: Int64) {
        for (id, entry) in entries
        where entry.transactionStart == nil && entry.lastTimestamp >= 0 && nowMs - entry.lastTimestamp >= expirationMs {
            entries[id] = nil
            knowsEveryProducer = false
        }
    }

    /// Whether a transaction of somebody who is remembered ever ended here.
    var hasSeenMarkers: Bool { entries.values.contains { $0.coordinatorEpoch >= 0 } }

    /// A snapshot tells which transactions are open, not which ended a moment ago: the records do.
    mutating func takeEndings(from other: ProducerLedger) { endings = other.endings }

    mutating func restore(_ producerID: Int64, _ entry: Entry) {
        if entry.transactionStart != nil { openTransactions += 1 }
        entries[producerID] = entry
    }
}
