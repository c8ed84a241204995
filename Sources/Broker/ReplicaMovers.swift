import ClusterModel
import CommitLog
import Platform

/// Copies replicas into other log directories of this broker, and lets each copy take the original's place once it holds the same
/// (KIP-113). What is served meanwhile is the original; a crash at any point leaves one of the two whole.
final class ReplicaMovers {
    private final class Move {
        let host: PartitionHost
        let target: LogDirectory
        let future: PartitionLog
        /// The original was cut: the copy must not hold more.
        var cutTo: Offset?
        /// Counts cuts: what was read before one is not copied after it.
        var cuts = 0
        var isOver = false
        init(_ host: PartitionHost, _ target: LogDirectory, _ future: PartitionLog) {
            self.host = host
            self.target = target
            self.future = future
        }
    }

    private let world: any World
    /// How long nothing may be copied.
    private let pause: () -> Duration
    private let copied: (Int) -> Void
    private var moves: [TopicPartition: Move] = [:]

    private static let chunkBytes = 1 << 20

    init(world: any World, pause: @escaping () -> Duration, copied: @escaping (Int) -> Void) {
        self.world = world
        self.pause = pause
        self.copied = copied
    }

    var count: Int { moves.count }

    func begin(_ host: PartitionHost, to target: LogDirectory) throws(LogOpenError) {
        if let known = moves[host.partition] {
            guard known.target !== target else { return }
            cancel(host.partition)
        }
        let log = host.log
        let future = try target.createFuture(
            host.partition, topicID: log.topicID, settings: log.settings, startingAt: log.logStartOffset)
        start(Move(host, target, future))
    }

    /// A start found a copy that is not finished.
    func resume(_ host: PartitionHost, into target: LogDirectory) {
        guard let future = target.futures[host.partition] else { return }
        let move = Move(host, target, future)
        let log = host.log
        if future.nextOffset > log.nextOffset { move.cutTo = log.nextOffset }
        // The original has lost its tail and got another one since.
        let last = min(future.nextOffset, log.nextOffset) - 1
        if last >= log.logStartOffset, last >= future.logStartOffset,
            log.epoch(ofOffset: last) != future.epoch(ofOffset: last)
        {
            move.cutTo = log.logStartOffset
        }
        start(move)
    }

    private func start(_ move: Move) {
        moves[move.host.partition] = move
        move.host.logWasCut = { [weak move] in
            guard let move else { return }
            move.cuts += 1
            move.cutTo = min(move.cutTo ?? .max, move.host.log.nextOffset)
        }
        world.journal.info(
            "moves a replica to another directory",
            [
                "partition": move.host.partition, "from": move.host.directory.path, "to": move.target.path,
                "offset": move.future.nextOffset, "log_end": move.host.log.logEndOffset,
            ])
        step(move)
    }

    /// The copy is not wanted any more.
    func cancel(_ partition: TopicPartition) {
        guard let move = moves[partition] else { return }
        end(move)
        if move.target.offlineReason == nil { move.target.removeFuture(partition) }
        world.journal.info("ended a move", ["partition": partition, "to": move.target.path])
    }

    private func end(_ move: Move) {
        move.isOver = true
        moves[move.host.partition] = nil
        move.host.logWasCut = {}
        move.host.release()
    }

    // MARK: Copying

    private func soon(_ move: Move, after delay: Duration = .zero) {
        if delay > .zero {
            world.after(delay) { [weak self] in self?.step(move) }
        } else {
            world.timers.soon { [weak self] in self?.step(move) }
        }
    }

