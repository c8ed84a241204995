import CoordinationProtocol

/// How far one connection's received items have been accounted for, and which watches it has armed by then.
struct StreamCursor {
    private let stream: StreamHistory
    private var position = 0
    private var newest: Int64 = 0
    private var data: Set<String> = []
    private var child: Set<String> = []
    private var persistent: Set<String> = []
    private var recursive: Set<String> = []
    /// Of the last `advance`.
    private(set) var answered: [Exchange] = []
    private(set) var isAtEnd = false

    init(_ stream: StreamHistory) { self.stream = stream }

    var name: String { "\(stream.client) on stream \(stream.number)" }

    /// What has not been accounted for.
    var next: StreamHistory.Item? {
        guard !isAtEnd else { return nil }
        return stream.received[position...].first { if case .pong = $0 { false } else { true } }
    }

    /// A change was made (its notices), then everything that was read of the state it left.
    mutating func advance(to zxid: Int64, notices: [ModelTree.Notice], inAnyOrder: Bool, tree: ModelTree) -> [String] {
        answered = []
        var due = notices.compactMap { taken($0) }
        // A session's nodes go in whatever order.
        if inAnyOrder { due.sort { ($0.path, $0.type) < ($1.path, $1.type) } }
        var came: [WatchEvent] = []
        while came.count < due.count {
            guard let item = peek() else { return ended(waitingFor: due[came.count...], zxid) }
            guard case .event(zxid, let event, _) = item else {
                return giveUp(
                    "was due \(due[came.count]) of zxid \(zxid), and received \(describe(item))")
            }
            came.append(event)
            position += 1
        }
        if inAnyOrder { came.sort { ($0.path, $0.type) < ($1.path, $1.type) } }
        if came != due { return giveUp("was due \(due) at zxid \(zxid), and received \(came)") }
        newest = max(newest, zxid)
        return read(zxid, tree)
    }

    private mutating func read(_ zxid: Int64, _ tree: ModelTree) -> [String] {
        var since: [WatchEvent] = []
        while let item = peek() {
            switch item {
            case .pong: return []
            case .event(let its, let event, _):
                guard its == -1 else {
                    if its > zxid { return since.isEmpty ? [] : giveUp("received \(since) for nothing") }
                    return giveUp("received \(describe(item)) at zxid \(zxid), for nothing")
                }
                // What is told at once of a re-armed watch has no zxid of its own: that of the answer behind it counts.
                guard let answered = zxidBehind() else { return endedWhileArming() }
                if answered > zxid { return since.isEmpty ? [] : giveUp("received \(since) for nothing") }
                since.append(event)
            case .reply(let exchange):
                let its = exchange.answer?.zxid ?? 0
                if its > zxid { return since.isEmpty ? [] : giveUp("received \(since) for nothing") }
                if its < zxid { return giveUp("went back to \(describe(item)) from zxid \(zxid)") }
                if case .setWatches(let request) = exchange.request {
                    let due = rearmed(request, tree)
                    if since.sorted(by: before) != due.sorted(by: before) {
                        return giveUp("armed \(request) at zxid \(zxid), was due \(due) and received \(since)")
                    }
                    since = []
                } else if !since.isEmpty {
                    return giveUp("received \(since) at zxid \(zxid), for nothing")
                }
                answered.append(exchange)
                armed(exchange)
            }
            position += 1
        }
        return since.isEmpty ? [] : giveUp("received \(since) at zxid \(zxid), for nothing")
    }

    /// Of the next reply.
    private func zxidBehind() -> Int64? {
        for case .reply(let exchange) in stream.received[position...] { return exchange.answer?.zxid }
        return nil
    }

    /// The stream ended between what setWatches told and its answer: only the request is known.
    private mutating func endedWhileArming() -> [String] {
        isAtEnd = true
        guard stream.isOver, let asked = stream.sent.first(where: { $0.answer == nil }),
            case .setWatches(let request) = asked.request
        else { return ["received events that nobody is due"] }
        let armed = Set(request.dataWatches + request.existWatches + request.childWatches)
        for case .event(_, let event, _) in stream.received[position...] where !armed.contains(event.path) {
            return ["armed \(request), and received \(event)"]
        }
        return []
    }

