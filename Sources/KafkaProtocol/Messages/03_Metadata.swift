import Bytes

/// API 3. Which brokers live, who is the controller, and who leads and follows each partition of the topics asked for.
/// Versions: 1 null asks for all topics, racks, controller; 2 cluster id; 3 throttle time; 4 a say on auto-creation; 5
/// offline replicas; 7 leader epochs; 8 authorized operations; 9 flexible; 10 topic ids; 11 no cluster operations any more
/// (DescribeCluster has them); 12 lookup by topic id.
package struct MetadataRequest: RequestMessage {
    package typealias Response = MetadataResponse
    package static let key = ApiKey.metadata
    package static let spoken = Spoken.speaks(0...12, flexibleFrom: 9)
    package var topics: [MetadataRequestTopic]? = []
    package var allowAutoTopicCreation = true
    package var includeClusterAuthorizedOperations = false
    package var includeTopicAuthorizedOperations = false
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&topics, nullSince: 1)
        try wire.bool(&allowAutoTopicCreation, since: 4, default: true)
        try wire.bool(&includeClusterAuthorizedOperations, since: 8, until: 10)
        try wire.bool(&includeTopicAuthorizedOperations, since: 8)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct MetadataRequestTopic: WireStruct {
        package var topicID = UUID128.zero
        package var name: String? = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.uuid(&topicID, since: 10, ignorable: true)
            try wire.string(&name, nullSince: 10)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct MetadataResponse: Message {
    package static let spoken = Spoken.speaks(0...12, flexibleFrom: 9)
    package var throttleTimeMs: Int32 = 0
    package var brokers: [MetadataResponseBroker] = []
    package var clusterID: String?
    package var controllerID: Int32 = -1
    package var topics: [MetadataResponseTopic] = []
    package var clusterAuthorizedOperations: Int32 = .min
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 3, ignorable: true)
        try wire.array(&brokers)
        try wire.string(&clusterID, since: 2, ignorable: true)
        try wire.int32(&controllerID, since: 1, ignorable: true)
        try wire.array(&topics)
        try wire.int32(&clusterAuthorizedOperations, since: 8, until: 10, default: .min)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct MetadataResponseBroker: WireStruct {
        package var nodeID: Int32 = 0
        package var host = ""
        package var port: Int32 = 0
        package var rack: String?
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&nodeID)
            try wire.string(&host)
            try wire.int32(&port)
            try wire.string(&rack, since: 1, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct MetadataResponseTopic: WireStruct {
        package var errorCode = ErrorCode.none
        package var name: String? = ""
        package var topicID = UUID128.zero
        package var isInternal = false
        package var partitions: [MetadataResponsePartition] = []
        package var topicAuthorizedOperations: Int32 = .min
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.errorCode(&errorCode)
            try wire.string(&name, nullSince: 12)
            try wire.uuid(&topicID, since: 10, ignorable: true)
            try wire.bool(&isInternal, since: 1, ignorable: true)
            try wire.array(&partitions)
            try wire.int32(&topicAuthorizedOperations, since: 8, default: .min)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct MetadataResponsePartition: WireStruct {
        package var errorCode = ErrorCode.none
        package var partitionIndex: Int32 = 0
        package var leaderID: Int32 = 0
        package var leaderEpoch: Int32 = -1
        package var replicaNodes: [Int32] = []
        package var isrNodes: [Int32] = []
        package var offlineReplicas: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.errorCode(&errorCode)
            try wire.int32(&partitionIndex)
            try wire.int32(&leaderID)
            try wire.int32(&leaderEpoch, since: 7, ignorable: true)
            try wire.array(&replicaNodes)
            try wire.array(&isrNodes)
            try wire.array(&offlineReplicas, since: 5, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
