import Bytes
import ClusterModel

/// A record of Kafka's `__consumer_offsets`: an offset that was committed, or what a group is. Rule: Kafka 3.9's group coordinator
/// (KIP-848's records too) and what its `kafka-dump-log --offsets-decoder` shows of them.
package struct GroupRecord {
    package enum Failure: Error, Equatable {
        /// A key of a type that Kafka 3.9 shows no record of.
        case unknownType(Int16)
        case unreadable(String)
    }

    /// The key's version says what the record is.
    package var type: Int16
    package var key: StoredValue
    /// Nil for a tombstone.
    package var value: (version: Int16, content: StoredValue)?

    /// The types that hold an offset.
    package static let offsetTypes: ClosedRange<Int16> = 0...1

    /// Nil for a key too short to have one.
    package static func type(ofKey key: [UInt8]) -> Int16? {
        key.count < 2 ? nil : Int16(bitPattern: UInt16(key[0]) << 8 | UInt16(key[1]))
    }

    package init(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) throws(Failure) {
        var reader = ByteReader(key)
        type = try GroupRecord.version(&reader, of: "key")
        guard GroupRecord.layouts.indices.contains(Int(type)) else { throw .unknownType(type) }
        let layouts = GroupRecord.layouts[Int(type)]
        self.key = try GroupRecord.read(layouts.key, &reader, type, of: "key")
        guard let value else { return }
        reader = ByteReader(value)
        let version = try GroupRecord.version(&reader, of: "value")
        self.value = (version, try GroupRecord.read(layouts.value, &reader, version, of: "value"))
    }

    private static func version(_ reader: inout ByteReader, of what: String) throws(Failure) -> Int16 {
        do throws(ByteError) { return try reader.int16() } catch {
            throw .unreadable("Could not read version from \(what)'s buffer.")
        }
    }

    private static func read(
        _ layout: StoredLayout, _ reader: inout ByteReader, _ version: Int16, of what: String
    ) throws(Failure) -> StoredValue {
        do throws(StoredMessageError) { return try layout.read(&reader, version: version) } catch {
            throw .unreadable(
                "Could not read record with version \(version) from \(what)'s buffer due to: "
                    + "\(error.reason ?? "null").")
        }
    }

    // MARK: In words

    /// What Kafka's tool shows for key and value. Where that gives up, on a record without a key, this says why and goes on.
    package static func words(
        at offset: Offset, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?
    ) -> (key: String?, payload: String?) {
        guard let key else {
            return (
                "Failed to decode message at offset \(offset) using offset topic decoder (message had a missing key)",
                nil
            )
        }
        do throws(Failure) {
            let record = try GroupRecord(key: key, value: value)
            return (
                #"{"type":"\#(record.type)","data":\#(record.key.json)}"#,
                record.value.map { #"{"version":"\#($0.version)","data":\#(opened($0.content).json)}"# } ?? "<DELETE>"
            )
        } catch {
            switch error {
            case .unknownType(let type): return ("Unknown record type \(type) at offset \(offset), skipping.", nil)
            case .unreadable(let reason): return ("Error at offset \(offset), skipping. \(reason)", nil)
            }
        }
    }

    /// What members of consumer groups said and were told, readable where it can be read; it stays bytes where not.
    private static func opened(_ group: StoredValue) -> StoredValue {
        guard group["protocolType"]?.text == "consumer" else { return group }
        return group.replacing("members") { members in
            .list(
                (members.list ?? []).map { member in
                    member.replacing("subscription") { embedded($0, subscription) }
                        .replacing("assignment") { embedded($0, assignment) }
                })
        }
    }

    private static func embedded(_ value: StoredValue, _ layout: StoredLayout) -> StoredValue? {
        guard case .bytes(let bytes) = value else { return nil }
        return bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            guard let version = try? reader.int16() else { return nil }
            return try? layout.read(&reader, version: version)
        }
    }
}

// MARK: Layouts

extension GroupRecord {
    private static func key(_ versions: ClosedRange<Int16>, _ fields: StoredLayout.Field...) -> StoredLayout {
        StoredLayout(versions: versions, fields: fields)
    }
    /// Values of KIP-848's records, flexible from their beginning.
    private static func flexible(_ fields: StoredLayout.Field...) -> StoredLayout {
        StoredLayout(versions: 0...0, flexibleSince: 0, fields: fields)
    }

