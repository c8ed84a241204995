import KafkaProtocol
import Platform
import Testing

@testable import ConsumerGroups

@Suite("A rebalance")
struct RebalanceTests {
    @Test("of an empty group waits the initial delay, and as long again while members still come") func initialDelay() {
        let stage = Stage()
        let first = stage.joinOld()
        stage.pass(.milliseconds(2_999))
        let second = stage.joinOld()
        stage.pass(.milliseconds(1))
        #expect(stage.joined(first) == nil)
        stage.pass(.milliseconds(2_999))
        #expect(stage.joined(first) == nil)
        stage.pass(.milliseconds(1))
        #expect(stage.joined(first)?.generationID == 1)
        #expect(stage.joined(second)?.generationID == 1)
    }

    @Test("of an empty group waits no longer than the rebalance timeout, however many come") func initialDelayEnds() {
        let stage = Stage()
        let first = stage.joinOld(Stage.request(rebalance: 7_000))
        for _ in 0..<7 {
            #expect(stage.joined(first) == nil)
            stage.pass(.seconds(1))
            _ = stage.joinOld(Stage.request(rebalance: 7_000))
        }
        #expect(stage.joined(first)?.generationID == 1)
    }

    @Test("ends when everybody has joined; only the leader learns who they are") func everybody() {
        let stage = Stage()
        let members = stage.stableGroup(2)
        let third = stage.joinOld()
        #expect(stage.state() == .preparingRebalance)
        #expect(stage.heartbeat(members[0]) == .rebalanceInProgress)
        let first = stage.join(Stage.request(members[0]))
        #expect(stage.joined(first) == nil)
        let second = stage.join(Stage.request(members[1]))
        #expect(stage.joined(first)?.members.map(\.memberID) == members + [stage.joined(third)?.memberID ?? ""])
        #expect(stage.joined(first)?.leader == members[0])
        #expect(stage.joined(second)?.members.isEmpty == true)
        #expect(stage.joined(third)?.leader == members[0])
        #expect(stage.joined(third)?.generationID == 2)
    }

    @Test("waits for ids that were given out and not used yet") func waitsForPending() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        _ = stage.join(Stage.request())
        let first = stage.join(Stage.request(members[0]))
        #expect(stage.joined(first) == nil)
        stage.pass(.seconds(10))
        #expect(stage.joined(first)?.generationID == 2)
    }

    @Test("drops who did not rejoin in time, and chooses another leader if that was it") func dropsAbsent() {
        let stage = Stage()
        let members = stage.stableGroup(2)
        let again = stage.join(Stage.request(members[1], rebalance: 5_000, [("range", [2])]))
        for _ in 0..<3 {
            stage.pass(.seconds(9))
            _ = stage.heartbeat(members[0])
            #expect(stage.joined(again) == nil)
        }
        stage.pass(.seconds(3))
        #expect(stage.joined(again)?.generationID == 2)
        #expect(stage.joined(again)?.leader == members[1])
        #expect(stage.group()?.members.keys.sorted() == [members[1]])
    }

    @Test("takes the protocol with most votes among those all offer") func votes() {
        let stage = Stage()
        let offers: [[(String, [UInt8])]] = [
            [("only", []), ("range", []), ("sticky", [])], [("sticky", []), ("range", [])],
            [("sticky", []), ("range", [])],
        ]
        let tokens = offers.map { stage.joinOld(Stage.request("", $0)) }
        stage.pass(.seconds(9))
        #expect(stage.joined(tokens[0])?.protocolName == "sticky")
    }

    @Test("hands assignments out when the leader's have been written, empty ones to those it forgot") func sync() {
        let stage = Stage()
        let tokens = [stage.joinOld(), stage.joinOld()]
        stage.pass(.seconds(9))
        let members = tokens.compactMap { stage.joined($0)?.memberID }
        stage.treeAnswers = false
        let follower = stage.sync(members[1])
        let leader = stage.sync(members[0], [(members[0], [9])])
        #expect(stage.synced(leader) == nil)
        #expect(stage.state() == .completingRebalance)
        stage.treeSays(.written)
        #expect(stage.synced(leader)?.assignment == [9])
        #expect(stage.synced(leader)?.protocolName == "range")
        #expect(stage.synced(leader)?.protocolType == "consumer")
        #expect(stage.synced(follower)?.assignment == [])
        #expect(stage.synced(follower)?.errorCode == ErrorCode.none)
        #expect(stage.state() == .stable)
        #expect(stage.synced(stage.sync(members[0]))?.assignment == [9])
    }

    @Test("starts again when the assignment cannot be written") func syncFails() {
        let stage = Stage()
        let token = stage.joinOld()
        stage.pass(.seconds(3))
        let member = stage.joined(token)?.memberID ?? ""
        stage.treeAnswers = false
        let sync = stage.sync(member, [(member, [1])])
        stage.treeSays(.failed(.coordinatorNotAvailable))
        #expect(stage.synced(sync)?.errorCode == .coordinatorNotAvailable)
        #expect(stage.state() == .preparingRebalance)
    }

    @Test("tells those who wait for an assignment when another one begins") func syncInterrupted() {
        let stage = Stage()
        let tokens = [stage.joinOld(), stage.joinOld()]
        stage.pass(.seconds(9))
        let members = tokens.compactMap { stage.joined($0)?.memberID }
        let waiting = stage.sync(members[1])
        _ = stage.joinOld()
        #expect(stage.synced(waiting)?.errorCode == .rebalanceInProgress)
        #expect(stage.synced(stage.sync(members[1]))?.errorCode == .rebalanceInProgress)
    }

    @Test("drops members that do not ask for their assignment in time") func syncTimeout() {
        let stage = Stage()
        let tokens = [stage.joinOld(), stage.joinOld()]
        stage.pass(.seconds(9))
        let members = tokens.compactMap { stage.joined($0)?.memberID }
        _ = stage.sync(members[0], [])
        for _ in 0..<5 {
            stage.pass(.seconds(6))
            for member in members { _ = stage.heartbeat(member) }
        }
        #expect(stage.state() == .preparingRebalance)
        #expect(stage.group()?.members.keys.sorted() == [members[0]])
    }

    @Test("refuses SyncGroup from strangers, of another generation, or with another protocol") func syncRefusals() {
        let stage = Stage()
        #expect(stage.synced(stage.sync("m"))?.errorCode == .unknownMemberID)
        let members = stage.stableGroup(1)
        #expect(stage.synced(stage.sync("m"))?.errorCode == .unknownMemberID)
        #expect(stage.synced(stage.sync(members[0], generation: 0))?.errorCode == .illegalGeneration)
        #expect(stage.synced(stage.sync(members[0], name: "x"))?.errorCode == .inconsistentGroupProtocol)
        #expect(stage.synced(stage.sync(members[0], type: "x"))?.errorCode == .inconsistentGroupProtocol)
        #expect(stage.synced(stage.sync(members[0], name: nil))?.errorCode == .inconsistentGroupProtocol)
        #expect(stage.synced(stage.sync(members[0], type: nil, name: nil, version: 4))?.errorCode == ErrorCode.none)
        stage.catalog.bucketLoading(GroupOwnership.bucket(of: "g"))
        #expect(stage.synced(stage.sync(members[0]))?.errorCode == .rebalanceInProgress)
    }

    @Test("drops a member that has waited five minutes for its first generation") func newMemberWaits() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        let waiting = stage.joinOld(Stage.request(rebalance: 600_000))
        while stage.now < .start + .seconds(300) {
            stage.pass(.seconds(5))
            _ = stage.heartbeat(members[0])
        }
        #expect(stage.joined(waiting) == nil)
        for _ in 0..<3 {
            stage.pass(.seconds(5))
            _ = stage.heartbeat(members[0])
        }
        #expect(stage.joined(waiting)?.errorCode == .unknownMemberID)
    }
}

