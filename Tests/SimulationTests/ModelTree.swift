import CoordinationProtocol

/// The coordination service as its users describe it: a dictionary and the rules, nothing of how the service does it.
struct ModelTree {
    enum Kind: Equatable {
        case plain
        case ephemeral(Int64)
        case container
        /// Milliseconds.
        case ttl(Int64)
    }

    struct Node {
        var data: [UInt8]?
        var acl: [ACL] = ACL.open
        var kind = Kind.plain
        var children: Set<String> = []
        /// Children ever created, and ever deleted.
        var created: Int32 = 0
        var deleted: Int32 = 0
        var version: Int32 = 0
        var aversion: Int32 = 0
        var czxid: Int64 = 0
        var mzxid: Int64 = 0
        var pzxid: Int64 = 0
        var ctime: Int64 = 0
        var mtime: Int64 = 0

        var stat: Stat {
            var stat = Stat()
            stat.czxid = czxid
            stat.mzxid = mzxid
            stat.pzxid = pzxid
            stat.ctime = ctime
            stat.mtime = mtime
            stat.version = version
            stat.cversion = created + deleted
            stat.aversion = aversion
            if case .ephemeral(let session) = kind { stat.ephemeralOwner = session }
            stat.dataLength = Int32(data?.count ?? 0)
            stat.numChildren = Int32(children.count)
            return stat
        }
    }

    /// What a change did, for those who watch.
    struct Notice {
        var type: WatchEventType
        var path: String
        var acl: [ACL]
    }

    /// Who changes, and when.
    struct Author {
        var session: Int64
        /// `user:password` pairs proven on the connection.
        var identities: Set<String>
        var zxid: Int64
        var time: Int64
    }

    private(set) var nodes: [String: Node] = ["/": Node(), "/zookeeper": Node()]
    /// Timeouts in milliseconds of the sessions that are open.
    var sessions: [Int64: Int32] = [:]
    private(set) var notices: [Notice] = []

    subscript(_ path: String) -> Node? { nodes[path] }

    mutating func begin() { notices = [] }

    // MARK: Changes

    mutating func perform(_ request: Request, by author: Author) throws(CoordinationError) -> [MultiResult] {
        switch request {
        case .change(let operation): return [try perform(operation, by: author)]
        case .setACL(let path, let acl, let version):
            let acl = try ModelTree.fixed(acl, author.identities)
            guard var node = nodes[path] else { throw .noNode }
            try ModelTree.check(node.acl, .admin, author.identities)
            guard version == -1 || version == node.aversion else { throw .badVersion }
            node.aversion += 1
            node.acl = acl
            nodes[path] = node
            return [.set(node.stat)]
        case .multi(let operations):
            let before = (nodes, notices)
            var results: [MultiResult] = []
            for operation in operations {
                do throws(CoordinationError) {
                    results.append(try perform(operation, by: author))
                } catch {
                    // All or nothing; each operation is told which it was.
                    (nodes, notices) = before
                    return operations.indices.map { index in
                        .error(
                            index < results.count ? .ok : index == results.count ? error : .runtimeInconsistency)
                    }
                }
            }
            return results
        default: preconditionFailure("\(request) changes nothing")
        }
    }

    private mutating func perform(_ operation: MultiOperation, by author: Author) throws(CoordinationError)
        -> MultiResult
    {
        switch operation {
        case .create(let r): return .created(path: try create(r, .init(r, author), by: author))
        case .create2(let r), .createContainer(let r):
            let path = try create(r, .init(r, author), by: author)
            return .created2(path: path, nodes[path]?.stat ?? Stat())
        case .createTTL(let r):
            var plain = CreateRequest(path: r.path, data: r.data, acl: r.acl)
            plain.flags = r.flags
            let path = try create(plain, .ttl(r.ttl), by: author)
            return .created2(path: path, nodes[path]?.stat ?? Stat())
        case .delete(let r):
            guard let parent = nodes[ModelTree.parent(of: r.path)] else { throw .noNode }
            try ModelTree.check(parent.acl, .delete, author.identities)
            guard let node = nodes[r.path] else { throw .noNode }
            guard r.version == -1 || r.version == node.version else { throw .badVersion }
            guard node.children.isEmpty else { throw .notEmpty }
            remove(r.path, zxid: author.zxid)
            return .deleted
        case .setData(let r):
            guard var node = nodes[r.path] else { throw .noNode }
            try ModelTree.check(node.acl, .write, author.identities)
            guard r.version == -1 || r.version == node.version else { throw .badVersion }
            node.version += 1
            node.data = r.data
            node.mzxid = author.zxid
            node.mtime = author.time
            nodes[r.path] = node
            notices.append(Notice(type: .nodeDataChanged, path: r.path, acl: node.acl))
            return .set(node.stat)
        case .check(let r):
            try check(r, author.identities)
            return .checked
        case .getData, .getChildren: preconditionFailure("a read in a multi")
        }
    }

