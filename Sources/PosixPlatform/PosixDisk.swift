import CSystem
import Glibc
import Platform

private func failure(_ operation: String, _ path: String, _ code: Int32) -> DiskError {
    DiskError(operation: operation, path: path, code: code, reason: Address.words(code))
}

/// An open file. Positions are explicit, so the deciding thread and a helper may use it at once. The descriptor lives as long
/// as somebody holds the file: a region on its way to a socket still needs it after its owner's `close`, and a number given
/// back while a helper uses it would soon name another file.
final class PosixFile: File, @unchecked Sendable {
    let path: String
    let fd: Int32

    init(path: String, fd: Int32) {
        self.path = path
        self.fd = fd
    }

    deinit { Glibc.close(fd) }

    var size: Int64 {
        var status = stat()
        return fstat(fd, &status) == 0 ? Int64(status.st_size) : 0
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(DiskError) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            let count = pread(fd, base + done, buffer.count - done, off_t(offset) + off_t(done))
            if count > 0 {
                done += count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw failure("pread", path, errno)
            }
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(DiskError) {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let count = pwrite(fd, base + done, bytes.count - done, off_t(offset) + off_t(done))
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                throw failure("pwrite", path, errno)
            }
        }
    }

    func truncate(to size: Int64) throws(DiskError) {
        guard ftruncate(fd, off_t(size)) == 0 else { throw failure("ftruncate", path, errno) }
    }

    func allocate(to size: Int64) throws(DiskError) {
        let have = self.size
        guard size > have else { return }
        let code = posix_fallocate(fd, off_t(have), off_t(size - have))
        if code == EOPNOTSUPP || code == EINVAL {
            try truncate(to: size)
        } else if code != 0 {
            throw failure("fallocate", path, code)
        }
    }

    func sync() throws(DiskError) {
        guard fdatasync(fd) == 0 else { throw failure("fdatasync", path, errno) }
    }

    func close() {}

    func nextData(from offset: Int64) -> Int64? {
        guard offset < size else { return nil }
        // SEEK_DATA, which Glibc's module does not name. The position it moves is used by nobody.
        let found = lseek(fd, off_t(offset), 3)
        if found >= 0 { return Int64(found) }
        return errno == ENXIO ? nil : offset
    }
}

final class PosixDiskLock: DiskLock {
    private var fd: Int32
    init(fd: Int32) { self.fd = fd }
    deinit { release() }
    func release() {
        if fd >= 0 { Glibc.close(fd) }
        fd = -1
    }
}

