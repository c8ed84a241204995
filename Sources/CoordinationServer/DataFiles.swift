import Platform

/// The snapshots and logs of one coordinator, by their names.
struct DataFiles {
    struct Log: Equatable {
        /// Of its first transaction.
        var zxid: Int64
        var path: String
    }

    let disk: any Disk
    let directory: String
    let logDirectory: String
    /// Ascending.
    private(set) var snapshots: [SnapshotFile] = []
    private(set) var logs: [Log] = []
    /// Snapshots whose writing a former run did not end.
    private(set) var leftovers: [String] = []

    init(disk: any Disk, directory: String, logDirectory: String) throws(StartProblem) {
        self.disk = disk
        self.directory = directory
        self.logDirectory = logDirectory
        for entry in try DataFiles.list(directory, disk) where !entry.isDirectory {
            if let snapshot = SnapshotFile(entry.name, in: directory) { snapshots.append(snapshot) }
            if entry.name.hasPrefix(".snapshot.") { leftovers.append(directory + "/" + entry.name) }
            if directory != logDirectory, LogFormat.zxid(ofLog: entry.name) != nil {
                throw StartProblem(
                    "\(directory) holds \(entry.name), but transaction logs are kept in \(logDirectory) (dataLogDir): "
                        + "they would not be read. Move the log.* files there, or correct dataLogDir; nothing was changed."
                )
            }
        }
        for entry in try DataFiles.list(logDirectory, disk) where !entry.isDirectory {
            if let zxid = LogFormat.zxid(ofLog: entry.name) {
                logs.append(Log(zxid: zxid, path: logDirectory + "/" + entry.name))
            }
            if directory != logDirectory, SnapshotFile(entry.name, in: logDirectory) != nil {
                throw StartProblem(
                    "\(logDirectory) holds \(entry.name), but snapshots are kept in \(directory) (dataDir): it would not "
                        + "be read. Move the snapshot.* files there, or correct dataDir; nothing was changed.")
            }
        }
        snapshots.sort { $0.zxid < $1.zxid }
        logs.sort { $0.zxid < $1.zxid }
    }

    private static func list(_ directory: String, _ disk: any Disk) throws(StartProblem) -> [DirectoryEntry] {
        do throws(DiskError) { return try disk.list(directory) } catch {
            throw StartProblem("\(directory) cannot be read: \(error.reason). Check its owner and permissions.")
        }
    }

    /// The command that explains this directory.
    var checkCommand: String {
        var words = "letterbox coordinator check \(parentDirectory(of: directory))"
        if directory != logDirectory { words += " --data-log-dir \(parentDirectory(of: logDirectory))" }
        return words
    }
}

/// A change of files that makes a directory fit for a start. What holds bytes is moved, never deleted.
package enum Mend: Equatable {
    /// What stands from `at` on goes to a file of its own.
    case cut(String, at: Int64, bytes: Int64)
    /// Its first bytes were damaged, and every entry behind them is whole.
    case header(String)
    /// Only zeros stand behind `to`.
    case trim(String, to: Int64)
    /// All that is read from it is on the device.
    case sync(String)
    /// Nothing is in it.
    case remove(String)
    case setAside(String)

    /// Beside the files, in a directory of this name.
    static let setAsideName = "set-aside"

    /// - Parameter keepsAll: refuses a cut for which there is no room to keep what it takes. Without it a start goes on: what was
    ///   torn was promised to nobody.
    /// - Returns: what could not be done as announced, in words.
    @discardableResult
    func perform(on disk: any Disk, keepsAll: Bool = true) throws(DiskError) -> String? {
        switch self {
        case .remove(let path):
            try disk.remove(path)
            try disk.syncDirectory(parentDirectory(of: path))
        case .trim(let path, let end):
            let file = try disk.open(path, .update)
            defer { file.close() }
            try file.truncate(to: end)
            try file.sync()
        case .sync(let path):
            let file = try disk.open(path, .update)
            defer { file.close() }
            try file.sync()
        case .setAside(let path):
            let place = try Mend.place(for: path, disk)
            try disk.rename(path, to: place)
            // There before it is gone here: a power failure between the two must not take both names.
            try disk.syncDirectory(parentDirectory(of: place))
            try disk.syncDirectory(parentDirectory(of: path))
        case .header(let path):
            let file = try disk.open(path, .update)
            defer { file.close() }
            var problem: DiskError?
            LogFormat.header.withUnsafeBytes { bytes in
                do throws(DiskError) { try file.write(bytes, at: 0) } catch { problem = error }
            }
            if let problem { throw problem }
            try file.sync()
        case .cut(let path, let offset, let bytes):
            let file = try disk.open(path, .update)
            defer { file.close() }
            var lost: String?
            do throws(DiskError) { try Mend.copy(file, from: offset, bytes, disk) } catch {
                guard error.isNoSpace, !keepsAll else { throw error }
                lost = "there was no room to keep the \(bytes) bytes cut from \(path): they are gone"
            }
            try file.truncate(to: offset)
            try file.sync()
            return lost
        }
        return nil
    }

    /// All of it, durable under its name, or nothing.
    private static func copy(_ file: any File, from offset: Int64, _ bytes: Int64, _ disk: any Disk) throws(DiskError) {
        let place = try place(for: "\(file.path).from-\(offset)", disk)
        do throws(DiskError) {
            try copy(file, from: offset, bytes, to: try disk.open(place, .createNew))
            try disk.syncDirectory(parentDirectory(of: place))
        } catch {
            if disk.exists(place) { try? disk.remove(place) }
            throw error
        }
    }

    private static func copy(_ file: any File, from offset: Int64, _ bytes: Int64, to target: any File)
        throws(DiskError)
    {
        defer { target.close() }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
        defer { chunk.deallocate() }
        var done: Int64 = 0
        while done < bytes {
            let wanted = Int(min(bytes - done, Int64(chunk.count)))
            let count = try file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: chunk[..<wanted]), at: offset + done)
            if count == 0 { break }
            try target.write(UnsafeRawBufferPointer(rebasing: chunk[..<count]), at: done)
            done += Int64(count)
        }
        try target.sync()
    }

    /// A name nothing has yet.
    private static func place(for path: String, _ disk: any Disk) throws(DiskError) -> String {
        let above = parentDirectory(of: path), directory = above + "/" + setAsideName
        if !disk.exists(directory) {
            try disk.createDirectory(directory)
            try disk.syncDirectory(above)
        }
        let name = path.split(separator: "/").last ?? ""
        var candidate = "\(directory)/\(name)"
        var number = 1
        while disk.exists(candidate) {
            candidate = "\(directory)/\(name).\(number)"
            number += 1
        }
        return candidate
    }
}
