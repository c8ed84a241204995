import ClusterModel
import Records

/// What a cleaner keeps of a batch.
/// Rule: Kafka 3.9's `Cleaner.cleanInto`; KIP-534 for tombstones and markers.
struct RecordKeeper {
    /// The last thing an active producer wrote: its sequence number or its epoch must be found by the next start.
    enum LastWord: Equatable {
        case data(Offset)
        case marker(epoch: Int16)
    }

    let offsets: OffsetMap
    let lastWords: [Int64: LastWord]
    let nowMs: Int64
    let deleteRetentionMs: Int64
    var transactions = CleanedTransactions()
    /// Records without a key, which nothing could ever replace: removed, and counted.
    private(set) var keyless = 0

    init(offsets: OffsetMap, lastWords: [Int64: LastWord], nowMs: Int64, deleteRetentionMs: Int64) {
        self.offsets = offsets
        self.lastWords = lastWords
        self.nowMs = nowMs
        self.deleteRetentionMs = deleteRetentionMs
    }

    mutating func filtered(_ batch: RecordBatch) throws(RecordError) -> FilteredBatch {
        let isSpent = batch.isControl ? try transactions.metMarker(batch) : transactions.metData(batch)
        let horizon = batch.deleteHorizonMs
        let goesWhole = isSpent && (!batch.isControl || horizon.map { $0 <= nowMs } ?? false)
        let isLastWord = isLastWord(batch)
        if goesWhole, !isLastWord { return .removed }
        let filter = BatchFilter(
            keepsEmpty: isLastWord, horizonMs: nowMs &+ deleteRetentionMs, marksAlways: isSpent && batch.isControl)
        var keyless = 0
        let result = try batch.filtered(filter) { record in
            if goesWhole { return false }
            if batch.isControl || record.offset > offsets.latestOffset { return true }
            guard let key = record.key else {
                keyless += 1
                return false
            }
            if let latest = offsets.offset(of: key), record.offset < latest { return false }
            return record.value != nil || horizon.map { nowMs < $0 } ?? true
        }
        self.keyless += keyless
        return result
    }

    private func isLastWord(_ batch: RecordBatch) -> Bool {
        guard batch.hasProducerID else { return false }
        switch lastWords[batch.producerID] {
        case .data(let offset): return batch.lastOffset == offset
        case .marker(let epoch): return batch.isControl && batch.producerEpoch == epoch
        case nil: return false
        }
    }

    /// An entry of the formats before batches goes when all that is in it goes: it is never taken apart.
    /// - Parameter keepsTombstones: the segment was changed less than `delete.retention.ms` ago.
    func keepsLegacy(_ records: [OwnedRecord], keepsTombstones: Bool) -> Bool {
        records.contains { record in
            if record.offset > offsets.latestOffset { return true }
            guard let key = record.key else { return false }
            if let latest = key.withUnsafeBytes({ offsets.offset(of: $0) }), record.offset < latest { return false }
            return record.value != nil || keepsTombstones
        }
    }
}
