/// API 25. A producer tells the transaction coordinator that its transaction will commit a group's offsets.
/// Versions: 2 PRODUCER_FENCED; 3 flexible; 4 TRANSACTION_ABORTABLE.
package struct AddOffsetsToTxnRequest: RequestMessage {
    package typealias Response = AddOffsetsToTxnResponse
    package static let key = ApiKey.addOffsetsToTxn
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 3)
    package var transactionalID = ""
    package var producerID: Int64 = 0
    package var producerEpoch: Int16 = 0
    package var groupID = ""
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&transactionalID)
        try wire.int64(&producerID)
        try wire.int16(&producerEpoch)
        try wire.string(&groupID)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct AddOffsetsToTxnResponse: Message {
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 3)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
