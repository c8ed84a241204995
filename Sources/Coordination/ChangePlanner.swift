import CoordinationProtocol

/// A create request in place.
struct CreateAsked {
    var path: PathBytes
    var data: UnsafeRawBufferPointer?
    var acl: UnsafeRawBufferPointer
    var flags: Int32
    var ttl: Int64 = -1

    init(_ op: OpCode, from reader: inout JuteReader) throws(JuteError) {
        path = try reader.text()
        data = try reader.slice()
        acl = try reader.aclSlice()
        flags = try reader.int32()
        if op == .createTTL { ttl = try reader.int64() }
    }
}

/// What the planner must know about a node.
struct NodeFacts {
    enum List {
        case table(ACLID)
        case bytes(UnsafeRawBufferPointer)
    }
    var version: Int32
    var cversion: Int32
    var aversion: Int32
    var childCount: UInt32
    var owner: Int64
    var acl: List
    /// Bytes; null data has none.
    var dataCount: Int32
}

/// What earlier operations of the same multi have decided, over the tree that does not know yet.
struct Overlay {
    /// Nil for nodes that will be gone. Only used when there is a multi.
    private var facts: [[UInt8]: NodeFacts?] = [:]
    /// By quota.
    private var growth: [[UInt8]: (nodes: Int64, bytes: Int64)] = [:]
    let isUsed: Bool

    init(isUsed: Bool) { self.isUsed = isUsed }

    func facts(_ path: PathBytes, in tree: borrowing ZnodeTree) -> NodeFacts? {
        if isUsed, let known = facts[Overlay.key(path)] { return known }
        guard let id = tree.store.find(path) else { return nil }
        let node = tree.store[id].pointee
        return NodeFacts(
            version: node.version, cversion: node.cversion, aversion: node.aversion, childCount: node.childCount,
            owner: node.owner, acl: .table(node.acl), dataCount: max(node.dataCount, 0))
    }

    mutating func set(_ path: PathBytes, _ new: NodeFacts?) {
        if isUsed { facts.updateValue(new, forKey: Overlay.key(path)) }
    }

    func growth(of quota: PathBytes) -> (nodes: Int64, bytes: Int64) {
        growth.isEmpty ? (0, 0) : growth[[UInt8](quota)] ?? (0, 0)
    }

    mutating func grow(_ quota: PathBytes, nodes: Int64, bytes: Int64) {
        guard isUsed else { return }
        let before = growth(of: quota)
        growth[[UInt8](quota)] = (before.nodes + nodes, before.bytes + bytes)
    }

    /// The root's is empty, as a split leaves it.
    private static func key(_ path: PathBytes) -> [UInt8] { path.isText("/") ? [] : [UInt8](path) }
}

/// Who asks, and for which session.
struct Asker {
    var identities: Identities
    var session: Int64
}

