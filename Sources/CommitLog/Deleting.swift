import ClusterModel
import Platform

// Old segments leave the log: at once for readers, by renaming on the disk, and for good after `file.delete.delay.ms`, since
// whoever reads them now has them open.
extension PartitionLog {
    static let deletedSuffix = ".deleted"

    /// Removes what `rules` no longer keep. The log's start moves with it. When even the last segment is due a new one is begun, and
    /// the rest follows when its file is there. Does nothing while the log is being cut or closed.
    /// - Parameter highWatermark: nothing at or above it goes.
    package func retain(_ rules: RetentionRules, highWatermark: Offset) {
        guard refusal == nil, !isExclusive else { return }
        let verdict = retention(highWatermark).verdict(rules, nowMs: world.clock.wallMs)
        guard !verdict.isEmpty else { return }
        if verdict.count == segments.count, !isRolling, deferred.isEmpty {
            roll(at: nextOffset)
            afterRoll = { [weak self] in self?.retain(rules, highWatermark: highWatermark) }
        }
        // What is not sealed has files that are still being written.
        var count = 0
        while count < min(verdict.count, segments.count - 1), segments[count].isSealed { count += 1 }
        guard count > 0 else { return }
        for (segment, reason) in zip(segments, verdict[..<count]) {
            world.journal.info(
                "deleted a segment",
                ["partition": partition, "base": segment.baseOffset, "bytes": segment.size, "reason": reason.rawValue])
        }
        deleteOldest(count)
    }

    private func retention(_ highWatermark: Offset) -> Retention {
        Retention(
            pieces: segments.map {
                .init(baseOffset: $0.baseOffset, size: $0.size, newestMs: newest($0))
            }, logStartOffset: logStartOffset, nextOffset: nextOffset, highWatermark: highWatermark)
    }

    func newest(_ segment: Segment) -> Int64 {
        segment.maxTimestamp >= 0
            ? segment.maxTimestamp : (try? disk.modifiedMs(segment.path)) ?? segment.createdMs
    }

    private func deleteOldest(_ count: Int) {
        let gone = segments[..<count].map(\.baseOffset)
        segments.removeFirst(count)
        logStartOffset = max(logStartOffset, segments[0].baseOffset)
        if epochs.truncateStart(to: logStartOffset) { writeEpochs() }
        inFlight += 1
        let disk = self.disk
        let directory = self.directory
        // Behind the syncs that still know these files.
        syncLane.perform { () throws(DiskError) -> [String] in
            var renamed: [String] = []
            // Oldest first: what a crash leaves is a log without a hole.
            for base in gone {
                renamed += try PartitionLog.markDeleted(directory, base, SegmentFiles.Kind.allCases, disk)
            }
            return renamed
        } then: { [self] result in
            switch result {
            case .success(let renamed): deletedFiles.append((renamed, world.clock.now))
            case .failure(let error): fail(error)
            }
            landed()
        }
    }

    /// - Returns: the files' new names.
    static func markDeleted(
        _ directory: String, _ base: Offset, _ kinds: [SegmentFiles.Kind], _ disk: any Disk
    ) throws(DiskError) -> [String] {
        var renamed: [String] = []
        for kind in kinds {
            let path = SegmentFiles.path(directory, base, kind)
            guard disk.exists(path) else { continue }
            try disk.rename(path, to: path + deletedSuffix)
            renamed.append(path + deletedSuffix)
        }
        return renamed
    }

    /// Removes the files that were given up at least `file.delete.delay.ms` ago. Call it now and then.
    package func removeDeletedFiles() {
        guard refusal == nil, let first = deletedFiles.first else { return }
        let now = world.clock.now
        guard (now - first.at).wholeMilliseconds >= settings.fileDeleteDelayMs else { return }
        var due: [String] = []
        while let first = deletedFiles.first, (now - first.at).wholeMilliseconds >= settings.fileDeleteDelayMs {
            due += first.paths
            deletedFiles.removeFirst()
        }
        let disk = self.disk
        inFlight += 1
        syncLane.perform { () throws(DiskError) in
            for path in due where disk.exists(path) { try disk.remove(path) }
        } then: { [self] result in
            if case .failure(let error) = result { fail(error) }
            landed()
        }
    }
}
