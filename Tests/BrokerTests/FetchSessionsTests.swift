import Bytes
import ClusterModel
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker

@Suite("Fetch sessions")
struct FetchSessionsTests {
    private let simulation = Simulation(seed: 1)
    private var drawn: UInt64 = 100

    private let waiting: WaitingRoom
    private let world: SimulatedWorld

    init() {
        world = simulation.node("a").world
        waiting = WaitingRoom(timers: world.timers, clock: world.clock)
    }

    private func sessions(slots: Int = 10) -> FetchSessions {
        let world = world
        return FetchSessions(
            slots: slots, waiting: waiting, lagMax: .seconds(12), clock: world.clock, random: { world.random() })
    }

    private func request(
        id: Int32 = 0, epoch: Int32, _ offsets: [(String, Int32, Int64)] = [], forget: [(String, Int32)] = []
    ) -> FetchRequest {
        .with {
            $0.sessionID = id
            $0.sessionEpoch = epoch
            $0.topics = offsets.map { topic, partition, offset in
                .with {
                    $0.topic = topic
                    $0.partitions = [
                        .with {
                            $0.partition = partition
                            $0.fetchOffset = offset
                        }
                    ]
                }
            }
            $0.forgottenTopicsData = forget.map { topic, partition in
                .with {
                    $0.topic = topic
                    $0.partitions = [partition]
                }
            }
        }
    }

    private func data(_ highWatermark: Int64, bytes: Int = 0, error: ErrorCode = .none) -> FetchResponse.PartitionData {
        .with {
            $0.highWatermark = highWatermark
            $0.logStartOffset = 0
            $0.errorCode = error
            $0.records = .elsewhere(length: bytes)
        }
    }

    private func plan(_ sessions: FetchSessions, _ request: FetchRequest, version: Int16 = 12) -> FetchSessions.Plan {
        sessions.plan(request, version: version) { _ in nil }
    }

    /// A session over a-0 and b-0, both at high watermark 5.
    private func begun(_ sessions: FetchSessions, isFollower: Bool = false) throws -> Int32 {
        guard case .full(let wanted, begins: true) = plan(sessions, request(epoch: 0, [("a", 0, 0), ("b", 0, 0)]))
        else {
            throw Unexpected()
        }
        let id = sessions.begin(wanted, told: [data(5), data(5)], isFollower: isFollower, usesTopicIDs: false)
        #expect(id > 0)
        return id
    }
    private struct Unexpected: Error {}

    private func incremental(_ plan: FetchSessions.Plan) throws -> FetchSessions.Session {
        guard case .incremental(let session) = plan else { throw Unexpected() }
        return session
    }
    private func refusal(_ plan: FetchSessions.Plan) -> ErrorCode? {
        if case .refused(let code) = plan { code } else { nil }
    }

    @Test("a later fetch names nothing and means all of them") func incrementalFetch() throws {
        let sessions = sessions()
        let id = try begun(sessions)
        let session = try incremental(plan(sessions, request(id: id, epoch: 1)))
        #expect(session.partitions.map(\.topic) == ["a", "b"])
        #expect(session.epoch == 2)
    }

    @Test("only what is new is told: records, another high watermark, an error, and its end") func news() throws {
        let sessions = sessions()
        let id = try begun(sessions)
        var epoch: Int32 = 1
        func told(_ data: [FetchResponse.PartitionData]) throws -> [Bool] {
            let session = try incremental(plan(sessions, request(id: id, epoch: epoch)))
            epoch += 1
            return sessions.news(of: session, data)
        }
        #expect(try told([data(5), data(5)]) == [false, false])
        #expect(try told([data(6), data(5)]) == [true, false])
        #expect(try told([data(6), data(-1, error: .notLeaderOrFollower)]) == [false, true])
        #expect(try told([data(6), data(-1, error: .notLeaderOrFollower)]) == [false, true])
        #expect(try told([data(6), data(5)]) == [false, true])
        #expect(try told([data(6), data(5)]) == [false, false])
    }

