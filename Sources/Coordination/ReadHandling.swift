import Bytes
import CoordinationProtocol

/// Requests that change nothing but watches.
extension CoordinationCore {
    mutating func read(
        _ op: OpCode, _ reader: inout JuteReader, _ xid: Int32, _ client: ClientID, _ reply: inout JuteWriter
    ) throws(JuteError) {
        let start = reply.bytes.count
        let frame = beginReply(xid, &reply)
        do throws(ReadProblem) {
            try readBody(op, &reader, client, &reply)
            reply.endFrame(frame)
        } catch {
            reply.bytes.truncate(to: start)
            switch error {
            case .unreadable(let problem): throw problem
            case .refused(let why): reply.reply(xid: xid, zxid: tree.lastZxid, error: why)
            }
        }
    }

    private enum ReadProblem: Error {
        case unreadable(JuteError)
        case refused(CoordinationError)
    }

    /// - Parameter mayWatch: whether the request's flag counts. A read in a multiRead leaves no watch, as in ZooKeeper.
    private mutating func readBody(
        _ op: OpCode, _ reader: inout JuteReader, _ client: ClientID, _ reply: inout JuteWriter, mayWatch: Bool = true
    ) throws(ReadProblem) {
        let path: PathBytes
        var watch = false
        var version: Int32 = -1
        do throws(JuteError) {
            if op == .whoAmI {
                var list = clients[client.raw].asker.identities.told
                reply.records(&list)
                return
            }
            if op == .getEphemerals {
                writeEphemerals(of: session(of: client), below: try reader.slice(), &reply)
                return
            }
            path = try reader.text()
            switch op {
            case .exists, .getData, .getChildren, .getChildren2:
                let asked = try reader.bool()
                watch = asked && mayWatch
            case .check: version = try reader.int32()
            default: break
            }
        } catch { throw .unreadable(error) }

        switch op {
        case .exists:
            guard let id = tree.store.find(path) else {
                if path.contains(0) { throw .refused(.badArguments) }
                if watch { watches.add(.data, path, for: client) }
                throw .refused(.noNode)
            }
            try readable(id, client)
            if watch { watches.add(.data, path, for: client) }
            reply.stat(tree.store[id].pointee.stat)
        case .getData:
            let id = try found(path)
            try readable(id, client)
            if watch { watches.add(.data, path, for: client) }
            reply.slice(tree.store[id].pointee.data)
            reply.stat(tree.store[id].pointee.stat)
        case .getChildren, .getChildren2:
            let id = try found(path)
            try readable(id, client)
            if watch { watches.add(.child, path, for: client) }
            writeChildren(id, &reply)
            if op == .getChildren2 { reply.stat(tree.store[id].pointee.stat) }
        case .getACL:
            let id = try found(path)
            let acl = tree.store[id].pointee.acl
            try allowed(acl, [.read, .admin], client)
            var list = tree.acls[acl]
            let mayAdminister =
                acl == .open || rules.skipACL
                || AccessControl.allows(list, .admin, to: clients[client.raw].asker.identities)
            if !mayAdminister { list = AccessControl.masked(list) }
            reply.records(&list)
            reply.stat(tree.store[id].pointee.stat)
        case .getAllChildrenNumber:
            let id = try found(path)
            try readable(id, client)
            reply.int32(Int32(truncatingIfNeeded: tree.descendants(of: id)))
        case .sync: reply.slice(path)
        case .check:
            var overlay = Overlay(isUsed: false)
            do throws(CoordinationError) {
                _ = try tree.planCheck(path, version: version, by: clients[client.raw].asker, rules, &overlay)
            } catch { throw .refused(error) }
        default: throw .refused(.unimplemented)
        }
    }

    /// Each read stands for itself.
    mutating func multiRead(
        _ reader: inout JuteReader, _ xid: Int32, _ client: ClientID, _ reply: inout JuteWriter
    ) throws(JuteError) {
        let frame = beginReply(xid, &reply)
        while true {
            let type = try reader.int32()
            let done = try reader.bool()
            _ = try reader.int32()
            if done { break }
            guard let op = OpCode(rawValue: type), op == .getData || op == .getChildren else {
                throw .badLength(Int(type))
            }
            let start = reply.bytes.count
            MultiHeader(type: type, error: 0).write(to: &reply)
            do throws(ReadProblem) {
                try readBody(op, &reader, client, &reply, mayWatch: false)
            } catch {
                switch error {
                case .unreadable(let problem): throw problem
                case .refused(let why):
                    reply.bytes.truncate(to: start)
                    MultiHeader(type: OpCode.error.rawValue, error: why.rawValue).write(to: &reply)
                    reply.int32(why.rawValue)
                }
            }
        }
        MultiHeader.end.write(to: &reply)
        reply.endFrame(frame)
    }