    private func before(_ a: WatchEvent, _ b: WatchEvent) -> Bool { (a.path, a.type) < (b.path, b.type) }

    /// Pings overtake what waits for the disk, but tell nothing older than what has left already.
    private mutating func peek() -> StreamHistory.Item? {
        while position < stream.received.count, case .pong = stream.received[position] { position += 1 }
        return position < stream.received.count ? stream.received[position] : nil
    }

    private mutating func ended(waitingFor due: ArraySlice<WatchEvent>, _ zxid: Int64) -> [String] {
        isAtEnd = true
        return stream.isOver ? [] : ["never received \(Array(due)) of zxid \(zxid)"]
    }

    private mutating func giveUp(_ words: String) -> [String] {
        isAtEnd = true
        return [words]
    }

    // MARK: Watches

    /// The event this connection is due, if any; watches for one time are spent by it.
    private mutating func taken(_ notice: ModelTree.Notice) -> WatchEvent? {
        var isWatched = persistent.contains(notice.path)
        switch notice.type {
        case .nodeChildrenChanged: if child.remove(notice.path) != nil { isWatched = true }
        case .nodeDeleted:
            if data.remove(notice.path) != nil { isWatched = true }
            if child.remove(notice.path) != nil { isWatched = true }
        default: if data.remove(notice.path) != nil { isWatched = true }
        }
        if notice.type != .nodeChildrenChanged {
            isWatched =
                isWatched
                || recursive.contains {
                    $0 == "/" || notice.path == $0 || notice.path.hasPrefix($0 + "/")
                }
        }
        guard isWatched, ModelTree.allows(notice.acl, .read, stream.identities) else { return nil }
        return WatchEvent(notice.type, path: notice.path)
    }

    private mutating func armed(_ exchange: Exchange) {
        let isDone = exchange.answer?.error == .ok
        switch exchange.request {
        case .exists(let path, watch: true) where isDone || exchange.answer?.error == .noNode: data.insert(path)
        case .getData(let path, watch: true) where isDone: data.insert(path)
        case .getChildren(let path, watch: true) where isDone: child.insert(path)
        case .addWatch(let path, let isRecursive) where isDone:
            if isRecursive { recursive.insert(path) } else { persistent.insert(path) }
        case .removeWatches(let path, let type) where isDone:
            if type == .data || type == .any { data.remove(path) }
            if type == .children || type == .any { child.remove(path) }
            if type == .persistent || type == .any { persistent.remove(path) }
            if type == .persistentRecursive || type == .any { recursive.remove(path) }
        default: break
        }
    }

    /// Arms what is as the client saw it last, and returns what it must be told at once.
    private mutating func rearmed(_ request: SetWatches2, _ tree: ModelTree) -> [WatchEvent] {
        var due: [WatchEvent] = []
        func tell(_ type: WatchEventType, _ path: String) {
            if let node = tree[path], !ModelTree.allows(node.acl, .read, stream.identities) { return }
            due.append(WatchEvent(type, path: path))
        }
        for path in request.dataWatches {
            guard let node = tree[path] else {
                tell(.nodeDeleted, path)
                continue
            }
            if node.mzxid > request.relativeZxid { tell(.nodeDataChanged, path) } else { data.insert(path) }
        }
        for path in request.existWatches {
            if tree[path] != nil { tell(.nodeCreated, path) } else { data.insert(path) }
        }
        for path in request.childWatches {
            guard let node = tree[path] else {
                tell(.nodeDeleted, path)
                continue
            }
            if node.pzxid > request.relativeZxid { tell(.nodeChildrenChanged, path) } else { child.insert(path) }
        }
        persistent.formUnion(request.persistentWatches)
        recursive.formUnion(request.persistentRecursiveWatches)
        return due
    }
}
