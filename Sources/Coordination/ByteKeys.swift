/// Numbers for byte strings: watch paths and access control lists are found by their bytes, without making text of them.
struct ByteKeys: ~Copyable {
    private struct Slot {
        var tag: UInt32
        /// Key number plus one; 0 is empty.
        var key: UInt32
    }

    private var slots: UnsafeMutablePointer<Slot>
    private var mask: Int
    private var keys: [UnsafeRawBufferPointer] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    init() {
        slots = .allocate(capacity: 16)
        slots.initialize(repeating: Slot(tag: 0, key: 0), count: 16)
        mask = 15
    }

    deinit {
        for key in keys { key.deallocate() }
        slots.deallocate()
    }

    subscript(_ key: UInt32) -> UnsafeRawBufferPointer { keys[Int(key)] }

    func find(_ bytes: UnsafeRawBufferPointer) -> UInt32? {
        let tag = byteHash(bytes, seed: 0)
        var index = Int(tag) & mask
        while slots[index].key != 0 {
            if slots[index].tag == tag, keys[Int(slots[index].key - 1)].sameBytes(as: bytes) {
                return slots[index].key - 1
            }
            index = (index + 1) & mask
        }
        return nil
    }

    /// The number of `bytes`, a new one when they were not there. Numbers are used again after `remove`.
    mutating func insert(_ bytes: UnsafeRawBufferPointer) -> (key: UInt32, isNew: Bool) {
        if let key = find(bytes) { return (key, false) }
        if (count + 1) * 4 > (mask + 1) * 3 { grow() }
        let own = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        own.copyMemory(from: bytes)
        let key: UInt32
        if let used = free.popLast() {
            key = used
            keys[Int(key)] = UnsafeRawBufferPointer(own)
        } else {
            key = UInt32(keys.count)
            keys.append(UnsafeRawBufferPointer(own))
        }
        place(Slot(tag: byteHash(bytes, seed: 0), key: key + 1))
        count += 1
        return (key, true)
    }

    mutating func remove(_ key: UInt32) {
        let bytes = keys[Int(key)]
        let tag = byteHash(bytes, seed: 0)
        var hole = Int(tag) & mask
        while slots[hole].key != key + 1 {
            guard slots[hole].key != 0 else { return }
            hole = (hole + 1) & mask
        }
        // Later entries of the run move up, unless that would put them before their own place.
        var index = hole
        while true {
            index = (index + 1) & mask
            if slots[index].key == 0 { break }
            let home = Int(slots[index].tag) & mask
            if (index &- home) & mask >= (index &- hole) & mask {
                slots[hole] = slots[index]
                hole = index
            }
        }
        slots[hole] = Slot(tag: 0, key: 0)
        bytes.deallocate()
        keys[Int(key)] = UnsafeRawBufferPointer(start: nil, count: 0)
        free.append(key)
        count -= 1
    }

    private mutating func place(_ slot: Slot) {
        var index = Int(slot.tag) & mask
        while slots[index].key != 0 { index = (index + 1) & mask }
        slots[index] = slot
    }

    private mutating func grow() {
        let old = slots
        let oldCount = mask + 1
        slots = .allocate(capacity: oldCount * 2)
        slots.initialize(repeating: Slot(tag: 0, key: 0), count: oldCount * 2)
        mask = oldCount * 2 - 1
        for index in 0..<oldCount where old[index].key != 0 { place(old[index]) }
        old.deallocate()
    }
}
