import ClusterModel

/// Where groups lie in the tree (architecture, section 5), in the words of those who read and write them.
package enum GroupPaths {
    package static let buckets = Znodes.groupBuckets
    package static let consumers = Znodes.consumers

    /// Its version is the owner epoch: every write for the bucket's groups is conditional on it.
    package static func bucket(_ number: Int) -> String { Znodes.groupBucket(number) }
    /// Ephemeral; its data is the owner's broker id.
    package static func owner(_ bucket: Int) -> String { Znodes.groupBucketOwner(bucket) }

    package static func group(_ id: String) -> String { Znodes.group(id) }
    package static func offsets(_ id: String) -> String { Znodes.groupOffsets(id) }
    package static func topic(_ id: String, _ topic: String) -> String { Znodes.groupOffsets(id, topic: topic) }
    package static func partition(_ id: String, _ topic: String, _ partition: Int32) -> String {
        Znodes.committedOffset(id, TopicPartition(topic, partition))
    }
    package static func meta(_ id: String, _ topic: String, _ partition: Int32) -> String {
        Znodes.committedOffsetMeta(id, TopicPartition(topic, partition))
    }
    /// The generation's head.
    package static func head(_ id: String) -> String { group(id) + "/group" }
    package static func chunk(_ id: String, _ name: String) -> String { group(id) + "/group/" + name }
}
