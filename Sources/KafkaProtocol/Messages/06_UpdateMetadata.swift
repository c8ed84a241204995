import Bytes

/// API 6. The controller tells every broker who lives, and where each partition's leader is.
/// Versions: 1 several endpoints a broker; 2 racks; 3 listener names; 4 offline replicas; 5 broker epoch, grouped by topic;
/// 6 flexible; 7 topic ids; 8 whether the controller is a KRaft one, full or incremental.
package struct UpdateMetadataRequest: RequestMessage {
    package typealias Response = UpdateMetadataResponse
    package static let key = ApiKey.updateMetadata
    package static let spoken = Spoken.speaks(0...8, flexibleFrom: 6)
    package var controllerID: Int32 = 0
    package var isKRaftController = false
    package var type: Int8 = 0
    package var controllerEpoch: Int32 = 0
    package var brokerEpoch: Int64 = -1
    package var ungroupedPartitionStates: [UpdateMetadataPartitionState] = []
    package var topicStates: [UpdateMetadataTopicState] = []
    package var liveBrokers: [UpdateMetadataBroker] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&controllerID)
        try wire.bool(&isKRaftController, since: 8)
        try wire.int32(&controllerEpoch)
        try wire.int64(&brokerEpoch, since: 5, ignorable: true)
        try wire.array(&ungroupedPartitionStates, until: 4)
        try wire.array(&topicStates, since: 5)
        try wire.array(&liveBrokers)
        var tags = try wire.beginTags()
        if try wire.tag(0, &tags, since: 8, ignorable: false, present: type != 0) { try wire.int8(&type) }
        try wire.endTags(&tags)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct UpdateMetadataPartitionState: WireStruct {
        package var topicName = ""
        package var partitionIndex: Int32 = 0
        package var controllerEpoch: Int32 = 0
        package var leader: Int32 = 0
        package var leaderEpoch: Int32 = 0
        package var isr: [Int32] = []
        package var zkVersion: Int32 = 0
        package var replicas: [Int32] = []
        package var offlineReplicas: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName, until: 4, ignorable: true)
            try wire.int32(&partitionIndex)
            try wire.int32(&controllerEpoch)
            try wire.int32(&leader)
            try wire.int32(&leaderEpoch)
            try wire.array(&isr)
            try wire.int32(&zkVersion)
            try wire.array(&replicas)
            try wire.array(&offlineReplicas, since: 4, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct UpdateMetadataTopicState: WireStruct {
        package var topicName = ""
        package var topicID = UUID128.zero
        package var partitionStates: [UpdateMetadataPartitionState] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName)
            try wire.uuid(&topicID, since: 7, ignorable: true)
            try wire.array(&partitionStates)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct UpdateMetadataBroker: WireStruct {
        package var id: Int32 = 0
        package var v0Host = ""
        package var v0Port: Int32 = 0
        package var endpoints: [UpdateMetadataEndpoint] = []
        package var rack: String? = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&id)
            try wire.string(&v0Host, until: 0, ignorable: true)
            try wire.int32(&v0Port, until: 0, ignorable: true)
            try wire.array(&endpoints, since: 1, ignorable: true)
            try wire.string(&rack, since: 2, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct UpdateMetadataEndpoint: WireStruct {
        package var port: Int32 = 0
        package var host = ""
        package var listener = ""
        package var securityProtocol: Int16 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&port)
            try wire.string(&host)
            try wire.string(&listener, since: 3, ignorable: true)
            try wire.int16(&securityProtocol)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct UpdateMetadataResponse: Message {
    package static let spoken = Spoken.speaks(0...8, flexibleFrom: 6)
    package var errorCode = ErrorCode.none
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
