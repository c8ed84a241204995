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

    func append(_ change: TreeChange) {
        if gathering.count == 0 { gathering.first = change.header.zxid }
        gathering.last = change.header.zxid
        gathering.count += 1
        LogFormat.append(change.header, change.record, to: &gathering.writer)
    }

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
        let file = self.file
        let job = { () throws(DiskError) -> Void in try file.append(batch) }
        let landed = { [self] (result: Result<Void, DiskError>) in
            flying = nil
            spare = batch
            batch.writer.bytes.clear()
            batch.count = 0
            batch.rolls = false
            switch result {
            case .success:
                durable = batch.last
                then(nil)
            case .failure(let problem): then(problem)
            }
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
    private var position: Int64 = 0
    private var allocated: Int64 = 0

    init(disk: any Disk, directory: String, preallocation: Int64, sync: Bool) {
        self.disk = disk
        self.directory = directory
        self.preallocation = preallocation
        self.sync = sync
    }

    func append(_ batch: TransactionLog.Batch) throws(DiskError) {
        if batch.rolls { close() }
        let file: any File
        if let open = self.file { file = open } else { file = try begin(batch.first) }
        let bytes = batch.writer.bytes.bytes
        // Zeros ahead, in whole steps: a sync then need not write the file's new size. Without room for them, go on without.
        let end = position + Int64(bytes.count)
        if preallocation > 0, end + 4096 >= allocated {
            let wanted = (end + 4096) / preallocation * preallocation + preallocation
            if (try? file.allocate(to: wanted)) != nil { allocated = wanted }
        }
        try file.write(bytes, at: position)
        do throws(DiskError) {
            if sync { try file.sync() }
        } catch {
            // The next start must not find in the system's memory what will never be on the disk.
            try? file.truncate(to: position)
            throw error
        }
        position = end
    }

    private func begin(_ zxid: Int64) throws(DiskError) -> any File {
        let path = directory + "/log." + LogFormat.hex(zxid)
        let opened = try disk.open(path, .replace)
        file = opened
        var problem: DiskError?
        LogFormat.header.withUnsafeBytes { bytes in
            do throws(DiskError) { try opened.write(bytes, at: 0) } catch { problem = error }
        }
        if let problem { throw problem }
        position = Int64(LogFormat.headerBytes)
        allocated = position
        try disk.syncDirectory(directory)
        return opened
    }

    func close() {
        file?.close()
        file = nil
    }
}
