import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// Snapshot files: written piece by piece beside the service, and put in their place only when they are whole and durable.
final class SnapshotStore {
    private let disk: any Disk
    private let directory: String
    private let logDirectory: String
    /// Apart from the log's lane: a long write here must not keep a sync there waiting.
    private let lane: any DiskLane

    init(disk: any Disk, directory: String, logDirectory: String) {
        self.disk = disk
        self.directory = directory
        self.logDirectory = logDirectory
        lane = disk.lane(directory + "/snapshots")
    }

    /// Owned by one job after another.
    final class Writing {
        fileprivate let file: any File
        fileprivate let beside: String
        let zxid: Int64
        fileprivate var sum: UInt32 = 1
        fileprivate(set) var position: Int64 = 0

        fileprivate init(_ file: any File, beside: String, zxid: Int64) {
            self.file = file
            self.beside = beside
            self.zxid = zxid
        }

        fileprivate func write(_ bytes: UnsafeRawBufferPointer) throws(DiskError) {
            sum = Checksum.adler32(bytes, continuing: sum)
            try file.write(bytes, at: position)
            position += Int64(bytes.count)
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

    /// Keeps the newest `count` whole snapshots, the logs that begin behind the oldest of them, and the log before those.
    func purge(keeping count: Int, then: @escaping (Result<[String], DiskError>) -> Void) {
        let (disk, directory, logDirectory) = (self.disk, self.directory, self.logDirectory)
        lane.perform { () throws(DiskError) -> [String] in
            var snapshots: [(zxid: Int64, name: String)] = []
            for entry in try disk.list(directory) {
                if let zxid = LogFormat.zxid(of: entry.name, "snapshot") { snapshots.append((zxid, entry.name)) }
            }
            snapshots.sort { $0.zxid > $1.zxid }
            var kept = 0
            var oldest: Int64?
            var removed: [String] = []
            for snapshot in snapshots {
                let path = directory + "/" + snapshot.name
                if kept < count {
                    if SnapshotStore.looksWhole(path, disk) {
                        kept += 1
                        oldest = snapshot.zxid
                    }
                } else {
                    try disk.remove(path)
                    removed.append(snapshot.name)
                }
            }
            guard let oldest, kept == count else { return removed }
            var logs: [(zxid: Int64, name: String)] = []
            for entry in try disk.list(logDirectory) {
                if let zxid = LogFormat.zxid(of: entry.name, "log") { logs.append((zxid, entry.name)) }
            }
            let before = logs.filter { $0.zxid <= oldest }.sorted { $0.zxid < $1.zxid }
            for log in before.dropLast() {
                try disk.remove(logDirectory + "/" + log.name)
                removed.append(log.name)
            }
            return removed
        } then: {
            then($0)
        }
    }

    /// A snapshot ends with the length and text of `/`.
    static func looksWhole(_ path: String, _ disk: any Disk) -> Bool {
        guard let file = try? disk.open(path, .read) else { return false }
        defer { file.close() }
        guard file.size >= 10 else { return false }
        return withUnsafeTemporaryAllocation(byteCount: 5, alignment: 1) { end in
            guard (try? file.read(into: end, at: file.size - 5)) == 5 else { return false }
            return end.elementsEqual([0, 0, 0, 1, UInt8(ascii: "/")])
        }
    }
}

extension Result where Failure == DiskError {
    var problem: DiskError? {
        if case .failure(let problem) = self { return problem }
        return nil
    }
}
