import Platform
import SimulatedPlatform

/// Performs a plan's faults on a cluster, ends each when its time is over, and mends everything in the end.
final class FaultsAtWork {
    private let simulation: Simulation
    private let cluster: Cluster
    private let judge: Judge
    /// What was done, for the timeline.
    private(set) var done: [(at: Instant, text: String)] = []
    private var isOver = false
    /// How many faults stand between two nodes.
    private var blocks: [String: Int] = [:]
    private var failingDisks: [String] = []

    init(simulation: Simulation, cluster: Cluster, judge: Judge) {
        self.simulation = simulation
        self.cluster = cluster
        self.judge = judge
    }

    func schedule(_ faults: [Fault]) {
        let start = simulation.now
        for fault in faults {
            simulation.at(start + .milliseconds(fault.atMs), "fault") { [self] in if !isOver { begin(fault) } }
        }
    }

    private func tell(_ text: String) { done.append((simulation.now, text)) }

    private func after(_ fault: Fault, _ end: @escaping () -> Void) {
        simulation.after(.milliseconds(fault.lastsMs), "end of a fault") { [self] in if !isOver { end() } }
    }

    // MARK: Names

    private func resolve(_ name: String) -> [String] {
        let leader = judge.truths.first?.recorded.map { Int($0.leader.raw) } ?? -1
        let followers = (0..<Cluster.brokers).filter { $0 != leader }
        switch name {
        case "leader": return leader >= 0 ? ["broker-\(leader)"] : []
        case "follower": return followers.prefix(1).map { "broker-\($0)" }
        case "followers": return followers.map { "broker-\($0)" }
        case "controller": return cluster.controller.map { ["broker-\($0)"] } ?? []
        case "brokers": return (0..<Cluster.brokers).map { "broker-\($0)" }
        default: return simulation.nodes.contains { $0.name == name } ? [name] : []
        }
    }

    // MARK: Beginning

    private func begin(_ fault: Fault) {
        let first = fault.nodes.first.map(resolve) ?? []
        let others = fault.nodes.dropFirst().flatMap(resolve)
        for name in first {
            let node = simulation.node(name)
            switch fault.kind {
            case .kill: crash(node, .process, fault)
            case .power: power(node, fault)
            case .pause: pause(node, fault)
            case .stop: stop(node, fault)
            case .cut, .mute:
                let links = others.filter { $0 != name }
                guard !links.isEmpty else { continue }
                tell("\(fault.kind.rawValue) \(name) \(links.joined(separator: " ")) for \(fault.lastsMs) ms")
                for other in links {
                    block(name, other, fault)
                    if fault.kind == .cut { block(other, name, fault) }
                }
            case .reset:
                tell("reset \(name) \(others.joined(separator: " "))")
                for other in others where other != name {
                    simulation.network.breakConnections(between: name, and: other)
                }
            case .slow:
                tell("\(name)'s disk takes \(fault.amount) ms longer for \(fault.lastsMs) ms")
                node.diskSlowness = .milliseconds(fault.amount)
                after(fault) { node.diskSlowness = .zero }
            case .disk: fail(node, fault)
            case .clock:
                tell("\(name)'s wall clock jumps by \(fault.amount) ms for \(fault.lastsMs) ms")
                node.wallOffset += .milliseconds(fault.amount)
                after(fault) { node.wallOffset -= .milliseconds(fault.amount) }
            case .drift:
                tell("\(name)'s wall clock runs \(fault.amount) ppm too fast for \(fault.lastsMs) ms")
                node.wallDriftPPM = Int64(fault.amount)
                after(fault) { node.wallDriftPPM = 0 }
            }
        }
    }

    private func crash(_ node: SimulatedNode, _ kind: CrashKind, _ fault: Fault) {
        guard node.isUp else { return }
        tell("\(node.name) \(kind == .power ? "loses power" : "is killed") for \(fault.lastsMs) ms")
        node.crash(kind)
        let life = node.life
        after(fault) { [self] in
            guard !node.isUp, node.life == life else { return }
            tell("\(node.name) is started")
            node.restart()
        }
    }

    private func power(_ node: SimulatedNode, _ fault: Fault) {
        guard node.isUp else { return }
        if let id = cluster.brokerID(node) {
            let syncsEach = cluster.setting.syncsEach
            guard syncsEach || judge.mayLosePower(id) else { return crash(node, .process, fault) }
            judge.losesPower(id, syncsEach: syncsEach)
        }
        crash(node, .power, fault)
    }

    private func pause(_ node: SimulatedNode, _ fault: Fault) {
        guard node.isUp, !node.isPaused else { return }
        tell("\(node.name) is paused for \(fault.lastsMs) ms")
        node.pause()
        let life = node.life
        after(fault) { [self] in
            guard node.isPaused, node.life == life else { return }
            tell("\(node.name) goes on")
            node.resume()
        }
    }

    /// A stop is given fifteen seconds, as by people and supervisors.
    private func stop(_ node: SimulatedNode, _ fault: Fault) {
        guard node.isUp, !node.isPaused else { return }
        guard let id = cluster.brokerID(node), let process = cluster.processes[id] else {
            return crash(node, .process, fault)
        }
        let life = node.life
        let end: (String) -> Void = { [self] how in
            guard node.isUp, node.life == life else { return }
            tell("\(node.name) \(how)")
            node.crash(.process)
            simulation.after(.milliseconds(isOver ? 0 : fault.lastsMs), "start again") { [self] in
                guard !node.isUp, node.life == life else { return }
                tell("\(node.name) is started")
                node.restart()
            }
        }
        tell("\(node.name) is asked to stop")
        process.stop { [simulation] in simulation.after(.zero, "stopped") { end("has stopped cleanly") } }
        simulation.after(.seconds(15), "patience") { end("did not stop, and is killed") }
    }

    private func fail(_ node: SimulatedNode, _ fault: Fault) {
        guard node.isUp else { return }
        tell("\(node.name)'s disk refuses a write: \(fault.amount == 0 ? "EIO" : "ENOSPC")")
        node.storage.fail(.write, of: "/logs", code: fault.amount == 0 ? 5 : 28)
        failingDisks.append(node.name)
        after(fault) { [self] in
            guard let place = failingDisks.firstIndex(of: node.name) else { return }
            failingDisks.remove(at: place)
            node.storage.fault = nil
            if node.isUp { restart(node) }
        }
    }

    private func restart(_ node: SimulatedNode) {
        tell("\(node.name) is started anew")
        node.restart()
    }

    private func block(_ from: String, _ to: String, _ fault: Fault) {
        let link = "\(from) \(to)"
        blocks[link, default: 0] += 1
        if blocks[link] == 1 { simulation.network.block(from: from, to: to) }
        after(fault) { [self] in
            blocks[link, default: 1] -= 1
            guard blocks[link] == 0 else { return }
            simulation.network.unblock(from: from, to: to)
        }
    }

    // MARK: The end of all faults

    func mend() {
        isOver = true
        tell("everything is mended")
        blocks = [:]
        simulation.network.heal()
        for node in simulation.nodes {
            node.diskSlowness = .zero
            node.storage.fault = nil
            if node.isPaused { node.resume() }
            if !node.isUp || failingDisks.contains(node.name) { node.restart() }
        }
    }
}
