import KafkaProtocol
import Platform
import Testing

@testable import ConsumerGroups

@Suite("Joining a group")
struct JoiningTests {
    @Test("is refused with a session timeout outside the bounds") func sessionBounds() {
        let stage = Stage()
        for session in [5_999, 1_800_001] as [Int32] {
            let token = stage.join(Stage.request(session: session))
            #expect(stage.joined(token)?.errorCode == .invalidSessionTimeout)
        }
        #expect(stage.group() == nil)
    }

    @Test("creates the group for somebody new, and knows no member of a group that is not there") func unknownGroup() {
        let stage = Stage()
        let stranger = stage.join(Stage.request("m"))
        #expect(stage.joined(stranger)?.errorCode == .unknownMemberID)
        #expect(stage.group() == nil)
        _ = stage.join(Stage.request())
        #expect(stage.state() == .empty)
    }

    @Test("answers every refusal in one shape") func refusalShape() {
        let stage = Stage()
        let answer = stage.joined(stage.join(Stage.request("m")))
        #expect(answer?.generationID == -1)
        #expect(answer?.protocolName == nil)
        #expect(answer?.protocolType == nil)
        #expect(answer?.leader == "")
        #expect(answer?.memberID == "m")
        #expect(answer?.members.isEmpty == true)
    }

    @Test("needs a group name, and an owner that has loaded it") func status() {
        let stage = Stage()
        #expect(stage.joined(stage.join(Stage.request(group: "")))?.errorCode == .invalidGroupID)
        stage.catalog.bucketLost(GroupOwnership.bucket(of: "g"), into: &stage.effects)
        #expect(stage.joined(stage.join(Stage.request()))?.errorCode == .notCoordinator)
        stage.catalog.bucketLoading(GroupOwnership.bucket(of: "g"))
        #expect(stage.joined(stage.join(Stage.request()))?.errorCode == .coordinatorLoadInProgress)
        stage.catalog.hasAuthority = false
        #expect(stage.joined(stage.join(Stage.request()))?.errorCode == .notCoordinator)
    }

    @Test("gives a dynamic member an id first, and takes it in when it comes back with it") func memberIDRequired() {
        let stage = Stage()
        let first = stage.joined(stage.join(Stage.request()))
        #expect(first?.errorCode == .memberIDRequired)
        #expect(first?.memberID == "c-id1")
        #expect(stage.group()?.members.isEmpty == true)
        let second = stage.join(Stage.request("c-id1"))
        stage.pass(.seconds(3))
        #expect(stage.joined(second)?.errorCode == ErrorCode.none)
        #expect(stage.joined(second)?.generationID == 1)
        #expect(stage.joined(second)?.leader == "c-id1")
    }

    @Test("forgets an id that nobody joins with within its session timeout") func pendingExpires() {
        let stage = Stage()
        _ = stage.join(Stage.request())
        stage.pass(.milliseconds(9_999))
        #expect(stage.group()?.pending.count == 1)
        #expect(stage.heartbeat("c-id1") == .unknownMemberID)
        stage.pass(.milliseconds(1))
        #expect(stage.group() == nil)
        #expect(stage.joined(stage.join(Stage.request("c-id1")))?.errorCode == .unknownMemberID)
    }

    @Test("takes old clients and static members in at once") func atOnce() {
        let stage = Stage()
        let old = stage.joinOld()
        let fixed = stage.join(Stage.request(instance: "i"))
        stage.pass(.seconds(9))
        #expect(stage.joined(old)?.memberID == "c-id1")
        #expect(stage.joined(fixed)?.memberID == "i-id2")
    }

    @Test("needs a protocol, the group's type, and something all offer") func protocols() {
        let stage = Stage()
        #expect(stage.joined(stage.joinOld(Stage.request("", [])))?.errorCode == .inconsistentGroupProtocol)
        #expect(stage.joined(stage.joinOld(Stage.request(type: "")))?.errorCode == .inconsistentGroupProtocol)
        _ = stage.stableGroup(1)
        #expect(stage.joined(stage.joinOld(Stage.request(type: "connect")))?.errorCode == .inconsistentGroupProtocol)
        let other = stage.joinOld(Stage.request("", [("sticky", [])]))
        #expect(stage.joined(other)?.errorCode == .inconsistentGroupProtocol)
    }