/// Decides: a request becomes the record of a change or an error. Nothing is touched.
extension ZnodeTree {
    func planCreate(
        _ op: OpCode, _ asked: CreateAsked, by asker: borrowing Asker, _ rules: CoordinationRules,
        _ overlay: inout Overlay
    ) throws(CoordinationError) -> TransactionRecord {
        guard let mode = CreateMode(rawValue: asked.flags) else { throw .badArguments }
        if mode.hasTTL {
            guard rules.extendedTypes else { throw .unimplemented }
            guard op == .createTTL, asked.ttl > 0, asked.ttl <= OwnerKind.longestTTL else { throw .badArguments }
        } else if op == .createTTL {
            throw .badArguments
        }
        guard let (parentPath, _) = ZnodePath.split(asked.path) else { throw .badArguments }
        let acl = try fixedList(asked.acl, for: asker.identities)
        guard var parent = overlay.facts(parentPath, in: self) else { throw .noNode }
        try check(parent.acl, .create, asker.identities, rules)
        var path = asked.path
        if mode.isSequential { path = sequenced(path, parent.cversion) }
        guard ZnodePath.isValid(path) else { throw .badArguments }
        if overlay.facts(path, in: self) != nil { throw .nodeExists }
        if OwnerKind(parent.owner) == .session { throw .noChildrenForEphemerals }
        let bytes = asked.data?.count ?? 0
        try checkQuota(path, nodes: 1, bytes: Int64(bytes), rules, &overlay)
        let cversion = parent.cversion &+ 1
        let txn = CreateTxn(
            path: path, data: asked.data, acl: acl, ephemeral: mode.isEphemeral && op != .createContainer,
            parentCVersion: cversion, ttl: asked.ttl)
        let record: TransactionRecord
        let owner: Int64
        switch op {
        case .createContainer: (record, owner) = (.createContainer(txn), OwnerKind.containerOwner)
        case .createTTL: (record, owner) = (.createTTL(txn), OwnerKind.owner(ttl: asked.ttl))
        default: (record, owner) = (.create(txn), mode.isEphemeral ? asker.session : 0)
        }
        if overlay.isUsed {
            parent.cversion = cversion
            parent.childCount += 1
            overlay.set(parentPath, parent)
            overlay.set(
                path,
                NodeFacts(
                    version: 0, cversion: 0, aversion: 0, childCount: 0, owner: owner, acl: .bytes(acl),
                    dataCount: Int32(truncatingIfNeeded: bytes)))
        }
        return record
    }

    func planDelete(
        _ path: PathBytes, version: Int32, by asker: borrowing Asker, _ rules: CoordinationRules,
        _ overlay: inout Overlay
    ) throws(CoordinationError) -> TransactionRecord {
        guard let (parentPath, _) = ZnodePath.split(path), !ZnodePath.isSpecial(path) else { throw .badArguments }
        guard var parent = overlay.facts(parentPath, in: self) else { throw .noNode }
        try check(parent.acl, .delete, asker.identities, rules)
        guard let node = overlay.facts(path, in: self) else { throw .noNode }
        guard version == -1 || version == node.version else { throw .badVersion }
        guard node.childCount == 0 else { throw .notEmpty }
        if overlay.isUsed {
            try checkQuota(path, nodes: -1, bytes: -Int64(node.dataCount), rules, &overlay)
            parent.childCount -= 1
            overlay.set(parentPath, parent)
            overlay.set(path, nil)
        }
        return .delete(path: path)
    }

    func planSetData(
        _ path: PathBytes, _ data: UnsafeRawBufferPointer?, version: Int32, by asker: borrowing Asker,
        _ rules: CoordinationRules, _ overlay: inout Overlay
    ) throws(CoordinationError) -> TransactionRecord {
        guard var node = overlay.facts(path, in: self), path.count > 0 else {
            throw ZnodePath.isValid(path) ? .noNode : .badArguments
        }
        try check(node.acl, .write, asker.identities, rules)
        let bytes = data?.count ?? 0
        try checkQuota(path, nodes: 0, bytes: Int64(bytes) - Int64(node.dataCount), rules, &overlay)
        node.version = try raised(node.version, expecting: version)
        node.dataCount = Int32(truncatingIfNeeded: bytes)
        overlay.set(path, node)
        return .setData(path: path, data: data, version: node.version)
    }

    func planSetACL(
        _ path: PathBytes, _ acl: UnsafeRawBufferPointer, version: Int32, by asker: borrowing Asker,
        _ rules: CoordinationRules, _ overlay: inout Overlay
    ) throws(CoordinationError) -> TransactionRecord {
        guard ZnodePath.isValid(path) else { throw .badArguments }
        let acl = try fixedList(acl, for: asker.identities)
        guard var node = overlay.facts(path, in: self) else { throw .noNode }
        try check(node.acl, .admin, asker.identities, rules)
        node.aversion = try raised(node.aversion, expecting: version)
        node.acl = .bytes(acl)
        overlay.set(path, node)
        return .setACL(path: path, acl: acl, version: node.aversion)
    }

