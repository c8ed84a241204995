import ClusterModel

/// A follower's mind: whom it follows, under which epoch, and whether its log is known to be a prefix of the leader's.
package struct FollowerReplica: Equatable, Sendable {
    package enum Effect: Equatable, Sendable {
        /// Cut the log; records from here on were never promised under the leader we follow.
        case truncate(to: Offset)
        /// Drop everything and begin an empty log here.
        case startOver(at: Offset)
        case advanceHighWatermark(to: Offset)
        case advanceLogStart(to: Offset)
        /// Fetch from here.
        case fetch(from: Offset)
        /// Nothing more until a new LeaderAndIsr.
        case waitForController
    }

    package private(set) var leader: BrokerID
    package private(set) var epoch: LeaderEpoch
    package private(set) var logEnd: Offset
    package private(set) var highWatermark: Offset
    package private(set) var logStart: Offset

    package init(highWatermark: Offset = 0, logStart: Offset = 0) {
        leader = .none
        epoch = .none
        logEnd = 0
        self.highWatermark = highWatermark
        self.logStart = logStart
    }

    /// LeaderAndIsr named somebody else as the leader.
    /// - Parameter lastEpoch: the epoch of the log's last record. With one, the leader finds the divergence while it is
    ///   fetched from; a log without epochs begins at its high watermark.
    package mutating func becameFollower(
        of leader: BrokerID, epoch: LeaderEpoch, logEnd: Offset, lastEpoch: LeaderEpoch?
    ) -> [Effect] {
        self.leader = leader
        self.epoch = epoch
        self.logEnd = logEnd
        guard leader != .none else { return [] }
        if lastEpoch == nil, highWatermark < logEnd {
            self.logEnd = highWatermark
            return [.truncate(to: highWatermark), .fetch(from: highWatermark)]
        }
        return [.fetch(from: logEnd)]
    }

    /// A fetch was answered and its records are in the log, which now ends at `logEnd`.
    package mutating func fetched(
        logEnd: Offset, leaderHighWatermark: Offset, leaderLogStart: Offset
    ) -> [Effect] {
        var effects: [Effect] = []
        self.logEnd = logEnd
        let known = min(leaderHighWatermark, logEnd)
        if known > highWatermark {
            highWatermark = known
            effects.append(.advanceHighWatermark(to: known))
        }
        if leaderLogStart > logStart, leaderLogStart <= logEnd {
            logStart = leaderLogStart
            effects.append(.advanceLogStart(to: leaderLogStart))
        }
        effects.append(.fetch(from: logEnd))
        return effects
    }

    /// The leader says that its log parts from ours.
    /// - Parameter local: this log's largest epoch up to `leaderSays.epoch`, and its end.
    package mutating func diverged(leaderSays: EpochEnd?, local: EpochEnd?) -> [Effect] {
        let step = Truncation.step(leader: leaderSays, local: local, logEnd: logEnd, fallback: highWatermark)
        logEnd = step.to
        highWatermark = min(highWatermark, step.to)
        // Incomplete or not, the next fetch carries the new last epoch and so asks again.
        return [.truncate(to: step.to), .fetch(from: step.to)]
    }

    /// A cut is done. Batches are cut whole, so the log may end further down than was ordered.
    package mutating func wasCut(logEnd: Offset) -> [Effect] {
        self.logEnd = logEnd
        highWatermark = min(highWatermark, logEnd)
        logStart = min(logStart, logEnd)
        return [.fetch(from: logEnd)]
    }

    /// The leader could not find the offset asked for in its log, which goes from `leaderStart` to `leaderEnd`.
    package mutating func outOfRange(leaderStart: Offset, leaderEnd: Offset) -> [Effect] {
        switch Truncation.outOfRange(logEnd: logEnd, leaderStart: leaderStart, leaderEnd: leaderEnd) {
        case .truncate(let offset):
            logEnd = offset
            highWatermark = min(highWatermark, offset)
            return [.truncate(to: offset), .fetch(from: offset)]
        case .startOver(let offset):
            logEnd = offset
            logStart = offset
            highWatermark = offset
            return [.startOver(at: offset), .fetch(from: offset)]
        case .goOn(let offset):
            return [.fetch(from: offset)]
        }
    }

    /// FENCED_LEADER_EPOCH: the leader knows a newer epoch than the one asked under.
    package func fenced(askedUnder asked: LeaderEpoch) -> [Effect] {
        asked == epoch ? [.waitForController] : [.fetch(from: logEnd)]
    }
}
