import Bytes
import ClusterModel
import KafkaProtocol
import Platform
import Testing

@testable import ConsumerGroups

@Suite("Committing offsets")
struct GroupOffsetsTests {
    @Test("without a group makes a simple one; a generation of a group that is not there is illegal") func simple() {
        let stage = Stage()
        #expect(stage.commitError(stage.commit(1, "m", generation: 3)) == .illegalGeneration)
        #expect(stage.group() == nil)
        #expect(stage.commitError(stage.commit(42, epoch: 7, metadata: "x")) == ErrorCode.none)
        #expect(stage.fetched()?.offset == 42)
        #expect(stage.fetched()?.leaderEpoch == 7)
        #expect(stage.fetched()?.metadata == "x")
        #expect(stage.group()?.protocolType == nil)
        #expect(stage.state() == .empty)
    }

    @Test("is asked member, instance and generation, in this order") func membership() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        #expect(stage.commitError(stage.commit(1)) == .unknownMemberID)
        #expect(stage.commitError(stage.commit(1, "m", generation: 1)) == .unknownMemberID)
        #expect(stage.commitError(stage.commit(1, members[0], generation: 1, instance: "i")) == .unknownMemberID)
        #expect(stage.commitError(stage.commit(1, members[0], generation: 9)) == .illegalGeneration)
        #expect(stage.commitError(stage.commit(1, members[0], generation: 1)) == ErrorCode.none)
    }

    @Test("waits out CompletingRebalance, while PreparingRebalance accepts") func rebalance() {
        let stage = Stage()
        let members = stage.stableGroup(2)
        let join = stage.join(Stage.request(members[0]))
        #expect(stage.commitError(stage.commit(1, members[1], generation: 1)) == ErrorCode.none)
        _ = stage.join(Stage.request(members[1]))
        #expect(stage.joined(join)?.generationID == 2)
        #expect(stage.commitError(stage.commit(1, members[1], generation: 2)) == .rebalanceInProgress)
    }

    @Test("of an unknown topic or partition, or with too much metadata, fails for those alone") func perPartition() {
        let stage = Stage()
        #expect(stage.commitError(stage.commit(1, topic: "no")) == .unknownTopicOrPartition)
        #expect(stage.commitError(stage.commit(1, partition: 4)) == .unknownTopicOrPartition)
        #expect(stage.commitError(stage.commit(1, partition: -1)) == .unknownTopicOrPartition)
        let long = String(repeating: "x", count: 4097)
        #expect(stage.commitError(stage.commit(1, metadata: long)) == .offsetMetadataTooLarge)
        #expect(stage.commitError(stage.commit(1, "m", generation: 1, metadata: long)) == .illegalGeneration)
        #expect(stage.commitError(stage.commit(1, metadata: String(long.dropLast()))) == ErrorCode.none)
    }

    @Test("shows in memory only when the tree has acknowledged, or not at all") func acknowledged() {
        let stage = Stage()
        stage.treeAnswers = false
        let first = stage.commit(1)
        #expect(stage.fetched() == nil)
        #expect(stage.commitError(first) == nil)
        stage.treeSays(.written)
        #expect(stage.commitError(first) == ErrorCode.none)
        let second = stage.commit(2)
        stage.treeSays(.failed(.invalidCommitOffsetSize))
        #expect(stage.commitError(second) == .invalidCommitOffsetSize)
        #expect(stage.fetched()?.offset == 1)
    }

    @Test("that takes too long is answered, and counts when it is written after all") func delayed() {
        let stage = Stage()
        stage.treeAnswers = false
        let commit = stage.commit(1)
        stage.catalog.writeDelayed(stage.writes[0].id, of: "g", at: stage.moment, into: &stage.effects)
        stage.perform()
        #expect(stage.commitError(commit) == .coordinatorNotAvailable)
        stage.treeSays(.written)
        #expect(stage.fetched()?.offset == 1)
    }

    @Test("is a sign of life") func signOfLife() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        for _ in 0..<5 {
            stage.pass(.seconds(8))
            #expect(stage.commitError(stage.commit(1, members[0], generation: 1)) == ErrorCode.none)
        }
    }

    @Test("allows a group without a name, as old clients have it") func emptyName() {
        let stage = Stage()
        #expect(stage.commitError(stage.commit(3, group: "")) == ErrorCode.none)
        #expect(stage.fetched(group: "")?.offset == 3)
        #expect(stage.catalog.describe("").errorCode == ErrorCode.none)
    }

    @Test("counts for the topic of that id only") func topicID() {
        let stage = Stage()
        _ = stage.commit(5)
        stage.topics["t"]?.id = UUID128(high: 2, low: 2)
        #expect(stage.fetched() == nil)
        _ = stage.commit(1, partition: 1)
        #expect(stage.fetched(1)?.offset == 1)
        #expect(stage.group()?.offsets.partitions(of: "t") == [TopicPartition("t", 1)])
    }

    @Test("is undone by the deletion of the topic, but not by that of an older one of its name") func topicDeleted() {
        let stage = Stage()
        _ = stage.commit(5)
        stage.catalog.topicDeleted("t", id: UUID128(high: 9, low: 9), into: &stage.effects)
        stage.perform()
        #expect(stage.fetched()?.offset == 5)
        stage.catalog.topicDeleted("t", id: UUID128(high: 1, low: 1), into: &stage.effects)
        stage.perform()
        #expect(stage.group()?.offsets.isEmpty == true)
    }

    @Test("fetched without a list are all of the group's, in order") func fetchAll() {
        let stage = Stage()
        _ = stage.commit(5, partition: 2)
        _ = stage.commit(6, partition: 1)
        guard case .success(let all) = stage.catalog.offsetFetch("g", asked: nil, topicID: { _ in nil }) else {
            Issue.record("refused")
            return
        }
        #expect(all.map(\.name) == ["t"])
        #expect(all[0].partitions.map(\.index) == [1, 2])
        guard case .success(let none) = stage.catalog.offsetFetch("new", asked: [("t", [0])], topicID: { _ in nil })
        else { return }
        #expect(none[0].partitions[0].committed == nil)
    }

    @Test("deletes: not in a group that is there no more, nor of a topic it reads, nor while others use it")
    func deletes() {
        let stage = Stage()
        #expect(stage.offsetDeleteErrors(stage.deleteOffsets()) == [.groupIDNotFound])
        _ = stage.commit(5, group: "simple")
        #expect(
            stage.offsetDeleteErrors(stage.deleteOffsets(topic: "no", group: "simple")) == [
                .none, .unknownTopicOrPartition,
            ])
        #expect(stage.offsetDeleteErrors(stage.deleteOffsets(group: "simple")) == [.none, .none])
        #expect(stage.fetched(group: "simple") == nil)
        _ = stage.stableGroup(1, protocols: [("range", subscription(["t"]))])
        #expect(stage.offsetDeleteErrors(stage.deleteOffsets()) == [.none, .groupSubscribedToTopic])
        stage.topics["u"] = TopicFact(id: .zero, partitionCount: 1)
        #expect(stage.offsetDeleteErrors(stage.deleteOffsets(topic: "u")) == [.none, .none])
        _ = stage.joinOld(Stage.request(group: "connect", type: "connect"))
        #expect(stage.offsetDeleteErrors(stage.deleteOffsets(group: "connect")) == [.nonEmptyGroup])
    }
}

