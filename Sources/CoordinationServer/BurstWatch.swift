/// Tells when a burst of requests is over: what was allocated for it and freed since is then kept for nothing. Not while requests
/// come, who would wait for the giving back, nor again and again in idle times.
struct BurstWatch {
    /// Requests between two looks, some two seconds apart: from here on a burst, and up to there the end of one.
    static let many: Int64 = 10_000
    static let few: Int64 = 100

    private var lastReceived: Int64 = 0
    private var isInBurst = false

    /// - Parameter received: requests since the start, or since the statistics were last reset.
    /// - Returns: true once after each burst.
    mutating func isOver(received: Int64) -> Bool {
        let came = received - lastReceived
        lastReceived = received
        if came > BurstWatch.many { isInBurst = true }
        guard isInBurst, came >= 0, came <= BurstWatch.few else { return false }
        isInBurst = false
        return true
    }
}
