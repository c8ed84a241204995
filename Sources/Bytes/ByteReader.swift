/// What can be wrong with bytes from outside. Whoever reads them says what they were meant to be.
package enum ByteError: Error, Equatable {
    /// A field needs `needed` more bytes and only `left` remain.
    case truncated(needed: Int, left: Int)
    /// A length or count is negative where it may not be, or larger than what remains could hold.
    case badLength(Int)
    case badVarint
    case badUTF8
}

/// Reads big-endian fields from bytes that somebody else owns and keeps alive. Every read is checked against the end; no
/// length is believed before it has been compared with what is left.
package struct ByteReader {
    @usableFromInline package private(set) var cursor: UnsafeRawPointer
    @usableFromInline let end: UnsafeRawPointer
    @usableFromInline let start: UnsafeRawPointer

    /// A pointer for empty buffers, whose base address is nil; nothing is ever read through it.
    @usableFromInline nonisolated(unsafe) static let nowhere = UnsafeRawPointer(
        UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8))

    package init(_ bytes: UnsafeRawBufferPointer) {
        start = bytes.baseAddress ?? ByteReader.nowhere
        cursor = start
        end = start + bytes.count
    }

    /// How many bytes have been read, and how many are left.
    package var position: Int { cursor - start }
    package var left: Int { end - cursor }
    package var isAtEnd: Bool { cursor == end }
    package var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: cursor, count: left) }

    @inline(__always)
    package mutating func take(_ count: Int) throws(ByteError) -> UnsafeRawPointer {
        guard count >= 0 else { throw .badLength(count) }
        guard count <= end - cursor else { throw .truncated(needed: count, left: end - cursor) }
        let here = cursor
        cursor += count
        return here
    }

    /// The next `count` bytes, in place: valid as long as the buffer this reader was made over.
    package mutating func slice(_ count: Int) throws(ByteError) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: try take(count), count: count)
    }

    package mutating func skip(_ count: Int) throws(ByteError) { _ = try take(count) }

    @inline(__always) package mutating func int8() throws(ByteError) -> Int8 {
        try take(1).load(as: Int8.self)
    }
    @inline(__always) package mutating func uint8() throws(ByteError) -> UInt8 {
        try take(1).load(as: UInt8.self)
    }
    @inline(__always) package mutating func int16() throws(ByteError) -> Int16 {
        Int16(bigEndian: try take(2).loadUnaligned(as: Int16.self))
    }
    @inline(__always) package mutating func uint16() throws(ByteError) -> UInt16 {
        UInt16(bigEndian: try take(2).loadUnaligned(as: UInt16.self))
    }
    @inline(__always) package mutating func int32() throws(ByteError) -> Int32 {
        Int32(bigEndian: try take(4).loadUnaligned(as: Int32.self))
    }
    @inline(__always) package mutating func uint32() throws(ByteError) -> UInt32 {
        UInt32(bigEndian: try take(4).loadUnaligned(as: UInt32.self))
    }
    @inline(__always) package mutating func int64() throws(ByteError) -> Int64 {
        Int64(bigEndian: try take(8).loadUnaligned(as: Int64.self))
    }
    @inline(__always) package mutating func uint64() throws(ByteError) -> UInt64 {
        UInt64(bigEndian: try take(8).loadUnaligned(as: UInt64.self))
    }
    @inline(__always) package mutating func float64() throws(ByteError) -> Double {
        Double(bitPattern: try uint64())
    }

    /// Seven bits a byte, least significant first. At most five bytes, as Kafka's; the fifth may not continue.
    @inline(__always) package mutating func unsignedVarint() throws(ByteError) -> UInt32 {
        guard cursor != end else { throw .truncated(needed: 1, left: 0) }
        let first = cursor.load(as: UInt8.self)
        if first < 0x80 {
            cursor += 1
            return UInt32(first)
        }
        return try longUnsignedVarint()
    }

    private mutating func longUnsignedVarint() throws(ByteError) -> UInt32 {
        var value: UInt32 = 0
        var shift: UInt32 = 0
        while true {
            let byte = try uint8()
            value |= UInt32(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
            if shift > 28 { throw .badVarint }
        }
    }

    @inline(__always) package mutating func varint() throws(ByteError) -> Int32 {
        let raw = try unsignedVarint()
        return Int32(bitPattern: (raw >> 1) ^ (0 &- (raw & 1)))
    }

    /// At most ten bytes.
    package mutating func varlong() throws(ByteError) -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try uint8()
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { break }
            shift += 7
            if shift > 63 { throw .badVarint }
        }
        return Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))
    }

    package mutating func string(_ count: Int) throws(ByteError) -> String {
        let bytes = try slice(count)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .badUTF8 }
        return text
    }

    package mutating func array(_ count: Int) throws(ByteError) -> [UInt8] { [UInt8](try slice(count)) }
}
