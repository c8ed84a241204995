import Bytes
import CoordinationProtocol

/// The coordination service without its surroundings: requests in; changes, replies and deliveries out. It decides a change,
/// makes it so in its tree, and hands it over to be appended; the driver keeps every answer back until that is durable.
package struct CoordinationCore: ~Copyable {
    struct Client {
        var asker: Asker
        var isOpen = true
        /// In milliseconds: before that its session need not be told that it was heard of.
        var heardUntil: Int64 = 0
    }

    package internal(set) var tree: ZnodeTree
    package internal(set) var watches = WatchTable()
    package internal(set) var sessions: SessionTable
    package let rules: CoordinationRules
    var clients: [Client] = []
    private var freeClients: [ClientID] = []
    private var nextSessionID: Int64

    /// Whom the last call's change is to be told to, in order. Each delivery precedes every reply that shows the change.
    package internal(set) var deliveries: [WatchDelivery] = []
    var told: [ClientID] = []
    /// Quotas the last call's change has passed: worth a line of the journal, not more than one a minute for each.
    package internal(set) var excesses: [QuotaExcess] = []
    /// Wall clock, by quota and measure.
    private var warnedAt: [String: Int64] = [:]

    /// - Parameter wallMs: now; session ids begin there, or behind the largest the tree has seen.
    package init(tree: consuming ZnodeTree, rules: CoordinationRules, now: Int64, wallMs: Int64) {
        // A snapshot does not know the sessions that were closed before it. Each took a zxid: there were not more of them.
        nextSessionID = max(
            Int64(bitPattern: (UInt64(bitPattern: wallMs) << 24) >> 8) | 1 << 56,
            tree.lastSessionID &+ (tree.lastZxid & 0xffff_ffff) &+ 1)
        sessions = SessionTable(grainMs: rules.expiryGrain)
        for (id, timeout) in tree.sessions {
            sessions.opened(id, timeout: Int64(timeout), client: nil, now: now)
        }
        self.tree = tree
        self.rules = rules
        self.tree.notesQuotas = true
        if rules.emulates353TTL { self.tree.adoptOldTTLNodes() }
    }

    package var zxid: Int64 { tree.lastZxid }

    // MARK: Connections

    package mutating func clientOpened(address: String) -> ClientID {
        let client = Client(asker: Asker(identities: Identities(address: address), session: 0))
        if let id = freeClients.popLast() {
            clients[id.raw] = client
            return id
        }
        clients.append(client)
        return ClientID(raw: clients.count - 1)
    }

    /// Its watches go; its session lives on until somebody speaks for it again or its time is over.
    package mutating func clientClosed(_ client: ClientID) {
        guard clients[client.raw].isOpen else { return }
        watches.removeAll(of: client)
        sessions.detached(clients[client.raw].asker.session, from: client)
        clients[client.raw].isOpen = false
        freeClients.append(client)
    }

    package func session(of client: ClientID) -> Int64 { clients[client.raw].asker.session }
    /// Who speaks for a session now.
    package func client(of session: Int64) -> ClientID? { sessions[session]?.client }

    package enum ConnectOutcome {
        /// The client has seen a future this server does not know: closed without a word.
        case fromTheFuture
        /// Answer with a response of zeros, then close.
        case refused
        /// - Parameter evicted: another connection that spoke for the session; close it.
        case resumed(ConnectResponse, evicted: ClientID?)
        case created(ConnectResponse, TreeChange)
    }

    package mutating func connect(_ request: ConnectRequest, from client: ClientID, now: Int64, wallMs: Int64)
        -> ConnectOutcome
    {
        begin()
        if request.lastZxidSeen > tree.lastZxid { return .fromTheFuture }
        let timeout = min(max(request.timeout, rules.minSessionTimeout), rules.maxSessionTimeout)
        var response = ConnectResponse()
        response.readOnly = request.readOnly.map { _ in false }
        response.timeout = timeout
        if request.sessionID != 0 {
            let id = request.sessionID
            guard let entry = sessions[id], SessionTable.password(of: id) == request.password ?? [] else {
                return .refused
            }
            let evicted = entry.client == client ? nil : entry.client
            if let evicted { clients[evicted.raw].asker.session = 0 }
            sessions.opened(id, timeout: Int64(timeout), client: client, now: now)
            tree.sessions[id] = timeout
            clients[client.raw].asker.session = id
            response.sessionID = id
            response.password = SessionTable.password(of: id)
            return .resumed(response, evicted: evicted)
        }
        let id = nextSessionID
        nextSessionID &+= 1
        let change = TreeChange(header(.createSession, id, cxid: 0, wallMs), .createSession(timeout: timeout))
        tree.apply(change)
        sessions.opened(id, timeout: Int64(timeout), client: client, now: now)
        clients[client.raw].asker.session = id
        response.sessionID = id
        response.password = SessionTable.password(of: id)
        return .created(response, change)
    }

    // MARK: Time

    /// Sessions that were not heard of in time, smallest id first.
    package mutating func expiredSessions(now: Int64) -> [Int64] { sessions.expired(now: now) }

    package func isExpired(_ session: Int64, now: Int64) -> Bool {
        sessions[session].map { $0.deadline <= now } ?? false
    }

    package mutating func extendSessions(by gap: Int64) { sessions.extendAll(by: gap) }

    package mutating func heard(of client: ClientID, now: Int64) {
        guard now >= clients[client.raw].heardUntil else { return }
        let session = clients[client.raw].asker.session
        if session != 0 { clients[client.raw].heardUntil = sessions.touched(session, now: now) }
    }

    /// Ends a session whose time is over.
    /// - Returns: the change, and the connection to close.
    package mutating func expire(_ session: Int64, wallMs: Int64) -> (change: TreeChange, client: ClientID?) {
        begin()
        let client = sessions[session]?.client
        let change = close(session, cxid: 0, wallMs)
        if let client { clients[client.raw].asker.session = 0 }
        return (change, client)
    }

    /// Containers and TTL nodes to be taken away now.
    package func reapable(wallMs: Int64, limit: Int) -> [[UInt8]] {
        tree.arena.reset()
        return tree.planReaping(wallMs: wallMs, limit: limit, rules).map { [UInt8]($0) }
    }

    /// Takes one of them away, if that is still right.
    /// - Parameter path: valid until the change is appended and delivered.
    package mutating func reap(_ path: PathBytes, wallMs: Int64) -> TreeChange? {
        begin()
        guard let id = tree.store.find(path), tree.isReapable(id, wallMs: wallMs, rules) else { return nil }
        return commit(TreeChange(header(.deleteContainer, 0, cxid: 0, wallMs), .delete(path: path)))
    }

    // MARK: Within the core

    mutating func begin() {
        tree.arena.reset()
        deliveries.removeAll(keepingCapacity: deliveries.count < CoordinationCore.usualEvents)
        if !excesses.isEmpty { excesses.removeAll() }
    }

    func header(_ op: OpCode, _ session: Int64, cxid: Int32, _ wallMs: Int64) -> TransactionHeader {
        TransactionHeader(sessionID: session, cxid: cxid, zxid: tree.lastZxid + 1, time: wallMs, op: op)
    }

    /// Makes the change so and finds out whom to tell.
    mutating func commit(_ change: TreeChange) -> TreeChange {
        let watched = !watches.isEmpty
        tree.apply(change, noting: watched)
        if watched { deliver() }
        if !tree.excesses.isEmpty { warn(at: change.header.time) }
        return change
    }

    mutating func warn(at wallMs: Int64) {
        for excess in tree.excesses {
            let key = "\(excess.measure) \(excess.path)"
            if let last = warnedAt[key], abs(wallMs - last) < 60_000 { continue }
            warnedAt[key] = wallMs
            excesses.append(excess)
        }
        tree.excesses.removeAll()
    }

    mutating func close(_ session: Int64, cxid: Int32, _ wallMs: Int64) -> TreeChange {
        let change = TreeChange(header(.closeSession, session, cxid: cxid, wallMs), tree.planClose(session))
        sessions.closed(session)
        return commit(change)
    }

    mutating func deliver() {
        for index in tree.notices.indices {
            let notice = tree.notices[index]
            told.removeAll(keepingCapacity: true)
            watches.happened(notice.kind, notice.path, told: &told)
            let event: WatchEventType
            switch notice.kind {
            case .created: event = .nodeCreated
            case .deleted: event = .nodeDeleted
            case .dataChanged: event = .nodeDataChanged
            case .childrenChanged: event = .nodeChildrenChanged
            }
            for client in told {
                // Who may not read a node is not told of it either.
                if let acl = notice.acl, !rules.skipACL,
                    !AccessControl.allows(acl, .read, to: clients[client.raw].asker.identities)
                {
                    continue
                }
                deliveries.append(
                    WatchDelivery(client: client, event: event.rawValue, path: notice.path, zxid: tree.lastZxid))
            }
        }
        tree.notices.removeAll(keepingCapacity: tree.notices.count < CoordinationCore.usualEvents)
    }

    /// Room that is kept for the next change's events; more than that was an exception.
    private static let usualEvents = 4096
}
