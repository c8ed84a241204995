/// API 43. Has the controller elect leaders: the preferred replicas, or whoever is left.
/// Versions: 1 unclean elections (KIP-460); 2 flexible.
package struct ElectLeadersRequest: RequestMessage {
    package typealias Response = ElectLeadersResponse
    package static let key = ApiKey.electLeaders
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var electionType: Int8 = 0
    package var topicPartitions: [TopicPartitions]? = []
    package var timeoutMs: Int32 = 60000
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int8(&electionType, since: 1)
        try wire.array(&topicPartitions)
        try wire.int32(&timeoutMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicPartitions: WireStruct {
        package var topic = ""
        package var partitions: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topic)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct ElectLeadersResponse: Message {
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var replicaElectionResults: [ReplicaElectionResult] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode, since: 1)
        try wire.array(&replicaElectionResults)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct ReplicaElectionResult: WireStruct {
        package var topic = ""
        package var partitionResult: [PartitionResult] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topic)
            try wire.array(&partitionResult)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct PartitionResult: WireStruct {
        package var partitionID: Int32 = 0
        package var errorCode = ErrorCode.none
        package var errorMessage: String? = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionID)
            try wire.errorCode(&errorCode)
            try wire.string(&errorMessage)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
