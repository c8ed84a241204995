import Platform
import Testing

@testable import SimulatedPlatform

@Suite("A simulation")
struct SimulationTests {
    /// Ten clients chat with a server that writes what it hears, under faults.
    private func play(seed: UInt64) -> (hash: UInt64, trace: [String]) {
        var options = SimulationOptions()
        options.keepsTrace = true
        options.connectionLoss = 0.01
        options.diskStallChance = 0.05
        options.diskStall = .milliseconds(50)
        let simulation = Simulation(seed: seed, options: options)
        let server = simulation.node("server")
        server.boot { Scribe($0) }
        for number in 0..<10 { simulation.node("client-\(number)").boot { Chatter($0) } }
        simulation.after(.seconds(2)) { server.crash(.power) }
        simulation.after(.seconds(3)) { server.restart() }
        simulation.after(.seconds(4)) { simulation.network.partition(["server"], from: ["client-1", "client-2"]) }
        simulation.after(.seconds(5)) { simulation.network.heal() }
        simulation.run(for: .seconds(8))
        return (simulation.traceHash, simulation.trace)
    }

    @Test("plays the same from the same seed, and something else from another")
    func deterministic() {
        let first = play(seed: 11)
        let second = play(seed: 11)
        #expect(first.trace == second.trace)
        #expect(first.hash == second.hash && first.trace.count > 500)
        #expect(play(seed: 12).hash != first.hash)
    }

    @Test("fires timers in order, of one instant as they were set, and no cancelled one")
    func timers() {
        let simulation = Simulation(seed: 1)
        let world: SimulatedWorld = simulation.node("a").world
        var fired: [Int] = []
        world.after(.seconds(2)) { fired.append(3) }
        world.after(.seconds(1)) { fired.append(1) }
        world.after(.seconds(1)) {
            fired.append(2); world.timers.soon { fired.append(20) }
        }
        let cancelled = world.after(.seconds(1)) { fired.append(99) }
        world.timers.cancel(cancelled)
        simulation.run(for: .seconds(1))
        #expect(fired == [1, 2, 20] && world.clock.now == .start + .seconds(1))
        simulation.run(for: .seconds(1))
        #expect(fired == [1, 2, 20, 3])
    }

    @Test("keeps wall clocks apart from time, and apart from each other")
    func wallClocks() {
        let simulation = Simulation(seed: 1)
        let a = simulation.node("a")
        let b = simulation.node("b")
        b.wallDriftPPM = 1000
        b.wallOffset = .seconds(-5)
        let before = (a.wallMs, b.wallMs)
        simulation.run(for: .seconds(100))
        #expect(a.wallMs - before.0 == 100_000 && b.wallMs - before.1 == 100_100)
        #expect(before.0 - before.1 == 5000)
    }

    @Test("ends a life's timers with it, and begins the next with the same program")
    func lives() {
        let simulation = Simulation(seed: 1)
        let node = simulation.node("a")
        var starts: [SimulatedWorld] = []
        var fired = 0
        node.boot { world in
            starts.append(world)
            world.after(.seconds(1)) { fired += 1 }
            return nil
        }
        simulation.run(for: .milliseconds(500))
        node.restart()
        simulation.run(for: .seconds(5))
        #expect(starts.count == 2 && fired == 1 && starts[0] !== starts[1])
        starts[0].after(.zero) { fired += 100 }
        simulation.run(for: .seconds(1))
        #expect(fired == 1)
    }
}

private final class Scribe: ConnectionHandler {
    private let world: SimulatedWorld
    private var listener: (any Listener)?
    private var file: (any File)?
    init(_ world: SimulatedWorld) {
        self.world = world
        file = try? world.disk.open("heard", .createIfMissing)
        try? world.disk.syncDirectory("/")
        listener = try? world.network.listen(host: "", port: 9) { [unowned self] _ in self }
        world.journal.info("listens", ["size": file?.size ?? -1])
    }
    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        guard let file else { return bytes.count }
        let lane = world.disk.lane("/")
        let copy = [UInt8](bytes)
        lane.write(UnsafeRawBufferPointer(bytes), to: file, at: file.size) { _ in connection.send(copy) }
        lane.sync(file) { [world] _ in world.journal.debug("synced") }
        return bytes.count
    }
    func closed(_ connection: any Connection, _ reason: CloseReason) {
        world.journal.info("lost a client", ["why": reason])
    }
}

private final class Chatter: ConnectionHandler {
    private let world: SimulatedWorld
    private var patience: TimerID?
    init(_ world: SimulatedWorld) {
        self.world = world
        connect()
    }
    private func connect() {
        world.network.connect(host: "server", port: 9, timeout: .milliseconds(500), handler: self)
    }
    private func say(_ connection: any Connection) {
        patience.map(world.timers.cancel)
        patience = world.after(.milliseconds(700)) { connection.close() }
        let count = Int(world.random() % 2000) + 1
        connection.send([UInt8](repeating: UInt8(truncatingIfNeeded: count), count: count))
    }
    func opened(_ connection: any Connection) { say(connection) }
    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        let count = bytes.count
        world.after(.milliseconds(Int(world.random() % 100))) { [weak self] in self?.say(connection) }
        return count
    }
    func closed(_ connection: any Connection, _ reason: CloseReason) {
        world.after(.milliseconds(200)) { [weak self] in self?.connect() }
    }
}
