import Platform

/// What a crash takes with it.
package enum CrashKind {
    /// `kill -9`: memory is gone, the system lives. Files keep all that was written; peers see their connections end.
    case process
    /// The plug: names and bytes that were not synced survive only as far as chance lets them; peers hear nothing.
    case power
}

/// One machine of a simulation: its disk lasts, its lives do not. Each life has its own world; what an ended life still calls
/// goes nowhere.
package final class SimulatedNode {
    package let name: String
    /// 1 for the first node that was asked for.
    package let number: Int
    /// As peers see it: 10.0.0.1 and so on.
    package let address: String
    package let storage: SimulatedStorage
    /// The present life's world. After a crash: of the last one, until `boot` or `restart`.
    package private(set) var world: SimulatedWorld! = nil
    package private(set) var lines: [JournalLine] = []
    package private(set) var isPaused = false
    package private(set) var isUp = true
    /// Does the machine's system run? False from a power failure to the next boot.
    package private(set) var hasPower = true
    package private(set) var life = 1
    package private(set) var boots = 1
    /// Wall clock: how far ahead, and how many parts in a million too fast.
    package var wallOffset: Duration = .zero
    package var wallDriftPPM: Int64 = 0
    /// A machine that tells the same boot id all its life.
    package var keepsBootID = false
    /// What each of its disk's operations takes in addition.
    package var diskSlowness = Duration.zero

    unowned let simulation: Simulation
    var deferred: [ScheduledEvent] = []
    private var program: AnyObject?
    private var start: ((SimulatedWorld) -> AnyObject?)?

    init(_ name: String, number: Int, simulation: Simulation) {
        self.name = name
        self.number = number
        address = "10.0.\(number / 256).\(number % 256)"
        self.simulation = simulation
        storage = SimulatedStorage(capacity: simulation.options.diskCapacity)
        world = SimulatedWorld(self, life: life)
    }

    /// Runs `start` in this life and again at every `restart`; keeps what it returns alive until the life ends.
    package func boot(_ start: @escaping (SimulatedWorld) -> AnyObject?) {
        self.start = start
        if !isUp { revive() }
        launch()
    }

    /// The life ends at once: no callback of it comes any more.
    package func crash(_ kind: CrashKind) {
        guard isUp else { return }
        simulation.note("crash \(kind)", node: self)
        isUp = false
        isPaused = false
        deferred = []
        simulation.network.nodeCrashed(self, kind)
        world.end()
        program = nil
        storage.releaseLocks()
        if kind == .power {
            hasPower = false
            storage.losePower(using: &simulation.random)
        }
    }

    /// A new life; begins with the program of `boot`, if there was one. Crashes (as a process) first when it is up.
    package func restart() {
        if isUp { crash(.process) }
        revive()
        launch()
    }

    /// Nothing of this node runs, while time goes on for everybody else (SIGSTOP, a sleeping laptop).
    package func pause() {
        guard isUp, !isPaused else { return }
        simulation.note("pause", node: self)
        isPaused = true
    }

    package func resume() {
        guard isPaused else { return }
        simulation.note("resume", node: self)
        isPaused = false
        let waiting = deferred
        deferred = []
        simulation.requeue(waiting)
    }

    func end() {
        world.end()
        program = nil
        start = nil
        deferred = []
        storage.fault = nil
    }

    private func revive() {
        if !hasPower {
            hasPower = true
            boots += 1
        }
        isUp = true
        life += 1
        world = SimulatedWorld(self, life: life)
    }

    private func launch() {
        guard let start else { return }
        let world: SimulatedWorld = world
        schedule(at: simulation.now, "boot") { [unowned self] in program = start(world) }
    }

    func schedule(at instant: Instant, _ label: String, _ action: @escaping () -> Void) {
        simulation.schedule(at: instant, on: self, life: life, label, action)
    }

    func record(_ line: JournalLine) {
        lines.append(line)
        simulation.tell(self, line)
    }

    package var wallMs: Int64 {
        // 2026-11-21 12:00:00 UTC, and not the start of an hour's worth of anything.
        let elapsed = simulation.now.nanoseconds
        let drift = elapsed / 1_000_000 * wallDriftPPM
        return 1_795_262_400_114 + (elapsed + drift + wallOffset.nanoseconds) / 1_000_000
    }
}