    @Test("partitions that brought records go to the end of the order") func order() throws {
        let sessions = sessions()
        let id = try begun(sessions)
        let session = try incremental(plan(sessions, request(id: id, epoch: 1)))
        #expect(sessions.news(of: session, [data(9, bytes: 10), data(5)]) == [true, false])
        #expect(session.partitions.map(\.topic) == ["b", "a"])
    }

    @Test("a fetch may change, add and forget partitions; without any left the session ends") func changes() throws {
        let sessions = sessions()
        let id = try begun(sessions)
        let session = try incremental(
            plan(sessions, request(id: id, epoch: 1, [("a", 0, 7), ("c", 3, 1)], forget: [("b", 0)])))
        #expect(session.partitions.map { "\($0.topic ?? "")-\($0.partition)@\($0.offset)" } == ["a-0@7", "c-3@1"])
        guard
            case .full(let wanted, begins: false) = plan(
                sessions, request(id: id, epoch: 2, forget: [("a", 0), ("c", 3)]))
        else { throw Unexpected() }
        #expect(wanted.isEmpty)
        #expect(sessions.count == 0)
    }

    @Test("wrong ids, epochs and ways of naming topics are refused") func refusals() throws {
        let sessions = sessions()
        let id = try begun(sessions)
        #expect(refusal(plan(sessions, request(id: id &+ 1, epoch: 1))) == .fetchSessionIDNotFound)
        #expect(refusal(plan(sessions, request(id: id, epoch: 2))) == .invalidFetchSessionEpoch)
        #expect(refusal(plan(sessions, request(id: id, epoch: 1), version: 13)) == .fetchSessionTopicIDError)
        // None of these has used up the epoch.
        _ = try incremental(plan(sessions, request(id: id, epoch: 1)))
    }

    @Test("a full fetch ends the session it names; the last epoch ends it for good") func ends() throws {
        let sessions = sessions()
        let id = try begun(sessions)
        guard case .full(_, begins: false) = plan(sessions, request(id: id, epoch: -1, [("a", 0, 0)])) else {
            throw Unexpected()
        }
        #expect(sessions.count == 0)
    }

    @Test("when all slots are taken nobody begins, until one was not used for two minutes") func eviction() throws {
        let sessions = sessions(slots: 1)
        _ = try begun(sessions)
        guard case .full(let wanted, _) = plan(sessions, request(epoch: 0, [("z", 0, 0)])) else { throw Unexpected() }
        #expect(sessions.begin(wanted, told: [data(0)], isFollower: false, usesTopicIDs: false) == 0)
        simulation.run(for: .seconds(121))
        #expect(sessions.begin(wanted, told: [data(0)], isFollower: false, usesTopicIDs: false) != 0)
        #expect(sessions.count == 1)
    }

    @Test("a follower takes the slot of a consumer that has had two minutes, though it is in use") func privilege()
        throws
    {
        let sessions = sessions(slots: 1)
        let id = try begun(sessions)
        simulation.run(for: .seconds(100))
        _ = try incremental(plan(sessions, request(id: id, epoch: 1)))
        simulation.run(for: .seconds(30))
        guard case .full(let wanted, _) = plan(sessions, request(epoch: 0, [("z", 0, 0)])) else { throw Unexpected() }
        #expect(sessions.begin(wanted, told: [data(0)], isFollower: false, usesTopicIDs: false) == 0)
        #expect(sessions.begin(wanted, told: [data(0)], isFollower: true, usesTopicIDs: false) != 0)
    }

    // MARK: Followers

    /// A follower's session over a-0 and b-0 in which everything was looked at and is settled, and where their hosts' places are.
    private func settled(_ sessions: FetchSessions) throws -> (
        session: FetchSessions.Session, places: [WaitingRoom.Place]
    ) {
        let id = try begun(sessions, isFollower: true)
        let session = try incremental(plan(sessions, request(id: id, epoch: 1)))
        _ = session.takeFresh()
        let places = session.due.map { wanted in
            let place = waiting.makePlace()
            sessions.watch(wanted, at: place)
            return place
        }
        #expect(sessions.news(of: session, [data(5), data(5)], isSettled: { _ in true }) == [false, false])
        return (session, places)
    }

