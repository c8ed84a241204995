import Platform

/// Whether a log directory has room for records. While it has none, its logs refuse appends and go on serving reads; they go on by
/// themselves when there is room again. All of it is on the deciding thread; the file system is asked by a helper.
package final class DiskRoom {
    /// Below so many free bytes no record is taken: checkpoints, and a start, need a little room too.
    package var floorBytes: Int64
    package private(set) var isFull = false
    private let path: String
    private let world: any World
    private let lane: any DiskLane
    /// What waits for room, in the order it came.
    private var waiting: [() -> Void] = []
    private var fullSince = Instant.start
    private var refused: Int64 = 0
    private var isLooking = false
    private(set) var isOpen = true
    private var watches = false
    private var timer: TimerID?

    /// How often a full directory is looked at, and one that has room.
    private static let whileFull = Duration.milliseconds(250)
    private static let otherwise = Duration.seconds(1)
    /// What must be writable before the directory counts as having room: quotas and reserved blocks show in no statistics.
    private static let probeBytes = 64 << 10

    init(path: String, floorBytes: Int64, world: any World) {
        self.path = path
        self.floorBytes = floorBytes
        self.world = world
        lane = world.disk.lane(path + "/#room")
    }

    /// Looks now and then, until ``stop()``; without it, only while there is no room.
    func watch() {
        watches = true
        schedule()
    }

    private func schedule() {
        guard isOpen, timer == nil, watches || isFull else { return }
        timer = world.after(isFull ? DiskRoom.whileFull : DiskRoom.otherwise) { [weak self] in
            guard let self else { return }
            self.timer = nil
            self.look()
            self.schedule()
        }
    }

    func stop() {
        isOpen = false
        if let timer { world.timers.cancel(timer) }
        timer = nil
        // Each tries once more, and then gives up.
        let works = waiting
        waiting = []
        for work in works { work() }
    }

    /// Calls back once, when there is room again: soon, when there is.
    package func whenThereIsRoom(_ work: @escaping () -> Void) {
        guard isOpen else { return }
        if isFull { waiting.append(work) } else { world.after(DiskRoom.whileFull, work) }
    }

    /// An append was refused for want of room.
    func counted() { refused += 1 }

    /// The disk said that it is full.
    func ranOut(_ error: DiskError) {
        guard isOpen, !isFull else { return }
        becameFull(free: (try? world.disk.freeBytes(path)) ?? 0, "\(error)")
        schedule()
    }

    private func becameFull(free: Int64, _ reason: String) {
        isFull = true
        fullSince = world.clock.now
        refused = 0
        world.journal.warning(
            "LB-3030 no room for records: produce is refused until there is some, reads go on",
            ["directory": path, "free_bytes": free, "needed_bytes": floorBytes, "reason": reason])
    }

    private func look() {
        guard isOpen, !isLooking else { return }
        isLooking = true
        let disk = world.disk
        let path = self.path
        let floor = floorBytes
        let probes = isFull
        lane.perform { () throws(DiskError) -> Int64 in
            let free = try disk.freeBytes(path)
            // Not at the first byte above the floor: it would be full again at once.
            guard probes, free >= 2 * floor else { return free }
            let probe = "\(path)/letterbox.probe"
            defer { try? disk.remove(probe) }
            try disk.write([UInt8](repeating: 0x5a, count: DiskRoom.probeBytes), to: probe)
            return free
        } then: { [weak self] result in
            self?.looked(result, probed: probes)
        }
    }

    private func looked(_ result: Result<Int64, DiskError>, probed: Bool) {
        isLooking = false
        // Whatever else ails the disk, its next user will meet.
        guard isOpen, case .success(let free) = result else { return }
        if !isFull, free < floorBytes {
            becameFull(free: free, "fewer bytes are free than log.dir.min.free.bytes")
        } else if isFull, probed, free >= 2 * floorBytes {
            isFull = false
            world.journal.notice(
                "has room for records again",
                [
                    "directory": path, "free_bytes": free, "appends_refused": refused,
                    "after_ms": (world.clock.now - fullSince).wholeMilliseconds,
                ])
            let works = waiting
            waiting = []
            for work in works { work() }
        }
    }
}

extension DiskError {
    /// There was no room; nothing else is wrong with the disk. A sync that says so has lost what it was to keep, and is final.
    var isWantOfRoom: Bool { isNoSpace && !["fdatasync", "fsync", "sync", "syncDirectory"].contains(operation) }
}
