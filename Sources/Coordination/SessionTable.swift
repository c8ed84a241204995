/// Who must be heard of by when. What is durable about a session (its id and timeout) is in the tree.
package struct SessionTable {
    struct Entry {
        /// Milliseconds.
        var timeout: Int64
        /// On the monotonic clock, in milliseconds, at a grain's end.
        var deadline: Int64
        /// The connection that speaks for it now.
        var client: ClientID?
    }

    private(set) var entries: [Int64: Entry] = [:]
    private let grain: Int64
    /// No session ends before that: a look at all of them ten times a second would be for nothing.
    private var soonest = Int64.max

    init(grainMs: Int64) { grain = max(grainMs, 1) }

    var count: Int { entries.count }

    subscript(_ session: Int64) -> Entry? { entries[session] }

    mutating func opened(_ session: Int64, timeout: Int64, client: ClientID?, now: Int64) {
        let deadline = deadline(now + timeout)
        entries[session] = Entry(timeout: timeout, deadline: deadline, client: client)
        soonest = min(soonest, deadline)
    }

    mutating func closed(_ session: Int64) { entries[session] = nil }

    mutating func detached(_ session: Int64, from client: ClientID) {
        if entries[session]?.client == client { entries[session]?.client = nil }
    }

    /// Heard of it.
    /// - Returns: until when hearing of it again would change nothing, as deadlines are ends of ticks.
    mutating func touched(_ session: Int64, now: Int64) -> Int64 {
        guard let index = entries.index(forKey: session) else { return now }
        let timeout = entries.values[index].timeout
        let later = deadline(now + timeout)
        if later > entries.values[index].deadline { entries.values[index].deadline = later }
        return later - timeout
    }

    /// The process stood still: nobody could be heard of.
    mutating func extendAll(by gap: Int64) {
        for index in entries.values.indices { entries.values[index].deadline += gap }
    }

    /// Sessions whose time is over, smallest id first.
    mutating func expired(now: Int64) -> [Int64] {
        guard soonest <= now else { return [] }
        var over: [Int64] = []
        soonest = .max
        for (session, entry) in entries {
            soonest = min(soonest, entry.deadline)
            if entry.deadline <= now { over.append(session) }
        }
        return over.sorted()
    }

    /// Ends of grains, so that the sessions of one grain expire together.
    private func deadline(_ time: Int64) -> Int64 { (time / grain + 1) * grain }

    /// The 16 bytes a client proves its session with: never stored, the same after every restart, and the same as Apache's,
    /// which takes them from java.util.Random seeded with the id.
    package static func password(of session: Int64) -> [UInt8] {
        var state = UInt64(bitPattern: (session ^ 0xB341_5C00) ^ 0x5_DEEC_E66D) & 0xffff_ffff_ffff
        var bytes: [UInt8] = []
        for _ in 0..<4 {
            state = (state &* 0x5_DEEC_E66D &+ 0xb) & 0xffff_ffff_ffff
            let word = UInt32(truncatingIfNeeded: state >> 16)
            for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        return bytes
    }
}
