import CoordinationProtocol
import Platform
import Testing

@testable import CoordinationClient

private func at(_ ms: Int64) -> Instant { Instant(nanoseconds: ms * 1_000_000) }

private func greeting(_ id: Int64, timeout: Int32 = 6000) -> ConnectResponse {
    var response = ConnectResponse()
    response.sessionID = id
    response.timeout = timeout
    response.password = [UInt8](repeating: 7, count: 16)
    return response
}

/// Connected at 0 ms with a timeout of 6 s.
private func established(hosts: Int = 1) -> ClientSession {
    var session = ClientSession(timeout: .seconds(6), hosts: hosts)
    _ = session.started(at: at(0))
    _ = session.connectionOpened(at: at(0))
    _ = session.greeted(greeting(5), at: at(0))
    return session
}

@Suite("A client's session")
struct ClientSessionTests {
    @Test("begins by reaching a host, greeting it, and telling its owner")
    func begins() {
        var session = ClientSession(timeout: .seconds(6), hosts: 2)
        #expect(session.started(at: at(0)) == [.connect(timeout: .seconds(3))])
        guard case .greet(let request)? = session.connectionOpened(at: at(1)).first else { return #expect(Bool(false)) }
        #expect(request.sessionID == 0 && request.timeout == 6000)
        #expect(session.greeted(greeting(5), at: at(2)) == [.begin(rearmingSince: 0), .tell(.connected(isNew: true))])
        #expect(session.identity == SessionIdentity(id: 5, password: [UInt8](repeating: 7, count: 16)))
        #expect(session.provenAliveUntil == at(6001))
    }

    @Test("pings after a third of the timeout without sending")
    func pings() {
        var session = established()
        #expect(session.nextDeadline == at(2000))
        session.sent(at: at(1000))
        #expect(session.timePassed(host: "h", at: at(2000)) == [])
        #expect(session.timePassed(host: "h", at: at(3000)) == [.ping])
    }

    @Test("gives a connection up that is silent for two thirds of the timeout")
    func silent() {
        var session = established()
        _ = session.timePassed(host: "h", at: at(2000))
        let effects = session.timePassed(host: "h", at: at(4000))
        #expect(effects.first == .drop)
        #expect(effects.last == .tell(.disconnected(reason: "nothing heard for 4000 ms")))
        #expect(session.phase == .pausing(until: at(4100)))
        #expect(session.timePassed(host: "h", at: at(4100)) == [.connect(timeout: .seconds(6))])
    }

    @Test("tries every host at once, and waits longer after each round")
    func backsOff() {
        var session = ClientSession(timeout: .seconds(6), hosts: 2)
        _ = session.started(at: at(0))
        var now = at(0)
        var pauses: [Int64] = []
        for _ in 0..<12 {
            _ = session.connectionLost("refused", host: "h", at: now)
            guard case .pausing(let until) = session.phase else { return #expect(Bool(false)) }
            pauses.append((until - now).wholeMilliseconds)
            now = until
            _ = session.timePassed(host: "h", at: now)
        }
        #expect(pauses == [0, 100, 100, 200, 200, 400, 400, 800, 800, 1000, 1000, 1000])
    }

    @Test("goes on with its id after a loss, and is over only when the service says so")
    func expires() {
        var session = established()
        _ = session.connectionLost("reset", host: "h", at: at(100))
        // Long after its timeout: the service may have been down as well.
        _ = session.timePassed(host: "h", at: at(60_000))
        guard case .greet(let request)? = session.connectionOpened(at: at(60_000)).first else {
            return #expect(Bool(false))
        }
        #expect(request.sessionID == 5)
        #expect(session.greeted(greeting(0, timeout: 0), at: at(60_001)) == [.drop, .end(.expired), .tell(.expired)])
        #expect(session.isOver)
    }

    @Test("remembers what watches were re-armed against until all pieces are answered")
    func keepsRearmingBase() {
        var session = established()
        session.heard(zxid: 10, answering: nil, at: at(1))
        _ = session.connectionLost("reset", host: "h", at: at(2))
        _ = session.timePassed(host: "h", at: at(200))
        _ = session.connectionOpened(at: at(200))
        #expect(session.greeted(greeting(5), at: at(201)).first == .begin(rearmingSince: 10))
        session.watchesSent(pieces: 2, since: 10)
        session.heard(zxid: 20, answering: nil, at: at(202))
        session.watchesRearmed()
        _ = session.connectionLost("reset", host: "h", at: at(203))
        _ = session.timePassed(host: "h", at: at(500))
        _ = session.connectionOpened(at: at(500))
        #expect(session.greeted(greeting(5), at: at(501)).first == .begin(rearmingSince: 10))
    }
}
