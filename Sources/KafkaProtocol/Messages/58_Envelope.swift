/// API 58. A broker forwards a client's request to the controller with the client's identity.
/// Flexible from version 0 on.
package struct EnvelopeRequest: RequestMessage {
    package typealias Response = EnvelopeResponse
    package static let key = ApiKey.envelope
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var requestData: [UInt8] = []
    package var requestPrincipal: [UInt8]? = []
    package var clientHostAddress: [UInt8] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.bytes(&requestData)
        try wire.bytes(&requestPrincipal)
        try wire.bytes(&clientHostAddress)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct EnvelopeResponse: Message {
    package static let spoken = Spoken.speaks(0...0, flexibleFrom: 0)
    package var responseData: [UInt8]?
    package var errorCode = ErrorCode.none
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.bytes(&responseData)
        try wire.errorCode(&errorCode)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}
