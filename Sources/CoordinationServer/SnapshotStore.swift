import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// Snapshot files: written piece by piece beside the service, and put in their place only when they are whole and durable.
package final class SnapshotStore {
    private let disk: any Disk
    private let directory: String
    private let logDirectory: String
    /// Apart from the log's lane: a long write here must not keep a sync there waiting.
    private let lane: any DiskLane
    /// Found not whole at the start: their last bytes, which a purge looks at, do not tell.
    private let unreadable: Set<String>

    init(disk: any Disk, directory: String, logDirectory: String, unreadable: Set<String> = []) {
        self.disk = disk
        self.directory = directory
        self.logDirectory = logDirectory
        self.unreadable = unreadable
        lane = disk.lane(directory + "/snapshots")
    }

    /// Owned by one job after another.
    final class Writing {
        fileprivate let file: any File
        fileprivate let beside: String
        let zxid: Int64
        fileprivate var sum: UInt32 = 1
        fileprivate(set) var position: Int64 = 0
        private var synced: Int64 = 0
        /// A sync of a whole snapshot would keep the log's syncs waiting: they share the file system's journal.
        private static let syncedEvery: Int64 = 4 << 20

        fileprivate init(_ file: any File, beside: String, zxid: Int64) {
            self.file = file
            self.beside = beside
            self.zxid = zxid
        }

        fileprivate func write(_ bytes: UnsafeRawBufferPointer) throws(DiskError) {
            sum = Checksum.adler32(bytes, continuing: sum)
            try file.write(bytes, at: position)
            position += Int64(bytes.count)
            guard position - synced >= Writing.syncedEvery else { return }
            try file.sync()
            synced = position
        }
    }

    final class Piece {
        var writer = JuteWriter(capacity: 1 << 16)
    }

    func begin(_ zxid: Int64, then: @escaping (Result<Writing, DiskError>) -> Void) {
        let (disk, directory) = (self.disk, self.directory)
        lane.perform { () throws(DiskError) -> Writing in
            let beside = directory + "/.snapshot." + LogFormat.hex(zxid)
            return Writing(try disk.open(beside, .replace), beside: beside, zxid: zxid)
        } then: {
            then($0)
        }
    }

    func write(_ piece: Piece, to writing: Writing, then: @escaping (DiskError?) -> Void) {
        lane.perform { () throws(DiskError) -> Void in
            try writing.write(piece.writer.bytes.bytes)
        } then: {
            then($0.problem)
        }
    }

    /// The checksum over everything, and the device has it all.
    func seal(_ writing: Writing, then: @escaping (DiskError?) -> Void) {
        lane.perform { () throws(DiskError) -> Void in
            var writer = JuteWriter()
            writer.int64(Int64(writing.sum))
            writer.string("/")
            try writing.write(writer.bytes.bytes)
            try writing.file.sync()
            writing.file.close()
        } then: {
            then($0.problem)
        }
    }

    func place(_ writing: Writing, then: @escaping (DiskError?) -> Void) {
        let (disk, directory) = (self.disk, self.directory)
        lane.perform { () throws(DiskError) -> Void in
            try disk.rename(writing.beside, to: directory + "/snapshot." + LogFormat.hex(writing.zxid))
            try disk.syncDirectory(directory)
        } then: {
            then($0.problem)
        }
    }

    func drop(_ writing: Writing) {
        let disk = self.disk
        lane.perform { () throws(DiskError) -> Void in
            writing.file.close()
            try disk.remove(writing.beside)
        } then: { _ in
        }
    }

    /// All at once, before the service begins.
    func writeNow(_ tree: inout ZnodeTree) throws(DiskError) {
        let piece = Piece()
        let zxid = tree.beginSnapshot(into: &piece.writer)
        while !tree.continueSnapshot(nodes: 1 << 20, into: &piece.writer) {}
        let sum = Checksum.adler32(piece.writer.bytes.bytes)
        piece.writer.int64(Int64(sum))
        piece.writer.string("/")
        let beside = directory + "/.snapshot." + LogFormat.hex(zxid)
        let file = try disk.open(beside, .replace)
        defer { file.close() }
        try file.write(piece.writer.bytes.bytes, at: 0)
        try file.sync()
        try disk.rename(beside, to: directory + "/snapshot." + LogFormat.hex(zxid))
        try disk.syncDirectory(directory)
    }

    func purge(keeping count: Int, then: @escaping (Result<[String], DiskError>) -> Void) {
        let (disk, directory, logDirectory, unreadable) = (
            self.disk, self.directory, self.logDirectory, self.unreadable
        )
        lane.perform { () throws(DiskError) -> [String] in
            try SnapshotStore.purge(disk, directory, logDirectory, keeping: count) { snapshot in
                !unreadable.contains(snapshot.path) && snapshot.looksWhole(on: disk)
            }
        } then: {
            then($0)
        }
    }

    /// `Nov 22, 2026, 3:48:48 AM`, as a purge tells of a file.
    package static func time(_ milliseconds: Int64) -> String { TransactionText.fileTime(milliseconds) }

    /// Keeps the newest `count` whole snapshots, the logs that begin behind the oldest of them, and the log before those, which
    /// may hold what comes behind that snapshot.
    /// - Parameter removing: told of each file before it goes.
    /// - Returns: the paths that are gone, snapshots first, so that a kept snapshot never misses a log.
    package static func purge(
        _ disk: any Disk, _ directory: String, _ logDirectory: String, keeping count: Int,
        removing: (String) -> Void
    ) throws(DiskError) -> [String] {
        // Nobody has loaded them before: each that is counted is read.
        try purge(disk, directory, logDirectory, keeping: count, removing: removing) { snapshot in
            guard case .whole? = try? snapshot.load(from: disk) else { return false }
            return true
        }
    }

    private static func purge(
        _ disk: any Disk, _ directory: String, _ logDirectory: String, keeping count: Int,
        removing: (String) -> Void = { _ in }, isWhole: (SnapshotFile) -> Bool
    ) throws(DiskError) -> [String] {
        let snapshots = try disk.list(directory).compactMap { SnapshotFile($0.name, in: directory) }
            .sorted { $0.zxid > $1.zxid }
        var kept: [SnapshotFile] = []
        for snapshot in snapshots where kept.count < count && isWhole(snapshot) { kept.append(snapshot) }
        guard let oldest = kept.last else { return [] }
        let logs = try disk.list(logDirectory).compactMap { entry in
            LogFormat.zxid(ofLog: entry.name).map { (zxid: $0, path: logDirectory + "/" + entry.name) }
        }
        let before = logs.filter { $0.zxid <= oldest.zxid }.sorted { $0.zxid < $1.zxid }.dropLast()
        let gone = snapshots.filter { $0.zxid < oldest.zxid }.map(\.path).reversed() + before.map(\.path)
        for path in gone {
            removing(path)
            try disk.remove(path)
        }
        return gone
    }
}

extension Result where Failure == DiskError {
    var problem: DiskError? {
        if case .failure(let problem) = self { return problem }
        return nil
    }
}
