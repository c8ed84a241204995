import Platform
import Testing

@testable import SimulatedPlatform

/// Sends everything back, and remembers how it ended.
private final class Echo: ConnectionHandler {
    var closed: CloseReason?
    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        connection.send(UnsafeRawBufferPointer(bytes))
        return bytes.count
    }
    func closed(_ connection: any Connection, _ reason: CloseReason) { closed = reason }
}

private final class Collector: ConnectionHandler {
    var events: [String] = []
    var bytes: [UInt8] = []
    var onOpen: (any Connection) -> Void = { _ in }
    var needs = 1
    var reason: CloseReason?
    func opened(_ connection: any Connection) {
        events.append("opened")
        onOpen(connection)
    }
    func received(_ connection: any Connection, _ raw: UnsafeMutableRawBufferPointer) -> Int {
        guard raw.count >= needs else { connection.needs(needs); return 0 }
        events.append("received")
        bytes += raw
        return raw.count
    }
    func drained(_ connection: any Connection) { events.append("drained") }
    func closed(_ connection: any Connection, _ reason: CloseReason) {
        events.append("closed")
        self.reason = reason
    }
}

private final class Server {
    let listener: any Listener
    var handlers: [Echo] = []
    init(_ world: SimulatedWorld) throws {
        var accepted: (Echo) -> Void = { _ in }
        listener = try world.network.listen(host: "", port: 7000) { _ in
            let echo = Echo()
            accepted(echo)
            return echo
        }
        accepted = { [unowned self] in handlers.append($0) }
    }
}

@Suite("The simulated network")
struct SimulatedNetworkTests {
    @Test("carries bytes both ways in order, in pieces")
    func echoes() {
        let simulation = Simulation(seed: 1)
        simulation.node("server").boot { try? Server($0) }
        let client = Collector()
        let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        client.onOpen = { $0.send(sent) }
        let world: SimulatedWorld = simulation.node("client").world
        world.network.connect(host: "server", port: 7000, timeout: .seconds(1), handler: client)
        #expect(client.events.isEmpty)
        #expect(simulation.run { client.bytes.count == sent.count })
        #expect(client.bytes == sent)
        #expect(client.events.count > 10)
    }

    @Test("gives at least as many bytes as were asked for, in one piece")
    func needs() {
        let simulation = Simulation(seed: 2)
        let receiver = Collector()
        receiver.needs = 50_000
        let listener = try? simulation.node("server").world.network.listen(host: "", port: 1) { _ in receiver }
        let client = Collector()
        client.onOpen = { $0.send([UInt8](repeating: 7, count: 50_000)) }
        simulation.node("client").world.network.connect(host: "server", port: 1, timeout: .seconds(1), handler: client)
        simulation.run(for: .seconds(1))
        #expect(receiver.events == ["opened", "received"] && receiver.bytes.count == 50_000)
        listener?.close()
    }

    @Test("refuses where nobody listens, and tells names that are unknown")
    func refused() {
        let simulation = Simulation(seed: 3)
        _ = simulation.node("server")
        let refused = Collector()
        let unknown = Collector()
        let network = simulation.node("client").world.network
        network.connect(host: "server", port: 7000, timeout: .seconds(1), handler: refused)
        network.connect(host: "elsewhere", port: 7000, timeout: .seconds(1), handler: unknown)
        simulation.run(for: .seconds(2))
        #expect(refused.reason == .failed("Connection refused") && refused.events == ["closed"])
        #expect(unknown.reason == .failed("elsewhere: Name or service not known"))
    }

    @Test("holds what is sent into a partition until it heals; new connections time out")
    func partition() {
        let simulation = Simulation(seed: 4)
        simulation.node("server").boot { try? Server($0) }
        let client = Collector()
        let network = simulation.node("client").world.network
        let connection = network.connect(host: "server", port: 7000, timeout: .seconds(1), handler: client)
        simulation.run { connection.isOpen }
        simulation.network.partition(["client"], from: ["server"])
        connection.send([1, 2, 3])
        let late = Collector()
        network.connect(host: "server", port: 7000, timeout: .seconds(3), handler: late)
        simulation.run(for: .seconds(10))
        #expect(client.bytes.isEmpty && client.reason == nil)
        #expect(late.reason == .failed("Connection timed out"))
        simulation.network.heal()
        simulation.run(for: .seconds(1))
        #expect(client.bytes == [1, 2, 3])
    }

    @Test("ends streams when a process dies, and says nothing when a machine does until it is back")
    func crashes() {
        let simulation = Simulation(seed: 5)
        let node = simulation.node("server")
        node.boot { try? Server($0) }
        let network = simulation.node("client").world.network
        let first = Collector()
        network.connect(host: "server", port: 7000, timeout: .seconds(1), handler: first)
        simulation.run { first.events == ["opened"] }
        node.crash(.process)
        simulation.run(for: .seconds(1))
        #expect(first.events == ["opened", "closed"])

        node.restart()
        let second = Collector()
        let connection = network.connect(host: "server", port: 7000, timeout: .seconds(1), handler: second)
        simulation.run { second.events == ["opened"] }
        node.crash(.power)
        connection.send([1])
        simulation.run(for: .seconds(60))
        #expect(second.events == ["opened"])
        node.restart()
        connection.send([2])
        simulation.run(for: .seconds(1))
        #expect(second.reason == .failed("Connection reset by peer"))
        #expect(node.world.bootID == "boot-server-2")
    }

    @Test("keeps what a paused reader does not take at the sender, and tells it when that has left")
    func backPressure() {
        let simulation = Simulation(seed: 6)
        let reader = Collector()
        reader.onOpen = { $0.pause() }
        var accepted: (any Connection)?
        let listener = try? simulation.node("server").world.network.listen(host: "", port: 1) {
            accepted = $0
            return reader
        }
        let writer = Collector()
        writer.onOpen = { $0.send([UInt8](repeating: 1, count: 2 << 20)) }
        let connection = simulation.node("client").world.network.connect(
            host: "server", port: 1, timeout: .seconds(1), handler: writer)
        simulation.run(for: .seconds(5))
        #expect(connection.unsentBytes > OutputLimits.highWater && writer.events == ["opened"])
        accepted?.resume()
        simulation.run(for: .seconds(5))
        #expect(connection.unsentBytes == 0 && writer.events == ["opened", "drained"])
        #expect(reader.bytes.count == 2 << 20)
        connection.send([9])
        connection.closeWhenSent()
        simulation.run(for: .seconds(1))
        #expect(reader.bytes.last == 9 && reader.reason == .byPeer && writer.reason == .byUs)
        #expect(simulation.network.openConnections == 0)
        listener?.close()
    }

    @Test("lets a paused node's events wait, while its clock goes on")
    func pausing() {
        let simulation = Simulation(seed: 7)
        let node = simulation.node("server")
        node.boot { try? Server($0) }
        let client = Collector()
        simulation.run(for: .seconds(1))
        node.pause()
        var fired: Instant?
        node.world.after(.seconds(1)) { fired = node.world.clock.now }
        client.onOpen = { $0.send([5]) }
        simulation.node("client").world.network.connect(
            host: "server", port: 7000, timeout: .seconds(1), handler: client)
        simulation.run(for: .seconds(9))
        #expect(client.events == ["opened"] && fired == nil)
        node.resume()
        simulation.run(for: .seconds(1))
        #expect(client.bytes == [5] && fired == .start + .seconds(10))
    }
}
