import Platform

/// Where one coordinator keeps its files: made, taken for it alone, and shown to be writable, before anything in them is read.
struct DataDirectories {
    let snapshots: String
    /// The same, unless logs are kept apart.
    let logs: String
    private(set) var locks: [any DiskLock] = []

    init(_ config: CoordinatorConfig, _ disk: any Disk) throws(StartProblem) {
        let version = "/version-2"
        for path in [config.dataDir + version, config.dataLogDir + version] { try DataDirectories.make(path, disk) }
        // Another spelling of the same directory, or a link to it, is the same directory.
        let isOne = disk.realPath(config.dataLogDir) == disk.realPath(config.dataDir)
        let homes = isOne ? [config.dataDir] : [config.dataDir, config.dataLogDir]
        snapshots = homes[0] + version
        logs = homes[homes.count - 1] + version
        for home in homes { locks.append(try DataDirectories.take(home, disk)) }
        for home in homes {
            do throws(DiskError) { try DataDirectories.proveWritable(home + version, disk) } catch {
                throw StartProblem(
                    "\(home + version) cannot be written: \(error.reason). Check its owner and permissions.")
            }
        }
    }

    private static func make(_ path: String, _ disk: any Disk) throws(StartProblem) {
        do throws(DiskError) {
            try disk.createDirectory(path)
            // A log is worth nothing when the power takes the directory it lies in. Those further up may be others'.
            var parent = parentDirectory(of: path)
            try disk.syncDirectory(parent)
            while parent != "/", parent != "." {
                parent = parentDirectory(of: parent)
                try? disk.syncDirectory(parent)
            }
        } catch {
            throw StartProblem(
                "\(path) cannot be made: \(error.reason). "
                    + (error.isNoSpace ? "Make room." : "Check dataDir, its owner and permissions."))
        }
    }

    private static func take(_ path: String, _ disk: any Disk) throws(StartProblem) -> any DiskLock {
        let lock: (any DiskLock)?
        do throws(DiskError) { lock = try disk.lock(path + "/.lock") } catch {
            throw StartProblem("\(path) cannot be written: \(error.reason). Check its owner and permissions.")
        }
        guard let lock else {
            throw StartProblem("\(path) is in use by another coordinator. Stop that one, or name another dataDir.")
        }
        return lock
    }

    /// The first log is begun with the first change: to find out only then would let clients in to turn them away. A full disk is
    /// another matter, which is waited out.
    private static func proveWritable(_ directory: String, _ disk: any Disk) throws(DiskError) {
        let path = directory + "/.writable"
        do throws(DiskError) {
            try disk.open(path, .replace).close()
            try disk.remove(path)
        } catch {
            guard error.isNoSpace else { throw error }
        }
    }
}
