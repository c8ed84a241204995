import Bytes
import ClusterModel
import CoordinationClient
import CoordinationServer
import KafkaProtocol
import Platform
import SimulatedPlatform

@testable import Broker

/// Brokers without logs on a simulated network, with the real coordinator: what the controller's drivers need and no more.
final class PretendCluster {
    let simulation: Simulation
    private(set) var brokers: [Int32: PretendBroker] = [:]
    private var booted: Set<Int32> = []
    var server: CoordinationServer?
    var core = ControllerSettings(broker: 0)
    /// Brokers whose next start comes after a loss of power.
    var suspects: Set<Int32> = []
    /// How far brokers' logs go, for a controller that compares.
    var logEnds: [Int32: [TopicPartition: (epoch: Int32, offset: Int64)]] = [:]

    init(seed: UInt64 = 1) {
        simulation = Simulation(seed: seed)
        simulation.node("coordinator").boot { [unowned self] world in
            var config = CoordinatorConfig(dataDir: "/data")
            config.clientPort = 2181
            let server = try? CoordinationServer.start(config: config, world: world)
            self.server = server
            return server
        }
    }

    func start(_ id: Int32, endsOldSession: Bool = true) {
        let node = simulation.node("b\(id)")
        let boot: (SimulatedWorld) -> AnyObject? = { [unowned self] world in
            let broker = PretendBroker(world: world, id: BrokerID(id), cluster: self, endsOldSession: endsOldSession)
            self.brokers[id] = broker
            return broker
        }
        if booted.insert(id).inserted { node.boot(boot) } else { node.restart() }
        run(within: .seconds(1)) { brokers[id] != nil }
    }
    func crash(_ id: Int32) {
        simulation.node("b\(id)").crash(.process)
        brokers[id] = nil
    }
    func broker(_ id: Int32) -> PretendBroker {
        guard let broker = brokers[id] else { preconditionFailure("broker \(id) is down") }
        return broker
    }
    var controllers: [PretendBroker] {
        brokers.values.filter { $0.driver.isController }.sorted { $0.id < $1.id }
    }
    @discardableResult
    func run(within limit: Duration = .seconds(60), _ condition: () -> Bool) -> Bool {
        simulation.run(within: limit, until: condition)
    }
}

final class PretendBroker {
    let world: SimulatedWorld
    let id: BrokerID
    unowned let cluster: PretendCluster
    let client: CoordinationClient
    let tree: ClientTree
    let registration: Registration
    let driver: ControllerDriver
    let admin: TopicAdmin
    let ids: ProducerIDs
    let metadata = MetadataCache()
    /// The newest LeaderAndIsr of each partition.
    var told: [TopicPartition: LeaderAndIsrRequest.LeaderAndIsrPartitionState] = [:]
    var deleted: [TopicPartition] = []
    var refusal: Registration.Refusal?
    var clusterID = ""
    var heard: [ControlRequest] = []
    /// Partitions on a log directory that failed.
    var onFailedDirectory: Set<TopicPartition> = []
    /// Registers as a machine that lost power does.
    var isSuspect: Bool
    /// While deaf, nothing reaches it.
    var isDeaf = false

    init(world: SimulatedWorld, id: BrokerID, cluster: PretendCluster, endsOldSession: Bool) {
        self.world = world
        self.id = id
        self.cluster = cluster
        let connect = ConnectString(hosts: [.init(name: "coordinator", port: 2181)])
        let box = Box()
        client = CoordinationClient(world: world, connect: connect, sessionTimeout: .seconds(6)) { event in
            box.broker?.session(event)
        }
        tree = ClientTree(client)
        let listener = Endpoint(listener: "PLAINTEXT", host: "b\(id)", port: 9092)
        registration = Registration(
            world: world, tree: tree,
            settings: .init(
                broker: id, endpoints: [listener], protocols: [("PLAINTEXT", "PLAINTEXT")], rack: nil,
                sessionTimeout: .seconds(6), sessionFile: "/data/letterbox.session"))
        var settings = cluster.core
        settings.broker = id
        let channels = ControllerChannels(world: world) { [unowned cluster] broker in
            LocalControlLink(timers: world.timers) { request, then in
                guard let target = cluster.brokers[broker.raw], cluster.simulation.node("b\(broker)").isUp,
                    !target.isDeaf
                else { return }
                then(target.apply(request))
            }
        }
        driver = ControllerDriver(world: world, tree: tree, settings: settings, channels: channels)
        admin = TopicAdmin(
            world: world, tree: tree, metadata: metadata, controller: driver, settings: settings,
            surroundings: .init(
                configProblem: { $0["bad"] == nil ? nil : "Unknown topic config name: bad" }, describe: { _ in [] }))
        ids = ProducerIDs(tree: tree, broker: id, journal: world.journal)
        isSuspect = cluster.suspects.contains(id.raw)
        box.broker = self
        registration.isSuspect = { [unowned self] in isSuspect }
        metadata.changed = { [weak self] names in self?.admin.topicsChanged(names) }
        try? world.disk.createDirectory("/data")
        let begin = { [client] in client.start() }
        if endsOldSession, let old = Registration.rememberedSession(in: "/data/letterbox.session", disk: world.disk) {
            CoordinationClient.closeSession(
                SessionIdentity(id: old.id, password: old.password), world: world, connect: connect,
                sessionTimeout: .seconds(6),
                patience: .seconds(6)
            ) { _ in begin() }
        } else {
            begin()
        }
    }

