import ClusterModel
import CommitLog
import Platform

/// Looks for the log that needs compaction most and has it cleaned; `log.cleaner.threads` of them at once. The work itself is done in
/// lanes of little weight, a piece at a time.
final class LogCleaner {
    private let world: any World
    private let partitions: PartitionDirectory
    private let settings: () -> BrokerSettings
    private var running = 0
    private var isRunning = true
    private var budget: IOBudget
    /// Logs that could not be cleaned. Whoever mends one restarts the broker; a log that is cut or made again is another one.
    private var unusable: [TopicPartition: ObjectIdentifier] = [:]

    init(world: any World, partitions: PartitionDirectory, settings: @escaping () -> BrokerSettings) {
        self.world = world
        self.partitions = partitions
        self.settings = settings
        budget = IOBudget(at: world.clock.now)
        wait()
    }

    func stop() { isRunning = false }

    /// What made it unusable was put right.
    func mayCleanAgain(_ partition: TopicPartition) { unusable[partition] = nil }

    private func wait() {
        world.after(max(.milliseconds(1), settings()[BrokerKeys.cleanerBackoff])) { [weak self] in
            guard let self, self.isRunning else { return }
            self.look()
            self.wait()
        }
    }

    private func look() {
        let settings = settings()
        guard isRunning, settings[BrokerKeys.cleanerEnabled] else { return }
        let threads = settings[BrokerKeys.cleanerThreads]
        while running < threads, let host = filthiest() { clean(host, settings, threads) }
    }

    /// The one with the largest part not cleaned; those that waited too long are due as well.
    private func filthiest() -> PartitionHost? {
        var best: (host: PartitionHost, ratio: Double)?
        for host in partitions.hosts {
            guard unusable[host.partition] != ObjectIdentifier(host.log), let found = host.cleanable() else { continue }
            if found.hasBadCheckpoint { host.directory.cleaned(host.partition, below: found.firstDirty) }
            guard found.isDue(host.config.compaction), found.dirtyRatio > best?.ratio ?? -1 else { continue }
            best = (host, found.dirtyRatio)
        }
        return best?.host
    }

    private func clean(_ host: PartitionHost, _ settings: BrokerSettings, _ threads: Int) {
        running += 1
        var tools = CleanerTools()
        tools.memoryBytes = max(0, settings[BrokerKeys.cleanerMemory]) / max(1, threads)
        tools.loadFactor = settings[BrokerKeys.cleanerLoadFactor]
        tools.stepBytes = max(4096, settings[BrokerKeys.cleanerStep])
        let (log, directory) = (host.log, host.directory)
        let began = world.clock.now
        let before = log.size
        host.clean(tools) { [weak self] bytes in
            self?.pause(bytes) ?? .zero
        } then: { [weak self] outcome in
            guard let self else { return }
            running -= 1
            let elapsed = world.clock.now - began
            switch outcome {
            case .cleaned(let offset, let totals):
                directory.cleaned(log.partition, below: offset)
                world.journal.info(
                    "compacted a log",
                    [
                        "partition": log.partition, "below": offset, "bytes_before": before, "bytes_after": log.size,
                        "read": totals.bytesRead, "written": totals.bytesWritten, "keys": totals.keys,
                        "ms": elapsed.wholeMilliseconds,
                    ])
                if totals.keyless > 0 {
                    world.journal.warning(
                        "removed records without a key", ["partition": log.partition, "records": totals.keyless])
                }
                // There may be more to do.
                look()
            case .cancelled(let reason):
                world.journal.info("stopped compacting a log", ["partition": log.partition, "reason": reason])
            case .unusable(let reason):
                unusable[log.partition] = ObjectIdentifier(log)
                world.journal.error(
                    "cannot compact a log; it is left as it is and will grow",
                    ["partition": log.partition, "reason": reason])
                look()
            }
        }
    }

    private func pause(_ bytes: Int) -> Duration {
        budget.spend(bytes, rate: settings()[BrokerKeys.cleanerRate], at: world.clock.now)
    }
}

/// So many bytes a second, paid for with pauses after the fact.
struct IOBudget: Equatable {
    /// When everything spent so far will have been paid for.
    private var paid: Instant

    init(at now: Instant) { paid = now }

    /// - Returns: how long to wait before the next bytes.
    mutating func spend(_ bytes: Int, rate: Double, at now: Instant) -> Duration {
        guard rate > 0, rate < 1e15 else { return .zero }
        paid = max(paid, now) + .nanoseconds(Int64(min(1e18, Double(bytes) / rate * 1e9)))
        return paid - now
    }
}
