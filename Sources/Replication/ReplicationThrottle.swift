import ClusterModel
import Platform

/// Which replicas of a topic copy under a throttle: `leader.replication.throttled.replicas` and its twin for followers (KIP-73).
package enum ThrottledReplicas: Equatable, Sendable {
    case none
    case all
    case some(Set<Pair>)

    package struct Pair: Hashable, Sendable {
        package var partition: Int32
        package var broker: Int32
        package init(partition: Int32, broker: Int32) {
            self.partition = partition
            self.broker = broker
        }
    }

    /// - Parameter text: `*`, `none`, nothing at all, or `PARTITION:BROKER,…`. Nil for anything else.
    package init?(_ text: String) {
        let items = text.split(separator: ",", omittingEmptySubsequences: false).map { item in
            String(item.filter { $0 != " " })
        }
        switch items {
        case ["*"]: self = .all
        case [""], ["none"]: self = .none
        default:
            var pairs: Set<Pair> = []
            for item in items {
                let parts = item.split(separator: ":", omittingEmptySubsequences: false)
                guard parts.count == 2, let partition = Int32(parts[0]), let broker = Int32(parts[1]), partition >= 0,
                    broker >= 0
                else { return nil }
                pairs.insert(Pair(partition: partition, broker: broker))
            }
            self = .some(pairs)
        }
    }

    package func contains(partition: Int32, broker: BrokerID) -> Bool {
        switch self {
        case .none: false
        case .all: true
        case .some(let pairs): pairs.contains(Pair(partition: partition, broker: broker.raw))
        }
    }
}

/// A rate that is kept by saying now and then that nothing more may go for a moment: copying asks before it sends, and tells what it
/// sent. Bytes are counted after the fact, so that one large answer is paid for by a longer pause.
package struct ByteRate: Equatable, Sendable {
    /// Bytes a second; `.max` for no limit.
    package var limit: Int
    /// Bytes sent and not yet paid for with time; never below minus one second's worth.
    private var debt: Double = 0
    private var at: Instant?

    package init(limit: Int = .max) { self.limit = limit }

    package static let unlimited = ByteRate()

    /// What was sent counts from now on.
    package mutating func sent(_ bytes: Int, at now: Instant) {
        guard bytes > 0 else { return }
        settle(at: now)
        debt += Double(bytes)
    }

    /// Whether nothing may be sent now.
    package mutating func isExceeded(at now: Instant) -> Bool {
        guard limit != .max else { return false }
        settle(at: now)
        return debt > 0
    }

    /// How long until something may be sent; zero when it may now. At most a second: the rate may be changed meanwhile.
    package mutating func pause(at now: Instant) -> Duration {
        guard isExceeded(at: now) else { return .zero }
        guard limit > 0 else { return .seconds(1) }
        let milliseconds = (debt / Double(limit) * 1000).rounded(.up)
        return .milliseconds(Int64(max(1, min(1000, milliseconds))))
    }

    private mutating func settle(at now: Instant) {
        let seconds = at.map { Double((now - $0).nanoseconds) / 1e9 } ?? 0
        at = now
        guard limit != .max else {
            debt = 0
            return
        }
        // A second's worth may be saved up, so that short bursts within the rate are not slowed.
        debt = max(debt - seconds * Double(limit), -Double(limit))
    }
}
