import ClusterModel

/// Where an epoch's records end in some log: the first offset that is not of `epoch` or older.
package struct EpochEnd: Equatable, Sendable {
    package var epoch: LeaderEpoch
    package var end: Offset
    package init(epoch: LeaderEpoch, end: Offset) {
        self.epoch = epoch
        self.end = end
    }
}

/// Where a follower's log must be cut so that it is a prefix of its leader's. By epochs, never by high watermark: the high
/// watermark a follower knows trails the leader's, and cutting there has lost committed records (KIP-101, KIP-279).
package enum Truncation {
    package struct Step: Equatable, Sendable {
        package var to: Offset
        /// False: the logs may still differ below; ask the leader again from there.
        package var complete: Bool
        package init(to: Offset, complete: Bool) {
            self.to = to
            self.complete = complete
        }
    }

    /// - Parameters:
    ///   - leader: the leader's answer for an epoch of this follower: its largest epoch up to that, and that one's end; nil
    ///     when it knows no epoch.
    ///   - local: the same question put to this log for `leader.epoch`; nil when this log knows none.
    ///   - fallback: where to begin when the leader knows nothing: the high watermark.
    package static func step(leader: EpochEnd?, local: EpochEnd?, logEnd: Offset, fallback: Offset) -> Step {
        guard let leader else { return Step(to: min(fallback, logEnd), complete: true) }
        guard let local else { return Step(to: min(leader.end, logEnd), complete: true) }
        if local.epoch == leader.epoch {
            return Step(to: min(local.end, leader.end, logEnd), complete: true)
        }
        return Step(to: min(local.end, logEnd), complete: false)
    }

    /// The leader's side (Fetch 12 and later): does the follower's log differ from ours before `offset`?
    /// - Parameters:
    ///   - lastFetchedEpoch: of the follower's last record.
    ///   - ours: our largest epoch up to `lastFetchedEpoch`, and its end; nil when there is none.
    /// - Returns: where the logs part at the latest; nil when they agree.
    package static func divergence(from offset: Offset, lastFetchedEpoch: LeaderEpoch, ours: EpochEnd?) -> EpochEnd? {
        guard let ours else { return EpochEnd(epoch: .none, end: -1) }
        return ours.epoch < lastFetchedEpoch || ours.end < offset ? ours : nil
    }

    /// What to do about OFFSET_OUT_OF_RANGE.
    package enum Recovery: Equatable, Sendable {
        /// The leader ends before us: an unclean election lost our tail.
        case truncate(to: Offset)
        /// The leader has already deleted all that we hold.
        case startOver(at: Offset)
        case goOn(from: Offset)
    }
    package static func outOfRange(logEnd: Offset, leaderStart: Offset, leaderEnd: Offset) -> Recovery {
        if leaderEnd < logEnd { return .truncate(to: leaderEnd) }
        if leaderStart > logEnd { return .startOver(at: leaderStart) }
        return .goOn(from: max(leaderStart, logEnd))
    }
}
