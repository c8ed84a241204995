import ClusterModel

/// The latest offset of each key, by the key's hash, in memory of a fixed size. Two keys of one hash would make one vanish: the
/// hash has 128 bits and a secret of its own, so that nobody can choose such keys.
final class OffsetMap {
    private struct Slot {
        var high: UInt64 = 0
        var low: UInt64 = 0
        /// 0: free.
        var offsetPlusOne: Int64 = 0
    }
    static let slotSize = MemoryLayout<Slot>.stride

    /// Empty before the first key and after `release`: to fill so much memory with zeros, or to give it back, takes a tenth of a
    /// second, and is for the thread that puts the keys, not for the one that decides that there will be some.
    private var slots = UnsafeMutableBufferPointer<Slot>(start: nil, count: 0)
    private let size: Int
    private static let together = 32
    /// Keys that are not in their slots yet.
    private var waiting = UnsafeMutableBufferPointer<Slot>(start: nil, count: 0)
    private var waitingCount = 0
    /// Of no meaning; read only so that the reading is not left out.
    private var touched: Int64 = 0
    private let secret: (UInt64, UInt64)
    private let most: Int
    private(set) var count = 0
    /// Up to where the map tells the truth: every key at or below was put.
    var latestOffset: Offset = -1

    /// - Parameter bytes: at most.
    /// - Parameter entries: more than this will never be put: no more memory is taken than they need.
    init(bytes: Int, loadFactor: Double, entries: Int64, secret: (UInt64, UInt64)) {
        let factor = min(max(loadFactor, 0.1), 0.95)
        let wanted = Double(max(1, entries)) / factor + 2
        size = max(4, min(bytes / OffsetMap.slotSize, wanted < Double(Int32.max) ? Int(wanted) : .max))
        most = max(1, min(size - 1, Int(Double(size) * factor)))
        self.secret = secret
    }

    deinit { release() }

    /// Every key is forgotten.
    func release() {
        slots.deallocate()
        waiting.deallocate()
        slots = UnsafeMutableBufferPointer(start: nil, count: 0)
        waiting = UnsafeMutableBufferPointer(start: nil, count: 0)
        count = 0
        waitingCount = 0
    }

    var memoryBytes: Int { slots.count * OffsetMap.slotSize }

    /// - Returns: false when the key is new and there is no room for it.
    func put(_ key: UnsafeRawBufferPointer, _ offset: Offset) -> Bool { putSoon(key, offset) && putWaiting() }

    /// The same, before the next `putWaiting` has returned or earlier.
    /// - Returns: false when there was no room for one of those that waited.
    func putSoon(_ key: UnsafeRawBufferPointer, _ offset: Offset) -> Bool {
        if slots.isEmpty { allocate() }
        let (high, low) = SipHash.hash128(key, secret: secret)
        waiting[waitingCount] = Slot(high: high, low: low, offsetPlusOne: offset + 1)
        waitingCount += 1
        return waitingCount < waiting.count || putWaiting()
    }

    /// - Returns: false when there was no room for one of them; those behind it are forgotten.
    func putWaiting() -> Bool {
        let keys = UnsafeMutableBufferPointer(rebasing: waiting[..<waitingCount])
        waitingCount = 0
        // Each key's slot is somewhere else in more memory than any cache holds. Asked for all at once they come in less than half the
        // time that they take one after another.
        var sum: Int64 = 0
        for key in keys { sum &+= slots[start(key.high)].offsetPlusOne }
        touched = sum
        for key in keys where !put(key) { return false }
        return true
    }

    private func put(_ key: Slot) -> Bool {
        var index = start(key.high)
        while slots[index].offsetPlusOne != 0 {
            if slots[index].high == key.high, slots[index].low == key.low {
                slots[index].offsetPlusOne = key.offsetPlusOne
                return true
            }
            index = index + 1 == slots.count ? 0 : index + 1
        }
        guard count < most else { return false }
        slots[index] = key
        count += 1
        return true
    }

    private func allocate() {
        slots = .allocate(capacity: size)
        slots.initialize(repeating: Slot())
        waiting = .allocate(capacity: OffsetMap.together)
        waiting.initialize(repeating: Slot())
    }

    /// Nil for a key that was not put.
    func offset(of key: UnsafeRawBufferPointer) -> Offset? {
        guard !slots.isEmpty else { return nil }
        let (high, low) = SipHash.hash128(key, secret: secret)
        var index = start(high)
        while slots[index].offsetPlusOne != 0 {
            if slots[index].high == high, slots[index].low == low { return slots[index].offsetPlusOne - 1 }
            index = index + 1 == slots.count ? 0 : index + 1
        }
        return nil
    }

    private func start(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(slots.count)).high)
    }
}

/// SipHash-2-4 with 128 bits of result (Aumasson and Bernstein).
enum SipHash {
    private struct State {
        var v0: UInt64
        var v1: UInt64
        var v2: UInt64
        var v3: UInt64

        @inline(__always) mutating func round() {
            v0 &+= v1
            v1 = (v1 << 13 | v1 >> 51) ^ v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = (v3 << 16 | v3 >> 48) ^ v2
            v0 &+= v3
            v3 = (v3 << 21 | v3 >> 43) ^ v0
            v2 &+= v1
            v1 = (v1 << 17 | v1 >> 47) ^ v2
            v2 = v2 << 32 | v2 >> 32
        }

        @inline(__always) mutating func take(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        @inline(__always) mutating func finish() -> UInt64 {
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }
    }

    static func hash128(_ bytes: UnsafeRawBufferPointer, secret: (UInt64, UInt64)) -> (UInt64, UInt64) {
        var state = State(
            v0: 0x736f_6d65_7073_6575 ^ secret.0, v1: 0x646f_7261_6e64_6f6d ^ secret.1 ^ 0xee,
            v2: 0x6c79_6765_6e65_7261 ^ secret.0, v3: 0x7465_6462_7974_6573 ^ secret.1)
        let whole = bytes.count & ~7
        var at = 0
        while at < whole {
            state.take(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
            at += 8
        }
        var last = UInt64(truncatingIfNeeded: bytes.count) << 56
        for index in whole..<bytes.count { last |= UInt64(bytes[index]) << UInt64(8 * (index - whole)) }
        state.take(last)
        state.v2 ^= 0xee
        let first = state.finish()
        state.v1 ^= 0xdd
        return (first, state.finish())
    }
}
