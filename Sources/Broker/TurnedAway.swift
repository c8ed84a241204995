import CommitLog
import Platform
import Records

/// Producers whose batches were refused here because this broker did not lead yet, or not any more.
///
/// Clients often hear of a new leader before it does. The first of the batches that they have in flight is refused then, and the
/// next may come when the leader has taken office: it stands behind a gap, which is no fault of the producer's. Told of a gap,
/// librdkafka gives its idempotent producer a new epoch and sends everything unanswered under it, also what the former leader had
/// written without answering: twice in the log. Told the same as of the first batch, it sends both again, in their order.
struct TurnedAway {
    /// How long batches sent before the refusal was heard of may still come.
    static let window = Duration.seconds(2)
    /// Each is as good as forgotten after the window; this only bounds the memory.
    static let most = 1000

    private var since: [Int64: Instant] = [:]

    /// A batch that is refused by a broker that does not lead.
    mutating func note(_ bytes: UnsafeRawBufferPointer, at now: Instant) {
        guard let batch = try? RecordBatch(bytes), batch.hasProducerID else { return }
        if since.count >= TurnedAway.most { since = since.filter { now - $0.value < TurnedAway.window } }
        guard since.count < TurnedAway.most || since[batch.producerID] != nil else { return }
        since[batch.producerID] = now
    }

    /// Whether a batch stands behind one that was turned away a moment ago.
    mutating func comesTooSoon(_ batch: RecordBatch, behind ledger: ProducerLedger, at now: Instant) -> Bool {
        guard !since.isEmpty, batch.hasProducerID, let refused = since[batch.producerID] else { return false }
        guard now - refused < TurnedAway.window else {
            since[batch.producerID] = nil
            return false
        }
        // A ledger that does not know the producer may take any number: here only the first.
        if ledger.entries[batch.producerID] == nil { return batch.baseSequence > 0 }
        do throws(AppendError) {
            if case .new = try ledger.judge(batch) { since[batch.producerID] = nil }
            return false
        } catch {
            if case .sequenceGap = error { return true }
            return false
        }
    }
}
