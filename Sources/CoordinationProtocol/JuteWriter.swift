import Bytes

/// Writes jute's types into memory of its own.
package struct JuteWriter: ~Copyable, JuteWalker {
    package var bytes: ByteWriter

    package init(capacity: Int = 256) { bytes = ByteWriter(capacity: capacity) }

    @inline(__always) package mutating func int32(_ value: Int32) { bytes.int32(value) }
    @inline(__always) package mutating func int64(_ value: Int64) { bytes.int64(value) }
    @inline(__always) package mutating func bool(_ value: Bool) { bytes.uint8(value ? 1 : 0) }

    /// A buffer or string; null when nil.
    @inline(__always) package mutating func slice(_ value: UnsafeRawBufferPointer?) {
        guard let value else { return bytes.int32(-1) }
        bytes.int32(Int32(truncatingIfNeeded: value.count))
        bytes.raw(value)
    }

    package mutating func string(_ value: String) {
        bytes.int32(Int32(truncatingIfNeeded: value.utf8.count))
        bytes.utf8(value)
    }

    /// A packet's length, to be filled in by `endFrame`. Returns where it stands.
    package mutating func beginFrame() -> Int {
        let position = bytes.count
        bytes.int32(0)
        return position
    }

    package mutating func endFrame(_ position: Int) {
        bytes.patch(int32: Int32(truncatingIfNeeded: bytes.count - position - 4), at: position)
    }

    package mutating func bool(_ field: inout Bool) { bool(field) }
    package mutating func int32(_ field: inout Int32) { bytes.int32(field) }
    package mutating func int64(_ field: inout Int64) { bytes.int64(field) }
    package mutating func string(_ field: inout String) { string(field) }
    package mutating func nullableString(_ field: inout String?) {
        if let field { string(field) } else { bytes.int32(-1) }
    }
    package mutating func buffer(_ field: inout [UInt8]?) {
        guard let field else { return bytes.int32(-1) }
        bytes.int32(Int32(truncatingIfNeeded: field.count))
        bytes.raw(field)
    }
    package mutating func strings(_ field: inout [String]) {
        bytes.int32(Int32(truncatingIfNeeded: field.count))
        for text in field { string(text) }
    }
    package mutating func records<R: JuteRecord>(_ field: inout [R]) {
        bytes.int32(Int32(truncatingIfNeeded: field.count))
        for index in field.indices { try? field[index].walk(&self) }
    }
    package mutating func trailingBool(_ field: inout Bool?) {
        if let field { bool(field) }
    }
}
