import ClusterModel
import CommitLog
import Platform

/// What a broker does now and then without being asked: checkpoints, flushes, the look at lagging replicas, retention, the removal
/// of deleted files.
package final class Housekeeping {
    private let world: any World
    private let partitions: PartitionDirectory
    private let settings: () -> BrokerSettings
    private let cleaner: LogCleaner
    private let scrubber: LogScrubber
    private let healer: LogHealer
    private var isRunning = true

    /// - Parameter settings: as they stand now.
    init(
        world: any World, partitions: PartitionDirectory, config: BrokerConfig, healer: LogHealer,
        settings: @escaping () -> BrokerSettings
    ) {
        self.world = world
        self.partitions = partitions
        self.settings = settings
        for directory in partitions.directories {
            directory.watchRoom(floorBytes: Int64(config[BrokerKeys.minFreeBytes]))
        }
        cleaner = LogCleaner(world: world, partitions: partitions, settings: settings)
        scrubber = LogScrubber(world: world, partitions: partitions, settings: settings)
        self.healer = healer
        healer.healed = { [cleaner] in cleaner.mayCleanAgain($0) }
        // Not within the call of whoever met it.
        partitions.foundDamage = { [weak self] in
            world.timers.soon {
                self?.scrubber.look()
                self?.healer.look()
            }
        }
        every(config[BrokerKeys.highWatermarkCheckpoint]) { $0.partitions.checkpointHighWatermarks() }
        every(config[BrokerKeys.recoveryCheckpoint]) { $0.partitions.checkpointLogs() }
        every(.milliseconds(max(1, config.replicaLagMax.wholeMilliseconds / 2))) { $0.checkLag() }
        every(.seconds(1)) { $0.flush() }
        every(.seconds(30)) { $0.tidy() }
        // The first look comes soon: what has piled up during a long stop shall not wait.
        let check = config[BrokerKeys.retentionCheck]
        world.after(min(check, .seconds(30))) { [weak self] in
            guard let self, self.isRunning else { return }
            self.retain()
            self.every(check) { $0.retain() }
        }
    }

    func stop() {
        isRunning = false
        cleaner.stop()
        scrubber.stop()
        healer.stop()
    }

    private func every(_ interval: Duration, _ work: @escaping (Housekeeping) -> Void) {
        guard interval > .zero else { return }
        world.after(interval) { [weak self] in
            guard let self, self.isRunning else { return }
            work(self)
            self.every(interval, work)
        }
    }

    private func checkLag() {
        for host in partitions.hosts { host.checkLag() }
    }

    private func flush() {
        for host in partitions.hosts {
            if host.config.log.flushMs != .max { host.log.flushIfDue() }
            host.log.removeDeletedFiles()
        }
    }

    private func retain() {
        for host in partitions.hosts { host.retain() }
    }

    private func tidy() {
        let delay = Int64(settings()[BrokerKeys.deleteDelay])
        for directory in partitions.directories { directory.removeDeleted(olderThanMs: delay) }
        for host in partitions.hosts { host.log.expireProducers() }
    }
}

extension PartitionDirectory {
    private func highWatermarks(of directory: LogDirectory) -> [TopicPartition: Offset] {
        var known: [TopicPartition: Offset] = [:]
        for host in hosts where host.directory === directory { known[host.partition] = host.highWatermark }
        return known
    }

    func checkpointHighWatermarks() {
        for directory in directories { directory.checkpointHighWatermarks(highWatermarks(of: directory)) }
    }

    func checkpointLogs() {
        for directory in directories { directory.checkpointLogs() }
    }

    /// The clean end: every log synced and closed, the marker written.
    func close(brokerEpoch: BrokerEpoch, then: @escaping () -> Void) {
        var left = directories.count
        guard left > 0 else { return then() }
        let journal = journal
        for directory in directories {
            directory.close(highWatermarks: highWatermarks(of: directory), brokerEpoch: brokerEpoch) { problem in
                if let problem { journal.error("could not close a log directory", ["reason": problem.description]) }
                left -= 1
                if left == 0 { then() }
            }
        }
    }
}

extension BrokerNode {
    func beginHousekeeping() {
        let healer = LogHealer(
            world: world, me: id, partitions: partitions, metadata: metadata,
            address: { [unowned self] in address(of: $0) })
        housekeeping = Housekeeping(world: world, partitions: partitions, config: config, healer: healer) {
            [unowned self] in settings
        }
    }
    func endHousekeeping() {
        housekeeping?.stop()
        housekeeping = nil
    }
}
