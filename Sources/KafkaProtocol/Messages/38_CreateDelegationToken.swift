/// API 38. Makes a delegation token.
/// Versions: 2 flexible; 3 for another owner.
package struct CreateDelegationTokenRequest: RequestMessage {
    package typealias Response = CreateDelegationTokenResponse
    package static let key = ApiKey.createDelegationToken
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 2)
    package var ownerPrincipalType: String? = ""
    package var ownerPrincipalName: String? = ""
    package var renewers: [CreatableRenewers] = []
    package var maxLifetimeMs: Int64 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&ownerPrincipalType, since: 3, default: "")
        try wire.string(&ownerPrincipalName, since: 3, default: "")
        try wire.array(&renewers)
        try wire.int64(&maxLifetimeMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct CreatableRenewers: WireStruct {
        package var principalType = ""
        package var principalName = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&principalType)
            try wire.string(&principalName)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct CreateDelegationTokenResponse: Message {
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 2)
    package var errorCode = ErrorCode.none
    package var principalType = ""
    package var principalName = ""
    package var tokenRequesterPrincipalType = ""
    package var tokenRequesterPrincipalName = ""
    package var issueTimestampMs: Int64 = 0
    package var expiryTimestampMs: Int64 = 0
    package var maxTimestampMs: Int64 = 0
    package var tokenID = ""
    package var hmac: [UInt8] = []
    package var throttleTimeMs: Int32 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.string(&principalType)
        try wire.string(&principalName)
        try wire.string(&tokenRequesterPrincipalType, since: 3)
        try wire.string(&tokenRequesterPrincipalName, since: 3)
        try wire.int64(&issueTimestampMs)
        try wire.int64(&expiryTimestampMs)
        try wire.int64(&maxTimestampMs)
        try wire.string(&tokenID)
        try wire.bytes(&hmac)
        try wire.int32(&throttleTimeMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