    private static let group = StoredLayout.Field.field("groupId", .text)
    private static let member = StoredLayout.Field.field("memberId", .text)
    private static let offsetKey = key(
        0...1, .field("group", .text), .field("topic", .text), .field("partition", .int32))

    /// By the key's version.
    private static let layouts: [(key: StoredLayout, value: StoredLayout)] = [
        (offsetKey, offset),
        (offsetKey, offset),
        (key(2...2, .field("group", .text)), classicGroup),
        (key(3...3, group), flexible(.field("epoch", .int32))),
        (key(4...4, group), partitions),
        (key(5...5, group, member), consumer),
        (key(6...6, group), flexible(.field("assignmentEpoch", .int32))),
        (
            key(7...7, group, member),
            flexible(.field("topicPartitions", .list(.structure("TopicPartition", topicPartitions))))
        ),
        (key(8...8, group, member), currentAssignment),
    ]

    private static let topicPartitions: [StoredLayout.Field] = [
        .field("topicId", .id), .field("partitions", .list(.int32)),
    ]

    /// OffsetCommitValue.
    package static let offset = StoredLayout(
        versions: 0...4, flexibleSince: 4,
        fields: [
            .field("offset", .int64), .field("leaderEpoch", .int32, since: 3), .field("metadata", .text),
            .field("commitTimestamp", .int64), .field("expireTimestamp", .int64, only: 1),
        ])

    /// GroupMetadataValue.
    private static let classicGroup = StoredLayout(
        versions: 0...4, flexibleSince: 4,
        fields: [
            .field("protocolType", .text), .field("generation", .int32), .field("protocol", .text, nullable: true),
            .field("leader", .text, nullable: true), .field("currentStateTimestamp", .int64, since: 2),
            .field(
                "members",
                .list(
                    .structure(
                        "MemberMetadata",
                        [
                            .field("memberId", .text), .field("groupInstanceId", .text, since: 3, nullable: true),
                            .field("clientId", .text), .field("clientHost", .text),
                            .field("rebalanceTimeout", .int32, since: 1), .field("sessionTimeout", .int32),
                            .field("subscription", .bytes), .field("assignment", .bytes),
                        ]))),
        ])

    /// ConsumerGroupPartitionMetadataValue.
    private static let partitions = flexible(
        .field(
            "topics",
            .list(
                .structure(
                    "TopicMetadata",
                    [
                        .field("topicId", .id), .field("topicName", .text), .field("numPartitions", .int32),
                        .field(
                            "partitionMetadata",
                            .list(
                                .structure(
                                    "PartitionMetadata",
                                    [.field("partition", .int32), .field("racks", .list(.text))]))),
                    ]))))

    /// ConsumerGroupMemberMetadataValue.
    private static let consumer = flexible(
        .field("instanceId", .text, nullable: true), .field("rackId", .text, nullable: true),
        .field("clientId", .text), .field("clientHost", .text), .field("subscribedTopicNames", .list(.text)),
        .field("subscribedTopicRegex", .text, nullable: true), .field("rebalanceTimeoutMs", .int32),
        .field("serverAssignor", .text, nullable: true),
        .tagged(
            0, "classicMemberMetadata",
            .structure(
                "ClassicMemberMetadata",
                [
                    .field("sessionTimeoutMs", .int32),
                    .field(
                        "supportedProtocols",
                        .list(.structure("ClassicProtocol", [.field("name", .text), .field("metadata", .bytes)]))),
                ])))

    /// ConsumerGroupCurrentMemberAssignmentValue.
    private static let currentAssignment = flexible(
        .field("memberEpoch", .int32), .field("previousMemberEpoch", .int32), .field("state", .int8),
        .field("assignedPartitions", .list(.structure("TopicPartitions", topicPartitions))),
        .field("partitionsPendingRevocation", .list(.structure("TopicPartitions", topicPartitions))))

    private static let owned = StoredLayout.Kind.list(
        .structure("TopicPartition", [.field("topic", .text), .field("partitions", .list(.int32))]))

    /// ConsumerProtocolSubscription.
    private static let subscription = StoredLayout(
        versions: 0...3,
        fields: [
            .field("topics", .list(.text)), .field("userData", .bytes, nullable: true),
            .field("ownedPartitions", owned, since: 1), .field("generationId", .int32, since: 2),
            .field("rackId", .text, since: 3, nullable: true),
        ])

    /// ConsumerProtocolAssignment.
    private static let assignment = StoredLayout(
        versions: 0...3, fields: [.field("assignedPartitions", owned), .field("userData", .bytes, nullable: true)])
}
