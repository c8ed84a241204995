import Bytes
import ClusterModel
import CommitLog
import CoordinationClient
import CoordinationProtocol
import Platform

/// From files on disk to a registered broker, in this order: directories and locks, the session, the cluster's id, the
/// logs, the
/// registration, the controller's seat. Each step that waits says what it waits for. It decides nothing about
/// partitions.
package final class BrokerStart {
    package struct Options: Sendable {
        /// Start although Apache's internal topics lie in the log directories.
        package var ignoresInternalTopics = false
        package init() {}
    }

    package let node: BrokerNode
    private let world: any World
    private let config: BrokerConfig
    private let options: Options
    private let connect: ConnectString
    private let failed: (ServerFailure) -> Void
    private let ready: () -> Void
    private var directories: [LogDirectory] = []
    /// Entries of log.dirs that the disk refuses: the broker serves without them.
    private var unusable: [(path: String, reason: String)]
    private var client: CoordinationClient?
    private var tree: ClientTree?
    private var deadline = Instant.start
    private var waitLine: TimerID?
    private var lastTrouble = "no answer yet"
    private var isPrepared = false
    /// Counts sessions that began before the logs were loaded: what an older one asked for is void.
    private var preparation = 0
    private var isReady = false
    private var isStopped = false
    private var listeners: [Endpoint]
    private var sessionFile: String { "\(directories.first?.path ?? config.logDirs[0])/letterbox.session" }

    /// - Parameter directories: opened and locked, see ``openDirectories(_:world:options:)``.
    /// - Parameter listeners: what clients are told, with the ports that were bound.
    package init(
        node: BrokerNode, directories: [LogDirectory], listeners: [Endpoint], options: Options,
        failed: @escaping (ServerFailure) -> Void, ready: @escaping () -> Void
    ) throws(ServerFailure) {
        self.node = node
        world = node.world
        config = node.config
        self.directories = directories
        unusable = config.logDirs.filter { path in !directories.contains { $0.path == path } }
            .map { ($0, "it could not be opened") }
        self.listeners = listeners
        self.options = options
        self.failed = failed
        self.ready = ready
        do throws(ConnectStringError) { connect = try ConnectString(config.coordinator) } catch {
            throw ServerFailure("zookeeper.connect: \(error)")
        }
    }

    // MARK: Directories

    /// Locks every directory, and looks at what they say before anything else is touched. One that the disk refuses is left out
    /// while another works.
    package static func openDirectories(
        _ config: BrokerConfig, world: any World, options: Options
    ) throws(ServerFailure) -> [LogDirectory] {
        var directories: [LogDirectory] = []
        var problem: LogOpenError?
        for path in config.logDirs {
            if path == "/tmp" || path.hasPrefix("/tmp/") {
                world.journal.warning("log.dirs is under /tmp: it may vanish at the next boot", ["directory": path])
            }
            do throws(LogOpenError) { directories.append(try LogDirectory.open(path, world: world)) } catch {
                if error.isDiskFailure, config.logDirs.count > 1 {
                    problem = error
                    world.journal.error(
                        "a log directory cannot be used; its replicas are offline",
                        ["directory": path, "reason": error.description])
                    continue
                }
                throw ServerFailure(
                    "LB-1011 \(path) cannot be used: \(error). Check log.dirs, its owner and permissions")
            }
        }
        if directories.isEmpty, let problem { throw BrokerStart.noneLeft(problem.description) }
        for directory in directories where !directory.internalTopicDirectories.isEmpty && !options.ignoresInternalTopics
        {
            throw ServerFailure(
                "LB-1018 \(directory.path) holds Apache Kafka's internal topics (\(directory.internalTopicDirectories[0]), "
                    + "\(directory.internalTopicDirectories.count) in all): committed offsets and transactions kept there would be "
                    + "ignored. To go on without them, start with --ignore-internal-topics; the records of all other topics stay readable, and "
                    + "letterbox import --groups \(directory.path) brings the committed offsets over then"
            )
        }
        return directories
    }

    /// Which call on which file failed is in `reason`.
    package static func noneLeft(_ reason: String) -> ServerFailure {
        ServerFailure(
            "LB-1019 no log directory works any more: \(reason). Mend the disk, make room on it, or correct the directory's owner "
                + "and permissions; then start the broker again")
    }

    /// `broker.id`, else what meta.properties says; nil: to be drawn from the tree.
    package static func knownID(_ config: BrokerConfig, _ directories: [LogDirectory]) throws(ServerFailure)
        -> BrokerID?
    {
        let written = directories.compactMap(\.identity.brokerID)
        if let first = written.first, let other = written.first(where: { $0 != first }) {
            throw ServerFailure(
                "the log directories belong to different brokers (\(first) and \(other)); correct log.dirs")
        }
        guard config.brokerID != .none else { return written.first }
        if let first = written.first, first != config.brokerID {
            throw ServerFailure(
                "\(directories[0].path)/meta.properties says broker.id=\(first), the configuration \(config.brokerID): "
                    + "this directory belongs to another broker; correct broker.id or log.dirs")
        }
        return config.brokerID
    }

    // MARK: The session

    package func begin() {
        let patience = config[BrokerKeys.coordinatorConnectTimeout] ?? config[BrokerKeys.sessionTimeout]
        deadline = world.clock.now + patience
        sayWaiting()
        guard let old = Registration.rememberedSession(in: sessionFile, disk: world.disk) else { return open() }
        // The last life's session goes first, and with it whatever it held: nothing has to expire.
        CoordinationClient.closeSession(
            SessionIdentity(id: old.id, password: old.password), world: world, connect: connect,
            sessionTimeout: config[BrokerKeys.sessionTimeout], patience: patience,
            trouble: { [weak self] in self?.lastTrouble = $0 }
        ) { [self] outcome in
            guard !isStopped else { return }
            switch outcome {
            case .closed: world.journal.info("closed the session of the last start")
            case .gone: break
            case .unreachable(let why):
                lastTrouble = why
                return giveUp()
            }
            open()
        }
    }

    private func open() {
        let client = CoordinationClient(
            world: world, connect: connect, sessionTimeout: config[BrokerKeys.sessionTimeout]
        ) { [weak self] event in self?.heard(event) }
        self.client = client
        let tree = ClientTree(client)
        self.tree = tree
        node.allDirectoriesLost = { [weak self] reason in self?.fail(BrokerStart.noneLeft(reason)) }
        node.assemble(tree: tree, client: client, endpoints: listeners, sessionFile: sessionFile)
        client.start()
        world.timers.soon { [weak self] in self?.watchDeadline() }
    }

    private func watchDeadline() {
        world.after(deadline - world.clock.now) { [weak self] in
            guard let self, !self.isStopped, !self.isPrepared, self.client?.isConnected != true else { return }
            self.giveUp()
        }
    }

    private func giveUp() {
        fail(
            "LB-1009 no coordinator answered at \(connect) (\(lastTrouble)). Start it: "
                + "scripts/zookeeper-server-start.sh config/zookeeper.properties, or correct zookeeper.connect")
    }

    private func sayWaiting() {
        waitLine = world.after(.seconds(waitLine == nil ? 1 : 5)) { [weak self] in
            guard let self, !self.isStopped, !self.isPrepared, self.client?.isConnected != true else { return }
            let left = max(0, (self.deadline - self.world.clock.now).wholeMilliseconds / 1000)
            self.world.journal.notice(
                "waiting for the coordinator at \(self.connect) (\(self.lastTrouble)), \(left) s left; "
                    + "start it: scripts/zookeeper-server-start.sh config/zookeeper.properties")
            self.sayWaiting()
        }
    }

    private func heard(_ event: SessionEvent) {
        guard !isStopped, let client, let registration = node.registration else { return }
        switch event {
        case .attemptFailed(_, let reason), .disconnected(let reason):
            lastTrouble = reason
            node.partitions.isOutOfTouch = true
        case .connected(let isNew):
            node.partitions.isOutOfTouch = false
            guard isNew else { return }
            registration.remember(
                Registration.RememberedSession(id: client.identity.id, password: client.identity.password))
            isPrepared ? register() : prepare()
        case .expired:
            preparation += 1
            world.journal.warning("gave up every role: they belonged to the session")
            node.sessionEnded()
            client.startNewSession()
        case .authFailed: fail("LB-1016 the coordinator refused the credentials")
        }
    }

    // MARK: The cluster, the logs, the registration

    private func prepare() {
        guard let registration = node.registration, let client else { return }
        preparation += 1
        let isOver: () -> Bool = { [self, preparation] in isStopped || preparation != self.preparation }
        let next: () -> Void = { [self] in
            registration.prepare { [self] result in
                guard !isOver() else { return }
                switch result {
                // The new session begins over.
                case .failure(.coordinator(.sessionExpired)): break
                case .failure(let refusal): fail(refusal.description)
                case .success(let clusterID): found(clusterID, isOver)
                }
            }
        }
        guard connect.chroot.isEmpty else {
            return client.makeChroot { [self] result in
                guard !isOver() else { return }
                if case .failure(let error) = result, error != .sessionExpired {
                    return fail("\(connect.chroot) cannot be made at the coordinator: \(error)")
                }
                next()
            }
        }
        next()
    }

    private func found(_ clusterID: String, _ isOver: @escaping () -> Bool) {
        node.clusterID = clusterID
        world.journal.notice("Cluster ID = \(clusterID)")
        for directory in directories {
            if let known = directory.identity.clusterID, known != clusterID {
                let topics =
                    (try? world.disk.list(directory.path))?.filter {
                        $0.isDirectory && LogDirectory.partition($0.name)?.partition == 0
                    }.count ?? 0
                return fail(
                    "LB-1010 broker \(node.id)'s disk (\(directory.path)) belongs to cluster \(known) (\(topics) topic\(topics == 1 ? "" : "s")); the "
                        + "coordinator at \(connect) is a different one (\(clusterID)): its data directory was probably deleted, or "
                        + "zookeeper.connect names another. To keep the messages, put the old dataDir of the coordinator back "
                        + "and start both again; if it is lost: letterbox rescue --from-log-dirs, with the directories of all "
                        + "brokers; to start afresh: scripts/reset.sh --broker \(node.id) (moves \(directory.path) aside, "
                        + "deletes nothing)")
            }
            do throws(LogOpenError) {
                try directory.identify(as: DirectoryIdentity(brokerID: node.id, clusterID: clusterID))
            } catch { return fail("LB-1011 \(error)") }
        }
        guard let settings = node.topicSettings else { return }
        settings.sessionBegan { [self] in
            // Logs are loaded once, and only with settings that were read to the end.
            guard !isOver() else { return }
            loadLogs()
        }
    }

    private func loadLogs() {
        let began = world.clock.now
        for directory in directories {
            do throws(LogOpenError) {
                try directory.loadLogs { [node] partition in node.topicSettings?[partition.topic].log ?? LogSettings() }
            } catch {
                guard error.isDiskFailure, directories.count > 1 else { return fail("LB-1011 \(error)") }
                world.journal.error(
                    "a log directory cannot be used; its replicas are offline",
                    ["directory": directory.path, "reason": error.description])
                unusable.append((directory.path, error.description))
                directories.removeAll { $0 === directory }
            }
        }
        lookForMissing()
        tellOfGaps()
        node.partitions.adopt(directories, unusable: unusable)
        world.journal.info(
            "loaded the logs",
            [
                "partitions": node.partitions.count, "ms": (world.clock.now - began).wholeMilliseconds,
                "clean": directories.allSatisfy(\.stoppedCleanly),
            ])
        isPrepared = true
        node.beginHousekeeping()
        register()
    }

    /// A replica that is shorter than it was, or gone, must not be elected over others that are whole: nothing but the checkpoints
    /// knows of its loss.
    private func lookForMissing() {
        for directory in directories {
            // What moved to another directory, right before a crash, is there.
            let missing = directory.missing.filter { entry in
                !directories.contains {
                    $0.logs[entry.partition].map { $0.nextOffset >= entry.offsets.upperBound } ?? false
                }
            }
            for entry in missing {
                world.journal.error(
                    "records that were synced are missing: a file or the partition's directory was removed, or an older copy put back",
                    [
                        "partition": entry.partition, "directory": directory.path,
                        "offsets": "\(entry.offsets.lowerBound)-\(entry.offsets.upperBound - 1)",
                    ])
            }
            if !missing.isEmpty { directory.suspectTail() }
        }
    }

    /// Only told: nothing here knows whether the records between were wanted.
    private func tellOfGaps() {
        for directory in directories {
            for (partition, gaps) in directory.gaps.sorted(by: { $0.key < $1.key })
            where node.topicSettings?[partition.topic].compacts == false {
                world.journal.warning(
                    "offsets are missing between two segments: a file was removed, or the topic was compacted once. Where another replica "
                        + "has them: stop this broker, move the partition's directory away, and start it again",
                    [
                        "partition": partition, "directory": directory.path,
                        "offsets": gaps.map { "\($0.lowerBound)-\($0.upperBound - 1)" }.joined(separator: ","),
                    ])
            }
        }
    }

    private func register() {
        guard let registration = node.registration else { return }
        registration.register { [self] result in
            guard !isStopped else { return }
            switch result {
            case .failure(.coordinator(.sessionExpired)): break
            case .failure(let refusal): fail(refusal.description)
            case .success(let epoch):
                node.sessionBegan(epoch)
                guard !isReady else { return }
                isReady = true
                ready()
            }
        }
    }

    private func fail(_ text: String) { fail(ServerFailure(text)) }

    private func fail(_ failure: ServerFailure) {
        guard !isStopped else { return }
        isStopped = true
        failed(failure)
    }

    // MARK: The end

    package var reachesCoordinator: Bool { client?.isConnected == true }

    /// Ends the session and closes the logs. Who wants to hand leaderships over does it before.
    package func stop(then: @escaping () -> Void) {
        isStopped = true
        if let waitLine { world.timers.cancel(waitLine) }
        node.isStopping = true
        node.groups?.stop()
        node.endHousekeeping()
        node.fetchers?.stop()
        node.inSyncPublisher?.stop()
        guard isPrepared else {
            // Nothing was hosted: the directories stay as they were found.
            client?.abandon()
            return then()
        }
        let close: () -> Void = { [self] in
            node.partitions.close(brokerEpoch: node.epoch) { [self] in
                world.journal.notice("stopped", ["broker_id": node.id])
                then()
            }
        }
        guard let client, client.isConnected else {
            client?.abandon()
            return close()
        }
        client.close { [self] confirmed in
            if confirmed { node.registration?.forgetSession() }
            close()
        }
    }
}
