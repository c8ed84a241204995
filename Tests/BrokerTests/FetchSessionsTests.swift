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

    private func sessions(slots: Int = 10) -> FetchSessions {
        let world: SimulatedWorld = simulation.node("a").world
        return FetchSessions(slots: slots, clock: world.clock, random: { world.random() })
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
    private func begun(_ sessions: FetchSessions) throws -> Int32 {
        guard case .full(let wanted, begins: true) = plan(sessions, request(epoch: 0, [("a", 0, 0), ("b", 0, 0)]))
        else {
            throw Unexpected()
        }
        let id = sessions.begin(wanted, told: [data(5), data(5)], isFollower: false, usesTopicIDs: false)
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
}
