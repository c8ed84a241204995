import Bytes

/// Which versions of a message are spoken, and from which on it is flexible (compact lengths, tagged fields; KIP-482).
package struct Spoken: Equatable, Sendable {
    package var versions: ClosedRange<Int16>
    /// nil: never.
    package var flexibleFrom: Int16?

    package static func speaks(_ versions: ClosedRange<Int16>, flexibleFrom: Int16? = nil) -> Spoken {
        Spoken(versions: versions, flexibleFrom: flexibleFrom)
    }
    package func isFlexible(_ version: Int16) -> Bool {
        guard let flexibleFrom else { return false }
        return version >= flexibleFrom
    }
}

/// A request or a response of one API, for all its versions; above this module a version matters only where its meaning differs.
package protocol Message: WireStruct {
    static var spoken: Spoken { get }
}

package protocol RequestMessage: Message {
    associatedtype Response: Message
    static var key: ApiKey { get }
}

extension Message {
    /// Reads a body, which must end where `bytes` end. Record slices in the result lie in `bytes`.
    package static func decode(_ bytes: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self {
        guard spoken.versions.contains(version) else { throw .unspokenVersion(version) }
        var reader = WireReader(bytes, version: version, isFlexible: spoken.isFlexible(version))
        var message = Self()
        try message.read(from: &reader)
        guard reader.bytes.isAtEnd else { throw .trailingBytes(reader.bytes.left) }
        return message
    }

    /// Puts the body behind what `writer` holds; when it throws, the writer is as it was.
    package func encode(version: Int16, into writer: inout WireWriter) throws(WireError) {
        guard Self.spoken.versions.contains(version) else { throw .unspokenVersion(version) }
        let (before, beforeVersion, beforeFlexible) = (writer.bytes.count, writer.version, writer.isFlexible)
        writer.version = version
        writer.isFlexible = Self.spoken.isFlexible(version)
        defer {
            writer.version = beforeVersion
            writer.isFlexible = beforeFlexible
        }
        var message = self
        do throws(WireError) {
            try message.write(to: &writer)
        } catch {
            writer.truncate(to: before)
            throw error
        }
    }
}

extension Int8: WireValue {
    package mutating func read(from wire: inout WireReader) throws(WireError) { try wire.value(&self) }
    package mutating func write(to wire: inout WireWriter) { wire.value(&self) }
    package static var leastBytes: Int { 1 }
}
extension Int32: WireValue {
    package mutating func read(from wire: inout WireReader) throws(WireError) { try wire.value(&self) }
    package mutating func write(to wire: inout WireWriter) { wire.value(&self) }
    package static var leastBytes: Int { 4 }
}
extension Int64: WireValue {
    package mutating func read(from wire: inout WireReader) throws(WireError) { try wire.value(&self) }
    package mutating func write(to wire: inout WireWriter) { wire.value(&self) }
    package static var leastBytes: Int { 8 }
}
extension String: WireValue {
    package mutating func read(from wire: inout WireReader) throws(WireError) { try wire.value(&self) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try wire.value(&self) }
    package static var leastBytes: Int { 1 }
}
extension UUID128: WireValue {
    package init() { self = .zero }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try wire.value(&self) }
    package mutating func write(to wire: inout WireWriter) { wire.value(&self) }
    package static var leastBytes: Int { 16 }
}
