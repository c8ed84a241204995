import Bytes
import CoordinationProtocol
import Platform
import SimulatedPlatform

@testable import CoordinationServer

/// A machine with a coordinator, and clients that say exactly what a test wants.
final class Bench {
    let simulation: Simulation
    let node: SimulatedNode
    var config = CoordinatorConfig(dataDir: "data")
    private(set) var server: CoordinationServer?
    private(set) var problem: String?
    private(set) var ended: [String?] = []
    private var clients = 0

    init(
        seed: UInt64 = 1, options: SimulationOptions = SimulationOptions(),
        _ adjust: (inout CoordinatorConfig) -> Void = { _ in }
    ) {
        simulation = Simulation(seed: seed, options: options)
        node = simulation.node("zk")
        config.preallocation = 4096
        config.rules.tick = 500
        config.rules.minSessionTimeout = 1000
        config.rules.maxSessionTimeout = 10_000
        config.words = ["*"]
        config.maxClientConnections = 0
        adjust(&config)
        node.boot { [weak self] world in
            guard let self else { return nil }
            do throws(StartProblem) {
                let server = try CoordinationServer.start(config: self.config, world: world) { [weak self] reason in
                    self?.ended.append(reason)
                }
                self.server = server
                self.problem = nil
                return server
            } catch {
                self.server = nil
                self.problem = error.description
                return nil
            }
        }
    }

    func wire(from host: String? = nil) -> Wire {
        clients += 1
        let wire = Wire()
        simulation.node(host ?? "client\(clients)").world.network.connect(
            host: "zk", port: 2181, timeout: .seconds(5), handler: wire)
        simulation.run(within: .seconds(10)) { wire.connection != nil || wire.reason != nil }
        return wire
    }

    /// A connection with a session.
    func client(timeout: Int32 = 4000) -> Wire {
        let wire = wire()
        wire.connect(timeout: timeout)
        simulation.run(within: .seconds(10)) { wire.welcome != nil || wire.reason != nil }
        return wire
    }

    /// On another connection, with its session.
    func comesBack(_ wire: Wire, _ session: ConnectResponse) -> Wire {
        wire.connection?.close()
        let again = self.wire()
        again.connect(session: session.sessionID, password: session.password, timeout: session.timeout)
        run { again.welcome != nil || again.reason != nil }
        return again
    }

    @discardableResult
    func run(_ condition: () -> Bool) -> Bool { simulation.run(within: .seconds(60), until: condition) }

    func word(_ text: String) -> String {
        let wire = wire()
        wire.isText = true
        wire.send([UInt8](text.utf8))
        run { wire.reason != nil }
        return String(decoding: wire.text, as: UTF8.self)
    }
}

/// One stream to a coordinator: what it sent, in packets.
final class Wire: ConnectionHandler {
    var connection: (any Connection)?
    var reason: CloseReason?
    var isText = false
    var text: [UInt8] = []
    var welcome: ConnectResponse?
    var replies: [(header: ReplyHeader, body: [UInt8])] = []
    private var xid: Int32 = 0

    func opened(_ connection: any Connection) { self.connection = connection }
    func closed(_ connection: any Connection, _ reason: CloseReason) { self.reason = reason }

    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        if isText {
            text += bytes
            return bytes.count
        }
        var consumed = 0
        while bytes.count - consumed >= 4 {
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: consumed, as: Int32.self)))
            guard length >= 0, bytes.count - consumed - 4 >= length else { break }
            let packet = Array(bytes[(consumed + 4)..<(consumed + 4 + length)])
            consumed += 4 + length
            if welcome == nil {
                welcome = try? ConnectResponse.decode(packet)
            } else if let header = try? ReplyHeader.decode(packet) {
                replies.append((header, Array(packet[16...])))
            }
        }
        return consumed
    }

    func send(_ bytes: [UInt8]) { connection?.send(bytes) }

    func connect(session: Int64 = 0, password: [UInt8]? = nil, timeout: Int32 = 4000, seen: Int64 = 0) {
        var request = ConnectRequest()
        request.sessionID = session
        if let password { request.password = password }
        request.timeout = timeout
        request.lastZxidSeen = seen
        var writer = JuteWriter()
        writer.packet(request)
        send(writer.bytes.array)
    }

    @discardableResult
    func ask(_ op: OpCode, _ body: (some JuteRecord)?) -> Int32 {
        xid += 1
        var writer = JuteWriter()
        writer.request(xid: xid, op, body)
        send(writer.bytes.array)
        return xid
    }

    @discardableResult
    func ask(_ op: OpCode) -> Int32 { ask(op, Optional<PathRequest>.none) }

    func ping() {
        var writer = JuteWriter()
        writer.request(xid: SpecialXid.ping, .ping)
        send(writer.bytes.array)
    }

    func reply(_ xid: Int32) -> (header: ReplyHeader, body: [UInt8])? { replies.first { $0.header.xid == xid } }
}
