import CoordinationProtocol
import Testing

@testable import Coordination

@Suite("Sessions")
struct SessionTests {
    private func response(_ outcome: CoordinationCore.ConnectOutcome) -> ConnectResponse? {
        switch outcome {
        case .created(let response, _): response
        case .resumed(let response, _): response
        case .fromTheFuture, .refused: nil
        }
    }

    @Test("passwords are those ZooKeeper computes") func passwords() {

        #expect(SessionTable.password(of: 1) == SessionTable.password(of: 1))
        #expect(SessionTable.password(of: 1) != SessionTable.password(of: 2))
        #expect(SessionTable.password(of: 0xB341_5C00) == javaBytes(seed: 0))
    }

    /// The first 16 bytes of `new java.util.Random(0)`, known from its first four ints.
    private func javaBytes(seed: Int) -> [UInt8] {
        let ints: [Int32] = [-1_155_484_576, -723_955_400, 1_033_096_058, -1_690_734_402]
        return ints.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> Int32(8 * $0)) } }
    }

    @Test("timeouts are kept within the bounds") func negotiation() {
        let rig = Rig()
        #expect(response(rig.outcome(rig.open(), timeout: 1))?.timeout == 6000)
        #expect(response(rig.outcome(rig.open(), timeout: 1 << 30))?.timeout == 60_000)
        #expect(response(rig.outcome(rig.open(), timeout: 7777))?.timeout == 7777)
    }

    @Test("one goes on with its password, and not with another") func resume() throws {
        let rig = Rig()
        let a = rig.open()
        let first = try #require(response(rig.outcome(a)))
        let b = rig.open()
        guard case .refused = rig.outcome(b, session: first.sessionID, password: [UInt8](repeating: 0, count: 16))
        else {
            Issue.record("a wrong password was taken")
            return
        }
        #expect(rig.core.session(of: a) == first.sessionID)
        guard case .resumed(let again, let evicted) = rig.outcome(b, session: first.sessionID, password: first.password)
        else {
            Issue.record("the right password was not taken")
            return
        }
        #expect(again.sessionID == first.sessionID)
        #expect(evicted == a)
        #expect(rig.core.session(of: b) == first.sessionID)
        guard case .refused = rig.outcome(rig.open(), session: 77, password: SessionTable.password(of: 77)) else {
            Issue.record("an unknown session was taken")
            return
        }
    }

    @Test("a client from the future is not answered") func future() {
        let rig = Rig()
        guard case .fromTheFuture = rig.outcome(rig.open(), seen: 5) else {
            Issue.record("it was answered")
            return
        }
    }

    @Test("expire after their time, at most 100 ms late, unless heard of") func expiry() {
        let rig = Rig()
        let a = rig.client(), b = rig.client()
        let sessions = [rig.core.session(of: a), rig.core.session(of: b)]
        rig.now += 9000
        _ = rig.ask(b, .ping, xid: -2)
        rig.now += 1000
        #expect(rig.core.expiredSessions(now: rig.now - 1) == [])
        rig.now += 100
        #expect(rig.core.expiredSessions(now: rig.now) == [sessions[0]])
        #expect(rig.expire(sessions[0]) == a)
        #expect(rig.core.expiredSessions(now: rig.now) == [])
        guard
            case .refused = rig.outcome(
                rig.open(), session: sessions[0], password: SessionTable.password(of: sessions[0]))
        else {
            Issue.record("an expired session came back")
            return
        }
    }

    @Test("get the time back during which the process stood still") func pause() {
        let rig = Rig()
        _ = rig.client()
        rig.now += 60_000
        rig.core.extendSessions(by: 57_000)
        #expect(rig.core.expiredSessions(now: rig.now) == [])
        rig.now += 13_000
        #expect(rig.core.expiredSessions(now: rig.now).count == 1)
    }

    @Test("survive a restart with a fresh timeout, and their ids are not given again") func restart() throws {
        let rig = Rig()
        let a = rig.open()
        let first = try #require(response(rig.outcome(a)))
        var tree = ZnodeTree()
        Rig.replayed(rig.log, onto: &tree)
        let again = Rig(tree: tree)
        again.now += 100_000
        let b = again.open()
        guard case .resumed = again.outcome(b, session: first.sessionID, password: first.password) else {
            Issue.record("the session was lost")
            return
        }
        let other = try #require(response(again.outcome(again.open())))
        #expect(other.sessionID > first.sessionID)
    }

    @Test("end for good when they are closed") func closed() throws {
        let rig = Rig()
        let a = rig.open()
        let first = try #require(response(rig.outcome(a)))
        rig.create(a, "/e", mode: .ephemeral)
        _ = rig.ask(a, .closeSession)
        var tree = ZnodeTree()
        Rig.replayed(rig.log, onto: &tree)
        let (sessions, nodes) = (tree.sessions.count, tree.nodeCount)
        #expect(sessions == 0)
        #expect(nodes == 4)
        let again = Rig(tree: tree)
        guard case .refused = again.outcome(again.open(), session: first.sessionID, password: first.password) else {
            Issue.record("a closed session came back")
            return
        }
    }
}
