import Platform

/// What a disk was asked to do, for faults to choose among.
package enum DiskOperation: String, Sendable {
    case open, read, write, truncate, allocate, sync, list, createDirectory, rename, remove, syncDirectory, lock
}

/// Bytes of which the tail may be zeros that nobody wrote.
struct FileContent {
    private(set) var bytes: [UInt8] = []
    private(set) var size: Int64 = 0

    mutating func write(_ new: ArraySlice<UInt8>, at offset: Int64) {
        let start = Int(offset)
        let end = start + new.count
        if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
        bytes.withUnsafeMutableBytes { old in
            new.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: old[start..<end]).copyMemory(from: $0) }
        }
        size = max(size, Int64(end))
    }

    mutating func resize(to newSize: Int64) {
        if Int64(bytes.count) > newSize { bytes.removeLast(bytes.count - Int(newSize)) }
        size = newSize
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        guard offset >= 0, offset < size else { return 0 }
        let count = Int(min(Int64(buffer.count), size - offset))
        let stored = max(0, min(count, bytes.count - Int(offset)))
        if stored > 0 {
            bytes.withUnsafeBytes { raw in
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<stored])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[Int(offset)..<Int(offset) + stored]))
            }
        }
        UnsafeMutableRawBufferPointer(rebasing: buffer[stored..<count]).initializeMemory(as: UInt8.self, repeating: 0)
        return count
    }
}

/// A file apart from its names.
final class Inode {
    enum Change {
        case write(offset: Int64, bytes: [UInt8])
        case resize(Int64)
    }
    /// What the system shows.
    var content = FileContent()
    /// What is on the device for certain.
    private(set) var synced = FileContent()
    private(set) var unsynced: [Change] = []
    var modifiedMs: Int64 = 0

    func apply(_ change: Change) {
        content.apply(change)
        unsynced.append(change)
    }

    func sync() {
        for change in unsynced { synced.apply(change) }
        unsynced = []
    }

    /// A sync that failed: the system forgets that these pages were not written, so that a later sync brings nothing.
    func syncFailed() { unsynced = [] }

    /// Keeps what chance lets reach the device: nothing, everything, a prefix whose last write is torn, any of the writes, or any
    /// of the sectors they touched.
    func losePower(using random: inout SeededRandom) {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: break
        case 1: sync()
        case 4: keepSectors(using: &random)
        case 2:
            let kept = Int.random(in: 0...unsynced.count, using: &random)
            for change in unsynced.prefix(kept) { synced.apply(change) }
            if kept < unsynced.count { tear(unsynced[kept], using: &random) }
        default:
            for change in unsynced {
                switch Int.random(in: 0..<3, using: &random) {
                case 0: synced.apply(change)
                case 1: tear(change, using: &random)
                default: break
                }
            }
        }
        unsynced = []
        content = synced
    }

    private static let sector: Int64 = 512

    /// Each sector reaches the device by itself, as some write to it left it, or not at all: behind one that is missing, zeros and
    /// all, a later one may be there. Sizes change in order, with the file system's own log.
    private func keepSectors(using random: inout SeededRandom) {
        var pieces: [Int64: [(offset: Int64, bytes: ArraySlice<UInt8>)]] = [:]
        func settle() {
            for sector in pieces.keys.sorted() {
                guard let writes = pieces[sector] else { continue }
                // Half of them whole or not at all: the others as of some moment.
                let kept =
                    Bool.random(using: &random)
                    ? (Bool.random(using: &random) ? writes.count : 0)
                    : Int.random(in: 0...writes.count, using: &random)
                for write in writes.prefix(kept) { synced.write(write.bytes, at: write.offset) }
            }
            pieces = [:]
        }
        for change in unsynced {
            guard case .write(let offset, let bytes) = change else {
                settle()
                synced.apply(change)
                continue
            }
            var at = offset
            let end = offset + Int64(bytes.count)
            while at < end {
                let next = min(end, (at / Inode.sector + 1) * Inode.sector)
                pieces[at / Inode.sector, default: []].append((at, bytes[Int(at - offset)..<Int(next - offset)]))
                at = next
            }
        }
        settle()
    }

    /// Whole sectors of a write, from its beginning.
    private func tear(_ change: Change, using random: inout SeededRandom) {
        guard case .write(let offset, let bytes) = change, bytes.count > 1 else { return }
        let cut = Int.random(in: 0..<bytes.count, using: &random)
        let kept = max(0, cut - Int((offset + Int64(cut)) % Inode.sector))
        if kept > 0 { synced.write(bytes[..<kept], at: offset) }
    }
}

