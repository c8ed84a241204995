import CoordinationProtocol
import Platform

/// What a session is known by: whoever has both can go on with it, or close it.
package struct SessionIdentity: Hashable, Sendable {
    package var id: Int64
    /// 16 bytes.
    package var password: [UInt8]
    package init(id: Int64, password: [UInt8]) {
        self.id = id
        self.password = password
    }
    package static let none = SessionIdentity(id: 0, password: [UInt8](repeating: 0, count: 16))
    package var isNone: Bool { id == 0 }
}

/// What a session's owner is told.
package enum SessionEvent: Equatable, Sendable {
    /// Requests go through. New: there are no ephemerals and no watches; otherwise all of them still stand.
    case connected(isNew: Bool)
    /// Requests wait. The session may live on.
    case disconnected(reason: String)
    /// Nobody could be reached, or he did not greet; it is tried again.
    case attemptFailed(host: String, reason: String)
    /// The service has given the session up: its ephemerals are gone. The owner calls `startNewSession()`.
    case expired
    /// The service did not accept the credentials. Nothing more is tried.
    case authFailed
}

/// A session's mind: when to connect, greet, ping, give a connection up; and whether the session is over.
///
/// The service alone judges expiry, when a connection is made again: while nobody can be reached, it may have been down itself,
/// and sessions outlive that. Until when the session is sure to live is `provenAliveUntil`.
package struct ClientSession {
    package enum Ending: Equatable, Sendable { case closed, expired, authFailed }

    package enum Phase: Equatable {
        case idle
        /// Before the next attempt.
        case pausing(until: Instant)
        case connecting(until: Instant)
        /// Our connect request is on its way.
        case greeting(until: Instant)
        case established
        case over(Ending)
    }

    package enum Effect: Equatable {
        /// Reach the next host.
        case connect(timeout: Duration)
        case greet(ConnectRequest)
        /// The connection serves: send credentials, then watches relative to this zxid, then what waits.
        case begin(rearmingSince: Int64)
        case ping
        /// The connection is of no use any more; what is in flight has an unknown outcome.
        case drop
        case end(Ending)
        case tell(SessionEvent)
    }

    /// What was asked for, and what the service agreed to.
    package let wantedTimeout: Duration
    package private(set) var timeout: Duration
    private let hosts: Int
    package private(set) var identity: SessionIdentity
    package private(set) var phase = Phase.idle
    /// The newest state of the tree that was seen.
    package private(set) var lastZxid: Int64 = 0
    /// What watches were re-armed against, while not all of that is answered: it must not be forgotten if this connection is
    /// lost as well, or changes in between would go unnoticed.
    private var rearming: (since: Int64, unanswered: Int)?
    private var lastSent = Instant.start
    private var lastHeard = Instant.start
    /// When the newest request was sent that has been answered.
    private var lastProof: Instant?
    private var failures = 0

    /// - Parameter identity: of a session to go on with; `.none` for a new one.
    package init(timeout: Duration, hosts: Int, identity: SessionIdentity = .none) {
        wantedTimeout = timeout
        self.timeout = timeout
        self.hosts = max(hosts, 1)
        self.identity = identity
    }

    package var connectTimeout: Duration { max(wantedTimeout / hosts, .milliseconds(500)) }
    /// Without a word from the service for this long, the connection is given up.
    package var readTimeout: Duration { timeout * 2 / 3 }
    package var pingInterval: Duration { timeout / 3 }
    package var isEstablished: Bool { phase == .established }
    package var isOver: Bool { if case .over = phase { true } else { false } }

    /// Up to here the service cannot have expired the session: it answered something that was sent a timeout before.
    package var provenAliveUntil: Instant? { lastProof.map { $0 + timeout } }

    package var nextDeadline: Instant? {
        switch phase {
        case .idle, .over: nil
        case .pausing(let until), .connecting(let until), .greeting(let until): until
        case .established: min(lastHeard + readTimeout, lastSent + pingInterval)
        }
    }

    package mutating func started(at now: Instant) -> [Effect] {
        guard phase == .idle else { return [] }
        return attempt(at: now)
    }

    private mutating func attempt(at now: Instant) -> [Effect] {
        phase = .connecting(until: now + connectTimeout)
        return [.connect(timeout: connectTimeout)]
    }

    package mutating func connectionOpened(at now: Instant) -> [Effect] {
        guard case .connecting(let until) = phase else { return [] }
        phase = .greeting(until: until)
        lastSent = now
        var request = ConnectRequest()
        request.lastZxidSeen = lastZxid
        request.timeout = Int32(clamping: wantedTimeout.wholeMilliseconds)
        request.sessionID = identity.id
        request.password = identity.password
        return [.greet(request)]
    }

    package mutating func greeted(_ response: ConnectResponse, at now: Instant) -> [Effect] {
        guard case .greeting = phase else { return [] }
        if response.timeout <= 0 {
            phase = .over(.expired)
            return [.drop, .end(.expired), .tell(.expired)]
        }
        let isNew = response.sessionID != identity.id
        identity = SessionIdentity(id: response.sessionID, password: response.password ?? SessionIdentity.none.password)
        timeout = .milliseconds(Int64(response.timeout))
        phase = .established
        lastHeard = now
        lastProof = lastSent
        return [.begin(rearmingSince: rearming?.since ?? lastZxid), .tell(.connected(isNew: isNew))]
    }

    /// Watches were sent in this many pieces.
    package mutating func watchesSent(pieces: Int, since zxid: Int64) {
        rearming = pieces > 0 ? (since: zxid, unanswered: pieces) : nil
    }

    package mutating func watchesRearmed() {
        guard let (since, unanswered) = rearming else { return }
        rearming = unanswered > 1 ? (since: since, unanswered: unanswered - 1) : nil
    }

    package mutating func sent(at now: Instant) { lastSent = now }

    /// A reply or event came. `sentAt` is when its request left, if it is a reply to one.
    package mutating func heard(zxid: Int64, answering sentAt: Instant?, at now: Instant) {
        lastHeard = now
        failures = 0
        // Events of older servers carry -1, answers about credentials 0.
        if zxid > lastZxid { lastZxid = zxid }
        if let sentAt, sentAt > lastProof ?? .start { lastProof = sentAt }
    }

    /// The connection ended, or could not be made.
    package mutating func connectionLost(_ reason: String, host: String, at now: Instant) -> [Effect] {
        let wasEstablished = phase == .established
        switch phase {
        case .connecting, .greeting, .established: break
        case .idle, .pausing, .over: return []
        }
        failures += 1
        // Each host is tried at once, then everybody is given a little more time after each round.
        let round = failures / hosts
        let pause: Duration = round == 0 ? .zero : min(.milliseconds(50 << min(round, 5)), .seconds(1))
        phase = .pausing(until: now + pause)
        return [
            .drop, .tell(wasEstablished ? .disconnected(reason: reason) : .attemptFailed(host: host, reason: reason)),
        ]
    }

    package mutating func timePassed(host: String, at now: Instant) -> [Effect] {
        switch phase {
        case .idle, .over: return []
        case .pausing(let until): return now < until ? [] : attempt(at: now)
        case .connecting(let until), .greeting(let until):
            if now < until { return [] }
            return connectionLost("no answer within \(connectTimeout.wholeMilliseconds) ms", host: host, at: now)
        case .established:
            if now >= lastHeard + readTimeout {
                return connectionLost(
                    "nothing heard for \((now - lastHeard).wholeMilliseconds) ms", host: host, at: now)
            }
            guard now >= lastSent + pingInterval else { return [] }
            lastSent = now
            return [.ping]
        }
    }

    package mutating func authRefused() -> [Effect] {
        guard !isOver else { return [] }
        phase = .over(.authFailed)
        return [.drop, .end(.authFailed), .tell(.authFailed)]
    }

    /// A reply said that the session does not exist any more.
    package mutating func expiredByReply() -> [Effect] {
        guard !isOver else { return [] }
        phase = .over(.expired)
        return [.drop, .end(.expired), .tell(.expired)]
    }

    /// Closed by its owner: the service has confirmed it, or the connection went before it could.
    package mutating func closed() -> [Effect] {
        guard !isOver else { return [] }
        phase = .over(.closed)
        return [.drop, .end(.closed)]
    }
}
