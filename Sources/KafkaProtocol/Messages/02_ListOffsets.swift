/// API 2. Asks for the first offset at or after a time, or for one of the special ones: -1 latest, -2 earliest, -3 with the
/// largest timestamp.
/// Versions: 0 a list of offsets; 1 one offset and its timestamp; 2 isolation level, throttle time; 4 leader epochs; 5
/// OFFSET_NOT_AVAILABLE; 6 flexible; 7 timestamp -3; 8 timestamp -4 (local log start); 9 timestamp -5 (end of the remote
/// log).
package struct ListOffsetsRequest: RequestMessage {
    package typealias Response = ListOffsetsResponse
    package static let key = ApiKey.listOffsets
    package static let spoken = Spoken.speaks(0...9, flexibleFrom: 6)
    package var replicaID: Int32 = 0
    package var isolationLevel: Int8 = 0
    package var topics: [ListOffsetsTopic] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&replicaID)
        try wire.int8(&isolationLevel, since: 2)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct ListOffsetsTopic: WireStruct {
        package var name = ""
        package var partitions: [ListOffsetsPartition] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct ListOffsetsPartition: WireStruct {
        package var partitionIndex: Int32 = 0
        package var currentLeaderEpoch: Int32 = -1
        package var timestamp: Int64 = 0
        package var maxNumOffsets: Int32 = 1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.int32(&currentLeaderEpoch, since: 4, ignorable: true)
            try wire.int64(&timestamp)
            try wire.int32(&maxNumOffsets, until: 0, default: 1)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct ListOffsetsResponse: Message {
    package static let spoken = Spoken.speaks(0...9, flexibleFrom: 6)
    package var throttleTimeMs: Int32 = 0
    package var topics: [ListOffsetsTopicResponse] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 2, ignorable: true)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct ListOffsetsTopicResponse: WireStruct {
        package var name = ""
        package var partitions: [ListOffsetsPartitionResponse] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct ListOffsetsPartitionResponse: WireStruct {
        package var partitionIndex: Int32 = 0
        package var errorCode = ErrorCode.none
        package var oldStyleOffsets: [Int64] = []
        package var timestamp: Int64 = -1
        package var offset: Int64 = -1
        package var leaderEpoch: Int32 = -1
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.errorCode(&errorCode)
            try wire.array(&oldStyleOffsets, until: 0)
            try wire.int64(&timestamp, since: 1, default: -1)
            try wire.int64(&offset, since: 1, default: -1)
            try wire.int32(&leaderEpoch, since: 4, default: -1)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
