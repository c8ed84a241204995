import Platform
import SimulatedPlatform

/// Turns the wall clock's times in the log back into moments, though that clock was set back and forth.
struct ServerClock {
    private var settings: [(from: Instant, offset: Int64)]

    init(_ node: SimulatedNode) { settings = [(.start, node.wallMs)] }

    mutating func set(_ node: SimulatedNode, at now: Instant) {
        settings.append((now, node.wallMs - now.nanoseconds / 1_000_000))
    }

    /// The moments, to the millisecond, at which that clock can have shown this; newest first.
    func moments(_ wallMs: Int64) -> [Instant] {
        settings.indices.reversed().compactMap { index in
            let milliseconds = wallMs - settings[index].offset
            let until = index + 1 < settings.count ? settings[index + 1].from.nanoseconds / 1_000_000 : .max - 1
            guard milliseconds >= settings[index].from.nanoseconds / 1_000_000 - 1, milliseconds <= until + 1 else {
                return nil
            }
            return Instant(nanoseconds: milliseconds * 1_000_000)
        }
    }
}
