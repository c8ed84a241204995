import Bytes

/// Reads a message from bytes that its owner keeps alive. Never believes a length or a count beyond what is left.
package struct WireReader: FieldWalker {
    package var bytes: ByteReader
    package var version: Int16
    package var isFlexible: Bool
    package static var writes: Bool { false }

    package init(_ bytes: UnsafeRawBufferPointer, version: Int16 = 0, isFlexible: Bool = false) {
        self.bytes = ByteReader(bytes)
        self.version = version
        self.isFlexible = isFlexible
    }

    /// What follows the last field read.
    package var rest: UnsafeRawBufferPointer { bytes.rest }

    @inline(__always)
    private mutating func take(_ count: Int) throws(WireError) -> UnsafeRawPointer {
        do throws(ByteError) { return try bytes.take(count) } catch { throw .malformed(error) }
    }

    @inline(__always) package mutating func int8() throws(WireError) -> Int8 {
        try take(1).load(as: Int8.self)
    }
    @inline(__always) package mutating func int16() throws(WireError) -> Int16 {
        Int16(bigEndian: try take(2).loadUnaligned(as: Int16.self))
    }
    @inline(__always) package mutating func int32() throws(WireError) -> Int32 {
        Int32(bigEndian: try take(4).loadUnaligned(as: Int32.self))
    }
    @inline(__always) package mutating func int64() throws(WireError) -> Int64 {
        Int64(bigEndian: try take(8).loadUnaligned(as: Int64.self))
    }
    @inline(__always) package mutating func unsignedVarint() throws(WireError) -> UInt32 {
        do throws(ByteError) { return try bytes.unsignedVarint() } catch { throw .malformed(error) }
    }

    @inline(__always) package mutating func value(_ field: inout Bool) throws(WireError) {
        field = try int8() != 0
    }
    @inline(__always) package mutating func value(_ field: inout Int8) throws(WireError) { field = try int8() }
    @inline(__always) package mutating func value(_ field: inout Int16) throws(WireError) { field = try int16() }
    @inline(__always) package mutating func value(_ field: inout Int32) throws(WireError) { field = try int32() }
    @inline(__always) package mutating func value(_ field: inout Int64) throws(WireError) { field = try int64() }
    package mutating func value(_ field: inout Double) throws(WireError) {
        field = Double(bitPattern: UInt64(bitPattern: try int64()))
    }
    package mutating func value(_ field: inout UUID128) throws(WireError) {
        let high = UInt64(bitPattern: try int64())
        field = UUID128(high: high, low: UInt64(bitPattern: try int64()))
    }

    /// The length in front of a text; -1 for null.
    @inline(__always)
    private mutating func textLength() throws(WireError) -> Int {
        if isFlexible { return Int(try unsignedVarint()) - 1 }
        return Int(try int16())
    }

    /// The length in front of bytes or an array; -1 for null.
    @inline(__always)
    private mutating func length() throws(WireError) -> Int {
        if isFlexible { return Int(try unsignedVarint()) - 1 }
        return Int(try int32())
    }

    private mutating func text(_ length: Int) throws(WireError) -> String {
        let bytes = UnsafeRawBufferPointer(start: try take(length), count: length)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed(.badUTF8) }
        return text
    }

    package mutating func value(_ field: inout String) throws(WireError) {
        let length = try textLength()
        if length == -1 { throw .unexpectedNull }
        field = try text(length)
    }

    package mutating func value(_ field: inout String?, mayBeNull: Bool) throws(WireError) {
        let length = try textLength()
        if length == -1 {
            guard mayBeNull else { throw .unexpectedNull }
            field = nil
        } else {
            field = try text(length)
        }
    }

    private mutating func octets(_ length: Int) throws(WireError) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: try take(length), count: length)
    }

    package mutating func value(_ field: inout [UInt8]) throws(WireError) {
        let length = try length()
        if length == -1 { throw .unexpectedNull }
        field = [UInt8](try octets(length))
    }

    package mutating func value(_ field: inout [UInt8]?, mayBeNull: Bool) throws(WireError) {
        let length = try length()
        if length == -1 {
            guard mayBeNull else { throw .unexpectedNull }
            field = nil
        } else {
            field = [UInt8](try octets(length))
        }
    }

    package mutating func value(_ field: inout RecordsField) throws(WireError) {
        let length = try length()
        field = length == -1 ? .null : .slice(try octets(length))
    }

    @inline(__always)
    private mutating func elements<T: WireValue>(_ count: Int) throws(WireError) -> [T] {
        guard count >= 0, count <= bytes.left / T.leastBytes else { throw .malformed(.badLength(count)) }
        var elements: [T] = []
        // A structure may be far larger here than on the wire: only so much is reserved on the peer's word alone.
        elements.reserveCapacity(min(count, 4096))
        for _ in 0..<count {
            var element = T()
            try element.read(from: &self)
            elements.append(element)
        }
        return elements
    }

    package mutating func value<T: WireValue>(_ field: inout [T]) throws(WireError) {
        let count = try length()
        if count == -1 { throw .unexpectedNull }
        field = try elements(count)
    }

    package mutating func value<T: WireValue>(_ field: inout [T]?, mayBeNull: Bool) throws(WireError) {
        let count = try length()
        if count == -1 {
            guard mayBeNull else { throw .unexpectedNull }
            field = nil
        } else {
            field = try elements(count)
        }
    }

    package mutating func value<T: WireStruct>(_ field: inout T?) throws(WireError) {
        if try int8() < 0 {
            field = nil
        } else {
            var structure = T()
            try structure.read(from: &self)
            field = structure
        }
    }

    package mutating func beginTags() throws(WireError) -> TagSection {
        var section = TagSection()
        if isFlexible { section.count = try unsignedVarint() }
        return section
    }

    /// Reads the next tag's head, unless it has been read already or there is none.
    private mutating func head(_ section: inout TagSection) throws(WireError) {
        guard section.next == nil, section.count > 0 else { return }
        let number = try unsignedVarint()
        guard Int64(number) > section.last else { throw .tagsOutOfOrder }
        section.last = Int64(number)
        section.next = number
        section.size = Int(try unsignedVarint())
        guard section.size <= bytes.left else {
            throw .malformed(.truncated(needed: section.size, left: bytes.left))
        }
    }

    private mutating func close(_ section: inout TagSection) throws(WireError) {
        guard section.isOpen else { return }
        guard bytes.position == section.position else { throw .tagSizeMismatch }
        section.isOpen = false
    }

    package mutating func tag(
        _ number: UInt32, _ section: inout TagSection, since: Int16, ignorable: Bool, present: @autoclosure () -> Bool
    ) throws(WireError) -> Bool {
        guard isFlexible, version >= since else { return false }
        try close(&section)
        try head(&section)
        while let next = section.next, next < number {
            try skip(&section)
            try head(&section)
        }
        guard section.next == number else { return false }
        section.next = nil
        section.count -= 1
        section.position = bytes.position + section.size
        section.isOpen = true
        return true
    }

    private mutating func skip(_ section: inout TagSection) throws(WireError) {
        _ = try take(section.size)
        section.next = nil
        section.count -= 1
    }

    package mutating func endTags(_ section: inout TagSection) throws(WireError) {
        try close(&section)
        while section.count > 0 {
            try head(&section)
            try skip(&section)
        }
    }
}
