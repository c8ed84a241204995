import Coordination
import CoordinationProtocol
import Platform

/// Snapshots beside the work, and the purge of old ones.
extension CoordinationServer {
    /// Somewhere in the second half of `snapCount` and of `snapSizeLimitInKb`, so that servers started together do not write
    /// together.
    func drawSnapshotDistance() {
        let half = max(config.snapCount / 2, 1)
        untilSnapshot = half + Int(world.random() % UInt64(half))
        guard let limit = config.snapshotAfterBytes else { return }
        let bytes = max(limit / 2, 1)
        snapshotAtBytes = log.appendedBytes + bytes + Int64(world.random() % UInt64(bytes))
    }

    func considerSnapshot() {
        guard untilSnapshot <= 0 || log.appendedBytes >= snapshotAtBytes else { return }
        beginSnapshot()
    }

    /// One every `snapshot.intervalMs`, when there was a change since the last.
    func snapshotByTime(_ interval: Duration) {
        guard !isStopping else { return }
        if core.zxid != snapshotZxid { beginSnapshot() }
        world.after(interval) { [weak self] in self?.snapshotByTime(interval) }
    }

    private func beginSnapshot() {
        guard !isSnapshotting, !isStopping else { return }
        isSnapshotting = true
        drawSnapshotDistance()
        let piece = SnapshotStore.Piece()
        let began = world.clock.now
        let zxid = core.beginSnapshot(into: &piece.writer)
        snapshotZxid = zxid
        log.roll()
        snapshots.begin(zxid) { [self] result in
            switch result {
            case .failure(let problem): snapshotFailed(problem, nil)
            case .success(let writing): write(piece, to: writing, isLast: false, began: began)
            }
        }
    }

    /// One piece at a time, the next one made when the last is written: nobody waits for long.
    func write(_ piece: SnapshotStore.Piece, to writing: SnapshotStore.Writing, isLast: Bool, began: Instant) {
        snapshots.write(piece, to: writing) { [self] problem in
            if let problem { return snapshotFailed(problem, writing) }
            if isStopping { return snapshots.drop(writing) }
            if isLast {
                snapshots.seal(writing) { [self] problem in
                    if let problem { return snapshotFailed(problem, writing) }
                    place(writing, began)
                }
                return
            }
            piece.writer.bytes.clear()
            let last = core.continueSnapshot(nodes: 2000, into: &piece.writer)
            write(piece, to: writing, isLast: last, began: began)
        }
    }

    /// Not before its last transaction is durable: a snapshot must never know more than the log.
    func place(_ writing: SnapshotStore.Writing, _ began: Instant) {
        guard log.durable >= writing.zxid else {
            waitingToBePlaced = { [self] in place(writing, began) }
            return
        }
        snapshots.place(writing) { [self] problem in
            if let problem { return snapshotFailed(problem, nil) }
            isSnapshotting = false
            statistics.snapshotTime.add((world.clock.now - began).nanoseconds / 1000)
            world.journal.info(
                "wrote a snapshot",
                [
                    "zxid": "0x" + LogFormat.hex(writing.zxid), "bytes": writing.position,
                    "ms": (world.clock.now - began).wholeMilliseconds,
                ])
        }
    }

    func snapshotFailed(_ problem: DiskError, _ writing: SnapshotStore.Writing?) {
        statistics.failedSnapshots += 1
        world.journal.warning("a snapshot was not written; the log has it all", ["problem": problem])
        core.abandonSnapshot()
        snapshotZxid = -1
        if let writing { snapshots.drop(writing) }
        isSnapshotting = false
    }

    func purge() {
        guard let interval = config.purgeInterval, !isStopping else { return }
        snapshots.purge(keeping: config.snapshotsKept) { [self] result in
            switch result {
            case .success(let removed) where removed.isEmpty: break
            case .success(let removed):
                world.journal.info("purged", ["files": removed.count, "kept": config.snapshotsKept])
            case .failure(let problem): world.journal.warning("purging failed", ["problem": problem])
            }
        }
        world.after(interval) { [weak self] in self?.purge() }
    }
}
