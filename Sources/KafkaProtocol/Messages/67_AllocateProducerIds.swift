/// API 67. A broker gets a block of producer ids from the controller.
/// Flexible from version 0 on.
package struct AllocateProducerIdsRequest: RequestMessage {
    package typealias Response = AllocateProducerIdsResponse
    package static let key = ApiKey.allocateProducerIDs
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
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

package struct AllocateProducerIdsResponse: Message {
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var producerIDStart: Int64 = 0
    package var producerIDLen: Int32 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode)
        try wire.int64(&producerIDStart)
        try wire.int32(&producerIDLen)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
