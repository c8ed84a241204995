import ClusterModel
import CommitLog
import ConsumerGroups
import Controller
import CoordinationClient
import KafkaClient
import KafkaProtocol
import Platform

extension BrokerNode {
    /// Puts the roles together around the session; nothing happens before ``sessionBegan(_:)``.
    func assemble(tree: ClientTree, client: CoordinationClient, endpoints: [Endpoint], sessionFile: String) {
        let settings = TopicSettings(tree: tree, world: world, me: id, broker: BrokerSettings(file: config.settings))
        topicSettings = settings
        self.tree = tree
        partitions.settings = { settings[$0] }
        settings.changed = { [weak self] topic in
            guard let self else { return }
            partitions.settingsChanged(of: topic)
            self.controller?.electionRulesChanged(topic, to: topicSettings?[topic].electionRules)
        }
        settings.brokerChanged = { [weak self] in self?.settingsChanged() }
        configAdmin = ConfigAdmin(tree: tree, world: world, me: id, metadata: metadata, settings: settings)

        registration = Registration(
            world: world, tree: tree,
            settings: Registration.Settings(
                broker: id, endpoints: endpoints,
                protocols: config.listeners.map { (listener: $0.binds.listener, protocol: $0.securityProtocol) },
                rack: config[BrokerKeys.rack], sessionTimeout: config[BrokerKeys.sessionTimeout],
                sessionFile: sessionFile))
        registration?.isSuspect = { [partitions] in partitions.directories.contains(where: \.tailIsSuspect) }

        let channels = ControllerChannels(world: world) { [unowned self] broker in controlLink(to: broker) }
        let controllerSettings = controllerSettings
        let controller = ControllerDriver(world: world, tree: tree, settings: controllerSettings, channels: channels)
        controller.controllerChanged = { [weak self] holder in
            self?.metadata.setController(holder ?? .none)
            self?.inSyncPublisher?.controllerChanged()
        }
        self.controller = controller
        replicate(controller)
        topicAdmin = TopicAdmin(
            world: world, tree: tree, metadata: metadata, controller: controller, settings: controllerSettings,
            surroundings: TopicAdmin.Surroundings(
                configProblem: {
                    TopicKeys.problem($0.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) })
                },
                describe: { [weak settings, config] in
                    BrokerNode.describe($0, settings?.broker.topicDefaults ?? config.topicDefaults)
                }))
        producerIDs = ProducerIDs(tree: tree, broker: id, journal: world.journal)
        groups = GroupDriver(
            world: world, me: id, tree: GroupTreeOnTree(tree, aliveUntil: { client.provenAliveUntil }), facts: metadata,
            settings: GroupSettings(config))
        metadata.changed = { [weak self] topics in
            guard let self else { return }
            for topic in topics where metadata.topic(topic) == nil { groups?.topicDeleted(topic) }
            groups?.clusterChanged()
            topicAdmin?.topicsChanged(topics)
        }
    }

    /// The tree says something new about this broker, or about all of them.
    private func settingsChanged() {
        guard let topicSettings else { return }
        rates.take(topicSettings.broker)
        partitions.allSettingsChanged()
        guard let controller else { return }
        controller.electionRulesChanged(
            to: ElectionRules(
                uncleanElection: topicSettings.broker[BrokerKeys.uncleanElection],
                minInSync: topicSettings.broker[BrokerKeys.minInSync]))
        for topic in metadata.topicNames {
            controller.electionRulesChanged(topic, to: topicSettings[topic].electionRules)
        }
    }

    /// Where another broker is to be found, as the metadata say.
    func address(of broker: BrokerID) -> BrokerAddress? {
        guard let there = metadata.broker(broker) else { return nil }
        return (there.address(listener: config.interBrokerListener) ?? there.addresses.first).map {
            BrokerAddress(host: $0.host, port: Int($0.port))
        }
    }

    /// Followers fetch, and leaders have their in-sync sets recorded.
    private func replicate(_ controller: ControllerDriver) {
        let address: (BrokerID) -> BrokerAddress? = { [weak self] in self?.address(of: $0) }
        let fetchers = ReplicaFetchers(
            world: world, me: id, settings: ReplicaFetcher.Settings(config), rates: rates, address: address,
            brokerEpoch: { [weak self] in self?.epoch ?? .none })
        self.fetchers = fetchers
        let publisher = InSyncPublisher(
            world: world, me: id, brokerEpoch: { [weak self] in self?.epoch ?? .none },
            controller: { [weak controller, metadata, id] in
                if let controller, controller.isController { return .here(controller) }
                guard metadata.controller != id, let there = address(metadata.controller) else { return nil }
                return .there(there)
            })
        inSyncPublisher = publisher
        partitions.movePause = { [rates] in rates.pause(.moves) }
        partitions.moved = { [rates] in rates.sent($0, .moves) }
        partitions.directoryLost = { [weak self] _, reason, isLast in
            guard let self else { return }
            isLast ? allDirectoriesLost(reason) : tellOfLogDirectories()
        }
        partitions.foundRoom = { [weak self] in self?.tellOfLogDirectories() }
        partitions.roleChanged = { [weak fetchers] host in fetchers?.roleChanged(of: host) }
        partitions.left = { [weak fetchers] partition in fetchers?.left(partition) }
        partitions.proposeInSync = { [weak publisher] host, set, epoch in
            publisher?.propose(set, for: host, expecting: epoch)
        }
    }

    /// The controller then asks for all replicas here, and hears which ones are offline and which no longer are. Without a session there is no need: it asks
    /// a broker that comes back anyway.
    private func tellOfLogDirectories() {
        guard epoch != .none, let tree else { return }
        tree.multi([
            .create(
                "\(Znodes.logDirEvents)/log_dir_event_", LogDirEventPayload(broker: id).payload,
                mode: .persistentSequential)
        ]) { [weak self] result in
            guard case .failure(let failure) = result, failure.error != .sessionExpired, let self else { return }
            world.after(.milliseconds(200)) { [weak self] in self?.tellOfLogDirectories() }
        }
    }

    private func controlLink(to broker: BrokerID) -> any ControlLink {
        if broker == id { return OwnControlLink(self) }
        let listener = config.interBrokerListener
        return RemoteControlLink(world: world, clientID: "broker-\(id)") { [weak self] in
            guard let registration = self?.controller?.registration(of: broker),
                let endpoint = registration.endpoint(listener) ?? registration.endpoints.first
            else { return nil }
            return BrokerAddress(host: endpoint.host, port: Int(endpoint.port))
        }
    }

    private var controllerSettings: ControllerSettings {
        var settings = ControllerSettings(broker: id)
        settings.interBrokerListener = config.interBrokerListener
        settings.core.deletesTopics = config[BrokerKeys.deleteTopics]
        settings.core.rules = ElectionRules(
            uncleanElection: config[BrokerKeys.uncleanElection], minInSync: config[BrokerKeys.minInSync])
        settings.core.autoRebalance = config[BrokerKeys.autoRebalance]
        settings.core.imbalancePercentage = config[BrokerKeys.imbalancePercentage]
        settings.rebalanceInterval = config[BrokerKeys.imbalanceCheck]
        settings.defaultPartitions = Int32(clamping: config[BrokerKeys.partitions])
        settings.defaultReplicationFactor = Int16(clamping: config[BrokerKeys.replicationFactor])
        return settings
    }

    /// All settings of a topic, as the answer to CreateTopics shows them.
    private static func describe(
        _ overrides: [String: String], _ defaults: TopicDefaults
    ) -> [CreateTopicsResponse.CreatableTopicConfigs] {
        TopicKeys.all.map { topic in
            .with {
                $0.name = topic.key.name
                $0.value = overrides[topic.key.name] ?? defaults.text(topic.key.name) ?? topic.key.defaultText
                $0.readOnly = false
                $0.configSource = overrides[topic.key.name] == nil ? 5 : 1
                $0.isSensitive = false
            }
        }
    }

    // MARK: A session's life

    /// Registered: a new life with a new epoch.
    func sessionBegan(_ epoch: BrokerEpoch) {
        let isLater = self.epoch != .none
        self.epoch = epoch
        if isLater { topicSettings?.sessionBegan() }
        groups?.sessionBegan()
        controller?.sessionBegan()
    }

    func sessionEnded() {
        topicSettings?.sessionEnded()
        controller?.sessionEnded()
        groups?.sessionEnded()
        registration?.sessionEnded()
    }
}

/// The controller's way to the broker it lives in: no socket, and never an answer from within the call.
private final class OwnControlLink: ControlLink {
    private weak var node: BrokerNode?
    private var isOpen = true

    init(_ node: BrokerNode) { self.node = node }

    func send(_ request: ControlRequest, then: @escaping (ControlAnswer?) -> Void) {
        guard let node else { return }
        node.world.timers.soon { [weak self, weak node] in
            guard let self, let node, isOpen else { return }
            switch request {
            case .leaderAndIsr(let request):
                node.leaderAndIsr(request) { [weak self] in self?.answer(.leaderAndIsr($0), then) }
            case .updateMetadata(let request):
                node.updateMetadata(request) { [weak self] in self?.answer(.updateMetadata($0), then) }
            case .stopReplica(let request):
                node.stopReplica(request) { [weak self] in self?.answer(.stopReplica($0), then) }
            case .listOffsets(let request): answer(.listOffsets(node.logEnds(request)), then)
            }
        }
    }

    private func answer(_ answer: ControlAnswer, _ then: @escaping (ControlAnswer?) -> Void) {
        if isOpen { then(answer) }
    }

    func close() { isOpen = false }
}
