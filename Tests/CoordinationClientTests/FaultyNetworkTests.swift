import CoordinationProtocol
import CoordinationServer
import Platform
import SimulatedPlatform
import Testing

@testable import CoordinationClient

/// Reads a node again each time its watch fires, as everybody does who follows a node.
private final class Follower {
    let client: CoordinationClient
    private(set) var newest: [UInt8]?
    private(set) var versions: [Int32] = []

    init(_ client: CoordinationClient) { self.client = client }

    func follow() {
        client.getData("/n", watch: { [weak self] _ in self?.follow() }) { [weak self] answer in
            guard let self else { return }
            switch answer {
            case .success(let node):
                newest = node.data
                versions.append(node.stat.version)
            case .failure(.connectionLoss): follow()
            case .failure: break
            }
        }
    }
}

@Suite("A coordination client on a network that breaks")
struct FaultyNetworkTests {
    @Test("answers every request once and in order, and misses no change it watches", arguments: 1...20)
    func breaks(_ seed: UInt64) throws {
        var options = SimulationOptions()
        options.connectionLoss = 0.02
        let simulation = Simulation(seed: seed, options: options)
        simulation.node("zk").boot { world in
            var config = CoordinatorConfig(dataDir: "/data")
            config.preallocation = 1 << 16
            return try? CoordinationServer.start(config: config, world: world)
        }
        var expired = false
        func client(_ node: String) throws -> CoordinationClient {
            simulation.node(node).boot { _ in nil }
            let client = CoordinationClient(
                world: simulation.node(node).world, connect: try ConnectString("zk"), sessionTimeout: .seconds(10)
            ) { if $0 == .expired { expired = true } }
            client.start()
            return client
        }
        let writer = try client("writer")
        let follower = Follower(try client("reader"))
        var made = false
        writer.create("/n", [0]) { _ in made = true }
        simulation.run(within: .seconds(60)) { made }
        follower.follow()

        var answered: [Int] = []
        var applied: Int32 = 0
        let count = 200
        for number in 0..<count {
            simulation.after(.milliseconds(number * 7)) {
                writer.setData("/n", [UInt8(truncatingIfNeeded: number)]) { result in
                    answered.append(number)
                    if case .success(let stat) = result { applied = max(applied, stat.version) }
                }
            }
        }
        simulation.at(simulation.now + .milliseconds(700)) { simulation.node("zk").restart() }
        simulation.run(within: .seconds(300)) { answered.count == count }
        #expect(answered == Array(0..<count))
        #expect(!expired)
        var last: NodeData?
        func read() { writer.getData("/n") { if case .success(let node) = $0 { last = node } else { read() } } }
        read()
        simulation.run(within: .seconds(60)) { last != nil }
        #expect(applied > 0 && (last?.stat.version ?? -1) >= applied)
        simulation.run(within: .seconds(60)) { follower.newest == last?.data }
        #expect(follower.newest == last?.data)
        #expect(follower.versions == follower.versions.sorted())
    }
}
