import CoordinationProtocol
import CoordinationServer
import Platform
import SimulatedPlatform

/// One seed, played: a coordinator on its machine, its clients on theirs, the faults of the plan, and the judgement.
final class CoordinatorRun {
    let plan: CoordinatorPlan
    let simulation: Simulation
    let history = History()
    private let node: SimulatedNode
    private let witness: TransactionWitness
    private var clock: ServerClock
    private var clients: [ModelClient] = []
    private var server: CoordinationServer?
    /// Why the coordinator did not start, the last time.
    private var problem: String?
    /// Disk operations until the crash.
    private var diskCrash: (left: Int, kind: CrashKind, down: Duration)?
    private var diskCrashOfStart: (left: Int, kind: CrashKind, down: Duration)?
    private(set) var starts = 0

    struct Verdict {
        var violations: [String]
        var traceHash: UInt64
        var events: Int
        var transactions: Int
        var starts: Int
        var answers: Int
        var watchEvents: Int
        var timeline: String
    }

    init(_ plan: CoordinatorPlan) {
        self.plan = plan
        simulation = Simulation(seed: plan.seed, options: plan.options)
        node = simulation.node("zk")
        witness = TransactionWitness(node.storage, directory: plan.config.dataLogDir + "/version-2")
        clock = ServerClock(node)
        node.storage.fault = { [unowned self] operation, path in diskWillDo(operation, path) }
    }

    // MARK: The coordinator

    private func diskWillDo(_ operation: DiskOperation, _ path: String) -> Int32? {
        witness.touched(path)
        if operation == .remove { witness.willRemove(path) }
        if operation == .read || operation == .list || operation == .lock { return nil }
        guard let crash = diskCrash else { return nil }
        guard crash.left <= 1 else {
            diskCrash?.left -= 1
            return nil
        }
        diskCrash = nil
        goDown(crash.kind, for: crash.down)
        return nil
    }

    private func boot() {
        node.boot { [unowned self] world in
            starts += 1
            if let crash = diskCrashOfStart {
                diskCrash = crash
                diskCrashOfStart = nil
            }
            do throws(StartProblem) {
                let server = try CoordinationServer.start(config: plan.config, world: world) { [unowned self] reason in
                    // It ends by itself: somebody starts it again.
                    if reason != nil { goDown(.process, for: .milliseconds(400)) }
                }
                self.server = server
                problem = nil
                return server
            } catch {
                server = nil
                guard node.isUp else { return nil }
                problem = error.description
                goDown(.process, for: .milliseconds(400))
                return nil
            }
        }
    }

    private func goDown(_ kind: CrashKind, for time: Duration) {
        guard node.isUp else { return }
        node.crash(kind)
        server = nil
        witness.look()
        simulation.after(time, "up") { [unowned self] in
            if !node.isUp { node.restart() }
        }
    }

    private func strike(_ fault: Fault) {
        func name(_ client: Int) -> String { clients[client].name }
        func heal(after time: Duration) { simulation.after(time) { [unowned self] in simulation.network.heal() } }
        switch fault {
        case .crash(let kind, let down): goDown(kind, for: down)
        case .crashAtDisk(let kind, let operation, let down): diskCrash = (operation, kind, down)
        case .crashInStart(let kind, let operation, let down):
            diskCrashOfStart = (operation, kind, down)
            goDown(kind, for: down)
        case .cleanStop(let down):
            let stopping = server
            server = nil
            stopping?.stop { [unowned self] in goDown(.process, for: down) }
        case .pause(let time):
            node.pause()
            simulation.after(time) { [unowned self] in node.resume() }
        case .failedSync: node.storage.fail(.sync, of: "log.", code: 5)
        case .fullDisk(let time):
            node.storage.capacity = node.storage.usedBytes + 50
            simulation.after(time) { [unowned self] in node.storage.capacity = plan.options.diskCapacity }
        case .cut(let client): simulation.network.breakConnections(between: name(client), and: "zk")
        case .partition(let client, let time):
            simulation.network.partition([name(client)], from: ["zk"])
            heal(after: time)
        case .deafness(let client, let time):
            simulation.network.block(from: "zk", to: name(client))
            heal(after: time)
        case .clockJump(let time):
            node.wallOffset += time
            clock.set(node, at: simulation.now)
        }
    }

    // MARK: Playing

