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
            if store[progress.next].pointee.blob != nil, store[progress.next].pointee.stamp != progress.stamp {
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
    package init(snapshot reader: inout JuteReader, zxid: Int64) throws(JuteError) {
        self.init(bare: ())
        let magic = try reader.int32(), version = try reader.int32()
        guard magic == ZnodeTree.snapshotMagic, version == ZnodeTree.snapshotVersion else {
            throw .badLength(Int(magic))
        }
        _ = try reader.int64()
        for _ in 0..<(try reader.count(itemBytes: 12)) {
            let id = try reader.int64()
            sessions[id] = try reader.int32()
            lastSessionID = max(lastSessionID, id)
        }
        var lists: [Int64: UnsafeRawBufferPointer] = [:]
        for _ in 0..<(try reader.count(itemBytes: 12)) {
            let number = try reader.int64()
            lists[number] = try reader.aclSlice()
        }
        while true {
            let path = try reader.text()
            if path.isText("/") { break }
            let data = try reader.slice()
            let list = try reader.int64()
            let id: ZnodeID
            if path.count == 0 {
                id = .root
                store.setData(data, of: .root)
            } else {
                guard let (parent, name) = ZnodePath.split(path), let above = store.find(parent), name.count > 0,
                    store.child(of: above, name) == nil
                else { throw .badLength(path.count) }
                id = store.insert(name, data: data, under: above)
                dataSize += path.count + (data?.count ?? 0)
            }
            let node = store[id]
            node.pointee.acl = lists[list].map { acls.use($0) } ?? .open
            node.pointee.czxid = try reader.int64()
            node.pointee.mzxid = try reader.int64()
            node.pointee.ctime = try reader.int64()
            node.pointee.mtime = try reader.int64()
            node.pointee.version = try reader.int32()
            node.pointee.cversion = try reader.int32()
            node.pointee.aversion = try reader.int32()
            node.pointee.owner = try reader.int64()
            node.pointee.pzxid = try reader.int64()
            own(id, node.pointee.owner)
        }
        lastZxid = zxid
        findQuotas()
    }

    /// Only the root.
    private init(bare: Void) {
        store.setData(UnsafeRawBufferPointer(start: nil, count: 0), of: .root)
    }
}
