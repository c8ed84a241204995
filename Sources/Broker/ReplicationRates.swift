import Platform
import Replication

/// What this broker may copy a second, of the replicas that are throttled (KIP-73, KIP-113). One for the whole broker.
package final class ReplicationRates {
    private let clock: any Clock
    /// `leader.replication.throttled.rate`
    private var leader = ByteRate()
    /// `follower.replication.throttled.rate`
    private var follower = ByteRate()
    /// `replica.alter.log.dirs.io.max.bytes.per.second`
    private var moves = ByteRate()

    package enum Kind { case leader, follower, moves }

    init(clock: any Clock, settings: BrokerSettings) {
        self.clock = clock
        take(settings)
    }

    func take(_ settings: BrokerSettings) {
        leader.limit = settings[BrokerKeys.leaderThrottledRate]
        follower.limit = settings[BrokerKeys.followerThrottledRate]
        moves.limit = settings[BrokerKeys.alterLogDirsRate]
    }

    package func sent(_ bytes: Int, _ kind: Kind) {
        switch kind {
        case .leader: leader.sent(bytes, at: clock.now)
        case .follower: follower.sent(bytes, at: clock.now)
        case .moves: moves.sent(bytes, at: clock.now)
        }
    }

    /// Zero when something may be sent now.
    package func pause(_ kind: Kind) -> Duration {
        switch kind {
        case .leader: leader.pause(at: clock.now)
        case .follower: follower.pause(at: clock.now)
        case .moves: moves.pause(at: clock.now)
        }
    }
}
