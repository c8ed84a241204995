import Bytes
import ClusterModel
import Records

/// What groups had committed, as the records of Kafka's `__consumer_offsets` tell it: for each key the newest record counts, and
/// what a transaction committed counts once its marker says so. Rule: GroupMetadataManager's loading; KIP-98.
package struct StoredOffsets {
    package struct Place: Hashable, Comparable {
        package var group: String
        package var partition: TopicPartition
        package static func < (a: Place, b: Place) -> Bool { (a.group, a.partition) < (b.group, b.partition) }
    }

    package struct Commit: Equatable {
        package var offset: Offset
        /// `none` in old records.
        package var leaderEpoch: LeaderEpoch
        package var metadata: String
        /// Where the record lies: a transaction's may become known after newer ones.
        var at: Offset
    }

    package private(set) var commits: [Place: Commit] = [:]
    /// Records that could not be read, and records of later formats.
    package private(set) var passedOver = 0
    private var pending: [Int64: [Place: Commit]] = [:]

    package init() {}

    /// Batches of one partition in order, from its beginning.
    package mutating func read(_ bytes: UnsafeRawBufferPointer, magic: UInt8) {
        do throws(RecordError) {
            guard magic == 2 else {
                for record in try LegacyMessages.records(bytes) {
                    take(record.key, record.value, at: record.offset, transaction: nil)
                }
                return
            }
            let batch = try RecordBatch(bytes)
            if batch.isControl {
                guard let control = try ControlRecord(batch) else { return }
                return end(batch.producerID, control.kind)
            }
            for record in try batch.ownedRecords() {
                take(
                    record.key, record.value, at: record.offset,
                    transaction: batch.isTransactional ? batch.producerID : nil)
            }
        } catch { passedOver += 1 }
    }

    /// Those of another partition: a group is in one of them only.
    package mutating func add(_ other: StoredOffsets) {
        commits.merge(other.commits) { _, new in new }
        passedOver += other.passedOver
    }

    private mutating func end(_ producer: Int64, _ kind: ControlRecord.Kind) {
        guard let ended = pending.removeValue(forKey: producer), kind == .commit else { return }
        for (place, commit) in ended where commit.at > commits[place]?.at ?? -1 { commits[place] = commit }
    }

    private mutating func take(_ key: [UInt8]?, _ value: [UInt8]?, at offset: Offset, transaction: Int64?) {
        guard let key else { return passedOver += 1 }
        do throws(ByteError) {
            // A group's own record, and those of later protocols, hold no offset.
            guard let place = try StoredOffsets.place(key) else { return }
            guard let value else {
                if let transaction { pending[transaction]?[place] = nil } else { commits[place] = nil }
                return
            }
            guard let commit = try StoredOffsets.commit(value, at: offset) else { return passedOver += 1 }
            if let transaction { pending[transaction, default: [:]][place] = commit } else { commits[place] = commit }
        } catch { passedOver += 1 }
    }

    private static func place(_ key: [UInt8]) throws(ByteError) -> Place? {
        try reading(key) { (reader) throws(ByteError) in
            guard try (0...1).contains(reader.int16()) else { return nil }
            let group = try reader.string(Int(reader.int16()))
            let topic = try reader.string(Int(reader.int16()))
            return Place(group: group, partition: TopicPartition(topic, try reader.int32()))
        }
    }

    private static func commit(_ value: [UInt8], at: Offset) throws(ByteError) -> Commit? {
        try reading(value) { (reader) throws(ByteError) in
            let version = try reader.int16()
            guard (0...4).contains(version) else { return nil }
            let offset = try reader.int64()
            let epoch = version >= 3 ? LeaderEpoch(try reader.int32()) : .none
            // Flexible from 4 on: a length is one more than it is. Times behind it are not kept in the tree.
            let length = version >= 4 ? Int(try reader.unsignedVarint()) - 1 : Int(try reader.int16())
            return Commit(offset: offset, leaderEpoch: epoch, metadata: try reader.string(length), at: at)
        }
    }

    private static func reading<T>(
        _ bytes: [UInt8], _ body: (inout ByteReader) throws(ByteError) -> T
    ) throws(ByteError) -> T {
        let result: Result<T, ByteError> = bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            do throws(ByteError) { return .success(try body(&reader)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
