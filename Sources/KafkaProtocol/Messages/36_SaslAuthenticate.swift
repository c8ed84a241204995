/// API 36. Carries one token of a SASL exchange.
/// Versions: 1 how long the session lasts; 2 flexible.
package struct SaslAuthenticateRequest: RequestMessage {
    package typealias Response = SaslAuthenticateResponse
    package static let key = ApiKey.saslAuthenticate
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var authBytes: [UInt8] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.bytes(&authBytes)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct SaslAuthenticateResponse: Message {
    package static let spoken = Spoken.speaks(0...2, flexibleFrom: 2)
    package var errorCode = ErrorCode.none
    package var errorMessage: String? = ""
    package var authBytes: [UInt8] = []
    package var sessionLifetimeMs: Int64 = 0
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.string(&errorMessage)
        try wire.bytes(&authBytes)
        try wire.int64(&sessionLifetimeMs, since: 1, ignorable: true)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
