/// API 21. Deletes the records before an offset.
/// Versions: 2 flexible.
package struct DeleteRecordsRequest: RequestMessage {
    package typealias Response = DeleteRecordsResponse
    package static let key = ApiKey.deleteRecords
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var topics: [DeleteRecordsTopic] = []
    package var timeoutMs: Int32 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&topics)
        try wire.int32(&timeoutMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DeleteRecordsTopic: WireStruct {
        package var name = ""
        package var partitions: [DeleteRecordsPartition] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct DeleteRecordsPartition: WireStruct {
        package var partitionIndex: Int32 = 0
        package var offset: Int64 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.int64(&offset)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct DeleteRecordsResponse: Message {
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var throttleTimeMs: Int32 = 0
    package var topics: [DeleteRecordsTopicResult] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DeleteRecordsTopicResult: WireStruct {
        package var name = ""
        package var partitions: [DeleteRecordsPartitionResult] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct DeleteRecordsPartitionResult: WireStruct {
        package var partitionIndex: Int32 = 0
        package var lowWatermark: Int64 = 0
        package var errorCode = ErrorCode.none
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.int64(&lowWatermark)
            try wire.errorCode(&errorCode)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
