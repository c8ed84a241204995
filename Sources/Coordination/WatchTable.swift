import CoordinationProtocol

/// Who wants to be told about which path. Watches belong to connections; paths need not exist.
package struct WatchTable: ~Copyable {
    enum Kind: UInt8, CaseIterable {
        /// Once: set by exists and getData.
        case data = 1
        /// Once: set by getChildren.
        case child = 2
        case persistent = 4
        /// Persistent, for the path and everything below it.
        case recursive = 8
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
    }

    private var keys = ByteKeys()
    /// By key.
    private var watchers: [Watchers] = []
    /// By client number, then by key: the kinds it has there, a bit for each.
    private var kinds: [[UInt32: UInt8]] = []
    /// By client number: the last event it was told. Ten thousand watchers of one path are not searched through for each of them.
    private var marks: [UInt32] = []
    private var mark: UInt32 = 0
    private var recursiveCount = 0
    /// All watches.
    package private(set) var count = 0
    /// Connections that watch anything.
    package private(set) var clientCount = 0

    package var isEmpty: Bool { count == 0 }
    package var pathCount: Int { keys.count }

    mutating func add(_ kind: Kind, _ path: PathBytes, for client: ClientID) {
        let key = keys.insert(path).key
        if Int(key) == watchers.count { watchers.append(Watchers()) }
        while kinds.count <= client.raw {
            kinds.append([:])
            marks.append(0)
        }
        if kinds[client.raw].isEmpty { clientCount += 1 }
        let had = kinds[client.raw][key, default: 0]
        if had & kind.rawValue != 0 { return }
        kinds[client.raw][key] = had | kind.rawValue
        watchers[Int(key)][kind].append(client)
        count += 1
        if kind == .recursive { recursiveCount += 1 }
    }

    func contains(_ kind: Kind, _ path: PathBytes, for client: ClientID) -> Bool {
        guard client.raw < kinds.count, let key = keys.find(path) else { return false }
        return kinds[client.raw][key, default: 0] & kind.rawValue != 0
    }

    mutating func remove(_ kind: Kind, _ path: PathBytes, for client: ClientID) {
        guard contains(kind, path, for: client), let key = keys.find(path) else { return }
        remove(kind, key, client)
        unlink(kind, key, client)
        if watchers[Int(key)].isEmpty { keys.remove(key) }
    }

    /// The connection is gone.
    mutating func removeAll(of client: ClientID) {
        guard client.raw < kinds.count, !kinds[client.raw].isEmpty else { return }
        var all: [UInt32: UInt8] = [:]
        swap(&all, &kinds[client.raw])
        clientCount -= 1
        for (key, had) in all {
            for kind in Kind.allCases where had & kind.rawValue != 0 { remove(kind, key, client) }
            if watchers[Int(key)].isEmpty { keys.remove(key) }
        }
    }

    /// Appends those to be told to `told`, each once; watches for one time are spent by it.
    mutating func happened(_ kind: Notice.Kind, _ path: PathBytes, told: inout [ClientID]) {
        if count == 0 { return }
        beginEvent()
        if let key = keys.find(path) {
            switch kind {
            case .created, .dataChanged: spend(.data, key, &told)
            case .deleted:
                spend(.data, key, &told)
                spend(.child, key, &told)
            case .childrenChanged: spend(.child, key, &told)
            }
            for client in watchers[Int(key)].persistent { tell(client, &told) }
            if watchers[Int(key)].isEmpty { keys.remove(key) }
        }
        guard recursiveCount > 0, kind != .childrenChanged else { return }
        // The path itself, then what stands above it.
        var end = path.count
        while true {
            let prefix = end == 0 ? ZnodeTree.slash : PathBytes(rebasing: path[..<end])
            if let key = keys.find(prefix) {
                for client in watchers[Int(key)].recursive { tell(client, &told) }
            }
            if end == 0 || path.count <= 1 { break }
            repeat { end -= 1 } while end > 0 && path[end] != ZnodePath.slash
        }
    }

    /// By path, for people: `path` and the connections.
    package func described() -> [(path: String, clients: [ClientID])] {
        var all: [UInt32: [ClientID]] = [:]
        for (client, keys) in kinds.enumerated() {
            for key in keys.keys { all[key, default: []].append(ClientID(raw: client)) }
        }
        return all.map { (keys[$0.key].text, $0.value) }.sorted { $0.path < $1.path }
    }

    private mutating func beginEvent() {
        if mark == .max {
            for index in marks.indices { marks[index] = 0 }
            mark = 0
        }
        mark += 1
    }

    private mutating func tell(_ client: ClientID, _ told: inout [ClientID]) {
        guard marks[client.raw] != mark else { return }
        marks[client.raw] = mark
        told.append(client)
    }

    private mutating func spend(_ kind: Kind, _ key: UInt32, _ told: inout [ClientID]) {
        if watchers[Int(key)][kind].isEmpty { return }
        let spent = watchers[Int(key)][kind]
        watchers[Int(key)][kind] = []
        count -= spent.count
        for client in spent {
            tell(client, &told)
            unlink(kind, key, client)
        }
    }

    private mutating func remove(_ kind: Kind, _ key: UInt32, _ client: ClientID) {
        guard let index = watchers[Int(key)][kind].firstIndex(of: client) else { return }
        watchers[Int(key)][kind].remove(at: index)
        count -= 1
        if kind == .recursive { recursiveCount -= 1 }
    }

    private mutating func unlink(_ kind: Kind, _ key: UInt32, _ client: ClientID) {
        guard let index = kinds[client.raw].index(forKey: key) else { return }
        let left = kinds[client.raw].values[index] & ~kind.rawValue
        if left != 0 {
            kinds[client.raw].values[index] = left
            return
        }
        kinds[client.raw].remove(at: index)
        guard kinds[client.raw].isEmpty else { return }
        clientCount -= 1
        if kinds[client.raw].capacity > 64 { kinds[client.raw] = [:] }
    }
}
