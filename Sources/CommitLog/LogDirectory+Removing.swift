import ClusterModel
import Platform

// Logs leave a directory: renamed first, in one sync however many they are; removed later, or kept aside.
extension LogDirectory {
    /// The log is gone from here at once and refuses appends; when nothing of it is in flight its files are renamed to
    /// `<name>.<32 hex>-delete`. They are removed by `removeDeleted` after `file.delete.delay.ms`, or by the next start. A log
    /// of the same name may be created once `then` was called.
    package func deleteLog(_ partition: TopicPartition, then: @escaping (LogOpenError?) -> Void) {
        deleteLogs([partition], then: then)
    }

    /// The same of many: one sync makes all the renames durable.
    package func deleteLogs(_ partitions: [TopicPartition], then: @escaping (LogOpenError?) -> Void) {
        var going: [PartitionLog] = []
        var unopened: [TopicPartition] = []
        for partition in partitions {
            if let log = logs.removeValue(forKey: partition) { going.append(log) } else { unopened.append(partition) }
            forget(partition)
        }
        moveAway(going, unopened, then: then)
    }

    /// As `deleteLog`, but the files stay: as `<name>.<32 hex>-stray`, which every start passes over. Kafka names them so too.
    /// - Parameter then: with the new path.
    package func setAside(_ partition: TopicPartition, then: @escaping (String, LogOpenError?) -> Void) {
        let target = path(of: partition, Name.stray)
        guard let log = logs.removeValue(forKey: partition) else { return then(target, nil) }
        forget(partition)
        let settle = settling(1) { then(target, $0) }
        rename(log, to: target, then: settle)
    }

    /// Whether anything stands here for it, a log that could not be opened perhaps.
    package func holds(_ partition: TopicPartition) -> Bool {
        logs[partition] != nil || (offlineReason == nil && disk.exists("\(path)/\(partition)"))
    }

    func moveAway(
        _ going: [PartitionLog], _ unopened: [TopicPartition] = [], then: @escaping (LogOpenError?) -> Void
    ) {
        let count = going.count + (unopened.isEmpty ? 0 : 1)
        guard count > 0 else { return then(nil) }
        let settle = settling(count, then)
        for log in going {
            let target = path(of: log.partition, Name.deleted)
            rename(log, to: target) { [self] problem in
                if problem == nil { deleted.append((target, world.clock.now)) }
                settle(problem)
            }
        }
        if !unopened.isEmpty { moveAway(unopened, then: settle) }
    }

    /// - Returns: to be called `count` times; then the new names are made durable, and the next start does not miss what is gone.
    private func settling(_ count: Int, _ then: @escaping (LogOpenError?) -> Void) -> (LogOpenError?) -> Void {
        var left = count
        var problem: LogOpenError?
        return { [self] (error: LogOpenError?) in
            problem = problem ?? error
            left -= 1
            guard left == 0 else { return }
            if let problem { return then(problem) }
            let (disk, path) = (self.disk, self.path)
            let corrections = takeCorrections()
            lane.perform { () throws(DiskError) in
                try disk.syncDirectory(path)
                for file in corrections { try disk.replace(file.path, with: file.bytes) }
            } then: { [self] result in
                guard case .failure(let error) = result else { return then(nil) }
                correctionsFailed()
                fail(error)
                // What is in want of room are the checkpoints; the logs are gone.
                then(error.isWantOfRoom ? nil : LogOpenError(error))
            }
        }
    }

    private func rename(_ log: PartitionLog, to target: String, then: @escaping (LogOpenError?) -> Void) {
        log.moveAway(to: target) { [self] error in
            if let error { fail(error) }
            then(error.map { LogOpenError($0) })
        }
    }

    private func path(of partition: TopicPartition, _ ending: String) -> String {
        let suffix = ".\(freshSuffix)\(ending)"
        let kept = "\(partition)".prefix(255 - suffix.utf8.count)
        return "\(path)/\(kept)\(suffix)"
    }

    /// Directories whose logs nobody has open.
    private func moveAway(_ unopened: [TopicPartition], then: @escaping (LogOpenError?) -> Void) {
        let moves = unopened.map { (from: "\(path)/\($0)", to: path(of: $0, Name.deleted)) }
        let disk = self.disk
        lane.perform { () throws(DiskError) -> [String] in
            var moved: [String] = []
            for move in moves where disk.exists(move.from) {
                try disk.rename(move.from, to: move.to)
                moved.append(move.to)
            }
            return moved
        } then: { [self] result in
            switch result {
            case .success(let moved):
                deleted += moved.map { ($0, world.clock.now) }
                then(nil)
            case .failure(let error):
                fail(error)
                then(LogOpenError(error))
            }
        }
    }

    /// Removes what was renamed for deletion at least `olderThanMs` ago.
    package func removeDeleted(olderThanMs: Int64) {
        let now = world.clock.now
        let due = deleted.filter { (now - $0.at).wholeMilliseconds >= olderThanMs }.map(\.path)
        guard !due.isEmpty else { return }
        deleted.removeAll { (now - $0.at).wholeMilliseconds >= olderThanMs }
        let disk = self.disk
        lane.perform { () throws(DiskError) in
            for path in due { try disk.removeTree(path) }
        } then: { [self] result in
            if case .failure(let error) = result {
                world.journal.warning("deleted log was not removed", ["reason": error])
            }
        }
    }
}
