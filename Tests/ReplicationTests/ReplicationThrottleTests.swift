import ClusterModel
import Platform
import Testing

@testable import Replication

@Suite("Replication throttles")
struct ReplicationThrottleTests {
    @Test("the list of throttled replicas is a star, pairs, or nothing; the rest is refused") func lists() throws {
        #expect(ThrottledReplicas("*") == .all)
        #expect(ThrottledReplicas("") == ThrottledReplicas.none)
        let some = try #require(ThrottledReplicas("0:101, 1:102"))
        #expect(some.contains(partition: 0, broker: 101) && some.contains(partition: 1, broker: 102))
        #expect(!some.contains(partition: 0, broker: 102) && !some.contains(partition: 2, broker: 101))
        for wrong in ["0", "0:", "a:b", "0:1,", "*,0:1", "-1:0", "0:1:2", "99999999999:1"] {
            #expect(ThrottledReplicas(wrong) == nil, "\(wrong)")
        }
    }

    @Test("over time no more than the rate is sent, whatever the size of the pieces") func rate() {
        var rate = ByteRate(limit: 1000)
        var now = Instant.start
        var sent = 0
        while now - .start < .seconds(60) {
            if !rate.isExceeded(at: now) {
                rate.sent(700, at: now)
                sent += 700
            }
            now = now + .milliseconds(10)
        }
        #expect((59_000...61_700).contains(sent))
    }

    @Test("a pause is as long as what was sent is worth, and never above a second") func pauses() {
        var rate = ByteRate(limit: 1000)
        let before = rate.pause(at: .start)
        rate.sent(500, at: .start)
        let owing = rate.pause(at: .start)
        let paid = rate.pause(at: .start + .milliseconds(500))
        rate.sent(1_000_000, at: .start + .milliseconds(500))
        let longest = rate.pause(at: .start + .milliseconds(500))
        #expect([before, owing, paid, longest] == [.zero, .milliseconds(500), .zero, .seconds(1)])
    }

    @Test("a raised rate counts at once, and no rate at all never holds anything up") func changes() {
        var rate = ByteRate(limit: 10)
        rate.sent(1000, at: .start)
        let slow = rate.isExceeded(at: .start)
        rate.limit = .max
        let free = rate.isExceeded(at: .start)
        rate.sent(1 << 40, at: .start)
        let stillFree = rate.isExceeded(at: .start)
        #expect([slow, free, stillFree] == [true, false, false])
    }
}
