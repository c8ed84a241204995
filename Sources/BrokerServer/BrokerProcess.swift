import Broker
import ClusterModel
import CommitLog
import Configuration
import CoordinationClient
import Platform

/// The broker as a program of its own: `letterbox broker FILE`. Ports first, then directories, then the coordinator: a
/// start that
/// cannot work fails before it has changed anything.
package final class BrokerProcess: ServerProgram {
    /// Switches of the command line, without their dashes.
    package static let switches = ["ignore-internal-topics", "strict-config"]

    private let config: BrokerConfig
    private let world: any World
    private var options = BrokerStart.Options()
    private var doors: [any Listener] = []
    private var router: RequestRouter?
    private var start: BrokerStart?
    private var draw: BrokerIDDraw?
    private var connections: [ObjectIdentifier: KafkaConnection] = [:]
    /// In the order they came, for whatever goes over all of them.
    private var arrivals: [KafkaConnection] = []
    private var isStopping = false
    /// Handed over: nobody is served any more.
    private var isLeaving = false

    package init(_ properties: Properties, switches: Set<String> = [], world: any World) throws(ServerFailure) {
        do throws(ConfigError) { config = try BrokerConfig(properties, hostName: world.hostName) } catch {
            throw ServerFailure("the broker's settings: \(error)")
        }
        self.world = world
        options.ignoresInternalTopics = switches.contains("ignore-internal-topics")
        let unknown = config.notUnderstood
        if !unknown.isEmpty {
            let words = unknown.map { entry in entry.name + (entry.nearest.map { " (did you mean \($0)?)" } ?? "") }
            let text =
                "\(unknown.count) setting\(unknown.count == 1 ? "" : "s") not understood: \(words.joined(separator: ", "))"
            guard !switches.contains("strict-config") else { throw ServerFailure(text) }
            world.journal.warning(text)
        }
        let inert = properties.names.filter {
            $0.hasPrefix("offsets.topic.") || $0.hasPrefix("transaction.state.log.")
        }
        if !inert.isEmpty {
            world.journal.info(
                "settings of internal topics change nothing here: there are none",
                ["keys": inert.joined(separator: ",")])
        }
    }

    /// Where each listener really is, once bound.
    package var ports: [Int] { doors.map(\.port) }
    package var node: BrokerNode? { router?.node }

    // MARK: Start

    package func start(failed: @escaping (ServerFailure) -> Void) throws(ServerFailure) {
        let told = try bind()
        let directories = try BrokerStart.openDirectories(config, world: world, options: options)
        if let id = try BrokerStart.knownID(config, directories) {
            return try begin(as: id, directories, told, failed)
        }
        draw = try BrokerIDDraw(config: config, world: world) { [weak self] result in
            guard let self, !self.isStopping else { return }
            self.draw = nil
            switch result {
            case .failure(let failure): failed(failure)
            case .success(let id):
                self.world.journal.notice("drew a broker id", ["broker_id": id])
                do throws(ServerFailure) { try self.begin(as: id, directories, told, failed) } catch { failed(error) }
            }
        }
    }

    private func bind() throws(ServerFailure) -> [Endpoint] {
        var told: [Endpoint] = []
        do throws(ServerFailure) {
            for listener in config.listeners {
                let name = listener.binds.listener
                let door: any Listener
                do throws(NetworkError) {
                    door = try world.network.listen(host: listener.binds.host, port: Int(listener.binds.port)) {
                        [weak self] stream in self?.accept(stream, name)
                    }
                } catch {
                    throw ServerFailure(
                        error.code == 98
                            ? "LB-1003 port \(listener.binds.port): \(error). Stop that program, or: scripts/kafka-server-start.sh "
                                + "config/server.properties --override listeners=\(name)://:\(listener.binds.port + 100) --override "
                                + "advertised.listeners=\(name)://\(listener.tells.host):\(listener.binds.port + 100)"
                            : "LB-1004 \(listener.binds) cannot be listened on: \(error). Check listeners")
                }
                doors.append(door)
                var endpoint = listener.tells
                if endpoint.port == 0 { endpoint.port = Int32(door.port) }
                told.append(endpoint)
            }
        } catch {
            for door in doors { door.close() }
            throw error
        }
        describeListeners(told)
        return told
    }

    /// Whoever cannot connect looks here first.
    private func describeListeners(_ told: [Endpoint]) {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.utf8.count))
        }
        var rows = [("listener", "binds", "tells clients")]
        for ((listener, door), endpoint) in zip(zip(config.listeners, doors), told) {
            rows.append(
                (
                    listener.binds.listener,
                    "\(listener.binds.host.isEmpty ? "every address" : listener.binds.host):\(door.port)",
                    "\(endpoint.host):\(endpoint.port)"
                        + (["localhost", "127.0.0.1", "::1"].contains(endpoint.host) ? "   (this machine's only)" : "")
                ))
        }
        let first = (rows.map(\.0.utf8.count).max() ?? 0) + 3
        let second = (rows.map(\.1.utf8.count).max() ?? 0) + 3
        for row in rows { world.journal.info(padded(row.0, first) + padded(row.1, second) + row.2) }
    }

    private func begin(
        as id: BrokerID, _ directories: [LogDirectory], _ told: [Endpoint], _ failed: @escaping (ServerFailure) -> Void
    ) throws(ServerFailure) {
        let node = BrokerNode(world: world, config: config, id: id)
        let router = RequestRouter(node: node)
        self.router = router
        let start = try BrokerStart(
            node: node, directories: directories, listeners: told, options: options, failed: failed,
            ready: { [weak self] in self?.registered(id) })
        self.start = start
        sweepIdle()
        start.begin()
    }

    /// From here on the controller can reach this broker; it is started once the controller has told it about the
    /// cluster.
    private func registered(_ id: BrokerID) {
        guard let router else { return }
        router.isServing = true
        for connection in arrivals { connection.release() }
        router.node.whenKnown(within: .seconds(5)) { [world] in
            world.journal.notice("[KafkaServer id=\(id)] started (kafka.server.KafkaServer)")
        }
    }

    // MARK: Connections

    private func accept(_ stream: any Connection, _ listener: String) -> (any ConnectionHandler)? {
        // Before the broker's number is known nobody can be answered. While it hands over it still answers everybody.
        guard let router, !isLeaving else { return nil }
        let connection = KafkaConnection(router: router, stream: stream, listener: listener) { [weak self] gone in
            self?.connections[ObjectIdentifier(gone)] = nil
            self?.arrivals.removeAll { $0 === gone }
        }
        connections[ObjectIdentifier(connection)] = connection
        arrivals.append(connection)
        return connection
    }

    package var connectionCount: Int { connections.count }

    private func sweepIdle() {
        let limit = config[BrokerKeys.maxIdle]
        guard limit >= 0 else { return }
        let allowed = Duration.milliseconds(limit)
        world.after(max(.seconds(1), min(.seconds(30), allowed / 2))) { [weak self] in
            guard let self, !self.isStopping else { return }
            let now = self.world.clock.now
            for connection in self.arrivals where connection.isIdle && now - connection.lastUse > allowed {
                connection.endQuietly()
            }
            self.sweepIdle()
        }
    }

    // MARK: Stop

    package func stop(then: @escaping () -> Void) {
        guard !isStopping else { return }
        isStopping = true
        draw?.cancel()
        guard let start, let router else {
            for door in doors { door.close() }
            return then()
        }
        // Still serving: followers must go on fetching while their leader leaves.
        router.node.handOver(reachesCoordinator: start.reachesCoordinator) { [self] in
            isLeaving = true
            for door in doors { door.close() }
            for connection in arrivals { connection.endQuietly() }
            start.stop(then: then)
        }
    }
}
