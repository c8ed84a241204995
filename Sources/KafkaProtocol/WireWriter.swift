import Bytes

/// Writes messages into memory of its own. Kept and cleared, it allocates nothing.
package struct WireWriter: ~Copyable, FieldWalker {
    package var bytes: ByteWriter
    package var version: Int16 = 0
    package var isFlexible = false
    package static var writes: Bool { true }

    /// Where bytes from elsewhere (regions of log files) belong: in front of the byte at `position` stand `length` that are not
    /// in `bytes`. Ascending. Every length on the wire counts them in.
    package private(set) var splices: [(position: Int, length: Int)] = []

    package init(capacity: Int = 1024) { bytes = ByteWriter(capacity: capacity) }

    package mutating func clear() {
        bytes.clear()
        splices.removeAll(keepingCapacity: true)
    }

    /// Forgets everything from `position` on.
    package mutating func truncate(to position: Int) {
        bytes.truncate(to: position)
        while let last = splices.last, last.position > position { splices.removeLast() }
    }

    /// A frame whose length is filled in by `endFrame`. Returns where it stands.
    package mutating func beginFrame() -> Int {
        let position = bytes.count
        bytes.int32(0)
        return position
    }

    /// - Throws: when the frame has outgrown what its length can say.
    package mutating func endFrame(_ position: Int) throws(WireError) {
        var length = bytes.count - position - 4
        for splice in splices.reversed() where splice.position >= position { length += splice.length }
        guard let length = Int32(exactly: length) else { throw .unwritable }
        bytes.patch(int32: length, at: position)
    }

    @inline(__always) package mutating func value(_ field: inout Bool) { bytes.uint8(field ? 1 : 0) }
    @inline(__always) package mutating func value(_ field: inout Int8) { bytes.int8(field) }
    @inline(__always) package mutating func value(_ field: inout Int16) { bytes.int16(field) }
    @inline(__always) package mutating func value(_ field: inout Int32) { bytes.int32(field) }
    @inline(__always) package mutating func value(_ field: inout Int64) { bytes.int64(field) }
    package mutating func value(_ field: inout Double) { bytes.float64(field) }
    package mutating func value(_ field: inout UUID128) {
        bytes.uint64(field.high)
        bytes.uint64(field.low)
    }

    package mutating func text(_ text: String) throws(WireError) {
        let count = text.utf8.count
        guard count <= Int(Int16.max) else { throw .unwritable }
        if isFlexible { bytes.unsignedVarint(UInt32(count + 1)) } else { bytes.int16(Int16(count)) }
        bytes.utf8(text)
    }

    /// Of bytes and arrays; nil is null.
    @inline(__always)
    private mutating func length(_ count: Int?) throws(WireError) {
        guard let count else {
            if isFlexible { bytes.unsignedVarint(0) } else { bytes.int32(-1) }
            return
        }
        guard count < Int(Int32.max) else { throw .unwritable }
        if isFlexible { bytes.unsignedVarint(UInt32(count + 1)) } else { bytes.int32(Int32(count)) }
    }

    package mutating func value(_ field: inout String) throws(WireError) { try text(field) }

    package mutating func value(_ field: inout String?, mayBeNull: Bool) throws(WireError) {
        if let field { return try text(field) }
        guard mayBeNull else { throw .unexpectedNull }
        if isFlexible { bytes.unsignedVarint(0) } else { bytes.int16(-1) }
    }

    package mutating func value(_ field: inout [UInt8]) throws(WireError) {
        try length(field.count)
        bytes.raw(field)
    }

    package mutating func value(_ field: inout [UInt8]?, mayBeNull: Bool) throws(WireError) {
        guard let field else {
            guard mayBeNull else { throw .unexpectedNull }
            return try length(nil)
        }
        try length(field.count)
        bytes.raw(field)
    }

    package mutating func value(_ field: inout RecordsField) throws(WireError) {
        switch field {
        case .null: try length(nil)
        case .slice(let slice):
            try length(slice.count)
            bytes.raw(slice)
        case .owned(let owned):
            try length(owned.count)
            bytes.raw(owned)
        case .elsewhere(let count):
            try length(count)
            if count > 0 { splices.append((position: bytes.count, length: count)) }
        }
    }

    /// Elements are walked where they lie: a writer changes no field, and a copy of every array of a message would cost more
    /// than writing it.
    @inline(__always)
    private mutating func elements<T: WireValue>(_ elements: [T]) throws(WireError) {
        try length(elements.count)
        try elements.withUnsafeBufferPointer { buffer throws(WireError) in
            guard let base = buffer.baseAddress else { return }
            for index in 0..<buffer.count {
                try UnsafeMutablePointer(mutating: base + index).pointee.write(to: &self)
            }
        }
    }

    package mutating func value<T: WireValue>(_ field: inout [T]) throws(WireError) { try elements(field) }

    package mutating func value<T: WireValue>(_ field: inout [T]?, mayBeNull: Bool) throws(WireError) {
        guard let field else {
            guard mayBeNull else { throw .unexpectedNull }
            return try length(nil)
        }
        try elements(field)
    }

    package mutating func value<T: WireStruct>(_ field: inout T?) throws(WireError) {
        guard var structure = field else { return bytes.int8(-1) }
        bytes.int8(1)
        try structure.write(to: &self)
    }

    package mutating func beginTags() -> TagSection {
        var section = TagSection()
        guard isFlexible else { return section }
        section.next = UInt32(truncatingIfNeeded: bytes.count)
        section.position = bytes.count
        bytes.uint8(0)
        return section
    }

    package mutating func tag(
        _ number: UInt32, _ section: inout TagSection, since: Int16, ignorable: Bool, present: @autoclosure () -> Bool
    ) throws(WireError) -> Bool {
        guard isFlexible, version >= since else {
            if !ignorable, present() { throw .unspokenField(version: version) }
            return false
        }
        close(&section)
        guard present() else { return false }
        section.count += 1
        bytes.unsignedVarint(number)
        // The size comes before the data and is known after it; a single byte nearly always holds it.
        bytes.uint8(0)
        section.size = bytes.count
        section.isOpen = true
        return true
    }

    /// Fills in the open tag's size.
    private mutating func close(_ section: inout TagSection) {
        guard section.isOpen else { return }
        section.isOpen = false
        let start = section.size
        let size = bytes.count - start
        if size < 0x80 {
            bytes.base.storeBytes(of: UInt8(size), toByteOffset: start - 1, as: UInt8.self)
            return
        }
        let data = [UInt8](UnsafeRawBufferPointer(rebasing: bytes.bytes[start...]))
        bytes.truncate(to: start - 1)
        bytes.unsignedVarint(UInt32(truncatingIfNeeded: size))
        bytes.raw(data)
    }

    package mutating func endTags(_ section: inout TagSection) {
        guard isFlexible else { return }
        close(&section)
        // No structure has 128 tagged fields.
        bytes.base.storeBytes(of: UInt8(section.count), toByteOffset: section.position, as: UInt8.self)
    }
}
