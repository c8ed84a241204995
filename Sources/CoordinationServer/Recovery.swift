import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// Why a coordinator does not start: what, why, and what to do, in one line.
package struct StartProblem: Error, Equatable, CustomStringConvertible {
    package var description: String
    /// What would make a start possible, at the price the description names. Only a person decides that.
    var remedy: [Mend]
    package init(_ description: String) { self.init(description, remedy: []) }
    init(_ description: String, remedy: [Mend]) {
        self.description = description
        self.remedy = remedy
    }
}

/// Makes a tree of what lies on the disk: the newest snapshot that can be read, and every transaction behind it. Nothing on
/// the disk is changed by this; `mends` says what is to be changed before anything is written.
struct Recovery: ~Copyable {
    var tree: ZnodeTree
    private(set) var snapshotZxid: Int64?
    private(set) var replayed = 0
    /// What was found, one line each.
    private(set) var remarks: [String] = []
    private(set) var mends: [Mend] = []
    /// Snapshots that are not whole, and why.
    private(set) var unreadable: [(file: SnapshotFile, reason: String)] = []

    private let files: DataFiles
    private let trustEmpty: Bool

    /// - Parameter trustEmpty: without a snapshot, believes the logs even when they do not begin at the beginning
    ///   (`snapshot.trust.empty`).
    init(_ files: DataFiles, trustEmpty: Bool = false) throws(StartProblem) {
        self.files = files
        self.trustEmpty = trustEmpty
        tree = ZnodeTree()
        try loadSnapshot()
        try replay()
    }

    private mutating func loadSnapshot() throws(StartProblem) {
        for snapshot in files.snapshots.reversed() {
            do throws(DiskError) {
                switch try snapshot.load(from: files.disk) {
                case .whole(let loaded):
                    tree = loaded.takeTree()
                    snapshotZxid = snapshot.zxid
                    return
                case .damaged(let damage):
                    unreadable.append((snapshot, damage.reason))
                    remarks.append("\(snapshot.path) is not whole and was passed over: \(damage.reason)")
                }
            } catch {
                throw StartProblem("\(snapshot.path) cannot be read: \(error.reason). Check its owner and permissions.")
            }
        }
    }

    private mutating func replay() throws(StartProblem) {
        // The last log that begins at or before the first transaction wanted, and all behind it.
        let wanted = tree.lastZxid &+ 1
        let needed = files.logs[(files.logs.lastIndex { $0.zxid <= wanted } ?? 0)...]
        var former: LogScan?
        for file in needed {
            let scan = try replay(file, behind: former)
            try compareName(scan, of: file, behind: former)
            switch scan.end {
            case .noHeader:
                remarks.append("\(file.path) had nothing in it yet and was removed")
                mends.append(.remove(file.path))
                continue
            case .foreign:
                throw StartProblem(
                    "\(file.path) is not a transaction log. Move it out of the directory.",
                    remedy: [.setAside(file.path)])
            case .refused(let reason): throw StartProblem(reason)
            case .clean, .torn, .damaged: former = scan
            }
            if scan.hasBadHeader, scan.entries > 0 {
                remarks.append(
                    "\(file.path): its header was damaged and is written anew; every transaction behind it is whole")
                mends.append(.header(file.path))
            }
        }
        try compareWithSnapshots()
        guard let last = former else { return try beginEmpty() }
        if last.entries == 0, replayed == 0, snapshotZxid == nil { try beginEmpty() }
        try mend(last)
    }

    /// Follows one log.
    /// - Parameter former: the log before it, whose end explains what is missing.
    private mutating func replay(_ file: DataFiles.Log, behind former: LogScan?) throws(StartProblem) -> LogScan {
        var gap: (from: Int64, to: Int64)?
        let scan: LogScan
        do throws(DiskError) {
            scan = try LogScan(file.path, begins: file.zxid, on: files.disk) { header, entry in
                if header.zxid <= tree.lastZxid { return nil }
                // A new epoch begins anew; within one, every number was used.
                let next = tree.lastZxid &+ 1
                let begins = header.zxid >> 32 != tree.lastZxid >> 32 && header.zxid & 0xffff_ffff <= 1
                let isFirst = snapshotZxid == nil && tree.lastZxid == 0
                guard header.zxid == next || (begins && !isFirst) || (isFirst && trustEmpty) else {
                    gap = (next, header.zxid)
                    return ""
                }
                var reader = JuteReader(entry)
                _ = try? TransactionHeader(from: &reader)
                guard let record = try? TransactionRecord(header.op, from: &reader) else {
                    return LogScan.unknownKind(file.path)
                }
                tree.apply(TreeChange(header, record))
                tree.forgetPaths()
                replayed += 1
                return nil
            }
        } catch {
            throw StartProblem("\(file.path) cannot be read: \(error.reason). Check its owner and permissions.")
        }
        if let gap { throw missing(gap.from, gap.to, in: file, behind: former) }
        return scan
    }

    /// A log without entries still tells by its name what stood before it.
    private func compareName(_ scan: LogScan, of file: DataFiles.Log, behind former: LogScan?) throws(StartProblem) {
        let next = tree.lastZxid &+ 1
        guard scan.entries == 0, file.zxid > next, file.zxid >> 32 == next >> 32 else { return }
        if snapshotZxid == nil, trustEmpty { return }
        switch scan.end {
        case .foreign, .refused: return
        case .clean, .noHeader, .torn, .damaged: break
        }
        // An Apache server may sync the end of a log and the beginning of the next one together.
        if let former, case .torn = former.end { return }
        throw missing(next, file.zxid, in: file, behind: former)
    }

