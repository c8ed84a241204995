import CommitLog
import Platform
import Records

/// Producers whose batches were refused here for a reason that passes: this broker did not lead yet, had no room for them, or too few
/// replicas were in sync.
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

    private var refusals: [Int64: (at: Instant, reason: PartitionError)] = [:]

    /// - Parameter bytes: as they came: nothing has been checked.
    mutating func note(_ bytes: UnsafeRawBufferPointer, _ reason: PartitionError, at now: Instant) {
        guard let batch = try? RecordBatch(bytes), batch.hasProducerID else { return }
        note(batch.producerID, reason, at: now)
    }

    mutating func note(_ producer: Int64, _ reason: PartitionError, at now: Instant) {
        if refusals.count >= TurnedAway.most { refusals = refusals.filter { now - $0.value.at < TurnedAway.window } }
        guard refusals.count < TurnedAway.most || refusals[producer] != nil else { return }
        refusals[producer] = (now, reason)
    }

    /// What to tell of a batch that stands behind one that was turned away a moment ago; nil when it does not.
    mutating func refusal(of batch: RecordBatch, behind ledger: ProducerLedger, at now: Instant) -> PartitionError? {
        guard !refusals.isEmpty, batch.hasProducerID, let refused = refusals[batch.producerID] else { return nil }
        guard now - refused.at < TurnedAway.window else {
            refusals[batch.producerID] = nil
            return nil
        }
        // A ledger that does not know the producer may take any number: here only the first.
        if ledger.entries[batch.producerID] == nil { return batch.baseSequence > 0 ? refused.reason : nil }
        do throws(AppendError) {
            if case .new = try ledger.judge(batch) { refusals[batch.producerID] = nil }
            return nil
        } catch {
            if case .sequenceGap = error { return refused.reason }
            return nil
        }
    }
}
