import Coordination
import Platform

/// One sync is in flight; the next batch gathers. What has seen a change leaves with the batch that holds it.
extension CoordinationServer {
    var isLogCrowded: Bool { log.gatheredBytes > 8 << 20 }

    /// At the end of this turn, when every connection had its say: one sync for all of them.
    func flySoon() {
        guard !flightAsked else { return }
        flightAsked = true
        receivedWhenAsked = statistics.received
        world.timers.soon { [self] in
            flightAsked = false
            fly()
        }
    }

    func fly() {
        guard !log.isFlying, log.isGathering else {
            if isStopping, log.isIdle { finish() }
            return
        }
        swap(&flying, &gathering)
        let began = world.clock.now
        // A few changes, and hardly a request behind the first of them: whoever waits, waits for this.
        let lonely = log.gatheredCount <= 4 && statistics.received - receivedWhenAsked <= 4
        log.fly(briefly: lonely) { [self] problem in
            if let problem { return fail(problem) }
            let took = world.clock.now - began
            statistics.flew(took)
            if took > config.syncWarning {
                world.journal.warning("syncing the transaction log was slow", ["ms": took.wholeMilliseconds])
            }
            flying.release()
            resumePaused()
            if let waiting = waitingToBePlaced {
                waitingToBePlaced = nil
                waiting()
            }
            if log.isGathering { fly() } else if isStopping { finish() }
            considerSnapshot()
        }
    }

    func resumePaused() {
        if paused.isEmpty { return }
        paused.removeAll { $0.resumeIfRoom() }
    }

    /// The zxid that may be told to anybody.
    var durableZxid: Int64 { log.durable }
    var heldBytes: Int { connections.reduce(0) { $0 + ($1?.heldBytes ?? 0) } }
}
