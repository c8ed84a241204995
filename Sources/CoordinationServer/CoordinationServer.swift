import Bytes
import Configuration
import Coordination
import CoordinationProtocol
import Platform

/// The coordinator: one core, one log, its connections. Everything happens on the deciding thread.
package final class CoordinationServer {
    let config: CoordinatorConfig
    let world: any World
    private(set) var core: CoordinationCore
    private let log: TransactionLog
    private let snapshots: SnapshotStore
    private var listener: (any Listener)?
    private var lock: (any DiskLock)?
    private let ended: (String?) -> Void

    /// By client number.
    private(set) var connections: [ClientConnection?] = []
    private var perHost: [String: Int] = [:]
    private(set) var connectionCount = 0
    /// Those that are not read from until there is room.
    var paused: [ClientConnection] = []

    /// Replies behind the batch in flight, and behind the one that gathers.
    private var flying = ReplyBatch()
    private var gathering = ReplyBatch()
    private var flightAsked = false
    private var scratch = JuteWriter(capacity: 1024)
    private var eventScratch = JuteWriter(capacity: 256)

    private var isStopping = false
    private var stopped: (() -> Void)?
    private var lastTick: Instant
    private var snapshotting: SnapshotStore.Writing?
    private var isSnapshotting = false
    /// A snapshot that is whole before its last transaction is durable.
    private var waitingToBePlaced: (() -> Void)?
    private var untilSnapshot = 0
    var statistics = ServerStatistics()
    let startedAt: Instant

    /// Where clients connect; the real port also when 0 was configured.
    package var port: Int { listener?.port ?? 0 }

    /// Binds, recovers what the disk holds, and serves from the next turn on.
    /// - Parameter ended: called once with the reason when the server must stop by itself, with nil after `stop`.
    package static func start(
        config: CoordinatorConfig, world: any World, ended: @escaping (String?) -> Void = { _ in }
    ) throws(StartProblem) -> CoordinationServer {
        // The port first: nothing is touched when it is taken.
        let door = Door()
        let listener: any Listener
        do throws(NetworkError) {
            listener = try world.network.listen(host: config.clientPortAddress, port: config.clientPort) { connection in
                door.server?.accept(connection)
            }
        } catch {
            throw StartProblem(
                error.code == 98
                    ? "LB-1003 port \(config.clientPort): \(error). Stop that program, or choose another clientPort in the properties file"
                    : "\(config.clientPortAddress):\(config.clientPort) cannot be listened on: \(error). Check clientPort and clientPortAddress."
            )
        }
        do throws(StartProblem) {
            let server = try CoordinationServer(config: config, world: world, ended: ended)
            server.listener = listener
            door.server = server
            server.announce()
            server.beginHousekeeping()
            return server
        } catch {
            listener.close()
            throw error
        }
    }

    private final class Door {
        weak var server: CoordinationServer?
    }

    private init(config: CoordinatorConfig, world: any World, ended: @escaping (String?) -> Void) throws(StartProblem) {
        self.config = config
        self.world = world
        self.ended = ended
        startedAt = world.clock.now
        lastTick = world.clock.now
        let disk = world.disk
        let directory = config.dataDir + "/version-2"
        let logDirectory = config.dataLogDir + "/version-2"
        for path in [directory, logDirectory] {
            do throws(DiskError) {
                try disk.createDirectory(path)
                // A log is worth nothing when the power takes the directory it lies in. Those further up may be others'.
                var parent = parentDirectory(of: path)
                try disk.syncDirectory(parent)
                while parent != "/", parent != "." {
                    parent = parentDirectory(of: parent)
                    try? disk.syncDirectory(parent)
                }
            } catch {
                throw StartProblem("\(path) cannot be made: \(error.reason). Check dataDir, its owner and permissions.")
            }
        }
        do throws(DiskError) {
            lock = try disk.lock(config.dataDir + "/.lock")
        } catch {
            throw StartProblem("\(config.dataDir) cannot be written: \(error.reason). Check its owner and permissions.")
        }
        guard lock != nil else {
            throw StartProblem(
                "\(config.dataDir) is in use by another coordinator. Stop that one, or name another dataDir.")
        }
        let began = world.clock.now
        var recovery = try Recovery(disk: disk, directory: directory, logDirectory: logDirectory)
        for remark in recovery.remarks { world.journal.warning(remark) }
        snapshots = SnapshotStore(disk: disk, directory: directory, logDirectory: logDirectory)
        // Also before an old log that has none: Apache's server wants one.
        if recovery.snapshotZxid == nil {
            do throws(DiskError) { try snapshots.writeNow(&recovery.tree) } catch {
                throw StartProblem(
                    "\(error.path) cannot be written: \(error.reason). Check its owner and the free space.")
            }
        }
        world.journal.notice(
            "loaded the tree",
            [
                "snapshot": "0x" + LogFormat.hex(recovery.snapshotZxid ?? 0), "transactions": recovery.replayed,
                "zxid": "0x" + LogFormat.hex(recovery.tree.lastZxid), "nodes": recovery.tree.nodeCount,
                "ms": (world.clock.now - began).wholeMilliseconds,
            ])
        let replayed = recovery.replayed
        let tree = recovery.tree
        log = TransactionLog(
            disk: disk, directory: logDirectory, preallocation: config.preallocation, sync: config.forceSync,
            durable: tree.lastZxid)
        core = CoordinationCore(
            tree: tree, rules: config.rules, now: world.clock.now.nanoseconds / 1_000_000, wallMs: world.clock.wallMs)
        untilSnapshot = max(drawSnapshotDistance() - replayed, 1)
    }

    private func announce() {
        let host = config.clientPortAddress.isEmpty ? "0.0.0.0" : config.clientPortAddress
        for path in Set([config.dataDir, config.dataLogDir]).sorted() where path == "/tmp" || path.hasPrefix("/tmp/") {
            world.journal.warning("dataDir is under /tmp: it may vanish at the next boot", ["directory": path])
        }
        world.journal.notice("binding to port \(host)/\(host):\(port) - ready")
    }

    var nowMs: Int64 { world.clock.now.nanoseconds / 1_000_000 }

    // MARK: Stopping

    /// Takes no more requests, finishes the log, and lets go of the directory.
    package func stop(then: @escaping () -> Void) {
        guard !isStopping else { return }
        isStopping = true
        stopped = then
        listener?.close()
        if log.isIdle { finish() } else { flySoon() }
    }

    private func finish() {
        guard let stopped else { return }
        self.stopped = nil
        // Answers on their way still leave.
        for connection in connections { connection?.end(abruptly: false) }
        log.close { [self] in
            lock?.release()
            lock = nil
            world.journal.notice("stopped", ["zxid": "0x" + LogFormat.hex(log.durable)])
            stopped()
            ended(nil)
        }
    }

    /// The log could not be written: nothing that was not acknowledged was promised, so stop here.
    private func fail(_ problem: DiskError) {
        guard !isStopping || stopped != nil else { return }
        isStopping = true
        stopped = nil
        listener?.close()
        for connection in connections { connection?.connection.close() }
        let reason =
            "the transaction log cannot be written (\(problem)): the coordinator stops. "
            + (problem.isNoSpace ? "Make room and start it again." : "Check the disk and start it again.")
        lock?.release()
        lock = nil
        ended(reason)
    }

    // MARK: Connections

    private func accept(_ connection: any Connection) -> (any ConnectionHandler)? {
        if isStopping { return nil }
        let host = connection.peer.host
        let count = perHost[host, default: 0]
        if config.maxClientConnections > 0, count >= config.maxClientConnections {
            world.journal.warning(
                "refused a connection: maxClientCnxns is reached",
                ["peer": connection.peer, "limit": config.maxClientConnections])
            return nil
        }
        perHost[host] = count + 1
        let client = core.clientOpened(address: host)
        let accepted = ClientConnection(server: self, connection: connection, client: client, now: world.clock.now)
        while connections.count <= client.raw { connections.append(nil) }
        connections[client.raw] = accepted
        connectionCount += 1
        return accepted
    }

    func connectionClosed(_ connection: ClientConnection) {
        guard connections[connection.client.raw] === connection else { return }
        connections[connection.client.raw] = nil
        connectionCount -= 1
        let host = connection.connection.peer.host
        if let count = perHost[host] { perHost[host] = count > 1 ? count - 1 : nil }
        core.clientClosed(connection.client)
    }

    // MARK: Requests

    func packet(_ bytes: UnsafeRawBufferPointer, from connection: ClientConnection) {
        if isStopping { return connection.end(abruptly: true) }
        statistics.received += 1
        if connection.phase == .connecting { return connect(bytes, connection) }
        let now = world.clock.now
        scratch.bytes.clear()
        let outcome = core.handle(
            bytes, from: connection.client, now: now.nanoseconds / 1_000_000, wallMs: world.clock.wallMs,
            durable: log.durable, reply: &scratch)
        if let change = outcome.change { append(change) }
        deliver()
        connection.lastOp = outcome.op
        if bytes.count >= 4 { connection.lastXid = Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)) }
        connection.lastZxid = core.zxid
        connection.lastReply = now
        let mayOvertake = outcome.op == .ping && connection.heldBytes == 0
        reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: mayOvertake)
        if outcome.ending == .afterReply { connection.end(abruptly: false) }
    }

    private func connect(_ bytes: UnsafeRawBufferPointer, _ connection: ClientConnection) {
        let request: ConnectRequest
        do throws(JuteError) { request = try ConnectRequest.decode(bytes) } catch {
            return connection.end(abruptly: true)
        }
        let now = world.clock.now
        switch core.connect(
            request, from: connection.client, now: now.nanoseconds / 1_000_000, wallMs: world.clock.wallMs)
        {
        case .fromTheFuture:
            world.journal.info(
                "closed a connection: its client has seen a later zxid than this server knows",
                ["peer": connection.connection.peer, "seen": "0x" + LogFormat.hex(request.lastZxidSeen)])
            connection.end(abruptly: true)
        case .refused:
            var response = ConnectResponse()
            response.readOnly = request.readOnly.map { _ in false }
            scratch.bytes.clear()
            scratch.packet(response)
            world.journal.info(
                "refused an expired or unknown session",
                ["session": "0x" + LogFormat.hex(request.sessionID), "peer": connection.connection.peer])
            reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: false)
            connection.end(abruptly: false)
        case .resumed(let response, let evicted):
            if let evicted { connections[evicted.raw]?.end(abruptly: true) }
            welcome(response, connection, now)
        case .created(let response, let change):
            append(change)
            welcome(response, connection, now)
        }
    }

    private func welcome(_ response: ConnectResponse, _ connection: ClientConnection, _ now: Instant) {
        connection.phase = .serving
        connection.sessionTimeout = response.timeout
        scratch.bytes.clear()
        scratch.packet(response)
        reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: false)
        world.journal.debug(
            "opened a session",
            [
                "session": "0x" + LogFormat.hex(response.sessionID), "peer": connection.connection.peer,
                "timeout": response.timeout,
            ])
    }

    private func append(_ change: TreeChange) {
        log.append(change)
        untilSnapshot -= 1
        if !log.isFlying { flySoon() }
    }

    /// Each watcher hears of the last change before any reply that shows it.
    private func deliver() {
        if core.deliveries.isEmpty { return }
        for index in core.deliveries.indices {
            let delivery = core.deliveries[index]
            guard let connection = connections[delivery.client.raw] else { continue }
            eventScratch.bytes.clear()
            let frame = eventScratch.beginFrame()
            eventScratch.int32(SpecialXid.watchEvent)
            eventScratch.int64(delivery.zxid)
            eventScratch.int32(0)
            eventScratch.int32(delivery.event)
            eventScratch.int32(3)
            eventScratch.slice(delivery.path)
            eventScratch.endFrame(frame)
            hold(eventScratch.bytes.bytes, for: connection)
        }
    }

    private func reply(
        _ bytes: UnsafeRawBufferPointer, to connection: ClientConnection, at now: Instant, mayOvertake: Bool
    ) {
        statistics.sent += 1
        connection.sent += 1
        if mayOvertake { return connection.connection.send(bytes) }
        hold(bytes, for: connection)
    }

    /// Sends now when nothing is on its way to the disk; else with the batch that holds what these bytes have seen.
    private func hold(_ bytes: UnsafeRawBufferPointer, for connection: ClientConnection) {
        if log.isGathering {
            gathering.add(bytes, to: connection)
        } else if log.isFlying {
            flying.add(bytes, to: connection)
        } else {
            connection.connection.send(bytes)
        }
    }

    // MARK: The log

    var isLogCrowded: Bool { log.gatheredBytes > 8 << 20 }

    /// At the end of this turn, when every connection had its say: one sync for all of them.
    private func flySoon() {
        guard !flightAsked else { return }
        flightAsked = true
        world.timers.soon { [self] in
            flightAsked = false
            fly()
        }
    }

    private func fly() {
        guard !log.isFlying, log.isGathering else {
            if isStopping, log.isIdle { finish() }
            return
        }
        swap(&flying, &gathering)
        let began = world.clock.now
        log.fly { [self] problem in
            if let problem { return fail(problem) }
            let took = world.clock.now - began
            statistics.flew(took)
            if took > config.syncWarning {
                world.journal.warning("syncing the transaction log was slow", ["ms": took.wholeMilliseconds])
            }
            flying.release()
            resumePaused()
            if let waiting = waitingToBePlaced {
                waitingToBePlaced = nil
                waiting()
            }
            if log.isGathering { fly() } else if isStopping { finish() }
            considerSnapshot()
        }
    }

    func resumePaused() {
        if paused.isEmpty { return }
        paused.removeAll { $0.resumeIfRoom() }
    }

    // MARK: Snapshots

    /// Somewhere in the second half of `snapCount`, so that servers started together do not write together.
    private func drawSnapshotDistance() -> Int {
        let half = max(config.snapCount / 2, 1)
        return half + Int(world.random() % UInt64(half))
    }

    private func considerSnapshot() {
        guard untilSnapshot <= 0, !isSnapshotting, !isStopping else { return }
        isSnapshotting = true
        untilSnapshot = drawSnapshotDistance()
        let piece = SnapshotStore.Piece()
        let began = world.clock.now
        let zxid = core.beginSnapshot(into: &piece.writer)
        log.roll()
        snapshots.begin(zxid) { [self] result in
            switch result {
            case .failure(let problem): snapshotFailed(problem, nil)
            case .success(let writing): write(piece, to: writing, isLast: false, began: began)
            }
        }
    }

    /// One piece at a time, the next one made when the last is written: nobody waits for long.
    private func write(_ piece: SnapshotStore.Piece, to writing: SnapshotStore.Writing, isLast: Bool, began: Instant) {
        snapshots.write(piece, to: writing) { [self] problem in
            if let problem { return snapshotFailed(problem, writing) }
            if isStopping { return snapshots.drop(writing) }
            if isLast {
                snapshots.seal(writing) { [self] problem in
                    if let problem { return snapshotFailed(problem, writing) }
                    place(writing, began)
                }
                return
            }
            piece.writer.bytes.clear()
            let last = core.continueSnapshot(nodes: 2000, into: &piece.writer)
            write(piece, to: writing, isLast: last, began: began)
        }
    }

    /// Not before its last transaction is durable: a snapshot must never know more than the log.
    private func place(_ writing: SnapshotStore.Writing, _ began: Instant) {
        guard log.durable >= writing.zxid else {
            waitingToBePlaced = { [self] in place(writing, began) }
            return
        }
        snapshots.place(writing) { [self] problem in
            if let problem { return snapshotFailed(problem, nil) }
            isSnapshotting = false
            world.journal.info(
                "wrote a snapshot",
                [
                    "zxid": "0x" + LogFormat.hex(writing.zxid), "bytes": writing.position,
                    "ms": (world.clock.now - began).wholeMilliseconds,
                ])
        }
    }

    private func snapshotFailed(_ problem: DiskError, _ writing: SnapshotStore.Writing?) {
        world.journal.warning("a snapshot was not written; the log has it all", ["problem": problem])
        core.abandonSnapshot()
        if let writing { snapshots.drop(writing) }
        isSnapshotting = false
    }

    private func purge() {
        guard let interval = config.purgeInterval, !isStopping else { return }
        snapshots.purge(keeping: config.snapshotsKept) { [self] result in
            switch result {
            case .success(let removed) where removed.isEmpty: break
            case .success(let removed):
                world.journal.info("purged", ["files": removed.count, "kept": config.snapshotsKept])
            case .failure(let problem): world.journal.warning("purging failed", ["problem": problem])
            }
        }
        world.after(interval) { [weak self] in self?.purge() }
    }

    // MARK: Time

    private func beginHousekeeping() {
        lastTick = world.clock.now
        tick()
        if config.purgeInterval != nil { purge() }
        world.after(config.containerCheckInterval) { [weak self] in self?.reap() }
    }

    private func tick() {
        guard !isStopping else { return }
        let tick = Duration.milliseconds(config.rules.tick)
        let now = world.clock.now
        // This process stood still: clients could not be heard meanwhile, and must not lose their sessions for it.
        let gap = now - lastTick - tick
        if gap > tick {
            core.extendSessions(by: gap.wholeMilliseconds)
            world.journal.warning(
                "this process stood still; all sessions get that time back", ["ms": gap.wholeMilliseconds])
        }
        lastTick = now
        // What is readable now is read before anybody is given up.
        world.timers.soon { [weak self] in
            self?.world.timers.soon { [weak self] in self?.expire() }
        }
        closeSilent(now)
        let untilNext = Duration.milliseconds(config.rules.tick - nowMs % config.rules.tick)
        world.after(untilNext) { [weak self] in self?.tick() }
    }

    private func expire() {
        guard !isStopping else { return }
        let expired = core.expiredSessions(now: nowMs)
        for session in expired.prefix(100) {
            let (change, client) = core.expire(session, wallMs: world.clock.wallMs)
            append(change)
            deliver()
            world.journal.info("expired a session", ["session": "0x" + LogFormat.hex(session)])
            if let client { connections[client.raw]?.end(abruptly: true) }
        }
        if expired.count > 100 { world.timers.soon { [weak self] in self?.expire() } }
    }

    /// Connections that never said what they want.
    private func closeSilent(_ now: Instant) {
        for connection in connections {
            guard let connection, connection.phase == .greeting || connection.phase == .connecting else { continue }
            if now - connection.since > .seconds(10) { connection.end(abruptly: true) }
        }
    }

    private func reap() {
        guard !isStopping else { return }
        for path in core.reapable(wallMs: world.clock.wallMs, limit: 1000) {
            path.withUnsafeBytes { bytes in
                if let change = core.reap(bytes, wallMs: world.clock.wallMs) {
                    append(change)
                    deliver()
                }
            }
        }
        world.after(config.containerCheckInterval) { [weak self] in self?.reap() }
    }

    /// The zxid that may be told to anybody.
    var durableZxid: Int64 { log.durable }
    var heldBytes: Int { connections.reduce(0) { $0 + ($1?.heldBytes ?? 0) } }
}
