/// API 14. The leader hands in the assignment of its generation, and every member gets its share.
/// Versions: 1 throttle time; 3 static members; 4 flexible; 5 protocol type and name.
package struct SyncGroupRequest: RequestMessage {
    package typealias Response = SyncGroupResponse
    package static let key = ApiKey.syncGroup
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 4)
    package var groupID = ""
    package var generationID: Int32 = 0
    package var memberID = ""
    package var groupInstanceID: String?
    package var protocolType: String?
    package var protocolName: String?
    package var assignments: [SyncGroupRequestAssignment] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&groupID)
        try wire.int32(&generationID)
        try wire.string(&memberID)
        try wire.string(&groupInstanceID, since: 3)
        try wire.string(&protocolType, since: 5, ignorable: true)
        try wire.string(&protocolName, since: 5, ignorable: true)
        try wire.array(&assignments)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct SyncGroupRequestAssignment: WireStruct {
        package var memberID = ""
        package var assignment: [UInt8] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&memberID)
            try wire.bytes(&assignment)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct SyncGroupResponse: Message {
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 4)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var protocolType: String?
    package var protocolName: String?
    package var assignment: [UInt8] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        try wire.errorCode(&errorCode)
        try wire.string(&protocolType, since: 5, ignorable: true)
        try wire.string(&protocolName, since: 5, ignorable: true)
        try wire.bytes(&assignment)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
