import CoordinationProtocol

/// Who wants to be told about which path. Watches belong to connections; paths need not exist.
package struct WatchTable: ~Copyable {
    enum Kind: CaseIterable {
        /// Once: set by exists and getData.
        case data
        /// Once: set by getChildren.
        case child
        case persistent
        /// Persistent, for the path and everything below it.
        case recursive
    }

    private struct Watchers {
        var data: [ClientID] = []
        var child: [ClientID] = []
        var persistent: [ClientID] = []
        var recursive: [ClientID] = []

        subscript(_ kind: Kind) -> [ClientID] {
            get {
                switch kind {
                case .data: data
                case .child: child
                case .persistent: persistent
                case .recursive: recursive
                }
            }
            _modify {
                switch kind {
                case .data: yield &data
                case .child: yield &child
                case .persistent: yield &persistent
                case .recursive: yield &recursive
                }
            }
        }
        var isEmpty: Bool { data.isEmpty && child.isEmpty && persistent.isEmpty && recursive.isEmpty }
        func has(_ client: ClientID) -> Bool {
            data.contains(client) || child.contains(client) || persistent.contains(client) || recursive.contains(client)
        }
    }

    private var keys = ByteKeys()
    private var watchers: [Watchers] = []
    private var paths: [ClientID: Set<UInt32>] = [:]
    private var recursiveCount = 0
    /// All watches.
    package private(set) var count = 0

    package var isEmpty: Bool { count == 0 }
    package var pathCount: Int { keys.count }
    /// Connections that watch anything.
    package var clientCount: Int { paths.count }

    mutating func add(_ kind: Kind, _ path: PathBytes, for client: ClientID) {
        let key = Int(keys.insert(path).key)
        if key == watchers.count { watchers.append(Watchers()) }
        if watchers[key][kind].contains(client) { return }
        watchers[key][kind].append(client)
        paths[client, default: []].insert(UInt32(key))
        count += 1
        if kind == .recursive { recursiveCount += 1 }
    }

    func contains(_ kind: Kind, _ path: PathBytes, for client: ClientID) -> Bool {
        guard let key = keys.find(path) else { return false }
        return watchers[Int(key)][kind].contains(client)
    }

    mutating func remove(_ kind: Kind, _ path: PathBytes, for client: ClientID) {
        guard let key = keys.find(path) else { return }
        remove(kind, key, client)
        forget(key, client)
    }

    /// The connection is gone.
    mutating func removeAll(of client: ClientID) {
        guard let all = paths.removeValue(forKey: client) else { return }
        for key in all.sorted() {
            for kind in Kind.allCases { remove(kind, key, client) }
            if watchers[Int(key)].isEmpty { keys.remove(key) }
        }
    }

    /// Appends those to be told to `told`, each once; watches for one time are spent by it.
    mutating func happened(_ kind: Notice.Kind, _ path: PathBytes, told: inout [ClientID]) {
        if count == 0 { return }
        if let key = keys.find(path) {
            switch kind {
            case .created, .dataChanged: spend(.data, key, &told)
            case .deleted:
                spend(.data, key, &told)
                spend(.child, key, &told)
            case .childrenChanged: spend(.child, key, &told)
            }
            for client in watchers[Int(key)].persistent where !told.contains(client) { told.append(client) }
            if watchers[Int(key)].isEmpty { keys.remove(key) }
        }
        guard recursiveCount > 0, kind != .childrenChanged else { return }
        // The path itself, then what stands above it.
        var end = path.count
        while true {
            let prefix = end == 0 ? ZnodeTree.slash : PathBytes(rebasing: path[..<end])
            if let key = keys.find(prefix) {
                for client in watchers[Int(key)].recursive where !told.contains(client) { told.append(client) }
            }
            if end == 0 || path.count <= 1 { break }
            repeat { end -= 1 } while end > 0 && path[end] != ZnodePath.slash
        }
    }

    /// By path, for people: `path` and the connections.
    package func described() -> [(path: String, clients: [ClientID])] {
        var all: [UInt32: Set<ClientID>] = [:]
        for (client, keys) in paths { for key in keys { all[key, default: []].insert(client) } }
        return all.map { (keys[$0.key].text, $0.value.sorted()) }.sorted { $0.path < $1.path }
    }

    private mutating func spend(_ kind: Kind, _ key: UInt32, _ told: inout [ClientID]) {
        if watchers[Int(key)][kind].isEmpty { return }
        let spent = watchers[Int(key)][kind]
        watchers[Int(key)][kind] = []
        count -= spent.count
        for client in spent {
            if !told.contains(client) { told.append(client) }
            if !watchers[Int(key)].has(client) { unlink(key, client) }
        }
    }

    private mutating func remove(_ kind: Kind, _ key: UInt32, _ client: ClientID) {
        guard let index = watchers[Int(key)][kind].firstIndex(of: client) else { return }
        watchers[Int(key)][kind].remove(at: index)
        count -= 1
        if kind == .recursive { recursiveCount -= 1 }
    }

    private mutating func forget(_ key: UInt32, _ client: ClientID) {
        if !watchers[Int(key)].has(client) { unlink(key, client) }
        if watchers[Int(key)].isEmpty { keys.remove(key) }
    }

    private mutating func unlink(_ key: UInt32, _ client: ClientID) {
        paths[client]?.remove(key)
        if paths[client]?.isEmpty == true { paths[client] = nil }
    }
}
