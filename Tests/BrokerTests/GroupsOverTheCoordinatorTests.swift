import ClusterModel
import ConsumerGroups
import CoordinationClient
import CoordinationServer
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker

/// Brokers with nothing but groups, and a real coordinator, on one simulated network.
private final class Cluster {
    let simulation: Simulation
    let facts = PretendFacts()
    private(set) var brokers: [BrokerID: Broker] = [:]

    final class Broker {
        var client: CoordinationClient?
        var driver: GroupDriver?
    }

    init(seed: UInt64, options: SimulationOptions = SimulationOptions()) {
        simulation = Simulation(seed: seed, options: options)
        simulation.node("coordinator").boot { world in
            var config = CoordinatorConfig(dataDir: "/data")
            config.clientPort = 2181
            return try? CoordinationServer.start(config: config, world: world)
        }
    }

    func start(_ id: BrokerID) {
        let settings = {
            var settings = GroupSettings()
            settings.initialRebalanceDelay = .milliseconds(100)
            return settings
        }()
        simulation.node("broker-\(id)").boot { [self] world in
            let broker = Broker()
            brokers[id] = broker
            guard let connect = try? ConnectString("coordinator:2181") else { return nil }
            let client = CoordinationClient(world: world, connect: connect, sessionTimeout: .seconds(6)) {
                [weak broker] event in
                switch event {
                case .connected(let isNew):
                    guard isNew, let client = broker?.client else { return }
                    // What the registration does first in a broker.
                    ClientTree(client).ensure(all: ["/letterbox", "/consumers"]) { _ in
                        broker?.driver?.sessionBegan()
                    }
                case .expired:
                    broker?.driver?.sessionEnded()
                    broker?.client?.startNewSession()
                case .disconnected, .attemptFailed, .authFailed: break
                }
            }
            broker.client = client
            let tree = GroupTreeOnTree(ClientTree(client)) { [weak client] in client?.provenAliveUntil }
            broker.driver = GroupDriver(world: world, me: id, tree: tree, facts: facts, settings: settings)
            client.start()
            return broker
        }
    }

    /// The broker that serves the group now.
    func owner(_ group: String) -> BrokerID? {
        let bucket = GroupOwnership.bucket(of: group)
        return brokers.keys.sorted().first {
            simulation.node("broker-\($0)").isUp && brokers[$0]?.driver?.catalog.standings[bucket] == .serving
        }
    }

    func get<T>(_ ask: (@escaping (T) -> Void) -> Void) -> T? {
        var answer: T?
        ask { answer = $0 }
        simulation.run(within: .seconds(30)) { answer != nil }
        return answer
    }

    /// As a client does it: again, to whoever owns the group, until it is accepted.
    func commit(_ offset: Int64, group: String) -> Bool {
        for _ in 0..<100 {
            if let owner = owner(group), let driver = brokers[owner]?.driver {
                var request = OffsetCommitRequest()
                request.groupID = group
                var topic = OffsetCommitRequest.OffsetCommitRequestTopic()
                topic.name = "t"
                var partition = OffsetCommitRequest.OffsetCommitRequestPartition()
                partition.committedOffset = offset
                partition.committedLeaderEpoch = 3
                topic.partitions = [partition]
                request.topics = [topic]
                let response = get { driver.offsetCommit(request, version: 9, then: $0) }
                if response?.topics.first?.partitions.first?.errorCode == ErrorCode.none { return true }
            }
            simulation.run(for: .milliseconds(300))
        }
        return false
    }

    func fetched(group: String) -> Int64? {
        for _ in 0..<100 {
            if let owner = owner(group), let driver = brokers[owner]?.driver {
                var request = OffsetFetchRequest()
                var asked = OffsetFetchRequest.OffsetFetchRequestGroup()
                asked.groupID = group
                asked.topics = nil
                request.groups = [asked]
                if let found = get({ driver.offsetFetch(request, version: 9, then: $0) })?.groups.first,
                    found.errorCode == .none
                {
                    return found.topics.first?.partitions.first?.committedOffset ?? -1
                }
            }
            simulation.run(for: .milliseconds(300))
        }
        return nil
    }
}

@Suite("Groups over the coordinator")
struct GroupsOverTheCoordinatorTests {
    @Test("are claimed, committed to, and taken over when their owner is gone") func takeOver() throws {
        let cluster = Cluster(seed: 3)
        cluster.facts.liveBrokerIDs = [1, 2]
        cluster.start(1)
        cluster.start(2)
        cluster.simulation.run(for: .seconds(5))
        let groups = (0..<12).map { "group-\($0)" }
        for (place, group) in groups.enumerated() { #expect(cluster.commit(Int64(place), group: group)) }
        #expect(Set(groups.compactMap { cluster.owner($0) }) == [1, 2])
        cluster.simulation.node("broker-1").crash(.process)
        cluster.facts.liveBrokerIDs = [2]
        cluster.simulation.run(for: .seconds(20))
        for (place, group) in groups.enumerated() {
            #expect(cluster.fetched(group: group) == Int64(place))
        }
    }

    @Test("lose no acknowledged commit, whatever breaks", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func faults(seed: UInt64) {
        var options = SimulationOptions()
        options.connectionLoss = 0.01
        let cluster = Cluster(seed: seed, options: options)
        cluster.facts.liveBrokerIDs = [1, 2]
        cluster.start(1)
        cluster.start(2)
        let simulation = cluster.simulation
        simulation.after(.seconds(9)) { simulation.node("broker-1").crash(.process) }
        simulation.after(.seconds(12)) { simulation.node("broker-1").restart() }
        simulation.after(.seconds(15)) { simulation.network.partition(["broker-2"], from: ["coordinator"]) }
        simulation.after(.seconds(17)) { simulation.node("coordinator").crash(.power) }
        simulation.after(.seconds(19)) { simulation.node("coordinator").restart() }
        simulation.after(.seconds(24)) { simulation.network.heal() }
        simulation.run(for: .seconds(4))
        var acknowledged: [String: Int64] = [:]
        for offset in 1...40 as ClosedRange<Int64> {
            for group in ["a", "b", "c"] where cluster.commit(offset, group: group) {
                acknowledged[group] = offset
                #expect(cluster.fetched(group: group) == offset)
            }
            simulation.run(for: .milliseconds(700))
        }
        for (group, offset) in acknowledged { #expect(cluster.fetched(group: group) == offset) }
        #expect(acknowledged.values.allSatisfy { $0 == 40 })
    }
}
