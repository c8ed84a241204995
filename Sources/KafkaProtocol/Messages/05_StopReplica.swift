/// API 5. The controller tells a broker to stop replicas, and whether to delete them.
/// Versions: 1 broker epoch, partitions grouped by topic; 2 flexible; 3 leader epoch and deletion per partition (KIP-570);
/// 4 whether the controller is a KRaft one.
package struct StopReplicaRequest: RequestMessage {
    package typealias Response = StopReplicaResponse
    package static let key = ApiKey.stopReplica
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 2)
    package var controllerID: Int32 = 0
    package var isKRaftController = false
    package var controllerEpoch: Int32 = 0
    package var brokerEpoch: Int64 = -1
    package var deletePartitions = false
    package var ungroupedPartitions: [StopReplicaPartitionV0] = []
    package var topics: [StopReplicaTopicV1] = []
    package var topicStates: [StopReplicaTopicState] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&controllerID)
        try wire.bool(&isKRaftController, since: 4)
        try wire.int32(&controllerEpoch)
        try wire.int64(&brokerEpoch, since: 1, ignorable: true)
        try wire.bool(&deletePartitions, until: 2)
        try wire.array(&ungroupedPartitions, until: 0)
        try wire.array(&topics, since: 1, until: 2)
        try wire.array(&topicStates, since: 3)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct StopReplicaPartitionV0: WireStruct {
        package var topicName = ""
        package var partitionIndex: Int32 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName)
            try wire.int32(&partitionIndex)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct StopReplicaTopicV1: WireStruct {
        package var name = ""
        package var partitionIndexes: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitionIndexes)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct StopReplicaTopicState: WireStruct {
        package var topicName = ""
        package var partitionStates: [StopReplicaPartitionState] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName)
            try wire.array(&partitionStates)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct StopReplicaPartitionState: WireStruct {
        package var partitionIndex: Int32 = 0
        package var leaderEpoch: Int32 = -1
        package var deletePartition = false
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.int32(&leaderEpoch)
            try wire.bool(&deletePartition)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct StopReplicaResponse: Message {
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 2)
    package var errorCode = ErrorCode.none
    package var partitionErrors: [StopReplicaPartitionError] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.array(&partitionErrors)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct StopReplicaPartitionError: WireStruct {
        package var topicName = ""
        package var partitionIndex: Int32 = 0
        package var errorCode = ErrorCode.none
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName)
            try wire.int32(&partitionIndex)
            try wire.errorCode(&errorCode)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
