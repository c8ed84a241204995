import Bytes
import ClusterModel
import Platform

// Future logs: copies that are to replace the logs of other directories (KIP-113). A start finds them under their own names, and a
// move that was cut off goes on, is finished, or is given up.
extension LogDirectory {
    /// Of `<topic>-<partition>.<32 hex>-future`.
    static func futurePartition(_ name: String) -> TopicPartition? {
        guard name.hasSuffix(Name.future) else { return nil }
        let rest = name.dropLast(Name.future.utf8.count)
        guard let dot = rest.lastIndex(of: "."), rest.distance(from: dot, to: rest.endIndex) == 33 else { return nil }
        return partition(String(rest[..<dot]))
    }

    func loadFuture(
        _ partition: TopicPartition, _ name: String, _ settings: LogSettings
    ) throws(DiskError) {
        guard futures[partition] == nil else { return try disk.removeTree("\(path)/\(name)") }
        let log = try openLog(partition, settings, isClean: stoppedCleanly, in: name)
        log.wentOffline = { [weak self] reason in self?.failed(because: reason) }
        futures[partition] = log
    }

    /// An empty log that is to replace the one of another directory, or the one begun before. Blocks briefly.
    package func createFuture(
        _ partition: TopicPartition, topicID: UUID128?, settings: LogSettings, startingAt offset: Offset
    ) throws(LogOpenError) -> PartitionLog {
        if let log = futures[partition] { return log }
        let suffix = ".\(freshSuffix)\(Name.future)"
        let name = "\("\(partition)".prefix(255 - suffix.utf8.count))\(suffix)"
        do throws(DiskError) {
            try disk.createDirectory("\(path)/\(name)")
            let log = try openLog(partition, settings, isClean: true, startingAt: offset, in: name)
            log.wentOffline = { [weak self] reason in self?.failed(because: reason) }
            if let topicID { try writeMetadata(topicID, log) }
            futures[partition] = log
            return log
        } catch {
            fail(error)
            throw LogOpenError(error)
        }
    }

    /// It is no longer wanted.
    package func removeFuture(_ partition: TopicPartition) {
        guard let log = futures.removeValue(forKey: partition) else { return }
        moveAway([log]) { _ in }
    }

    /// The future log takes the partition's name: from here on it is the one that a start finds here. It is synced and closed
    /// first, and opened anew.
    /// - Parameter then: with the log that serves now. On failure this directory is offline, and the other log goes on.
    package func promoteFuture(
        _ partition: TopicPartition, settings: LogSettings, then: @escaping (Result<PartitionLog, LogOpenError>) -> Void
    ) {
        guard let future = futures[partition], logs[partition] == nil else {
            return then(.failure(LogOpenError(path: path, "no future log of \(partition) is in \(path)")))
        }
        future.close { [self] problem in
            if let problem { return then(.failure(LogOpenError(path: future.directory, "\(problem)"))) }
            let (from, to) = (future.directory, "\(path)/\(partition)")
            let (disk, path) = (self.disk, self.path)
            lane.perform { () throws(DiskError) in
                try disk.rename(from, to: to)
                try disk.syncDirectory(path)
            } then: { [self] result in
                futures[partition] = nil
                do throws(DiskError) {
                    try result.get()
                    forget(partition)
                    try correctCheckpoints()
                    let log = try openLog(partition, settings, isClean: true, startingAt: future.logStartOffset)
                    adopt(log)
                    checkpointLogs()
                    then(.success(log))
                } catch {
                    failed(because: error.description)
                    then(.failure(LogOpenError(error)))
                }
            }
        }
    }

    /// Two directories hold the same partition: a move was cut off after its last step but one. This one's is given up.
    package func giveUp(_ partition: TopicPartition) {
        world.journal.warning(
            "a move between directories was finished", ["partition": partition, "given_up": "\(path)/\(partition)"])
        deleteLog(partition) { _ in }
    }
}
