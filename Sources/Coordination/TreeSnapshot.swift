import Bytes
import CoordinationProtocol

/// A snapshot being written: the nodes up to `end` that do not carry its stamp are still to come.
struct SnapshotProgress {
    var stamp: UInt32
    var next: ZnodeID
    var end: ZnodeID
    var zxid: Int64
    /// Our list numbers by those in the file.
    var fileNumbers: [ACLID: Int64]
    /// Nodes written because a change was about to touch them, until the next step takes them along.
    var early: [UInt8]
}

/// A snapshot of one point in time, taken piece by piece while changes go on: whatever a change is about to touch is written
/// first, as it was, and what comes to be later carries the stamp already.
extension ZnodeTree {
    package static let snapshotMagic: Int32 = 0x5A4B_534E
    package static let snapshotVersion: Int32 = 2

    package var isSnapshotting: Bool { snapshot != nil }

    /// Fixes the point in time and writes header, sessions and lists.
    /// - Returns: the zxid the snapshot stands for.
    package mutating func beginSnapshot(into writer: inout JuteWriter) -> Int64 {
        snapshotCount += 1
        writer.int32(ZnodeTree.snapshotMagic)
        writer.int32(ZnodeTree.snapshotVersion)
        writer.int64(-1)
        writer.int32(Int32(truncatingIfNeeded: sessions.count))
        for (id, timeout) in sessions.sorted(by: { $0.key < $1.key }) {
            writer.int64(id)
            writer.int32(timeout)
        }
        let lists = acls.inUse
        writer.int32(Int32(truncatingIfNeeded: lists.count))
        var numbers: [ACLID: Int64] = [.open: -1]
        for (index, list) in lists.enumerated() {
            numbers[list] = Int64(index + 1)
            writer.int64(Int64(index + 1))
            writer.bytes.raw(acls.bytes(list))
        }
        snapshot = SnapshotProgress(
            stamp: snapshotCount, next: 0, end: store.end, zxid: lastZxid, fileNumbers: numbers, early: [])
        return lastZxid
    }

    /// Writes up to `nodes` more nodes.
    /// - Returns: true when that was the last piece.
    package mutating func continueSnapshot(nodes: Int, into writer: inout JuteWriter) -> Bool {
        guard var progress = snapshot else { return true }
        writer.bytes.raw(progress.early)
        progress.early.removeAll(keepingCapacity: true)
        var left = nodes
        while progress.next < progress.end, left > 0 {
            if store[progress.next].pointee.body != nil, store[progress.next].pointee.stamp != progress.stamp {
                emit(progress.next, progress, into: &writer)
            }
            progress.next += 1
            left -= 1
        }
        if progress.next < progress.end {
            snapshot = progress
            return false
        }
        snapshot = nil
        writer.string("/")
        return true
    }

    package mutating func abandonSnapshot() { snapshot = nil }

    /// Paths made for the last change are needed no more: for who applies one after another.
    package func forgetPaths() { arena.reset() }

    /// A change is about to touch the node: the snapshot under way gets it as it is.
    @inline(__always)
    mutating func willChange(_ id: ZnodeID) {
        if snapshot != nil { saveForSnapshot(id) }
    }

    @inline(never)
    private mutating func saveForSnapshot(_ id: ZnodeID) {
        guard let progress = snapshot, store[id].pointee.stamp != progress.stamp else { return }
        var writer = JuteWriter()
        emit(id, progress, into: &writer)
        snapshot?.early.append(contentsOf: writer.bytes.bytes)
    }

