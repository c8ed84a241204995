import Platform

/// The surroundings of one life of a simulated node.
package final class SimulatedWorld: World {
    package unowned let node: SimulatedNode
    package let clock: any Clock
    package let timers: any Timers
    package private(set) lazy var network: any Network = nodeNetwork
    package private(set) lazy var disk: any Disk = SimulatedDisk(self)
    package let journal: Journal
    package let bootID: String
    package var hostName: String { node.name }

    private var generator: SeededRandom
    private let simulatedTimers: SimulatedTimers
    private lazy var nodeNetwork = SimulatedNodeNetwork(self)
    let life: Int
    private(set) var isAlive = true

    init(_ node: SimulatedNode, life: Int) {
        self.node = node
        self.life = life
        let clock = SimulatedClock(node)
        self.clock = clock
        simulatedTimers = SimulatedTimers(node, life: life)
        timers = simulatedTimers
        bootID = "boot-\(node.name)-\(node.keepsBootID ? 1 : node.boots)"
        var seed = node.simulation.seed
        for byte in node.name.utf8 { seed = (seed ^ UInt64(byte)) &* 0x100_0000_01b3 }
        generator = SeededRandom(seed: seed &+ UInt64(life) &* 0x9e37_79b9_7f4a_7c15)
        journal = Journal(
            speaker: node.name, level: node.simulation.options.journalLevel, sink: SimulatedJournal(node, life: life),
            clock: clock)
    }

    package func random() -> UInt64 { generator.next() }

    func end() {
        isAlive = false
        simulatedTimers.end()
        nodeNetwork.end()
    }
}

private final class SimulatedClock: Clock {
    private unowned let node: SimulatedNode
    init(_ node: SimulatedNode) { self.node = node }
    var now: Instant { node.simulation.now }
    var wallMs: Int64 { node.wallMs }
}

private final class SimulatedJournal: JournalSink {
    private unowned let node: SimulatedNode
    private let life: Int
    init(_ node: SimulatedNode, life: Int) {
        self.node = node
        self.life = life
    }
    func write(_ line: JournalLine) {
        if node.life == life, node.isUp { node.record(line) }
    }
}

private final class SimulatedTimers: Timers {
    private unowned let node: SimulatedNode
    private let life: Int
    private var waiting: [UInt64: () -> Void] = [:]
    private var lastID: UInt64 = 0
    private var ended = false

    init(_ node: SimulatedNode, life: Int) {
        self.node = node
        self.life = life
    }

    func schedule(at instant: Instant, _ fire: @escaping () -> Void) -> TimerID {
        lastID += 1
        let id = lastID
        guard !ended else { return TimerID(raw: id) }
        waiting[id] = fire
        guard instant < .distantFuture else { return TimerID(raw: id) }
        node.simulation.schedule(at: instant, on: node, life: life, "timer") { [weak self] in
            self?.waiting.removeValue(forKey: id)?()
        }
        return TimerID(raw: id)
    }

    func cancel(_ timer: TimerID) { waiting[timer.raw] = nil }

    func soon(_ work: @escaping () -> Void) {
        guard !ended else { return }
        node.simulation.schedule(at: node.simulation.now, on: node, life: life, "soon", work)
    }

    func end() {
        ended = true
        waiting = [:]
    }
}
