import Bytes

// The words that messages are written in: `try wire.int32(&generation, since: 1, default: -1)`. Each is a field of one type,
// with the versions that have it.
extension FieldWalker where Self: ~Copyable {
    @inline(__always)
    func spoken(_ since: Int16, _ until: Int16) -> Bool { version >= since && version <= until }

    /// The field is not in this version.
    @inline(__always)
    func left(out isDefault: @autoclosure () -> Bool, _ ignorable: Bool) throws(WireError) {
        if Self.writes, !ignorable, !isDefault() { throw .unspokenField(version: version) }
    }

    @inline(__always)
    package mutating func bool(
        _ field: inout Bool, since: Int16 = 0, until: Int16 = .max, default: Bool = false, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func int8(
        _ field: inout Int8, since: Int16 = 0, until: Int16 = .max, default: Int8 = 0, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func int16(
        _ field: inout Int16, since: Int16 = 0, until: Int16 = .max, default: Int16 = 0, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func int32(
        _ field: inout Int32, since: Int16 = 0, until: Int16 = .max, default: Int32 = 0, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func int64(
        _ field: inout Int64, since: Int16 = 0, until: Int16 = .max, default: Int64 = 0, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func float64(
        _ field: inout Double, since: Int16 = 0, until: Int16 = .max, default: Double = 0, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func uuid(
        _ field: inout UUID128, since: Int16 = 0, until: Int16 = .max, default: UUID128 = .zero, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func string(
        _ field: inout String, since: Int16 = 0, until: Int16 = .max, default: String = "", ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == `default`, ignorable) }
    }

    @inline(__always)
    package mutating func errorCode(
        _ field: inout ErrorCode, since: Int16 = 0, until: Int16 = .max, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field.rawValue) } else { try left(out: field == .none, ignorable) }
    }

    @inline(__always)
    package mutating func bytes(
        _ field: inout [UInt8], since: Int16 = 0, until: Int16 = .max, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field.isEmpty, ignorable) }
    }

    @inline(__always)
    package mutating func array<T: WireValue>(
        _ field: inout [T], since: Int16 = 0, until: Int16 = .max, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field.isEmpty, ignorable) }
    }

    @inline(__always)
    package mutating func structure<T: WireStruct>(
        _ field: inout T, since: Int16 = 0, until: Int16 = .max, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try field.walk(&self) } else { try left(out: field == T(), ignorable) }
    }

    @inline(__always)
    package mutating func structure<T: WireStruct>(
        _ field: inout T?, since: Int16 = 0, until: Int16 = .max, ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) { try value(&field) } else { try left(out: field == nil, ignorable) }
    }

    // Nullable ones. `nullSince`: earlier versions have the field and no null. `default`: what stands there in versions
    // without the field.
    @inline(__always)
    package mutating func string(
        _ field: inout String?, since: Int16 = 0, until: Int16 = .max, nullSince: Int16 = 0, default: String? = nil,
        ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) {
            try value(&field, mayBeNull: version >= nullSince)
        } else {
            try left(out: field == `default`, ignorable)
        }
    }

    @inline(__always)
    package mutating func bytes(
        _ field: inout [UInt8]?, since: Int16 = 0, until: Int16 = .max, nullSince: Int16 = 0, default: [UInt8]? = nil,
        ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) {
            try value(&field, mayBeNull: version >= nullSince)
        } else {
            try left(out: field == `default`, ignorable)
        }
    }

    @inline(__always)
    package mutating func array<T: WireValue>(
        _ field: inout [T]?, since: Int16 = 0, until: Int16 = .max, nullSince: Int16 = 0, default: [T]? = nil,
        ignorable: Bool = false
    ) throws(WireError) {
        if spoken(since, until) {
            try value(&field, mayBeNull: version >= nullSince)
        } else {
            try left(out: field == `default`, ignorable)
        }
    }

    @inline(__always)
    package mutating func records(_ field: inout RecordsField) throws(WireError) { try value(&field) }

    /// The end of a structure that has no tagged fields of its own.
    @inline(__always)
    package mutating func tags() throws(WireError) {
        guard isFlexible else { return }
        var section = try beginTags()
        try endTags(&section)
    }
}
