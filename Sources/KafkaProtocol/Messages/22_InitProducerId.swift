/// API 22. Gives a producer its id and epoch.
/// Versions: 2 flexible; 3 the producer tells the id it had (KIP-360); 4 PRODUCER_FENCED; 5 TRANSACTION_ABORTABLE.
package struct InitProducerIdRequest: RequestMessage {
    package typealias Response = InitProducerIdResponse
    package static let key = ApiKey.initProducerID
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 2)
    package var transactionalID: String? = ""
    package var transactionTimeoutMs: Int32 = 0
    package var producerID: Int64 = -1
    package var producerEpoch: Int16 = -1
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&transactionalID)
        try wire.int32(&transactionTimeoutMs)
        try wire.int64(&producerID, since: 3, default: -1)
        try wire.int16(&producerEpoch, since: 3, default: -1)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct InitProducerIdResponse: Message {
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 2)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var producerID: Int64 = -1
    package var producerEpoch: Int16 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode)
        try wire.int64(&producerID)
        try wire.int16(&producerEpoch)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