    private mutating func create(_ request: CreateRequest, _ kind: Kind, by author: Author)
        throws(CoordinationError) -> String
    {
        let acl = try ModelTree.fixed(request.acl, author.identities)
        let parentPath = ModelTree.parent(of: request.path)
        guard var parent = nodes[parentPath] else { throw .noNode }
        try ModelTree.check(parent.acl, .create, author.identities)
        var path = request.path
        if CreateMode(rawValue: request.flags)?.isSequential == true {
            let digits = String(parent.created)
            path += String(repeating: "0", count: 10 - digits.count) + digits
        }
        guard nodes[path] == nil else { throw .nodeExists }
        if case .ephemeral = parent.kind { throw .noChildrenForEphemerals }
        parent.created += 1
        parent.pzxid = author.zxid
        parent.children.insert(String(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]))
        nodes[parentPath] = parent
        nodes[path] = Node(
            data: request.data, acl: acl, kind: kind, czxid: author.zxid, mzxid: author.zxid, pzxid: author.zxid,
            ctime: author.time, mtime: author.time)
        notices.append(Notice(type: .nodeCreated, path: path, acl: acl))
        notices.append(Notice(type: .nodeChildrenChanged, path: parentPath, acl: parent.acl))
        return path
    }

    private mutating func remove(_ path: String, zxid: Int64) {
        guard let node = nodes.removeValue(forKey: path) else { return }
        let parentPath = ModelTree.parent(of: path)
        notices.append(Notice(type: .nodeDeleted, path: path, acl: node.acl))
        guard var parent = nodes[parentPath] else { return }
        parent.children.remove(String(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]))
        parent.deleted += 1
        parent.pzxid = zxid
        nodes[parentPath] = parent
        notices.append(Notice(type: .nodeChildrenChanged, path: parentPath, acl: parent.acl))
    }

    /// The session's ephemerals go with it, all of them.
    mutating func close(_ session: Int64, zxid: Int64) {
        sessions[session] = nil
        for path in ephemerals(of: session) { remove(path, zxid: zxid) }
    }

    /// - Returns: what was wrong with taking it away.
    mutating func reap(_ path: String, zxid: Int64, time: Int64) -> String? {
        guard let node = nodes[path] else { return "\(path) is not there" }
        guard node.children.isEmpty else { return "\(path) has children" }
        switch node.kind {
        case .container where node.created > 0: break
        case .ttl(let ttl) where time - node.mtime > ttl: break
        default: return "\(path) is \(node.kind), with \(node.created) children made, changed at \(node.mtime)"
        }
        remove(path, zxid: zxid)
        return nil
    }

    // MARK: Reads

    func ephemerals(of session: Int64) -> [String] {
        nodes.filter { $0.value.kind == .ephemeral(session) }.keys.sorted()
    }

    func check(_ request: VersionedPathRequest, _ identities: Set<String>) throws(CoordinationError) {
        guard let node = nodes[request.path] else { throw .noNode }
        try ModelTree.check(node.acl, .read, identities)
        guard request.version == -1 || request.version == node.version else { throw .badVersion }
    }

    func readable(_ path: String, _ identities: Set<String>, _ needed: Permissions = .read)
        throws(CoordinationError) -> Node
    {
        guard let node = nodes[path] else { throw .noNode }
        try ModelTree.check(node.acl, needed, identities)
        return node
    }

    func descendants(of path: String) -> Int {
        let prefix = path == "/" ? "/" : path + "/"
        return nodes.keys.count { $0.hasPrefix(prefix) && $0 != path }
    }

    // MARK: Rules

    static func parent(of path: String) -> String {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Any of the permissions will do.
    static func allows(_ acl: [ACL], _ needed: Permissions, _ identities: Set<String>) -> Bool {
        acl.contains { entry in
            !entry.permissions.isDisjoint(with: needed)
                && (entry.scheme == "world" || (entry.scheme == "digest" && identities.contains(entry.id)))
        }
    }

    static func check(_ acl: [ACL], _ needed: Permissions, _ identities: Set<String>) throws(CoordinationError) {
        if !allows(acl, needed, identities) { throw .noAuth }
    }

    /// `auth` stands for everybody the connection has proven to be.
    static func fixed(_ acl: [ACL], _ identities: Set<String>) throws(CoordinationError) -> [ACL] {
        var fixed: [ACL] = []
        for entry in acl {
            guard entry.scheme == "auth" else {
                fixed.append(entry)
                continue
            }
            guard !identities.isEmpty else { throw .invalidACL }
            fixed += identities.sorted().map { ACL(entry.permissions, scheme: "digest", id: $0) }
        }
        return fixed
    }
}

extension ModelTree.Kind {
    fileprivate init(_ request: CreateRequest, _ author: ModelTree.Author) {
        switch CreateMode(rawValue: request.flags) {
        case .ephemeral, .ephemeralSequential: self = .ephemeral(author.session)
        case .container: self = .container
        default: self = .plain
        }
    }
}