package final class PosixDisk: Disk {
    private let loop: EventLoop
    private var lanes: [String: PosixDiskLane] = [:]

    init(loop: EventLoop) { self.loop = loop }

    package func open(_ path: String, _ mode: FileMode) throws(DiskError) -> any File {
        let flags: Int32
        switch mode {
        case .read: flags = O_RDONLY
        case .update: flags = O_RDWR
        case .createIfMissing: flags = O_RDWR | O_CREAT
        case .createNew: flags = O_RDWR | O_CREAT | O_EXCL
        case .replace: flags = O_RDWR | O_CREAT | O_TRUNC
        }
        let fd = csystem_open(path, flags, 0o600)
        guard fd >= 0 else { throw failure("open", path, errno) }
        return PosixFile(path: path, fd: fd)
    }

    package func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package func list(_ directory: String) throws(DiskError) -> [DirectoryEntry] {
        guard let stream = opendir(directory) else { throw failure("opendir", directory, errno) }
        defer { closedir(stream) }
        var entries: [DirectoryEntry] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            var isDirectory = entry.pointee.d_type == UInt8(DT_DIR)
            if entry.pointee.d_type == UInt8(DT_UNKNOWN) || entry.pointee.d_type == UInt8(DT_LNK) {
                var status = stat()
                isDirectory = stat("\(directory)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            }
            entries.append(DirectoryEntry(name: name, isDirectory: isDirectory))
        }
        return entries.sorted { $0.name < $1.name }
    }

    package func createDirectory(_ path: String) throws(DiskError) {
        if mkdir(path, 0o700) == 0 { return }
        switch errno {
        case EEXIST:
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw failure("mkdir", path, EEXIST)
            }
        case ENOENT:
            let parent = parentDirectory(of: path)
            guard parent != path else { throw failure("mkdir", path, ENOENT) }
            try createDirectory(parent)
            if mkdir(path, 0o700) != 0, errno != EEXIST { throw failure("mkdir", path, errno) }
        default: throw failure("mkdir", path, errno)
        }
    }

    package func rename(_ from: String, to: String) throws(DiskError) {
        guard Glibc.rename(from, to) == 0 else { throw failure("rename", from, errno) }
    }

    package func remove(_ path: String) throws(DiskError) {
        guard Glibc.remove(path) == 0 else { throw failure("remove", path, errno) }
    }

    package func removeTree(_ path: String) throws(DiskError) {
        for entry in try list(path) {
            let inner = "\(path)/\(entry.name)"
            var status = stat()
            let isLink = lstat(inner, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
            if entry.isDirectory, !isLink { try removeTree(inner) } else { try remove(inner) }
        }
        try remove(path)
    }

    package func syncDirectory(_ directory: String) throws(DiskError) {
        let fd = csystem_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard fd >= 0 else { throw failure("open", directory, errno) }
        defer { Glibc.close(fd) }
        guard fsync(fd) == 0 else { throw failure("fsync", directory, errno) }
    }

    package func lock(_ path: String) throws(DiskError) -> (any DiskLock)? {
        let fd = csystem_open(path, O_RDWR | O_CREAT, 0o600)
        guard fd >= 0 else { throw failure("open", path, errno) }
        // flock belongs to the open file: a second start within this process is refused as well.
        if flock(fd, LOCK_EX | LOCK_NB) == 0 { return PosixDiskLock(fd: fd) }
        let code = errno
        Glibc.close(fd)
        if code == EWOULDBLOCK { return nil }
        throw failure("flock", path, code)
    }

    package func freeBytes(_ path: String) throws(DiskError) -> Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw failure("statvfs", path, errno) }
        return Int64(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
    }

    package func totalBytes(_ path: String) throws(DiskError) -> Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw failure("statvfs", path, errno) }
        return Int64(clamping: UInt64(status.f_blocks) * UInt64(status.f_frsize))
    }

    package func absolutePath(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        guard let buffer = getcwd(nil, 0) else { return path }
        defer { free(buffer) }
        let here = String(cString: buffer)
        let rest = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return rest.isEmpty || rest == "." ? here : "\(here)/\(rest)"
    }

    package func realPath(_ path: String) -> String {
        guard let resolved = Glibc.realpath(path, nil) else { return absolutePath(path) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    package func modifiedMs(_ path: String) throws(DiskError) -> Int64 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure("stat", path, errno) }
        return Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
    }

    package func setModified(_ path: String, toMs ms: Int64) throws(DiskError) {
        let (seconds, rest) = ms.quotientAndRemainder(dividingBy: 1000)
        let moment = timespec(tv_sec: Int(seconds), tv_nsec: Int(max(0, rest)) * 1_000_000)
        guard utimensat(AT_FDCWD, path, [moment, moment], 0) == 0 else { throw failure("utimensat", path, errno) }
    }

    package func backgroundLane(_ directory: String) -> any DiskLane {
        let name = directory + "/#background"
        if let lane = lanes[name] { return lane }
        let lane = PosixDiskLane(loop: loop, name: name, inBackground: true)
        lanes[name] = lane
        return lane
    }

    package func lane(_ directory: String) -> any DiskLane {
        if let lane = lanes[directory] { return lane }
        let lane = PosixDiskLane(loop: loop, name: directory)
        lanes[directory] = lane
        return lane
    }
}

