import Bytes
import ClusterModel
import Platform
import Records

// What records say beside themselves, where the files that keep it are missing or older: leader epochs, producers, transactions.
extension LogRecovery {
    // MARK: Epochs

    /// Nil when the file is missing or no such file.
    mutating func loadEpochs() -> EpochCache? {
        guard let bytes = try? disk.contents("\(directory)/\(PartitionLog.epochFile)") else { return nil }
        let cache = EpochCache(text: String(decoding: bytes, as: UTF8.self))
        if cache == nil { repairs.append("rebuilt \(PartitionLog.epochFile): it was unreadable") }
        return cache
    }

    func readEpochs(into cache: inout EpochCache, from offset: Offset) throws(DiskError) {
        try lookAtHeaders(from: offset) { header in
            if header.leaderEpoch > cache.latest ?? .none {
                _ = cache.assign(header.leaderEpoch, from: header.baseOffset)
            }
            return true
        }
    }

    // MARK: Producers

    /// Whether a transaction ends at or behind `offset`: unless its marker is committed, readers of committed records wait for it.
    func hasMarkers(from offset: Offset) throws(DiskError) -> Bool {
        var isThere = false
        try lookAtHeaders(from: offset) { header in
            isThere = header.isControl
            return !isThere
        }
        return isThere
    }

    /// - Parameter goesOn: told of each batch that ends at or behind `offset`.
    private func lookAtHeaders(from offset: Offset, goesOn: (BatchHeader) -> Bool) throws(DiskError) {
        for (index, segment) in segments.enumerated() {
            guard let file = segment.file else { continue }
            if index + 1 < segments.count, segments[index + 1].baseOffset <= offset { continue }
            let place = try segment.offsetIndex.position(atOrBefore: offset, logSize: segment.size)
            var scanner = HeaderScanner(file, from: place, to: segment.size, damaged: segment.damaged)
            while let header = try scanner.next() {
                guard header.lastOffset < offset || goesOn(header) else { return }
            }
        }
    }

    /// The newest believable snapshot at or below `end`, and what was written after it. Reads nothing after a clean stop.
    static func ledger(
        _ directory: String, disk: any Disk, upTo end: Offset, segments: [StoredSegment],
        snapshotsUpTo: Offset = .max, dropsOthers: Bool = true
    ) throws(DiskError) -> ProducerLedger {
        var from = segments.first?.base ?? 0
        var ledger = ProducerLedger(fromFirstRecord: from == 0)
        let snapshots = try disk.list(directory).compactMap { entry in
            SegmentFiles.parse(entry.name).flatMap { $0.kind == .snapshot ? $0.offset : nil }
        }
        for offset in snapshots.sorted(by: >) {
            let path = SegmentFiles.path(directory, offset, .snapshot)
            if offset <= min(end, snapshotsUpTo), let bytes = try? disk.contents(path),
                let found = bytes.withUnsafeBytes({ ProducerSnapshot.ledger($0) })
            {
                ledger = found
                from = max(from, offset)
                break
            }
            // Above the end it tells of records that are gone; unreadable it tells nothing.
            if dropsOthers { try disk.remove(path) }
        }
        for (index, segment) in segments.enumerated() where from < end {
            if index + 1 < segments.count, segments[index + 1].base <= from { continue }
            var scanner = BatchScanner(segment.file, from: 0, to: segment.size, damaged: segment.damaged)
            while let (header, bytes) = try scanner.next() {
                guard header.magic == 2, header.baseOffset >= from, let batch = try? RecordBatch(bytes) else {
                    continue
                }
                ledger.appended(batch)
            }
        }
        return ledger
    }
}
