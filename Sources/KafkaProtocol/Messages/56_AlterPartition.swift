import Bytes

/// API 56. A partition's leader asks the controller to change the in-sync set.
/// Versions: 1 leader recovery state; 2 topic ids; 3 broker epochs of the members (KIP-903).
package struct AlterPartitionRequest: RequestMessage {
    package typealias Response = AlterPartitionResponse
    package static let key = ApiKey.alterPartition
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 0)
    package var brokerID: Int32 = 0
    package var brokerEpoch: Int64 = -1
    package var topics: [TopicData] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&brokerID)
        try wire.int64(&brokerEpoch)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicData: WireStruct {
        package var topicName = ""
        package var topicID = UUID128.zero
        package var partitions: [PartitionData] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName, until: 1, ignorable: true)
            try wire.uuid(&topicID, since: 2, ignorable: true)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct PartitionData: WireStruct {
        package var partitionIndex: Int32 = 0
        package var leaderEpoch: Int32 = 0
        package var newIsr: [Int32] = []
        package var newIsrWithEpochs: [BrokerState] = []
        package var leaderRecoveryState: Int8 = 0
        package var partitionEpoch: Int32 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.int32(&leaderEpoch)
            try wire.array(&newIsr, until: 2)
            try wire.array(&newIsrWithEpochs, since: 3)
            try wire.int8(&leaderRecoveryState, since: 1)
            try wire.int32(&partitionEpoch)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct BrokerState: WireStruct {
        package var brokerID: Int32 = 0
        package var brokerEpoch: Int64 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&brokerID)
            try wire.int64(&brokerEpoch)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct AlterPartitionResponse: Message {
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 0)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var topics: [TopicData] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicData: WireStruct {
        package var topicName = ""
        package var topicID = UUID128.zero
        package var partitions: [PartitionData] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topicName, until: 1, ignorable: true)
            try wire.uuid(&topicID, since: 2, ignorable: true)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct PartitionData: WireStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode = ErrorCode.none
        package var leaderID: Int32 = 0
        package var leaderEpoch: Int32 = 0
        package var isr: [Int32] = []
        package var leaderRecoveryState: Int8 = 0
        package var partitionEpoch: Int32 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.errorCode(&errorCode)
            try wire.int32(&leaderID)
            try wire.int32(&leaderEpoch)
            try wire.array(&isr)
            try wire.int8(&leaderRecoveryState, since: 1, ignorable: true)
            try wire.int32(&partitionEpoch)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
