/// Writes big-endian fields into memory of its own, which grows by doubling. Cleared and used again, it allocates nothing.
package struct ByteWriter: ~Copyable {
    package private(set) var base: UnsafeMutableRawPointer
    package private(set) var count = 0
    private var capacity: Int

    package init(capacity: Int = 256) {
        self.capacity = max(capacity, 16)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
    package var array: [UInt8] { [UInt8](bytes) }

    /// Forgets the content and keeps the memory, unless it has grown beyond `keeping` bytes.
    package mutating func clear(keeping: Int = 1 << 20) {
        count = 0
        if capacity > keeping {
            base.deallocate()
            capacity = 256
            base = .allocate(byteCount: capacity, alignment: 16)
        }
    }

    /// Forgets everything from `position` on: for a field that turned out not to be needed.
    package mutating func truncate(to position: Int) {
        precondition(position >= 0 && position <= count, "truncate to \(position) of \(count)")
        count = position
    }

    @inline(__always) private mutating func room(_ more: Int) -> UnsafeMutableRawPointer {
        if count + more > capacity { grow(more) }
        let here = base + count
        count += more
        return here
    }

    @inline(never) private mutating func grow(_ more: Int) {
        var larger = capacity * 2
        while larger < count + more { larger *= 2 }
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = larger
    }

    @inline(__always) package mutating func int8(_ value: Int8) {
        room(1).storeBytes(of: value, as: Int8.self)
    }
    @inline(__always) package mutating func uint8(_ value: UInt8) {
        room(1).storeBytes(of: value, as: UInt8.self)
    }
    @inline(__always) package mutating func int16(_ value: Int16) {
        room(2).storeBytes(of: value.bigEndian, as: Int16.self)
    }
    @inline(__always) package mutating func uint16(_ value: UInt16) {
        room(2).storeBytes(of: value.bigEndian, as: UInt16.self)
    }
    @inline(__always) package mutating func int32(_ value: Int32) {
        room(4).storeBytes(of: value.bigEndian, as: Int32.self)
    }
    @inline(__always) package mutating func uint32(_ value: UInt32) {
        room(4).storeBytes(of: value.bigEndian, as: UInt32.self)
    }
    @inline(__always) package mutating func int64(_ value: Int64) {
        room(8).storeBytes(of: value.bigEndian, as: Int64.self)
    }
    @inline(__always) package mutating func uint64(_ value: UInt64) {
        room(8).storeBytes(of: value.bigEndian, as: UInt64.self)
    }
    @inline(__always) package mutating func float64(_ value: Double) { uint64(value.bitPattern) }

    @inline(__always) package mutating func unsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            uint8(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        uint8(UInt8(truncatingIfNeeded: rest))
    }
    @inline(__always) package mutating func varint(_ value: Int32) {
        unsignedVarint(UInt32(bitPattern: (value << 1) ^ (value >> 31)))
    }
    @inline(__always) package mutating func varlong(_ value: Int64) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            uint8(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        uint8(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        guard let from = bytes.baseAddress, bytes.count > 0 else { return }
        room(bytes.count).copyMemory(from: from, byteCount: bytes.count)
    }
    package mutating func raw(_ bytes: [UInt8]) { bytes.withUnsafeBytes { raw($0) } }
    /// The text's UTF-8, without a length.
    package mutating func utf8(_ text: String) {
        var text = text
        text.withUTF8 { raw(UnsafeRawBufferPointer($0)) }
    }
    package mutating func zeros(_ more: Int) {
        room(more).initializeMemory(as: UInt8.self, repeating: 0, count: more)
    }

    /// Overwrites what was written before: for lengths known only afterwards.
    package mutating func patch(int32 value: Int32, at position: Int) {
        precondition(position >= 0 && position + 4 <= count, "patch of 4 bytes at \(position) of \(count)")
        (base + position).storeBytes(of: value.bigEndian, as: Int32.self)
    }
    package mutating func patch(int64 value: Int64, at position: Int) {
        precondition(position >= 0 && position + 8 <= count, "patch of 8 bytes at \(position) of \(count)")
        (base + position).storeBytes(of: value.bigEndian, as: Int64.self)
    }
}
