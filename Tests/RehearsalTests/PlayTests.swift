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

    @Test("of any seed ends well: nothing acknowledged is lost, doubled or moved", arguments: 0..<10)
    func seeds(ten: UInt64) {
        for seed in (ten * 10 + 1)...(ten * 10 + 10) {
            let outcome = Play.play(Plan(seed: seed, seconds: 3))
            #expect(
                outcome.violation == nil,
                "seed \(seed): \(outcome.violation ?? "")\n\(outcome.plan.command)\n\(outcome.timeline.joined(separator: "\n"))"
            )
        }
    }

    /// Each once failed; see the module's README.
    @Test(
        "that once failed ends well",
        arguments: [
            // A machine that lost power was the first of its in-sync set to come back, and led without what it had lost.
            Plan(
                seed: 21, seconds: 20,
                faults: Fault.list(
                    """
                    5479 kill broker-0 for 376; 5479 kill broker-1 for 454; 5479 kill broker-2 for 450
                    6455 power broker-0 for 329; 7706 pause broker-0 for 6658
                    10784 kill broker-0 for 1381; 10784 kill broker-1 for 1126; 10784 kill broker-2 for 1135
                    14656 power leader for 291; 16139 kill broker-2 for 2462; 17584 kill leader for 1197
                    """)),
            // A log that was rolled and recovered, whose producers had requests under way: the release build died of it.
            Plan(seed: 4, seconds: 10),
        ])
    func regressions(plan: Plan) {
        let outcome = Play.play(plan)
        #expect(outcome.violation == nil, "\(plan.command)\n\(outcome.timeline.joined(separator: "\n"))")
    }

    @Test("that fails is made shorter, and still fails") func shrinks() {
        var plan = Plan(seed: 5, seconds: 60)
        plan.faults = (0..<20).map { Fault(atMs: $0 * 100, .kill, ["broker-\($0 % 3)"], lastsMs: $0) }
        let shrunk = Shrinking.shrunk(plan) { plan in
            plan.faults.contains { $0.lastsMs == 7 } && plan.faults.contains { $0.lastsMs == 13 }
        }
        #expect(shrunk.faults.map(\.lastsMs) == [7, 13])
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
