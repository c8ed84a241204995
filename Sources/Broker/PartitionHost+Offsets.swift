import ClusterModel
import CommitLog

/// What ListOffsets found.
package struct FoundOffset: Equatable {
    package var timestamp: Int64
    package var offset: Offset
    package var leaderEpoch: LeaderEpoch

    fileprivate init(_ found: TimestampOffset) {
        self.init(timestamp: found.timestamp, offset: found.offset, leaderEpoch: found.leaderEpoch)
    }
    fileprivate init(timestamp: Int64 = -1, offset: Offset, leaderEpoch: LeaderEpoch) {
        self.timestamp = timestamp
        self.offset = offset
        self.leaderEpoch = leaderEpoch
    }
}

extension PartitionHost {
    /// How far a ListOffsets sees.
    package enum Sight: Equatable, Sendable {
        case consumer
        /// A `read_committed` consumer.
        case committed
        case everything
    }

    private func end(_ sight: Sight) -> Offset {
        switch sight {
        case .consumer: highWatermark
        case .committed: lastStable
        case .everything: log.logEndOffset
        }
    }

    /// ListOffsets 1 and later.
    /// - Parameter timestamp: a time, or -1 latest, -2 and -4 earliest, -3 the record with the largest timestamp, -5
    ///   the end of
    ///   the remote log, of which there is none.
    /// - Returns: nil when no record is that young.
    package func offset(at timestamp: Int64, _ sight: Sight) throws(PartitionError) -> FoundOffset? {
        let end = end(sight)
        // Just elected: what was committed under the last leader is not all known yet (KIP-207).
        let isSettling = sight != .everything && role == .leader && leader.highWatermark < leader.epochStart
        if timestamp == -1, isSettling { throw .offsetNotAvailable }
        do throws(ReadError) {
            switch timestamp {
            case -1:
                // Only a leader knows that its epoch covers the end; elsewhere it is who wrote the last record.
                let epoch = role == .leader ? leaderEpoch : log.epoch(ofOffset: end - 1) ?? .none
                return FoundOffset(offset: end, leaderEpoch: epoch)
            case -2, -4:
                let start = log.logStartOffset
                return FoundOffset(offset: start, leaderEpoch: log.epoch(ofOffset: start) ?? .none)
            case -3:
                if let found = try log.offsetOfMaxTimestamp(), found.offset < end { return FoundOffset(found) }
            case -5: return nil
            default:
                if let found = try log.offset(forTimestamp: timestamp, below: end) { return FoundOffset(found) }
            }
        } catch {
            throw .read(error)
        }
        if isSettling { throw .offsetNotAvailable }
        return nil
    }

    /// ListOffsets 0: where segments begin whose files had been changed by `timestamp`, and the end, the newest first.
    /// Rule: Kafka 3.9's `legacyFetchOffsetsBefore`; a consumer hears of nothing above the high watermark.
    package func oldOffsets(before timestamp: Int64, atMost count: Int, _ sight: Sight) throws(PartitionError)
        -> [Offset]
    {
        let times: [(offset: Offset, ms: Int64)]
        do throws(ReadError) { times = try log.segmentTimes(nowMs: surroundings.clock.wallMs) } catch {
            throw .read(error)
        }
        let last: Int? =
            switch timestamp {
            case -1: times.indices.last
            case -2: times.indices.first
            default: times.lastIndex { $0.ms <= timestamp }
            }
        guard let last, count > 0 else { return [] }
        var offsets = Array(times[...last].map(\.offset).reversed().prefix(count))
        if sight != .everything, let first = offsets.first, first > highWatermark {
            offsets.removeAll { $0 > highWatermark }
            offsets.insert(highWatermark, at: 0)
        }
        return offsets
    }
}
