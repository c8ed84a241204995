import Bytes
import ClusterModel
import ConsumerGroups
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker

/// What the tests say of the cluster.
final class PretendFacts: ClusterFacts {
    var topics: [String: TopicFact] = ["t": TopicFact(id: UUID128(high: 1, low: 1), partitionCount: 2000)]
    var liveBrokerIDs: [BrokerID] = [1]
    func topicFact(_ name: String) -> TopicFact? { topics[name] }
    func endpoint(of broker: BrokerID, listener: String) -> (host: String, port: Int32)? {
        listener == "PLAINTEXT" ? ("host\(broker)", 9092) : nil
    }
}

/// Brokers with nothing but groups, over one tree.
final class GroupScene {
    let simulation = Simulation(seed: 5)
    let tree = PretendTree()
    let facts = PretendFacts()
    var sessions: [BrokerID: PretendSession] = [:]
    var drivers: [BrokerID: GroupDriver] = [:]
    var settings = GroupSettings()

    init(_ change: (inout GroupSettings) -> Void = { _ in }) {
        settings.initialRebalanceDelay = .milliseconds(100)
        change(&settings)
    }

    @discardableResult
    func start(_ id: BrokerID) -> GroupDriver {
        let world: SimulatedWorld = simulation.node("broker-\(id)").world
        tree.wallMs = { world.clock.wallMs }
        let session = PretendSession(world, tree, id: 100 + Int64(id.raw))
        let driver = GroupDriver(world: world, me: id, tree: session, facts: facts, settings: settings)
        sessions[id] = session
        drivers[id] = driver
        driver.sessionBegan()
        simulation.run(for: .seconds(3))
        return driver
    }

    func get<T>(_ ask: (@escaping (T) -> Void) -> Void, within limit: Duration = .seconds(30)) -> T? {
        var answer: T?
        ask { answer = $0 }
        simulation.run(within: limit) { answer != nil }
        return answer
    }

    func commit(
        _ driver: GroupDriver, _ offset: Int64, group: String = "g", topic: String = "t", partitions: [Int32] = [0],
        epoch: Int32 = -1, metadata: String? = nil, version: Int16 = 9
    ) -> ErrorCode? {
        get { then in
            self.send(
                driver, offset, group: group, topic: topic, partitions: partitions, epoch: epoch, metadata: metadata,
                version: version, then)
        }
    }

    func send(
        _ driver: GroupDriver, _ offset: Int64, group: String = "g", topic: String = "t", partitions: [Int32] = [0],
        epoch: Int32 = -1, metadata: String? = nil, version: Int16 = 9, _ then: @escaping (ErrorCode) -> Void
    ) {
        var request = OffsetCommitRequest()
        request.groupID = group
        var named = OffsetCommitRequest.OffsetCommitRequestTopic()
        named.name = topic
        named.partitions = partitions.map {
            var slot = OffsetCommitRequest.OffsetCommitRequestPartition()
            slot.partitionIndex = $0
            slot.committedOffset = offset
            slot.committedLeaderEpoch = epoch
            slot.committedMetadata = metadata
            return slot
        }
        request.topics = [named]
        driver.offsetCommit(request, version: version) { then($0.topics[0].partitions[0].errorCode) }
    }

    func fetch(
        _ driver: GroupDriver, group: String = "g", topic: String = "t", partition: Int32 = 0, version: Int16 = 9
    )
        -> (error: ErrorCode, offset: Int64, epoch: Int32, metadata: String?)?
    {
        var request = OffsetFetchRequest()
        if version >= 8 {
            var asked = OffsetFetchRequest.OffsetFetchRequestGroup()
            asked.groupID = group
            var named = OffsetFetchRequest.OffsetFetchRequestTopics()
            named.name = topic
            named.partitionIndexes = [partition]
            asked.topics = [named]
            request.groups = [asked]
        } else {
            request.groupID = group
            var named = OffsetFetchRequest.OffsetFetchRequestTopic()
            named.name = topic
            named.partitionIndexes = [partition]
            request.topics = [named]
        }
        guard let response = get({ driver.offsetFetch(request, version: version, then: $0) }) else { return nil }
        if version >= 8 {
            guard let slot = response.groups.first?.topics.first?.partitions.first else {
                return (response.groups.first?.errorCode ?? .none, -2, -2, nil)
            }
            return (slot.errorCode, slot.committedOffset, slot.committedLeaderEpoch, slot.metadata)
        }
        guard let slot = response.topics.first?.partitions.first else { return (response.errorCode, -2, -2, nil) }
        return (slot.errorCode, slot.committedOffset, slot.committedLeaderEpoch, slot.metadata)
    }

