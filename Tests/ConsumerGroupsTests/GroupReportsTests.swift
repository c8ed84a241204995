import KafkaProtocol
import Platform
import Testing

@testable import ConsumerGroups

@Suite("A group seen from outside")
struct GroupReportsTests {
    @Test("that is not there is Dead") func unknown() {
        let described = Stage().catalog.describe("g")
        #expect(described.errorCode == ErrorCode.none)
        #expect(described.groupState == "Dead")
        #expect(described.protocolType == "")
        #expect(described.protocolData == "")
    }

    @Test("shows subscriptions and assignments when stable, and members only while it rebalances") func shapes() {
        let stage = Stage()
        let members = stage.stableGroup(1)
        let stable = stage.catalog.describe("g")
        #expect(stable.groupState == "Stable")
        #expect(stable.protocolType == "consumer")
        #expect(stable.protocolData == "range")
        #expect(stable.members.map(\.memberMetadata) == [[1]])
        #expect(stable.members.map(\.memberAssignment) == [[0]])
        #expect(stable.members.map(\.clientHost) == ["/1.2.3.4"])
        _ = stage.joinOld()
        let preparing = stage.catalog.describe("g")
        #expect(preparing.groupState == "PreparingRebalance")
        #expect(preparing.protocolData == "")
        #expect(preparing.members.map(\.memberMetadata) == [[], []])
        stage.pass(.seconds(400))
        let empty = stage.catalog.describe("g")
        #expect(empty.groupState == "Empty")
        #expect(empty.protocolType == "consumer")
        #expect(empty.protocolData == "")
        #expect(empty.members.isEmpty)
        #expect(members.count == 1)
    }

    @Test("is refused with no state by a broker that does not own it") func refused() {
        let stage = Stage()
        stage.catalog.bucketLost(GroupOwnership.bucket(of: "g"), into: &stage.effects)
        #expect(stage.catalog.describe("g").errorCode == .notCoordinator)
        #expect(stage.catalog.describe("g").groupState == "")
    }

    @Test("is listed by state, whatever the case of the filter, and by type") func list() {
        let stage = Stage()
        _ = stage.stableGroup(1)
        _ = stage.commit(1, group: "a")
        var request = ListGroupsRequest()
        #expect(stage.catalog.list(request).groups.map(\.groupID) == ["a", "g"])
        #expect(stage.catalog.list(request).groups.map(\.groupType) == ["classic", "classic"])
        #expect(stage.catalog.list(request).groups.map(\.protocolType) == ["", "consumer"])
        request.statesFilter = ["sTable"]
        #expect(stage.catalog.list(request).groups.map(\.groupID) == ["g"])
        request.typesFilter = ["consumer"]
        #expect(stage.catalog.list(request).groups.isEmpty)
        stage.catalog.bucketLoading(3)
        #expect(stage.catalog.list(ListGroupsRequest()).errorCode == .coordinatorLoadInProgress)
        #expect(stage.catalog.list(ListGroupsRequest()).groups.count == 2)
        stage.catalog.hasAuthority = false
        #expect(stage.catalog.list(ListGroupsRequest()).errorCode == .coordinatorNotAvailable)
    }

    @Test("is deleted when it is empty, once") func delete() {
        let stage = Stage()
        #expect(stage.deleteError(stage.deleteGroup()) == .groupIDNotFound)
        let members = stage.stableGroup(1)
        #expect(stage.deleteError(stage.deleteGroup()) == .nonEmptyGroup)
        _ = stage.leave([(members[0], nil)])
        stage.treeAnswers = false
        let first = stage.deleteGroup()
        #expect(stage.deleteError(stage.deleteGroup()) == .groupIDNotFound)
        #expect(stage.deleteError(first) == nil)
        stage.treeSays(.written)
        #expect(stage.deleteError(first) == ErrorCode.none)
        #expect(stage.group() == nil)
    }

    @Test("is there again when its deletion fails") func deleteFails() {
        let stage = Stage()
        _ = stage.commit(1)
        stage.treeAnswers = false
        let delete = stage.deleteGroup()
        stage.treeSays(.failed(.coordinatorNotAvailable))
        #expect(stage.deleteError(delete) == .coordinatorNotAvailable)
        #expect(stage.state() == .empty)
        #expect(stage.fetched()?.offset == 1)
    }
}

@Suite("A new owner")
struct NewOwnerTests {
    @Test("goes on with the generation without a rebalance") func goesOn() {
        let stage = Stage()
        let tokens = [stage.join(Stage.request(instance: "i")), stage.joinOld()]
        stage.pass(.seconds(9))
        let members = tokens.compactMap { stage.joined($0)?.memberID }
        stage.treeAnswers = false
        _ = stage.sync(members[0], instance: "i", [(members[0], [1]), (members[1], [2])])
        guard case .generation(let image)? = stage.writes.first?.change else {
            Issue.record("no generation written")
            return
        }
        let read = StoredGroup.decoded(image.encoded())
        #expect(read == image)
        #expect(StoredGroup.decoded(image.encoded().dropLast()) == nil)
        #expect(StoredGroup.decoded([]) == nil)

        let other = Stage()
        let bucket = GroupOwnership.bucket(of: "g")
        other.catalog.bucketLoaded(
            bucket, [.init(id: "g", stored: read, offsets: OffsetTable())], topicID: { _ in nil }, at: other.moment,
            into: &other.effects)
        other.perform()
        #expect(other.state() == .stable)
        #expect(other.heartbeat(members[0], instance: "i") == ErrorCode.none)
        #expect(other.synced(other.sync(members[1]))?.assignment == [2])
        #expect(other.group()?.leader == members[0])
        other.pass(.seconds(9))
        _ = other.heartbeat(members[0], instance: "i")
        other.pass(.seconds(1))
        #expect(other.state() == .preparingRebalance)
    }

    @Test("rebalances a group that is larger than it may be") func tooLarge() {
        let stage = Stage()
        _ = stage.stableGroup(3)
        let image = stage.group()?.stored(state: .stable, wallMs: 0)
        let other = Stage { $0.maxSize = 2 }
        other.catalog.bucketLoaded(
            GroupOwnership.bucket(of: "g"), [.init(id: "g", stored: image, offsets: OffsetTable())],
            topicID: { _ in nil }, at: other.moment, into: &other.effects)
        #expect(other.state() == .preparingRebalance)
    }

    @Test("is sought by all who waited for the old one") func unload() {
        let stage = Stage()
        let joining = stage.joinOld()
        stage.treeAnswers = false
        let commit = stage.commit(1, group: "h")
        for group in ["g", "h"] {
            stage.catalog.bucketLost(GroupOwnership.bucket(of: group), into: &stage.effects)
        }
        stage.perform()
        #expect(stage.joined(joining)?.errorCode == .notCoordinator)
        #expect(stage.commitError(commit) == .notCoordinator)
        #expect(stage.wakes.isEmpty)
        stage.treeSays(.written)
        #expect(stage.group("h") == nil)
    }
}
