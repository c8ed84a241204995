import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// Changes on their way to the disk: while one batch is written and synced by the lane, the next one gathers.
final class TransactionLog {
    final class Batch {
        var writer = JuteWriter(capacity: 4096)
        var first: Int64 = 0
        var last: Int64 = 0
        var count = 0
        /// This batch begins a new file.
        var rolls = false
    }

    private let lane: any DiskLane
    private let file: LogFile
    private var gathering = Batch()
    private var spare = Batch()
    private var flying: Batch?
    /// Everything up to here survives whatever happens to the machine.
    private(set) var durable: Int64
    private(set) var flights = 0
    /// The last failure was a sync's: what was written may or may not be on the device, and never will be known.
    private(set) var syncFailed = false
    /// Bytes ever appended.
    private(set) var appendedBytes: Int64 = 0

    init(disk: any Disk, directory: String, preallocation: Int64, sync: Bool, durable: Int64) {
        lane = disk.lane(directory)
        file = LogFile(disk: disk, directory: directory, preallocation: preallocation, sync: sync)
        self.durable = durable
    }

    var isFlying: Bool { flying != nil }
    var isGathering: Bool { gathering.count > 0 }
    var isIdle: Bool { flying == nil && gathering.count == 0 }
    var gatheredCount: Int { gathering.count }
    var gatheredBytes: Int { gathering.writer.bytes.count }
    var waitingBytes: Int { gatheredBytes + (flying?.writer.bytes.count ?? 0) }
    var gatheredChanges: Int { gathering.count }

    func append(_ change: TreeChange) {
        if gathering.count == 0 { gathering.first = change.header.zxid }
        gathering.last = change.header.zxid
        gathering.count += 1
        let before = gathering.writer.bytes.count
        LogFormat.append(change.header, change.record, batch: gathering.first, to: &gathering.writer)
        appendedBytes += Int64(gathering.writer.bytes.count - before)
    }

    /// Gives back what only large batches needed, when there was none since the last call.
    func relax() {
        defer { largest = 0 }
        guard largest < TransactionLog.usualBytes else { return }
        if flying == nil { spare.writer.bytes.clear(keeping: TransactionLog.usualBytes) }
        if gathering.count == 0 { gathering.writer.bytes.clear(keeping: TransactionLog.usualBytes) }
    }
    /// Bytes of the largest batch since `relax`.
    private var largest = 0
    private static let usualBytes = 64 << 10

    /// The next change begins a new file. What gathers already belongs before it.
    func roll() {
        if gathering.count > 0 { rollAfterFlight = true } else { gathering.rolls = true }
    }
    private var rollAfterFlight = false

    /// Sends what has gathered on its way. Nothing may be in flight.
    /// - Parameter briefly: there is little else to do until it has landed.
    func fly(briefly: Bool, then: @escaping (DiskError?) -> Void) {
        precondition(flying == nil && gathering.count > 0, "a flight needs a batch and a free runway")
        let batch = gathering
        flying = batch
        gathering = spare
        gathering.rolls = rollAfterFlight
        rollAfterFlight = false
        flights += 1
        largest = max(largest, batch.writer.bytes.count)
        send(batch, briefly: briefly, then)
    }

    /// Sends the batch that found no room on its way once more: the same bytes to the same place.
    func retry(then: @escaping (DiskError?) -> Void) {
        guard let flying else { preconditionFailure("a retry needs a batch that has not landed") }
        send(flying, briefly: false, then)
    }

    /// A batch whose sending fails stays in flight: it may be sent again, and nothing may follow it before it has landed.
    private func send(_ batch: Batch, briefly: Bool, _ then: @escaping (DiskError?) -> Void) {
        let file = self.file
        let job = { () throws(DiskError) -> Void in try file.append(batch) }
        let landed = { [self] (result: Result<Void, DiskError>) in
            if case .failure(let problem) = result {
                syncFailed = file.isSyncing
                return then(problem)
            }
            flying = nil
            spare = batch
            batch.writer.bytes.clear()
            batch.count = 0
            batch.rolls = false
            durable = batch.last
            then(nil)
        }
        if briefly { lane.performBriefly(job, then: landed) } else { lane.perform(job, then: landed) }
    }

