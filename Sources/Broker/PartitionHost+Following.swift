import ClusterModel
import CommitLog
import Replication

// What a fetcher asks of a replica that follows: the log does it, the follower's mind is told, and says what comes next.
extension PartitionHost {
    /// Whether it still follows `leader` under `epoch`.
    func follows(_ leader: BrokerID, under epoch: LeaderEpoch) -> Bool {
        role == .follower && leaderID == leader && leaderEpoch == epoch
    }

    /// Waits until whatever was accepted in another role is written: before that nobody knows where to fetch from. An epoch that
    /// began here without a record is forgotten with it.
    func settle(then: @escaping (Result<[FollowerReplica.Effect], AppendError>) -> Void) {
        if holds({ [self] in settle(then: then) }) { return }
        log.truncate(to: log.nextOffset) { [self] error in
            if let error { return then(.failure(error)) }
            // The first fetch says that everything below is held.
            log.whenHeld { [self] error in
                if let error { return then(.failure(error)) }
                guard role == .follower else { return then(.success([])) }
                let (leader, epoch) = (leaderID, leaderEpoch)
                then(
                    .success(
                        following {
                            $0.becameFollower(
                                of: leader, epoch: epoch, logEnd: log.logEndOffset, lastEpoch: log.latestEpoch)
                        }))
            }
        }
    }

    /// What the leader sent: whole batches behind the log's end, as the leader wrote them.
    /// - Parameter then: once they are written.
    func appendAsFollower(
        _ records: UnsafeRawBufferPointer, leaderHighWatermark: Offset, leaderLogStart: Offset,
        then: @escaping (Result<[FollowerReplica.Effect], AppendError>) -> Void
    ) {
        guard !records.isEmpty else { return then(.success(learn(leaderHighWatermark, leaderLogStart))) }
        if isHeld {
            let copy = [UInt8](records)
            _ = holds { [self] in
                copy.withUnsafeBytes {
                    appendAsFollower(
                        $0, leaderHighWatermark: leaderHighWatermark, leaderLogStart: leaderLogStart, then: then)
                }
            }
            return
        }
        log.appendAsFollower(records) { [self] result in
            switch result {
            case .failure(let error): then(.failure(error))
            case .success:
                writesLanded()
                then(.success(role == .follower ? learn(leaderHighWatermark, leaderLogStart) : []))
            }
        }
    }

    private func learn(_ leaderHighWatermark: Offset, _ leaderLogStart: Offset) -> [FollowerReplica.Effect] {
        let end = log.logEndOffset
        return following {
            $0.fetched(logEnd: end, leaderHighWatermark: leaderHighWatermark, leaderLogStart: leaderLogStart)
        }
    }

    func truncate(to offset: Offset, then: @escaping (Result<[FollowerReplica.Effect], AppendError>) -> Void) {
        if holds({ [self] in truncate(to: offset, then: then) }) { return }
        log.truncate(to: offset) { [self] error in wasCut(error, then) }
    }

    func startOver(at offset: Offset, then: @escaping (Result<[FollowerReplica.Effect], AppendError>) -> Void) {
        if holds({ [self] in startOver(at: offset, then: then) }) { return }
        log.restart(at: offset) { [self] error in wasCut(error, then) }
    }

    private func wasCut(_ error: AppendError?, _ then: (Result<[FollowerReplica.Effect], AppendError>) -> Void) {
        if let error { return then(.failure(error)) }
        logWasCut()
        guard role == .follower else { return then(.success([])) }
        let end = log.logEndOffset
        then(.success(following { $0.wasCut(logEnd: end) }))
    }
}
