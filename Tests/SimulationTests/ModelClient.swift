import CoordinationProtocol
import Platform
import SimulatedPlatform

/// A client that writes its packets itself, so that nothing between it and the service can put things right: it pipelines, loses
/// connections, moves its session between two of them, leaves it, closes it, and writes down what comes.
final class ModelClient {
    let name: String
    /// Requests still to be made by itself.
    private(set) var budget: Int
    /// Only pings from now on.
    var isQuiet = false
    let history: History
    let world: SimulatedWorld
    private let timeout: Duration
    private let credentials: [String]
    private var random: SeededRandom
    private var workload: Workload
    private(set) var session: SessionHistory?
    private var wire: Wire?
    /// Streams another one has taken the place of, and that may not have ended yet.
    private var former: [Wire] = []
    private var beliefs = WatchBeliefs()
    private var lastZxid: Int64 = 0

    init(_ world: SimulatedWorld, history: History, timeout: Duration, credentials: [String], budget: Int) {
        self.world = world
        name = world.node.name
        self.history = history
        self.timeout = timeout
        self.credentials = credentials
        self.budget = budget
        random = SeededRandom(seed: world.random())
        workload = Workload(client: name)
        world.after(.milliseconds(Int(world.random() % 20))) { [weak self] in
            self?.connect()
            self?.think()
            self?.beat()
        }
    }

    var isConnected: Bool { wire?.isWelcomed == true }
    var isSettled: Bool { isConnected && wire?.outstanding.isEmpty == true && (isQuiet || budget == 0) }

