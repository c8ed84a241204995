import Bytes

/// API 1. A consumer or a follower asks for records from an offset on, and may wait for them.
/// Versions: 1 throttle time; 3 a limit over all partitions, whose order counts; 4 isolation level and aborted
/// transactions; 5 log start offset; 6 KAFKA_STORAGE_ERROR; 7 fetch sessions (KIP-227); 9 leader epoch (KIP-320); 10 zstd;
/// 11 rack and preferred replica (KIP-392); 12 flexible, divergence by epoch (KIP-595); 13 topic ids (KIP-516); 14 tiered
/// storage error; 15 the replica's epoch (KIP-903); 16 where the leader went (KIP-951); 17 the replica's directory
/// (KIP-853).
package struct FetchRequest: RequestMessage {
    package typealias Response = FetchResponse
    package static let key = ApiKey.fetch
    package static let spoken = Spoken.speaks(0...17, flexibleFrom: 12)
    package var clusterID: String?
    package var replicaID: Int32 = -1
    package var replicaState = ReplicaState()
    package var maxWaitMs: Int32 = 0
    package var minBytes: Int32 = 0
    package var maxBytes: Int32 = .max
    package var isolationLevel: Int8 = 0
    package var sessionID: Int32 = 0
    package var sessionEpoch: Int32 = -1
    package var topics: [FetchTopic] = []
    package var forgottenTopicsData: [ForgottenTopic] = []
    package var rackID = ""
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&replicaID, until: 14, default: -1)
        try wire.int32(&maxWaitMs)
        try wire.int32(&minBytes)
        try wire.int32(&maxBytes, since: 3, ignorable: true)
        try wire.int8(&isolationLevel, since: 4, ignorable: true)
        try wire.int32(&sessionID, since: 7, ignorable: true)
        try wire.int32(&sessionEpoch, since: 7, ignorable: true)
        try wire.array(&topics)
        try wire.array(&forgottenTopicsData, since: 7)
        try wire.string(&rackID, since: 11, ignorable: true)
        var tags = try wire.beginTags()
        if try wire.tag(0, &tags, since: 12, ignorable: true, present: clusterID != nil) { try wire.string(&clusterID) }
        if try wire.tag(1, &tags, since: 15, ignorable: false, present: replicaState != ReplicaState()) {
            try replicaState.walk(&wire)
        }
        try wire.endTags(&tags)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct ReplicaState: WireStruct {
        package var replicaID: Int32 = -1
        package var replicaEpoch: Int64 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&replicaID)
            try wire.int64(&replicaEpoch)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct FetchTopic: WireStruct {
        package var topic = ""
        package var topicID = UUID128.zero
        package var partitions: [FetchPartition] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topic, until: 12, ignorable: true)
            try wire.uuid(&topicID, since: 13, ignorable: true)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct ForgottenTopic: WireStruct {
        package var topic = ""
        package var topicID = UUID128.zero
        package var partitions: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topic, until: 12, ignorable: true)
            try wire.uuid(&topicID, since: 13, ignorable: true)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct FetchPartition: WireStruct {
        package var partition: Int32 = 0
        package var currentLeaderEpoch: Int32 = -1
        package var fetchOffset: Int64 = 0
        package var lastFetchedEpoch: Int32 = -1
        package var logStartOffset: Int64 = -1
        package var partitionMaxBytes: Int32 = 0
        package var replicaDirectoryID = UUID128.zero
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partition)
            try wire.int32(&currentLeaderEpoch, since: 9, ignorable: true)
            try wire.int64(&fetchOffset)
            try wire.int32(&lastFetchedEpoch, since: 12, default: -1)
            try wire.int64(&logStartOffset, since: 5, ignorable: true)
            try wire.int32(&partitionMaxBytes)
            var tags = try wire.beginTags()
            if try wire.tag(0, &tags, since: 17, ignorable: true, present: replicaDirectoryID != .zero) {
                try wire.uuid(&replicaDirectoryID)
            }
            try wire.endTags(&tags)
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct FetchResponse: Message {
    package static let spoken = Spoken.speaks(0...17, flexibleFrom: 12)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var sessionID: Int32 = 0
    package var responses: [FetchableTopicResponse] = []
    package var nodeEndpoints: [NodeEndpoint] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        try wire.errorCode(&errorCode, since: 7, ignorable: true)
        try wire.int32(&sessionID, since: 7)
        try wire.array(&responses)
        var tags = try wire.beginTags()
        if try wire.tag(0, &tags, since: 16, ignorable: false, present: !nodeEndpoints.isEmpty) {
            try wire.array(&nodeEndpoints)
        }
        try wire.endTags(&tags)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct FetchableTopicResponse: WireStruct {
        package var topic = ""
        package var topicID = UUID128.zero
        package var partitions: [PartitionData] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topic, until: 12, ignorable: true)
            try wire.uuid(&topicID, since: 13, ignorable: true)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct NodeEndpoint: WireStruct {
        package var nodeID: Int32 = 0
        package var host = ""
        package var port: Int32 = 0
        package var rack: String?
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&nodeID)
            try wire.string(&host)
            try wire.int32(&port)
            try wire.string(&rack)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct PartitionData: WireStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode = ErrorCode.none
        package var highWatermark: Int64 = 0
        package var lastStableOffset: Int64 = -1
        package var logStartOffset: Int64 = -1
        package var divergingEpoch = EpochEndOffset()
        package var currentLeader = LeaderIdAndEpoch()
        package var snapshotID = SnapshotId()
        package var abortedTransactions: [AbortedTransaction]? = []
        package var preferredReadReplica: Int32 = -1
        package var records = RecordsField.null
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.errorCode(&errorCode)
            try wire.int64(&highWatermark)
            try wire.int64(&lastStableOffset, since: 4, ignorable: true)
            try wire.int64(&logStartOffset, since: 5, ignorable: true)
            try wire.array(&abortedTransactions, since: 4, ignorable: true)
            try wire.int32(&preferredReadReplica, since: 11, default: -1)
            try wire.records(&records)
            var tags = try wire.beginTags()
            if try wire.tag(0, &tags, since: 12, ignorable: false, present: divergingEpoch != EpochEndOffset()) {
                try divergingEpoch.walk(&wire)
            }
            if try wire.tag(1, &tags, since: 12, ignorable: false, present: currentLeader != LeaderIdAndEpoch()) {
                try currentLeader.walk(&wire)
            }
            if try wire.tag(2, &tags, since: 12, ignorable: false, present: snapshotID != SnapshotId()) {
                try snapshotID.walk(&wire)
            }
            try wire.endTags(&tags)
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct EpochEndOffset: WireStruct {
        package var epoch: Int32 = -1
        package var endOffset: Int64 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&epoch)
            try wire.int64(&endOffset)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct LeaderIdAndEpoch: WireStruct {
        package var leaderID: Int32 = -1
        package var leaderEpoch: Int32 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&leaderID)
            try wire.int32(&leaderEpoch)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct SnapshotId: WireStruct {
        package var endOffset: Int64 = -1
        package var epoch: Int32 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int64(&endOffset)
            try wire.int32(&epoch)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct AbortedTransaction: WireStruct {
        package var producerID: Int64 = 0
        package var firstOffset: Int64 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int64(&producerID)
            try wire.int64(&firstOffset)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
