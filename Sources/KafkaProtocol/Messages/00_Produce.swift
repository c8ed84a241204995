/// API 0. A producer hands record batches to partition leaders; each partition answers with the offset its batch got.
/// Versions: 1 throttle time; 2 append time; 3 transactional id, and only v2 batches from here on; 4 KAFKA_STORAGE_ERROR; 5
/// log start offset; 7 zstd; 8 which records were refused (KIP-467); 9 flexible; 10 where the leader went (KIP-951); 11
/// TRANSACTION_ABORTABLE.
package struct ProduceRequest: RequestMessage {
    package typealias Response = ProduceResponse
    package static let key = ApiKey.produce
    package static let spoken = Spoken.speaks(0...11, flexibleFrom: 9)
    package var transactionalID: String?
    package var acks: Int16 = 0
    package var timeoutMs: Int32 = 0
    package var topicData: [TopicProduceData] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&transactionalID, since: 3)
        try wire.int16(&acks)
        try wire.int32(&timeoutMs)
        try wire.array(&topicData)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicProduceData: WireStruct {
        package var name = ""
        package var partitionData: [PartitionProduceData] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitionData)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct PartitionProduceData: WireStruct {
        package var index: Int32 = 0
        package var records = RecordsField.null
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&index)
            try wire.records(&records)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct ProduceResponse: Message {
    package static let spoken = Spoken.speaks(0...11, flexibleFrom: 9)
    package var responses: [TopicProduceResponse] = []
    package var throttleTimeMs: Int32 = 0
    package var nodeEndpoints: [NodeEndpoint] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&responses)
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        var tags = try wire.beginTags()
        if try wire.tag(0, &tags, since: 10, ignorable: false, present: !nodeEndpoints.isEmpty) {
            try wire.array(&nodeEndpoints)
        }
        try wire.endTags(&tags)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicProduceResponse: WireStruct {
        package var name = ""
        package var partitionResponses: [PartitionProduceResponse] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitionResponses)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct NodeEndpoint: WireStruct {
        package var nodeID: Int32 = 0
        package var host = ""
        package var port: Int32 = 0
        package var rack: String?
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&nodeID)
            try wire.string(&host)
            try wire.int32(&port)
            try wire.string(&rack)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct PartitionProduceResponse: WireStruct {
        package var index: Int32 = 0
        package var errorCode = ErrorCode.none
        package var baseOffset: Int64 = 0
        package var logAppendTimeMs: Int64 = -1
        package var logStartOffset: Int64 = -1
        package var recordErrors: [BatchIndexAndErrorMessage] = []
        package var errorMessage: String?
        package var currentLeader = LeaderIdAndEpoch()
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&index)
            try wire.errorCode(&errorCode)
            try wire.int64(&baseOffset)
            try wire.int64(&logAppendTimeMs, since: 2, ignorable: true)
            try wire.int64(&logStartOffset, since: 5, ignorable: true)
            try wire.array(&recordErrors, since: 8, ignorable: true)
            try wire.string(&errorMessage, since: 8, ignorable: true)
            var tags = try wire.beginTags()
            if try wire.tag(0, &tags, since: 10, ignorable: false, present: currentLeader != LeaderIdAndEpoch()) {
                try currentLeader.walk(&wire)
            }
            try wire.endTags(&tags)
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct BatchIndexAndErrorMessage: WireStruct {
        package var batchIndex: Int32 = 0
        package var batchIndexErrorMessage: String?
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&batchIndex)
            try wire.string(&batchIndexErrorMessage)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct LeaderIdAndEpoch: WireStruct {
        package var leaderID: Int32 = -1
        package var leaderEpoch: Int32 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&leaderID)
            try wire.int32(&leaderEpoch)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
