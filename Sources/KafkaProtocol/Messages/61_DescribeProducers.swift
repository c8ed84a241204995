/// API 61. The producers that wrote to partitions, with their open transactions.
/// Flexible from version 0 on.
package struct DescribeProducersRequest: RequestMessage {
    package typealias Response = DescribeProducersResponse
    package static let key = ApiKey.describeProducers
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var topics: [TopicRequest] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicRequest: WireStruct {
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
}

package struct DescribeProducersResponse: Message {
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var throttleTimeMs: Int32 = 0
    package var topics: [TopicResponse] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicResponse: WireStruct {
        package var name = ""
        package var partitions: [PartitionResponse] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct PartitionResponse: WireStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode = ErrorCode.none
        package var errorMessage: String?
        package var activeProducers: [ProducerState] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.errorCode(&errorCode)
            try wire.string(&errorMessage)
            try wire.array(&activeProducers)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct ProducerState: WireStruct {
        package var producerID: Int64 = 0
        package var producerEpoch: Int32 = 0
        package var lastSequence: Int32 = -1
        package var lastTimestamp: Int64 = -1
        package var coordinatorEpoch: Int32 = 0
        package var currentTxnStartOffset: Int64 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int64(&producerID)
            try wire.int32(&producerEpoch)
            try wire.int32(&lastSequence)
            try wire.int64(&lastTimestamp)
            try wire.int32(&coordinatorEpoch)
            try wire.int64(&currentTxnStartOffset)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
