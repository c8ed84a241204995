/// How many sessions may begin in what time: a bucket of tokens that fills steadily, and above it a chance of refusal that grows
/// while the bucket stays empty (Blue). Rule: ZooKeeper 3.6's `connection_throttle_*`. Off when there are no tokens.
struct ConnectionThrottle {
    struct Rules: Equatable {
        /// How many may come at once; 0 turns the throttle off.
        var tokens = 0
        /// Milliseconds in which `fillCount` tokens come back.
        var fillTime = 1
        var fillCount = 1
        /// Milliseconds between changes of the chance of refusal; -1 turns that part off.
        var freezeTime = -1
        var dropIncrease = 0.02
        var dropDecrease = 0.002
        /// The chance falls while no more than this share of the tokens is missing.
        var decreaseRatio = 0.0
        /// Whether a new session costs more than a resumed one.
        var isWeighted = false
        var newWeight = 3
        var resumeWeight = 2
    }

    let rules: Rules
    private(set) var tokens: Int
    /// The chance of refusal, 0 to 1.
    private(set) var drop = 0.0
    private var filledAt: Int64
    private var changedAt: Int64

    /// - Parameter now: milliseconds, as everywhere here.
    init(_ rules: Rules, now: Int64) {
        self.rules = rules
        tokens = rules.tokens * (rules.isWeighted ? rules.newWeight : 1)
        filledAt = now
        changedAt = now
    }

    var limit: Int { rules.tokens * (rules.isWeighted ? rules.newWeight : 1) }
    var deficit: Int { limit - tokens }

    /// Takes the tokens of one session, if it may come.
    /// - Parameter chance: a random number of 0 ..< 1.
    mutating func admits(resuming: Bool, now: Int64, chance: Double) -> Bool {
        guard rules.tokens > 0 else { return true }
        let passed = now - filledAt
        if passed >= Int64(rules.fillTime) {
            let filling = Int64(rules.fillCount * (rules.isWeighted ? rules.newWeight : 1))
            let (grown, overflow) = passed.multipliedReportingOverflow(by: filling)
            let refill = overflow ? Int64(limit) : grown / Int64(max(rules.fillTime, 1))
            tokens = Int(min(Int64(tokens) + min(refill, Int64(limit)), Int64(limit)))
            filledAt = now
        }
        if rules.freezeTime >= 0 {
            if now - changedAt > Int64(rules.freezeTime) {
                if tokens == 0 {
                    drop = min(drop + rules.dropIncrease, 1)
                } else if Double(deficit) <= (Double(limit) * rules.decreaseRatio).rounded() {
                    drop = max(drop - rules.dropDecrease, 0)
                }
                changedAt = now
            }
            if chance < drop { return false }
        }
        let price = rules.isWeighted ? (resuming ? rules.resumeWeight : rules.newWeight) : 1
        guard tokens >= price else { return false }
        tokens -= price
        return true
    }
}
