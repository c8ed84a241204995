import Bytes

/// Why a message cannot be read, in the words of Kafka's tools; nil where Java has none (it ran out of bytes) and writes "null".
package struct StoredMessageError: Error, Equatable {
    package var reason: String?
}

/// What a message of an internal topic looks like in each of its versions: Kafka's description of it, as a value.
///
/// Rule: Kafka 3.9's generated readers. They read a message of a later version as the last one they know, and of an impossible
/// one as the first; only structures inside it refuse.
package struct StoredLayout: Sendable {
    package indirect enum Kind: Sendable {
        case int8, int16, int32, int64, id, text, bytes
        case list(Kind)
        case structure(String, [Field])
    }

    package struct Field: Sendable {
        var name: String
        var kind: Kind
        var versions: ClosedRange<Int16> = 0...Int16.max
        var isNullable = false
        /// Kept behind the fields, by number, and left out while null.
        var tag: Int32?
    }

    package var versions: ClosedRange<Int16>
    /// Lengths are varints and tags follow from this version on.
    var flexibleSince = Int16.max
    var fields: [Field]

    /// Bytes behind the message are nobody's, as with Kafka.
    package func read(_ reader: inout ByteReader, version: Int16) throws(StoredMessageError) -> StoredValue {
        let known = min(max(version, versions.lowerBound), versions.upperBound)
        var message = StoredReader(
            reader: reader, version: version, known: known, isFlexible: known >= flexibleSince,
            last: versions.upperBound)
        defer { reader = message.reader }
        return try message.structure(fields)
    }
}

extension StoredLayout.Field {
    static func field(
        _ name: String, _ kind: StoredLayout.Kind, since: Int16 = 0, nullable: Bool = false
    ) -> Self {
        .init(name: name, kind: kind, versions: since...Int16.max, isNullable: nullable)
    }
    static func field(_ name: String, _ kind: StoredLayout.Kind, only version: Int16) -> Self {
        .init(name: name, kind: kind, versions: version...version)
    }
    static func tagged(_ tag: Int32, _ name: String, _ kind: StoredLayout.Kind) -> Self {
        .init(name: name, kind: kind, isNullable: true, tag: tag)
    }
}

private struct StoredReader {
    var reader: ByteReader
    /// What the message says.
    let version: Int16
    /// The version whose layout it is read by.
    let known: Int16
    let isFlexible: Bool
    let last: Int16

    mutating func structure(_ fields: [StoredLayout.Field]) throws(StoredMessageError) -> StoredValue {
        var values = [StoredValue?](repeating: nil, count: fields.count)
        for (index, field) in fields.enumerated() where field.tag == nil && field.versions.contains(known) {
            values[index] = try value(field.kind, field.name, isNullable: field.isNullable)
        }
        if isFlexible { try tags(fields, &values) }
        var found: [StoredValue.Field] = []
        for (field, value) in zip(fields, values) {
            if let value { found.append(.init(name: field.name, value: value)) }
        }
        return .structure(found)
    }

    private mutating func inner(_ name: String, _ fields: [StoredLayout.Field]) throws(StoredMessageError)
        -> StoredValue
    {
        guard version <= last else { throw StoredMessageError(reason: "Can't read version \(version) of \(name)") }
        return try structure(fields)
    }

    private mutating func tags(
        _ fields: [StoredLayout.Field], _ values: inout [StoredValue?]
    ) throws(StoredMessageError) {
        var left = try varint()
        while left > 0 {
            left -= 1
            let tag = try varint()
            let size = try varint()
            guard let index = fields.firstIndex(where: { $0.tag == tag }) else {
                _ = try bytes(Int(size))
                continue
            }
            // Only structures that may be missing are tagged in what we know.
            guard case .structure(let name, let inside) = fields[index].kind, try varint() > 0 else {
                values[index] = nil
                continue
            }
            values[index] = try inner(name, inside)
        }
    }

    private mutating func value(
        _ kind: StoredLayout.Kind, _ name: String, isNullable: Bool
    ) throws(StoredMessageError) -> StoredValue {
        switch kind {
        case .int8: return .integer(Int64(try fixed { (reader) throws(ByteError) in try reader.int8() }))
        case .int16: return .integer(Int64(try fixed { (reader) throws(ByteError) in try reader.int16() }))
        case .int32: return .integer(Int64(try fixed { (reader) throws(ByteError) in try reader.int32() }))
        case .int64: return .integer(try fixed { (reader) throws(ByteError) in try reader.int64() })
        case .id:
            return .id(
                try fixed { (reader) throws(ByteError) in
                    UUID128(high: try reader.uint64(), low: try reader.uint64())
                })
        case .structure(let type, let fields): return try inner(type, fields)
        case .text, .bytes, .list: break
        }
        let length = try length(kind)
        guard length >= 0 else {
            if isNullable { return .null }
            throw StoredMessageError(reason: "non-nullable field \(name) was serialized as null")
        }
        switch kind {
        case .list(let element):
            guard length <= reader.left else {
                throw StoredMessageError(
                    reason: "Tried to allocate a collection of size \(length), but there are only "
                        + "\(reader.left) bytes remaining.")
            }
            var items: [StoredValue] = []
            for _ in 0..<length { items.append(try value(element, "\(name) element", isNullable: false)) }
            return .list(items)
        case .text:
            guard length <= 0x7fff else {
                throw StoredMessageError(reason: "string field \(name) had invalid length \(length)")
            }
            // Bytes that are no UTF-8 show as U+FFFD, as with Java.
            return .text(String(decoding: try bytes(length), as: UTF8.self))
        default: return .bytes([UInt8](try bytes(length)))
        }
    }

    private mutating func length(_ kind: StoredLayout.Kind) throws(StoredMessageError) -> Int {
        if isFlexible { return Int(try varint() &- 1) }
        if case .text = kind { return Int(try fixed { (reader) throws(ByteError) in try reader.int16() }) }
        return Int(try fixed { (reader) throws(ByteError) in try reader.int32() })
    }

    private mutating func bytes(_ count: Int) throws(StoredMessageError) -> UnsafeRawBufferPointer {
        guard count >= 0 else { throw StoredMessageError(reason: "\(count)") }
        let left = reader.left
        return try fixed(
            reason: "Error reading byte array of \(count) byte(s): only \(left) byte(s) available"
        ) { (reader) throws(ByteError) in try reader.slice(count) }
    }

    /// A length as Java holds it: the largest ones are negative.
    private mutating func varint() throws(StoredMessageError) -> Int32 {
        var value: UInt32 = 0
        for shift in stride(from: 0, through: 28, by: 7) {
            let byte = try fixed { (reader) throws(ByteError) in try reader.uint8() }
            value |= UInt32(byte & 0x7f) << UInt32(shift)
            if byte < 0x80 { return Int32(bitPattern: value) }
        }
        throw StoredMessageError(
            reason: "Varint is too long, the most significant bit in the 5th byte is set, converted value: "
                + String(value, radix: 16))
    }

    private mutating func fixed<T>(
        reason: @autoclosure () -> String? = nil, _ read: (inout ByteReader) throws(ByteError) -> T
    ) throws(StoredMessageError) -> T {
        do throws(ByteError) { return try read(&reader) } catch { throw StoredMessageError(reason: reason()) }
    }
}