    /// The prefix is one of text: `/a` is also before `/ab`.
    private func writeEphemerals(of session: Int64, below prefix: PathBytes?, _ reply: inout JuteWriter) {
        var paths = tree.ephemeralPaths(of: session)
        if let prefix, !prefix.isText("/") {
            paths.removeAll {
                $0.count < prefix.count || !PathBytes(rebasing: $0[..<prefix.count]).sameBytes(as: prefix)
            }
        }
        reply.int32(Int32(truncatingIfNeeded: paths.count))
        for path in paths { reply.slice(path) }
    }

    private func writeChildren(_ id: ZnodeID, _ reply: inout JuteWriter) {
        let node = tree.store[id].pointee
        reply.int32(Int32(truncatingIfNeeded: node.childCount))
        guard node.firstChild != .none else { return }
        var child = node.firstChild
        repeat {
            let pointer = tree.store[child]
            reply.slice(pointer.pointee.name)
            child = pointer.pointee.next
        } while child != node.firstChild
    }

    @inline(__always)
    private func found(_ path: PathBytes) throws(ReadProblem) -> ZnodeID {
        guard let id = tree.store.find(path) else { throw .refused(.noNode) }
        return id
    }

    @inline(__always)
    private func readable(_ id: ZnodeID, _ client: ClientID) throws(ReadProblem) {
        let acl = tree.store[id].pointee.acl
        if acl != .open { try allowed(acl, .read, client) }
    }

    private func allowed(_ acl: ACLID, _ needed: Permissions, _ client: ClientID) throws(ReadProblem) {
        do throws(CoordinationError) {
            try tree.check(.table(acl), needed, clients[client.raw].asker.identities, rules)
        } catch { throw .refused(error) }
    }

    // MARK: Watches

    mutating func watch(
        _ op: OpCode, _ reader: inout JuteReader, _ xid: Int32, _ client: ClientID, _ reply: inout JuteWriter
    ) throws(JuteError) {
        let path = try reader.text()
        let type = try reader.int32()
        if op == .addWatch {
            switch type {
            case 0: watches.add(.persistent, path, for: client)
            case 1: watches.add(.recursive, path, for: client)
            default: return reply.reply(xid: xid, zxid: tree.lastZxid, error: .marshallingError)
            }
            return reply.reply(xid: xid, zxid: tree.lastZxid, ErrorResponse(.ok))
        }
        let kinds: [WatchTable.Kind]
        switch WatcherType(rawValue: type) {
        case .children: kinds = [.child]
        case .data: kinds = [.data]
        case .any: kinds = WatchTable.Kind.allCases
        case .persistent: kinds = [.persistent]
        case .persistentRecursive: kinds = [.recursive]
        case nil: return reply.reply(xid: xid, zxid: tree.lastZxid, error: .marshallingError)
        }
        let present = kinds.filter { watches.contains($0, path, for: client) }
        if op == .removeWatches { for kind in present { watches.remove(kind, path, for: client) } }
        reply.reply(xid: xid, zxid: tree.lastZxid, error: present.isEmpty ? .noWatcher : .ok)
    }

    /// After a reconnect: what happened since is told now, the rest is armed again.
    mutating func setWatches(
        _ op: OpCode, _ reader: inout JuteReader, _ xid: Int32, _ client: ClientID, _ reply: inout JuteWriter
    ) throws(JuteError) {
        let since = try reader.int64()
        func list() throws(JuteError) -> [PathBytes] {
            let count = try reader.count(itemBytes: 4)
            var paths: [PathBytes] = []
            paths.reserveCapacity(count)
            for _ in 0..<count { paths.append(try reader.text()) }
            return paths
        }
        let data = try list(), exist = try list(), child = try list()
        let persistent = op == .setWatches2 ? try list() : []
        let recursive = op == .setWatches2 ? try list() : []

        func tell(_ event: WatchEventType, _ path: PathBytes, _ node: Znode?) {
            if let node, node.acl != .open, !rules.skipACL,
                !AccessControl.allows(tree.acls[node.acl], .read, to: clients[client.raw].asker.identities)
            {
                return
            }
            // Which change it was is not known any more.
            deliveries.append(WatchDelivery(client: client, event: event.rawValue, path: path, zxid: -1))
        }
        for path in data {
            let node = tree.store.find(path).map { tree.store[$0].pointee }
            if let node {
                if node.mzxid > since {
                    tell(.nodeDataChanged, path, node)
                } else {
                    watches.add(.data, path, for: client)
                }
            } else {
                tell(.nodeDeleted, path, nil)
            }
        }
        for path in exist {
            if let id = tree.store.find(path) {
                tell(.nodeCreated, path, tree.store[id].pointee)
            } else {
                watches.add(.data, path, for: client)
            }
        }
        for path in child {
            let node = tree.store.find(path).map { tree.store[$0].pointee }
            if let node {
                if node.pzxid > since {
                    tell(.nodeChildrenChanged, path, node)
                } else {
                    watches.add(.child, path, for: client)
                }
            } else {
                tell(.nodeDeleted, path, nil)
            }
        }
        for path in persistent { watches.add(.persistent, path, for: client) }
        for path in recursive { watches.add(.recursive, path, for: client) }
        reply.reply(xid: xid, zxid: tree.lastZxid)
    }
}
