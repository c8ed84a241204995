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
        let changes = log.gatheredChanges
        // A few changes, and hardly a request behind the first of them: whoever waits, waits for this.
        let lonely = log.gatheredCount <= 4 && statistics.received - receivedWhenAsked <= 4
        log.fly(briefly: lonely) { [self] problem in landed(problem, began, changes: changes) }
    }

    private func landed(_ problem: DiskError?, _ began: Instant, changes: Int) {
        if let problem {
            // What was not yet handed to a sync may be written again; a sync that failed is believed for ever.
            guard problem.isNoSpace || problem.isOutOfDescriptors, !log.syncFailed else { return fail(problem) }
            return waitForRoom(problem, changes: changes)
        }
        if roomWaits > 0 {
            world.journal.notice("the log can be written again; the changes that waited are on the disk")
            roomWaits = 0
        }
        let took = world.clock.now - began
        statistics.flew(took, changes: changes)
        if took > config.syncWarning {
            statistics.slowSyncs += 1
            world.journal.warning(
                "fsync-ing the write ahead log took long, which will adversely effect operation latency",
                ["ms": took.wholeMilliseconds, "fsync.warningthresholdms": config.syncWarning.wholeMilliseconds])
        }
        flying.release(at: world.clock.now, telling: &statistics)
        narrator.became(durable: log.durable)
        resumePaused()
        if let waiting = waitingToBePlaced {
            waitingToBePlaced = nil
            waiting()
        }
        if log.isGathering { fly() } else if isStopping { finish() }
        considerSnapshot()
    }

    /// The disk is full, or a new log wants a descriptor and there is none. Nothing that waits has been acknowledged, and nothing
    /// is until it is written: so all of it waits, and the same bytes are written again until there is room.
    private func waitForRoom(_ problem: DiskError, changes: Int) {
        if isStopping { return finish() }
        if roomWaits % 20 == 0 {
            world.journal.error(
                problem.isNoSpace
                    ? "the disk is full: changes wait unacknowledged until there is room"
                    : "no file can be opened: changes wait unacknowledged until one can; raise the limit of open files (ulimit -n)",
                ["problem": problem, "waiting_bytes": log.waitingBytes])
        }
        roomWaits += 1
        world.after(.milliseconds(500)) { [weak self] in
            guard let self, !isStopping else { return }
            let began = world.clock.now
            log.retry { [self] problem in landed(problem, began, changes: changes) }
        }
    }

    func resumePaused() {
        if paused.isEmpty { return }
        paused.removeAll { $0.resumeIfRoom() }
    }

    /// The zxid that may be told to anybody.
    var durableZxid: Int64 { log.durable }
}
