/// API 13. Members leave their group, so that nobody waits for their timeout.
/// Versions: 1 throttle time; 3 several members, static ones too (KIP-345); 4 flexible; 5 a reason.
package struct LeaveGroupRequest: RequestMessage {
    package typealias Response = LeaveGroupResponse
    package static let key = ApiKey.leaveGroup
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 4)
    package var groupID = ""
    package var memberID = ""
    package var members: [MemberIdentity] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&groupID)
        try wire.string(&memberID, until: 2)
        try wire.array(&members, since: 3)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct MemberIdentity: WireStruct {
        package var memberID = ""
        package var groupInstanceID: String?
        package var reason: String?
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&memberID)
            try wire.string(&groupInstanceID)
            try wire.string(&reason, since: 5, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct LeaveGroupResponse: Message {
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 4)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var members: [MemberResponse] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        try wire.errorCode(&errorCode)
        try wire.array(&members, since: 3)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct MemberResponse: WireStruct {
        package var memberID = ""
        package var groupInstanceID: String? = ""
        package var errorCode = ErrorCode.none
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&memberID)
            try wire.string(&groupInstanceID)
            try wire.errorCode(&errorCode)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
