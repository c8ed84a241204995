/// A path as the bytes of a request: valid while the request is.
package typealias PathBytes = UnsafeRawBufferPointer

/// The rules of znode paths, over bytes: no text is made of a path to follow it.
package enum ZnodePath {
    static let slash = UInt8(ascii: "/")

    /// What stands before and behind the last slash (`/a/b` gives `/a` and `b`; `/a` gives an empty parent, the root), or nil
    /// when there is no slash or a zero byte.
    package static func split(_ path: PathBytes) -> (parent: PathBytes, name: PathBytes)? {
        guard firstIndex(of: 0, in: path, from: 0) == path.count, let found = lastSlash(path) else { return nil }
        return (PathBytes(rebasing: path[..<found]), PathBytes(rebasing: path[(found + 1)...]))
    }

    @inline(__always)
    static func lastSlash(_ path: PathBytes) -> Int? {
        var index = path.count
        while index > 0 {
            index -= 1
            if path[index] == slash { return index }
        }
        return nil
    }

    /// Only nodes with valid paths come to be.
    package static func isValid(_ path: PathBytes) -> Bool {
        guard path.count > 0, path[0] == slash else { return false }
        if path.count == 1 { return true }
        guard path[path.count - 1] != slash else { return false }
        var start = 1
        var plain = true
        for index in 1...path.count {
            if index < path.count {
                let byte = path[index]
                if byte != slash {
                    if byte < 0x20 || byte >= 0x7f { plain = false }
                    continue
                }
            }
            let count = index - start
            if count == 0 { return false }
            let dot = UInt8(ascii: ".")
            if path[start] == dot, count == 1 || (count == 2 && path[start + 1] == dot) { return false }
            start = index + 1
        }
        return plain || isPrintable(path)
    }

    /// UTF-8 without control characters, private use, or what needs two UTF-16 units.
    private static func isPrintable(_ path: PathBytes) -> Bool {
        guard let text = String(validating: path, as: UTF8.self) else { return false }
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0000...0x001f, 0x007f...0x009f, 0xd800...0xf8ff, 0xfff0...: return false
            default: break
            }
        }
        return true
    }

    /// Nodes that everything relies on; they cannot be deleted.
    static func isSpecial(_ path: PathBytes) -> Bool {
        path.isText("/") || path.isText("/zookeeper") || path.isText("/zookeeper/quota")
            || path.isText("/zookeeper/config")
    }
}

extension UnsafeRawBufferPointer {
    package func isText(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && sameBytes(as: UnsafeRawBufferPointer(start: text.utf8Start, count: count))
    }

    @inline(__always) package func sameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard count > 0, let mine = baseAddress, let theirs = other.baseAddress else { return true }
        return sameMemory(mine, theirs, count)
    }

    package var text: String { String(decoding: self, as: UTF8.self) }
}

/// Eight bytes at a time, the last of them once more where they do not come out even; names are short, a call to memcmp costs
/// as much as the comparison.
@inline(__always)
func sameMemory(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
    if count >= 8 {
        var index = 0
        while index + 8 < count {
            if word(a, index) != word(b, index) { return false }
            index += 8
        }
        return word(a, count - 8) == word(b, count - 8)
    }
    if count >= 4 { return half(a, 0) == half(b, 0) && half(a, count - 4) == half(b, count - 4) }
    for index in 0..<count
    where a.load(fromByteOffset: index, as: UInt8.self) != b.load(fromByteOffset: index, as: UInt8.self) {
        return false
    }
    return true
}

/// Where `byte` stands first at or behind `start`, else the count.
@inline(__always)
func firstIndex(of byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    guard let base = bytes.baseAddress else { return bytes.count }
    let ones: UInt64 = 0x0101_0101_0101_0101
    let wanted = ones &* UInt64(byte)
    var index = start
    while index + 8 <= bytes.count {
        // Bytes that are wanted become zero, and the lowest zero byte is the lowest with its top bit set here.
        let difference = UInt64(littleEndian: word(base, index)) ^ wanted
        let found = (difference &- ones) & ~difference & (ones << 7)
        if found != 0 { return index + found.trailingZeroBitCount / 8 }
        index += 8
    }
    while index < bytes.count, bytes[index] != byte { index += 1 }
    return index
}

/// A 32-bit hash of `bytes` and a number: multiply and fold, as wyhash does.
@inline(__always)
func byteHash(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
    var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(bytes.count)
    if let base = bytes.baseAddress {
        let count = bytes.count
        if count >= 8 {
            var index = 0
            while index + 8 < count {
                state = folded(state ^ word(base, index))
                index += 8
            }
            state = folded(state ^ word(base, count - 8))
        } else if count >= 4 {
            state = folded(state ^ (UInt64(half(base, 0)) << 32 | UInt64(half(base, count - 4))))
        } else {
            var rest: UInt64 = 0
            for index in 0..<count { rest = rest << 8 | UInt64(base.load(fromByteOffset: index, as: UInt8.self)) }
            state = folded(state ^ rest)
        }
    }
    state = folded(state ^ 0xa076_1d64_78bd_642f)
    return UInt32(truncatingIfNeeded: state ^ (state >> 32))
}

@inline(__always)
private func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
}

@inline(__always)
private func half(_ base: UnsafeRawPointer, _ offset: Int) -> UInt32 {
    base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
}

@inline(__always)
private func folded(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
    return product.high ^ product.low
}
