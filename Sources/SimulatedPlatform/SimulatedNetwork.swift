import Platform

/// The wires between all nodes, and what may happen to them.
package final class SimulatedNetwork {
    unowned let simulation: Simulation
    private var listeners: [PortKey: SimulatedListener] = [:]
    private var nextPorts: [String: Int] = [:]
    /// Ordered pairs of node names between which nothing passes.
    private var blocked: Set<DirectedLink> = []
    /// Every endpoint whose stream has not ended, oldest first.
    private var endpoints: [SimulatedConnection] = []

    private struct PortKey: Hashable {
        var node: String
        var port: Int
    }
    private struct DirectedLink: Hashable {
        var from: String
        var to: String
    }

    init(_ simulation: Simulation) { self.simulation = simulation }

    // MARK: Faults

    /// Nothing passes between a node of one side and a node of the other; what is under way waits for `heal`, as TCP would
    /// send it again. New connections time out.
    package func partition(_ some: [String], from others: [String]) {
        for a in some {
            for b in others where a != b {
                block(from: a, to: b)
                block(from: b, to: a)
            }
        }
    }

    /// One direction only.
    package func block(from: String, to: String) {
        simulation.note("block \(from) \(to)", node: nil)
        blocked.insert(DirectedLink(from: from, to: to))
    }

    /// The end of one `block`; what waited passes now.
    package func unblock(from: String, to: String) {
        simulation.note("unblock \(from) \(to)", node: nil)
        blocked.remove(DirectedLink(from: from, to: to))
        for endpoint in endpoints where endpoint.node.name == from && endpoint.other?.node.name == to {
            endpoint.retransmit()
        }
    }

    package func heal() {
        simulation.note("heal", node: nil)
        blocked = []
        for endpoint in endpoints { endpoint.retransmit() }
    }

    /// Every stream between the two ends with a reset on both sides.
    package func breakConnections(between a: String, and b: String) {
        simulation.note("break \(a) \(b)", node: nil)
        for endpoint in endpoints where endpoint.node.name == a && endpoint.other?.node.name == b {
            let other = endpoint.other
            endpoint.broken("Connection reset by peer")
            other?.broken("Connection reset by peer")
        }
    }

    func end() {
        for endpoint in endpoints { endpoint.letGo() }
        endpoints = []
        listeners = [:]
    }

    package var openConnections: Int { endpoints.count { $0.isOpen } }

    // MARK: The system's part

    func isBlocked(_ from: SimulatedNode, _ to: SimulatedNode) -> Bool {
        !blocked.isEmpty && blocked.contains(DirectedLink(from: from.name, to: to.name))
    }

    func delay(_ from: SimulatedNode, _ to: SimulatedNode) -> Duration {
        let delay = simulation.chosen(simulation.options.latency)
        return from === to ? delay / 20 : delay
    }

    func listen(_ listener: SimulatedListener, on node: SimulatedNode, wanted: Int) throws(NetworkError) -> Int {
        var port = wanted
        if port == 0 {
            port = nextPorts[node.name, default: 40_000]
            while listeners[PortKey(node: node.name, port: port)] != nil { port += 1 }
            nextPorts[node.name] = port + 1
        }
        guard listeners[PortKey(node: node.name, port: port)] == nil else {
            throw NetworkError(code: 98, "Address already in use")
        }
        listeners[PortKey(node: node.name, port: port)] = listener
        return port
    }

    func close(_ listener: SimulatedListener, on node: SimulatedNode) {
        let key = PortKey(node: node.name, port: listener.port)
        if listeners[key] === listener { listeners[key] = nil }
    }

    func resolve(_ host: String, from node: SimulatedNode) -> SimulatedNode? {
        if host.isEmpty || host == "localhost" || host == "127.0.0.1" || host == "::1" { return node }
        return simulation.nodes.first { $0.name == host || $0.address == host }
    }

    func connect(_ connection: SimulatedConnection, host: String, port: Int, timeout: Duration) {
        let client = connection.node
        guard let server = resolve(host, from: client) else {
            client.schedule(at: simulation.now + .milliseconds(1), "unknown host") {
                connection.ended(.failed("\(host): Name or service not known"))
            }
            return
        }
        connection.peer = PeerAddress(host: server === client ? "127.0.0.1" : server.address, port: port)
        endpoints.append(connection)
        client.schedule(at: simulation.now + timeout, "connect timeout") {
            if connection.state == .connecting { connection.broken("Connection timed out") }
        }
        attempt(connection, server, port, deadline: simulation.now + timeout)
    }

    private func attempt(_ connection: SimulatedConnection, _ server: SimulatedNode, _ port: Int, deadline: Instant) {
        let client = connection.node
        simulation.after(delay(client, server), "syn \(client.name) \(server.name):\(port)") { [self] in
            guard connection.state == .connecting else { return }
            guard server.hasPower, !isBlocked(client, server), !isBlocked(server, client) else {
                // The system tries again until the caller's patience ends.
                if simulation.now < deadline {
                    simulation.after(.seconds(1), "syn again") {
                        self.attempt(connection, server, port, deadline: deadline)
                    }
                }
                return
            }
            guard server.isUp, let listener = listeners[PortKey(node: server.name, port: port)] else {
                client.schedule(at: simulation.now + delay(server, client), "refused") {
                    if connection.state == .connecting { connection.broken("Connection refused") }
                }
                return
            }
            let accepted = SimulatedConnection(
                node: server, network: self, peer: connection.local,
                local: PeerAddress(host: connection.peer.host, port: port))
            accepted.other = connection
            connection.other = accepted
            accepted.state = .open
            endpoints.append(accepted)
            server.schedule(at: simulation.now, "accept :\(port)") { listener.accepted(accepted) }
            client.schedule(at: simulation.now + delay(server, client), "connected") { connection.established() }
        }
    }

    func clientAddress(_ node: SimulatedNode) -> PeerAddress {
        nextPorts["client of \(node.name)", default: 50_000] += 1
        return PeerAddress(host: node.address, port: nextPorts["client of \(node.name)", default: 50_000])
    }

    func forget(_ endpoint: SimulatedConnection) { endpoints.removeAll { $0 === endpoint } }

    func nodeCrashed(_ node: SimulatedNode, _ kind: CrashKind) {
        listeners = listeners.filter { $0.key.node != node.name }
        for endpoint in endpoints where endpoint.node === node { endpoint.ownerDied(kind) }
        endpoints.removeAll { $0.node === node && $0.stalled == 0 }
    }
}

