import ClusterModel

/// `leader-epoch-checkpoint`: where each leader's part of the log begins. Epochs and offsets both strictly grow.
/// Rule: KIP-101, KIP-279.
package struct EpochCache: Equatable {
    package struct Entry: Equatable {
        package var epoch: LeaderEpoch
        package var startOffset: Offset
        package init(epoch: LeaderEpoch, startOffset: Offset) {
            self.epoch = epoch
            self.startOffset = startOffset
        }
    }

    package private(set) var entries: [Entry] = []

    package init() {}

    package var latest: LeaderEpoch? { entries.last?.epoch }

    /// - Returns: whether anything changed, so that the file must be written.
    package mutating func assign(_ epoch: LeaderEpoch, from offset: Offset) -> Bool {
        guard epoch.raw >= 0 else { return false }
        if let last = entries.last, last.epoch == epoch, last.startOffset <= offset { return false }
        // What contradicts the newest knowledge goes.
        entries.removeAll { $0.epoch >= epoch || $0.startOffset >= offset }
        entries.append(Entry(epoch: epoch, startOffset: offset))
        return true
    }

    package func end(of epoch: LeaderEpoch, logEnd: Offset) -> EpochEnd? {
        guard epoch.raw >= 0, let last = entries.last, epoch <= last.epoch else { return nil }
        if epoch == last.epoch { return EpochEnd(epoch: epoch, endOffset: logEnd) }
        guard let later = entries.firstIndex(where: { $0.epoch > epoch }) else { return nil }
        let end = entries[later].startOffset
        return EpochEnd(epoch: later == 0 ? epoch : entries[later - 1].epoch, endOffset: end)
    }

    package func epoch(of offset: Offset) -> LeaderEpoch? {
        entries.last { $0.startOffset <= offset }?.epoch
    }

    package mutating func truncateEnd(to offset: Offset) -> Bool {
        let before = entries.count
        entries.removeAll { $0.startOffset >= offset }
        return entries.count != before
    }

    /// The epoch that holds `offset` begins there from now on.
    package mutating func truncateStart(to offset: Offset) -> Bool {
        guard let holding = entries.lastIndex(where: { $0.startOffset <= offset }) else { return false }
        if holding == 0, entries[0].startOffset == offset { return false }
        entries.removeFirst(holding)
        entries[0].startOffset = offset
        return true
    }

    package mutating func clear() { entries = [] }

    /// All that `other` says is said here too; what is new lies behind it.
    func extends(_ other: EpochCache) -> Bool { entries.starts(with: other.entries) }

    package var text: String {
        "0\n\(entries.count)\n" + entries.map { "\($0.epoch) \($0.startOffset)\n" }.joined()
    }

    /// Nil when it is not what `text` writes.
    package init?(text: String) {
        guard let lines = Checkpoint.lines(text) else { return nil }
        for line in lines {
            guard line.count == 2, let epoch = Int32(line[0]), let offset = Int64(line[1]), epoch >= 0, offset >= 0
            else {
                return nil
            }
            if let last = entries.last, epoch <= last.epoch.raw || offset <= last.startOffset { return nil }
            entries.append(Entry(epoch: LeaderEpoch(epoch), startOffset: offset))
        }
    }
}
