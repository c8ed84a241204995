/// Stands before every request but the connect request.
package struct RequestHeader: JuteRecord, Hashable, Sendable {
    package var xid: Int32 = 0
    package var type: Int32 = 0
    package init() {}
    package init(xid: Int32, _ op: OpCode) {
        self.xid = xid
        type = op.rawValue
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&xid)
        try jute.int32(&type)
    }
}

/// Stands before every reply and watch event. A body follows only when `error` is 0 and the operation has one.
package struct ReplyHeader: JuteRecord, Hashable, Sendable {
    package var xid: Int32 = 0
    package var zxid: Int64 = 0
    package var error = CoordinationError.ok
    package init() {}
    package init(xid: Int32, zxid: Int64, error: CoordinationError = .ok) {
        self.xid = xid
        self.zxid = zxid
        self.error = error
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&xid)
        try jute.int64(&zxid)
        try jute.int32(&error.rawValue)
    }
}

extension JuteWriter {
    /// A whole packet: length, header, body.
    package mutating func request(xid: Int32, _ op: OpCode, _ body: (some JuteRecord)?) {
        let frame = beginFrame()
        RequestHeader(xid: xid, op).write(to: &self)
        body?.write(to: &self)
        endFrame(frame)
    }

    /// A request without a body: ping, closeSession, whoAmI.
    package mutating func request(xid: Int32, _ op: OpCode) {
        request(xid: xid, op, Optional<SyncRequest>.none)
    }

    package mutating func reply(xid: Int32, zxid: Int64, error: CoordinationError = .ok, _ body: (some JuteRecord)?) {
        let frame = beginFrame()
        ReplyHeader(xid: xid, zxid: zxid, error: error).write(to: &self)
        if error == .ok { body?.write(to: &self) }
        endFrame(frame)
    }

    package mutating func reply(xid: Int32, zxid: Int64, error: CoordinationError = .ok) {
        reply(xid: xid, zxid: zxid, error: error, Optional<SyncRequest>.none)
    }

    /// Connect request and response stand in their packet without a header.
    package mutating func packet(_ record: some JuteRecord) {
        let frame = beginFrame()
        record.write(to: &self)
        endFrame(frame)
    }
}
