import Bytes

/// Goes over a message's fields in their order, reading or writing them: each message is described once, for both directions
/// and all its versions. A field outside its versions keeps its default when read; when written it must hold its default,
/// unless it is `ignorable`.
package protocol FieldWalker: ~Copyable {
    var version: Int16 { get }
    /// Compact lengths and tagged fields.
    var isFlexible: Bool { get }
    /// True when fields are read from here into bytes, so that what a version cannot say is noticed.
    static var writes: Bool { get }

    mutating func value(_ field: inout Bool) throws(WireError)
    mutating func value(_ field: inout Int8) throws(WireError)
    mutating func value(_ field: inout Int16) throws(WireError)
    mutating func value(_ field: inout Int32) throws(WireError)
    mutating func value(_ field: inout Int64) throws(WireError)
    mutating func value(_ field: inout Double) throws(WireError)
    mutating func value(_ field: inout UUID128) throws(WireError)
    mutating func value(_ field: inout String) throws(WireError)
    mutating func value(_ field: inout [UInt8]) throws(WireError)
    mutating func value<T: WireValue>(_ field: inout [T]) throws(WireError)
    /// - Parameter mayBeNull: false in versions that have no null here.
    mutating func value(_ field: inout String?, mayBeNull: Bool) throws(WireError)
    mutating func value(_ field: inout [UInt8]?, mayBeNull: Bool) throws(WireError)
    mutating func value<T: WireValue>(_ field: inout [T]?, mayBeNull: Bool) throws(WireError)
    mutating func value<T: WireStruct>(_ field: inout T?) throws(WireError)
    mutating func value(_ field: inout RecordsField) throws(WireError)

    /// A structure's tagged fields: begin, then `tag` for each known one in ascending order, then end. Nothing happens in
    /// versions that are not flexible.
    mutating func beginTags() throws(WireError) -> TagSection
    /// Whether the field behind this tag is to be walked now: the peer sent it, or we have something to say.
    mutating func tag(
        _ number: UInt32, _ section: inout TagSection, since: Int16, ignorable: Bool, present: @autoclosure () -> Bool
    ) throws(WireError) -> Bool
    mutating func endTags(_ section: inout TagSection) throws(WireError)
}

/// Where a walk stands among one structure's tagged fields.
package struct TagSection {
    /// Reading: how many are still to come. Writing: how many were written.
    var count: UInt32 = 0
    /// Reading: the number that comes next, once its head has been read. Writing: where the count stands.
    var next: UInt32?
    var last: Int64 = -1
    var size = 0
    var position = 0
    var isOpen = false
}

/// What can stand in an array.
package protocol WireValue: Equatable {
    init()
    mutating func read(from wire: inout WireReader) throws(WireError)
    mutating func write(to wire: inout WireWriter) throws(WireError)
    /// The least this takes on the wire: no count is believed that the remaining bytes cannot hold.
    static var leastBytes: Int { get }
}

/// A structure. `read` and `write` are written out in each one, so that `walk` is compiled for both directions here.
package protocol WireStruct: WireValue {
    mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError)
}

extension WireStruct {
    package static var leastBytes: Int { 1 }

    /// A value with some of its fields set: `HeartbeatResponse.with { $0.errorCode = .notCoordinator }`.
    package static func with(_ fill: (inout Self) -> Void) -> Self {
        var value = Self()
        fill(&value)
        return value
    }
}

/// The record batches inside Produce and Fetch, which are never copied on their way.
package enum RecordsField {
    case null
    /// In the frame they came in: valid only while the handler runs.
    case slice(UnsafeRawBufferPointer)
    case owned([UInt8])
    /// Writing only: this many bytes are put here by somebody else, see ``WireWriter/splices``.
    case elsewhere(length: Int)

    package init() { self = .null }

    package var count: Int {
        switch self {
        case .null: 0
        case .slice(let bytes): bytes.count
        case .owned(let bytes): bytes.count
        case .elsewhere(let length): length
        }
    }

    /// Runs `body` over the bytes in place; over none when they are elsewhere.
    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        switch self {
        case .null, .elsewhere: body(UnsafeRawBufferPointer(start: nil, count: 0))
        case .slice(let bytes): body(bytes)
        case .owned(let bytes): bytes.withUnsafeBytes { body($0) }
        }
    }
}

extension RecordsField: Equatable {
    package static func == (a: RecordsField, b: RecordsField) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.elsewhere(let a), .elsewhere(let b)): a == b
        case (.null, _), (_, .null), (.elsewhere, _), (_, .elsewhere): false
        default: a.withBytes { a in b.withBytes { b in a.elementsEqual(b) } }
        }
    }
}
