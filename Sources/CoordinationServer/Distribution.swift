/// How many values there were and how large, in bounded memory: buckets eight to a doubling, so quantiles are right to an eighth.
struct Distribution {
    private(set) var count: Int64 = 0
    private(set) var total: Double = 0
    /// 0 when there is none.
    private(set) var smallest: Int64 = 0
    private(set) var largest: Int64 = 0
    /// Zero is by far the most frequent value of a latency that waited for nothing, and costs no bucket.
    private var zeros: Int64 = 0
    /// As long as the largest value wants it: 488 buckets reach to the end of 64 bits.
    private var buckets: [Int64] = []

    @inline(__always)
    mutating func addZero() {
        count += 1
        zeros += 1
        smallest = 0
    }

    /// - Parameter times: as if it came that often.
    mutating func add(_ value: Int64, times: Int64 = 1) {
        guard times > 0 else { return }
        let value = max(value, 0)
        smallest = count == 0 ? value : min(smallest, value)
        largest = max(largest, value)
        count += times
        total += Double(value) * Double(times)
        if value == 0 {
            zeros += times
            return
        }
        let bucket = Distribution.bucket(value)
        if bucket >= buckets.count {
            buckets.append(contentsOf: repeatElement(0, count: bucket + 1 - buckets.count))
        }
        buckets[bucket] += times
    }

    var average: Double { count == 0 ? 0 : total / Double(count) }

    /// - Parameter share: 0.99 for the value that 99 of 100 do not exceed.
    func quantile(_ share: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let rank = max(Int64((share * Double(count)).rounded(.up)), 1)
        var seen = zeros
        if seen >= rank { return 0 }
        // The largest is known exactly.
        if rank >= count { return largest }
        for bucket in buckets.indices {
            seen += buckets[bucket]
            if seen >= rank { return min(max(Distribution.middle(bucket), smallest), largest) }
        }
        return largest
    }

    private static func bucket(_ value: Int64) -> Int {
        if value < 16 { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return 16 + (exponent - 4) * 8 + Int((value >> Int64(exponent - 3)) & 7)
    }

    private static func middle(_ bucket: Int) -> Int64 {
        if bucket < 16 { return Int64(bucket) }
        let exponent = (bucket - 16) / 8 + 4
        let low = (Int64(8 + (bucket - 16) % 8)) << Int64(exponent - 3)
        return low + (Int64(1) << Int64(exponent - 3)) / 2
    }
}
