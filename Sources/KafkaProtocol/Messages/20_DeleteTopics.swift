import Bytes

/// API 20. Deletes topics.
/// Versions: 1 throttle time; 3 TOPIC_DELETION_DISABLED; 4 flexible; 5 error messages; 6 by topic id.
package struct DeleteTopicsRequest: RequestMessage {
    package typealias Response = DeleteTopicsResponse
    package static let key = ApiKey.deleteTopics
    package static let spoken = Spoken.speaks(0...6, flexibleFrom: 4)
    package var topics: [DeleteTopicState] = []
    package var topicNames: [String] = []
    package var timeoutMs: Int32 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&topics, since: 6)
        try wire.array(&topicNames, until: 5, ignorable: true)
        try wire.int32(&timeoutMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DeleteTopicState: WireStruct {
        package var name: String?
        package var topicID = UUID128.zero
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.uuid(&topicID)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct DeleteTopicsResponse: Message {
    package static let spoken = Spoken.speaks(0...6, flexibleFrom: 4)
    package var throttleTimeMs: Int32 = 0
    package var responses: [DeletableTopicResult] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        try wire.array(&responses)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DeletableTopicResult: WireStruct {
        package var name: String? = ""
        package var topicID = UUID128.zero
        package var errorCode = ErrorCode.none
        package var errorMessage: String?
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name, nullSince: 6)
            try wire.uuid(&topicID, since: 6, ignorable: true)
            try wire.errorCode(&errorCode)
            try wire.string(&errorMessage, since: 5, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
