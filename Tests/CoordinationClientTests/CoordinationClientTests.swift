import CoordinationProtocol
import CoordinationServer
import Platform
import SimulatedPlatform
import Testing

@testable import CoordinationClient

/// A coordinator on one machine, clients on another.
private final class Stage {
    let simulation: Simulation
    var events: [SessionEvent] = []

    init(seed: UInt64 = 1) {
        simulation = Simulation(seed: seed)
        simulation.node("zk").boot { world in
            var config = CoordinatorConfig(dataDir: "/data")
            config.preallocation = 1 << 16
            return try? CoordinationServer.start(config: config, world: world)
        }
        simulation.node("app").boot { _ in nil }
    }

    func client(_ connect: String = "zk:2181", identity: SessionIdentity = .none) throws -> CoordinationClient {
        let client = CoordinationClient(
            world: simulation.node("app").world, connect: try ConnectString(connect), sessionTimeout: .seconds(6),
            identity: identity
        ) { [unowned self] in events.append($0) }
        client.start()
        return client
    }

    /// Plays until the call has answered.
    func wait<T>(_ begin: (@escaping (T) -> Void) -> Void) throws -> T {
        var answer: T?
        begin { answer = $0 }
        simulation.run(within: .seconds(120)) { answer != nil }
        return try #require(answer)
    }
}