    func play() -> Verdict {
        boot()
        for number in 0..<plan.clients {
            let timeout = Duration.milliseconds(1000 + 700 * number)
            client("c\(number)", timeout, number % 2 == 1 ? ["c\(number):secret"] : [], plan.requests)
        }
        for (at, fault) in plan.faults {
            simulation.at(.start + at, "fault") { [unowned self] in strike(fault) }
        }
        let end = Instant.start + (plan.faults.last?.at ?? .zero)
        if !simulation.run(
            within: .seconds(120), until: { self.simulation.now >= end && self.clients.allSatisfy { $0.isSettled } })
        {
            giveUp("after 120 s")
        }
        // Everything is well again: everybody is served, and who left his session loses it.
        diskCrash = nil
        diskCrashOfStart = nil
        simulation.network.heal()
        node.storage.capacity = plan.options.diskCapacity
        node.resume()
        for client in clients { client.isQuiet = true }
        settle("after the faults ended")
        simulation.run(for: .seconds(6))
        audit()
        // And all of it is on the disk.
        goDown(.power, for: .milliseconds(10))
        simulation.run(for: .milliseconds(11))
        settle("after the last power failure")
        audit()
        goDown(.process, for: .seconds(1000))
        return verdict()
    }

    @discardableResult
    private func client(_ name: String, _ timeout: Duration, _ credentials: [String], _ budget: Int) -> ModelClient {
        let client = ModelClient(
            simulation.node(name).world, history: history, timeout: timeout, credentials: credentials, budget: budget)
        clients.append(client)
        return client
    }

    private func settle(_ when: String) {
        guard history.violations.isEmpty else { return }
        let isSettled = { [self] in server != nil && node.isUp && clients.allSatisfy { $0.isSettled } }
        if !simulation.run(within: .seconds(30), until: isSettled) { giveUp(when) }
    }

    private func giveUp(_ when: String) {
        let waiting = clients.filter { !$0.isSettled }.map(\.name).joined(separator: ", ")
        history.violated("\(when) \(waiting) still waited" + (problem.map { "; the coordinator: \($0)" } ?? ""))
    }

    /// Reads the whole tree as it is now; what is shown is judged with everything else.
    private func audit() {
        guard history.violations.isEmpty else { return }
        let auditor = client(
            "auditor\(clients.count)", .seconds(4), (0..<plan.clients).map { "c\($0):secret" }, 0)
        auditor.isQuiet = true
        settle("before the audit")
        var paths = ["/"]
        var losses = 0
        while let path = paths.popLast() {
            if path != "/" { auditor.ask(.getData(path, watch: false)) }
            let exchange = auditor.ask(.getChildren(path, watch: false))
            simulation.run(within: .seconds(30)) { exchange?.answer != nil || exchange?.stream.isOver != false }
            guard let answer = exchange?.answer else {
                losses += 1
                guard losses < 20 else { return history.violated("the audit of \(path) was not answered") }
                paths.append(path)
                settle("in the audit")
                continue
            }
            guard answer.error == .ok, let reply = try? GetChildren2Response.decode(answer.body) else { continue }
            for name in reply.children.sorted() where path != "/" || name != "zookeeper" {
                paths.append(path == "/" ? "/" + name : path + "/" + name)
            }
        }
        settle("at the end of the audit")
    }

    private func verdict() -> Verdict {
        var violations = history.violations
        let transactions = witness.history
        var checker = HistoryChecker(history, transactions, clock)
        checker.check()
        violations += checker.violations
        if violations.isEmpty {
            let held = Set(clients.compactMap { $0.session?.id })
            // A greeting at the very end may have been lost behind the session it made.
            let young = Set(
                transactions.filter { transaction in
                    guard case .createSession = transaction.kind else { return false }
                    return clock.moments(transaction.time).contains { $0 + .seconds(6) > simulation.now }
                }.map(\.session))
            for id in checker.openSessions.symmetricDifference(held).subtracting(young.subtracting(held)).sorted() {
                violations.append(
                    held.contains(id)
                        ? "session \(hex(id)) is its client's, and gone" : "session \(hex(id)) is nobody's, and open")
            }
        }
        for line in node.lines where line.text.contains("has seen a later zxid") {
            violations.append("the coordinator told a zxid that it did not keep: \(line.fields)")
        }
        let items = history.streams.flatMap(\.received)
        return Verdict(
            violations: violations, traceHash: simulation.traceHash, events: simulation.eventCount,
            transactions: transactions.count, starts: starts,
            answers: items.count { if case .reply = $0 { true } else { false } },
            watchEvents: items.count { if case .event = $0 { true } else { false } },
            timeline: violations.isEmpty ? "" : timeline(transactions))
    }
}
