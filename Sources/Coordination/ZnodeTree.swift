import CoordinationProtocol

/// A change with its header: decided by the planner, applied here, appended by the driver.
package struct TreeChange {
    package var header: TransactionHeader
    package var record: TransactionRecord
    package init(_ header: TransactionHeader, _ record: TransactionRecord) {
        self.header = header
        self.record = record
    }
}

/// What an applied change did to a node, for those who watch it.
struct Notice {
    enum Kind { case created, deleted, dataChanged, childrenChanged }
    var kind: Kind
    var path: PathBytes
    /// Nil when everybody may read.
    var acl: [ACL]?
}

/// The nodes, their lists, and the sessions: everything a snapshot holds. Changed by `apply` only.
package struct ZnodeTree: ~Copyable {
    var store = ZnodeStore()
    var acls = ACLTable()
    /// Nodes by the session they vanish with.
    var ephemerals: [Int64: Set<ZnodeID>] = [:]
    var containers: Set<ZnodeID> = []
    var ttls: Set<ZnodeID> = []
    /// Timeouts in milliseconds by session.
    package internal(set) var sessions: [Int64: Int32] = [:]
    package internal(set) var lastZxid: Int64 = 0
    /// The largest session id ever seen: ids are not given twice.
    package internal(set) var lastSessionID: Int64 = 0
    /// Bytes of all paths and data.
    package internal(set) var dataSize = 0
    var snapshot: SnapshotProgress?
    var snapshotCount: UInt32 = 0
    let arena = Arena()
    /// What happened in the last `apply` that was told to note it.
    var notices: [Notice] = []
    /// The paths that have a quota.
    var quotaPaths = ByteKeys()
    /// Whether `excesses` are wanted: not of a log that is replayed.
    var notesQuotas = false
    /// Limits passed in the last `apply`.
    var excesses: [QuotaExcess] = []

    nonisolated(unsafe) static let slash: UnsafeRawBufferPointer = {
        let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        byte[0] = ZnodePath.slash
        return UnsafeRawBufferPointer(byte)
    }()

    /// A fresh tree: the root and what stands below `/zookeeper`.
    package init() {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        store.setData(empty, of: .root)
        for path in ["/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            var path = path
            path.withUTF8 { bytes in
                guard let (parent, name) = ZnodePath.split(UnsafeRawBufferPointer(bytes)),
                    let above = store.find(parent)
                else { return }
                let id = store.insert(name, data: empty, under: above)
                if name.isText("config") {
                    var writer = JuteWriter()
                    var list = ACL.readOnly
                    writer.records(&list)
                    store[id].pointee.acl = acls.use(writer.bytes.bytes)
                    store[id].pointee.aversion = -1
                }
                dataSize += bytes.count
            }
        }
    }

    package var nodeCount: Int { store.count }
    package var ephemeralCount: Int { ephemerals.values.reduce(0) { $0 + $1.count } }

    package func stat(_ path: PathBytes) -> Stat? { store.find(path).map { store[$0].pointee.stat } }

    /// What a node holds, in the tree's own memory: valid until the next change. Nil when there is no such node or no data.
    package func data(_ path: PathBytes) -> UnsafeRawBufferPointer? {
        store.find(path).flatMap { store[$0].pointee.data }
    }

    /// Makes the change so. Its results are absolute: applied twice, or to a tree that has it in part already, it ends the same.
    /// - Returns: what a replay may meet and a live server never does: `noNode`, `nodeExists`.
    @discardableResult
    package mutating func apply(_ change: TreeChange, noting: Bool = false) -> CoordinationError {
        let result = apply(change.record, change.header, noting: noting)
        lastZxid = max(lastZxid, change.header.zxid)
        return result
    }

    mutating func apply(_ record: TransactionRecord, _ header: TransactionHeader, noting: Bool) -> CoordinationError {
        switch record {
        case .create(let txn): return create(txn, owner: txn.ephemeral ? header.sessionID : 0, header, noting)
        case .createContainer(let txn): return create(txn, owner: OwnerKind.containerOwner, header, noting)
        case .createTTL(let txn): return create(txn, owner: OwnerKind.owner(ttl: txn.ttl), header, noting)
        case .delete(let path): return delete(path, header, noting)
        case .setData(let path, let data, let version):
            guard let id = store.find(path) else { return .noNode }
            willChange(id)
            let node = store[id]
            let growth = (data?.count ?? 0) - Int(max(node.pointee.dataCount, 0))
            dataSize += growth
            store.setData(data, of: id)
            node.pointee.version = version
            node.pointee.mzxid = header.zxid
            node.pointee.mtime = header.time
            countChanged(path, by: growth)
            if noting { note(.dataChanged, path, id) }
            return .ok
        case .setACL(let path, let acl, let version):
            guard let id = store.find(path) else { return .noNode }
            willChange(id)
            let node = store[id]
            let old = node.pointee.acl
            node.pointee.acl = acls.use(acl)
            node.pointee.aversion = version
            acls.drop(old)
            return .ok
        case .check, .error: return .ok
        case .multi(let parts):
            if parts.contains(where: { $0.op == .error }) { return .ok }
            for part in parts { _ = apply(part.record, header, noting: noting) }
            return .ok
        case .createSession(let timeout):
            sessions[header.sessionID] = timeout
            lastSessionID = max(lastSessionID, header.sessionID)
            return .ok
        case .closeSession:
            // The list is for others who read the log: what a session owns is known here.
            sessions[header.sessionID] = nil
            removeEphemerals(of: header.sessionID, header, noting)
            return .ok
        }
    }

    private mutating func create(_ txn: CreateTxn, owner: Int64, _ header: TransactionHeader, _ noting: Bool)
        -> CoordinationError
    {
        guard let (parentPath, name) = ZnodePath.split(txn.path), name.count > 0,
            let parent = store.find(parentPath)
        else {
            return .noNode
        }
        willChange(parent)
        let above = store[parent]
        let cversion = txn.parentCVersion == -1 ? above.pointee.cversion &+ 1 : txn.parentCVersion
        // The difference, so that the counter may pass its largest value.
        if cversion &- above.pointee.cversion > 0 {
            above.pointee.cversion = cversion
            above.pointee.pzxid = max(above.pointee.pzxid, header.zxid)
        }
        if let existing = store.child(of: parent, name) {
            // Only over a snapshot that has it already.
            willChange(existing)
            let old = store[existing].pointee.acl
            store[existing].pointee.acl = acls.use(txn.acl)
            acls.drop(old)
            return .nodeExists
        }
        let id = store.insert(name, data: txn.data, under: parent)
        let node = store[id]
        node.pointee.czxid = header.zxid
        node.pointee.mzxid = header.zxid
        node.pointee.pzxid = header.zxid
        node.pointee.ctime = header.time
        node.pointee.mtime = header.time
        node.pointee.owner = owner
        node.pointee.acl = acls.use(txn.acl)
        node.pointee.stamp = snapshotCount
        own(id, owner)
        dataSize += txn.path.count + (txn.data?.count ?? 0)
        countCreated(txn.path, parent: parentPath, name: name, bytes: txn.data?.count ?? 0)
        if noting {
            note(.created, txn.path, id)
            note(.childrenChanged, parentPath.count == 0 ? ZnodeTree.slash : parentPath, parent)
        }
        return .ok
    }

    private mutating func delete(_ path: PathBytes, _ header: TransactionHeader, _ noting: Bool) -> CoordinationError {
        guard let (parentPath, name) = ZnodePath.split(path), let parent = store.find(parentPath) else {
            return .noNode
        }
        willChange(parent)
        store[parent].pointee.pzxid = max(store[parent].pointee.pzxid, header.zxid)
        guard let id = store.child(of: parent, name) else { return .noNode }
        // Only over somebody's fuzzy snapshot: children from after this deletion, under a node that was created again. The
        // log behind brings all of it.
        if store[id].pointee.childCount > 0 { prune(id) }
        willChange(id)
        let node = store[id]
        dataSize -= path.count + Int(max(node.pointee.dataCount, 0))
        if noting {
            note(.deleted, path, id)
            note(.childrenChanged, parentPath.count == 0 ? ZnodeTree.slash : parentPath, parent)
        }
        disown(id, node.pointee.owner)
        acls.drop(node.pointee.acl)
        let bytes = Int(max(node.pointee.dataCount, 0))
        store.remove(id)
        countDeleted(path, parent: parentPath, name: name, bytes: bytes)
        return .ok
    }

    /// All nodes of a session at once, as one change: a hundred thousand of them must not keep others waiting, so nothing is
    /// looked up by its path, and paths are made only where somebody may want to hear of them.
    private mutating func removeEphemerals(of session: Int64, _ header: TransactionHeader, _ noting: Bool) {
        guard let owned = ephemerals.removeValue(forKey: session) else { return }
        let wantsPaths = noting || quotaPaths.count > 0
        // Most have the parent of the one before.
        var parent = ZnodeID.none
        var parentCount = 0
        var parentPath = ZnodeTree.slash
        for id in owned.sorted() {
            // Gone with somebody above it: see `prune`.
            guard store[id].pointee.owner == session else { continue }
            let node = store[id]
            if node.pointee.parent != parent {
                parent = node.pointee.parent
                parentCount = parent == .root ? 0 : pathCount(of: parent)
                if wantsPaths { parentPath = path(of: parent) }
                willChange(parent)
                store[parent].pointee.pzxid = max(store[parent].pointee.pzxid, header.zxid)
            }
            if node.pointee.childCount > 0 { prune(id) }
            willChange(id)
            let bytes = Int(max(node.pointee.dataCount, 0))
            dataSize -= parentCount + 1 + node.pointee.nameCount + bytes
            var path = ZnodeTree.slash
            if wantsPaths { path = self.path(node.pointee.name, below: parentPath, count: parentCount) }
            if noting {
                note(.deleted, path, id)
                note(.childrenChanged, parentPath, parent)
            }
            acls.drop(node.pointee.acl)
            store.remove(id)
            if quotaPaths.count > 0 {
                let name = PathBytes(rebasing: path[(parentCount + 1)...])
                countDeleted(
                    path, parent: PathBytes(rebasing: path[..<parentCount]), name: name, bytes: bytes)
            }
        }
    }

    /// Takes away everything below.
    private mutating func prune(_ id: ZnodeID) {
        var line = [id]
        while let here = line.last {
            let child = store[here].pointee.firstChild
            if child != .none {
                line.append(child)
                continue
            }
            line.removeLast()
            if here == id { return }
            let node = store[here]
            dataSize -= path(of: here).count + Int(max(node.pointee.dataCount, 0))
            disown(here, node.pointee.owner)
            acls.drop(node.pointee.acl)
            store.remove(here)
        }
    }

    mutating func own(_ id: ZnodeID, _ owner: Int64) {
        switch OwnerKind(owner) {
        case .nobody: break
        case .session: ephemerals[owner, default: []].insert(id)
        case .container: containers.insert(id)
        case .ttl: ttls.insert(id)
        }
    }

    /// ZooKeeper 3.5.3 marked TTL nodes by the top bit alone: here they get the mark its successors use.
    mutating func adoptOldTTLNodes() {
        for owner in ephemerals.keys where owner < 0 && sessions[owner] == nil {
            for id in ephemerals[owner] ?? [] {
                store[id].pointee.owner = OwnerKind.owner(ttl: owner)
                ttls.insert(id)
            }
            ephemerals[owner] = nil
        }
    }

    private mutating func disown(_ id: ZnodeID, _ owner: Int64) {
        switch OwnerKind(owner) {
        case .nobody: break
        case .session: ephemerals[owner]?.remove(id)
        case .container: containers.remove(id)
        case .ttl: ttls.remove(id)
        }
    }

    private mutating func note(_ kind: Notice.Kind, _ path: PathBytes, _ id: ZnodeID) {
        let acl = store[id].pointee.acl
        notices.append(Notice(kind: kind, path: path, acl: acl == .open ? nil : acls[acl]))
    }

    /// A session's nodes, in an order that is the same in every run. The paths live until the arena is reset.
    func ephemeralPaths(of session: Int64) -> [PathBytes] {
        guard let owned = ephemerals[session], !owned.isEmpty else { return [] }
        return owned.sorted().map { path(of: $0) }
    }

    /// Bytes of the path of a node that is not the root.
    func pathCount(of id: ZnodeID) -> Int {
        var count = 0
        var here = id
        while here != .root {
            count += store[here].pointee.nameCount + 1
            here = store[here].pointee.parent
        }
        return count
    }

    /// The path of a child, in the arena.
    /// - Parameter count: of the parent's bytes, none of the root's.
    private func path(_ name: UnsafeRawBufferPointer, below parent: PathBytes, count: Int) -> PathBytes {
        let room = arena.allocate(count + 1 + name.count)
        if count > 0 { room.copyMemory(from: PathBytes(rebasing: parent[..<count])) }
        room[count] = ZnodePath.slash
        UnsafeMutableRawBufferPointer(rebasing: room[(count + 1)...]).copyMemory(from: name)
        return PathBytes(room)
    }

    /// A node's path, in the arena.
    func path(of id: ZnodeID) -> PathBytes {
        if id == .root { return ZnodeTree.slash }
        var count = pathCount(of: id)
        let room = arena.allocate(count)
        var here = id
        while here != .root {
            let name = store[here].pointee.name
            count -= name.count
            UnsafeMutableRawBufferPointer(rebasing: room[count..<(count + name.count)]).copyMemory(from: name)
            count -= 1
            room[count] = ZnodePath.slash
            here = store[here].pointee.parent
        }
        return PathBytes(room)
    }

    /// How many nodes stand below.
    func descendants(of id: ZnodeID) -> Int {
        if id == .root { return store.count - 1 }
        var total = 0
        var open = [id]
        while let here = open.popLast() {
            let first = store[here].pointee.firstChild
            guard first != .none else { continue }
            var child = first
            repeat {
                total += 1
                open.append(child)
                child = store[child].pointee.next
            } while child != first
        }
        return total
    }
}