    private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    private func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &random))
    }

    // MARK: Connections

    private func connect() {
        let session = self.session ?? history.session(of: name)
        self.session = session
        let stream = history.stream(for: session, identities: Set(credentials))
        let wire = Wire(self, stream, now: world.clock.now)
        if let old = self.wire { former.append(old) }
        self.wire = wire
        // A guess at somebody's password is refused, and costs nobody anything.
        wire.guesses = session.id != 0 && chance(3)
        world.network.connect(host: "zk", port: 2181, timeout: .milliseconds(900), handler: wire)
    }

    fileprivate func opened(_ wire: Wire) {
        guard wire === self.wire else { return wire.drop() }
        var request = ConnectRequest()
        request.timeout = Int32(timeout.wholeMilliseconds)
        request.sessionID = wire.stream.session.id
        if request.sessionID != 0 {
            request.password = wire.stream.session.password
            request.lastZxidSeen = lastZxid
            if wire.guesses { request.password?[3] ^= 0x40 }
        }
        var writer = JuteWriter()
        writer.packet(request)
        for text in credentials {
            writer.request(xid: SpecialXid.auth, .auth, AuthPacket(scheme: "digest", auth: [UInt8](text.utf8)))
        }
        wire.greetedAt = world.clock.now
        wire.send(writer.bytes.array, at: world.clock.now)
    }

    fileprivate func welcomed(_ wire: Wire, _ response: ConnectResponse) {
        let session = wire.stream.session
        let expects = session.id
        if response.timeout == 0 {
            wire.drop()
            guard wire === self.wire else { return }
            if wire.guesses { return reconnect() }
            // The checker compares this with the order of changes.
            wire.stream.wasRefused = true
            session.isLeft = true
            beginAnew()
            return reconnect()
        }
        if wire.guesses { history.violated("\(name) went on with session \(hex(expects)) on a wrong password") }
        if expects != 0, response.sessionID != expects {
            history.violated("\(name) asked for session \(hex(expects)) and was given \(hex(response.sessionID))")
        }
        session.id = response.sessionID
        session.password = response.password ?? []
        session.timeout = .milliseconds(Int64(response.timeout))
        session.lastProof = max(session.lastProof, wire.greetedAt)
        guard wire === self.wire else { return }
        if expects != 0, !beliefs.isEmpty { ask(.setWatches(beliefs.request(since: lastZxid))) }
    }

    private func beginAnew() {
        session = nil
        beliefs = WatchBeliefs()
        // A new session may begin with what others have not seen yet; this client keeps its memory, as libraries do not.
        lastZxid = 0
    }

    fileprivate func ended(_ wire: Wire) {
        guard wire === self.wire else { return }
        self.wire = nil
        reconnect()
    }

    private func reconnect() {
        if let wire { wire.drop() }
        wire = nil
        world.after(milliseconds(5...200)) { [weak self] in
            guard let self, wire == nil else { return }
            connect()
        }
    }

    private func beat() {
        world.after(.milliseconds(150)) { [weak self] in self?.beat() }
        let now = world.clock.now
        for old in former where now - old.lastHeard > timeout * 2 / 3 { old.drop() }
        former.removeAll { $0.stream.isOver }
        guard let wire else { return }
        if now - wire.lastHeard > timeout * 2 / 3 { return reconnect() }
        if wire.isWelcomed, now - wire.lastSent > timeout / 3 { wire.ping(at: now) }
    }

    // MARK: Requests

    private func think() {
        let delay = chance(4) ? milliseconds(300...1500) : milliseconds(0...40)
        world.after(delay) { [weak self] in
            guard let self else { return }
            act()
            if budget > 0, !isQuiet { think() }
        }
    }

    private func act() {
        guard budget > 0, !isQuiet, let wire, wire.isWelcomed, wire.outstanding.count < 12 else { return }
        switch Int.random(in: 0..<100, using: &random) {
        case 0:
            // Closed in order: ephemerals are gone before the answer.
            ask(.close)
            session?.isLeft = true
            beginAnew()
        case 1:
            // Left to itself: it must expire.
            session?.isLeft = true
            beginAnew()
            reconnect()
        case 2:
            // Another connection speaks for the session while this one is open.
            connect()
        case 3: reconnect()
        default:
            for _ in 0..<Int.random(in: 1...5, using: &random) where budget > 0 {
                budget -= 1
                ask(workload.next(using: &random))
            }
        }
    }

    /// Sends it on the present connection.
    @discardableResult
    func ask(_ request: Request) -> Exchange? {
        guard let wire, wire.isWelcomed else { return nil }
        let session = wire.stream.session
        var xid = SpecialXid.setWatches
        if case .setWatches = request {
        } else {
            session.lastXid += 1
            xid = session.lastXid
        }
        let exchange = Exchange(
            request, xid: xid, on: wire.stream, at: world.clock.now, floor: history.newest)
        if xid > 0 { session.exchanges[xid] = exchange }
        wire.stream.sent.append(exchange)
        wire.outstanding.append(exchange)
        wire.send(request.packet(xid: xid), at: world.clock.now)
        return exchange
    }

    // MARK: Answers

    fileprivate func received(_ wire: Wire, _ packet: [UInt8]) {
        let now = world.clock.now
        let stream = wire.stream
        wire.lastHeard = now
        guard let header = try? ReplyHeader.decode(packet) else {
            return history.violated("\(name) received \(packet.count) bytes that are no reply")
        }
        let body = Array(packet[16...])
        if header.zxid > 0 {
            history.told(header.zxid)
            if wire === self.wire { lastZxid = max(lastZxid, header.zxid) }
        }
        switch header.xid {
        case SpecialXid.auth:
            if header.error != .ok { history.violated("\(name)'s credentials were refused: \(header.error)") }
        case SpecialXid.ping:
            stream.received.append(.pong(zxid: header.zxid))
            if let sentAt = wire.pingSentAt {
                stream.session.lastProof = max(stream.session.lastProof, sentAt)
                wire.pingSentAt = nil
            }
        case SpecialXid.watchEvent:
            guard let event = try? WatchEvent.decode(body) else {
                return history.violated("\(name) received an event that cannot be read")
            }
            stream.received.append(.event(zxid: header.zxid, event, at: now))
            if wire === self.wire { beliefs.happened(event) }
        default:
            guard let exchange = wire.outstanding.first, exchange.xid == header.xid else {
                return history.violated(
                    "\(name) on stream \(stream.number) was answered \(header.xid), and waited for "
                        + (wire.outstanding.first.map { "\($0.xid)" } ?? "nothing"))
            }
            wire.outstanding.removeFirst()
            exchange.answer = Exchange.Answer(zxid: header.zxid, error: header.error, body: body, at: now)
            stream.received.append(.reply(exchange))
            stream.session.lastProof = max(stream.session.lastProof, exchange.sentAt)
            workload.answered(exchange)
            if wire === self.wire { beliefs.answered(exchange) }
        }
    }
}