    private func due(_ sessions: FetchSessions, _ session: FetchSessions.Session, _ request: FetchRequest? = nil) throws
        -> [String?]
    {
        var request = request ?? FetchRequest()
        request.sessionID = session.id
        request.sessionEpoch = session.epoch
        return try incremental(plan(sessions, request)).due.map(\.topic)
    }

    @Test("a follower's first fetch in a session looks at everything, the next ones only at what is not settled")
    func dueAtFirst() throws {
        let sessions = sessions()
        let id = try begun(sessions, isFollower: true)
        let session = try incremental(plan(sessions, request(id: id, epoch: 1)))
        #expect(session.due.map(\.topic) == ["a", "b"])
        _ = sessions.news(of: session, [data(5), data(5)], isSettled: { $0 == 0 })
        #expect(try due(sessions, session) == ["b"])
        _ = sessions.news(of: session, [data(5)], isSettled: { _ in true })
        #expect(try due(sessions, session) == [])
    }

    @Test("what is named, or woken, is due again; what brought records comes last") func dueAgain() throws {
        let sessions = sessions()
        let (session, places) = try settled(sessions)
        waiting.wake(places[1])
        simulation.run(for: .milliseconds(1))
        #expect(try due(sessions, session, request(epoch: 0, [("a", 0, 7)])) == ["b", "a"])
        #expect(session.takeFresh().map(\.topic) == ["b", "a"])
        #expect(session.takeFresh().isEmpty)
        #expect(sessions.news(of: session, [data(9, bytes: 10), data(5)], isSettled: { _ in false }) == [true, false])
        #expect(try due(sessions, session) == ["a", "b"])
    }

    @Test("a place that is woken asks the fetch that waits, once; a place that goes ends its wait") func parked() throws
    {
        let sessions = sessions()
        let (session, places) = try settled(sessions)
        var asked = 0
        var endings: [WaitingRoom.Ending] = []
        session.parked = waiting.park(
            at: [], until: simulation.now + .seconds(60), reason: "test",
            isOver: {
                asked += 1; return false
            }
        ) { endings.append($0) }
        for place in places { waiting.wake(place) }
        simulation.run(for: .milliseconds(1))
        #expect(asked == 1 && endings.isEmpty)
        waiting.close(places[0])
        #expect(endings == [.satisfied])
        #expect(try due(sessions, session) == ["a", "b"])
        // Another partition may stand at its place now, and is nothing to the session.
        _ = sessions.news(of: session, [data(5), data(5)], isSettled: { _ in true })
        waiting.wake(waiting.makePlace())
        simulation.run(for: .milliseconds(1))
        #expect(try due(sessions, session) == [])
    }

    @Test("everything is due every quarter of the longest lag, and in a new life of the follower") func survey() throws
    {
        let sessions = sessions()
        let (session, _) = try settled(sessions)
        simulation.run(for: .milliseconds(2_900))
        #expect(try due(sessions, session) == [])
        simulation.run(for: .milliseconds(200))
        #expect(try due(sessions, session) == ["a", "b"])
        _ = sessions.news(of: session, [data(5), data(5)], isSettled: { _ in true })
        let newLife = FetchRequest.with { $0.replicaState.replicaEpoch = 77 }
        #expect(try due(sessions, session, newLife) == ["a", "b"])
    }

    @Test("what is forgotten, and a session that has ended, is not woken any more") func unwatched() throws {
        let sessions = sessions()
        let (session, places) = try settled(sessions)
        #expect(try due(sessions, session, request(epoch: 0, forget: [("a", 0)])) == [])
        waiting.wake(places[0])
        simulation.run(for: .milliseconds(1))
        #expect(try due(sessions, session) == [])
        _ = plan(sessions, request(id: session.id, epoch: -1, [("b", 0, 0)]))
        waiting.wake(places[1])
        simulation.run(for: .milliseconds(1))
        #expect(session.due.isEmpty)
        // Its fetch may still be under way: it watches nothing anew.
        sessions.watch(session.partitions[0], at: places[1])
        waiting.wake(places[1])
        simulation.run(for: .milliseconds(1))
        #expect(session.due.isEmpty)
    }
}
