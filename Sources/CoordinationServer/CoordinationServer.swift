import Bytes
import Configuration
import Coordination
import CoordinationProtocol
import Platform

/// The coordinator: one core, one log, its connections. Everything happens on the deciding thread.
package final class CoordinationServer {
    let config: CoordinatorConfig
    let world: any World
    var core: CoordinationCore
    let log: TransactionLog
    let snapshots: SnapshotStore
    private var listener: (any Listener)?
    /// One directory, or two when logs are kept apart.
    private var locks: [any DiskLock] = []
    private let ended: (String?) -> Void

    /// By client number.
    var connections: [ClientConnection?] = []
    var perHost: [String: Int] = [:]
    var connectionCount = 0
    /// Those that are not read from until there is room.
    var paused: [ClientConnection] = []

    /// Replies behind the batch in flight, and behind the one that gathers.
    var flying = ReplyBatch()
    var gathering = ReplyBatch()
    var flightAsked = false
    var receivedWhenAsked: Int64 = 0
    var scratch = JuteWriter(capacity: 1024)
    var eventScratch = JuteWriter(capacity: 256)

    var isStopping = false
    private var stopped: (() -> Void)?
    var lastTick: Instant
    /// Sessions whose time is over, still to be ended.
    var expiring: ArraySlice<Int64> = []
    var isSnapshotting = false
    /// A snapshot that is whole before its last transaction is durable.
    var waitingToBePlaced: (() -> Void)?
    var untilSnapshot = 0
    /// Of the last snapshot begun.
    var snapshotZxid: Int64
    /// What the log's `appendedBytes` may come to before the next snapshot.
    var snapshotAtBytes = Int64.max
    /// Tries that found the disk full, in a row.
    var roomWaits = 0
    var statistics = ServerStatistics()
    var bursts = BurstWatch()
    var startStatistics = StartStatistics()
    let startedAt: Instant
    let narrator: Narrator
    let audit: AuditTrail?
    var throttle: ConnectionThrottle
    /// Who last spoke for a session that nobody speaks for now.
    var detachedPeers: [Int64: PeerAddress] = [:]
    /// As `stmk` sets it; what it names is told when the journal's level is debug.
    var traceMask = TraceMask.usual
    let isTracing: Bool
    private(set) var admin: AdminServer?

    /// Where clients connect; the real port also when 0 was configured.
    package var port: Int { listener?.port ?? 0 }

    /// The last change, applied or more.
    package var zxid: Int64 { core.zxid }

    /// What a node holds now, durable or not: for judges of a rehearsal, who stand beside the coordinator.
    package func peek(_ path: String) -> (data: [UInt8], version: Int32)? {
        var path = path
        return path.withUTF8 { bytes in
            let path = UnsafeRawBufferPointer(bytes)
            guard let stat = core.tree.stat(path) else { return nil }
            return (core.tree.data(path).map { [UInt8]($0) } ?? [], stat.version)
        }
    }

    /// Binds, recovers what the disk holds, and serves from the next turn on.
    /// - Parameter ended: called once with the reason when the server must stop by itself, with nil after `stop`.
    package static func start(
        config: CoordinatorConfig, world: any World, ended: @escaping (String?) -> Void = { _ in }
    ) throws(StartProblem) -> CoordinationServer {
        // The port first: nothing is touched when it is taken.
        let door = Door()
        let listener: any Listener
        do throws(NetworkError) {
            listener = try world.network.listen(
                host: config.clientPortAddress, port: config.clientPort, backlog: config.backlog
            ) { connection in
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
            server.beginAdministration()
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
        narrator = Narrator(world: world)
        isTracing = world.journal.level == .debug
        audit = config.audits ? AuditTrail(world) : nil
        throttle = ConnectionThrottle(config.throttle, now: world.clock.now.nanoseconds / 1_000_000)
        let disk = world.disk
        let directories = try DataDirectories(config, disk)
        let (directory, logDirectory) = (directories.snapshots, directories.logs)
        locks = directories.locks
        let began = world.clock.now
        let files = try DataFiles(disk: disk, directory: directory, logDirectory: logDirectory)
        var recovery = try Recovery(files, trustEmpty: config.trustEmptySnapshot)
        for remark in recovery.remarks { world.journal.warning(remark) }
        for mend in recovery.mends + files.leftovers.map({ .remove($0) }) {
            do throws(DiskError) {
                if let lost = try mend.perform(on: disk, keepsAll: false) { world.journal.warning(lost) }
            } catch {
                throw StartProblem("\(error.path) cannot be mended: \(error.reason). Check its owner and permissions.")
            }
        }
        snapshots = SnapshotStore(
            disk: disk, directory: directory, logDirectory: logDirectory,
            unreadable: Set(recovery.unreadable.map(\.file.path)))
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
        let passedOver = !recovery.unreadable.isEmpty
        snapshotZxid = recovery.snapshotZxid ?? recovery.tree.lastZxid
        let tree = recovery.takeTree()
        startStatistics.transactions = replayed
        startStatistics.initialisationMs = (world.clock.now - began).wholeMilliseconds
        log = TransactionLog(
            disk: disk, directory: logDirectory, preallocation: config.preallocation, sync: config.forceSync,
            durable: tree.lastZxid)
        core = CoordinationCore(
            tree: tree, rules: config.rules, now: world.clock.now.nanoseconds / 1_000_000, wallMs: world.clock.wallMs)
        drawSnapshotDistance()
        // Soon a whole one again, where the newest was not.
        untilSnapshot = passedOver ? 1 : max(untilSnapshot - replayed, 1)
    }

    func announce() {
        let host = config.clientPortAddress.isEmpty ? "0.0.0.0" : config.clientPortAddress
        for path in Set([config.dataDir, config.dataLogDir]).sorted() where path == "/tmp" || path.hasPrefix("/tmp/") {
            world.journal.warning("dataDir is under /tmp: it may vanish at the next boot", ["directory": path])
        }
        world.journal.notice("binding to port \(host)/\(host):\(port) - ready")
        audit?.server("serverStart", result: "success")
    }

    /// After the first turn: nobody waits for HTTP, and a port that is taken is not worth the service.
    private func beginAdministration() {
        guard config.adminPort != nil else { return }
        world.timers.soon { [weak self] in
            guard let self, !isStopping else { return }
            admin = AdminServer.start(self)
        }
    }

    var nowMs: Int64 { world.clock.now.nanoseconds / 1_000_000 }

    // MARK: Stopping

    /// Takes no more requests, finishes the log, and lets go of the directory.
    package func stop(then: @escaping () -> Void) {
        guard !isStopping else { return }
        isStopping = true
        stopped = then
        listener?.close()
        admin?.close()
        admin = nil
        audit?.server("serverStop", result: "invoked")
        if log.isIdle || roomWaits > 0 { finish() } else { flySoon() }
    }

    func finish() {
        guard let stopped else { return }
        self.stopped = nil
        // Answers on their way still leave.
        for connection in connections { connection?.end(abruptly: false) }
        log.close { [self] in
            unlock()
            world.journal.notice("stopped", ["zxid": "0x" + LogFormat.hex(log.durable)])
            stopped()
            ended(nil)
        }
    }

    /// The log could not be written: nothing that was not acknowledged was promised, so stop here.
    func fail(_ problem: DiskError) {
        guard !isStopping || stopped != nil else { return }
        isStopping = true
        stopped = nil
        listener?.close()
        for connection in connections { connection?.connection.close() }
        let reason =
            "the transaction log cannot be written (\(problem)): the coordinator stops. "
            + (problem.isNoSpace ? "Make room and start it again." : "Check the disk and start it again.")
        unlock()
        ended(reason)
    }

    private func unlock() {
        for lock in locks { lock.release() }
        locks = []
    }
}
