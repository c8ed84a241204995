import Platform

/// What `srvr` and `mntr` tell.
struct ServerStatistics {
    var received: Int64 = 0
    var sent: Int64 = 0
    private(set) var flights: Int64 = 0
    private(set) var slowest: Int64 = 0
    private(set) var quickest: Int64 = 0
    private var total: Double = 0

    /// A batch became durable; its replies waited for that long.
    mutating func flew(_ took: Duration) {
        let milliseconds = took.wholeMilliseconds
        quickest = flights == 0 ? milliseconds : min(quickest, milliseconds)
        slowest = max(slowest, milliseconds)
        total += Double(took.nanoseconds) / 1_000_000
        flights += 1
    }

    /// Milliseconds with up to four decimals.
    var average: String {
        guard flights > 0 else { return "0.0" }
        let tenThousandths = Int64((total / Double(flights) * 10_000).rounded())
        var decimals = String(tenThousandths % 10_000)
        while decimals.count < 4 { decimals = "0" + decimals }
        while decimals.count > 1, decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(tenThousandths / 10_000).\(decimals)"
    }

    mutating func reset() { self = ServerStatistics() }
}