    func owner(_ driver: GroupDriver, group: String = "g") -> FindCoordinatorResponse.Coordinator? {
        var request = FindCoordinatorRequest()
        request.coordinatorKeys = [group]
        return get { driver.findCoordinator(request, version: 4, listener: "PLAINTEXT", then: $0) }?.coordinators.first
    }

    /// A stable group of one member.
    func consumer(_ driver: GroupDriver, group: String = "g", metadata: [UInt8] = [1], assignment: [UInt8] = [7])
        -> String?
    {
        var join = JoinGroupRequest()
        join.groupID = group
        join.sessionTimeoutMs = 10_000
        join.rebalanceTimeoutMs = 10_000
        join.protocolType = "consumer"
        var offered = JoinGroupRequest.JoinGroupRequestProtocol()
        offered.name = "range"
        offered.metadata = metadata
        join.protocols = [offered]
        let client = ClientIdentity(clientID: "c", host: "/1.2.3.4")
        guard let joined = get({ driver.joinGroup(join, version: 3, from: client, then: $0) }),
            joined.errorCode == .none
        else { return nil }
        var sync = SyncGroupRequest()
        sync.groupID = group
        sync.generationID = joined.generationID
        sync.memberID = joined.memberID
        var given = SyncGroupRequest.SyncGroupRequestAssignment()
        given.memberID = joined.memberID
        given.assignment = assignment
        sync.assignments = [given]
        guard let synced = get({ driver.syncGroup(sync, version: 3, then: $0) }), synced.errorCode == .none else {
            return nil
        }
        return joined.memberID
    }

    func beat(_ driver: GroupDriver, _ member: String, group: String = "g", generation: Int32 = 1) -> ErrorCode? {
        var request = HeartbeatRequest()
        request.groupID = group
        request.memberID = member
        request.generationID = generation
        return get { driver.heartbeat(request, then: $0) }?.errorCode
    }

    func delete(_ driver: GroupDriver, _ group: String = "g") -> ErrorCode? {
        var request = DeleteGroupsRequest()
        request.groupsNames = [group]
        return get { driver.deleteGroups(request, then: $0) }?.results.first?.errorCode
    }
}

@Suite("A group's owner")
struct GroupDriverTests {
    @Test("claims all buckets of a lone broker in a few multis, and names itself") func claims() {
        let scene = GroupScene()
        let driver = scene.start(1)
        #expect(driver.ownership.buckets.allSatisfy { if case .serving = $0.standing { true } else { false } })
        #expect(scene.tree.multis.count <= 6)
        #expect(scene.tree.text("/letterbox/groups/63/owner") == "1")
        let found = scene.owner(driver)
        #expect(found?.nodeID == 1)
        #expect(found?.host == "host1")
        #expect(found?.errorCode == ErrorCode.none)
    }

