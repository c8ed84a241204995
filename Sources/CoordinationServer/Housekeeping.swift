import Coordination
import Platform

/// What time does: sessions end, containers and TTL nodes go.
extension CoordinationServer {
    func beginHousekeeping() {
        lastTick = world.clock.now
        tick()
        if config.purgeInterval != nil { purge() }
        if let interval = config.snapshotInterval {
            world.after(interval) { [weak self] in self?.snapshotByTime(interval) }
        }
        world.after(config.containerCheckInterval) { [weak self] in self?.reap() }
    }

    func tick() {
        guard !isStopping else { return }
        let grain = config.rules.expiryGrain
        let now = world.clock.now
        // This process stood still: clients could not be heard meanwhile, and must not lose their sessions for it.
        let gap = now - lastTick - .milliseconds(grain)
        if gap > .milliseconds(config.rules.tick) {
            core.extendSessions(by: gap.wholeMilliseconds)
            statistics.pauses.add(gap.nanoseconds / 1000)
            world.journal.warning(
                "this process stood still; all sessions get that time back", ["ms": gap.wholeMilliseconds])
        }
        lastTick = now
        // What is readable now is read before anybody is given up.
        world.timers.soon { [weak self] in
            self?.world.timers.soon { [weak self] in self?.expire() }
        }
        if nowMs % config.rules.tick < grain {
            closeSilent(now)
            log.relax()
            flying.relax()
            gathering.relax()
            if bursts.isOver(received: statistics.received) { world.giveBackMemory() }
        }
        world.after(.milliseconds(grain - nowMs % grain)) { [weak self] in self?.tick() }
    }

    /// Ends the sessions whose time is over, not all of them in one turn: thousands may go with one tick.
    func expire() {
        let under = !expiring.isEmpty
        expiring = core.expiredSessions(now: nowMs)[...]
        if !under { expireSome() }
    }

    private func expireSome() {
        guard !isStopping else { return }
        let began = world.clock.now
        var count = 0
        while let session = expiring.popFirst() {
            end(session)
            count += 1
            if count == CoordinationServer.expiredAtOnce || world.clock.now - began > CoordinationServer.longestTurn {
                break
            }
        }
        if !expiring.isEmpty { world.timers.soon { [weak self] in self?.expireSome() } }
    }

    /// Unless it was heard of after all, or is gone by now.
    private func end(_ session: Int64) {
        guard core.isExpired(session, now: nowMs) else { return }
        if let client = core.client(of: session), let connection = connections[client.raw], connection.isPaused {
            // What it has sent meanwhile was not read, but it came.
            let silence = connection.isHeldUp ? .zero : connection.connection.silence
            core.heard(of: client, now: nowMs - silence.wholeMilliseconds)
            guard core.isExpired(session, now: nowMs) else { return }
        }
        let timeout = core.tree.sessions[session] ?? 0
        let (change, client) = core.expire(session, wallMs: world.clock.wallMs)
        append(change)
        let connection = client.flatMap { connections[$0.raw] }
        told(expired: session, after: timeout, connection, change)
        deliver()
        connection?.end(abruptly: true)
    }

    private static let expiredAtOnce = 100
    /// What one turn may take for work that can go on in the next.
    private static let longestTurn = Duration.milliseconds(1)

    func reap() {
        reap(core.reapable(wallMs: world.clock.wallMs, limit: config.reapsPerMinute)[...])
    }

    /// A few at a time, so that a minute sees no more than `znode.container.maxPerMinute`.
    private func reap(_ paths: ArraySlice<[UInt8]>) {
        guard !isStopping else { return }
        let batch = max(config.reapsPerMinute / 600, 1)
        for path in paths.prefix(batch) {
            path.withUnsafeBytes { bytes in
                if let change = core.reap(bytes, wallMs: world.clock.wallMs) {
                    append(change)
                    deliver()
                }
            }
        }
        let rest = paths.dropFirst(batch)
        if rest.isEmpty {
            world.after(config.containerCheckInterval) { [weak self] in self?.reap() }
        } else {
            world.after(.milliseconds(60_000 * batch / config.reapsPerMinute)) { [weak self] in self?.reap(rest) }
        }
    }

    func warnOfQuotas() {
        for excess in core.excesses {
            world.journal.warning(
                "a quota is exceeded",
                [
                    "path": excess.path, excess.measure.rawValue: excess.usage, "limit": excess.limit,
                    "kind": excess.isHard ? "hard" : "soft",
                ])
        }
    }
}
