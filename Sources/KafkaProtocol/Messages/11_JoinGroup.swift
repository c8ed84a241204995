/// API 11. A consumer asks to be a member of a group; the answer comes when the group has agreed on a generation. Only its
/// leader learns who is in it.
/// Versions: 1 rebalance timeout; 2 throttle time; 4 the member id is given before joining (KIP-394); 5 static members
/// (KIP-345); 6 flexible; 7 protocol type; 8 a reason for joining; 9 whether the leader's assignment is not wanted.
package struct JoinGroupRequest: RequestMessage {
    package typealias Response = JoinGroupResponse
    package static let key = ApiKey.joinGroup
    package static let spoken = Spoken.speaks(0...9, flexibleFrom: 6)
    package var groupID = ""
    package var sessionTimeoutMs: Int32 = 0
    package var rebalanceTimeoutMs: Int32 = -1
    package var memberID = ""
    package var groupInstanceID: String?
    package var protocolType = ""
    package var protocols: [JoinGroupRequestProtocol] = []
    package var reason: String?
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&groupID)
        try wire.int32(&sessionTimeoutMs)
        try wire.int32(&rebalanceTimeoutMs, since: 1, ignorable: true)
        try wire.string(&memberID)
        try wire.string(&groupInstanceID, since: 5)
        try wire.string(&protocolType)
        try wire.array(&protocols)
        try wire.string(&reason, since: 8, ignorable: true)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct JoinGroupRequestProtocol: WireStruct {
        package var name = ""
        package var metadata: [UInt8] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.bytes(&metadata)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct JoinGroupResponse: Message {
    package static let spoken = Spoken.speaks(0...9, flexibleFrom: 6)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var generationID: Int32 = -1
    package var protocolType: String?
    package var protocolName: String? = ""
    package var leader = ""
    package var skipAssignment = false
    package var memberID = ""
    package var members: [JoinGroupResponseMember] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 2, ignorable: true)
        try wire.errorCode(&errorCode)
        try wire.int32(&generationID)
        try wire.string(&protocolType, since: 7, ignorable: true)
        try wire.string(&protocolName, nullSince: 7)
        try wire.string(&leader)
        try wire.bool(&skipAssignment, since: 9)
        try wire.string(&memberID)
        try wire.array(&members)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct JoinGroupResponseMember: WireStruct {
        package var memberID = ""
        package var groupInstanceID: String?
        package var metadata: [UInt8] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&memberID)
            try wire.string(&groupInstanceID, since: 5, ignorable: true)
            try wire.bytes(&metadata)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