extension FileContent {
    fileprivate mutating func apply(_ change: Inode.Change) {
        switch change {
        case .write(let offset, let bytes): write(bytes[...], at: offset)
        case .resize(let size): resize(to: size)
        }
    }
}

/// A directory: the names shown, and the names a power failure would leave.
final class DirectoryNode {
    enum Entry {
        case file(Inode)
        case directory(DirectoryNode)
    }
    var shown: [String: Entry] = [:]
    fileprivate var synced: [String: Entry] = [:]
}

/// A node's disk: it outlives the node's lives.
package final class SimulatedStorage {
    /// Bytes that fit.
    package var capacity: Int64
    /// Asked before each operation with the file's path; an errno makes it fail.
    package var fault: ((DiskOperation, String) -> Int32?)?
    /// Syncs of files are acknowledged, and not done: a disk that lies.
    package var syncsNothing = false
    private let root = DirectoryNode()
    /// Changes of names that no `syncDirectory` has made durable, oldest first; each is one or two entries set together.
    private var unsyncedNames: [[NameChange]] = []
    private var locks: [String: ObjectIdentifier] = [:]

    private struct NameChange {
        var directory: DirectoryNode
        var name: String
        var entry: DirectoryNode.Entry?
    }

    init(capacity: Int64) { self.capacity = capacity }

    // MARK: Faults

    /// The next operations of this kind on paths that contain `part` fail, `times` of them.
    package func fail(_ operation: DiskOperation, of part: String = "", code: Int32, times: Int = 1) {
        var left = times
        let before = fault
        fault = { asked, path in
            if left > 0, asked == operation, part.isEmpty || path.contains(part) {
                left -= 1
                return code
            }
            return before?(asked, path)
        }
    }

    func losePower(using random: inout SeededRandom) {
        let kept = Int.random(in: 0...unsyncedNames.count, using: &random)
        for change in unsyncedNames.prefix(kept) { record(change) }
        unsyncedNames = []
        settle(root, using: &random)
    }

    private func settle(_ directory: DirectoryNode, using random: inout SeededRandom) {
        directory.shown = directory.synced
        for (_, entry) in directory.synced.sorted(by: { $0.key < $1.key }) {
            switch entry {
            case .file(let inode): inode.losePower(using: &random)
            case .directory(let below): settle(below, using: &random)
            }
        }
    }

    /// Flips one bit of a file at rest.
    package func flipBit(of path: String, at offset: Int64, bit: Int = 0) {
        guard case .file(let inode) = try? find(path, .read), offset < inode.content.size else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        defer { buffer.deallocate() }
        _ = inode.content.read(into: buffer, at: offset)
        inode.apply(.write(offset: offset, bytes: [buffer[0] ^ UInt8(1 << (bit & 7))]))
        inode.sync()
    }

    /// What is shown under a path now; nil when it is no file.
    package func contents(_ path: String) -> [UInt8]? {
        guard case .file(let inode) = try? find(path, .read) else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(inode.content.size))
        _ = bytes.withUnsafeMutableBytes { inode.content.read(into: $0, at: 0) }
        return bytes
    }

    // MARK: Names

    func check(_ operation: DiskOperation, _ path: String) throws(DiskError) {
        if let code = fault?(operation, path) { throw failure(operation, path, code) }
    }

    func failure(_ operation: DiskOperation, _ path: String, _ code: Int32) -> DiskError {
        let reason =
            switch code {
            case 2: "No such file or directory"
            case 5: "Input/output error"
            case 17: "File exists"
            case 20: "Not a directory"
            case 21: "Is a directory"
            case 28: "No space left on device"
            case 39: "Directory not empty"
            default: "error \(code)"
            }
        return DiskError(operation: operation.rawValue, path: path, code: code, reason: reason)
    }

    private static func components(_ path: String) -> [String] {
        var result: [String] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = result.popLast() } else { result.append(String(part)) }
        }
        return result
    }

    func find(_ path: String, _ operation: DiskOperation) throws(DiskError) -> DirectoryNode.Entry {
        var entry = DirectoryNode.Entry.directory(root)
        for name in Self.components(path) {
            guard case .directory(let directory) = entry else { throw failure(operation, path, 20) }
            guard let next = directory.shown[name] else { throw failure(operation, path, 2) }
            entry = next
        }
        return entry
    }

    func directory(_ path: String, _ operation: DiskOperation) throws(DiskError) -> DirectoryNode {
        guard case .directory(let found) = try find(path, operation) else { throw failure(operation, path, 20) }
        return found
    }

    private func parent(_ path: String, _ operation: DiskOperation) throws(DiskError) -> (DirectoryNode, String) {
        guard let name = Self.components(path).last else { throw failure(operation, path, 21) }
        return (try directory(path + "/..", operation), name)
    }

    func file(_ path: String, _ mode: FileMode, wallMs: Int64) throws(DiskError) -> Inode {
        let (directory, name) = try parent(path, .open)
        if let entry = directory.shown[name] {
            guard case .file(let inode) = entry else { throw failure(.open, path, 21) }
            if mode == .createNew { throw failure(.open, path, 17) }
            if mode == .replace, inode.content.size > 0 { inode.apply(.resize(0)) }
            return inode
        }
        if mode == .read || mode == .update { throw failure(.open, path, 2) }
        let inode = Inode()
        inode.modifiedMs = wallMs
        change([NameChange(directory: directory, name: name, entry: .file(inode))])
        return inode
    }

    func createDirectory(_ path: String) throws(DiskError) {
        var directory = root
        for name in Self.components(path) {
            switch directory.shown[name] {
            case .directory(let below): directory = below
            case .file: throw failure(.createDirectory, path, 17)
            case nil:
                let new = DirectoryNode()
                change([NameChange(directory: directory, name: name, entry: .directory(new))])
                directory = new
            }
        }
    }

    func rename(_ from: String, _ to: String) throws(DiskError) {
        let (source, oldName) = try parent(from, .rename)
        let (target, newName) = try parent(to, .rename)
        guard let entry = source.shown[oldName] else { throw failure(.rename, from, 2) }
        if case .directory(let there) = target.shown[newName], !there.shown.isEmpty { throw failure(.rename, to, 39) }
        if source === target, oldName == newName { return }
        change([
            NameChange(directory: source, name: oldName, entry: nil),
            NameChange(directory: target, name: newName, entry: entry),
        ])
    }

    func remove(_ path: String) throws(DiskError) {
        let (directory, name) = try parent(path, .remove)
        guard let entry = directory.shown[name] else { throw failure(.remove, path, 2) }
        if case .directory(let below) = entry, !below.shown.isEmpty { throw failure(.remove, path, 39) }
        change([NameChange(directory: directory, name: name, entry: nil)])
    }

    func removeTree(_ path: String) throws(DiskError) {
        if case .directory(let directory) = try find(path, .remove) {
            for name in directory.shown.keys.sorted() { try removeTree(path + "/" + name) }
        }
        try remove(path)
    }

    private func change(_ changes: [NameChange]) {
        for change in changes { change.directory.shown[change.name] = change.entry }
        unsyncedNames.append(changes)
    }

    private func record(_ changes: [NameChange]) {
        for change in changes { change.directory.synced[change.name] = change.entry }
    }

    func syncDirectory(_ path: String) throws(DiskError) {
        let directory = try directory(path, .syncDirectory)
        var others: [[NameChange]] = []
        for changes in unsyncedNames {
            if changes.contains(where: { $0.directory === directory }) {
                record(changes)
            } else {
                others.append(changes)
            }
        }
        unsyncedNames = others
    }

    // MARK: Space and locks

    package var usedBytes: Int64 { used(root) }

    private func used(_ directory: DirectoryNode) -> Int64 {
        directory.shown.values.reduce(0) { sum, entry in
            switch entry {
            case .file(let inode): sum + inode.content.size
            case .directory(let below): sum + used(below)
            }
        }
    }

    func lock(_ path: String, _ owner: AnyObject) -> Bool {
        let path = Self.components(path).joined(separator: "/")
        guard locks[path] == nil else { return false }
        locks[path] = ObjectIdentifier(owner)
        return true
    }

    func unlock(_ path: String, _ owner: AnyObject) {
        let path = Self.components(path).joined(separator: "/")
        if locks[path] == ObjectIdentifier(owner) { locks[path] = nil }
    }

    func releaseLocks() { locks = [:] }
}