    private final class Box { weak var broker: PretendBroker? }

    private func session(_ event: SessionEvent) {
        switch event {
        case .connected(isNew: true):
            registration.remember(.init(id: client.identity.id, password: client.identity.password))
            registration.prepare { [weak self] result in
                guard let self else { return }
                switch result {
                case .failure(let refusal): self.refusal = refusal
                case .success(let id):
                    clusterID = id
                    registration.register { [weak self] result in
                        switch result {
                        case .failure(let refusal): self?.refusal = refusal
                        case .success: self?.driver.sessionBegan()
                        }
                    }
                }
            }
        case .expired:
            registration.sessionEnded()
            driver.sessionEnded()
            client.startNewSession()
        default: break
        }
    }

    func apply(_ request: ControlRequest) -> ControlAnswer {
        heard.append(request)
        switch request {
        case .leaderAndIsr(let request):
            var response = LeaderAndIsrResponse()
            guard request.brokerEpoch >= registration.brokerEpoch.raw else {
                response.errorCode = .staleBrokerEpoch
                return .leaderAndIsr(response)
            }
            for topic in request.topicStates {
                var answer = LeaderAndIsrResponse.LeaderAndIsrTopicError()
                answer.topicID = topic.topicID
                for state in topic.partitionStates {
                    let partition = TopicPartition(topic.topicName, state.partitionIndex)
                    told[partition] = state
                    answer.partitionErrors.append(
                        .with {
                            $0.partitionIndex = state.partitionIndex
                            $0.errorCode = onFailedDirectory.contains(partition) ? .kafkaStorageError : .none
                        })
                }
                response.topics.append(answer)
            }
            return .leaderAndIsr(response)
        case .updateMetadata(let request):
            metadata.apply(
                controller: BrokerID(request.controllerID),
                brokers: request.liveBrokers.map { broker in
                    .init(
                        id: BrokerID(broker.id), rack: broker.rack,
                        addresses: broker.endpoints.map { .init(listener: $0.listener, host: $0.host, port: $0.port) })
                },
                topics: request.topicStates.map { topic in
                    (
                        name: topic.topicName, id: topic.topicID,
                        partitions: topic.partitionStates.map {
                            .init(
                                index: $0.partitionIndex, leader: BrokerID($0.leader),
                                leaderEpoch: LeaderEpoch($0.leaderEpoch),
                                replicas: $0.replicas.map { BrokerID($0) }, inSync: $0.isr.map { BrokerID($0) })
                        }
                    )
                })
            return .updateMetadata(UpdateMetadataResponse())
        case .stopReplica(let request):
            for topic in request.topicStates {
                for state in topic.partitionStates where state.deletePartition {
                    let partition = TopicPartition(topic.topicName, state.partitionIndex)
                    deleted.append(partition)
                    told[partition] = nil
                }
            }
            return .stopReplica(StopReplicaResponse())
        case .listOffsets(let request):
            var response = ListOffsetsResponse()
            response.topics = request.topics.map { topic in
                .with {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { asked in
                        let end = cluster.logEnds[id.raw]?[TopicPartition(topic.name, asked.partitionIndex)]
                        return .with {
                            $0.partitionIndex = asked.partitionIndex
                            $0.errorCode = end == nil ? .unknownTopicOrPartition : .none
                            $0.leaderEpoch = end?.epoch ?? -1
                            $0.offset = end?.offset ?? -1
                        }
                    }
                }
            }
            return .listOffsets(response)
        }
    }

    func create(_ name: String, partitions: Int32 = 1, replicas: Int16 = 1, timeoutMs: Int32 = 5000)
        -> CreateTopicsRequest
    {
        var request = CreateTopicsRequest()
        var topic = CreateTopicsRequest.CreatableTopic()
        topic.name = name
        topic.numPartitions = partitions
        topic.replicationFactor = replicas
        request.topics = [topic]
        request.timeoutMs = timeoutMs
        return request
    }
}
