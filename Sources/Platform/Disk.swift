/// A file operation that did not succeed: enough for a line that says what to do.
package struct DiskError: Error, Equatable, CustomStringConvertible {
    /// The system call's name: `open`, `pwrite`, `fdatasync`, `rename`.
    package var operation: String
    package var path: String
    /// errno; 0 for a short read.
    package var code: Int32
    package var reason: String

    package init(operation: String, path: String, code: Int32, reason: String) {
        self.operation = operation
        self.path = path
        self.code = code
        self.reason = reason
    }
    package var description: String { "\(operation) \(path): \(reason)" }
    package var isMissing: Bool { code == 2 }  // ENOENT
    package var isNoSpace: Bool { code == 28 || code == 122 }  // ENOSPC, EDQUOT
    /// Nothing was tried: this process, or the system, has no descriptor left to open anything with.
    package var isOutOfDescriptors: Bool { code == 24 || code == 23 }  // EMFILE, ENFILE
}

package enum FileMode: Sendable {
    case read
    /// Read and write what exists.
    case update
    /// Read and write; made when missing.
    case createIfMissing
    /// Read and write; fails when it exists.
    case createNew
    /// Read and write; emptied when it exists.
    case replace
}

/// An open file. These calls block; who makes them on the deciding thread knows that the pages are warm or the file is small.
package protocol File: AnyObject {
    var path: String { get }
    var size: Int64 { get }
    /// Reads up to `buffer.count` bytes; fewer only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(DiskError) -> Int
    /// Writes all of it or throws.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(DiskError)
    func truncate(to size: Int64) throws(DiskError)
    /// Reserves blocks filled with zeros up to `size` (the file's size grows). Best effort where the file system cannot.
    func allocate(to size: Int64) throws(DiskError)
    /// Data and size are on the device (fdatasync). After a failure nothing written to this file may be believed durable.
    func sync() throws(DiskError)
    func close()
    /// The first offset from `offset` on where something other than zeros may stand; nil when only zeros are left. Lets a
    /// reader pass over space that was reserved and never written.
    func nextData(from offset: Int64) -> Int64?
}

extension File {
    package func nextData(from offset: Int64) -> Int64? { offset < size ? offset : nil }
}

/// Bytes of a file on their way to a socket. Holding it keeps the file open.
package struct FileRegion {
    package var file: any File
    package var offset: Int64
    package var length: Int
    package init(file: any File, offset: Int64, length: Int) {
        self.file = file
        self.offset = offset
        self.length = length
    }
}

package struct DirectoryEntry: Sendable, Equatable {
    package var name: String
    package var isDirectory: Bool
    package init(name: String, isDirectory: Bool) {
        self.name = name
        self.isDirectory = isDirectory
    }
}

/// An exclusive hold on a directory or file, given up by `release` or by the process's end.
package protocol DiskLock: AnyObject {
    func release()
}

/// Files and directories. All calls block: they belong at start-up, in a lane's job, or on small files.
package protocol Disk: AnyObject {
    func open(_ path: String, _ mode: FileMode) throws(DiskError) -> any File
    func exists(_ path: String) -> Bool
    /// Sorted by name.
    func list(_ directory: String) throws(DiskError) -> [DirectoryEntry]
    /// With all its parents; no error when it is there.
    func createDirectory(_ path: String) throws(DiskError)
    func rename(_ from: String, to: String) throws(DiskError)
    func remove(_ path: String) throws(DiskError)
    /// A directory and all it holds.
    func removeTree(_ path: String) throws(DiskError)
    /// Names created, renamed or removed in `directory` are durable.
    func syncDirectory(_ directory: String) throws(DiskError)
    /// Nil when somebody else holds it.
    func lock(_ path: String) throws(DiskError) -> (any DiskLock)?
    func freeBytes(_ path: String) throws(DiskError) -> Int64
    /// Of the file system that holds `path`.
    func totalBytes(_ path: String) throws(DiskError) -> Int64
    /// From the root, as other programs may name it; it need not exist.
    func absolutePath(_ path: String) -> String
    /// The one name of what is there: two spellings, or a link and its end, give the same.
    func realPath(_ path: String) -> String
    /// Milliseconds since 1970 of the last change.
    func modifiedMs(_ path: String) throws(DiskError) -> Int64
    /// Makes the file look as if it had changed last at that time.
    func setModified(_ path: String, toMs ms: Int64) throws(DiskError)

    /// The queue of one log directory. The same path gives the same lane.
    func lane(_ directory: String) -> any DiskLane
    /// A queue of its own beside that one, for long work that nobody waits for: it gets what time others leave.
    func backgroundLane(_ directory: String) -> any DiskLane
}

/// The disk answers later. Operations of one lane are carried out one after another in the order they were asked for;
/// completions come on the deciding thread in that same order, some of them within the call when the lane was idle and quick.
package protocol DiskLane: AnyObject {
    /// Operations asked for and not completed yet.
    var pending: Int { get }
    /// Bytes must stay valid and unchanged during this call only (they are copied when the write has to wait). Done in place,
    /// on the deciding thread, while nothing is queued and the last writes were quick (page cache); else by the helper.
    func write(
        _ bytes: UnsafeRawBufferPointer, to file: any File, at offset: Int64, then: @escaping (DiskError?) -> Void)
    /// Always by the helper.
    func sync(_ file: any File, then: @escaping (DiskError?) -> Void)
    /// Blocking work on this lane's helper: opening, scanning, rolling, deleting. `job` may touch only what it owns.
    func perform<T>(_ job: @escaping () throws(DiskError) -> T, then: @escaping (Result<T, DiskError>) -> Void)
    /// As `perform`, for a job that is usually over sooner than a thread could be woken for it, and for which others wait while
    /// there is little else to do: the lane may do it on the deciding thread when its turn is over, as long as that thread can
    /// be replaced within a millisecond or two when the disk is slow.
    func performBriefly<T>(_ job: @escaping () throws(DiskError) -> T, then: @escaping (Result<T, DiskError>) -> Void)
}

extension DiskLane {
    package func performBriefly<T>(
        _ job: @escaping () throws(DiskError) -> T, then: @escaping (Result<T, DiskError>) -> Void
    ) {
        perform(job, then: then)
    }
}

extension Disk {
    /// The whole of a small file.
    package func contents(_ path: String, limit: Int = 64 << 20) throws(DiskError) -> [UInt8] {
        let file = try open(path, .read)
        defer { file.close() }
        guard file.size <= Int64(limit) else {
            throw DiskError(operation: "read", path: path, code: 27, reason: "larger than \(limit) bytes")
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(file.size), alignment: 8)
        defer { buffer.deallocate() }
        let count = try file.read(into: buffer, at: 0)
        return [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    /// Replaces a small file so that a crash at any point leaves the old content or the new: written beside it, synced,
    /// renamed, and the directory synced.
    package func replace(_ path: String, with bytes: [UInt8]) throws(DiskError) {
        let beside = path + ".tmp"
        let file = try open(beside, .replace)
        do throws(DiskError) {
            var problem: DiskError?
            bytes.withUnsafeBytes { raw in
                do throws(DiskError) { try file.write(raw, at: 0) } catch { problem = error }
            }
            if let problem { throw problem }
            try file.sync()
        } catch {
            file.close()
            throw error
        }
        file.close()
        try rename(beside, to: path)
        try syncDirectory(parentDirectory(of: path))
    }
}

/// `data/a` of `data/a/b`; `.` of `b`; `/` of `/b`.
package func parentDirectory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}
