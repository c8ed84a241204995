import CoordinationServer
import Platform
import SimulatedPlatform

/// What can go wrong with a coordinator, its disk, its clock and its network.
enum Fault {
    case crash(CrashKind, down: Duration)
    /// Instead of the disk operation of this number from now on: writes, syncs, renames, everything that changes the disk.
    case crashAtDisk(CrashKind, operation: Int, down: Duration)
    /// A crash, and another one at this disk operation of the start behind it.
    case crashInStart(CrashKind, operation: Int, down: Duration)
    case cleanStop(down: Duration)
    case pause(Duration)
    case failedSync
    case fullDisk(Duration)
    /// Every stream of one client is reset.
    case cut(client: Int)
    case partition(client: Int, Duration)
    /// What the coordinator says does not arrive; what the client says does.
    case deafness(client: Int, Duration)
    /// The wall clock only; a process's own time knows nothing of it.
    case clockJump(Duration)
}

/// All that a seed decides before anything happens. Data, so that faults can be left away to find the one that matters.
struct CoordinatorPlan {
    var seed: UInt64
    var clients: Int
    /// Of each client.
    var requests: Int
    var faults: [(at: Duration, fault: Fault)] = []
    var options = SimulationOptions()
    var config = CoordinatorConfig(dataDir: "/data")

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededRandom(seed: seed ^ 0xc0_0121_d1a7_0125)
        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
        func milliseconds(_ range: ClosedRange<Int>) -> Duration {
            .milliseconds(Int.random(in: range, using: &random))
        }
        clients = Int.random(in: 2...5, using: &random)
        requests = Int.random(in: 15...50, using: &random)
        options.connectionLoss = chance(25) ? 0.003 : 0
        options.diskStallChance = chance(25) ? 0.02 : 0
        options.diskStall = .seconds(2)
        if chance(15) { options.latency = .milliseconds(1) ... .milliseconds(120) }
        if chance(25) { options.largestPiece = 40 }
        config.rules.tick = [100, 250, 500].randomElement(using: &random) ?? 500
        config.rules.minSessionTimeout = 1000
        config.rules.maxSessionTimeout = 4000
        config.rules.extendedTypes = true
        config.maxClientConnections = 0
        config.preallocation = [0, 600, 4096, 1 << 16].randomElement(using: &random) ?? 4096
        // Rolls, snapshots and purges all the time.
        config.snapCount = [3, 8, 30, 100].randomElement(using: &random) ?? 30
        config.purgeInterval = chance(60) ? milliseconds(100...2000) : nil
        config.containerCheckInterval = milliseconds(100...800)

        let horizon = 2500
        let count = chance(10) ? 0 : Int.random(in: 1...6, using: &random)
        for _ in 0..<count {
            let kind: CrashKind = chance(60) ? .power : .process
            let down = chance(75) ? milliseconds(1...200) : milliseconds(500...6000)
            let client = Int.random(in: 0..<clients, using: &random)
            let fault: Fault
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<12: fault = .crash(kind, down: down)
            case 12..<40:
                fault = .crashAtDisk(kind, operation: Int.random(in: 1...40, using: &random), down: down)
            case 40..<50:
                fault = .crashInStart(kind, operation: Int.random(in: 1...12, using: &random), down: down)
            case 50..<55: fault = .cleanStop(down: down)
            case 55..<63: fault = .pause(chance(50) ? milliseconds(50...800) : milliseconds(3000...9000))
            case 63..<67: fault = .failedSync
            case 67..<72: fault = .fullDisk(milliseconds(200...1500))
            case 72..<80: fault = .cut(client: client)
            case 80..<88: fault = .partition(client: client, milliseconds(100...6000))
            case 88..<93: fault = .deafness(client: client, milliseconds(100...3000))
            default: fault = .clockJump(chance(50) ? .seconds(-3600) : .seconds(86_400))
            }
            faults.append((milliseconds(20...horizon), fault))
        }
        faults.sort { $0.at < $1.at }
    }

    var description: String {
        let list = faults.map { "  \($0.at): \($0.fault)" }.joined(separator: "\n")
        return "\(clients) clients, \(requests) requests each, snapCount \(config.snapCount), "
            + "preallocation \(config.preallocation), tick \(config.rules.tick) ms\n\(list)"
    }
}
