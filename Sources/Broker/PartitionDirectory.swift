import Bytes
import ClusterModel
import CommitLog
import Platform
import Replication

/// Every partition this broker hosts, by name; the log directories they lie in; and what the controller orders about
/// them.
package final class PartitionDirectory {
    /// What LeaderAndIsr says of one partition, freed of the wire.
    package struct Order: Equatable {
        package var partition: TopicPartition
        package var topicID: UUID128
        package var leader: BrokerID
        package var leaderEpoch: LeaderEpoch
        package var partitionEpoch: PartitionEpoch
        package var replicas: [BrokerID]
        package var inSync: [BrokerID]
        package var isNew: Bool
        package init(
            partition: TopicPartition, topicID: UUID128, leader: BrokerID, leaderEpoch: LeaderEpoch,
            partitionEpoch: PartitionEpoch, replicas: [BrokerID], inSync: [BrokerID], isNew: Bool
        ) {
            self.partition = partition
            self.topicID = topicID
            self.leader = leader
            self.leaderEpoch = leaderEpoch
            self.partitionEpoch = partitionEpoch
            self.replicas = replicas
            self.inSync = inSync
            self.isNew = isNew
        }
    }

    /// Wire codes of what an order can meet.
    package enum Refusal: Int16, Error {
        case staleEpoch = 11
        case storage = 56
        case notAReplica = 3
        case otherTopicID = 103
    }

    package let me: BrokerID
    let world: any World
    private let lagMax: Duration
    private var surroundings: PartitionHost.Surroundings
    /// The settings of a topic, now.
    package var settings: (String) -> TopicConfig = { _ in TopicConfig() }
    /// Another in-sync set is wanted: the publisher of in-sync sets listens.
    package var proposeInSync: ((PartitionHost, InSyncSet, PartitionEpoch) -> Void)?
    /// A replica here began to follow, to lead, or left: the fetcher listens.
    package var roleChanged: ((PartitionHost) -> Void)?
    package var left: ((TopicPartition) -> Void)?
    /// A log has damage, or may have.
    var foundDamage: (() -> Void)?
    package private(set) var directories: [LogDirectory] = []
    /// Entries of log.dirs that could not be used at the start.
    package private(set) var unusable: [(path: String, reason: String)] = []
    /// A directory has failed; the last one if no other is left.
    package var directoryLost: ((_ path: String, _ reason: String, _ isLast: Bool) -> Void)?
    /// Replicas that could not be made for want of room may be ordered again.
    var foundRoom: (() -> Void)?
    /// Directories in which they should lie.
    private var wantsRoom: Set<String> = []
    /// Replicas on their way to another directory.
    private(set) lazy var movers = ReplicaMovers(world: world, pause: { [weak self] in self?.movePause() ?? .zero }) {
        [weak self] in self?.moved($0)
    }
    /// How long nothing may be copied, and how many bytes were.
    package var movePause: () -> Duration = { .zero }
    package var moved: (Int) -> Void = { _ in }
    /// Replicas that the controller took away, and whose files are still to go.
    private var stopped: [(partition: TopicPartition, directory: LogDirectory)] = []
    /// Where replicas that do not exist yet shall lie.
    var preferred: [TopicPartition: String] = [:]
    /// By topic, then by partition; interned, so that a name is hashed once a request.
    private var topics: [String: [Int32: PartitionHost]] = [:] {
        didSet { generation += 1 }
    }
    private var generation: UInt64 = 1
    /// All of them, until one comes or goes: they are gone over every second.
    private var sorted: [PartitionHost]?
    var journal: Journal { world.journal }
    /// The coordinator cannot be reached: a new leader may have been elected without a word to this broker.
    package var isOutOfTouch = false
    /// The highest controller epoch heard of.
    package private(set) var controllerEpoch: ControllerEpoch = 0

    package init(
        me: BrokerID, world: any World, waiting: WaitingRoom, lagMax: Duration,
        mayJoin: @escaping (BrokerID) -> Bool = { _ in true }
    ) {
        self.me = me
        self.world = world
        self.lagMax = lagMax
        surroundings = PartitionHost.Surroundings(clock: world.clock, waiting: waiting, mayJoin: mayJoin)
        surroundings.isOutOfTouch = { [weak self] in self?.isOutOfTouch ?? false }
        surroundings.foundDamage = { [weak self] in self?.foundDamage?() }
        surroundings.propose = { [weak self] host, set, epoch in self?.proposeInSync?(host, set, epoch) }
    }

    // MARK: Finding

    package func host(_ topic: String, _ partition: Int32) -> PartitionHost? { topics[topic]?[partition] }
    /// Looked up once, until any partition comes or goes.
    package func host(_ wanted: WantedPartition) -> PartitionHost? {
        if wanted.foundIn == generation { return wanted.host }
        guard let topic = wanted.topic else { return nil }
        wanted.host = host(topic, wanted.partition)
        wanted.foundIn = generation
        return wanted.host
    }
    package func host(_ partition: TopicPartition) -> PartitionHost? { topics[partition.topic]?[partition.partition] }
    package func hosts(of topic: String) -> [PartitionHost] {
        (topics[topic] ?? [:]).values.sorted { $0.partition < $1.partition }
    }
    func hosts(_ topic: String) -> Bool { topics[topic] != nil }
    /// Sorted.
    package var hosts: [PartitionHost] {
        if let sorted { return sorted }
        let all = topics.values.flatMap(\.values).sorted { $0.partition < $1.partition }
        sorted = all
        return all
    }
    package var count: Int { topics.values.reduce(0) { $0 + $1.count } }

    // MARK: From disk

    /// Directories whose logs are loaded already: their partitions wait, without a role, for the controller.
    package func adopt(_ directories: [LogDirectory], unusable: [(path: String, reason: String)] = []) {
        self.directories = directories
        self.unusable = unusable
        for directory in directories {
            directory.wentOffline = { [weak self, weak directory] reason in
                guard let self, let directory else { return }
                lost(directory, reason)
            }
        }
        giveUpDoubles()
        for directory in directories {
            for (partition, log) in directory.logs.sorted(by: { $0.key < $1.key }) where host(partition) == nil {
                add(log, in: directory, highWatermark: directory.highWatermarks[partition] ?? log.logStartOffset)
            }
        }
        for directory in directories { resumeMoves(into: directory) }
    }

    @discardableResult
    private func add(_ log: PartitionLog, in directory: LogDirectory, highWatermark: Offset) -> PartitionHost {
        let partition = log.partition
        let host = PartitionHost(
            me: me, log: log, directory: directory, highWatermark: highWatermark, config: settings(partition.topic),
            lagMax: lagMax, surroundings: surroundings)
        topics[partition.topic, default: [:]][partition.partition] = host
        sorted = nil
        return host
    }

    func remove(_ host: PartitionHost) {
        let partition = host.partition
        topics[partition.topic]?[partition.partition] = nil
        sorted = nil
        if topics[partition.topic]?.isEmpty == true { topics[partition.topic] = nil }
        movers.cancel(partition)
        host.close()
        left?(partition)
    }

    // MARK: What the controller orders

    /// - Returns: false when the order comes from a controller that is no longer one (STALE_CONTROLLER_EPOCH).
    package func hear(_ epoch: ControllerEpoch) -> Bool {
        guard epoch >= controllerEpoch else { return false }
        controllerEpoch = epoch
        return true
    }

    /// Makes the logs of replicas that are new here, before the orders are applied.
    package func prepare(_ orders: [Order], then: @escaping () -> Void) {
        setStraysAside(orders) { [self] in makeLogs(orders, then: then) }
    }

    private func makeLogs(_ orders: [Order], then: @escaping () -> Void) {
        var wanted: [(directory: LogDirectory, logs: [LogDirectory.NewLog])] = []
        for order in orders where host(order.partition) == nil && order.replicas.contains(me) {
            // Its records may lie where nothing can be read now: an empty log in their stead would be taken for them.
            guard order.isNew || !hasFailedDirectories else { continue }
            let coming = { (directory: LogDirectory) in wanted.first { $0.directory === directory }?.logs.count ?? 0 }
            // A start may have found it without its having been hosted.
            guard !directories.contains(where: { $0.offlineReason == nil && $0.logs[order.partition] != nil }),
                let directory = directory(for: order.partition, besides: coming)
            else { continue }
            let log = LogDirectory.NewLog(
                partition: order.partition, topicID: order.topicID.isZero ? nil : order.topicID,
                settings: settings(order.partition.topic).log)
            if let place = wanted.firstIndex(where: { $0.directory === directory }) {
                wanted[place].logs.append(log)
            } else {
                wanted.append((directory, [log]))
            }
        }
        var left = wanted.count
        guard left > 0 else { return then() }
        for (directory, logs) in wanted {
            directory.createLogs(logs) { [journal, weak self] errors in
                if errors.values.contains(where: \.isWantOfRoom) { self?.waitForRoom(directory) }
                for (partition, error) in errors.sorted(by: { $0.key < $1.key }) {
                    journal.error("could not make a log", ["partition": partition, "reason": error.description])
                }
                left -= 1
                if left == 0 { then() }
            }
        }
    }

    /// A replica that found no room for its first file has answered with an error: the controller must be asked for it once more.
    private func waitForRoom(_ directory: LogDirectory) {
        guard wantsRoom.insert(directory.path).inserted else { return }
        directory.room.whenThereIsRoom { [weak self] in
            guard let self, directory.offlineReason == nil else { return }
            wantsRoom.remove(directory.path)
            foundRoom?()
        }
    }

    /// One partition of a LeaderAndIsr whose epochs were found good as a whole.
    package func apply(_ order: Order) throws(Refusal) {
        var host = host(order.partition)
        if let known = host {
            if known.isOffline { throw .storage }
            // An equal epoch is a repetition when the partition has a role already: Kafka refuses it alike. But a leader whose
            // in-sync set was changed behind its back learns it so.
            let isNews =
                order.leaderEpoch == known.leaderEpoch && known.isLeader && order.leader == me
                && order.partitionEpoch > known.partitionEpoch
            if known.role != .idle, order.leaderEpoch <= known.leaderEpoch, !isNews { throw .staleEpoch }
        }
        guard order.replicas.contains(me) else { throw .notAReplica }
        if host == nil {
            // ``prepare(_:then:)`` has made it, or has said why not.
            guard let directory = directories.first(where: { $0.logs[order.partition] != nil }),
                let log = directory.logs[order.partition], directory.offlineReason == nil
            else { throw .storage }
            host = add(log, in: directory, highWatermark: 0)
            if !order.isNew, log.logEndOffset == 0 {
                journal.warning(
                    "began an empty log for a replica that is not new: none of the log directories holds it. Is one of them not mounted?",
                    ["partition": order.partition, "directory": directory.path, "epoch": order.leaderEpoch])
            }
        }
        guard let host else { throw .storage }
        // What lay there under its name belongs to another topic.
        if !order.topicID.isZero, !host.topicID.isZero, order.topicID != host.topicID { throw .otherTopicID }
        if !order.topicID.isZero, host.topicID.isZero {
            // Made before topics had ids, or the file that told it is gone.
            do throws(LogOpenError) { try host.directory.assign(order.topicID, to: host.log) } catch {
                journal.error("could not write a topic's id", ["partition": order.partition, "reason": error])
            }
        }
        if order.leader == me {
            host.becomeLeader(
                LeaderReplica.Leadership(
                    epoch: order.leaderEpoch, partitionEpoch: order.partitionEpoch, replicas: order.replicas,
                    inSync: InSyncSet(order.inSync)))
            world.journal.info(
                "became leader",
                [
                    "partition": order.partition, "epoch": order.leaderEpoch,
                    "isr": order.inSync.map(\.description).joined(separator: ","), "log_end": host.log.logEndOffset,
                    "high_watermark": host.highWatermark,
                ])
        } else {
            host.becomeFollower(
                of: order.leader, epoch: order.leaderEpoch, partitionEpoch: order.partitionEpoch,
                replicas: order.replicas)
            world.journal.info(
                "became follower",
                [
                    "partition": order.partition, "leader": order.leader == .none ? "none" : "\(order.leader)",
                    "epoch": order.leaderEpoch, "log_end": host.log.logEndOffset,
                ])
        }
        roleChanged?(host)
    }

    /// One partition of a StopReplica.
    /// - Parameter epoch: -2 while its topic is deleted; -1 when unknown: both are believed.
    /// - Returns: the wire code, 0 when done. A replica that is not here has stopped already. The files of those to be deleted go
    ///   with the next ``deleteStopped(then:)``.
    package func stop(_ partition: TopicPartition, epoch: LeaderEpoch, delete: Bool) -> Int16 {
        guard let host = host(partition) else {
            // Found by the start, of a topic that was deleted meanwhile; or a log that could not be opened.
            guard delete else { return 0 }
            let places = directories.filter { $0.holds(partition) }
            // Its files may lie where nothing can be reached now; deleted they must be, or the next topic of that name meets them.
            if places.isEmpty, hasFailedDirectories { return Refusal.storage.rawValue }
            stopped += places.map { (partition, $0) }
            return 0
        }
        if host.isOffline { return Refusal.storage.rawValue }
        if epoch.raw >= 0, epoch < host.leaderEpoch { return 74 }
        host.resign()
        roleChanged?(host)
        guard delete else { return 0 }
        remove(host)
        preferred[partition] = nil
        stopped.append((partition, host.directory))
        world.journal.info("holds a partition no more", ["partition": partition])
        return 0
    }

    /// - Parameter then: when logs of the same names may be made.
    func deleteStopped(then: @escaping () -> Void) {
        let going = stopped
        stopped = []
        let places = directories.map { directory in
            (directory: directory, partitions: going.filter { $0.directory === directory }.map(\.partition))
        }.filter { !$0.partitions.isEmpty }
        var left = places.count
        guard left > 0 else { return then() }
        for (directory, partitions) in places {
            directory.deleteLogs(partitions) { [journal] problem in
                if let problem { journal.error("could not delete a log", ["reason": problem.description]) }
                left -= 1
                if left == 0 { then() }
            }
        }
    }

    /// The controller told of brokers that came or went.
    func brokersChanged() {
        for host in hosts { host.brokersChanged() }
    }

    /// The broker's own settings changed, and with them the defaults of all topics.
    package func allSettingsChanged() {
        for host in hosts {
            let settings = settings(host.partition.topic)
            if settings != host.config { host.configChanged(settings) }
        }
    }

    /// A topic's settings changed in the tree.
    package func settingsChanged(of topic: String) {
        let settings = settings(topic)
        for host in hosts(of: topic) { host.configChanged(settings) }
    }
}
