import Broker
import BrokerServer
import ClusterModel
import Configuration
import CoordinationServer
import Platform
import SimulatedPlatform

/// A coordinator and three brokers on simulated machines, made as the executable makes them; whoever gives up is started again a
/// second later, as a supervisor would.
final class Cluster {
    static let brokers = 3

    let simulation: Simulation
    let setting: Setting
    let coordinatorNode: SimulatedNode
    let brokerNodes: [SimulatedNode]
    private(set) var coordinator: CoordinationServer?
    private(set) var processes: [BrokerProcess?]
    /// Those who could not start or go on, and why.
    private(set) var failures: [(at: Instant, node: String, reason: String)] = []

    init(simulation: Simulation, setting: Setting) {
        self.simulation = simulation
        self.setting = setting
        coordinatorNode = simulation.node("coordinator")
        brokerNodes = (0..<Cluster.brokers).map { simulation.node("broker-\($0)") }
        processes = Array(repeating: nil, count: Cluster.brokers)
    }

    func start() {
        switch setting.planted {
        case .brokersNeverSync: for node in brokerNodes { node.storage.syncsNothing = true }
        case .coordinatorNeverSyncs: coordinatorNode.storage.syncsNothing = true
        case .powerLossUnnoticed: for node in brokerNodes { node.keepsBootID = true }
        case .uncleanElection, .producersWithoutIDs, nil: break
        }
        coordinatorNode.boot { [unowned self] world in
            coordinator = nil
            do throws(StartProblem) {
                let server = try CoordinationServer.start(config: Cluster.coordinatorConfig, world: world) {
                    [weak self] reason in
                    if let reason { self?.gaveUp("coordinator", reason) }
                }
                coordinator = server
                return server
            } catch {
                gaveUp("coordinator", error.description)
                return nil
            }
        }
        for id in brokerNodes.indices {
            let properties = Cluster.properties(id, setting)
            brokerNodes[id].boot { [unowned self] world in
                processes[id] = nil
                do throws(ServerFailure) {
                    let process = try BrokerProcess(properties, world: world)
                    processes[id] = process
                    try process.start { [weak self] in self?.gaveUp("broker-\(id)", $0.description) }
                    return process
                } catch {
                    gaveUp("broker-\(id)", error.description)
                    return nil
                }
            }
        }
    }

    private static var coordinatorConfig: CoordinatorConfig {
        var config = CoordinatorConfig(dataDir: "/data")
        config.preallocation = 16 << 10
        config.snapCount = 300
        config.rules.tick = 500
        config.rules.minSessionTimeout = 1000
        config.rules.maxSessionTimeout = 60_000
        config.maxClientConnections = 0
        return config
    }

    private static func properties(_ id: Int, _ setting: Setting) -> Properties {
        var properties = Properties([
            "broker.id": "\(id)", "listeners": "PLAINTEXT://:9092",
            "advertised.listeners": "PLAINTEXT://broker-\(id):9092",
            "log.dirs": "/logs", "zookeeper.connect": "coordinator:2181",
            "zookeeper.connection.timeout.ms": "60000",
            "auto.create.topics.enable": "false",
            "replica.high.watermark.checkpoint.interval.ms": "1000",
            "log.flush.offset.checkpoint.interval.ms": "2000",
            "log.index.interval.bytes": "300",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
        ])
        properties["zookeeper.session.timeout.ms"] = "\(setting.sessionMs)"
        properties["replica.lag.time.max.ms"] = "\(setting.lagMaxMs)"
        properties["replica.fetch.wait.max.ms"] = "\(setting.fetchWaitMs)"
        properties["leader.imbalance.check.interval.seconds"] = "\(setting.rebalanceSeconds)"
        properties["log.segment.bytes"] = "\(setting.segmentBytes)"
        if setting.planted == .uncleanElection { properties["unclean.leader.election.enable"] = "true" }
        if setting.syncsEach { properties["log.flush.interval.messages"] = "1" }
        return properties
    }

    /// A process that ends by itself ends with status 1; its machine stays.
    private func gaveUp(_ name: String, _ reason: String) {
        failures.append((simulation.now, name, reason))
        let node = simulation.node(name)
        let life = node.life
        simulation.after(.zero, "gave up \(name)") {
            guard node.isUp, node.life == life else { return }
            node.crash(.process)
        }
        simulation.after(.seconds(1), "supervisor \(name)") { if !node.isUp, node.life == life { node.restart() } }
    }

    // MARK: Who is who

    func brokerID(_ node: SimulatedNode) -> Int? {
        let id = node.number - brokerNodes[0].number
        return brokerNodes.indices.contains(id) ? id : nil
    }

    /// The assembled broker, while its machine is up.
    func node(_ id: Int) -> BrokerNode? {
        guard brokerNodes[id].isUp else { return nil }
        return processes[id]?.node
    }

    /// The broker that rules, as it believes itself; of several the one of the highest epoch.
    var controller: Int? {
        brokerNodes.indices.filter { node($0)?.controller?.isController == true }
            .max { (node($0)?.controller?.epoch?.raw ?? 0) < (node($1)?.controller?.epoch?.raw ?? 0) }
    }

    /// Every broker knows of all of them.
    func isServing() -> Bool {
        brokerNodes.indices.allSatisfy { id in
            guard let node = node(id) else { return false }
            return brokerNodes.indices.allSatisfy { node.metadata.isAlive(BrokerID(Int32($0))) }
        }
    }
}
