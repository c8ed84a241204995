import Bytes
import ClusterModel

/// A committed offset as the owner of the group remembers it.
package struct CommittedOffset: Equatable, Sendable {
    package var offset: Offset
    /// Epoch of the leader the last consumed record came from; -1 when the client did not say.
    package var leaderEpoch: Int32
    package var metadata: String
    /// When it was committed, in the tree's clock after a load and in this broker's otherwise.
    package var commitMs: Int64
    /// When it goes whatever happens (`retention_time_ms` of OffsetCommit 2 to 4); -1 for never.
    package var expireMs: Int64
    package init(
        offset: Offset, leaderEpoch: Int32 = -1, metadata: String = "", commitMs: Int64 = 0, expireMs: Int64 = -1
    ) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.commitMs = commitMs
        self.expireMs = expireMs
    }
}

/// The committed offsets of one group. It changes only when the tree has acknowledged.
package struct OffsetTable: Equatable, Sendable {
    package struct Topic: Equatable, Sendable {
        /// The topic's id when these were committed. Under another id they count as absent: it is another topic of that name.
        package var id: UUID128?
        package var partitions: [Int32: CommittedOffset] = [:]
        package init(id: UUID128?) { self.id = id }
    }

    package private(set) var topics: [String: Topic] = [:]
    package init() {}

    package var isEmpty: Bool { topics.isEmpty }

    /// - Parameter currentID: the id the topic has now, nil when unknown (then what is here is believed).
    package func committed(_ topic: String, _ partition: Int32, currentID: UUID128?) -> CommittedOffset? {
        guard let held = topics[topic], held.speaks(of: currentID) else { return nil }
        return held.partitions[partition]
    }

    /// Everything stored, in the order of names and numbers.
    package func all() -> [(topic: String, id: UUID128?, partitions: [(partition: Int32, value: CommittedOffset)])] {
        topics.sorted { $0.key < $1.key }.map { name, held in
            (name, held.id, held.partitions.sorted { $0.key < $1.key }.map { (partition: $0.key, value: $0.value) })
        }
    }

    package mutating func apply(_ line: OffsetLine) {
        if let held = topics[line.topic], !held.speaks(of: line.topicID) {
            topics[line.topic] = nil
        }
        var held = topics.removeValue(forKey: line.topic) ?? Topic(id: line.topicID)
        held.id = line.topicID ?? held.id
        held.partitions[line.partition] = line.value
        topics[line.topic] = held
    }

    package mutating func remove(_ partition: TopicPartition) {
        guard var held = topics.removeValue(forKey: partition.topic) else { return }
        held.partitions[partition.partition] = nil
        if !held.partitions.isEmpty { topics[partition.topic] = held }
    }

    /// The partitions of one topic that have an offset, in order.
    package func partitions(of topic: String) -> [TopicPartition] {
        (topics[topic]?.partitions.keys.sorted() ?? []).map { TopicPartition(topic, $0) }
    }
}

extension OffsetTable.Topic {
    fileprivate func speaks(of currentID: UUID128?) -> Bool {
        guard let id, let currentID else { return true }
        return id == currentID
    }
}
