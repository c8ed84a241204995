import Coordination
import Platform

/// `letterbox coordinator check`: explains a coordinator's directory and what a start would do, and repairs when asked. What
/// holds bytes is moved aside, never deleted.
package struct DirectoryCheck {
    package var dataDir: String
    package var dataLogDir: String
    package var executes = false

    package init(dataDir: String, dataLogDir: String? = nil) {
        self.dataDir = DirectoryCheck.above(dataDir)
        self.dataLogDir = DirectoryCheck.above(dataLogDir ?? dataDir)
    }

    /// `version-2` itself may be named too.
    private static func above(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path.hasSuffix("/version-2") ? parentDirectory(of: path) : path
    }

    /// - Returns: 0 when a start succeeds, 1 when it would be refused.
    package func run(on disk: any Disk, say: (String) -> Void) -> Int32 {
        let directory = dataDir + "/version-2", logDirectory = dataLogDir + "/version-2"
        for path in Set([directory, logDirectory]).sorted() where !disk.exists(path) {
            var above = parentDirectory(of: path)
            while !disk.exists(above), above != "/", above != "." { above = parentDirectory(of: above) }
            guard (try? disk.list(above)) != nil else {
                say("\(above) is no directory, or not one that can be read. A start is refused.")
                return 1
            }
            say("\(path) is not there: a start begins with an empty tree, and makes it.")
            return 0
        }
        var lock: (any DiskLock)?
        if executes {
            lock = (try? disk.lock(dataDir + "/.lock")) ?? nil
            guard lock != nil else {
                say(
                    "\(dataDir) is in use by a coordinator, or cannot be written. Stop that one first; nothing was changed."
                )
                return 1
            }
        }
        defer { lock?.release() }
        do throws(StartProblem) {
            let files = try DataFiles(disk: disk, directory: directory, logDirectory: logDirectory)
            list(files, say)
            let recovery = try Recovery(files)
            for remark in recovery.remarks { say("! \(remark)") }
            let from = recovery.snapshotZxid.map { "snapshot 0x\(LogFormat.hex($0))" } ?? "an empty tree"
            say(
                "A start succeeds: from \(from), \(recovery.replayed) transactions up to 0x"
                    + "\(LogFormat.hex(recovery.tree.lastZxid)), \(recovery.tree.nodeCount) nodes, "
                    + "\(recovery.tree.sessions.count) sessions.")
            return perform(recovery.mends, on: disk, say) ? 0 : 1
        } catch {
            say("! \(error)")
            say("A start is refused.")
            guard executes, !error.remedy.isEmpty, perform(error.remedy, on: disk, say) else { return 1 }
            say("Set aside. What stands there now:")
            lock?.release()
            lock = nil
            return run(on: disk, say: say)
        }
    }

    private func list(_ files: DataFiles, _ say: (String) -> Void) {
        say(files.directory)
        for snapshot in files.snapshots {
            do throws(DiskError) {
                switch try snapshot.load(from: files.disk) {
                case .whole(let loaded):
                    say(
                        "  \(snapshot.name)  whole: \(loaded.tree.nodeCount) nodes, \(loaded.tree.sessions.count) sessions, "
                            + "\(loaded.tree.ephemeralCount) ephemeral")
                case .damaged(let damage): say("  \(snapshot.name)  not whole: \(damage.reason)")
                }
            } catch { say("  \(snapshot.name)  cannot be read: \(error.reason)") }
        }
        if files.logDirectory != files.directory { say(files.logDirectory) }
        for log in files.logs {
            let name = log.path.split(separator: "/").last ?? ""
            do throws(DiskError) {
                let scan = try LogScan(log.path, begins: log.zxid, on: files.disk)
                say("  \(name)  \(DirectoryCheck.words(scan))")
            } catch { say("  \(name)  cannot be read: \(error.reason)") }
        }
        for path in files.leftovers {
            say("  \(path.split(separator: "/").last ?? "")  left by a snapshot that was not ended")
        }
    }

    private static func words(_ scan: LogScan) -> String {
        var text = "no transactions"
        if let first = scan.first, let last = scan.last {
            text =
                "0x\(LogFormat.hex(first)) to 0x\(LogFormat.hex(last)): \(scan.entries) transactions, \(scan.endOffset) of "
                + "\(scan.sizeBytes) bytes used"
        }
        switch scan.end {
        case .clean: return text
        case .noHeader: return "nothing in it yet"
        case .foreign: return "not a transaction log"
        case .refused(let reason): return "\(text); \(reason)"
        case .torn(let damage):
            return "\(text); then a write that never ended: \(damage.bytes) bytes from byte \(damage.offset) on"
        case .damaged(let damage):
            let upTo =
                damage.following.map { ", with whole transactions up to 0x\(LogFormat.hex($0.upperBound)) behind" }
                ?? ""
            return "\(text); then DAMAGE: transaction 0x\(LogFormat.hex(damage.zxid)) at byte \(damage.offset)\(upTo)"
        }
    }

    /// Does it, or says what would be done.
    private func perform(_ mends: [Mend], on disk: any Disk, _ say: (String) -> Void) -> Bool {
        for mend in mends {
            guard let words = mend.words else { continue }
            if !executes {
                say("  it would \(words)")
                continue
            }
            do throws(DiskError) {
                try mend.perform(on: disk)
                say("  done: \(words)")
            } catch {
                say("  \(words): \(error)")
                return false
            }
        }
        return true
    }
}

extension Mend {
    /// Nil when nothing anybody would miss is changed.
    fileprivate var words: String? {
        switch self {
        case .sync, .trim: nil
        case .remove(let path): "remove \(path), which has nothing in it"
        case .setAside(let path): "move \(path) to \(Mend.setAsideName)/"
        case .header(let path): "write the header of \(path) anew"
        case .cut(let path, let offset, let bytes):
            "cut \(path) at byte \(offset) and keep the \(bytes) bytes behind in \(Mend.setAsideName)/"
        }
    }
}
