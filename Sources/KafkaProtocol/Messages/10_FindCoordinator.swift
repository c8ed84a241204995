/// API 10. Which broker is the group coordinator, or the transaction coordinator, of a name.
/// Versions: 1 kind of key, throttle time, error message; 3 flexible; 4 several keys at once; 5 TRANSACTION_ABORTABLE; 6
/// share groups.
package struct FindCoordinatorRequest: RequestMessage {
    package typealias Response = FindCoordinatorResponse
    package static let key = ApiKey.findCoordinator
    package static let spoken = Spoken.speaks(0...6, flexibleFrom: 3)
    package var key = ""
    package var keyType: Int8 = 0
    package var coordinatorKeys: [String] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&key, until: 3)
        try wire.int8(&keyType, since: 1)
        try wire.array(&coordinatorKeys, since: 4)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct FindCoordinatorResponse: Message {
    package static let spoken = Spoken.speaks(0...6, flexibleFrom: 3)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var errorMessage: String? = ""
    package var nodeID: Int32 = 0
    package var host = ""
    package var port: Int32 = 0
    package var coordinators: [Coordinator] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        try wire.errorCode(&errorCode, until: 3)
        try wire.string(&errorMessage, since: 1, until: 3, ignorable: true)
        try wire.int32(&nodeID, until: 3)
        try wire.string(&host, until: 3)
        try wire.int32(&port, until: 3)
        try wire.array(&coordinators, since: 4)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct Coordinator: WireStruct {
        package var key = ""
        package var nodeID: Int32 = 0
        package var host = ""
        package var port: Int32 = 0
        package var errorCode = ErrorCode.none
        package var errorMessage: String? = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&key)
            try wire.int32(&nodeID)
            try wire.string(&host)
            try wire.int32(&port)
            try wire.errorCode(&errorCode)
            try wire.string(&errorMessage)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
