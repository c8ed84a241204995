import Platform
import SimulatedPlatform
import Testing

@testable import Broker

@Suite("The waiting room")
struct WaitingRoomTests {
    private let simulation = Simulation(seed: 1)
    private let room: WaitingRoom

    init() {
        let world: SimulatedWorld = simulation.node("a").world
        room = WaitingRoom(timers: world.timers, clock: world.clock)
    }

    @Test("answers when the condition holds, once, after one of the places was woken") func wakes() {
        let (here, there) = (room.makePlace(), room.makePlace())
        var isOver = false
        var endings: [WaitingRoom.Ending] = []
        room.park(at: [here, there], until: simulation.now + .seconds(5), reason: "test", isOver: { isOver }) {
            endings.append($0)
        }
        room.wake(there)
        simulation.run(for: .milliseconds(1))
        #expect(endings.isEmpty)
        isOver = true
        room.wake(here)
        // Never from within the call that woke it.
        #expect(endings.isEmpty)
        simulation.run(for: .seconds(10))
        #expect(endings == [.satisfied])
        #expect(room.count == 0)
        #expect(room.visitors(at: here).isEmpty && room.visitors(at: there).isEmpty)
    }

    @Test("gives up at the deadline") func deadline() {
        let place = room.makePlace()
        var ended: (WaitingRoom.Ending, Instant)?
        room.park(at: [place], until: simulation.now + .seconds(5), reason: "test", isOver: { false }) {
            ended = ($0, simulation.now)
        }
        simulation.run(for: .seconds(10))
        #expect(ended?.0 == .timedOut)
        #expect(ended?.1 == .start + .seconds(5))
    }

    @Test("waits without any place, for time alone") func nowhere() {
        var endings: [WaitingRoom.Ending] = []
        room.park(at: [], until: simulation.now + .seconds(1), reason: "test", isOver: { true }) { endings.append($0) }
        simulation.run(for: .seconds(2))
        #expect(endings == [.timedOut])
    }

    @Test("asks everybody at a place once a turn, however often it was woken") func burst() {
        let place = room.makePlace()
        var asked = 0
        room.park(
            at: [place], until: simulation.now + .seconds(5), reason: "test",
            isOver: {
                asked += 1
                return false
            }, then: { _ in })
        for _ in 0..<100 { room.wake(place) }
        simulation.run(for: .milliseconds(1))
        #expect(asked == 1)
    }

    @Test("forgets who leaves") func leaves() {
        let place = room.makePlace()
        var endings = 0
        let visitor = room.park(at: [place], until: simulation.now + .seconds(1), reason: "test", isOver: { true }) {
            _ in
            endings += 1
        }
        room.leave(visitor)
        room.leave(visitor)
        room.wake(place)
        simulation.run(for: .seconds(2))
        #expect(endings == 0)
        #expect(room.count == 0)
    }

    @Test("sends everybody away when a place closes, and gives the place to the next") func closes() {
        let place = room.makePlace()
        var endings: [WaitingRoom.Ending] = []
        room.park(at: [place], until: simulation.now + .seconds(5), reason: "test", isOver: { false }) {
            endings.append($0)
        }
        room.close(place)
        #expect(endings == [.satisfied])
        #expect(room.makePlace() == place)
    }

    @Test("lets whoever was answered wait again at once") func again() {
        let place = room.makePlace()
        var rounds = 0
        func park() {
            room.park(at: [place], until: simulation.now + .seconds(60), reason: "test", isOver: { true }) { _ in
                rounds += 1
                if rounds < 3 { park() }
            }
        }
        park()
        for _ in 0..<5 {
            room.wake(place)
            simulation.run(for: .milliseconds(1))
        }
        #expect(rounds == 3)
    }
}
