/// A point on the monotonic clock, in nanoseconds since the platform began. Never compared between processes.
package struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static let start = Instant(nanoseconds: 0)
    package static let distantFuture = Instant(nanoseconds: .max)

    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func + (a: Instant, b: Duration) -> Instant {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }
    package static func - (a: Instant, b: Instant) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
    package var description: String { "\(Double(nanoseconds / 1000) / 1_000_000) s" }
}

extension Duration {
    /// Whole nanoseconds, clamped to what 64 bits hold (292 years).
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, over) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return over ? (seconds < 0 ? .min : .max) : sum
    }
    package var wholeMilliseconds: Int64 { nanoseconds / 1_000_000 }
}

/// Two clocks that must not be mixed: durations and deadlines use `now`; only what is shown or stored uses `wallMs`.
package protocol Clock: AnyObject {
    /// Monotonic. Constant within one turn of the loop is allowed; going back is not.
    var now: Instant { get }
    /// Milliseconds since 1970, as records, znodes and logs carry them. May jump.
    var wallMs: Int64 { get }
}

package struct TimerID: Hashable, Sendable {
    package var raw: UInt64
    package init(raw: UInt64) { self.raw = raw }
}

/// Callbacks at a time, on the deciding thread. Two timers of the same instant fire in the order they were set.
package protocol Timers: AnyObject {
    func schedule(at instant: Instant, _ fire: @escaping () -> Void) -> TimerID
    /// No effect when it fired or was cancelled before.
    func cancel(_ timer: TimerID)
    /// Runs `work` later in this turn or in the next one, never inside the caller.
    func soon(_ work: @escaping () -> Void)
}
