import Bytes

/// What stands in front of every request.
package struct RequestHeader: Equatable {
    package var key: ApiKey
    package var version: Int16
    package var correlationID: Int32
    package var clientID: String?

    package init(key: ApiKey, version: Int16, correlationID: Int32, clientID: String? = nil) {
        self.key = key
        self.version = version
        self.correlationID = correlationID
        self.clientID = clientID
    }

    /// The version may be one that is not spoken: ApiVersions must be answered even then.
    package var isSpoken: Bool { key.spoken.versions.contains(version) }

    /// Reads a header; the body is the reader's `rest`.
    package static func read(from wire: inout WireReader) throws(WireError) -> RequestHeader {
        let code = try wire.int16()
        let version = try wire.int16()
        let correlationID = try wire.int32()
        guard let key = ApiKey(rawValue: code) else { throw .unknownApi(code) }
        var header = RequestHeader(key: key, version: version, correlationID: correlationID)
        let layout = key.requestHeaderVersion(version)
        if layout >= 1 {
            // The client id keeps its two-byte length in every version.
            wire.isFlexible = false
            try wire.value(&header.clientID, mayBeNull: true)
        }
        if layout >= 2 {
            wire.isFlexible = true
            try wire.tags()
        }
        return header
    }

    package func write(to wire: inout WireWriter) throws(WireError) {
        wire.bytes.int16(key.rawValue)
        wire.bytes.int16(version)
        wire.bytes.int32(correlationID)
        let layout = key.requestHeaderVersion(version)
        var clientID = clientID
        wire.isFlexible = false
        if layout >= 1 { try wire.value(&clientID, mayBeNull: true) }
        if layout >= 2 { wire.bytes.uint8(0) }
    }
}

/// What stands in front of every response.
package struct ResponseHeader: Equatable {
    package var correlationID: Int32
    package init(correlationID: Int32) { self.correlationID = correlationID }

    package static func read(from wire: inout WireReader, key: ApiKey, version: Int16) throws(WireError)
        -> ResponseHeader
    {
        let header = ResponseHeader(correlationID: try wire.int32())
        if key.responseHeaderVersion(version) >= 1 {
            wire.isFlexible = true
            try wire.tags()
        }
        return header
    }

    package func write(to wire: inout WireWriter, key: ApiKey, version: Int16) {
        wire.bytes.int32(correlationID)
        if key.responseHeaderVersion(version) >= 1 { wire.bytes.uint8(0) }
    }
}

extension WireWriter {
    /// A whole request frame: length, header, body. When it throws, nothing was added.
    package mutating func frame<R: RequestMessage>(
        _ request: R, version: Int16, correlationID: Int32, clientID: String?
    ) throws(WireError) {
        let start = beginFrame()
        do throws(WireError) {
            try RequestHeader(key: R.key, version: version, correlationID: correlationID, clientID: clientID).write(
                to: &self)
            try request.encode(version: version, into: &self)
            try endFrame(start)
        } catch {
            truncate(to: start)
            throw error
        }
    }

    /// A whole response frame for `request`. When it throws, nothing was added.
    package mutating func frame(_ response: some Message, answering request: RequestHeader) throws(WireError) {
        let start = beginFrame()
        do throws(WireError) {
            ResponseHeader(correlationID: request.correlationID).write(
                to: &self, key: request.key, version: request.version)
            try response.encode(version: request.version, into: &self)
            try endFrame(start)
        } catch {
            truncate(to: start)
            throw error
        }
    }
}
