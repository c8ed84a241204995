import ClusterModel
import Platform

// The small files that say of all logs of a directory how far they go.
extension LogDirectory {
    /// What the checkpoints say of a log that is gone must not be believed of the next one of its name.
    func forget(_ partition: TopicPartition) {
        let point = recoveryPoints.removeValue(forKey: partition)
        let start = logStarts.removeValue(forKey: partition)
        let cleaned = cleanedBelow.removeValue(forKey: partition)
        failures.removeAll { $0.partition == partition }
        if point != nil || start != nil || cleaned != nil { checkpointsAreStale = true }
    }

    /// Blocks, when there is something to correct.
    func correctCheckpoints() throws(DiskError) {
        do throws(DiskError) {
            for file in takeCorrections() { try disk.replace(file.path, with: file.bytes) }
        } catch {
            checkpointsAreStale = true
            throw error
        }
    }

    /// Everything below `offset` was compacted.
    package func cleaned(_ partition: TopicPartition, below offset: Offset) {
        guard !isClosed, offlineReason == nil, logs[partition] != nil else { return }
        cleanedBelow[partition] = offset
        write("\(path)/\(OffsetCheckpoint.cleaned)", OffsetCheckpoint.text(cleanedBelow))
    }

    func correctionsFailed() { checkpointsAreStale = true }

    /// What must be written before a log is made; the caller does it.
    func takeCorrections() -> [PartitionLog.SmallFile] {
        guard checkpointsAreStale else { return [] }
        checkpointsAreStale = false
        return [
            (OffsetCheckpoint.recoveryPoints, recoveryPoints), (OffsetCheckpoint.logStarts, logStarts),
            (OffsetCheckpoint.cleaned, cleanedBelow),
        ].map { .init(path: "\(path)/\($0.0)", bytes: Array(OffsetCheckpoint.text($0.1).utf8)) }
    }

    func recoveryPoint(of partition: TopicPartition) -> Offset { recoveryPoints[partition] ?? 0 }
    func logStart(of partition: TopicPartition) -> Offset { logStarts[partition] ?? 0 }

    /// Every 5 s (`replica.high.watermark.checkpoint.interval.ms`). Done by the lane.
    package func checkpointHighWatermarks(_ highWatermarks: [TopicPartition: Offset]) {
        guard !isClosed, offlineReason == nil else { return }
        self.highWatermarks = highWatermarks
        write("\(path)/\(OffsetCheckpoint.highWatermarks)", OffsetCheckpoint.text(highWatermarks))
    }

    func noteRecoveryPoints() {
        for (partition, log) in logs { recoveryPoints[partition] = log.recoveryPoint }
    }

    func noteLogStarts() {
        for (partition, log) in logs {
            logStarts[partition] = log.logStartOffset > log.segmentBases[0] ? log.logStartOffset : nil
        }
    }

    /// At once, for deletions that are about to be promised: a crash must not bring the records back.
    /// - Parameter then: comes also where there was no room; the next checkpoint tells it then.
    package func checkpointLogStarts(then: @escaping () -> Void) {
        guard !isClosed, offlineReason == nil else { return then() }
        noteLogStarts()
        let (disk, file, text) = (self.disk, "\(path)/\(OffsetCheckpoint.logStarts)", OffsetCheckpoint.text(logStarts))
        lane.perform { () throws(DiskError) in
            try disk.replace(file, with: Array(text.utf8))
        } then: { [self] result in
            if case .failure(let error) = result { fail(error) }
            then()
        }
    }

    /// Every 60 s: recovery points and log start offsets.
    /// - Parameter isNeeded: `then` waits until they are written; else the next time will do where there is no room.
    package func checkpointLogs(isNeeded: Bool = false, then: @escaping () -> Void = {}) {
        guard !isClosed, offlineReason == nil else { return then() }
        noteRecoveryPoints()
        noteLogStarts()
        // What is appended to a log that was cut was not cleaned.
        for (partition, offset) in cleanedBelow {
            guard let end = logs[partition]?.logEndOffset, end < offset else { continue }
            cleaned(partition, below: end)
        }
        let (points, starts) = (OffsetCheckpoint.text(recoveryPoints), OffsetCheckpoint.text(logStarts))
        write("\(path)/\(OffsetCheckpoint.recoveryPoints)", points, isNeeded: isNeeded) { [self] in
            write("\(path)/\(OffsetCheckpoint.logStarts)", starts, isNeeded: isNeeded, then: then)
        }
    }

    func write(_ file: String, _ text: String, isNeeded: Bool = false, then: @escaping () -> Void = {}) {
        let disk = self.disk
        lane.perform { () throws(DiskError) in
            try disk.replace(file, with: Array(text.utf8))
        } then: { [self] result in
            guard case .failure(let error) = result else { return then() }
            fail(error)
            guard isNeeded, room.isOpen else { return then() }
            room.whenThereIsRoom { [self] in write(file, text, isNeeded: true, then: then) }
        }
    }

    /// Want of room passes; anything else ends the directory's service.
    func fail(_ error: DiskError) {
        if error.isWantOfRoom { return room.ranOut(error) }
        failed(because: error.description)
    }

    /// One disk error ends the service of the whole directory: the next one would be met by somebody's records.
    func failed(because reason: String) {
        guard offlineReason == nil else { return }
        offlineReason = reason
        room.stop()
        world.journal.error("log directory went offline", ["directory": path, "reason": reason])
        for log in (Array(logs.values) + Array(futures.values)).sorted(by: { $0.partition < $1.partition }) {
            log.goOffline(reason)
        }
        wentOffline?(reason)
    }
}