/// The network as one life of one node sees it.
final class SimulatedNodeNetwork: Network {
    private unowned let world: SimulatedWorld
    private var ended = false
    init(_ world: SimulatedWorld) { self.world = world }

    func listen(
        host: String, port: Int, backlog: Int, accept: @escaping (any Connection) -> (any ConnectionHandler)?
    ) throws(NetworkError) -> any Listener {
        guard !ended else { throw NetworkError(code: 100, "this life of \(world.node.name) has ended") }
        let listener = SimulatedListener(world.node, accept)
        listener.port = try world.node.simulation.network.listen(listener, on: world.node, wanted: port)
        return listener
    }

    func connect(host: String, port: Int, timeout: Duration, handler: any ConnectionHandler) -> any Connection {
        let node = world.node
        let network: SimulatedNetwork = node.simulation.network
        let connection = SimulatedConnection(
            node: node, network: network, peer: PeerAddress(host: host, port: port), local: network.clientAddress(node))
        connection.handler = handler
        if ended {
            connection.state = .over
        } else {
            network.connect(connection, host: host, port: port, timeout: timeout)
        }
        return connection
    }

    func end() { ended = true }
}

final class SimulatedListener: Listener {
    fileprivate(set) var port = 0
    private let node: SimulatedNode
    private let accept: (any Connection) -> (any ConnectionHandler)?
    private var isClosed = false

    init(_ node: SimulatedNode, _ accept: @escaping (any Connection) -> (any ConnectionHandler)?) {
        self.node = node
        self.accept = accept
    }

    func accepted(_ connection: SimulatedConnection) {
        guard connection.state == .open else { return }
        guard !isClosed, let handler = accept(connection) else {
            connection.close()
            return
        }
        connection.handler = handler
        connection.later("opened") { connection.established() }
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        node.simulation.network.close(self, on: node)
    }
}
