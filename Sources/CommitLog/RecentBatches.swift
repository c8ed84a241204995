import ClusterModel

/// Where the last batches of the growing segment lie: reads near the end look nowhere else.
struct RecentBatches {
    private static let capacity = 256

    private struct Entry {
        var baseOffset: Offset
        var lastOffset: Offset
        var position: Int64
        var size: Int32
    }

    private var entries: [Entry] = []
    /// Where the oldest is, once the ring is full.
    private var head = 0

    private func at(_ index: Int) -> Entry { entries[(head + index) % entries.count] }

    mutating func append(baseOffset: Offset, lastOffset: Offset, position: Int64, size: Int) {
        let entry = Entry(
            baseOffset: baseOffset, lastOffset: lastOffset, position: position, size: Int32(truncatingIfNeeded: size))
        if entries.count < RecentBatches.capacity {
            entries.append(entry)
        } else {
            entries[head] = entry
            head = (head + 1) % RecentBatches.capacity
        }
    }

    mutating func clear() {
        entries.removeAll(keepingCapacity: true)
        head = 0
    }

    /// The first batch whose last offset is at least `offset`; nil when it is not among the recent ones.
    func place(of offset: Offset) -> Segment.Place? {
        guard !entries.isEmpty, offset >= at(0).baseOffset else { return nil }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if at(middle).lastOffset < offset { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count else { return nil }
        let entry = at(low)
        return Segment.Place(baseOffset: entry.baseOffset, position: entry.position, size: Int(entry.size))
    }
}
