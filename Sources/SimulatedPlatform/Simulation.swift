import Platform

/// How the pretend surroundings behave when no fault is asked for. A seed chooses within these.
package struct SimulationOptions {
    /// One way between two nodes; within a node it is a twentieth of it.
    package var latency: ClosedRange<Duration> = .microseconds(50) ... .microseconds(500)
    /// How much a connection's system buffers hold before the sender must keep the rest.
    package var window = 64 << 10
    /// Bytes arrive in pieces of at most this size, cut where the seed says.
    package var largestPiece = 16 << 10
    /// The chance of each piece to break its connection.
    package var connectionLoss = 0.0
    /// How long a lane's operation takes.
    package var diskDelay: ClosedRange<Duration> = .microseconds(20) ... .milliseconds(2)
    /// The chance of a lane's operation to take `diskStall` instead.
    package var diskStallChance = 0.0
    package var diskStall: Duration = .seconds(2)
    /// The chance of a write to be done within the call while its lane is idle.
    package var writesInPlace = 0.5
    package var diskCapacity: Int64 = 1 << 40
    /// A run stands still behind so many events: what asks itself again at once must not run for ever, nor fill the memory.
    package var eventLimit = 20_000_000
    package var journalLevel = JournalLevel.info
    /// Keeps a line for each event; `traceHash` is there without it.
    package var keepsTrace = false
    package init() {}
}

