import Glibc
import Testing

/// `LETTERBOX_SEED=4711` plays one seed, `LETTERBOX_SEEDS=1..5000` a range.
private let chosenSeeds: [UInt64] = {
    func text(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    if let one = text("LETTERBOX_SEED").flatMap({ UInt64($0) }) { return [one] }
    if let range = text("LETTERBOX_SEEDS") {
        let ends = range.split(separator: ".").compactMap { UInt64($0) }
        if ends.count == 2, ends[0] <= ends[1] { return Array(ends[0]...ends[1]) }
    }
    return Array(1...300)
}()

@Suite("The coordination service under faults")
struct CoordinatorSimulationTests {
    @Test("keeps every promise to every client", arguments: chosenSeeds)
    func promises(_ seed: UInt64) {
        let plan = CoordinatorPlan(seed: seed)
        let verdict = CoordinatorRun(plan).play()
        guard !verdict.violations.isEmpty else { return }
        Issue.record(
            """
            seed \(seed): \(verdict.violations.prefix(5).joined(separator: "\n  "))
            \(plan.description)
            \(verdict.timeline)
            seed \(seed) again: LETTERBOX_SEED=\(seed) swift test --filter SimulationTests.CoordinatorSimulationTests
            """)
    }

    @Test("plays the same run from the same seed", arguments: [1, 5, 9, 23, 58] as [UInt64])
    func deterministic(_ seed: UInt64) {
        let first = CoordinatorRun(CoordinatorPlan(seed: seed)).play()
        let second = CoordinatorRun(CoordinatorPlan(seed: seed)).play()
        #expect(first.traceHash == second.traceHash)
        #expect(first.events == second.events && first.transactions == second.transactions)
        #expect(first.transactions > 20)
    }

    @Test("does enough in these runs to be believed")
    func coverage() {
        var starts = 0, transactions = 0, answers = 0, events = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            let verdict = CoordinatorRun(CoordinatorPlan(seed: seed)).play()
            starts += verdict.starts
            transactions += verdict.transactions
            answers += verdict.answers
            events += verdict.watchEvents
        }
        #expect(starts > 60 && transactions > 1000 && answers > 2000 && events > 80)
    }
}
