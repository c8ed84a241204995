import ClusterModel
import CommitLog
import Configuration
import Platform

extension BrokerKeys {
    static let scrubRate = ConfigKey<Double>(
        "log.scrub.max.bytes.per.second", default: 4_194_304, changes: .clusterWide,
        "Bytes a second that comparing the checksums of closed segments reads at most; 0 leaves them alone.")
    static let scrubInterval = ConfigKey<Duration>(
        "log.scrub.interval.ms", type: .long, default: .seconds(604_800), allowed: Duration.milliseconds(1)...,
        changes: .clusterWide, "How often the checksums of closed segments are compared.")
    static let scrub: [any AnyConfigKey] = [scrubRate, scrubInterval]
}

/// Which segment is checked next. A value: passes over everything, one an interval; what a reader suspects comes first.
struct ScrubOrder {
    struct Piece: Hashable {
        var partition: TopicPartition
        var segment: Offset
    }

    private var queue: [Piece] = []
    private var passBegan: Instant?

    /// - Parameter all: closed segments, asked for when a pass begins.
    /// - Parameter draw: where the pass begins, for a broker that never runs as long as a pass takes.
    mutating func next(
        suspects: [Piece], all: () -> [Piece], at now: Instant, interval: Duration, draw: () -> UInt64
    ) -> Piece? {
        if let suspect = suspects.first { return suspect }
        if queue.isEmpty {
            if let passBegan, now - passBegan < interval { return nil }
            passBegan = now
            let pieces = all()
            guard !pieces.isEmpty else { return nil }
            let start = Int(draw() % UInt64(pieces.count))
            queue = (pieces[start...] + pieces[..<start]).reversed()
        }
        return queue.popLast()
    }
}

/// Compares the checksums of closed segments, one after another and slowly, in the disks' background lanes: what nobody reads for
/// years is found damaged while other replicas can still put it right.
final class LogScrubber {
    private static let step = 256 << 10
    /// A start has better things to do.
    private static let beginning = Duration.seconds(60)

    private let world: any World
    private let partitions: PartitionDirectory
    private let settings: () -> BrokerSettings
    private var order = ScrubOrder()
    private var budget: IOBudget
    private var isWorking = false
    private var isRunning = true
    private let began: Instant

    init(world: any World, partitions: PartitionDirectory, settings: @escaping () -> BrokerSettings) {
        self.world = world
        self.partitions = partitions
        self.settings = settings
        budget = IOBudget(at: world.clock.now)
        began = world.clock.now
        wait()
    }

    func stop() { isRunning = false }

    private func wait() {
        let interval = settings()[BrokerKeys.scrubInterval]
        world.after(max(.milliseconds(10), min(.seconds(5), interval))) { [weak self] in
            guard let self, self.isRunning else { return }
            self.look()
            self.wait()
        }
    }

    /// Also when a reader has met damage.
    func look() {
        let settings = settings()
        guard isRunning, !isWorking else { return }
        let suspects = partitions.hosts.flatMap { host in
            host.log.suspects.sorted().map { ScrubOrder.Piece(partition: host.partition, segment: $0) }
        }
        let interval = settings[BrokerKeys.scrubInterval]
        let isDue =
            settings[BrokerKeys.scrubRate] > 0
            && world.clock.now - began >= min(LogScrubber.beginning, interval)
        guard isDue || !suspects.isEmpty else { return }
        let piece = order.next(
            suspects: suspects,
            all: { [partitions] in
                partitions.hosts.flatMap { host in
                    host.log.closedSegments.map { .init(partition: host.partition, segment: $0) }
                }
            }, at: world.clock.now, interval: interval, draw: { [world] in world.random() })
        guard let piece else { return }
        check(piece, isSuspect: !suspects.isEmpty)
    }

    private func check(_ piece: ScrubOrder.Piece, isSuspect: Bool) {
        // It may have gone meanwhile; then there is the next one.
        guard let host = partitions.host(piece.partition) else { return }
        isWorking = true
        let rate = settings()[BrokerKeys.scrubRate]
        host.log.check(piece.segment, stepBytes: LogScrubber.step) { [weak self] bytes in
            // Somebody waits for the answer about a segment that is suspected.
            guard let self, !isSuspect else { return .zero }
            return budget.spend(bytes, rate: max(1, rate), at: world.clock.now)
        } then: { [weak self] _ in
            guard let self else { return }
            isWorking = false
            world.timers.soon { [weak self] in self?.look() }
        }
    }
}
