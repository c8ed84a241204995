import Bytes
import ClusterModel
import CommitLog
import Platform
import Records
import Replication

// Who may read here, how far, and who had better read elsewhere.
extension PartitionHost {
    /// - Parameter currentEpoch: which leader epoch the asker believes in; -1 for no check.
    /// - Parameter leaderOnly: false lets a consumer read from a follower (KIP-392).
    package func admit(currentEpoch: LeaderEpoch, leaderOnly: Bool) throws(PartitionError) {
        guard role != .idle else { throw .notLeaderOrFollower }
        if currentEpoch != .none {
            if currentEpoch < leaderEpoch { throw .fencedLeaderEpoch }
            if currentEpoch > leaderEpoch { throw .unknownLeaderEpoch }
        }
        if leaderOnly, role != .leader { throw .notLeaderOrFollower }
        if let reason = log.offlineReason { throw .storage(reason) }
    }

    /// - Parameter lastFetchedEpoch: of the asker's last record; ``LeaderEpoch/none`` for no divergence check.
    package func read(
        from offset: Offset, maxBytes: Int, atLeastOneBatch: Bool, as reader: Reader, currentEpoch: LeaderEpoch,
        lastFetchedEpoch: LeaderEpoch = .none
    ) throws(PartitionError) -> Reading {
        try admit(currentEpoch: currentEpoch, leaderOnly: reader.needsLeader)
        if case .follower(let id, _, _) = reader, !replicas.contains(id) {
            throw currentEpoch == .none ? .notLeaderOrFollower : .unknownLeaderEpoch
        }
        if lastFetchedEpoch != .none {
            let ours = log.endOffset(forEpoch: lastFetchedEpoch).map {
                Replication.EpochEnd(epoch: $0.epoch, end: $0.endOffset)
            }
            if let divergence = Truncation.divergence(from: offset, lastFetchedEpoch: lastFetchedEpoch, ours: ours) {
                // No epoch in common: the wire has no word for it but this.
                guard divergence.end >= 0 else {
                    throw .read(.outOfRange(asked: offset, start: log.logStartOffset, end: log.logEndOffset))
                }
                return Reading(
                    region: nil, highWatermark: highWatermark, lastStable: lastStable,
                    logStart: log.logStartOffset, divergence: divergence)
            }
        }
        let bound = bound(of: reader)
        var region: FileRegion?
        do throws(ReadError) {
            guard offset >= log.logStartOffset, offset <= log.logEndOffset else {
                throw .outOfRange(asked: offset, start: log.logStartOffset, end: log.logEndOffset)
            }
            if offset < bound {
                let slice = try log.read(
                    from: offset, maxBytes: maxBytes, below: bound, atLeastOneBatch: atLeastOneBatch)
                // Who asks for the same again could not use what it was sent: it compares checksums.
                if case .follower(let id, _, _) = reader, slice.region != nil {
                    if sentFrom[id] == offset { try log.recheck(slice, asked: offset) }
                    sentFrom[id] = offset
                }
                region = slice.region
            }
        } catch {
            throw .read(error)
        }
        if case .follower(let id, let epoch, let logStart) = reader {
            // Whoever deletes records waits for the followers' starts.
            if leader.follower(id)?.logStart != logStart { surroundings.waiting.wake(place) }
            leader.followerFetched(
                id, from: offset, logStart: logStart, brokerEpoch: epoch, eligible: surroundings.mayJoin(id),
                at: surroundings.clock.now, into: &effects)
            performCollected()
        }
        return Reading(
            region: region, highWatermark: highWatermark, lastStable: lastStable, logStart: log.logStartOffset,
            divergence: nil)
    }

    /// How far it may read.
    private func bound(of reader: Reader) -> Offset {
        switch reader {
        case .consumer(let committed, _): committed ? lastStable : highWatermark
        case .follower, .debugger: log.logEndOffset
        }
    }