    /// A snapshot was written of what is durable: also one that cannot be read tells by its name what there was.
    private func compareWithSnapshots() throws(StartProblem) {
        let reached = tree.lastZxid
        guard snapshotZxid != nil || replayed > 0, let newest = unreadable.first, newest.file.zxid > reached else {
            return
        }
        throw StartProblem(
            "\(newest.file.path) is not whole (\(newest.reason)), and no log tells what it held: transactions "
                + "0x\(LogFormat.hex(reached &+ 1)) to 0x\(LogFormat.hex(newest.file.zxid)) are missing. Put a copy of it or the "
                + "missing log files back; nothing was changed. To go on from 0x\(LogFormat.hex(reached)) without everything "
                + "later, run: \(files.checkCommand) --execute",
            remedy: unreadable.filter { $0.file.zxid > reached }.map { .setAside($0.file.path) })
    }

    /// Transactions are missing: which, where, and what a start without them would cost.
    private func missing(_ from: Int64, _ next: Int64, in file: DataFiles.Log, behind former: LogScan?) -> StartProblem
    {
        let range = "transactions 0x\(LogFormat.hex(from)) to 0x\(LogFormat.hex(next &- 1)) are missing"
        let later = files.logs.filter { $0.zxid >= file.zxid }.map { Mend.setAside($0.path) }
        if let former, case .torn(let damage) = former.end {
            return damaged(former, damage, later: later, goingOn: "\(file.path) goes on with 0x\(LogFormat.hex(next))")
        }
        if let former, case .damaged(let damage) = former.end {
            return damaged(former, damage, later: later, goingOn: "\(file.path) goes on with 0x\(LogFormat.hex(next))")
        }
        let goesOn = "\(file.path) goes on with 0x\(LogFormat.hex(next))"
        if snapshotZxid == nil, former == nil {
            let passed = unreadable.map { "\($0.file.name): \($0.reason)" }.joined(separator: "; ")
            let snapshots = passed.isEmpty ? "there is no snapshot" : "no snapshot can be read (\(passed))"
            return StartProblem(
                "No snapshot found, but there are log entries: \(snapshots) in \(files.directory), and \(range): \(goesOn). "
                    + "Put a snapshot or the older logs back; nothing was changed. To go on with what the logs hold and "
                    + "nothing else, set snapshot.trust.empty=true for one start.")
        }
        return StartProblem(
            "\(range): \(goesOn). Put the missing log file back; nothing was changed. "
                + "To go on from 0x\(LogFormat.hex(from &- 1)) without everything later, run: \(files.checkCommand) --execute",
            remedy: later)
    }

    private func damaged(_ scan: LogScan, _ damage: LogDamage, later: [Mend], goingOn: String?) -> StartProblem {
        let follows =
            goingOn
            ?? damage.following.map {
                "whole transactions up to 0x\(LogFormat.hex($0.upperBound)) follow in it"
            } ?? "more follows"
        return StartProblem(
            "\(scan.path) is damaged \(damage.offset == 0 ? "at its beginning" : "in the middle"): \(damage.bytes) bytes from byte \(damage.offset) on, where transaction "
                + "0x\(LogFormat.hex(damage.zxid)) should be, cannot be read, and \(follows): acknowledged changes, so they "
                + "are not cut. Restore the file from a copy; nothing was changed. To go on from "
                + "0x\(LogFormat.hex(damage.zxid &- 1)) without everything later, run: \(files.checkCommand) --execute",
            remedy: [.cut(scan.path, at: damage.offset, bytes: damage.bytes)] + later)
    }

    /// The last log that is one ends where the next change goes on. It is synced: a process that was killed may have left what
    /// only the system's memory holds, and it is told to clients from now on.
    private mutating func mend(_ scan: LogScan) throws(StartProblem) {
        switch scan.end {
        case .torn(let damage):
            mends.append(.cut(scan.path, at: damage.offset, bytes: damage.bytes))
            let upTo = max(damage.following?.upperBound ?? damage.zxid, damage.zxid)
            let which =
                "0x\(LogFormat.hex(damage.zxid))" + (upTo > damage.zxid ? " to 0x\(LogFormat.hex(upTo))" : "")
            let why =
                damage.wasWhole && damage.following == nil
                ? "its checksum does not fit: a write that never ended, or a disk that changed it later"
                : "a write that never ended: it was not acknowledged"
            remarks.append(
                "\(scan.path): cut \(damage.bytes) bytes from byte \(damage.offset) on, transaction \(which) (\(why)); "
                    + "everything up to 0x\(LogFormat.hex(damage.zxid &- 1)) is kept, and the bytes go to "
                    + Mend.setAsideName)
        case .damaged(let damage):
            guard let upTo = damage.following?.upperBound, upTo <= tree.lastZxid, damage.endsWhole else {
                throw damaged(scan, damage, later: [], goingOn: nil)
            }
            remarks.append(
                "\(scan.path) is damaged from byte \(damage.offset) on, where transaction 0x\(LogFormat.hex(damage.zxid)) should "
                    + "be; nothing is lost: the snapshot holds all it held")
        case .clean where scan.sizeBytes > scan.endOffset: mends.append(.trim(scan.path, to: scan.endOffset))
        case .clean: mends.append(.sync(scan.path))
        case .noHeader, .foreign, .refused: break
        }
    }

    /// Nothing in the logs. An empty tree is the truth only when nothing ever stood here.
    private func beginEmpty() throws(StartProblem) {
        guard snapshotZxid == nil, let (file, reason) = unreadable.first(where: { $0.file.zxid != 0 }) else { return }
        throw StartProblem(
            "\(file.path) is not whole (\(reason)), and neither an older snapshot nor a log tells what it held: "
                + "beginning with an empty tree would lose it all. Put a copy back, or move \(files.directory) away to begin "
                + "empty; nothing was changed.")
    }

    consuming func takeTree() -> ZnodeTree { tree }
}
