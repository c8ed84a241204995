/// API 65. The states of transactions.
/// Flexible from version 0 on.
package struct DescribeTransactionsRequest: RequestMessage {
    package typealias Response = DescribeTransactionsResponse
    package static let key = ApiKey.describeTransactions
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var transactionalIDs: [String] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&transactionalIDs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct DescribeTransactionsResponse: Message {
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var throttleTimeMs: Int32 = 0
    package var transactionStates: [TransactionState] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.array(&transactionStates)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TransactionState: WireStruct {
        package var errorCode = ErrorCode.none
        package var transactionalID = ""
        package var transactionState = ""
        package var transactionTimeoutMs: Int32 = 0
        package var transactionStartTimeMs: Int64 = 0
        package var producerID: Int64 = 0
        package var producerEpoch: Int16 = 0
        package var topics: [TopicData] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.errorCode(&errorCode)
            try wire.string(&transactionalID)
            try wire.string(&transactionState)
            try wire.int32(&transactionTimeoutMs)
            try wire.int64(&transactionStartTimeMs)
            try wire.int64(&producerID)
            try wire.int16(&producerEpoch)
            try wire.array(&topics)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct TopicData: WireStruct {
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
