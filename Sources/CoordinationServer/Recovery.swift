import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// Why a coordinator does not start: what, why, and what to do, in one line.
package struct StartProblem: Error, Equatable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Makes a tree of what lies on the disk: the newest snapshot that can be read, and every transaction behind it.
struct Recovery: ~Copyable {
    var tree: ZnodeTree
    var snapshotZxid: Int64?
    var replayed = 0
    /// What was found and mended, one line each.
    var remarks: [String] = []

    private let disk: any Disk
    private let logDirectory: String

    init(disk: any Disk, directory: String, logDirectory: String) throws(StartProblem) {
        self.disk = disk
        self.logDirectory = logDirectory
        tree = ZnodeTree()
        try loadSnapshot(directory)
        try replay()
    }

    private static func names(_ directory: String, _ prefix: String, _ disk: any Disk) throws(StartProblem)
        -> [(zxid: Int64, path: String)]
    {
        do throws(DiskError) {
            return try disk.list(directory).compactMap { entry in
                LogFormat.zxid(of: entry.name, prefix).map { ($0, directory + "/" + entry.name) }
            }.sorted { $0.0 < $1.0 }
        } catch {
            throw StartProblem("\(directory) cannot be read: \(error.reason). Check its owner and permissions.")
        }
    }

    private mutating func loadSnapshot(_ directory: String) throws(StartProblem) {
        if let entries = try? disk.list(directory) {
            for entry in entries where entry.name.hasPrefix(".snapshot.") {
                try? disk.remove(directory + "/" + entry.name)
            }
        }
        for (zxid, path) in try Recovery.names(directory, "snapshot", disk).reversed() {
            let bytes: UnsafeMutableRawBufferPointer
            do throws(DiskError) { bytes = try Recovery.whole(path, disk) } catch {
                throw StartProblem("\(path) cannot be read: \(error.reason). Check its owner and permissions.")
            }
            defer { bytes.deallocate() }
            if let loaded = Recovery.load(UnsafeRawBufferPointer(bytes), zxid: zxid) {
                tree = loaded
                snapshotZxid = zxid
                return
            }
            remarks.append("\(path) is not whole and was passed over")
        }
    }

    /// The file's bytes, for the caller to deallocate: read where they are taken from, as there may be hundreds of megabytes.
    private static func whole(_ path: String, _ disk: any Disk) throws(DiskError) -> UnsafeMutableRawBufferPointer {
        let file = try disk.open(path, .read)
        defer { file.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(file.size), alignment: 8)
        do throws(DiskError) {
            let count = try file.read(into: buffer, at: 0)
            return UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
        } catch {
            buffer.deallocate()
            throw error
        }
    }

    private static func load(_ raw: UnsafeRawBufferPointer, zxid: Int64) -> ZnodeTree? {
        var reader = JuteReader(raw)
        do throws(JuteError) {
            let tree = try ZnodeTree(snapshot: &reader, zxid: zxid)
            let end = reader.bytes.position
            let sum = try reader.int64()
            guard Int64(Checksum.adler32(UnsafeRawBufferPointer(rebasing: raw[..<end]))) == sum else { return nil }
            guard try reader.text().isText("/") else { return nil }
            return tree
        } catch {
            return nil
        }
    }

    private mutating func replay() throws(StartProblem) {
        let all = try Recovery.names(logDirectory, "log", disk)
        // The last log that begins at or before the first transaction wanted, and all behind it.
        let wanted = tree.lastZxid + 1
        let first = all.lastIndex { $0.zxid <= wanted } ?? 0
        guard first < all.count else { return }
        let files = all[first...]
        for (index, file) in zip(files.indices, files) {
            try replay(file.path, isLast: index == files.endIndex - 1)
        }
    }

