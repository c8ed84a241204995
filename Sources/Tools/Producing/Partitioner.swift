/// Which partition a record goes to: by its key, or to one partition for a while and then to another.
/// Rule: the default partitioner of Kafka's Java client.
package struct Partitioner {
    package private(set) var sticky: Int32?

    package init() {}

    /// Murmur2 with Kafka's seed, over the key's bytes.
    package static func murmur2(_ data: [UInt8]) -> UInt32 {
        let multiplier: UInt32 = 0x5bd1_e995
        var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: data.count)
        let whole = data.count & ~3
        var index = 0
        while index < whole {
            var word =
                UInt32(data[index]) | UInt32(data[index + 1]) << 8 | UInt32(data[index + 2]) << 16
                | UInt32(data[index + 3]) << 24
            word = word &* multiplier
            word ^= word >> 24
            word = word &* multiplier
            hash = hash &* multiplier
            hash ^= word
            index += 4
        }
        let left = data.count - whole
        if left >= 3 { hash ^= UInt32(data[whole + 2]) << 16 }
        if left >= 2 { hash ^= UInt32(data[whole + 1]) << 8 }
        if left >= 1 {
            hash ^= UInt32(data[whole])
            hash = hash &* multiplier
        }
        hash ^= hash >> 13
        hash = hash &* multiplier
        return hash ^ (hash >> 15)
    }

    package static func partition(of key: [UInt8], among count: Int32) -> Int32 {
        Int32(bitPattern: murmur2(key) & 0x7fff_ffff) % count
    }

    /// For a record without key.
    /// - Parameter available: partitions that have a leader; may be empty.
    package mutating func next(available: [Int32], among count: Int32, random: () -> UInt64) -> Int32 {
        if let sticky { return sticky }
        let chosen =
            available.isEmpty
            ? Int32(truncatingIfNeeded: random() % UInt64(count))
            : available[Int(truncatingIfNeeded: random() % UInt64(available.count))]
        sticky = chosen
        return chosen
    }

    /// A batch has left: the next one goes elsewhere.
    package mutating func moveOn() { sticky = nil }
}