    func close(then: @escaping () -> Void) {
        let file = self.file
        lane.perform { () throws(DiskError) -> Void in
            file.close()
        } then: { _ in
            then()
        }
    }
}

/// The file being written. Touched only by the lane's jobs, which follow one another.
private final class LogFile {
    private let disk: any Disk
    private let directory: String
    private let preallocation: Int64
    private let sync: Bool
    private var file: (any File)?
    /// The job that failed had begun a sync.
    private(set) var isSyncing = false
    /// The first zxid of the open file.
    private var begun: Int64?
    private var position: Int64 = 0
    private var allocated: Int64 = 0
    /// The file's length, when room could be reserved.
    private var reserved: Int64 = 0
    private var zeroed = ZeroedAhead()

    init(disk: any Disk, directory: String, preallocation: Int64, sync: Bool) {
        self.disk = disk
        self.directory = directory
        self.preallocation = preallocation
        self.sync = sync
    }

    /// When it throws for want of room before the sync, it may be called again with the same batch.
    func append(_ batch: TransactionLog.Batch) throws(DiskError) {
        if batch.rolls, begun != batch.first { close() }
        let file: any File
        if let open = self.file { file = open } else { file = try begin(batch.first) }
        let bytes = batch.writer.bytes.bytes
        let end = position + Int64(bytes.count)
        allocate(file, ahead: end)
        try file.write(bytes, at: position)
        writeZeros(file, behind: end, count: bytes.count)
        do throws(DiskError) { try synced(file) } catch {
            // The next start must not find in the system's memory what will never be on the disk.
            try? file.truncate(to: position)
            throw error
        }
        position = end
    }

    /// Zeros ahead, in whole steps: a sync then need not write the file's new size. Without room for them, go on without.
    private func allocate(_ file: any File, ahead end: Int64) {
        guard preallocation > 0, end + 4096 >= allocated else { return }
        let wanted = (end + 4096) / preallocation * preallocation + preallocation
        if (try? file.allocate(to: wanted)) != nil {
            allocated = wanted
            reserved = wanted
        } else {
            // Nearly full: not asked for again with every batch.
            allocated = max(end + 4096, allocated) + 1 << 20
        }
    }

    /// Nobody has been promised these: where they cannot be written, the next sync is slower.
    private func writeZeros(_ file: any File, behind end: Int64, count: Int) {
        guard let range = zeroed.next(end: end, count: count, reserved: reserved) else { return }
        withUnsafeTemporaryAllocation(byteCount: range.count, alignment: 16) { room in
            room.initializeMemory(as: UInt8.self, repeating: 0)
            try? file.write(UnsafeRawBufferPointer(room), at: range.lowerBound)
        }
    }

    private func synced(_ file: any File) throws(DiskError) {
        guard sync else { return }
        isSyncing = true
        try file.sync()
        isSyncing = false
    }

    /// The header is durable before the first entry: entries behind a header that never arrived could not be told from noise.
    private func begin(_ zxid: Int64) throws(DiskError) -> any File {
        let path = directory + "/log." + LogFormat.hex(zxid)
        let opened = try disk.open(path, .replace)
        var problem: DiskError?
        LogFormat.header.withUnsafeBytes { bytes in
            do throws(DiskError) { try opened.write(bytes, at: 0) } catch { problem = error }
        }
        if let problem { throw problem }
        try synced(opened)
        isSyncing = true
        do throws(DiskError) { try disk.syncDirectory(directory) } catch {
            // Not opened, so nothing was tried.
            if error.isOutOfDescriptors { isSyncing = false }
            throw error
        }
        isSyncing = false
        file = opened
        begun = zxid
        position = Int64(LogFormat.headerBytes)
        allocated = position
        reserved = 0
        zeroed = ZeroedAhead()
        return opened
    }

    /// What was allocated ahead is given back.
    func close() {
        if allocated > position { try? file?.truncate(to: position) }
        file?.close()
        file = nil
    }
}
