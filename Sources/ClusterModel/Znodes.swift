/// Where everything stands in the tree. Paths are below the chroot of `zookeeper.connect`.
package enum Znodes {
    package static let brokerIDs = "/brokers/ids"
    package static let brokerTopics = "/brokers/topics"
    package static let brokerSequence = "/brokers/seqid"
    package static let controller = "/controller"
    package static let controllerEpoch = "/controller_epoch"
    package static let clusterID = "/cluster/id"
    package static let feature = "/feature"
    package static let consumers = "/consumers"
    package static let configTopics = "/config/topics"
    package static let configBrokers = "/config/brokers"
    package static let configChanges = "/config/changes"
    package static let configChangePrefix = "/config/changes/config_change_"
    package static let deleteTopics = "/admin/delete_topics"
    package static let reassignPartitions = "/admin/reassign_partitions"
    package static let preferredReplicaElection = "/admin/preferred_replica_election"
    package static let isrChanges = "/isr_change_notification"
    package static let logDirEvents = "/log_dir_event_notification"
    package static let producerIDBlock = "/latest_producer_id_block"

    /// What every broker makes at its start when missing, parents too, in this order, with null data.
    package static let madeAtStart = [
        consumers, brokerIDs, brokerTopics, configChanges, deleteTopics, brokerSequence, isrChanges, producerIDBlock,
        logDirEvents, configTopics, "/config/clients", "/config/users", configBrokers, "/config/ips",
    ]

    package static func broker(_ id: BrokerID) -> String { "\(brokerIDs)/\(id)" }
    package static func topic(_ topic: String) -> String { "\(brokerTopics)/\(topic)" }
    package static func partitions(_ topic: String) -> String { "\(brokerTopics)/\(topic)/partitions" }
    package static func partition(_ partition: TopicPartition) -> String {
        "\(brokerTopics)/\(partition.topic)/partitions/\(partition.partition)"
    }
    package static func partitionState(_ partition: TopicPartition) -> String { "\(Znodes.partition(partition))/state" }
    package static func topicConfig(_ topic: String) -> String { "\(configTopics)/\(topic)" }
    package static func brokerConfig(_ id: BrokerID) -> String { "\(configBrokers)/\(id)" }
    package static let brokerConfigDefault = "\(configBrokers)/<default>"
    package static func deletedTopic(_ topic: String) -> String { "\(deleteTopics)/\(topic)" }

    // Ours, beside Kafka's.

    /// Its data is the layout's version; a newer one is refused.
    package static let letterbox = "/letterbox"
    package static let layoutVersion = 1
    package static let letterboxBrokers = "/letterbox/brokers"
    /// The ephemeral twin of `/brokers/ids/N`: tells our brokers from Apache's.
    package static func twin(_ id: BrokerID) -> String { "\(letterboxBrokers)/\(id)" }
    package static let groupBuckets = "/letterbox/groups"
    package static func groupBucket(_ bucket: Int) -> String { "\(groupBuckets)/\(bucket)" }
    package static func groupBucketOwner(_ bucket: Int) -> String { "\(groupBuckets)/\(bucket)/owner" }

    package static func group(_ group: String) -> String { "\(consumers)/\(PathName.encode(group))" }
    package static func groupOffsets(_ group: String) -> String { "\(Znodes.group(group))/offsets" }
    package static func groupOffsets(_ group: String, topic: String) -> String { "\(groupOffsets(group))/\(topic)" }
    package static func committedOffset(_ group: String, _ partition: TopicPartition) -> String {
        "\(groupOffsets(group, topic: partition.topic))/\(partition.partition)"
    }
    /// Leader epoch and metadata of a committed offset, with the offset they belong to.
    package static func committedOffsetMeta(_ group: String, _ partition: TopicPartition) -> String {
        "\(committedOffset(group, partition))/meta"
    }
}

/// Group and transactional ids as one component of a path: percent-encoded UTF-8. Printable ASCII except `/` and `%` stays as it
/// is; `.` and `..` encode their dots; the empty id is `%`.
package enum PathName {
    package static func encode(_ id: String) -> String {
        switch id {
        case "": return "%"
        case ".": return "%2E"
        case "..": return "%2E%2E"
        default: break
        }
        if id.utf8.allSatisfy(isPlain) { return id }
        let digits = [UInt8]("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in id.utf8 {
            if isPlain(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Nil when `name` is nothing that `encode` produces.
    package static func decode(_ name: String) -> String? {
        if name == "%" { return "" }
        guard name.utf8.contains(UInt8(ascii: "%")) else { return name.isEmpty ? nil : name }
        var bytes: [UInt8] = []
        var rest = name.utf8.makeIterator()
        func digit(_ byte: UInt8?) -> UInt8? {
            guard let byte else { return nil }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "F"): return byte - UInt8(ascii: "A") + 10
            default: return nil
            }
        }
        while let byte = rest.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = digit(rest.next()), let low = digit(rest.next()) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte)
            }
        }
        guard let id = String(validating: bytes, as: UTF8.self), encode(id) == name else { return nil }
        return id
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "/") && byte != UInt8(ascii: "%") || byte == 0x20
    }
}
