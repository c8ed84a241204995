import Testing

@testable import CoordinationServer

@Suite("A burst of requests")
struct BurstWatchTests {
    /// At which of these looks a burst is said to be over.
    private func ends(_ received: [Int64]) -> [Int] {
        var bursts = BurstWatch()
        return received.indices.filter { bursts.isOver(received: received[$0]) }
    }

    @Test("is over once, when hardly any request comes any more") func once() {
        #expect(ends([100_000, 105_000, 105_010, 105_010]) == [2])
    }

    @Test("is none where few requests come all the time") func idle() {
        #expect(ends((1...1000).map { $0 * 50 }).isEmpty)
    }

    @Test("does not end because the statistics were reset") func reset() {
        #expect(ends([100_000, 10, 20]) == [2])
    }
}
