/// API 46. Which partitions are being moved.
/// Flexible from version 0 on.
package struct ListPartitionReassignmentsRequest: RequestMessage {
    package typealias Response = ListPartitionReassignmentsResponse
    package static let key = ApiKey.listPartitionReassignments
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var timeoutMs: Int32 = 60000
    package var topics: [ListPartitionReassignmentsTopics]?
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&timeoutMs)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct ListPartitionReassignmentsTopics: WireStruct {
        package var name = ""
        package var partitionIndexes: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitionIndexes)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct ListPartitionReassignmentsResponse: Message {
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var errorMessage: String? = ""
    package var topics: [OngoingTopicReassignment] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode)
        try wire.string(&errorMessage)
        try wire.array(&topics)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct OngoingTopicReassignment: WireStruct {
        package var name = ""
        package var partitions: [OngoingPartitionReassignment] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.array(&partitions)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct OngoingPartitionReassignment: WireStruct {
        package var partitionIndex: Int32 = 0
        package var replicas: [Int32] = []
        package var addingReplicas: [Int32] = []
        package var removingReplicas: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&partitionIndex)
            try wire.array(&replicas)
            try wire.array(&addingReplicas)
            try wire.array(&removingReplicas)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
