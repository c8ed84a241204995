import Coordination
import Platform

/// What time does: sessions end, containers and TTL nodes go.
extension CoordinationServer {
    func beginHousekeeping() {
        lastTick = world.clock.now
        tick()
        if config.purgeInterval != nil { purge() }
        world.after(config.containerCheckInterval) { [weak self] in self?.reap() }
    }

    func tick() {
        guard !isStopping else { return }
        let tick = Duration.milliseconds(config.rules.tick)
        let now = world.clock.now
        // This process stood still: clients could not be heard meanwhile, and must not lose their sessions for it.
        let gap = now - lastTick - tick
        if gap > tick {
            core.extendSessions(by: gap.wholeMilliseconds)
            world.journal.warning(
                "this process stood still; all sessions get that time back", ["ms": gap.wholeMilliseconds])
        }
        lastTick = now
        // What is readable now is read before anybody is given up.
        world.timers.soon { [weak self] in
            self?.world.timers.soon { [weak self] in self?.expire() }
        }
        closeSilent(now)
        let untilNext = Duration.milliseconds(config.rules.tick - nowMs % config.rules.tick)
        world.after(untilNext) { [weak self] in self?.tick() }
    }

    func expire() {
        guard !isStopping else { return }
        let expired = core.expiredSessions(now: nowMs)
        for session in expired.prefix(100) {
            let (change, client) = core.expire(session, wallMs: world.clock.wallMs)
            append(change)
            deliver()
            world.journal.info("expired a session", ["session": "0x" + LogFormat.hex(session)])
            if let client { connections[client.raw]?.end(abruptly: true) }
        }
        if expired.count > 100 { world.timers.soon { [weak self] in self?.expire() } }
    }

    func reap() {
        guard !isStopping else { return }
        for path in core.reapable(wallMs: world.clock.wallMs, limit: 1000) {
            path.withUnsafeBytes { bytes in
                if let change = core.reap(bytes, wallMs: world.clock.wallMs) {
                    append(change)
                    deliver()
                }
            }
        }
        world.after(config.containerCheckInterval) { [weak self] in self?.reap() }
    }
}