    @Test("is refused when the group is full, with no member id") func full() {
        let stage = Stage { $0.maxSize = 2 }
        let members = stage.stableGroup(2)
        let refused = stage.joined(stage.joinOld())
        #expect(refused?.errorCode == .groupMaxSizeReached)
        #expect(refused?.memberID == "")
        let known = stage.join(Stage.request(members[1]))
        #expect(stage.joined(known)?.errorCode == ErrorCode.none)
    }

    @Test("again in CompletingRebalance with the same protocols gets the same answer; with others it rebalances")
    func completing() {
        let stage = Stage()
        let token = stage.joinOld()
        stage.pass(.seconds(3))
        let first = stage.joined(token)
        #expect(stage.state() == .completingRebalance)
        let again = stage.joined(stage.join(Stage.request(first?.memberID ?? "")))
        #expect(again?.generationID == 1)
        #expect(again?.members.count == 1)
        let changed = stage.joined(stage.join(Stage.request(first?.memberID ?? "", [("range", [2])])))
        #expect(changed?.generationID == 2)
    }

    @Test("again in Stable: a follower with nothing new stays; the leader or new metadata rebalance") func stable() {
        let stage = Stage()
        let members = stage.stableGroup(2)
        #expect(stage.state() == .stable)
        let same = stage.joined(stage.join(Stage.request(members[1])))
        #expect(same?.generationID == 1)
        #expect(same?.leader == members[0])
        #expect(same?.members.isEmpty == true)
        #expect(stage.state() == .stable)
        let changed = stage.join(Stage.request(members[1], [("range", [2])]))
        #expect(stage.joined(changed) == nil)
        #expect(stage.state() == .preparingRebalance)
        let leader = stage.join(Stage.request(members[0]))
        #expect(stage.joined(leader)?.generationID == 2)
        #expect(stage.joined(changed)?.generationID == 2)
    }

    @Test("a group that is being deleted is not available") func dead() {
        let stage = Stage()
        _ = stage.commit(5)
        stage.treeAnswers = false
        _ = stage.deleteGroup()
        #expect(stage.joined(stage.joinOld())?.errorCode == .coordinatorNotAvailable)
        #expect(stage.heartbeat("m") == .coordinatorNotAvailable)
        #expect(stage.synced(stage.sync("m"))?.errorCode == .coordinatorNotAvailable)
    }
}

@Suite("A static member")
struct StaticMemberTests {
    /// A stable group of two static members, `a` leading.
    func two(_ stage: Stage) -> [String] {
        let tokens = ["a", "b"].map { stage.join(Stage.request(instance: $0, [("range", [1]), ("sticky", [1])])) }
        stage.pass(.seconds(9))
        let members = tokens.compactMap { stage.joined($0)?.memberID }
        _ = stage.sync(members[1], instance: "b")
        _ = stage.sync(members[0], instance: "a", [(members[0], [7]), (members[1], [8])])
        return members
    }

    @Test("comes back without its id and keeps its place: no rebalance, and its record is written") func replaced() {
        let stage = Stage()
        let members = two(stage)
        stage.treeAnswers = false
        let back = stage.join(Stage.request(instance: "b", [("range", [1]), ("sticky", [1])]))
        #expect(stage.joined(back) == nil)
        guard case .generation(let image)? = stage.writes.first?.change else {
            Issue.record("no generation written")
            return
        }
        #expect(image.members.map(\.instanceID) == ["a", "b"])
        #expect(image.members.map(\.assignment) == [[7], [8]])
        stage.treeSays(.written)
        let answer = stage.joined(back)
        #expect(answer?.generationID == 1)
        #expect(answer?.memberID == "b-id3")
        #expect(answer?.leader == members[0])
        #expect(stage.state() == .stable)
        #expect(stage.synced(stage.sync("b-id3", instance: "b"))?.assignment == [8])
        #expect(stage.heartbeat(members[1], instance: "b") == .fencedInstanceID)
        #expect(stage.synced(stage.sync(members[1], instance: "b"))?.errorCode == .fencedInstanceID)
        #expect(stage.commitError(stage.commit(1, members[1], generation: 1, instance: "b")) == .fencedInstanceID)
        #expect(stage.joined(stage.join(Stage.request(members[1], instance: "b")))?.errorCode == .fencedInstanceID)
    }