    /// Reads one log to its end; a torn tail is cut off, so that nothing written later can be mistaken. The last one is synced: a
    /// process that was killed may have left what only the system's memory holds, and it is told to clients from now on.
    private mutating func replay(_ path: String, isLast: Bool) throws(StartProblem) {
        do throws(DiskError) {
            let file = try disk.open(path, .update)
            defer { file.close() }
            let size = file.size
            var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
            defer { buffer.deallocate() }
            var filled = try file.read(into: buffer, at: 0)
            guard filled >= LogFormat.headerBytes else {
                // The machine stopped between the file's making and its first write.
                remarks.append("\(path) had no header yet and was removed")
                try disk.remove(path)
                return
            }
            var header = JuteReader(UnsafeRawBufferPointer(rebasing: buffer[..<LogFormat.headerBytes]))
            guard (try? header.int32()) == LogFormat.magic else {
                // Written in part, and nothing behind it.
                if buffer[LogFormat.headerBytes..<filled].allSatisfy({ $0 == 0 }) {
                    remarks.append("\(path) had no header yet and was removed")
                    try disk.remove(path)
                    return
                }
                throw DiskError(operation: "read", path: path, code: -1, reason: "not a transaction log")
            }
            var offset = Int64(LogFormat.headerBytes)
            var start = LogFormat.headerBytes
            reading: while true {
                switch LogFormat.next(UnsafeRawBufferPointer(rebasing: buffer[start..<filled])) {
                case .entry(let bytes, let count):
                    if let refusal = apply(bytes, path) {
                        throw DiskError(operation: "", path: path, code: -2, reason: refusal)
                    }
                    start += count
                    offset += Int64(count)
                case .end:
                    if isLast { try file.sync() }
                    break reading
                case .damaged:
                    try cut(file, at: offset, size: size)
                    break reading
                case .cut:
                    if offset + Int64(filled - start) >= size {
                        if offset < size { try cut(file, at: offset, size: size) } else if isLast { try file.sync() }
                        break reading
                    }
                    // The rest of the entry, in a larger buffer when it does not fit.
                    let held = filled - start
                    if held > buffer.count / 2 {
                        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 8)
                        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<filled]))
                        buffer.deallocate()
                        buffer = larger
                    } else {
                        UnsafeMutableRawBufferPointer(rebasing: buffer[..<held]).copyMemory(
                            from: UnsafeRawBufferPointer(rebasing: buffer[start..<filled]))
                    }
                    start = 0
                    filled = held
                    filled += try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[held...]), at: offset + Int64(held))
                }
            }
        } catch {
            switch error.code {
            case -1:
                throw StartProblem("\(path) is not a transaction log. Move it out of the directory.")
            case -2: throw StartProblem(error.reason)
            case -3:
                throw StartProblem(
                    "\(path) is damaged in the middle (\(error.reason)): acknowledged transactions follow, so it is not cut. "
                        + "Restore it from a copy, or move the file and all later ones away to go on from before the damage."
                )
            default: throw StartProblem("\(path) cannot be read: \(error.reason). Check its owner and permissions.")
            }
        }
    }

    /// - Returns: why the log cannot be followed any further.
    private mutating func apply(_ entry: UnsafeRawBufferPointer, _ path: String) -> String? {
        var reader = JuteReader(entry)
        do throws(JuteError) {
            let header = try TransactionHeader(from: &reader)
            let record = try TransactionRecord(header.op, from: &reader)
            if header.zxid <= tree.lastZxid { return nil }
            // A new epoch begins anew; within one, every number was used.
            if header.zxid != tree.lastZxid + 1, header.zxid >> 32 == tree.lastZxid >> 32 {
                return
                    "transactions 0x\(LogFormat.hex(tree.lastZxid + 1)) to 0x\(LogFormat.hex(header.zxid - 1)) are missing: "
                    + "\(path) goes on with 0x\(LogFormat.hex(header.zxid)). Put the missing log file back; nothing was changed."
            }
            tree.apply(TreeChange(header, record))
            replayed += 1
            return nil
        } catch {
            return "\(path) holds a transaction of a kind not known here. It was written by a newer or other program."
        }
    }

    /// What stands from `offset` on is not an entry. When whole entries follow it, it is damage; else a torn last write.
    private mutating func cut(_ file: any File, at offset: Int64, size: Int64) throws(DiskError) {
        let count = Int(min(size - offset, 256 << 20))
        let rest = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        defer { rest.deallocate() }
        let filled = try file.read(into: rest, at: offset)
        var position = 1
        while position + LogFormat.framingBytes + TransactionHeader.sizeBytes <= filled {
            // The first half of a checksum is zero: most places are ruled out by it.
            if rest[position] == 0, rest[position + 1] == 0, rest[position + 2] == 0, rest[position + 3] == 0,
                rest.loadUnaligned(fromByteOffset: position, as: UInt64.self) != 0,
                case .entry(let bytes, _) = LogFormat.next(UnsafeRawBufferPointer(rebasing: rest[position..<filled]))
            {
                var reader = JuteReader(bytes)
                if let header = try? TransactionHeader(from: &reader), header.zxid > tree.lastZxid {
                    throw DiskError(
                        operation: "read", path: file.path, code: -3,
                        reason: "at byte \(offset), behind transaction 0x\(LogFormat.hex(tree.lastZxid))")
                }
            }
            position += 1
        }
        let garbage = rest[..<filled].lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        try file.truncate(to: offset)
        try file.sync()
        remarks.append(
            "\(file.path) ended in \(garbage) bytes of a transaction that was never acknowledged; they were cut off behind 0x\(LogFormat.hex(tree.lastZxid))"
        )
    }
}