@Suite("Offsets expire")
struct GroupExpiryTests {
    func expire(_ stage: Stage) {
        stage.catalog.expire(at: stage.moment, into: &stage.effects)
        stage.perform()
    }

    @Test("for a simple group, from each commit; then the group goes") func simple() {
        let stage = Stage()
        _ = stage.commit(1, partition: 0)
        stage.pass(.seconds(24 * 3600))
        _ = stage.commit(1, partition: 1)
        stage.pass(.seconds(6 * 24 * 3600))
        expire(stage)
        #expect(stage.fetched(0) == nil)
        #expect(stage.fetched(1)?.offset == 1)
        stage.pass(.seconds(24 * 3600))
        expire(stage)
        #expect(stage.group() == nil)
    }

    @Test("for a group of consumers, from when it became empty") func sinceEmpty() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        _ = stage.commit(1, members[0], generation: 1)
        for _ in 0..<100 {
            stage.pass(.seconds(9))
            _ = stage.heartbeat(members[0])
        }
        _ = stage.leave([(members[0], nil)])
        stage.pass(.seconds(7 * 24 * 3600 - 1))
        expire(stage)
        #expect(stage.fetched()?.offset == 1)
        stage.pass(.seconds(1))
        expire(stage)
        #expect(stage.group() == nil)
    }

    @Test("in a living group for topics nobody in it reads") func unsubscribed() {
        let stage = Stage { $0.offsetsRetention = .seconds(5) }
        stage.topics["u"] = TopicFact(id: .zero, partitionCount: 1)
        let members = stage.stableGroup(1, protocols: [("range", subscription(["t"]))])
        _ = stage.commit(1, members[0], generation: 1)
        _ = stage.commit(1, members[0], generation: 1, topic: "u")
        stage.pass(.seconds(5))
        expire(stage)
        #expect(stage.fetched()?.offset == 1)
        #expect(stage.fetched(topic: "u") == nil)
    }

    @Test("never in a living group whose topics nobody knows") func unknownSubscription() {
        let stage = Stage { $0.offsetsRetention = .seconds(5) }
        let members = stage.stableGroup(1, protocols: [("range", [1])])
        _ = stage.commit(1, members[0], generation: 1)
        stage.pass(.seconds(6))
        expire(stage)
        #expect(stage.fetched()?.offset == 1)
    }

    @Test("at the time a request of versions 2 to 4 asked for") func explicitRetention() {
        let stage = Stage()
        _ = stage.commit(1, retentionMs: 1000)
        _ = stage.commit(1, partition: 1)
        stage.pass(.milliseconds(999))
        expire(stage)
        #expect(stage.fetched()?.offset == 1)
        stage.pass(.milliseconds(1))
        expire(stage)
        #expect(stage.fetched() == nil)
        #expect(stage.fetched(1)?.offset == 1)
    }

    @Test("not while a new commit for them is on its way") func beingCommitted() {
        let stage = Stage { $0.offsetsRetention = .seconds(5) }
        _ = stage.commit(1)
        stage.pass(.seconds(6))
        stage.treeAnswers = false
        _ = stage.commit(2)
        expire(stage)
        stage.treeSays(.written)
        #expect(stage.fetched()?.offset == 2)
    }
}
