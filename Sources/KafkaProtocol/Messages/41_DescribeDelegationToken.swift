/// API 41. Lists delegation tokens.
/// Versions: 2 flexible; 3 who asked for them.
package struct DescribeDelegationTokenRequest: RequestMessage {
    package typealias Response = DescribeDelegationTokenResponse
    package static let key = ApiKey.describeDelegationToken
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 2)
    package var owners: [DescribeDelegationTokenOwner]? = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&owners)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DescribeDelegationTokenOwner: WireStruct {
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

package struct DescribeDelegationTokenResponse: Message {
    package static let spoken = Spoken.speaks(0...3, flexibleFrom: 2)
    package var errorCode = ErrorCode.none
    package var tokens: [DescribedDelegationToken] = []
    package var throttleTimeMs: Int32 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.array(&tokens)
        try wire.int32(&throttleTimeMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DescribedDelegationToken: WireStruct {
        package var principalType = ""
        package var principalName = ""
        package var tokenRequesterPrincipalType = ""
        package var tokenRequesterPrincipalName = ""
        package var issueTimestamp: Int64 = 0
        package var expiryTimestamp: Int64 = 0
        package var maxTimestamp: Int64 = 0
        package var tokenID = ""
        package var hmac: [UInt8] = []
        package var renewers: [DescribedDelegationTokenRenewer] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&principalType)
            try wire.string(&principalName)
            try wire.string(&tokenRequesterPrincipalType, since: 3)
            try wire.string(&tokenRequesterPrincipalName, since: 3)
            try wire.int64(&issueTimestamp)
            try wire.int64(&expiryTimestamp)
            try wire.int64(&maxTimestamp)
            try wire.string(&tokenID)
            try wire.bytes(&hmac)
            try wire.array(&renewers)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct DescribedDelegationTokenRenewer: WireStruct {
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
