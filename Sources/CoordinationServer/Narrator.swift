import Platform

/// What happens to sessions and connections, one line each while there are few, summed up when there are many: ten thousand
/// sessions that expire together must not make ten thousand lines. Lines about changes wait until their change is durable.
final class Narrator {
    enum Kind: String, CaseIterable {
        case began = "sessions began"
        case resumed = "sessions were resumed"
        case expired = "sessions expired"
        case closed = "sessions were closed"
        case evicted = "connections lost their session to a newer one"
        case unknown = "expired or unknown sessions were refused"
        case limit = "connections were refused over a limit"
        case malformed = "connections were closed over what they sent"
        case large = "large requests were refused"
        case silent = "connections were closed that never said what they want"
        case foreign = "connections were closed that do not speak this protocol"
        case node = "notable nodes changed"
    }

    private struct Second {
        var since = Instant.start
        var told = 0
        var more = 0
        var ephemerals = 0
    }

    /// Lines of one kind in one second before the rest is counted only.
    static let atMost = 20
    private let world: any World
    private var seconds: [Kind: Second] = [:]
    private var waiting: [(zxid: Int64, tell: () -> Void)] = []

    init(world: any World) { self.world = world }

    /// - Parameter zxid: the change this is about; the line is written once that is durable. 0 for no change.
    /// - Parameter ephemerals: how many nodes went with it.
    func tell(
        _ kind: Kind, level: JournalLevel = .info, after zxid: Int64 = 0, ephemerals: Int = 0,
        _ text: @autoclosure () -> String
    ) {
        guard world.journal.level <= level else { return }
        let now = world.clock.now
        var second = seconds[kind] ?? Second(since: now)
        if now - second.since >= .seconds(1), second.more == 0 { second = Second(since: now) }
        if second.told >= Narrator.atMost {
            if second.more == 0 {
                world.after(.seconds(1) - min(now - second.since, .seconds(1))) { [weak self] in self?.sumUp(kind) }
            }
            second.more += 1
            second.ephemerals += ephemerals
        } else {
            second.told += 1
            let line = text()
            if zxid == 0 {
                write(line, level)
            } else {
                waiting.append((zxid, { [weak self] in self?.write(line, level) }))
            }
        }
        seconds[kind] = second
    }

    /// Everything up to here has happened whatever comes.
    func became(durable zxid: Int64) {
        if waiting.isEmpty { return }
        let ready = waiting.prefix { $0.zxid <= zxid }
        waiting.removeFirst(ready.count)
        for entry in ready { entry.tell() }
    }

    private func sumUp(_ kind: Kind) {
        guard let second = seconds.removeValue(forKey: kind), second.more > 0 else { return }
        let nodes = second.ephemerals > 0 ? "; \(grouped(second.ephemerals)) ephemerals removed with them" : ""
        world.journal.info("\(grouped(second.more)) more \(kind.rawValue) within a second\(nodes)")
    }

    private func write(_ line: String, _ level: JournalLevel) {
        if level >= .warning { world.journal.warning(line) } else { world.journal.info(line) }
    }
}

/// 9980 as 9,980.
func grouped(_ number: Int) -> String {
    var digits = String(number), out = ""
    while digits.count > 3, digits.dropLast(3) != "-" {
        out = "," + digits.suffix(3) + out
        digits.removeLast(3)
    }
    return digits + out
}