/// Several machines in one thread, played from a seed: the same seed and the same program give the same run, byte for byte.
/// Time moves only from one event to the next, and only within `run`.
package final class Simulation {
    package let seed: UInt64
    package let options: SimulationOptions
    package private(set) var now = Instant.start
    package private(set) var network: SimulatedNetwork! = nil
    /// The scheduler's chance; nodes have their own.
    package var random: SeededRandom
    /// Every event, every byte that arrived or was written, every journal line. Equal after two runs that were equal.
    package private(set) var traceHash: UInt64 = 0xcbf2_9ce4_8422_2325
    package private(set) var trace: [String] = []
    package private(set) var eventCount = 0
    /// The journals of all nodes in the order of writing.
    package private(set) var story: [(at: Instant, node: String, line: JournalLine)] = []
    package private(set) var nodes: [SimulatedNode] = []

    /// Told after each event, with the node it was of: for those who judge a run while it goes on. It may not act.
    package var observer: ((SimulatedNode?) -> Void)?

    private var queue = EventQueue()
    private var isRunning = false

    package init(seed: UInt64, options: SimulationOptions = SimulationOptions()) {
        self.seed = seed
        self.options = options
        random = SeededRandom(seed: seed)
        network = SimulatedNetwork(self)
    }

    /// The machine of this name, made when it is asked for first. Others reach it by its name.
    package func node(_ name: String) -> SimulatedNode {
        if let node = nodes.first(where: { $0.name == name }) { return node }
        let node = SimulatedNode(name, number: nodes.count + 1, simulation: self)
        nodes.append(node)
        return node
    }

    /// Plays everything due within the next `duration`, and leaves the clock there.
    package func run(for duration: Duration) {
        let end = now + duration
        while eventCount < options.eventLimit, let next = queue.earliest, next <= end { step() }
        now = max(now, end)
    }

    /// Plays until `condition` holds, asking after each event.
    /// - Returns: false when `limit` of simulated time or the limit of events has passed without it, or nothing is left that could
    ///   happen.
    @discardableResult
    package func run(within limit: Duration = .seconds(600), until condition: () -> Bool) -> Bool {
        let end = now + limit
        while !condition() {
            guard eventCount < options.eventLimit, let next = queue.earliest, next <= end else {
                now = max(now, end)
                return condition()
            }
            step()
        }
        return true
    }

    /// Plays the next event. False when there is none.
    @discardableResult
    package func step() -> Bool {
        precondition(!isRunning, "a simulation's event may not run the simulation")
        guard let event = queue.popFirst() else { return false }
        now = max(now, event.at)
        if let node = event.node {
            guard node.life == event.life, node.isUp else { return true }
            if node.isPaused {
                node.deferred.append(event)
                return true
            }
        }
        eventCount += 1
        note(event.label, node: event.node)
        isRunning = true
        event.action()
        observer?(event.node)
        isRunning = false
        return true
    }

    /// Nothing happens any more, and what held each other is let go: of many runs in one process each leaves nothing behind.
    package func end() {
        observer = nil
        queue = EventQueue()
        network.end()
        for node in nodes { node.end() }
    }

    /// An event of nobody's: a fault, a client's step, the network at work.
    package func at(_ instant: Instant, _ label: String = "plan", _ action: @escaping () -> Void) {
        queue.insert(at: max(now, instant), node: nil, life: 0, label: label, action)
    }
    package func after(_ delay: Duration, _ label: String = "plan", _ action: @escaping () -> Void) {
        at(now + delay, label, action)
    }

    /// An event of one life of a node: it waits while the node is paused, and is void once that life is over.
    func schedule(
        at instant: Instant, on node: SimulatedNode, life: Int, _ label: String, _ action: @escaping () -> Void
    ) {
        queue.insert(at: max(now, instant), node: node, life: life, label: label, action)
    }

    func requeue(_ events: [ScheduledEvent]) {
        for event in events {
            queue.insert(at: now, node: event.node, life: event.life, label: event.label, event.action)
        }
    }

    func chosen(_ range: ClosedRange<Duration>) -> Duration {
        .nanoseconds(Int64.random(in: range.lowerBound.nanoseconds...range.upperBound.nanoseconds, using: &random))
    }

    func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &random) < probability
    }

    func tell(_ node: SimulatedNode, _ line: JournalLine) {
        story.append((now, node.name, line))
        mix(line.speaker)
        mix(line.text)
        for (key, value) in line.fields {
            mix(key)
            mix(value)
        }
    }

    /// The last lines of all journals, for a test that failed.
    package func lastLines(_ count: Int = 200) -> String {
        story.suffix(count).map { entry in
            let fields = entry.line.fields.map { " \($0.key)=\($0.value)" }.joined()
            return "\(entry.at) [\(entry.node)] \(entry.line.level) \(entry.line.speaker): \(entry.line.text)\(fields)"
        }.joined(separator: "\n")
    }

    func note(_ label: String, node: SimulatedNode?) {
        mix(UInt64(bitPattern: now.nanoseconds))
        mix(node?.name ?? "-")
        mix(label)
        if options.keepsTrace { trace.append("\(now.nanoseconds) \(node?.name ?? "-") \(label)") }
    }

    func mix(_ text: String) {
        for byte in text.utf8 { mixByte(byte) }
        mixByte(0xff)
    }
    func mix(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        var index = 0
        while index + 8 <= bytes.count {
            mix8((base + index).loadUnaligned(as: UInt64.self))
            index += 8
        }
        while index < bytes.count {
            mixByte((base + index).load(as: UInt8.self))
            index += 1
        }
    }
    func mix(_ number: UInt64) {
        mix8(number)
    }
    private func mix8(_ number: UInt64) {
        let mixed = (traceHash ^ number) &* 0x9e37_79b9_7f4a_7c15
        traceHash = mixed ^ (mixed >> 29)
    }
    @inline(__always) private func mixByte(_ byte: UInt8) {
        traceHash = (traceHash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
}

struct ScheduledEvent {
    var at: Instant
    /// Events of one instant happen in the order they were asked for.
    var order: UInt64
    var node: SimulatedNode?
    var life: Int
    var label: String
    var action: () -> Void
}

/// A binary heap by time, then by order.
private struct EventQueue {
    private var heap: [ScheduledEvent] = []
    private var inserted: UInt64 = 0

    var earliest: Instant? { heap.first?.at }

    mutating func insert(at: Instant, node: SimulatedNode?, life: Int, label: String, _ action: @escaping () -> Void) {
        inserted += 1
        heap.append(ScheduledEvent(at: at, order: inserted, node: node, life: life, label: label, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(child, parent) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> ScheduledEvent? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, precedes(child + 1, child) { child += 1 }
            guard precedes(child, parent) else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return first
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        (heap[a].at, heap[a].order) < (heap[b].at, heap[b].order)
    }
}
