/// API 35. Sizes of replicas in a broker's log directories.
/// Versions: 2 flexible; 3 an error for the whole; 4 space of the file systems.
package struct DescribeLogDirsRequest: RequestMessage {
    package typealias Response = DescribeLogDirsResponse
    package static let key = ApiKey.describeLogDirs
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 2)
    package var topics: [DescribableLogDirTopic]? = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DescribableLogDirTopic: WireStruct {
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

package struct DescribeLogDirsResponse: Message {
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 2)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var results: [DescribeLogDirsResult] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode, since: 3, ignorable: true)
        try wire.array(&results)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DescribeLogDirsResult: WireStruct {
        package var errorCode = ErrorCode.none
        package var logDir = ""
        package var topics: [DescribeLogDirsTopic] = []
        package var totalBytes: Int64 = -1
        package var usableBytes: Int64 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.errorCode(&errorCode)
            try wire.string(&logDir)
            try wire.array(&topics)
            try wire.int64(&totalBytes, since: 4, ignorable: true)
            try wire.int64(&usableBytes, since: 4, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct DescribeLogDirsTopic: WireStruct {
        package var name = ""
        package var partitions: [DescribeLogDirsPartition] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct DescribeLogDirsPartition: WireStruct {
        package var partitionIndex: Int32 = 0
        package var partitionSize: Int64 = 0
        package var offsetLag: Int64 = 0
        package var isFutureKey = false
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.int64(&partitionSize)
            try wire.int64(&offsetLag)
            try wire.bool(&isFutureKey)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
