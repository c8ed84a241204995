import Platform
import Testing

@testable import CoordinationServer

@Suite("What is measured")
struct StatisticsTests {
    @Test("quantiles are right to an eighth, from nothing to the largest number") func quantiles() {
        var all = Distribution()
        #expect(all.quantile(0.5) == 0 && all.average == 0)
        var random = SeededRandom(seed: 3)
        var values: [Int64] = (0..<2000).map { _ in Int64(random.next() % 1_000_000) >> Int64(random.next() % 20) }
        values.append(0)
        for value in values { if value == 0 { all.addZero() } else { all.add(value) } }
        values.sort()
        #expect(all.count == 2001 && all.smallest == 0 && all.largest == values.last)
        for share in [0.01, 0.5, 0.9, 0.99, 1] {
            let exact = values[max(Int((share * 2001).rounded(.up)), 1) - 1]
            #expect(abs(Double(all.quantile(share) - exact)) <= Double(exact) / 8 + 1, "\(share)")
        }
        var extreme = Distribution()
        extreme.add(.max)
        extreme.add(-5)
        #expect(extreme.largest == .max && extreme.smallest == 0 && extreme.quantile(1) == .max)
    }

    @Test("averages have one to four decimals") func averages() {
        #expect([0, 1.5, 0.12345, 3].map(fourDecimals) == ["0.0", "1.5", "0.1235", "3.0"])
        #expect(fourDecimals(.nan) == "0.0")
        #expect([0, 999, 1000, 1_234_567].map(grouped) == ["0", "999", "1,000", "1,234,567"])
    }

    @Test("moments read as Java and ISO print them") func calendar() {
        #expect(CalendarText.java(1_795_319_949_000) == "Sun Nov 22 03:59:09 UTC 2026")
        #expect(CalendarText.java(0) == "Thu Jan 01 00:00:00 UTC 1970")
        #expect(CalendarText.java(951_782_400_000) == "Tue Feb 29 00:00:00 UTC 2000")
        #expect(CalendarText.iso(-1) == "1969-12-31T23:59:59.999+00:00")
    }

    @Test("the throttle lets a bucketful in at once, then as many as come back") func throttle() {
        var rules = ConnectionThrottle.Rules()
        var free = ConnectionThrottle(rules, now: 0)
        for _ in 0..<100 {
            let admitted = free.admits(resuming: false, now: 0, chance: 0)
            #expect(admitted)
        }
        rules.tokens = 5
        rules.fillTime = 100
        var throttle = ConnectionThrottle(rules, now: 0)
        func admitted(at now: Int64, of tries: Int) -> Int {
            (0..<tries).count { _ in throttle.admits(resuming: false, now: now, chance: 0.5) }
        }
        let counts = [
            admitted(at: 0, of: 9), admitted(at: 99, of: 3), admitted(at: 250, of: 9), admitted(at: .max, of: 9),
        ]
        #expect(counts == [5, 0, 2, 5])
    }

    @Test("weighted, a new session costs more than a resumed one") func weights() {
        var rules = ConnectionThrottle.Rules()
        rules.tokens = 2
        rules.fillTime = 1_000_000
        rules.isWeighted = true
        var throttle = ConnectionThrottle(rules, now: 0)
        let new = (0..<9).count { _ in throttle.admits(resuming: false, now: 0, chance: 0) }
        var other = ConnectionThrottle(rules, now: 0)
        let resumed = (0..<9).count { _ in other.admits(resuming: true, now: 0, chance: 0) }
        #expect(new == 2 && resumed == 3)
    }

    @Test("while the bucket stays empty the chance of refusal grows, and it falls when it fills") func blue() {
        var rules = ConnectionThrottle.Rules()
        rules.tokens = 1
        rules.fillTime = 1000
        rules.freezeTime = 10
        rules.dropIncrease = 0.3
        rules.dropDecrease = 0.3
        var throttle = ConnectionThrottle(rules, now: 0)
        let first = throttle.admits(resuming: false, now: 0, chance: 0.9)
        #expect(first)
        for now in stride(from: Int64(11), through: 99, by: 11) {
            _ = throttle.admits(resuming: false, now: now, chance: 0.9)
        }
        #expect(throttle.drop == 1)
        for now in stride(from: Int64(5000), through: 5022, by: 11) {
            _ = throttle.admits(resuming: false, now: now, chance: 0.0)
        }
        #expect(throttle.drop < 0.2)
    }
}
