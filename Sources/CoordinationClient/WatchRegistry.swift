import CoordinationProtocol

/// Who waits for what to happen. Paths are the server's. One-shot watches leave when their event comes; those of a connection that
/// was lost are armed again on the next one, relative to the newest state that was seen.
package struct WatchRegistry {
    package typealias Handler = (WatchEvent) -> Void

    package enum Kind: Int, Comparable, Sendable {
        /// Set by getData, or by exists on a node that is there.
        case data
        /// Set by exists on a node that is not there.
        case existence
        case children
        case persistent
        case persistentRecursive

        package static func < (a: Kind, b: Kind) -> Bool { a.rawValue < b.rawValue }
        var isOneShot: Bool { self < .persistent }
    }

    private struct Key: Hashable {
        var kind: Kind
        var path: String
    }
    private var handlers: [Key: [Handler]] = [:]
    private var recursive: Set<String> = []

    package init() {}

    package var isEmpty: Bool { handlers.isEmpty }
    package var count: Int { handlers.count }

    package mutating func add(_ kind: Kind, _ path: String, _ handler: @escaping Handler) {
        handlers[Key(kind: kind, path: path), default: []].append(handler)
        if kind == .persistentRecursive { recursive.insert(path) }
    }

    /// - Returns: false when there was none.
    package mutating func remove(_ kind: Kind, _ path: String) -> Bool {
        if kind == .persistentRecursive { recursive.remove(path) }
        return handlers.removeValue(forKey: Key(kind: kind, path: path)) != nil
    }

    package mutating func removeAll() {
        handlers.removeAll()
        recursive.removeAll()
    }

    /// Whom an event concerns, in the order they asked; the one-shot ones are forgotten.
    package mutating func taken(for event: WatchEvent) -> [Handler] {
        let kinds: [Kind] =
            switch event.kind {
            case .nodeCreated, .nodeDataChanged: [.data, .existence, .persistent]
            case .nodeChildrenChanged: [.children, .persistent]
            case .nodeDeleted: [.data, .existence, .children, .persistent]
            default: []
            }
        var found: [Handler] = []
        for kind in kinds {
            let key = Key(kind: kind, path: event.path)
            guard let some = handlers[key] else { continue }
            found += some
            if kind.isOneShot { handlers[key] = nil }
        }
        // A recursive watch tells of every node below it, and leaves child changes to the nodes themselves.
        if !recursive.isEmpty, event.kind != .nodeChildrenChanged {
            for path in recursive.sorted() where event.path == path || path == "/" || event.path.hasPrefix(path + "/") {
                found += handlers[Key(kind: .persistentRecursive, path: path)] ?? []
            }
        }
        return found
    }

    /// How to arm everything again, in pieces of at most `maxBytes` (a single longer path makes a piece of its own).
    package func rearming(since zxid: Int64, maxBytes: Int = 128 << 10) -> [SetWatches2] {
        var pieces: [SetWatches2] = []
        var piece = SetWatches2()
        var bytes = 0
        let keys = handlers.keys.sorted { ($0.kind, $0.path) < ($1.kind, $1.path) }
        for key in keys {
            let size = key.path.utf8.count + 4
            if bytes > 0, bytes + size > maxBytes {
                pieces.append(piece)
                piece = SetWatches2()
                bytes = 0
            }
            bytes += size
            piece.relativeZxid = zxid
            switch key.kind {
            case .data: piece.dataWatches.append(key.path)
            case .existence: piece.existWatches.append(key.path)
            case .children: piece.childWatches.append(key.path)
            case .persistent: piece.persistentWatches.append(key.path)
            case .persistentRecursive: piece.persistentRecursiveWatches.append(key.path)
            }
        }
        if bytes > 0 { pieces.append(piece) }
        return pieces
    }
}

extension SetWatches2 {
    /// Servers before 3.6 know only this form, which has no persistent watches. Nil when there are some.
    var classic: SetWatches? {
        guard persistentWatches.isEmpty, persistentRecursiveWatches.isEmpty else { return nil }
        var request = SetWatches()
        request.relativeZxid = relativeZxid
        request.dataWatches = dataWatches
        request.existWatches = existWatches
        request.childWatches = childWatches
        return request
    }
}