@Suite("A member")
struct MemberTests {
    @Test("is alive while it beats; its silence makes the group rebalance without it") func session() {
        let stage = Stage()
        let members = stage.stableGroup(2)
        for _ in 0..<4 {
            stage.pass(.seconds(6))
            #expect(stage.heartbeat(members[0]) == (stage.state() == .stable ? ErrorCode.none : .rebalanceInProgress))
        }
        #expect(stage.group()?.members.keys.sorted() == [members[0]])
        #expect(stage.state() == .preparingRebalance)
        stage.pass(.seconds(10))
        #expect(stage.state() == .empty)
        #expect(stage.group()?.generation == 2)
        #expect(stage.heartbeat(members[0]) == .unknownMemberID)
    }

    @Test("hears of each thing that is wrong with its heartbeat") func heartbeats() {
        let stage = Stage()
        #expect(stage.heartbeat("m") == .unknownMemberID)
        let members = stage.stableGroup(1)
        #expect(stage.heartbeat("m") == .unknownMemberID)
        #expect(stage.heartbeat(members[0], generation: 7) == .illegalGeneration)
        #expect(stage.heartbeat(members[0]) == ErrorCode.none)
        #expect(stage.heartbeat(members[0], group: "") == .invalidGroupID)
        stage.catalog.bucketLoading(GroupOwnership.bucket(of: "g"))
        #expect(stage.heartbeat(members[0]) == ErrorCode.none)
    }

    @Test("leaves, several at once, each with its own answer") func leaves() {
        let stage = Stage()
        let members = stage.stableGroup(2)
        let fixed = stage.join(Stage.request(instance: "i"))
        for member in members { _ = stage.join(Stage.request(member)) }
        #expect(stage.joined(fixed)?.errorCode == ErrorCode.none)
        _ = stage.join(Stage.request())
        let pending = stage.group()?.pending.keys.first ?? ""
        let answer = stage.leave([
            (members[1], nil), ("nobody", nil), ("", "i"), ("", "x"), ("other", "i"), (pending, nil),
        ])
        #expect(answer.errorCode == ErrorCode.none)
        #expect(
            answer.members.map(\.errorCode) == [
                .none, .unknownMemberID, .none, .unknownMemberID, .unknownMemberID, .none,
            ])
        #expect(stage.state() == .preparingRebalance)
        #expect(stage.group()?.members.keys.sorted() == [members[0]])
    }

    @Test("of an old version leaves alone, with the error where it looks for it") func leavesOld() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        let refused = stage.leave([("nobody", nil)], version: 2)
        #expect(refused.errorCode == .unknownMemberID)
        #expect(refused.members.isEmpty)
        #expect(stage.leave([(members[0], nil)], version: 2).errorCode == ErrorCode.none)
        #expect(stage.state() == .empty)
        #expect(stage.leave([("m", nil)], group: "none").members.map(\.errorCode) == [.unknownMemberID])
    }

    @Test("fenced by its instance cannot leave for it") func leaveFenced() {
        let stage = Stage()
        let first = stage.join(Stage.request(instance: "i"))
        stage.pass(.seconds(3))
        #expect(stage.joined(first)?.errorCode == ErrorCode.none)
        #expect(stage.leave([("other", "i")]).members.map(\.errorCode) == [.fencedInstanceID])
    }
}
