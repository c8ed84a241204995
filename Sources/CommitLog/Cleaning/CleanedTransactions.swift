import ClusterModel
import Records

/// What a cleaner knows of transactions while it goes through a log: whose batches were aborted, and which markers have nothing left
/// that they speak of.
/// Rule: Kafka 3.9's `CleanedTransactionMetadata`.
struct CleanedTransactions {
    private var committed: Set<Int64> = []
    private var aborted: [Int64: (transaction: AbortedTransaction, sawData: Bool)] = [:]
    /// Not reached yet; the first one last.
    private var ahead: [AbortedTransaction] = []
    /// Aborted transactions of which data was met: the new index keeps them.
    private(set) var kept: [AbortedTransaction] = []

    mutating func add(_ transactions: [AbortedTransaction]) {
        guard !transactions.isEmpty else { return }
        ahead = (ahead + transactions).sorted { $0.firstOffset > $1.firstOffset }
    }

    mutating func takeKept() -> [AbortedTransaction] {
        defer { kept = [] }
        return kept
    }

    private mutating func reached(_ offset: Offset) {
        while let next = ahead.last, next.firstOffset <= offset {
            ahead.removeLast()
            if aborted[next.producerID] == nil { aborted[next.producerID] = (next, false) }
        }
    }

    /// - Returns: whether the marker speaks of nothing that is left.
    mutating func metMarker(_ batch: RecordBatch) throws(RecordError) -> Bool {
        reached(batch.lastOffset)
        // Its record was removed before.
        guard batch.count > 0 else { return true }
        switch try ControlRecord(batch)?.kind {
        case .abort:
            guard let known = aborted.removeValue(forKey: batch.producerID), known.sawData else { return true }
            kept.append(known.transaction)
            return false
        case .commit: return committed.remove(batch.producerID) == nil
        case nil: return false
        }
    }

    /// - Returns: whether the batch was aborted.
    mutating func metData(_ batch: RecordBatch) -> Bool {
        reached(batch.lastOffset)
        guard batch.isTransactional else { return false }
        if aborted[batch.producerID] != nil {
            aborted[batch.producerID]?.sawData = true
            return true
        }
        committed.insert(batch.producerID)
        return false
    }
}
