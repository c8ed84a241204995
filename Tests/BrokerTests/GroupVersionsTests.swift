import ConsumerGroups
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker

@Suite("Replies about groups")
struct GroupVersionsTests {
    /// Asks in every version spoken, as a client of that version can, and writes the reply in it.
    func everyVersion<R: RequestMessage>(
        _ scene: GroupScene, _ request: R, _ ask: (R, Int16, @escaping (R.Response) -> Void) -> Void
    ) throws {
        for version in R.spoken.versions {
            let reply = try #require(scene.get { then in ask(request, version, then) })
            var writer = WireWriter(capacity: 256)
            #expect(throws: Never.self, "\(R.key) version \(version)") {
                try reply.encode(version: version, into: &writer)
            }
        }
    }

    @Test("can be written in every version") func all() throws {
        let scene = GroupScene()
        let driver = scene.start(1)
        let member = try #require(scene.consumer(driver))
        _ = scene.commit(driver, 5, group: "simple", epoch: 2, metadata: "m")
        let client = ClientIdentity(clientID: "c", host: "/1.2.3.4")

        var commit = OffsetCommitRequest()
        commit.groupID = "simple"
        var committed = OffsetCommitRequest.OffsetCommitRequestTopic()
        committed.name = "t"
        committed.partitions = [OffsetCommitRequest.OffsetCommitRequestPartition()]
        commit.topics = [committed]
        try everyVersion(scene, commit) { driver.offsetCommit($0, version: $1, then: $2) }

        for group in ["simple", "none"] {
            var fetch = OffsetFetchRequest()
            fetch.groupID = group
            var topic = OffsetFetchRequest.OffsetFetchRequestTopic()
            topic.name = "t"
            topic.partitionIndexes = [0, 1]
            fetch.topics = [topic]
            var asked = OffsetFetchRequest.OffsetFetchRequestGroup()
            asked.groupID = group
            fetch.groups = [asked]
            try everyVersion(scene, fetch) { driver.offsetFetch($0, version: $1, then: $2) }
        }

        for key in ["g", "other"] {
            var find = FindCoordinatorRequest()
            find.key = key
            find.coordinatorKeys = [key]
            for type in [0, 1, 2] as [Int8] {
                find.keyType = type
                try everyVersion(scene, find) {
                    driver.findCoordinator($0, version: $1, listener: "PLAINTEXT", then: $2)
                }
            }
        }

        var join = JoinGroupRequest()
        join.groupID = "g"
        join.memberID = "stranger"
        join.sessionTimeoutMs = 10_000
        join.protocolType = "consumer"
        try everyVersion(scene, join) { driver.joinGroup($0, version: $1, from: client, then: $2) }
        join.memberID = member
        var offered = JoinGroupRequest.JoinGroupRequestProtocol()
        offered.name = "range"
        offered.metadata = [1]
        join.protocols = [offered]
        try everyVersion(scene, join) { driver.joinGroup($0, version: $1, from: client, then: $2) }

        var sync = SyncGroupRequest()
        sync.groupID = "g"
        sync.memberID = member
        try everyVersion(scene, sync) { driver.syncGroup($0, version: $1, then: $2) }

        var beat = HeartbeatRequest()
        beat.groupID = "g"
        beat.memberID = member
        try everyVersion(scene, beat) { request, _, then in driver.heartbeat(request, then: then) }

        var describe = DescribeGroupsRequest()
        describe.groups = ["g", "none", "simple"]
        try everyVersion(scene, describe) { request, _, then in driver.describeGroups(request, then: then) }
        try everyVersion(scene, ListGroupsRequest()) { request, _, then in driver.listGroups(request, then: then) }

        var offsets = OffsetDeleteRequest()
        offsets.groupID = "simple"
        var deleted = OffsetDeleteRequest.OffsetDeleteRequestTopic()
        deleted.name = "t"
        deleted.partitions = [OffsetDeleteRequest.OffsetDeleteRequestPartition()]
        offsets.topics = [deleted]
        try everyVersion(scene, offsets) { request, _, then in driver.offsetDelete(request, then: then) }

        var leave = LeaveGroupRequest()
        leave.groupID = "g"
        leave.memberID = member
        var identity = LeaveGroupRequest.MemberIdentity()
        identity.memberID = member
        leave.members = [identity]
        try everyVersion(scene, leave) { driver.leaveGroup($0, version: $1, then: $2) }

        var delete = DeleteGroupsRequest()
        delete.groupsNames = ["simple", "none"]
        try everyVersion(scene, delete) { request, _, then in driver.deleteGroups(request, then: then) }
    }
}
