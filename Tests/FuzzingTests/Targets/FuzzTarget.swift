/// A promise that an input breaks although nothing trapped.
struct FuzzFinding: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What a fuzzer feeds and a unit test replays: any bytes at all go in, and nothing but a ``FuzzFinding`` may come out.
struct FuzzTarget: Sendable {
    let name: String
    /// Longer inputs find nothing that shorter ones do not.
    let maxLength: Int
    /// Megabytes that one allocation may have, whatever an input claims. Where batches are unpacked with the limit that logs have
    /// (128 MiB), it is above that.
    let mallocLimitMB: Int
    let run: @Sendable (UnsafeRawBufferPointer) throws -> Void
    /// Golden data in the target's form, to begin with.
    let seeds: @Sendable () -> [[UInt8]]

    static let all: [FuzzTarget] = [.records, .indexes, .directory, .decompression, .messages, .coordination]

    static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

func expect(_ holds: Bool, _ what: @autoclosure () -> String) throws {
    if !holds { throw FuzzFinding(what()) }
}

/// Takes the leading bytes of an input as choices; 0 where there are none left.
struct Choices {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest[1...])
        return first
    }
    mutating func word() -> Int {
        let high = Int(byte())
        return high << 8 | Int(byte())
    }
    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        let taken = UnsafeRawBufferPointer(rebasing: rest[..<min(count, rest.count)])
        rest = UnsafeRawBufferPointer(rebasing: rest[taken.count...])
        return taken
    }
}

/// Exactly as large as its content: a sanitizer tells of the first byte read behind it.
func withCopy<T>(_ bytes: UnsafeRawBufferPointer, _ use: (UnsafeMutableRawBufferPointer) throws -> T) rethrows -> T {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: bytes)
    return try use(copy)
}