    /// Parents stand before their children.
    private func emit(_ id: ZnodeID, _ progress: SnapshotProgress, into writer: inout JuteWriter) {
        var line: [ZnodeID] = [id]
        while let top = line.last, top != .root {
            let parent = store[top].pointee.parent
            if store[parent].pointee.stamp == progress.stamp { break }
            line.append(parent)
        }
        for node in line.reversed() {
            let pointer = store[node]
            pointer.pointee.stamp = progress.stamp
            writePath(of: node, into: &writer)
            writer.slice(pointer.pointee.data)
            writer.int64(progress.fileNumbers[pointer.pointee.acl] ?? -1)
            writer.int64(pointer.pointee.czxid)
            writer.int64(pointer.pointee.mzxid)
            writer.int64(pointer.pointee.ctime)
            writer.int64(pointer.pointee.mtime)
            writer.int32(pointer.pointee.version)
            writer.int32(pointer.pointee.cversion)
            writer.int32(pointer.pointee.aversion)
            writer.int64(pointer.pointee.owner)
            writer.int64(pointer.pointee.pzxid)
        }
    }

    private func writePath(of id: ZnodeID, into writer: inout JuteWriter) {
        if id == .root { return writer.int32(0) }
        var line: [ZnodeID] = []
        var here = id
        while here != .root {
            line.append(here)
            here = store[here].pointee.parent
        }
        let frame = writer.beginFrame()
        for node in line.reversed() {
            writer.bytes.uint8(ZnodePath.slash)
            writer.bytes.raw(store[node].pointee.name)
        }
        writer.endFrame(frame)
    }

    /// Reads what `beginSnapshot` and `continueSnapshot`, or an Apache server, have written.
    /// - Parameter zxid: from the file's name.
    package static func read(snapshot reader: inout JuteReader, zxid: Int64) throws(JuteError) -> ZnodeTree {
        var loading = SnapshotLoading()
        try loading.head(from: &reader)
        while try loading.node(from: &reader) {}
        return loading.finish(zxid: zxid)
    }

    /// Only the root.
    fileprivate init(bare: Void) {
        store.setData(UnsafeRawBufferPointer(start: nil, count: 0), of: .root)
    }

    /// A node as it lies in a snapshot.
    fileprivate mutating func place(_ path: PathBytes, _ data: UnsafeRawBufferPointer?, acl: ACLID, _ stat: StoredStat)
        -> Bool
    {
        let id: ZnodeID
        if path.count == 0 {
            id = .root
            store.setData(data, of: .root)
        } else {
            guard let (parent, name) = ZnodePath.split(path), let above = store.find(parent), name.count > 0,
                store.child(of: above, name) == nil
            else { return false }
            id = store.insert(name, data: data, under: above)
            dataSize += path.count + (data?.count ?? 0)
        }
        let node = store[id]
        node.pointee.acl = acl
        node.pointee.czxid = stat.czxid
        node.pointee.mzxid = stat.mzxid
        node.pointee.ctime = stat.ctime
        node.pointee.mtime = stat.mtime
        node.pointee.version = stat.version
        node.pointee.cversion = stat.cversion
        node.pointee.aversion = stat.aversion
        node.pointee.owner = stat.owner
        node.pointee.pzxid = stat.pzxid
        own(id, stat.owner)
        return true
    }
}

/// A node as a snapshot holds it, for who lists them.
package struct StoredNode {
    package var path: String
    package var data: UnsafeRawBufferPointer?
    package var czxid, mzxid, pzxid: Int64
    /// Milliseconds since 1970.
    package var ctime, mtime: Int64
    package var version, cversion, aversion: Int32
    package var owner: Int64
    package var childCount: Int
}

extension ZnodeTree {
    /// Every node, parents before their children.
    /// - Parameters:
    ///   - enter: told of each node. Its data lives during the call.
    ///   - leave: told when all below it have been.
    package func walk(enter: (StoredNode) -> Void, leave: (StoredNode) -> Void = { _ in }) {
        var line: [(id: ZnodeID, node: StoredNode, next: ZnodeID?)] = []
        func open(_ id: ZnodeID, _ path: String) {
            let node = store[id].pointee
            let stored = StoredNode(
                path: path, data: node.data, czxid: node.czxid, mzxid: node.mzxid, pzxid: node.pzxid, ctime: node.ctime,
                mtime: node.mtime, version: node.version, cversion: node.cversion, aversion: node.aversion,
                owner: node.owner, childCount: Int(node.childCount))
            enter(stored)
            line.append((id, stored, node.firstChild == .none ? nil : node.firstChild))
        }
        open(.root, "/")
        while let top = line.last {
            guard let child = top.next else {
                leave(top.node)
                line.removeLast()
                continue
            }
            let following = store[child].pointee.next
            line[line.count - 1].next = following == store[top.id].pointee.firstChild ? nil : following
            let above = top.node.path == "/" ? "" : top.node.path
            open(child, above + "/" + String(decoding: store[child].pointee.name, as: UTF8.self))
        }
    }

