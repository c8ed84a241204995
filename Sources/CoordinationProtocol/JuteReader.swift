import Bytes

/// Reads jute's types; every length is compared with what is left before anything is allocated for it.
package struct JuteReader: JuteWalker {
    package var bytes: ByteReader

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = ByteReader(bytes) }

    package var left: Int { bytes.left }

    @inline(__always) package mutating func int32() throws(JuteError) -> Int32 { try bytes.int32() }
    @inline(__always) package mutating func int64() throws(JuteError) -> Int64 { try bytes.int64() }
    @inline(__always) package mutating func bool() throws(JuteError) -> Bool { try bytes.uint8() != 0 }

    /// The bytes of a buffer or string in place, nil for null; valid as long as what is read from.
    @inline(__always) package mutating func slice() throws(JuteError) -> UnsafeRawBufferPointer? {
        let count = try bytes.int32()
        if count == -1 { return nil }
        return try bytes.slice(Int(count))
    }

    /// A string's UTF-8 in place, not checked; null is an error.
    @inline(__always) package mutating func text() throws(JuteError) -> UnsafeRawBufferPointer {
        try bytes.slice(Int(try bytes.int32()))
    }

    package mutating func string() throws(JuteError) -> String { try bytes.string(Int(try bytes.int32())) }

    /// A vector's count, -1 read as 0. Each item takes at least `itemBytes`.
    package mutating func count(itemBytes: Int) throws(JuteError) -> Int {
        let count = Int(try bytes.int32())
        if count == -1 { return 0 }
        guard count >= 0, count <= bytes.left / itemBytes else { throw .badLength(count) }
        return count
    }

    package mutating func bool(_ field: inout Bool) throws(JuteError) { field = try bool() }
    package mutating func int32(_ field: inout Int32) throws(JuteError) { field = try bytes.int32() }
    package mutating func int64(_ field: inout Int64) throws(JuteError) { field = try bytes.int64() }
    package mutating func string(_ field: inout String) throws(JuteError) { field = try string() }
    package mutating func nullableString(_ field: inout String?) throws(JuteError) {
        let count = try bytes.int32()
        field = count == -1 ? nil : try bytes.string(Int(count))
    }
    package mutating func buffer(_ field: inout [UInt8]?) throws(JuteError) {
        field = try slice().map { [UInt8]($0) }
    }
    package mutating func strings(_ field: inout [String]) throws(JuteError) {
        let count = try count(itemBytes: 4)
        field.removeAll()
        field.reserveCapacity(count)
        for _ in 0..<count { field.append(try string()) }
    }
    package mutating func records<R: JuteRecord>(_ field: inout [R]) throws(JuteError) {
        // Every record used in a vector holds at least one int.
        let count = try count(itemBytes: 4)
        field.removeAll()
        for _ in 0..<count {
            var record = R()
            try record.walk(&self)
            field.append(record)
        }
    }
    package mutating func trailingBool(_ field: inout Bool?) throws(JuteError) {
        field = bytes.left > 0 ? try bool() : nil
    }
}
