/// API 24. A producer tells the transaction coordinator which partitions its transaction touches.
/// Versions: 2 PRODUCER_FENCED; 3 flexible; 4 several transactions at once, or only verification, for brokers (KIP-890); 5
/// TRANSACTION_ABORTABLE.
package struct AddPartitionsToTxnRequest: RequestMessage {
    package typealias Response = AddPartitionsToTxnResponse
    package static let key = ApiKey.addPartitionsToTxn
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 3)
    package var transactions: [AddPartitionsToTxnTransaction] = []
    package var v3AndBelowTransactionalID = ""
    package var v3AndBelowProducerID: Int64 = 0
    package var v3AndBelowProducerEpoch: Int16 = 0
    package var v3AndBelowTopics: [AddPartitionsToTxnTopic] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&transactions, since: 4)
        try wire.string(&v3AndBelowTransactionalID, until: 3)
        try wire.int64(&v3AndBelowProducerID, until: 3)
        try wire.int16(&v3AndBelowProducerEpoch, until: 3)
        try wire.array(&v3AndBelowTopics, until: 3)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct AddPartitionsToTxnTransaction: WireStruct {
        package var transactionalID = ""
        package var producerID: Int64 = 0
        package var producerEpoch: Int16 = 0
        package var verifyOnly = false
        package var topics: [AddPartitionsToTxnTopic] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&transactionalID)
            try wire.int64(&producerID)
            try wire.int16(&producerEpoch)
            try wire.bool(&verifyOnly)
            try wire.array(&topics)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct AddPartitionsToTxnTopic: WireStruct {
        package var name = ""
        package var partitions: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct AddPartitionsToTxnResponse: Message {
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 3)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var resultsByTransaction: [AddPartitionsToTxnResult] = []
    package var resultsByTopicV3AndBelow: [AddPartitionsToTxnTopicResult] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode, since: 4, ignorable: true)
        try wire.array(&resultsByTransaction, since: 4)
        try wire.array(&resultsByTopicV3AndBelow, until: 3)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct AddPartitionsToTxnResult: WireStruct {
        package var transactionalID = ""
        package var topicResults: [AddPartitionsToTxnTopicResult] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&transactionalID)
            try wire.array(&topicResults)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct AddPartitionsToTxnTopicResult: WireStruct {
        package var name = ""
        package var resultsByPartition: [AddPartitionsToTxnPartitionResult] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&resultsByPartition)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct AddPartitionsToTxnPartitionResult: WireStruct {
        package var partitionIndex: Int32 = 0
        package var partitionErrorCode = ErrorCode.none
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.errorCode(&partitionErrorCode)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
