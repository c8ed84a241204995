/// Memory that doubles while a stream is unpacked into it, up to a limit: what a batch costs follows what it really holds, not
/// what it claims.
struct GrowingMemory: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    private(set) var count = 0
    private let limit: Int

    init(expecting: Int, limit: Int) {
        self.limit = limit
        capacity = min(max(64, expecting), limit)
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// Room for at least one byte, or nil at the limit.
    mutating func room() -> UnsafeMutableRawBufferPointer? {
        if count == capacity {
            guard capacity < limit else { return nil }
            let larger = min(capacity * 2, limit)
            let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
            moved.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = moved
            capacity = larger
        }
        return UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    }

    mutating func filled(_ more: Int) { count += more }

    /// Gives the memory away: whoever takes it deallocates it.
    consuming func take() -> UnsafeMutableRawBufferPointer {
        let result = UnsafeMutableRawBufferPointer(start: base, count: count)
        discard self
        return result
    }
}