/// The queue of one log directory: in place while that is quick, on its helper otherwise.
final class PosixDiskLane: DiskLane {
    private let loop: EventLoop
    private let helper: HelperThread
    private(set) var pending = 0
    /// The last write took too long to make the deciding thread wait for the next one.
    private var slow = false
    private static let quick = Duration.milliseconds(5)
    /// The last brief job was one.
    private var isBrief = true
    private static let brief = Duration.milliseconds(1)
    /// The loop's own thread is at a job of this lane: what comes meanwhile waits here, to keep the order.
    private var isPassing = false
    private var behindPassing: [() -> () -> Void] = []

    init(loop: EventLoop, name: String, inBackground: Bool = false) {
        self.loop = loop
        helper = HelperThread(name: "disk \(name.split(separator: "/").last ?? "")", inBackground: inBackground)
    }

    func write(
        _ bytes: UnsafeRawBufferPointer, to file: any File, at offset: Int64, then: @escaping (DiskError?) -> Void
    ) {
        if pending == 0, !slow {
            let began = loop.now
            var problem: DiskError?
            do throws(DiskError) { try file.write(bytes, at: offset) } catch { problem = error }
            slow = loop.now - began > PosixDiskLane.quick
            then(problem)
            return
        }
        let copy = [UInt8](bytes)
        let loop = self.loop
        enqueue { [self] in
            let began = loop.now
            let problem = PosixDiskLane.caught { () throws(DiskError) in
                var inner: DiskError?
                copy.withUnsafeBytes { raw in
                    do throws(DiskError) { try file.write(raw, at: offset) } catch { inner = error }
                }
                if let inner { throw inner }
            }
            let took = loop.now - began
            return {
                self.slow = took > PosixDiskLane.quick
                then(problem)
            }
        }
    }

    func sync(_ file: any File, then: @escaping (DiskError?) -> Void) {
        enqueue {
            let problem = PosixDiskLane.caught { () throws(DiskError) in try file.sync() }
            return { then(problem) }
        }
    }

    func perform<T>(_ job: @escaping () throws(DiskError) -> T, then: @escaping (Result<T, DiskError>) -> Void) {
        enqueue {
            let result: Result<T, DiskError>
            do throws(DiskError) { result = .success(try job()) } catch { result = .failure(error) }
            return { then(result) }
        }
    }

    func performBriefly<T>(_ job: @escaping () throws(DiskError) -> T, then: @escaping (Result<T, DiskError>) -> Void) {
        let loop = self.loop
        let work = { [self] in
            let began = loop.now
            let result: Result<T, DiskError>
            do throws(DiskError) { result = .success(try job()) } catch { result = .failure(error) }
            let took = loop.now - began
            return {
                self.isBrief = took < PosixDiskLane.brief
                then(result)
            }
        }
        guard pending == 0, isBrief, loop.doInPassing({ [self] in passed(work()) }) else { return enqueue(work) }
        pending += 1
        isPassing = true
    }

    private func passed(_ completion: @escaping () -> Void) -> () -> Void {
        { [self] in
            isPassing = false
            pending -= 1
            let behind = behindPassing
            behindPassing = []
            for work in behind { giveToHelper(work) }
            completion()
        }
    }

    private static func caught(_ work: () throws(DiskError) -> Void) -> DiskError? {
        do throws(DiskError) {
            try work()
            return nil
        } catch {
            return error
        }
    }

    /// `work` runs on the helper; what it returns runs on the deciding thread.
    private func enqueue(_ work: @escaping () -> () -> Void) {
        pending += 1
        if isPassing { behindPassing.append(work) } else { giveToHelper(work) }
    }

    private func giveToHelper(_ work: @escaping () -> () -> Void) {
        let inbox = loop.inbox
        helper.run {
            let completion = Carried(work())
            inbox.post { [self] in
                pending -= 1
                completion.value()
            }
        }
    }
}
