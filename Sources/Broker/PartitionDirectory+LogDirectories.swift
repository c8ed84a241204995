import ClusterModel
import CommitLog
import Platform

// Several log directories: where a replica lies, how it moves, and what becomes of it when its directory fails.
extension PartitionDirectory {
    package var hasFailedDirectories: Bool {
        !unusable.isEmpty || directories.contains { $0.offlineReason != nil }
    }

    /// Something of it lies here that could not be opened.
    func hasUnopened(_ partition: TopicPartition) -> Bool {
        directories.contains { $0.failures.contains { $0.partition == partition } }
    }

    /// Where a new replica goes: where something of it lies that could not be opened, for an empty log elsewhere would be taken for
    /// that one; else where it was wanted; else where the fewest are.
    /// - Parameter coming: how many more are about to be made there.
    func directory(for partition: TopicPartition, besides coming: (LogDirectory) -> Int) -> LogDirectory? {
        let usable = directories.filter { $0.offlineReason == nil }
        if let holder = usable.first(where: { $0.failures.contains { $0.partition == partition } }) { return holder }
        if let path = preferred[partition], let wanted = usable.first(where: { $0.path == path }) { return wanted }
        return usable.min { a, b in
            a.logs.count + a.futures.count + coming(a) < b.logs.count + b.futures.count + coming(b)
        }
    }

    /// One disk error has ended a directory's service: its replicas answer KAFKA_STORAGE_ERROR until the controller finds others.
    func lost(_ directory: LogDirectory, _ reason: String) {
        let concerned = hosts.filter { $0.directory === directory }
        for host in concerned {
            movers.cancel(host.partition)
            left?(host.partition)
            host.wentOffline()
        }
        let others = directories.filter { $0.offlineReason == nil }
        journal.error(
            "replicas went offline with their log directory",
            ["directory": directory.path, "partitions": concerned.count, "directories_left": others.count])
        directoryLost?(directory.path, reason, others.isEmpty)
    }

    // MARK: Moves

    /// Wire codes of a move that cannot be.
    package enum MoveRefusal: Int16, Error {
        case replicaNotAvailable = 9
        case storage = 56
        case noSuchDirectory = 57
    }

    /// AlterReplicaLogDirs. A replica that does not exist yet will be made there; a move back to where it lies ends the one that
    /// is under way.
    package func move(_ partition: TopicPartition, to path: String) throws(MoveRefusal) {
        let disk = world.disk
        let wanted = disk.absolutePath(path)
        guard let target = directories.first(where: { disk.absolutePath($0.path) == wanted }) else {
            throw unusable.contains { disk.absolutePath($0.path) == wanted } ? .storage : .noSuchDirectory
        }
        guard target.offlineReason == nil else { throw .storage }
        guard let host = host(partition) else {
            preferred[partition] = target.path
            throw .replicaNotAvailable
        }
        guard !host.isOffline else { throw .storage }
        guard host.directory !== target else { return movers.cancel(partition) }
        do throws(LogOpenError) {
            try movers.begin(host, to: target)
        } catch {
            journal.error("could not begin a move", ["partition": partition, "reason": error])
            throw .storage
        }
    }

    // MARK: After a start

    /// A move that was cut off between its last two steps left two logs of one partition. Within one leader epoch the longer one
    /// holds all that the other holds; a later epoch has been written to since. What the copy replaced is given up.
    func giveUpDoubles() {
        var owners: [TopicPartition: LogDirectory] = [:]
        for directory in directories {
            for (partition, log) in directory.logs.sorted(by: { $0.key < $1.key }) {
                guard let other = owners[partition], let known = other.logs[partition] else {
                    owners[partition] = directory
                    continue
                }
                // No move: a topic was made again while the old one's directory was away. The controller's word decides.
                if let one = known.topicID, let two = log.topicID, one != two { continue }
                let isBetter =
                    (log.latestEpoch ?? .none, log.nextOffset) > (known.latestEpoch ?? .none, known.nextOffset)
                (isBetter ? other : directory).giveUp(partition)
                if isBetter { owners[partition] = directory }
            }
        }
    }

    // MARK: Logs of topics that are gone

    /// A topic of the order's name was deleted and made again while the log that lies here was out of reach: what a start found under
    /// the other id is renamed, never deleted, and makes way. A replica that had a role in this life stays: then the order is the stray.
    func setStraysAside(_ orders: [Order], then: @escaping () -> Void) {
        var strays: [(directory: LogDirectory, log: PartitionLog)] = []
        for order in orders where !order.topicID.isZero && order.replicas.contains(me) {
            if let host = host(order.partition), host.role != .idle { continue }
            for directory in directories where directory.offlineReason == nil {
                guard let log = directory.logs[order.partition], let id = log.topicID, id != order.topicID else {
                    continue
                }
                strays.append((directory, log))
                if let host = host(order.partition), host.directory === directory { remove(host) }
            }
        }
        var left = strays.count
        guard left > 0 else { return then() }
        for (directory, log) in strays {
            directory.setAside(log.partition) { [journal] path, problem in
                if let problem {
                    journal.error(
                        "could not set a log aside", ["partition": log.partition, "reason": problem.description])
                } else {
                    journal.warning(
                        "set a log aside: its topic was deleted and another one of that name made while it was out of reach; "
                            + "kafka-dump-log.sh reads it, and nothing here needs it any more",
                        [
                            "partition": log.partition, "topic_id": (log.topicID ?? .zero).text, "directory": path,
                            "offsets": "\(log.logStartOffset)..<\(log.logEndOffset)",
                        ])
                }
                left -= 1
                if left == 0 { then() }
            }
        }
    }

    func resumeMoves(into directory: LogDirectory) {
        for partition in directory.futures.keys.sorted() {
            if let host = host(partition), host.directory !== directory {
                movers.resume(host, into: directory)
            } else if host(partition) != nil || !hasFailedDirectories {
                directory.removeFuture(partition)
            }
        }
    }
}