/// One stream to the coordinator, cut into packets.
private final class Wire: ConnectionHandler {
    let stream: StreamHistory
    private weak var client: ModelClient?
    private var connection: (any Connection)?
    private(set) var isWelcomed = false
    var guesses = false
    var greetedAt = Instant.start
    var outstanding: [Exchange] = []
    var pingSentAt: Instant?
    var lastHeard: Instant
    private(set) var lastSent: Instant

    init(_ client: ModelClient, _ stream: StreamHistory, now: Instant) {
        self.client = client
        self.stream = stream
        lastHeard = now
        lastSent = now
    }

    func opened(_ connection: any Connection) {
        self.connection = connection
        client?.opened(self)
    }

    func closed(_ connection: any Connection, _ reason: CloseReason) {
        stream.isOver = true
        isWelcomed = false
        client?.ended(self)
    }

    /// Ends it from this side; nothing that is under way is seen.
    func drop() {
        stream.isOver = true
        isWelcomed = false
        connection?.close()
    }

    func send(_ bytes: [UInt8], at now: Instant) {
        lastSent = now
        connection?.send(bytes)
    }

    func ping(at now: Instant) {
        if pingSentAt == nil { pingSentAt = now }
        var writer = JuteWriter()
        writer.request(xid: SpecialXid.ping, .ping)
        send(writer.bytes.array, at: now)
    }

    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        var consumed = 0
        while !stream.isOver, bytes.count - consumed >= 4 {
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: consumed, as: Int32.self)))
            guard length >= 0, bytes.count - consumed - 4 >= length else { break }
            let packet = Array(bytes[(consumed + 4)..<(consumed + 4 + length)])
            consumed += 4 + length
            if isWelcomed {
                client?.received(self, packet)
            } else if let response = try? ConnectResponse.decode(packet) {
                isWelcomed = response.timeout > 0
                lastHeard = client?.world.clock.now ?? lastHeard
                client?.welcomed(self, response)
            }
        }
        return stream.isOver ? bytes.count : consumed
    }
}

/// The watches a client has reason to believe in, to be armed again on its next connection.
private struct WatchBeliefs {
    private var data: Set<String> = []
    private var exist: Set<String> = []
    private var child: Set<String> = []
    private var persistent: Set<String> = []
    private var recursive: Set<String> = []

    var isEmpty: Bool {
        data.isEmpty && exist.isEmpty && child.isEmpty && persistent.isEmpty && recursive.isEmpty
    }

    func request(since zxid: Int64) -> SetWatches2 {
        var request = SetWatches2()
        request.relativeZxid = zxid
        request.dataWatches = data.sorted()
        request.existWatches = exist.sorted()
        request.childWatches = child.sorted()
        request.persistentWatches = persistent.sorted()
        request.persistentRecursiveWatches = recursive.sorted()
        return request
    }

    mutating func happened(_ event: WatchEvent) {
        switch event.kind {
        case .nodeCreated, .nodeDataChanged:
            data.remove(event.path)
            exist.remove(event.path)
        case .nodeChildrenChanged: child.remove(event.path)
        default:
            data.remove(event.path)
            exist.remove(event.path)
            child.remove(event.path)
        }
    }

    mutating func answered(_ exchange: Exchange) {
        let isDone = exchange.answer?.error == .ok
        switch exchange.request {
        case .exists(let path, watch: true):
            if isDone { data.insert(path) } else if exchange.answer?.error == .noNode { exist.insert(path) }
        case .getData(let path, watch: true) where isDone: data.insert(path)
        case .getChildren(let path, watch: true) where isDone: child.insert(path)
        case .addWatch(let path, let isRecursive) where isDone:
            if isRecursive { recursive.insert(path) } else { persistent.insert(path) }
        case .removeWatches(let path, let type) where isDone:
            if type == .data || type == .any {
                data.remove(path)
                exist.remove(path)
            }
            if type == .children || type == .any { child.remove(path) }
            if type == .persistent || type == .any { persistent.remove(path) }
            if type == .persistentRecursive || type == .any { recursive.remove(path) }
        default: break
        }
    }
}

func hex(_ number: Int64) -> String { "0x" + String(UInt64(bitPattern: number), radix: 16) }