    /// `read` for a consumer that speaks Fetch 0 to 3: the records in a format it knows (KIP-283).
    /// - Parameter atLeastOne: one message or packed set at least, however large, when there is any.
    /// Cost: reads at most `maxBytes`, and one batch if that is larger. Stretches without anything for such a consumer (markers of
    /// transactions) are passed over, a few at a time.
    package func read(
        from offset: Offset, maxBytes: Int, atLeastOne: Bool, as reader: Reader, inMagic magic: UInt8
    ) throws(PartitionError) -> (reading: Reading, bytes: [UInt8]) {
        let chunk = min(max(maxBytes, 1), PartitionHost.mostConvertedAtOnce)
        let reads = maxBytes > 0 || atLeastOne
        let reading = try read(
            from: offset, maxBytes: reads ? chunk : 0, atLeastOneBatch: reads, as: reader, currentEpoch: .none)
        var region = reading.region
        var position = offset
        for _ in 0..<PartitionHost.mostStretchesPassed {
            guard let found = region else { break }
            let set: BatchConversion.OldSet
            do {
                let bytes = try found.contents()
                set = try bytes.withUnsafeBytes { raw in
                    try BatchConversion.downConvert(raw, toMagic: magic, from: offset, maxBytes: chunk)
                }
            } catch let error as RecordError {
                throw .records(error)
            } catch let error as DiskError {
                throw .read(.disk(error))
            } catch {
                throw .storage("\(error)")
            }
            if !set.bytes.isEmpty {
                // More than was asked for is better than nothing, for whom nothing was found yet.
                return (reading, atLeastOne || set.bytes.count <= maxBytes ? set.bytes : [])
            }
            guard let next = set.next, next > position else { break }
            position = next
            do throws(ReadError) {
                region = try log.read(
                    from: position, maxBytes: chunk, below: bound(of: reader), atLeastOneBatch: true
                ).region
            } catch {
                throw .read(error)
            }
        }
        return (reading, [])
    }
    private static let mostConvertedAtOnce = 1 << 20
    private static let mostStretchesPassed = 64

    /// What a `read_committed` consumer must skip of what it reads from `offset`, which never spans two segments.
    package func abortedTransactions(from offset: Offset) throws(PartitionError) -> [AbortedTransaction] {
        guard offset >= log.logStartOffset else { return [] }
        do throws(ReadError) { return try log.abortedTransactions(from: offset, below: lastStable) } catch {
            throw .read(error)
        }
    }

    /// Where a consumer at `offset` had better read: an in-sync follower that is near it and holds the offset, the furthest one of
    /// several. Nil: here.
    /// Rule: KIP-392's rack-aware selector; a leader that is near is as good as any.
    package func preferredReader(at offset: Offset, isNear: (BrokerID) -> Bool) -> BrokerID? {
        guard role == .leader, !isNear(me) else { return nil }
        var best: (id: BrokerID, end: Offset)?
        for id in leader.inSync.members where id != me && isNear(id) {
            guard let state = leader.follower(id), let end = state.logEnd, end >= offset, state.logStart <= offset
            else { continue }
            if let known = best, known.end >= end { continue }
            best = (id, end)
        }
        return best?.id
    }

    /// How many bytes a reader at `offset` would get now; for those who wait.
    /// - Parameter enough: no need to look further than this.
    package func available(
        from offset: Offset, maxBytes: Int, enough: Int, as reader: Reader, currentEpoch: LeaderEpoch
    ) throws(PartitionError) -> Int {
        try admit(currentEpoch: currentEpoch, leaderOnly: reader.needsLeader)
        let bound = bound(of: reader)
        guard offset < bound else { return 0 }
        if enough <= 1 { return 1 }
        do throws(ReadError) {
            return try log.read(from: offset, maxBytes: maxBytes, below: bound, atLeastOneBatch: true).length
        } catch {
            throw .read(error)
        }
    }
}
