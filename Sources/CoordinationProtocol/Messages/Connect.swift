/// A client's first packet: a new session, or an old one to go on with.
package struct ConnectRequest: JuteRecord, Hashable, Sendable {
    package var protocolVersion: Int32 = 0
    package var lastZxidSeen: Int64 = 0
    /// Milliseconds wanted.
    package var timeout: Int32 = 0
    /// 0 for a new session.
    package var sessionID: Int64 = 0
    /// 16 bytes.
    package var password: [UInt8]? = [UInt8](repeating: 0, count: 16)
    /// Nil: a client older than 3.4, which does not read the flag in the response either.
    package var readOnly: Bool? = false
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&protocolVersion)
        try jute.int64(&lastZxidSeen)
        try jute.int32(&timeout)
        try jute.int64(&sessionID)
        try jute.buffer(&password)
        try jute.trailingBool(&readOnly)
    }
}

package struct ConnectResponse: JuteRecord, Hashable, Sendable {
    package var protocolVersion: Int32 = 0
    /// Milliseconds agreed; 0 when the session is refused.
    package var timeout: Int32 = 0
    package var sessionID: Int64 = 0
    package var password: [UInt8]? = [UInt8](repeating: 0, count: 16)
    package var readOnly: Bool? = false
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&protocolVersion)
        try jute.int32(&timeout)
        try jute.int64(&sessionID)
        try jute.buffer(&password)
        try jute.trailingBool(&readOnly)
    }
}

/// Proves an identity to the connection; its reply has xid -4.
package struct AuthPacket: JuteRecord, Hashable, Sendable {
    package var type: Int32 = 0
    package var scheme = ""
    package var auth: [UInt8]?
    package init() {}
    package init(scheme: String, auth: [UInt8]) {
        self.scheme = scheme
        self.auth = auth
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&type)
        try jute.string(&scheme)
        try jute.buffer(&auth)
    }
}

package struct WhoAmIResponse: JuteRecord, Hashable, Sendable {
    package var clientInfo: [ClientInfo] = []
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.records(&clientInfo)
    }
}