    private func step(_ move: Move) {
        guard !move.isOver else { return }
        let (log, future) = (move.host.log, move.future)
        guard log.offlineReason == nil, future.offlineReason == nil else { return cancel(move.host.partition) }
        let next: (AppendError?) -> Void = { [weak self] error in
            guard let self, !move.isOver else { return }
            if let error { return self.fail(move, "\(error)") }
            self.soon(move)
        }
        if let cut = move.cutTo {
            move.cutTo = nil
            if cut < future.nextOffset { return future.truncate(to: cut, then: next) }
        }
        if future.nextOffset < log.logStartOffset { return future.restart(at: log.logStartOffset, then: next) }
        if future.nextOffset < log.logEndOffset {
            // The last bit is copied while producers wait: that must not take long.
            let delay = move.host.isHeld ? .zero : pause()
            return delay > .zero ? soon(move, after: delay) : copy(move)
        }
        guard move.host.isHeld else {
            move.host.hold()
            return soon(move)
        }
        // Accepted before the hold and not written yet.
        guard log.nextOffset == log.logEndOffset else { return soon(move, after: .milliseconds(1)) }
        finish(move)
    }

    private func copy(_ move: Move) {
        let (log, future) = (move.host.log, move.future)
        let slice: LogSlice
        do throws(ReadError) {
            slice = try log.read(
                from: future.nextOffset, maxBytes: ReplicaMovers.chunkBytes, below: log.logEndOffset,
                atLeastOneBatch: true)
        } catch { return fail(move, "\(error)") }
        guard let region = slice.region else { return soon(move, after: .milliseconds(1)) }
        let cuts = move.cuts
        let isLast = region.length < ReplicaMovers.chunkBytes
        world.disk.lane(move.target.path + "/#move").perform { () throws(DiskError) -> [UInt8] in
            try region.contents()
        } then: { [weak self] result in
            guard let self, !move.isOver else { return }
            guard case .success(let bytes) = result else { return self.fail(move, "reading failed") }
            guard cuts == move.cuts else { return self.soon(move) }
            self.append(bytes, from: slice.startOffset, isLast: isLast, to: move)
        }
    }

    private func append(_ bytes: [UInt8], from start: Offset, isLast: Bool, to move: Move) {
        let future = move.future
        // The log begins in the midst of a batch, which comes whole: the copy begins with it too.
        if start < future.nextOffset, future.logStartOffset == future.nextOffset {
            return future.restart(at: start) { [weak self] _ in
                self?.append(bytes, from: start, isLast: isLast, to: move)
            }
        }
        bytes.withUnsafeBytes { raw in
            future.appendAsFollower(raw) { [weak self] result in
                guard let self, !move.isOver else { return }
                switch result {
                case .failure(.noRoom): future.whenThereIsRoom { [weak self] in self?.soon(move) }
                case .failure(let error): self.fail(move, "\(error)")
                case .success:
                    self.copied(bytes.count)
                    // Near the end: what comes from now on waits until the copy serves.
                    if isLast, move.host.log.nextOffset - future.nextOffset < 1000 { move.host.hold() }
                    self.soon(move)
                }
            }
        }
    }

    private func fail(_ move: Move, _ reason: String) {
        world.journal.error(
            "a move failed", ["partition": move.host.partition, "to": move.target.path, "reason": reason])
        cancel(move.host.partition)
    }

    // MARK: The change

    /// First the copy gets the name that a start looks for, then the original loses it: at every moment one of the two has it.
    private func finish(_ move: Move) {
        let host = move.host
        move.target.promoteFuture(host.partition, settings: host.config.log) { [weak self] result in
            guard let self else { return }
            switch result {
            case .failure(let error):
                guard !move.isOver else { return }
                self.fail(move, error.description)
            case .success(let log):
                guard !move.isOver else { return move.target.deleteLog(host.partition) { _ in } }
                let source = host.directory
                self.moves[host.partition] = nil
                move.isOver = true
                host.logWasCut = {}
                host.replaceLog(with: log, in: move.target)
                source.deleteLog(host.partition) { [world = self.world] problem in
                    if let problem {
                        world.journal.error(
                            "could not delete a log", ["partition": host.partition, "reason": problem.description])
                    }
                }
                self.world.journal.notice(
                    "moved a replica",
                    ["partition": host.partition, "to": move.target.path, "log_end": log.logEndOffset])
            }
        }
    }
}
