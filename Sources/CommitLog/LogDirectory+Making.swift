import Bytes
import ClusterModel
import Platform

// Logs that come new, many at once: their files are made by a helper of their own, for a disk that is busy may take seconds over a
// thousand directories, and neither records nor the broker's session can wait that long.
extension LogDirectory {
    package struct NewLog {
        package var partition: TopicPartition
        package var topicID: UUID128?
        package var settings: LogSettings
        package init(partition: TopicPartition, topicID: UUID128?, settings: LogSettings) {
            self.partition = partition
            self.topicID = topicID
            self.settings = settings
        }
    }

    /// One log's files, as the helper found or made them.
    private struct MadeLog {
        var new: NewLog
        var directory: String
        var topicID: UUID128?
        var loaded: Result<LoadedLog, DiskError>
    }

    /// Makes those that are not here yet. Afterwards `logs` has them, apart from what is told to `then`.
    package func createLogs(_ wanted: [NewLog], then: @escaping ([TopicPartition: LogOpenError]) -> Void) {
        let new = wanted.filter { logs[$0.partition] == nil }
        guard !new.isEmpty else { return then([:]) }
        if let offlineReason {
            let error = LogOpenError(path: path, "\(path) is offline: \(offlineReason)")
            return then(Dictionary(new.map { ($0.partition, error) }) { first, _ in first })
        }
        // What stands there without being among the logs could not be opened: look at all of it again.
        let isNew = new.map { [self] in !self.disk.exists("\(self.path)/\($0.partition)") }
        for (new, isNew) in zip(new, isNew) where isNew { forget(new.partition) }
        let corrections = takeCorrections()
        let starts = new.map { (recoveryPoint: recoveryPoint(of: $0.partition), logStart: logStart(of: $0.partition)) }
        let disk = self.disk
        let path = self.path
        let lostPower = self.lostPower
        let nowMs = world.clock.wallMs
        world.disk.lane(path + "/#make").perform { () throws(DiskError) -> [MadeLog] in
            for file in corrections { try disk.replace(file.path, with: file.bytes) }
            var made: [MadeLog] = []
            for (index, new) in new.enumerated() {
                let directory = "\(path)/\(new.partition)"
                do throws(DiskError) {
                    if isNew[index] { try disk.createDirectory(directory) }
                    let loaded = try LogRecovery.load(
                        directory, disk: disk, settings: new.settings, recoveryPoint: starts[index].recoveryPoint,
                        logStart: starts[index].logStart, isClean: isNew[index], lostPower: lostPower, nowMs: nowMs)
                    let topicID = try LogDirectory.agreeOnTopicID(new.topicID, in: directory, disk)
                    made.append(MadeLog(new: new, directory: directory, topicID: topicID, loaded: .success(loaded)))
                } catch {
                    made.append(MadeLog(new: new, directory: directory, topicID: nil, loaded: .failure(error)))
                }
            }
            return made
        } then: { [self] result in
            switch result {
            case .success(let made): then(adopt(made))
            case .failure(let error):
                correctionsFailed()
                fail(error)
                then(Dictionary(new.map { ($0.partition, LogOpenError(error)) }) { first, _ in first })
            }
        }
    }

    private func adopt(_ made: [MadeLog]) -> [TopicPartition: LogOpenError] {
        var errors: [TopicPartition: LogOpenError] = [:]
        for one in made where logs[one.new.partition] == nil {
            switch one.loaded {
            case .success(let loaded):
                for repair in loaded.repairs {
                    world.journal.warning("log was mended", ["partition": one.new.partition, "what": repair])
                }
                let log = PartitionLog(
                    partition: one.new.partition, directory: one.directory, logDirectory: path, topicID: one.topicID,
                    settings: one.new.settings, loaded: loaded, room: room, world: world)
                for stretch in log.damage { log.tell(of: stretch) }
                adopt(log)
                if let offlineReason { log.goOffline(offlineReason) }
            case .failure(let error):
                fail(error)
                errors[one.new.partition] = LogOpenError(error)
            }
        }
        return errors
    }

    /// The id that `partition.metadata` tells; else it is told `wanted`.
    static func agreeOnTopicID(
        _ wanted: UUID128?, in directory: String, _ disk: any Disk
    ) throws(DiskError) -> UUID128? {
        let file = "\(directory)/\(PartitionLog.metadataFile)"
        if disk.exists(file), let id = topicID(String(decoding: try disk.contents(file), as: UTF8.self)) { return id }
        guard let wanted else { return nil }
        try disk.write(Array("version: 0\ntopic_id: \(wanted.text)".utf8), to: file)
        return wanted
    }
}
