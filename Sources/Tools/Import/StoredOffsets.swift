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
        guard let key, let type = GroupRecord.type(ofKey: key) else { return passedOver += 1 }
        // A group's own record, and those of later protocols, hold no offset.
        guard GroupRecord.offsetTypes.contains(type) else { return }
        guard let record = StoredOffsets.record(key, value), let place = StoredOffsets.place(record.key) else {
            return passedOver += 1
        }
        guard let value = record.value else {
            if let transaction { pending[transaction]?[place] = nil } else { commits[place] = nil }
            return
        }
        guard let commit = StoredOffsets.commit(value, at: offset) else { return passedOver += 1 }
        if let transaction { pending[transaction, default: [:]][place] = commit } else { commits[place] = commit }
    }

    private static func record(_ key: [UInt8], _ value: [UInt8]?) -> GroupRecord? {
        key.withUnsafeBytes { key in
            guard let value else { return try? GroupRecord(key: key, value: nil) }
            return value.withUnsafeBytes { try? GroupRecord(key: key, value: $0) }
        }
    }

    private static func place(_ key: StoredValue) -> Place? {
        guard let group = key["group"]?.text, let topic = key["topic"]?.text,
            let partition = key["partition"]?.integer.flatMap({ Int32(exactly: $0) })
        else { return nil }
        return Place(group: group, partition: TopicPartition(topic, partition))
    }

    /// Nil for a version whose meaning nobody here knows: it may be read in part, but is not believed.
    private static func commit(_ value: (version: Int16, content: StoredValue), at: Offset) -> Commit? {
        guard GroupRecord.offset.versions.contains(value.version),
            let offset = value.content["offset"]?.integer, let metadata = value.content["metadata"]?.text
        else { return nil }
        let epoch = value.content["leaderEpoch"]?.integer.flatMap { Int32(exactly: $0) }
        return Commit(offset: offset, leaderEpoch: epoch.map { LeaderEpoch($0) } ?? .none, metadata: metadata, at: at)
    }
}