    func planCheck(
        _ path: PathBytes, version: Int32, by asker: borrowing Asker, _ rules: CoordinationRules,
        _ overlay: inout Overlay
    ) throws(CoordinationError) -> TransactionRecord {
        guard let node = overlay.facts(path, in: self), path.count > 0 else {
            throw ZnodePath.isValid(path) ? .noNode : .badArguments
        }
        try check(node.acl, .read, asker.identities, rules)
        return .check(path: path, version: try raised(node.version, expecting: version))
    }

    /// All the nodes of a session go; above 512 KB the list is left away, and whoever replays finds them itself.
    func planClose(_ session: Int64) -> TransactionRecord {
        guard let owned = ephemerals[session] else { return .closeSession([]) }
        var room = 512 << 10
        for id in owned {
            room -= pathCount(of: id) + 4
            if room < 0 { return .closeSession(nil) }
        }
        return .closeSession(ephemeralPaths(of: session))
    }

    /// Nodes to be taken away now, at most `limit`.
    func planReaping(wallMs: Int64, limit: Int, _ rules: CoordinationRules) -> [PathBytes] {
        var paths: [PathBytes] = []
        for id in containers.sorted() + ttls.sorted() where paths.count < limit {
            if isReapable(id, wallMs: wallMs, rules) { paths.append(path(of: id)) }
        }
        return paths
    }

    /// An empty container that had a child once, or none for too long; an empty TTL node whose time is over.
    func isReapable(_ id: ZnodeID, wallMs: Int64, _ rules: CoordinationRules) -> Bool {
        let node = store[id].pointee
        guard node.childCount == 0 else { return false }
        switch OwnerKind(node.owner) {
        case .container:
            return node.cversion != 0
                || rules.neverUsedContainerMs > 0 && wallMs &- node.mtime > rules.neverUsedContainerMs
        case .ttl(let ttl): return wallMs &- node.mtime > ttl
        case .nobody, .session: return false
        }
    }

    func check(_ list: NodeFacts.List, _ needed: Permissions, _ identities: Identities, _ rules: CoordinationRules)
        throws(CoordinationError)
    {
        switch list {
        case .table(let id):
            if id == .open || rules.skipACL { return }
            guard AccessControl.allows(acls[id], needed, to: identities) else { throw .noAuth }
        case .bytes(let bytes):
            if acls.isOpen(bytes) || rules.skipACL { return }
            guard AccessControl.allows(ACLTable.decoded(bytes), needed, to: identities) else { throw .noAuth }
        }
    }

    /// The list as it will be stored: what was asked for when that needs no change, else a copy in the arena.
    private func fixedList(_ asked: UnsafeRawBufferPointer, for identities: Identities)
        throws(CoordinationError) -> UnsafeRawBufferPointer
    {
        if acls.isOpen(asked) { return asked }
        var reader = JuteReader(asked)
        var list: [ACL] = []
        do throws(JuteError) { try reader.records(&list) } catch { throw .invalidACL }
        list = try AccessControl.fixed(list, for: identities)
        var writer = JuteWriter()
        writer.records(&list)
        return arena.copy(writer.bytes.bytes)
    }

    private func raised(_ version: Int32, expecting: Int32) throws(CoordinationError) -> Int32 {
        guard expecting == -1 || expecting == version else { throw .badVersion }
        // -1 could not be expected by anyone.
        let next = version &+ 1
        return next == -1 ? 0 : next
    }

    /// The path with the parent's count of created children behind it: ten digits, as `%010d` writes them.
    private func sequenced(_ path: PathBytes, _ counter: Int32) -> PathBytes {
        var digits: [UInt8] = []
        var rest = counter.magnitude
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        let width = counter < 0 ? 9 : 10
        while digits.count < width { digits.append(UInt8(ascii: "0")) }
        if counter < 0 { digits.append(UInt8(ascii: "-")) }
        let room = arena.allocate(path.count + digits.count)
        room.copyMemory(from: path)
        for (index, digit) in digits.reversed().enumerated() { room[path.count + index] = digit }
        return PathBytes(room)
    }
}
