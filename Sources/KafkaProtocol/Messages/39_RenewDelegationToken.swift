/// API 39. Prolongs a delegation token.
/// Versions: 2 flexible.
package struct RenewDelegationTokenRequest: RequestMessage {
    package typealias Response = RenewDelegationTokenResponse
    package static let key = ApiKey.renewDelegationToken
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var hmac: [UInt8] = []
    package var renewPeriodMs: Int64 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.bytes(&hmac)
        try wire.int64(&renewPeriodMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct RenewDelegationTokenResponse: Message {
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var errorCode = ErrorCode.none
    package var expiryTimestampMs: Int64 = 0
    package var throttleTimeMs: Int32 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.int64(&expiryTimestampMs)
        try wire.int32(&throttleTimeMs)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
