/// Makes a failing plan's list of faults shorter as long as it fails: halves first, then smaller parts, then single ones
/// (delta debugging). Everything else of the plan stays as it is.
package enum Shrinking {
    /// - Parameter attempts: plays at most.
    /// - Parameter fails: plays a plan.
    package static func shrunk(_ plan: Plan, attempts: Int = 200, fails: (Plan) -> Bool) -> Plan {
        var best = plan
        var left = attempts
        func tries(_ faults: [Fault]) -> Bool {
            guard left > 0 else { return false }
            left -= 1
            var candidate = best
            candidate.faults = faults
            guard fails(candidate) else { return false }
            best = candidate
            return true
        }
        var size = max(1, best.faults.count / 2)
        while left > 0, !best.faults.isEmpty {
            var place = 0
            var removed = false
            while place < best.faults.count {
                var faults = best.faults
                faults.removeSubrange(place..<min(place + size, faults.count))
                if tries(faults) { removed = true } else { place += size }
            }
            if size > 1 {
                size /= 2
            } else if !removed {
                break
            }
        }
        return best
    }
}
