/// API 17. A client names the SASL mechanism it will use.
/// Versions: 1 tokens follow inside SaslAuthenticate instead of bare.
package struct SaslHandshakeRequest: RequestMessage {
    package typealias Response = SaslHandshakeResponse
    package static let key = ApiKey.saslHandshake
    package static let spoken = Spoken.speaks(0...1)
    package var mechanism = ""
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&mechanism)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct SaslHandshakeResponse: Message {
    package static let spoken = Spoken.speaks(0...1)
    package var errorCode = ErrorCode.none
    package var mechanisms: [String] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.array(&mechanisms)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
