/// API 7. A broker that is about to stop asks the controller to move its leaderships; the answer lists those that remain.
/// Versions: 0 has a request header without client id; 2 broker epoch; 3 flexible.
package struct ControlledShutdownRequest: RequestMessage {
    package typealias Response = ControlledShutdownResponse
    package static let key = ApiKey.controlledShutdown
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 3)
    package var brokerID: Int32 = 0
    package var brokerEpoch: Int64 = -1
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&brokerID)
        try wire.int64(&brokerEpoch, since: 2, ignorable: true)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct ControlledShutdownResponse: Message {
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 3)
    package var errorCode = ErrorCode.none
    package var remainingPartitions: [RemainingPartition] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.array(&remainingPartitions)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct RemainingPartition: WireStruct {
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
}
