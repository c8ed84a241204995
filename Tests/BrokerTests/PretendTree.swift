import Platform

@testable import Broker

/// ZooKeeper's rules for the few operations groups need, in memory, with failures on demand.
final class PretendTree {
    struct Node {
        var data: [UInt8]
        var version: Int32 = 0
        var modifiedMs: Int64 = 0
        var ephemeralOwner: Int64 = 0
    }
    private(set) var nodes = ["/consumers": Node(data: []), "/letterbox": Node(data: [])]
    fileprivate var watches: [String: [() -> Void]] = [:]
    private(set) var multis: [[TreeOperation]] = []
    var wallMs: () -> Int64 = { 0 }

    func text(_ path: String) -> String? { nodes[path].map { String(decoding: $0.data, as: UTF8.self) } }
    func version(_ path: String) -> Int32? { nodes[path]?.version }

    func put(_ path: String, _ text: String) { store(path, [UInt8](text.utf8), owner: 0) }
    func remove(_ path: String) {
        nodes[path] = nil
        fire(path)
    }

    func endSession(_ id: Int64) {
        for path in nodes.filter({ $0.value.ephemeralOwner == id }).keys.sorted() { remove(path) }
    }

    fileprivate func children(of path: String) -> [String] {
        nodes.keys.filter { $0.hasPrefix(path + "/") && !$0.dropFirst(path.count + 1).contains("/") }
            .map { String($0.dropFirst(path.count + 1)) }.sorted()
    }

    fileprivate func apply(_ operations: [TreeOperation], session: Int64) -> Result<[Int32], TreeFailure> {
        multis.append(operations)
        let before = nodes
        var touched: [String] = []
        var versions: [Int32] = []
        for (place, operation) in operations.enumerated() {
            var cause: TreeFailure.Cause?
            switch operation {
            case .check(let path, let version):
                cause = nodes[path] == nil ? .noNode : nodes[path]?.version == version ? nil : .badVersion
                versions.append(-1)
            case .create(let path, let data, let ephemeral):
                let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
                cause = nodes[path] != nil ? .nodeExists : parent.isEmpty || nodes[parent] != nil ? nil : .noNode
                if cause == nil {
                    nodes[path] = Node(data: data, modifiedMs: wallMs(), ephemeralOwner: ephemeral ? session : 0)
                }
                touched.append(path)
                versions.append(0)
            case .set(let path, let data):
                if nodes[path] == nil { cause = .noNode } else { store(path, data, owner: nil, quietly: true) }
                touched.append(path)
                versions.append(nodes[path]?.version ?? -1)
            case .delete(let path):
                cause = nodes[path] == nil ? .noNode : children(of: path).isEmpty ? nil : .notEmpty
                if cause == nil { nodes[path] = nil }
                touched.append(path)
                versions.append(-1)
            }
            if let cause {
                nodes = before
                return .failure(TreeFailure(cause, operation: place))
            }
        }
        for path in touched { fire(path) }
        return .success(versions)
    }

    private func store(_ path: String, _ data: [UInt8], owner: Int64?, quietly: Bool = false) {
        var node = nodes[path] ?? Node(data: [], version: -1)
        node.data = data
        node.version += 1
        node.modifiedMs = wallMs()
        if let owner { node.ephemeralOwner = owner }
        nodes[path] = node
        if !quietly { fire(path) }
    }

    private func fire(_ path: String) {
        for watch in watches.removeValue(forKey: path) ?? [] { watch() }
    }
}

/// One broker's session with the pretend tree.
final class PretendSession: GroupTree {
    let world: any World
    let tree: PretendTree
    var sessionID: Int64
    var sessionTimeout: Duration = .seconds(18)
    var isConnected = true {
        didSet { if isConnected { lastHeard = world.clock.now; flush() } else { lastHeard = world.clock.now } }
    }
    var isExpired = false
    private var lastHeard = Instant.start
    var provenAliveUntil: Instant? { (isConnected ? world.clock.now : lastHeard) + sessionTimeout }
    /// The next multi is done, and its answer lost.
    var losesNextAnswer = false
    var failsNextMulti: TreeFailure?
    private var waiting: [() -> Void] = []

    init(_ world: any World, _ tree: PretendTree, id: Int64) {
        self.world = world
        self.tree = tree
        sessionID = id
    }

    /// The session ends; what waits fails.
    func expire() {
        isExpired = true
        tree.endSession(sessionID)
        flush()
    }
    func renew(_ id: Int64) {
        sessionID = id
        isExpired = false
        isConnected = true
    }

    private func flush() {
        let work = waiting
        waiting = []
        for each in work { each() }
    }

    private func ask<T>(
        _ then: @escaping (Result<T, TreeFailure>) -> Void, _ answer: @escaping () -> Result<T, TreeFailure>
    ) {
        let session = sessionID
        world.after(.microseconds(300)) { [self] in
            if isExpired || session != sessionID { return then(.failure(TreeFailure(.sessionExpired))) }
            guard isConnected else {
                waiting.append { [self] in ask(then, answer) }
                return
            }
            let result = answer()
            world.after(.microseconds(300)) { then(result) }
        }
    }

    func multi(_ operations: [TreeOperation], then: @escaping (Result<[Int32], TreeFailure>) -> Void) {
        ask(then) { [self] in
            if let failure = failsNextMulti {
                failsNextMulti = nil
                return .failure(failure)
            }
            let result = tree.apply(operations, session: sessionID)
            guard losesNextAnswer else { return result }
            losesNextAnswer = false
            return .failure(TreeFailure(.connectionLost))
        }
    }
    func read(_ path: String, then: @escaping (Result<TreeNode, TreeFailure>) -> Void) {
        ask(then) { [self] in node(path).map { .success($0) } ?? .failure(TreeFailure(.noNode)) }
    }
    func children(_ path: String, then: @escaping (Result<[String], TreeFailure>) -> Void) {
        ask(then) { [self] in
            tree.nodes[path] == nil ? .failure(TreeFailure(.noNode)) : .success(tree.children(of: path))
        }
    }
    func observe(
        _ path: String, changed: @escaping () -> Void, then: @escaping (Result<TreeNode?, TreeFailure>) -> Void
    ) {
        ask(then) { [self] in
            let world = world
            tree.watches[path, default: []].append { world.after(.microseconds(300), changed) }
            return .success(node(path))
        }
    }
    private func node(_ path: String) -> TreeNode? {
        tree.nodes[path].map {
            TreeNode(
                data: $0.data, version: $0.version, modifiedMs: $0.modifiedMs, ephemeralOwner: $0.ephemeralOwner,
                childCount: Int32(tree.children(of: path).count))
        }
    }
}
