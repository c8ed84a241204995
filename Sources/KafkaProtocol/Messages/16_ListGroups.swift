/// API 16. The groups that one broker is the group coordinator of.
/// Versions: 1 throttle time; 3 flexible; 4 states; 5 types.
package struct ListGroupsRequest: RequestMessage {
    package typealias Response = ListGroupsResponse
    package static let key = ApiKey.listGroups
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 3)
    package var statesFilter: [String] = []
    package var typesFilter: [String] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&statesFilter, since: 4)
        try wire.array(&typesFilter, since: 5)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct ListGroupsResponse: Message {
    package static let spoken = Spoken.speaks(0...5, flexibleFrom: 3)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var groups: [ListedGroup] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        try wire.errorCode(&errorCode)
        try wire.array(&groups)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct ListedGroup: WireStruct {
        package var groupID = ""
        package var protocolType = ""
        package var groupState = ""
        package var groupType = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&groupID)
            try wire.string(&protocolType)
            try wire.string(&groupState, since: 4, ignorable: true)
            try wire.string(&groupType, since: 5, ignorable: true)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