@Suite("A coordination client")
struct CoordinationClientTests {
    @Test("creates, reads, sets and deletes below its chroot")
    func operations() throws {
        let stage = Stage()
        let client = try stage.client("zk:2181/k/one")
        try stage.wait { client.makeChroot(then: $0) }.get()
        #expect(try stage.wait { client.create("/a", [1], then: $0) }.get() == "/a")
        #expect(
            try stage.wait { client.create("/a/s-", mode: .ephemeralSequential, then: $0) }.get() == "/a/s-0000000000")
        let read = try stage.wait { client.getData("/a", then: $0) }.get()
        #expect(read.data == [1] && read.stat.numChildren == 1)
        #expect(try stage.wait { client.getChildren("/a", then: $0) }.get().children == ["s-0000000000"])
        #expect(try stage.wait { client.setData("/a", [2], version: 0, then: $0) }.get().version == 1)
        #expect(stage.failure(try stage.wait { client.setData("/a", [2], version: 0, then: $0) }) == .badVersion)
        #expect(stage.failure(try stage.wait { client.delete("/a", then: $0) }) == .notEmpty)
        #expect(try stage.wait { client.exists("/none", then: $0) }.get() == nil)
        #expect(stage.failure(try stage.wait { client.getData("/none", then: $0) }) == .noNode)
        try stage.wait { client.makePath("/p/q/r", then: $0) }.get()
        #expect(try stage.wait { client.exists("/p/q/r", then: $0) }.get() != nil)
        let plain = try stage.client()
        #expect(try stage.wait { plain.exists("/k/one/p/q", then: $0) }.get() != nil)
    }

    @Test("does a multi whole or not at all, and says which operation was refused")
    func multi() throws {
        let stage = Stage()
        let client = try stage.client("zk:2181/k")
        try stage.wait { client.makeChroot(then: $0) }.get()
        let results = try stage.wait {
            client.multi([.create("/a", [1]), .setData("/a", [2], version: 0), .check("/a", version: 1)], then: $0)
        }.get()
        #expect(results.first == .created(path: "/a"))
        #expect(results.count == 3)
        let refused: Result<[MultiResult], MultiError> = try stage.wait {
            client.multi([.create("/b"), .check("/a", version: 0), .delete("/a")], then: $0)
        }
        guard case .failure(let error) = refused else { return #expect(Bool(false)) }
        #expect(error == MultiError(.badVersion, index: 1))
        #expect(try stage.wait { client.exists("/b", then: $0) }.get() == nil)
    }

    @Test("tells of a change before the answer that shows it, once")
    func watch() throws {
        let stage = Stage()
        let one = try stage.client()
        let other = try stage.client("zk:2181")
        var story: [String] = []
        _ = try stage.wait { one.create("/a", [0], then: $0) }.get()
        _ = try stage.wait { other.getData("/a", watch: { story.append("\($0.path) \($0.type)") }, then: $0) }.get()
        other.setData("/a", [1]) { _ in story.append("set") }
        _ = try stage.wait { other.setData("/a", [2], then: $0) }.get()
        #expect(story == ["/a 3", "set"])
    }

    @Test("keeps its session and watches over a lost connection, and sees what happened meanwhile")
    func reconnects() throws {
        let stage = Stage()
        let client = try stage.client("zk:2181/k")
        try stage.wait { client.makeChroot(then: $0) }.get()
        _ = try stage.wait { client.create("/e", mode: .ephemeral, then: $0) }.get()
        var seen: [String] = []
        _ = try stage.wait { client.exists("/later", watch: { seen.append($0.path) }, then: $0) }.get()
        _ = try stage.wait { client.getChildren("/", watch: { seen.append($0.path) }, then: $0) }.get()
        let id = client.sessionID
        stage.simulation.network.partition(["app"], from: ["zk"])
        let inFlight = stage.failure(try stage.wait { client.setData("/e", [1], then: $0) })
        #expect(inFlight == .connectionLoss)
        #expect(stage.events.contains { if case .disconnected = $0 { true } else { false } })
        // Somebody else, on the coordinator's own machine.
        let local = CoordinationClient(
            world: stage.simulation.node("zk").world, connect: try ConnectString("zk:2181"), sessionTimeout: .seconds(6)
        ) { _ in }
        local.start()
        _ = try stage.wait { local.create("/k/later", then: $0) }.get()
        var waited: Result<Stat?, CoordinationError>?
        client.exists("/e") { waited = $0 }
        stage.simulation.network.heal()
        stage.simulation.run(within: .seconds(30)) { waited != nil }
        #expect(client.sessionID == id)
        #expect(try waited?.get()?.ephemeralOwner == id)
        #expect(seen.sorted() == ["/", "/later"])
        #expect(stage.events.last == .connected(isNew: false))
    }

    @Test("is told of expiry; what waited fails, nothing of it is sent under the next session")
    func expiry() throws {
        let stage = Stage()
        let client = try stage.client()
        _ = try stage.wait { client.create("/e", mode: .ephemeral, then: $0) }.get()
        let old = client.sessionID
        stage.simulation.network.partition(["app"], from: ["zk"])
        stage.simulation.run(for: .seconds(30))
        var outcome: Result<String, CoordinationError>?
        client.create("/late") { outcome = $0 }
        stage.simulation.network.heal()
        stage.simulation.run(within: .seconds(30)) { client.isOver }
        #expect(stage.events.last == .expired)
        #expect(stage.failure(try #require(outcome)) == .sessionExpired)
        #expect(stage.failure(try stage.wait { client.create("/after", then: $0) }) == .sessionExpired)
        client.startNewSession()
        #expect(try stage.wait { client.exists("/e", then: $0) }.get() == nil)
        #expect(try stage.wait { client.exists("/late", then: $0) }.get() == nil)
        #expect(client.sessionID != old)
        #expect(stage.events.last == .connected(isNew: true))
    }

    @Test("stays alive by pings alone, and survives the coordinator's restart")
    func survivesRestart() throws {
        let stage = Stage()
        let client = try stage.client()
        _ = try stage.wait { client.create("/e", mode: .ephemeral, then: $0) }.get()
        stage.simulation.run(for: .seconds(60))
        stage.simulation.node("zk").restart()
        stage.simulation.run(for: .seconds(20))
        #expect(client.isConnected)
        #expect(try stage.wait { client.exists("/e", then: $0) }.get() != nil)
        #expect(!stage.events.contains(.expired))
    }

    @Test("closes an earlier life's session, whose ephemerals go at once")
    func closesOld() throws {
        let stage = Stage()
        let old = try stage.client()
        _ = try stage.wait { old.create("/e", mode: .ephemeral, then: $0) }.get()
        let identity = old.identity
        stage.simulation.node("app").restart()
        let world = stage.simulation.node("app").world!
        let connect = try ConnectString("zk")
        func close() throws -> CoordinationClient.ClosingOutcome {
            try stage.wait { done in
                CoordinationClient.closeSession(
                    identity, world: world, connect: connect, sessionTimeout: .seconds(6), patience: .seconds(5),
                    then: done)
            }
        }
        #expect(try close() == .closed)
        let client = try stage.client()
        #expect(try stage.wait { client.exists("/e", then: $0) }.get() == nil)
        #expect(try close() == .gone)
        stage.simulation.node("zk").crash(.process)
        guard case .unreachable = try close() else { return #expect(Bool(false)) }
    }

    @Test("refuses a request that no server would take, and goes on")
    func tooLarge() throws {
        let stage = Stage()
        let client = try stage.client()
        let large = [UInt8](repeating: 1, count: 1 << 20)
        #expect(stage.failure(try stage.wait { client.create("/a", large, then: $0) }) == .badArguments)
        #expect(try stage.wait { client.create("/a", then: $0) }.get() == "/a")
    }

    @Test("closes its session when asked, and refuses everything afterwards")
    func closes() throws {
        let stage = Stage()
        let client = try stage.client()
        _ = try stage.wait { client.create("/e", mode: .ephemeral, then: $0) }.get()
        #expect(try stage.wait { client.close(then: $0) } == true)
        #expect(stage.failure(try stage.wait { client.create("/x", then: $0) }) == .sessionExpired)
        let other = try stage.client()
        #expect(try stage.wait { other.exists("/e", then: $0) }.get() == nil)
    }
}

extension Stage {
    fileprivate func failure<T>(_ result: Result<T, CoordinationError>) -> CoordinationError? {
        if case .failure(let error) = result { error } else { nil }
    }
}
