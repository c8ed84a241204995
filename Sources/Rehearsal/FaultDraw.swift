import Platform

/// Draws a list of faults from a seed: up front, so that it can be shown, shortened and played again.
struct FaultDraw {
    private(set) var faults: [Fault] = []
    private var chance: SeededRandom
    private let endMs: Int
    private let setting: Setting
    private var at = 0

    init(seed: UInt64, seconds: Int, setting: Setting) {
        chance = SeededRandom(seed: seed ^ 0xfa_017)
        endMs = max(1000, seconds * 1000 - 1000)
        self.setting = setting
        // Some plays are calm and some are not.
        let gap = min(one(1500, 4000, 4000, 9000), max(300, endMs / 2))
        at = draw(200...gap)
        while at < endMs {
            strike()
            at += draw(20...(2 * gap))
        }
        faults.sort { ($0.atMs, $0.description) < ($1.atMs, $1.description) }
    }

    private mutating func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &chance) }
    private mutating func one<T>(_ values: T...) -> T { values[draw(0...values.count - 1)] }

    /// A blink, less than a session, more than one.
    private mutating func spell() -> Int {
        switch draw(0...4) {
        case 0: draw(1...60)
        case 1: draw(60...800)
        case 2, 3: draw(500...setting.sessionMs)
        default: draw(setting.sessionMs...(2 * setting.sessionMs + 3000))
        }
    }

    private mutating func broker() -> String {
        switch draw(0...5) {
        case 0, 1: "leader"
        case 2: "controller"
        default: "broker-\(draw(0...2))"
        }
    }

    private mutating func add(
        _ kind: Fault.Kind, _ nodes: String..., lasts: Int? = nil, amount: Int = 0, after: Int = 0
    ) {
        let lasts = lasts ?? spell()
        faults.append(Fault(atMs: at + after, kind, nodes, lastsMs: lasts, amount: amount))
    }

    private mutating func strike() {
        switch draw(0...23) {
        case 0, 1, 2: add(.kill, broker())
        case 3: add(.kill, broker(), lasts: draw(0...30))
        case 4: add(.power, broker())
        case 5:
            // One after the other: only who is in sync may lead.
            add(.kill, broker())
            add(.kill, broker(), after: draw(0...3000))
        case 6:
            add(.power, broker(), lasts: draw(10...500))
            add(.kill, broker(), after: draw(0...1500))
        case 7, 8: add(.pause, broker())
        case 9: add(.stop, broker())
        case 10: add(.cut, broker(), "brokers")
        case 11: add(.cut, broker(), "brokers", "coordinator")
        case 12: add(.cut, broker(), "coordinator")
        case 13: add(.cut, "leader", "followers")
        case 14: add(.mute, broker(), one("coordinator", "brokers", "leader", "follower"))
        case 15: add(.mute, one("coordinator", "follower", "controller"), one("leader", "broker-\(draw(0...2))"))
        case 16: add(.cut, "coordinator", "brokers")
        case 17: add(one(.kill, .power, .pause), "coordinator")
        case 18: add(.slow, one("leader", "follower", "coordinator"), amount: one(5, 100, 2000))
        case 19: add(.disk, "broker-\(draw(0...2))", lasts: draw(500...5000), amount: draw(0...1))
        case 20:
            add(
                .clock, one("leader", "controller", "coordinator", "follower"),
                amount: one(-3_600_000, 86_400_000, 5000))
        case 21:
            // Flaps.
            let (a, b) = (broker(), one("brokers", "coordinator"))
            for blink in 0...draw(2...6) {
                add(one(.cut, .reset), a, b, lasts: draw(10...700), after: blink * draw(100...1000))
            }
        case 22:
            // All of them at once.
            let lasts = spell()
            for id in 0...2 { add(.kill, "broker-\(id)", lasts: lasts + draw(0...500)) }
            if draw(0...1) == 0 { add(.kill, "coordinator", lasts: lasts) }
        default:
            if setting.members > 0 {
                add(one(.pause, .kill, .stop), "member-\(draw(0...setting.members - 1))")
            } else {
                add(.drift, broker(), amount: one(-500, 500))
            }
        }
    }
}
