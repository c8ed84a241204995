import Bytes

/// API 4. The controller tells a broker which partitions it leads or follows, with their epochs and in-sync sets.
/// Versions: 1 whether a replica is new; 2 broker epoch, partitions grouped by topic (KIP-380); 3 replicas being added and
/// removed (KIP-455); 4 flexible; 5 topic ids, full or incremental; 6 leader recovery state; 7 whether the controller is a
/// KRaft one.
package struct LeaderAndIsrRequest: RequestMessage {
    package typealias Response = LeaderAndIsrResponse
    package static let key = ApiKey.leaderAndIsr
    package static let spoken = Spoken.speaks(0...7, flexibleFrom: 4)
    package var controllerID: Int32 = 0
    package var isKRaftController = false
    package var controllerEpoch: Int32 = 0
    package var brokerEpoch: Int64 = -1
    package var type: Int8 = 0
    package var ungroupedPartitionStates: [LeaderAndIsrPartitionState] = []
    package var topicStates: [LeaderAndIsrTopicState] = []
    package var liveLeaders: [LeaderAndIsrLiveLeader] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&controllerID)
        try wire.bool(&isKRaftController, since: 7)
        try wire.int32(&controllerEpoch)
        try wire.int64(&brokerEpoch, since: 2, ignorable: true)
        try wire.int8(&type, since: 5)
        try wire.array(&ungroupedPartitionStates, until: 1)
        try wire.array(&topicStates, since: 2)
        try wire.array(&liveLeaders)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct LeaderAndIsrPartitionState: WireStruct {
        package var topicName = ""
        package var partitionIndex: Int32 = 0
        package var controllerEpoch: Int32 = 0
        package var leader: Int32 = 0
        package var leaderEpoch: Int32 = 0
        package var isr: [Int32] = []
        package var partitionEpoch: Int32 = 0
        package var replicas: [Int32] = []
        package var addingReplicas: [Int32] = []
        package var removingReplicas: [Int32] = []
        package var isNew = false
        package var leaderRecoveryState: Int8 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName, until: 1, ignorable: true)
            try wire.int32(&partitionIndex)
            try wire.int32(&controllerEpoch)
            try wire.int32(&leader)
            try wire.int32(&leaderEpoch)
            try wire.array(&isr)
            try wire.int32(&partitionEpoch)
            try wire.array(&replicas)
            try wire.array(&addingReplicas, since: 3, ignorable: true)
            try wire.array(&removingReplicas, since: 3, ignorable: true)
            try wire.bool(&isNew, since: 1, ignorable: true)
            try wire.int8(&leaderRecoveryState, since: 6)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct LeaderAndIsrTopicState: WireStruct {
        package var topicName = ""
        package var topicID = UUID128.zero
        package var partitionStates: [LeaderAndIsrPartitionState] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName)
            try wire.uuid(&topicID, since: 5, ignorable: true)
            try wire.array(&partitionStates)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct LeaderAndIsrLiveLeader: WireStruct {
        package var brokerID: Int32 = 0
        package var hostName = ""
        package var port: Int32 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&brokerID)
            try wire.string(&hostName)
            try wire.int32(&port)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct LeaderAndIsrResponse: Message {
    package static let spoken = Spoken.speaks(0...7, flexibleFrom: 4)
    package var errorCode = ErrorCode.none
    package var partitionErrors: [LeaderAndIsrPartitionError] = []
    package var topics: [LeaderAndIsrTopicError] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.array(&partitionErrors, until: 4)
        try wire.array(&topics, since: 5)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct LeaderAndIsrPartitionError: WireStruct {
        package var topicName = ""
        package var partitionIndex: Int32 = 0
        package var errorCode = ErrorCode.none
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName, until: 4, ignorable: true)
            try wire.int32(&partitionIndex)
            try wire.errorCode(&errorCode)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct LeaderAndIsrTopicError: WireStruct {
        package var topicID = UUID128.zero
        package var partitionErrors: [LeaderAndIsrPartitionError] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.uuid(&topicID)
            try wire.array(&partitionErrors)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
