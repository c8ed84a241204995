/// API 12. A member says it is alive; the reply tells it whether to rejoin.
/// Versions: 1 throttle time; 3 static members (KIP-345); 4 flexible.
package struct HeartbeatRequest: RequestMessage {
    package typealias Response = HeartbeatResponse
    package static let key = ApiKey.heartbeat
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 4)
    package var groupID = ""
    package var generationID: Int32 = 0
    package var memberID = ""
    package var groupInstanceID: String?
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&groupID)
        try wire.int32(&generationID)
        try wire.string(&memberID)
        try wire.string(&groupInstanceID, since: 3)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct HeartbeatResponse: Message {
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 4)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        try wire.errorCode(&errorCode)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
