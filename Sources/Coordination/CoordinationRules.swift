/// A connection's number inside the core; used again after the connection is gone.
package struct ClientID: Hashable, Comparable, Sendable {
    package var raw: Int
    package init(raw: Int) { self.raw = raw }
    package static func < (a: ClientID, b: ClientID) -> Bool { a.raw < b.raw }
}

/// The settings that decide.
package struct CoordinationRules {
    /// Milliseconds.
    package var tick: Int64 = 3000
    package var minSessionTimeout: Int32 = 6000
    package var maxSessionTimeout: Int32 = 60_000
    /// Sessions expire at most so many milliseconds late. ZooKeeper lets a whole tick pass: up to 3 s in which a dead broker's
    /// partitions would have no leader.
    package var expiryGrain: Int64 { max(1, min(tick, 100)) }
    package var extendedTypes = false
    /// Whether TTL marks of ZooKeeper 3.5.3, which look like sessions to its successors, are taken for what they are.
    package var emulates353TTL = false
    /// Whether a hard quota refuses; usage is counted in any case.
    package var enforceQuota = false
    /// A standalone server cannot be reconfigured; this decides what it answers.
    package var reconfigEnabled = false
    /// Milliseconds an empty container that never had a child may stay; 0 is for ever.
    package var neverUsedContainerMs: Int64 = 0
    package var skipACL = false
    /// `super:base64(SHA-1(...))`.
    package var superDigest: String?
    package init() {}
}

/// Tells one watcher of one change. The path is valid until the core is called again.
package struct WatchDelivery {
    package var client: ClientID
    package var event: Int32
    package var path: PathBytes
    package var zxid: Int64

    /// Of one event, to somebody else: without looking at the path's bytes, so that it may say no where they are the same.
    package func tellsTheSame(as other: WatchDelivery) -> Bool {
        event == other.event && zxid == other.zxid && path.baseAddress == other.path.baseAddress
            && path.count == other.path.count
    }
}
