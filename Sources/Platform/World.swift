/// All that a process may ask of its surroundings. Only the executable, a test, or a client's convenience initialiser chooses
/// which world it is; nothing below can tell. Everything here is called on the deciding thread and calls back on it.
package protocol World: AnyObject {
    var clock: any Clock { get }
    var timers: any Timers { get }
    var network: any Network { get }
    var disk: any Disk { get }
    var journal: Journal { get }
    /// The world's chance: from the system here, from the seed there.
    func random() -> UInt64
    /// Differs after every boot of the machine: unflushed pages did not survive when it has changed.
    var bootID: String { get }
    /// Registration and `advertised.listeners` say it when nobody configured a host.
    var hostName: String { get }
    /// A burst is over: memory that is free but kept for the next one may go back to the system now. May take a millisecond.
    func giveBackMemory()
}

/// `world.random()` where Swift wants a generator.
package struct WorldRandom: RandomNumberGenerator {
    private let world: any World
    package init(_ world: any World) { self.world = world }
    package mutating func next() -> UInt64 { world.random() }
}

extension World {
    package func giveBackMemory() {}

    @discardableResult
    package func after(_ delay: Duration, _ fire: @escaping () -> Void) -> TimerID {
        timers.schedule(at: clock.now + delay, fire)
    }
}

/// xoshiro256**, seeded through SplitMix64: the same numbers on every machine, for simulations and tests.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init(seed: UInt64) {
        var mixer = seed
        func mixed() -> UInt64 {
            mixer &+= 0x9e37_79b9_7f4a_7c15
            var z = mixer
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
        state = (mixed(), mixed(), mixed(), mixed())
    }

    package mutating func next() -> UInt64 {
        func rotated(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotated(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotated(state.3, 45)
        return result
    }
}
