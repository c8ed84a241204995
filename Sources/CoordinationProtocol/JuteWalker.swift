import Bytes

/// What can be wrong with a record from outside.
package typealias JuteError = ByteError

/// Goes over a record's fields in their order, reading or writing them: each record is described once.
package protocol JuteWalker: ~Copyable {
    mutating func bool(_ field: inout Bool) throws(JuteError)
    mutating func int32(_ field: inout Int32) throws(JuteError)
    mutating func int64(_ field: inout Int64) throws(JuteError)
    /// A null (length -1) is an error here: nothing that uses this can go on without the text.
    mutating func string(_ field: inout String) throws(JuteError)
    mutating func nullableString(_ field: inout String?) throws(JuteError)
    /// Null and empty stay apart.
    mutating func buffer(_ field: inout [UInt8]?) throws(JuteError)
    /// A null vector reads as an empty one.
    mutating func strings(_ field: inout [String]) throws(JuteError)
    mutating func records<R: JuteRecord>(_ field: inout [R]) throws(JuteError)
    /// A field that old peers leave away at the end of a record: nil when it is not there.
    mutating func trailingBool(_ field: inout Bool?) throws(JuteError)
}

/// A record of the coordination protocol or of its files.
package protocol JuteRecord {
    init()
    mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError)
}

extension JuteRecord {
    /// Reads one record and leaves what follows it.
    package static func read(from reader: inout JuteReader) throws(JuteError) -> Self {
        var record = Self()
        try record.walk(&reader)
        return record
    }

    /// Reads one record from the start of `bytes`; what follows is not looked at, as newer peers may send more.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(JuteError) -> Self {
        var reader = JuteReader(bytes)
        return try read(from: &reader)
    }

    package static func decode(_ bytes: [UInt8]) throws(JuteError) -> Self {
        var result: Result<Self, JuteError> = .failure(.badLength(0))
        bytes.withUnsafeBytes { raw in
            do throws(JuteError) { result = .success(try decode(raw)) } catch { result = .failure(error) }
        }
        return try result.get()
    }

    package func write(to writer: inout JuteWriter) {
        var copy = self
        // Writing cannot fail: only reading meets bytes of others.
        try? copy.walk(&writer)
    }

    package var encoded: [UInt8] {
        var writer = JuteWriter()
        write(to: &writer)
        return writer.bytes.array
    }
}
