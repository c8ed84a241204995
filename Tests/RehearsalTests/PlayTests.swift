import Testing

@testable import Rehearsal

@Suite("A play")
struct PlayTests {
    @Test("goes the same way when it is played again, and another way from another seed") func deterministic() {
        let first = Play.play(Plan(seed: 3, seconds: 5))
        let second = Play.play(Plan(seed: 3, seconds: 5))
        #expect(first.hash == second.hash && first.events == second.events)
        #expect(Play.play(Plan(seed: 4, seconds: 5)).hash != first.hash)
    }

    @Test("of any seed ends well: nothing acknowledged is lost, doubled or moved", arguments: 0..<2)
    func seeds(ten: UInt64) {
        for seed in (ten * 10 + 1)...(ten * 10 + 10) {
            let outcome = Play.play(Plan(seed: seed, seconds: 5))
            #expect(
                outcome.violation == nil,
                "seed \(seed): \(outcome.violation ?? "")\n\(outcome.plan.command)\n\(outcome.timeline.joined(separator: "\n"))")
        }
    }

    @Test("is read back from its text") func text() {
        for seed in 1...50 {
            let plan = Plan(seed: UInt64(seed))
            #expect(Fault.list(plan.faults.map(\.description).joined(separator: "; ")) == plan.faults)
        }
        #expect(Fault("x kill broker-0 for 3") == nil)
        #expect(Fault.list("3 kill; 4 cut a b for") == nil)
    }
}