    @Test("as a leader learns from version 9 on that its assignment is not asked for") func leaderSkips() {
        let stage = Stage()
        _ = two(stage)
        let back = stage.joined(stage.join(Stage.request(instance: "a", [("range", [1]), ("sticky", [1])])))
        #expect(back?.leader == "a-id3")
        #expect(back?.skipAssignment == true)
        #expect(back?.members.count == 2)
    }

    @Test("as a leader before version 9 is told the old leader's name, so that it assigns nothing") func leaderBefore9()
    {
        let stage = Stage()
        let members = two(stage)
        let back = stage.joined(
            stage.join(Stage.request(instance: "a", [("range", [1]), ("sticky", [1])]), version: 8))
        #expect(back?.leader == members[0])
        #expect(back?.memberID == "a-id3")
        #expect(back?.skipAssignment == false)
        #expect(back?.members.isEmpty == true)
        #expect(stage.group()?.leader == "a-id3")
    }

    @Test("that changes which protocol wins makes the group rebalance") func protocolChange() {
        let stage = Stage()
        _ = two(stage)
        let back = stage.join(Stage.request(instance: "b", [("sticky", [1])]))
        #expect(stage.state() == .preparingRebalance)
        #expect(stage.joined(back) == nil)
    }

    @Test("that comes back in CompletingRebalance makes the group rebalance") func completing() {
        let stage = Stage()
        let first = stage.join(Stage.request(instance: "a"))
        stage.pass(.seconds(3))
        #expect(stage.joined(first)?.generationID == 1)
        let back = stage.join(Stage.request(instance: "a"))
        #expect(stage.joined(back)?.generationID == 2)
    }

    @Test("whose replacement waits makes the waiting one leave") func fencesWaiting() {
        let stage = Stage()
        let first = stage.join(Stage.request(instance: "a"))
        let second = stage.join(Stage.request(instance: "a"))
        #expect(stage.joined(first)?.errorCode == .fencedInstanceID)
        stage.pass(.seconds(9))
        #expect(stage.joined(second)?.memberID == "a-id2")
        #expect(stage.group()?.members.count == 1)
    }

    @Test("of an unknown instance is unknown") func unknownInstance() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        #expect(stage.joined(stage.join(Stage.request(members[0], instance: "x")))?.errorCode == .unknownMemberID)
        #expect(stage.heartbeat(members[0], instance: "x") == .unknownMemberID)
    }

    @Test("takes its old place back when its return cannot be written") func replacementFails() {
        let stage = Stage()
        let members = two(stage)
        stage.treeAnswers = false
        let back = stage.join(Stage.request(instance: "b", [("range", [1]), ("sticky", [1])]))
        stage.treeSays(.failed(.coordinatorNotAvailable))
        #expect(stage.joined(back)?.errorCode == .coordinatorNotAvailable)
        #expect(stage.heartbeat(members[1], instance: "b") == ErrorCode.none)
    }

    @Test("stays through a rebalance it does not take part in, until its session ends") func staysAway() {
        let stage = Stage()
        let members = two(stage)
        for _ in 0..<2 {
            stage.pass(.seconds(8))
            for (member, instance) in zip(members, ["a", "b"]) { _ = stage.heartbeat(member, instance: instance) }
        }
        let again = stage.join(Stage.request(members[0], instance: "a", rebalance: 5_000, [("range", [2])]))
        _ = stage.leave([("nobody", nil)])
        stage.pass(.seconds(9))
        #expect(stage.group()?.members.count == 2)
        #expect(stage.joined(again) == nil)
        stage.pass(.seconds(2))
        #expect(stage.joined(again)?.generationID == 2)
        #expect(stage.group()?.members.count == 1)
    }
}