    package func ephemeralCount(of session: Int64) -> Int { ephemerals[session]?.count ?? 0 }
}

/// A tree being made of a snapshot, piece by piece: when a piece is cut, nothing has been changed by it, and it may be read
/// again from a reader that has more.
package struct SnapshotLoading: ~Copyable {
    private var tree = ZnodeTree(bare: ())
    /// The file's numbers, each held in use until the end.
    private var lists: [Int64: ACLID] = [-1: .open]
    /// For numbers the file does not explain: an Apache server may have written the node while its list was new, and then the
    /// log behind tells it. Until then nobody is let in.
    private var unknown = ACLID.open

    package init() {}

    /// Header, sessions and lists.
    package mutating func head(from reader: inout JuteReader) throws(JuteError) {
        let magic = try reader.int32(), version = try reader.int32()
        guard magic == ZnodeTree.snapshotMagic, version == ZnodeTree.snapshotVersion else {
            throw .badLength(Int(magic))
        }
        _ = try reader.int64()
        let sessions = try reader.countAhead()
        var timeouts: [Int64: Int32] = [:]
        for _ in 0..<sessions {
            let id = try reader.int64()
            timeouts[id] = try reader.int32()
        }
        var slices: [(Int64, UnsafeRawBufferPointer)] = []
        for _ in 0..<(try reader.countAhead()) {
            let number = try reader.int64()
            slices.append((number, try reader.aclSlice()))
        }
        tree.sessions = timeouts
        tree.lastSessionID = max(tree.lastSessionID, timeouts.keys.max() ?? 0)
        for (number, slice) in slices { lists[number] = tree.acls.use(slice) }
        var closed = JuteWriter()
        var nobody = [ACL([], scheme: "world", id: "anyone")]
        closed.records(&nobody)
        unknown = tree.acls.use(closed.bytes.bytes)
    }

    /// One node.
    /// - Returns: false at the mark behind the last one.
    package mutating func node(from reader: inout JuteReader) throws(JuteError) -> Bool {
        let path = try reader.text()
        if path.isText("/") { return false }
        let data = try reader.slice()
        let list = lists[try reader.int64()] ?? unknown
        let stat = try StoredStat(from: &reader)
        guard tree.place(path, data, acl: list, stat) else { throw .badLength(path.count) }
        tree.acls.hold(list)
        return true
    }

    package consuming func finish(zxid: Int64) -> ZnodeTree {
        for list in lists.values { tree.acls.drop(list) }
        tree.acls.drop(unknown)
        tree.lastZxid = zxid
        tree.findQuotas()
        return tree
    }
}

/// The numbers behind a node in a snapshot.
private struct StoredStat {
    var czxid, mzxid, ctime, mtime: Int64
    var version, cversion, aversion: Int32
    var owner, pzxid: Int64

    init(from reader: inout JuteReader) throws(JuteError) {
        czxid = try reader.int64()
        mzxid = try reader.int64()
        ctime = try reader.int64()
        mtime = try reader.int64()
        version = try reader.int32()
        cversion = try reader.int32()
        aversion = try reader.int32()
        owner = try reader.int64()
        pzxid = try reader.int64()
    }
}

extension JuteReader {
    /// A vector's count where what follows may not all be in view yet.
    fileprivate mutating func countAhead() throws(JuteError) -> Int {
        let count = Int(try int32())
        if count == -1 { return 0 }
        guard count >= 0 else { throw .badLength(count) }
        return count
    }
}
