import CoordinationProtocol
import Platform

/// What `srvr`, `mntr` and the metrics tell, since the start or the last reset. Latencies are in microseconds.
struct ServerStatistics {
    // Packets and bytes.
    var received: Int64 = 0
    var sent: Int64 = 0
    var bytesReceived: Int64 = 0
    var responseBytes: Int64 = 0
    var watchBytes: Int64 = 0
    /// Bytes of the last, the shortest and the longest answer; -1 while there is none.
    private(set) var lastResponse = -1
    private(set) var shortestResponse = -1
    private(set) var longestResponse = -1

    // From a request's arrival until its answer may leave.
    private(set) var latency = Distribution()
    private(set) var readLatency = Distribution()
    private(set) var updateLatency = Distribution()

    // The log.
    private(set) var syncTime = Distribution()
    private(set) var batchSize = Distribution()
    var changes: Int64 = 0
    var slowSyncs: Int64 = 0
    var snapshotTime = Distribution()
    var failedSnapshots: Int64 = 0

    // Events by what happened, in the order of the event types: created, deleted, data, children.
    var watchEvents = [Distribution](repeating: Distribution(), count: 4)

    // Connections and sessions.
    var connectionRequests: Int64 = 0
    var refusedConnections: Int64 = 0
    var droppedConnections: Int64 = 0
    var resumedSessions: Int64 = 0
    var expiredSessions: Int64 = 0
    var silentConnections: Int64 = 0
    var failedAuthentications: Int64 = 0
    var localConnections: Int64 = 0
    var remoteConnections: Int64 = 0
    var tokenDeficit = Distribution()
    var refusedLargeRequests: Int64 = 0
    var throttleWaits: Int64 = 0
    var throttleTime = Distribution()
    /// How long this process stood still, each time it did.
    var pauses = Distribution()

    mutating func answered(bytes: Int) {
        sent += 1
        responseBytes += Int64(bytes)
        lastResponse = bytes
        if bytes > longestResponse { longestResponse = bytes }
        if bytes < shortestResponse || shortestResponse < 0 { shortestResponse = bytes }
    }

    /// It waited for nothing.
    @inline(__always)
    mutating func answeredAtOnce() {
        latency.addZero()
        readLatency.addZero()
    }

    /// Answers that waited for the disk together.
    /// - Parameter mean: microseconds.
    mutating func released(reads: Int64, updates: Int64, mean: Int64, longest: Int64, shortest: Int64) {
        latency.add(longest)
        if reads + updates > 1 { latency.add(shortest) }
        latency.add(mean, times: reads + updates - 2)
        readLatency.add(mean, times: reads)
        updateLatency.add(mean, times: updates)
    }

    /// A batch became durable.
    mutating func flew(_ took: Duration, changes: Int) {
        syncTime.add(took.nanoseconds / 1000)
        batchSize.add(Int64(changes))
    }

    mutating func reset() { self = ServerStatistics() }
}

/// What happened before the first request; not reset.
struct StartStatistics {
    var snapshotLoadMs: Int64 = 0
    var transactions = 0
    var initialisationMs: Int64 = 0
}

/// Four decimals at most, one at least: as ZooKeeper prints averages.
func fourDecimals(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e14 else { return "0.0" }
    let tenThousandths = Int64((value * 10_000).rounded())
    var decimals = String(tenThousandths % 10_000)
    while decimals.count < 4 { decimals = "0" + decimals }
    while decimals.count > 1, decimals.hasSuffix("0") { decimals.removeLast() }
    return "\(tenThousandths / 10_000).\(decimals)"
}

/// One connection's part, for `cons`.
struct ConnectionStatistics {
    var received: Int64 = 0
    var sent: Int64 = 0
    var lastOp: OpCode?
    var lastXid: Int32 = 0
    var lastZxid: Int64 = 0
    var lastReply: Instant
    // Nanoseconds.
    private(set) var lastLatency: Int64 = 0
    private(set) var shortest = Int64.max
    private(set) var longest: Int64 = 0
    private var total: Double = 0
    private var count: Int64 = 0

    init(now: Instant) { lastReply = now }

    @inline(__always)
    mutating func answeredAtOnce() {
        count += 1
        lastLatency = 0
        shortest = 0
    }

    mutating func released(count: Int64, total: Double, last: Int64, longest: Int64, shortest: Int64) {
        self.count += count
        self.total += total
        lastLatency = last
        self.longest = max(self.longest, longest)
        self.shortest = min(self.shortest, shortest)
    }

    var lastMs: Int64 { lastLatency / 1_000_000 }
    var shortestMs: Int64 { shortest == .max ? 0 : shortest / 1_000_000 }
    var longestMs: Int64 { longest / 1_000_000 }
    var averageMs: Int64 { count == 0 ? 0 : Int64(total / Double(count)) / 1_000_000 }

    /// As ZooKeeper's: packets and latencies; who it is stays.
    mutating func reset(now: Instant) { self = ConnectionStatistics(now: now) }
}