    @Test("writes exactly the decimal offset, and the rest beside it") func layout() {
        let scene = GroupScene()
        let driver = scene.start(1)
        #expect(scene.commit(driver, 42) == ErrorCode.none)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "42")
        #expect(scene.tree.text("/consumers/g/offsets/t") == UUID128(high: 1, low: 1).text)
        #expect(scene.tree.text("/consumers/g/offsets/t/0/meta") == nil)
        #expect(scene.commit(driver, 43, epoch: 7, metadata: "here\nand there") == ErrorCode.none)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "43")
        #expect(scene.tree.text("/consumers/g/offsets/t/0/meta") == "43 7 -1\nhere\nand there")
        let fetched = scene.fetch(driver)
        #expect(fetched?.offset == 43)
        #expect(fetched?.epoch == 7)
        #expect(fetched?.metadata == "here\nand there")
        #expect(scene.commit(driver, 44) == ErrorCode.none)
        #expect(scene.tree.text("/consumers/g/offsets/t/0/meta") == nil)
        #expect(
            scene.tree.multis.last?.first == .check("/letterbox/groups/\(GroupOwnership.bucket(of: "g"))", version: 0))
    }

    @Test("shares a multi among commits that wait together") func shares() {
        let scene = GroupScene()
        let driver = scene.start(1)
        _ = scene.commit(driver, 1)
        let before = scene.tree.multis.count
        var answers: [ErrorCode] = []
        for offset in 2..<52 { scene.send(driver, Int64(offset)) { answers.append($0) } }
        scene.simulation.run { answers.count == 50 }
        #expect(answers.allSatisfy { $0 == .none })
        #expect(scene.tree.multis.count - before == 2)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "51")
    }

    @Test("writes a commit of a thousand partitions in one piece, and refuses one that no multi can hold") func large()
    {
        let scene = GroupScene { $0.offsetMetadataMaxBytes = 4096 }
        let driver = scene.start(1)
        #expect(scene.commit(driver, 5, partitions: Array(0..<1500), epoch: 1) == ErrorCode.none)
        #expect(scene.tree.text("/consumers/g/offsets/t/1499") == "5")
        let long = String(repeating: "x", count: 4000)
        #expect(scene.commit(driver, 6, partitions: Array(0..<200), metadata: long) == .invalidCommitOffsetSize)
        #expect(scene.commit(driver, 7) == ErrorCode.none)
    }

    @Test("tries each commit alone when somebody else has been at the nodes") func alone() {
        let scene = GroupScene()
        let driver = scene.start(1)
        _ = scene.commit(driver, 1)
        _ = scene.commit(driver, 1, group: "other")
        scene.tree.remove("/consumers/g/offsets/t/0")
        scene.tree.put("/consumers/g/offsets/t/1", "9")
        #expect(scene.commit(driver, 2, partitions: [0, 1]) == ErrorCode.none)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "2")
        #expect(scene.tree.text("/consumers/g/offsets/t/1") == "2")
    }

    @Test("reads again what it cannot know the outcome of") func unknownOutcome() {
        let scene = GroupScene()
        let driver = scene.start(1)
        scene.sessions[1]?.losesNextAnswer = true
        #expect(scene.commit(driver, 5, epoch: 3) == ErrorCode.none)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "5")
        #expect(scene.fetch(driver)?.offset == 5)
    }

    @Test("finds its claims when the answer to them was lost") func lostClaim() {
        let scene = GroupScene()
        let world: SimulatedWorld = scene.simulation.node("broker-1").world
        let session = PretendSession(world, scene.tree, id: 7)
        let driver = GroupDriver(world: world, me: 1, tree: session, facts: scene.facts, settings: scene.settings)
        driver.sessionBegan()
        scene.simulation.run { !driver.ownership.buckets.contains { !$0.isKnown } }
        session.losesNextAnswer = true
        scene.simulation.run(for: .seconds(3))
        #expect(driver.ownership.buckets.allSatisfy { if case .serving = $0.standing { true } else { false } })
        #expect(scene.commit(driver, 5) == ErrorCode.none)
    }

    @Test("goes on where the last one stopped: members, assignments, offsets") func takeOver() throws {
        let scene = GroupScene()
        let first = scene.start(1)
        let member = try #require(scene.consumer(first))
        _ = scene.commit(first, 5, group: "simple", epoch: 2, metadata: "m")
        scene.facts.liveBrokerIDs = [2]
        scene.start(2)
        #expect(scene.owner(first)?.nodeID == -1)
        scene.sessions[1]?.expire()
        first.sessionEnded()
        scene.simulation.run(for: .seconds(3))
        let second = try #require(scene.drivers[2])
        #expect(scene.owner(second)?.nodeID == 2)
        #expect(scene.beat(second, member) == ErrorCode.none)
        #expect(scene.beat(first, member) == .notCoordinator)
        #expect(scene.fetch(second, group: "simple")?.metadata == "m")
        #expect(scene.commit(first, 6, group: "simple") == .notCoordinator)
        var describe = DescribeGroupsRequest()
        describe.groups = ["g"]
        let described = scene.get { second.describeGroups(describe, then: $0) }?.groups.first
        #expect(described?.groupState == "Stable")
        #expect(described?.members.first?.memberAssignment == [7])
    }

    @Test("that was replaced without noticing cannot write") func fenced() {
        let scene = GroupScene()
        let driver = scene.start(1)
        _ = scene.commit(driver, 1)
        let bucket = GroupOwnership.bucket(of: "g")
        scene.tree.put("/letterbox/groups/\(bucket)", "2")
        #expect(scene.commit(driver, 2) == .notCoordinator)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "1")
    }

    @Test("answers from memory without the coordinator, until a session's time has passed") func disconnected() throws {
        let scene = GroupScene()
        let driver = scene.start(1)
        let member = try #require(scene.consumer(driver))
        scene.sessions[1]?.isConnected = false
        #expect(scene.beat(driver, member) == ErrorCode.none)
        let before = scene.simulation.now
        #expect(scene.commit(driver, 5, group: "simple") == .coordinatorNotAvailable)
        #expect(scene.simulation.now - before >= .seconds(5))
        #expect(scene.beat(driver, member) == ErrorCode.none)
        scene.simulation.run(for: .seconds(8))
        #expect(scene.beat(driver, member) == ErrorCode.none)
        scene.simulation.run(for: .seconds(6))
        #expect(scene.beat(driver, member) == .notCoordinator)
        scene.sessions[1]?.isConnected = true
        scene.simulation.run(for: .seconds(1))
        #expect(scene.fetch(driver, group: "simple")?.offset == 5)
    }

    @Test("begins a new session with no roles, and claims again") func newSession() {
        let scene = GroupScene()
        let driver = scene.start(1)
        _ = scene.commit(driver, 5)
        var answer: ErrorCode?
        scene.sessions[1]?.isConnected = false
        scene.send(driver, 6) { answer = $0 }
        scene.simulation.run(for: .seconds(1))
        scene.sessions[1]?.expire()
        driver.sessionEnded()
        scene.simulation.run(for: .seconds(1))
        #expect(answer == .notCoordinator)
        #expect(scene.fetch(driver)?.error == .notCoordinator)
        scene.sessions[1]?.renew(200)
        driver.sessionBegan()
        scene.simulation.run(for: .seconds(3))
        #expect(scene.fetch(driver)?.offset == 5)
        #expect(scene.tree.version("/letterbox/groups/\(GroupOwnership.bucket(of: "g"))") == 1)
    }

    @Test("hands buckets over to a newcomer, without losing an offset") func handOver() throws {
        let scene = GroupScene()
        let first = scene.start(1)
        for number in 0..<20 { _ = scene.commit(first, Int64(number), group: "g\(number)") }
        scene.facts.liveBrokerIDs = [1, 2]
        let second = scene.start(2)
        #expect(scene.owner(second, group: "g3")?.nodeID == 1)
        scene.simulation.run(for: .seconds(35))
        for number in 0..<20 {
            let owner = try #require(scene.owner(first, group: "g\(number)"))
            #expect(owner.nodeID == scene.owner(second, group: "g\(number)")?.nodeID)
            let chosen = GroupOwnership.choice(for: GroupOwnership.bucket(of: "g\(number)"), among: [1, 2])
            #expect(owner.nodeID == chosen?.raw)
            let driver = try #require(scene.drivers[BrokerID(owner.nodeID)])
            #expect(scene.fetch(driver, group: "g\(number)")?.offset == Int64(number))
        }
    }

    @Test("keeps a generation larger than a node in chunks, and collects the former ones") func chunks() throws {
        let scene = GroupScene()
        let driver = scene.start(1)
        let big = [UInt8](repeating: 3, count: 700 << 10)
        let member = try #require(scene.consumer(driver, metadata: [1], assignment: big))
        #expect(scene.tree.nodes.keys.filter { $0.hasPrefix("/consumers/g/group/") }.count == 2)
        scene.sessions[1]?.expire()
        driver.sessionEnded()
        scene.sessions[1]?.renew(300)
        driver.sessionBegan()
        scene.simulation.run(for: .seconds(3))
        #expect(scene.beat(driver, member) == ErrorCode.none)
        scene.simulation.run(for: .seconds(15))
        #expect(scene.tree.nodes.keys.filter { $0.hasPrefix("/consumers/g/group/") }.isEmpty)
        #expect(scene.delete(driver) == ErrorCode.none)
        #expect(scene.tree.nodes["/consumers/g"] == nil)
    }

    @Test("deletes a group with all it has, but not what others have put there") func delete() {
        let scene = GroupScene()
        let driver = scene.start(1)
        _ = scene.commit(driver, 5, partitions: Array(0..<1200), epoch: 1)
        _ = scene.commit(driver, 5, group: "kept")
        scene.tree.put("/consumers/kept/owners", "")
        scene.sessions[1]?.failsNextMulti = TreeFailure(.notEmpty, operation: 3)
        #expect(scene.delete(driver, "kept") == ErrorCode.none)
        #expect(scene.tree.nodes["/consumers/kept/offsets"] == nil)
        #expect(scene.tree.nodes["/consumers/kept/owners"] != nil)
        #expect(scene.delete(driver) == ErrorCode.none)
        #expect(scene.tree.nodes["/consumers/g"] == nil)
        #expect(scene.delete(driver) == .groupIDNotFound)
    }

    @Test("removes a topic's offsets with the topic, and those of an older topic of its name") func topics() {
        let scene = GroupScene()
        let driver = scene.start(1)
        _ = scene.commit(driver, 5)
        driver.topicDeleted("t", id: UUID128(high: 1, low: 1))
        scene.simulation.run(for: .seconds(1))
        #expect(scene.tree.nodes["/consumers/g/offsets/t"] == nil)
        _ = scene.commit(driver, 5, partitions: [3])
        scene.facts.topics["t"] = TopicFact(id: UUID128(high: 2, low: 2), partitionCount: 9)
        #expect(scene.fetch(driver, partition: 3)?.offset == -1)
        #expect(scene.commit(driver, 1) == ErrorCode.none)
        #expect(scene.tree.nodes["/consumers/g/offsets/t/3"] == nil)
        #expect(scene.tree.text("/consumers/g/offsets/t") == UUID128(high: 2, low: 2).text)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "1")
    }

    @Test("takes over what old consumers have left, under the topic's present id") func adopts() {
        let scene = GroupScene()
        for (path, text) in [
            ("/consumers/old", ""), ("/consumers/old/ids", ""), ("/consumers/old/offsets", ""),
            ("/consumers/old/offsets/t", ""), ("/consumers/old/offsets/t/0", "17"),
        ] { scene.tree.put(path, text) }
        let driver = scene.start(1)
        #expect(scene.fetch(driver, group: "old")?.offset == 17)
        #expect(scene.commit(driver, 18, group: "old") == ErrorCode.none)
        #expect(scene.tree.text("/consumers/old/offsets/t") == UUID128(high: 1, low: 1).text)
    }

    @Test("ignores metadata that belongs to another offset") func metaMismatch() {
        let scene = GroupScene()
        let first = scene.start(1)
        _ = scene.commit(first, 5, epoch: 3, metadata: "old")
        scene.tree.put("/consumers/g/offsets/t/0", "6")
        scene.sessions[1]?.expire()
        first.sessionEnded()
        scene.sessions[1]?.renew(300)
        first.sessionBegan()
        scene.simulation.run(for: .seconds(3))
        let fetched = scene.fetch(first)
        #expect(fetched?.offset == 6)
        #expect(fetched?.epoch == -1)
        #expect(fetched?.metadata == "")
    }

    @Test("reads version 0 at any broker, and writes it only as the owner") func versionZero() {
        let scene = GroupScene()
        let driver = scene.start(1)
        #expect(scene.commit(driver, 3, version: 0) == ErrorCode.none)
        #expect(scene.fetch(driver)?.offset == 3)
        #expect(scene.fetch(driver, version: 0)?.offset == 3)
        #expect(scene.fetch(driver, group: "none", version: 0)?.error == .unknownTopicOrPartition)
        let other = scene.start(2)
        #expect(scene.fetch(other, version: 0)?.offset == 3)
        #expect(scene.commit(other, 4, version: 0) == .notCoordinator)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "3")
        #expect(scene.commit(driver, 5) == ErrorCode.none)
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "5")
    }

    @Test("tells versions apart where a refusal looks different") func refusals() {
        let scene = GroupScene()
        let world: SimulatedWorld = scene.simulation.node("x").world
        let session = PretendSession(world, scene.tree, id: 9)
        let driver = GroupDriver(world: world, me: 9, tree: session, facts: scene.facts, settings: scene.settings)
        #expect(scene.fetch(driver, version: 1)?.offset == -2)
        #expect(scene.fetch(driver, version: 5)?.error == .notCoordinator)
        #expect(scene.fetch(driver, version: 8)?.error == .notCoordinator)
        var find = FindCoordinatorRequest()
        find.key = "g"
        let old = scene.get { driver.findCoordinator(find, version: 1, listener: "PLAINTEXT", then: $0) }
        #expect(old?.errorCode == .coordinatorNotAvailable)
        #expect(old?.nodeID == -1)
        #expect(old?.port == -1)
        find.keyType = 9
        let bad = scene.get { driver.findCoordinator(find, version: 1, listener: "PLAINTEXT", then: $0) }
        #expect(bad?.errorCode == .invalidRequest)
    }

    @Test("forgets what nobody uses, in the tree too") func expires() {
        let scene = GroupScene {
            $0.offsetsRetention = .seconds(60)
            $0.retentionCheckInterval = .seconds(30)
        }
        let driver = scene.start(1)
        _ = scene.commit(driver, 5)
        scene.simulation.run(for: .seconds(50))
        #expect(scene.tree.text("/consumers/g/offsets/t/0") == "5")
        scene.simulation.run(for: .seconds(50))
        #expect(scene.tree.nodes["/consumers/g"] == nil)
        #expect(driver.catalog.groups.isEmpty)
    }
}
