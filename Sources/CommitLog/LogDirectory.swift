import Bytes
import ClusterModel
import Platform

/// One entry of `log.dirs`: its lock, its identity, its checkpoints and its logs.
///
/// A start: `open` (takes the lock) → `identify` → `loadLogs` → serve → `close`. A stop without `close` is an unclean one.
package final class LogDirectory {
    package let path: String
    /// What `meta.properties` said; empty when there is none.
    package private(set) var identity = DirectoryIdentity()
    /// The clean-stop marker was there (it is gone now), or there was nothing to stop.
    package private(set) var stoppedCleanly = false
    /// Without a clean stop and under another boot of the machine: the tails of the logs may be missing records that were
    /// acknowledged ("A start is a new life"). Stays so over further starts until `trustTail`.
    package private(set) var tailIsSuspect = false
    /// Directories of Apache's `__consumer_offsets` and `__transaction_state`: they hold what this broker would ignore.
    package private(set) var internalTopicDirectories: [String] = []
    /// What `replication-offset-checkpoint` said.
    package internal(set) var highWatermarks: [TopicPartition: Offset] = [:]
    package internal(set) var logs: [TopicPartition: PartitionLog] = [:]
    /// Copies of logs of other directories that are to replace them (AlterReplicaLogDirs).
    package internal(set) var futures: [TopicPartition: PartitionLog] = [:]
    /// Partitions whose log could not be opened, and has not been since.
    package internal(set) var failures: [(partition: TopicPartition, error: LogOpenError)] = []
    /// Offsets that were synced here once, and are not to be found here now.
    package private(set) var missing: [(partition: TopicPartition, offsets: Range<Offset>)] = []
    /// Offsets between two segments of logs that were never compacted here.
    package private(set) var gaps: [TopicPartition: [Range<Offset>]] = [:]
    /// Told once, at the first disk error of a log or a checkpoint.
    package var wentOffline: ((String) -> Void)?

    enum Name {
        static let lock = ".lock"
        static let identity = "meta.properties"
        static let cleanStop = ".kafka_cleanshutdown"
        static let boot = "letterbox.boot"
        static let deleted = "-delete"
        static let future = "-future"
        static let stray = "-stray"
    }

    let world: any World
    let disk: any Disk
    private let lock: any DiskLock
    /// What is written beside the records, in order.
    let lane: any DiskLane
    package let room: DiskRoom
    private(set) var lostPower = false
    /// A checkpoint file says of some log what is no longer so, in a way that could do harm.
    var checkpointsAreStale = false
    /// Why nothing works here any more: the first disk error.
    package internal(set) var offlineReason: String?
    var isClosed = false
    /// Renamed for deletion, and when.
    var deleted: [(path: String, at: Instant)] = []
    var recoveryPoints: [TopicPartition: Offset] = [:]
    var logStarts: [TopicPartition: Offset] = [:]
    /// Below these offsets logs were compacted.
    package internal(set) var cleanedBelow: [TopicPartition: Offset] = [:]

    private init(path: String, world: any World, lock: any DiskLock) {
        self.path = path
        self.world = world
        self.lock = lock
        disk = world.disk
        lane = world.disk.lane(path + "/#sync")
        room = DiskRoom(path: path, floorBytes: 0, world: world)
    }

    /// From now on records are refused while fewer than so many bytes are free; on a small disk, than a twentieth of it.
    package func watchRoom(floorBytes: Int64) {
        let total = (try? disk.totalBytes(path)) ?? .max
        room.floorBytes = min(floorBytes, total / 20)
        room.watch()
    }

    // MARK: Starting

    /// Makes the directory when it is missing, locks it, reads what it says about itself. Blocks.
    package static func open(_ path: String, world: any World) throws(LogOpenError) -> LogDirectory {
        do throws(DiskError) {
            try make(path, world.disk)
            guard let lock = try world.disk.lock("\(path)/\(Name.lock)") else {
                throw DiskError(
                    operation: "lock", path: "\(path)/\(Name.lock)", code: 11,
                    reason:
                        "it is in use by another broker, or stands in log.dirs twice, by a link or in another spelling; "
                        + "stop that broker, or correct log.dirs")
            }
            let directory = LogDirectory(path: path, world: world, lock: lock)
            try directory.readItself()
            return directory
        } catch { throw LogOpenError(error) }
    }

    /// A new directory's name is durable, and its parents' names are: what is synced inside must not vanish with them.
    private static func make(_ path: String, _ disk: any Disk) throws(DiskError) {
        var new: [String] = []
        var ancestor = path
        while ancestor != ".", ancestor != "/", !disk.exists(ancestor) {
            new.append(ancestor)
            ancestor = parentDirectory(of: ancestor)
        }
        try disk.createDirectory(path)
        for made in new { try disk.syncDirectory(parentDirectory(of: made)) }
    }

    private func readItself() throws(DiskError) {
        let file = "\(path)/\(Name.identity)"
        if disk.exists(file) {
            guard let found = DirectoryIdentity(text: try text(file)) else {
                throw DiskError(operation: "read", path: file, code: 0, reason: "not a meta.properties of version 0")
            }
            identity = found
        }
        let entries = try disk.list(path)
        let partitions = entries.filter { $0.isDirectory && LogDirectory.partition($0.name) != nil }
        internalTopicDirectories = partitions.map(\.name).filter(LogDirectory.isInternal)
        let marker = "\(path)/\(Name.cleanStop)"
        let hadMarker = disk.exists(marker)
        stoppedCleanly = hadMarker || partitions.isEmpty
        if hadMarker {
            // From here on a stop is an unclean one until `close`.
            try disk.remove(marker)
            try disk.syncDirectory(path)
        }
        let boot = try? text("\(path)/\(Name.boot)")
        lostPower = !stoppedCleanly && boot != world.bootID
        // A directory without a name is a new one, or a disk that was replaced: what it should hold is not there.
        let isNew = identity.brokerID == nil && boot == nil
        tailIsSuspect = lostPower || isNew || boot == LogDirectory.suspectBoot
        do throws(DiskError) {
            try writeBoot(tailIsSuspect ? LogDirectory.suspectBoot : world.bootID)
        } catch {
            // What the file says instead makes the next start trust less, never more.
            guard error.isWantOfRoom else { throw error }
        }
        recoveryPoints = checkpoint(OffsetCheckpoint.recoveryPoints)
        logStarts = checkpoint(OffsetCheckpoint.logStarts)
        cleanedBelow = checkpoint(OffsetCheckpoint.cleaned)
        highWatermarks = checkpoint(OffsetCheckpoint.highWatermarks)
    }

    private func text(_ file: String) throws(DiskError) -> String {
        String(decoding: try disk.contents(file), as: UTF8.self)
    }

    private func checkpoint(_ name: String) -> [TopicPartition: Offset] {
        guard let text = try? text("\(path)/\(name)") else { return [:] }
        guard let offsets = OffsetCheckpoint.parse(text) else {
            world.journal.warning("checkpoint was unreadable and is ignored", ["file": "\(path)/\(name)"])
            return [:]
        }
        return offsets
    }

    /// In place of a boot id: also a clean stop does not make the logs whole.
    private static let suspectBoot = "suspect"

    private func writeBoot(_ text: String) throws(DiskError) {
        let file = "\(path)/\(Name.boot)"
        if (try? self.text(file)) == text { return }
        try disk.replace(file, with: Array(text.utf8))
    }

    /// Logs are shorter than they were: until they have caught up they must not be taken for whole, over further starts too.
    package func suspectTail() {
        guard !tailIsSuspect else { return }
        tailIsSuspect = true
        write("\(path)/\(Name.boot)", LogDirectory.suspectBoot)
    }

    /// The other replicas were asked, or there are none: what the logs hold is what there is.
    package func trustTail() {
        guard tailIsSuspect else { return }
        tailIsSuspect = false
        write("\(path)/\(Name.boot)", world.bootID)
    }

    /// Compares `meta.properties` with whom the broker takes itself for, and writes what it does not say yet.
    package func identify(as wanted: DirectoryIdentity) throws(LogOpenError) {
        let file = "\(path)/\(Name.identity)"
        if let known = identity.brokerID, let own = wanted.brokerID, known != own {
            throw LogOpenError(
                path: file,
                "\(file) says broker.id=\(known), the configuration \(own): this directory belongs to another broker; correct broker.id or log.dirs"
            )
        }
        if let known = identity.clusterID, let own = wanted.clusterID, known != own {
            throw LogOpenError(
                path: file,
                "\(file) says cluster.id=\(known), the coordinator \(own): this directory belongs to another cluster; correct zookeeper.connect or log.dirs"
            )
        }
        var both = identity
        both.brokerID = wanted.brokerID ?? identity.brokerID
        both.clusterID = wanted.clusterID ?? identity.clusterID
        both.directoryID = wanted.directoryID ?? identity.directoryID
        guard both != identity else { return }
        do throws(DiskError) { try disk.replace(file, with: Array(both.text.utf8)) } catch { throw LogOpenError(error) }
        identity = both
    }

    /// Opens every partition found, recovering those that need it; finishes deletions. Blocks; for the start. Apache's internal
    /// topics are passed over. A log that cannot be opened is left out and told in the journal and in `failures`.
    package func loadLogs(settings: (TopicPartition) -> LogSettings) throws(LogOpenError) {
        do throws(DiskError) {
            for entry in try disk.list(path) where entry.isDirectory {
                if entry.name.hasSuffix(Name.deleted) {
                    try disk.removeTree("\(path)/\(entry.name)")
                } else if let partition = LogDirectory.futurePartition(entry.name) {
                    try loadFuture(partition, entry.name, settings(partition))
                } else if let partition = LogDirectory.partition(entry.name), !LogDirectory.isInternal(entry.name) {
                    load(partition, settings(partition))
                } else if !LogDirectory.isInternal(entry.name) {
                    world.journal.info("directory was passed over", ["directory": "\(path)/\(entry.name)"])
                }
            }
            for (partition, point) in recoveryPoints.sorted(by: { $0.key < $1.key }) where point > 0 {
                let end = logs[partition]?.nextOffset
                if end == nil, failures.contains(where: { $0.partition == partition }) { continue }
                if end ?? 0 < point { missing.append((partition, (end ?? 0)..<point)) }
            }
            // A recovery point above a log's end would make the next start believe what is written there from now on.
            for (partition, log) in logs where recoveryPoints[partition] ?? 0 > log.recoveryPoint {
                recoveryPoints[partition] = log.recoveryPoint
                checkpointsAreStale = true
            }
            try correctCheckpoints()
        } catch { throw LogOpenError(error) }
    }

    private func load(_ partition: TopicPartition, _ settings: LogSettings) {
        do throws(DiskError) {
            let log = try openLog(partition, settings, isClean: stoppedCleanly)
            adopt(log)
        } catch {
            failures.append((partition, LogOpenError(error)))
            world.journal.error("log was not opened", ["partition": partition, "reason": error])
        }
    }

    func openLog(
        _ partition: TopicPartition, _ settings: LogSettings, isClean: Bool, startingAt offset: Offset = 0,
        in name: String? = nil
    ) throws(DiskError) -> PartitionLog {
        let directory = "\(path)/\(name ?? partition.description)"
        // The checkpoints speak of the log that serves, never of one that is to replace it.
        let loaded = try LogRecovery.load(
            directory, disk: disk, settings: settings,
            recoveryPoint: name == nil ? recoveryPoints[partition] ?? 0 : 0,
            logStart: max(name == nil ? logStarts[partition] ?? 0 : 0, offset), isClean: isClean, lostPower: lostPower,
            highWatermark: name == nil ? highWatermarks[partition] : nil, nowMs: world.clock.wallMs)
        for repair in loaded.repairs {
            world.journal.warning("log was mended", ["partition": partition, "what": repair])
        }
        // What was found may have been written and not synced by the life before, and counts as held from now on.
        if !isClean, settings.flushMessages != .max { try loaded.sync(directory, disk) }
        var topicID: UUID128?
        if let text = try? text("\(directory)/\(PartitionLog.metadataFile)") { topicID = LogDirectory.topicID(text) }
        let log = PartitionLog(
            partition: partition, directory: directory, logDirectory: path, topicID: topicID, settings: settings,
            loaded: loaded, room: room, world: world)
        for stretch in log.damage { log.tell(of: stretch) }
        if name == nil, !loaded.gaps.isEmpty, cleanedBelow[partition] == nil { gaps[partition] = loaded.gaps }
        return log
    }

    func adopt(_ log: PartitionLog) {
        log.wentOffline = { [weak self] reason in self?.failed(because: reason) }
        log.persistRecoveryPoint = { [weak self] then in
            guard let self else { return then() }
            self.checkpointLogs(isNeeded: true, then: then)
        }
        logs[log.partition] = log
        failures.removeAll { $0.partition == log.partition }
    }

    // MARK: Names

    var freshSuffix: String {
        [world.random(), world.random()].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }

    /// Nil for what is no partition's directory: `-delete`, `-future`, `-stray` and strangers.
    package static func partition(_ name: String) -> TopicPartition? {
        guard let dash = name.lastIndex(of: "-"), dash != name.startIndex else { return nil }
        let digits = name[name.index(after: dash)...]
        guard let number = Int32(digits), number >= 0, String(number) == digits else { return nil }
        return TopicPartition(String(name[..<dash]), number)
    }

    private static func isInternal(_ name: String) -> Bool {
        guard let partition = partition(name) else { return false }
        return partition.topic == "__consumer_offsets" || partition.topic == "__transaction_state"
    }

    static func topicID(_ text: String) -> UUID128? {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: ":", maxSplits: 1).map { $0.filter { $0 != " " } }
            if words.count == 2, words[0] == "topic_id", let id = UUID128(text: words[1]), !id.isZero { return id }
        }
        return nil
    }

    // MARK: New logs

    /// A new, empty log, or the one that is there. Small files; blocks briefly.
    package func createLog(
        _ partition: TopicPartition, topicID: UUID128?, settings: LogSettings, startingAt offset: Offset = 0
    ) throws(LogOpenError) -> PartitionLog {
        if let log = logs[partition] {
            if let topicID, log.topicID == nil { try assign(topicID, to: log) }
            return log
        }
        let directory = "\(path)/\(partition)"
        do throws(DiskError) {
            // What stands there without being among the logs could not be opened: look at all of it again.
            let isNew = !disk.exists(directory)
            if isNew {
                forget(partition)
                try correctCheckpoints()
                try disk.createDirectory(directory)
            }
            let log = try openLog(partition, settings, isClean: isNew, startingAt: offset)
            if let topicID, log.topicID == nil { try writeMetadata(topicID, log) }
            adopt(log)
            return log
        } catch {
            fail(error)
            throw LogOpenError(error)
        }
    }

    /// Writes `partition.metadata`.
    package func assign(_ topicID: UUID128, to log: PartitionLog) throws(LogOpenError) {
        do throws(DiskError) { try writeMetadata(topicID, log) } catch { throw LogOpenError(error) }
    }

    func writeMetadata(_ topicID: UUID128, _ log: PartitionLog) throws(DiskError) {
        let text = "version: 0\ntopic_id: \(topicID.text)"
        try disk.write(Array(text.utf8), to: "\(log.directory)/\(PartitionLog.metadataFile)")
        log.topicID = topicID
    }

    // MARK: Stopping

    /// Closes every log, writes the checkpoints and, when all went well, the clean-stop marker; gives up the lock.
    package func close(
        highWatermarks: [TopicPartition: Offset], brokerEpoch: BrokerEpoch, then: @escaping (LogOpenError?) -> Void
    ) {
        guard !isClosed else { return then(nil) }
        isClosed = true
        room.stop()
        let closing = (Array(logs.values) + Array(futures.values)).sorted { $0.partition < $1.partition }
        var left = closing.count + 1
        var problem: LogOpenError? = offlineReason.map { LogOpenError(path: path, "\(path) was offline: \($0)") }
        let one = { [self] in
            left -= 1
            if left == 0 { finishClosing(highWatermarks, brokerEpoch, problem, then) }
        }
        for log in closing {
            log.close { error in
                if let error { problem = problem ?? LogOpenError(path: log.directory, "\(log.directory): \(error)") }
                one()
            }
        }
        one()
    }

    private func finishClosing(
        _ highWatermarks: [TopicPartition: Offset], _ brokerEpoch: BrokerEpoch, _ problem: LogOpenError?,
        _ then: @escaping (LogOpenError?) -> Void
    ) {
        noteRecoveryPoints()
        noteLogStarts()
        var files = [
            (OffsetCheckpoint.recoveryPoints, OffsetCheckpoint.text(recoveryPoints)),
            (OffsetCheckpoint.logStarts, OffsetCheckpoint.text(logStarts)),
            (OffsetCheckpoint.highWatermarks, OffsetCheckpoint.text(highWatermarks)),
        ]
        if problem == nil {
            if !tailIsSuspect { files.append((Name.boot, world.bootID)) }
            // The last: its presence vouches for all the others.
            files.append((Name.cleanStop, "{\"version\":0,\"brokerEpoch\":\(brokerEpoch)}"))
        }
        let disk = self.disk
        let path = self.path
        let lock = self.lock
        lane.perform { () throws(DiskError) in
            for (name, text) in files { try disk.replace("\(path)/\(name)", with: Array(text.utf8)) }
        } then: { result in
            lock.release()
            if case .failure(let error) = result { return then(problem ?? LogOpenError(error)) }
            then(problem)
        }
    }
}
