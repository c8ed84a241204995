import Bytes
import CoordinationProtocol
import Platform

/// A session with a coordination service, kept over lost connections.
///
/// - Requests are sent in the order they are made, and answered in that order. While nobody can be reached they wait.
/// - Those in flight when a connection is lost fail with `connectionLoss`: they may or may not have been done.
/// - A request belongs to the session it was made under. When that is over, it fails with `sessionExpired`, and it is never
///   sent under another.
/// - A watch's closure is called once, when the event comes, always before the answer to any request that shows the change. Watches
///   survive lost connections and end with their session, without being called.
/// - No closure is called from within the call that was given it.
package final class CoordinationClient {
    package typealias Completion<Value> = (Result<Value, CoordinationError>) -> Void

    struct Request {
        var xid: Int32
        var bytes: [UInt8]
        var sentAt = Instant.start
        /// The body is valid during the call only.
        var complete: (Result<UnsafeRawBufferPointer, CoordinationError>) -> Void
    }

    package let connect: ConnectString
    package let sessionTimeout: Duration
    /// What a server takes in one packet (`jute.maxbuffer`).
    package var maxRequestBytes = 0xfffff

    let world: any World
    private let journal: Journal
    private let observer: (SessionEvent) -> Void
    private(set) var session: ClientSession
    private(set) var watches = WatchRegistry()
    /// Whether a failed attempt is news.
    private var saysAttempts = false
    private var credentials: [AuthPacket] = []
    private var waiting: [Request] = []
    private var inFlight = RequestQueue()
    private var lastXid: Int32 = 0
    private var pingSentAt: Instant?
    private var link: Link?
    /// Shuffled once, then tried in turn.
    private var hosts: [ConnectString.Host]
    private var nextHost = 0
    private var timer: (id: TimerID, at: Instant)?
    private var closing: (deadline: TimerID, then: (Bool) -> Void)?
    /// Counts sessions: what was ordered for one is not done to the next.
    private var generation = 0
    private var writer = JuteWriter(capacity: 4096)

    /// Nothing is connected before `start()`.
    /// - Parameter identity: of an earlier session to go on with; `.none` for a new one.
    package init(
        world: any World, connect: ConnectString, sessionTimeout: Duration, identity: SessionIdentity = .none,
        journal: Journal? = nil, observer: @escaping (SessionEvent) -> Void
    ) {
        self.world = world
        self.connect = connect
        self.sessionTimeout = sessionTimeout
        self.journal = journal ?? world.journal
        self.observer = observer
        session = ClientSession(timeout: sessionTimeout, hosts: connect.hosts.count, identity: identity)
        var random = WorldRandom(world)
        hosts = connect.hosts.shuffled(using: &random)
    }

    // MARK: The session

    /// `.none` before the first connection.
    package var identity: SessionIdentity { session.identity }
    package var sessionID: Int64 { session.identity.id }
    package var isConnected: Bool { session.isEstablished }
    /// Expired, closed or refused: every request fails until `startNewSession()`.
    package var isOver: Bool { session.isOver }
    /// What the service agreed to.
    package var agreedTimeout: Duration { session.timeout }
    /// Until then the session cannot have expired, whatever happened to the connection. Nil before the first one.
    package var provenAliveUntil: Instant? { session.provenAliveUntil }
    package var lastZxid: Int64 { session.lastZxid }
    /// Whom the connection leads to.
    package var host: ConnectString.Host? { link?.host }

    package func start() { perform(session.started(at: now)) }

    /// After `expired`: a session with no past.
    package func startNewSession() {
        if !session.isOver { perform(session.closed()) }
        generation += 1
        forgetSession(.sessionExpired)
        session = ClientSession(timeout: sessionTimeout, hosts: connect.hosts.count)
        start()
    }

    /// Proves an identity now and on every later connection (`digest`, `user:password`).
    package func addAuth(scheme: String, _ auth: [UInt8]) {
        let packet = AuthPacket(scheme: scheme, auth: auth)
        credentials.append(packet)
        if session.isEstablished { send { $0.request(xid: SpecialXid.auth, .auth, packet) } }
    }

    /// Closes the session. What waits is sent first.
    /// - Parameter then: told true when the service has confirmed that the session and its ephemerals are gone; false when it could
    ///   not be reached within `patience`, or the connection was lost first.
    package func close(patience: Duration = .seconds(3), then: @escaping (_ confirmed: Bool) -> Void = { _ in }) {
        guard !session.isOver, closing == nil else {
            let gone = session.phase == .over(.expired) || session.phase == .over(.closed)
            return world.timers.soon { then(gone) }
        }
        let deadline = world.after(patience) { [weak self] in self?.finishClosing(confirmed: false) }
        closing = (deadline: deadline, then: then)
        submit(.closeSession, Optional<SyncRequest>.none) { [weak self] answer in
            switch answer {
            case .success, .failure(.sessionExpired): self?.finishClosing(confirmed: true)
            case .failure: self?.finishClosing(confirmed: false)
            }
        }
    }

    /// Leaves the session to itself: it expires in its own time.
    package func abandon() { perform(session.closed()) }

    private func finishClosing(confirmed: Bool) {
        guard let (deadline, then) = closing else { return }
        closing = nil
        world.timers.cancel(deadline)
        perform(session.closed())
        then(confirmed)
    }

    // MARK: Requests

    /// Sends a request, or lets it wait for a connection.
    func submit(
        _ op: OpCode, _ body: (some JuteRecord)?,
        _ complete: @escaping (Result<UnsafeRawBufferPointer, CoordinationError>) -> Void
    ) {
        func refuse(_ error: CoordinationError) { world.timers.soon { complete(.failure(error)) } }
        switch session.phase {
        case .over(.authFailed): return refuse(.authFailed)
        case .over: return refuse(.sessionExpired)
        default: break
        }
        lastXid = lastXid == Int32.max ? 1 : lastXid + 1
        writer.bytes.clear()
        writer.request(xid: lastXid, op, body)
        // A server ends the connection over a longer packet, and with it everything else that is in flight.
        guard writer.bytes.count - 4 <= maxRequestBytes else { return refuse(.badArguments) }
        let request = Request(xid: lastXid, bytes: writer.bytes.array, complete: complete)
        if session.isEstablished { transmit(request) } else { waiting.append(request) }
        arm()
    }

    private func transmit(_ request: Request) {
        var request = request
        request.sentAt = now
        link?.connection?.send(request.bytes)
        request.bytes = []
        inFlight.append(request)
        session.sent(at: now)
    }

    private func send(_ write: (inout JuteWriter) -> Void) {
        writer.bytes.clear()
        write(&writer)
        link?.connection?.send(writer.bytes.bytes)
        session.sent(at: now)
    }

    func watch(_ kind: WatchRegistry.Kind, _ path: String, _ handler: @escaping WatchRegistry.Handler) {
        watches.add(kind, path, handler)
    }

    func forgetWatch(_ kind: WatchRegistry.Kind, _ path: String) -> Bool { watches.remove(kind, path) }

    // MARK: Effects

    private var now: Instant { world.clock.now }

    private func perform(_ effects: [ClientSession.Effect]) {
        let ordered = generation
        for effect in effects {
            // Somebody who was told of the end has begun anew.
            if generation != ordered { break }
            switch effect {
            case .connect(let timeout): reach(within: timeout)
            case .greet(let request): send { $0.packet(request) }
            case .begin(let zxid): begin(rearmingSince: zxid)
            case .ping:
                send { $0.request(xid: SpecialXid.ping, .ping) }
                if pingSentAt == nil { pingSentAt = now }
            case .drop: drop()
            case .end(let ending): end(ending)
            case .tell(let event): tell(event)
            }
        }
        arm()
    }

    private func reach(within timeout: Duration) {
        let host = hosts[nextHost % hosts.count]
        nextHost += 1
        let link = Link(self, host: host)
        self.link = link
        link.adopt(world.network.connect(host: host.name, port: host.port, timeout: timeout, handler: link))
    }

    private func begin(rearmingSince zxid: Int64) {
        for packet in credentials { send { $0.request(xid: SpecialXid.auth, .auth, packet) } }
        let pieces = watches.rearming(since: zxid)
        for piece in pieces {
            if let classic = piece.classic {
                send { $0.request(xid: SpecialXid.setWatches, .setWatches, classic) }
            } else {
                send { $0.request(xid: SpecialXid.setWatches, .setWatches2, piece) }
            }
        }
        session.watchesSent(pieces: pieces.count, since: zxid)
        let queued = waiting
        waiting = []
        for request in queued { transmit(request) }
    }

    private func drop() {
        link?.giveUp(sendingTheRest: closing != nil || session.phase == .over(.closed))
        link = nil
        pingSentAt = nil
        for request in inFlight.takeAll() {
            // What is in flight at the end of a session is told so by `end`, unless its fate is unknown.
            request.complete(.failure(session.phase == .over(.expired) ? .sessionExpired : .connectionLoss))
        }
    }

    private func end(_ ending: ClientSession.Ending) {
        forgetSession(ending == .authFailed ? .authFailed : .sessionExpired)
        if ending != .closed { finishClosing(confirmed: ending == .expired) }
    }

    private func forgetSession(_ error: CoordinationError) {
        watches.removeAll()
        let queued = waiting
        waiting = []
        for request in queued { request.complete(.failure(error)) }
    }

    private func tell(_ event: SessionEvent) {
        if case .disconnected = event, session.isOver { return }
        if case .disconnected = event { saysAttempts = true }
        switch event {
        case .connected(let isNew):
            journal.info(
                isNew ? "began a session with the coordinator" : "went on with the session",
                [
                    "coordinator": host?.description ?? "", "session": hex(sessionID),
                    "timeout_ms": agreedTimeout.wholeMilliseconds,
                ])
        case .disconnected(let reason):
            journal.warning("lost the coordinator", ["session": hex(sessionID), "reason": reason])
        case .attemptFailed(let host, let reason):
            // Once a loss; whoever starts says itself what it waits for.
            if saysAttempts {
                journal.info(
                    "cannot reach the coordinator, and goes on trying", ["coordinator": host, "reason": reason])
            }
            saysAttempts = false
        case .expired: journal.warning("the session has expired", ["session": hex(sessionID)])
        case .authFailed: journal.error("the coordinator refused the credentials")
        }
        observer(event)
    }

    private func hex(_ id: Int64) -> String { "0x" + String(UInt64(bitPattern: id), radix: 16) }

    /// One timer: it fires too early rather than being set again after every packet.
    private func arm() {
        guard let due = session.nextDeadline else {
            if let timer { world.timers.cancel(timer.id) }
            timer = nil
            return
        }
        if let timer {
            if timer.at <= due { return }
            world.timers.cancel(timer.id)
        }
        let id = world.timers.schedule(at: due) { [weak self] in
            guard let self else { return }
            timer = nil
            perform(session.timePassed(host: link?.host.description ?? "", at: now))
        }
        timer = (id: id, at: due)
    }

    // MARK: From the connection

    func linkOpened(_ link: Link) {
        guard link === self.link else { return }
        perform(session.connectionOpened(at: now))
    }

    func linkBroken(_ link: Link, _ reason: String) {
        guard link === self.link else { return }
        perform(session.connectionLost(reason, host: link.host.description, at: now))
    }

    func linkGreeted(_ link: Link, _ packet: UnsafeRawBufferPointer) {
        guard link === self.link else { return }
        do throws(JuteError) {
            perform(session.greeted(try ConnectResponse.decode(packet), at: now))
        } catch {
            linkBroken(link, "the answer to the greeting cannot be read")
        }
    }

    func linkReceived(_ link: Link, _ packet: UnsafeRawBufferPointer) {
        guard link === self.link else { return }
        var reader = JuteReader(packet)
        do throws(JuteError) {
            let header = try ReplyHeader.read(from: &reader)
            switch header.xid {
            case SpecialXid.watchEvent:
                session.heard(zxid: header.zxid, answering: nil, at: now)
                deliver(try WatchEvent.read(from: &reader))
            case SpecialXid.ping:
                session.heard(zxid: header.zxid, answering: pingSentAt, at: now)
                pingSentAt = nil
            case SpecialXid.auth:
                session.heard(zxid: header.zxid, answering: nil, at: now)
                if header.error != .ok { perform(session.authRefused()) }
            case SpecialXid.setWatches:
                session.heard(zxid: header.zxid, answering: nil, at: now)
                session.watchesRearmed()
            default: answer(link, header, reader.bytes.rest)
            }
        } catch {
            linkBroken(link, "a packet cannot be read")
        }
    }

    private func deliver(_ event: WatchEvent) {
        let handlers = watches.taken(for: event)
        guard !handlers.isEmpty, let path = connect.clientPath(event.path) else { return }
        var shown = event
        shown.path = path
        for handler in handlers { handler(shown) }
    }

    private func answer(_ link: Link, _ header: ReplyHeader, _ body: UnsafeRawBufferPointer) {
        guard let request = inFlight.takeFirst(xid: header.xid) else {
            return linkBroken(link, "answer \(header.xid) is not the next one expected")
        }
        session.heard(zxid: header.zxid, answering: request.sentAt, at: now)
        if header.error == .ok {
            request.complete(.success(body))
        } else {
            request.complete(.failure(header.error))
            if header.error == .sessionExpired { perform(session.expiredByReply()) }
        }
    }
}

/// Requests on the wire, first in first out.
struct RequestQueue {
    private var items: [CoordinationClient.Request?] = []
    private var head = 0

    mutating func append(_ request: CoordinationClient.Request) { items.append(request) }

    /// Nil when the first one is another, or there is none.
    mutating func takeFirst(xid: Int32) -> CoordinationClient.Request? {
        guard head < items.count, let first = items[head], first.xid == xid else { return nil }
        items[head] = nil
        head += 1
        if head > 64, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return first
    }

    mutating func takeAll() -> [CoordinationClient.Request] {
        let rest = items[head...].compactMap { $0 }
        items.removeAll()
        head = 0
        return rest
    }
}
