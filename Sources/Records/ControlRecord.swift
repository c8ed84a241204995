import Bytes
import ClusterModel

/// What a control batch says: the end of a transaction.
package struct ControlRecord: Equatable, Sendable {
    package enum Kind: Int16, Sendable {
        case abort = 0
        case commit = 1
    }
    /// A marker's records are some twenty bytes, and nobody packs them; more than this is no marker.
    private static let limit = 64 << 10

    package var kind: Kind
    package var coordinatorEpoch: Int32

    package init(kind: Kind, coordinatorEpoch: Int32) {
        self.kind = kind
        self.coordinatorEpoch = coordinatorEpoch
    }

    /// Nil for a control record of another kind, which readers skip.
    package init?(_ batch: RecordBatch) throws(RecordError) {
        guard batch.isControl else { return nil }
        var iterator = try RecordIterator(batch, limit: ControlRecord.limit)
        guard let record = try iterator.next(), let key = record.key else { return nil }
        do throws(ByteError) {
            var reader = ByteReader(key)
            _ = try reader.int16()
            guard let kind = Kind(rawValue: try reader.int16()) else { return nil }
            guard let value = record.value else { throw .badLength(-1) }
            var valueReader = ByteReader(value)
            _ = try valueReader.int16()
            self.init(kind: kind, coordinatorEpoch: try valueReader.int32())
        } catch {
            throw .corrupt("control record: \(error)")
        }
    }

    /// The marker's batch.
    package func batch(
        timestamp: Int64, producerID: Int64, producerEpoch: Int16, baseOffset: Offset = 0,
        leaderEpoch: LeaderEpoch = .none
    ) -> [UInt8] {
        var key = ByteWriter(capacity: 16)
        key.int16(0)
        key.int16(kind.rawValue)
        var value = ByteWriter(capacity: 16)
        value.int16(0)
        value.int32(coordinatorEpoch)
        var builder = BatchBuilder()
        builder.append(timestamp: timestamp, key: key.array, value: value.array)
        // Without a codec nothing can fail.
        return
            (try? builder.build(
                producer: .init(id: producerID, epoch: producerEpoch, baseSequence: -1), isTransactional: true,
                isControl: true, baseOffset: baseOffset, leaderEpoch: leaderEpoch)) ?? []
    }
}
