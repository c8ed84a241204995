import ClusterModel
import Platform
import Replication
import Testing

extension Instant {
    fileprivate static func at(_ seconds: Int64) -> Instant { .start + .seconds(seconds) }
}

@Suite("The high watermark")
struct HighWatermarkTests {
    @Test("waits for the slowest in-sync replica") func waitsForSlowest() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2, 3], logEnd: 100)
        #expect(leader.followerFetched(2, from: 90, at: .start) == [])
        #expect(leader.followerFetched(3, from: 80, at: .start) == [.advanceHighWatermark(to: 80)])
    }
    @Test("of a single replica follows the log end") func single() {
        var leader = LeaderReplica(me: 1)
        let effects = leader.becameLeader(
            .init(epoch: 4, partitionEpoch: 2, replicas: [1], inSync: [1]), logEnd: 10, at: .start)
        #expect(effects == [.advanceHighWatermark(to: 10)])
        #expect(leader.recordsAppended(logEnd: 12, at: .start) == [.advanceHighWatermark(to: 12)])
        #expect(leader.verdict(for: .allInSync, upTo: 12) == .acknowledged)
    }
    @Test("stays where it was when a new epoch begins") func staysOnNewEpoch() {
        var leader = LeaderReplica(me: 1, highWatermark: 7)
        #expect(
            leader.becameLeader(
                .init(epoch: 1, partitionEpoch: 0, replicas: [1, 2], inSync: [1, 2]), logEnd: 10, at: .start)
                == [])
        #expect(leader.highWatermark == 7)
        #expect(leader.epochStart == 10)
    }
    @Test("forgets what followers held in an older epoch") func forgetsOldEpoch() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2], logEnd: 10)
        _ = leader.followerFetched(2, from: 10, at: .start)
        _ = leader.becameLeader(
            .init(epoch: 1, partitionEpoch: 1, replicas: [1, 2], inSync: [1, 2]), logEnd: 10, at: .at(1))
        #expect(leader.recordsAppended(logEnd: 11, at: .at(1)) == [])
        #expect(leader.highWatermark == 10)
        #expect(leader.follower(2)?.logEnd == nil)
    }
    @Test("waits for members of both sets while one is proposed") func bothSets() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1], logEnd: 10, replicas: [1, 2])
        #expect(leader.highWatermark == 10)
        #expect(leader.followerFetched(2, from: 10, at: .start) == [.proposeInSyncSet([1, 2], expecting: 0)])
        #expect(leader.recordsAppended(logEnd: 11, at: .start) == [])
        #expect(leader.inSyncSetRecorded([1, 2], partitionEpoch: 1, at: .start) == [])
        #expect(leader.followerFetched(2, from: 11, at: .start) == [.advanceHighWatermark(to: 11)])
    }
    @Test("does not move while too few replicas are in sync") func underMin() {
        var leader = LeaderReplica.leading(
            as: 1, inSync: [1], logEnd: 10, replicas: [1, 2], settings: .init(minInSync: 2))
        #expect(leader.highWatermark == 0)
        #expect(leader.admits(.allInSync) == .notEnoughReplicas(inSync: 1, needed: 2))
        #expect(leader.admits(.leader) == nil)
        #expect(leader.recordsAppended(logEnd: 11, at: .start) == [])
        _ = leader.followerFetched(2, from: 11, at: .start)
        #expect(leader.inSyncSetRecorded([1, 2], partitionEpoch: 1, at: .start) == [.advanceHighWatermark(to: 11)])
    }
    @Test("is held back by a caught-up replica about to join, but not by one that was taken out") func aboutToJoin() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2], logEnd: 10)
        _ = leader.followerFetched(2, from: 10, at: .start)
        _ = leader.becameLeader(
            .init(epoch: 1, partitionEpoch: 1, replicas: [1, 2], inSync: [1]), logEnd: 10, at: .at(1))
        #expect(leader.recordsAppended(logEnd: 11, at: .at(1)) == [.advanceHighWatermark(to: 11)])
    }
    @Test("asks for no more in-sync replicas than there are replicas") func effectiveMin() {
        let leader = LeaderReplica.leading(as: 1, inSync: [1], logEnd: 10, settings: .init(minInSync: 2))
        #expect(leader.admits(.allInSync) == nil)
    }
}

@Suite("The in-sync set")
struct InSyncSetTests {
    @Test("loses members that trail for longer than the limit, all at once") func shrinks() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2, 3, 4], logEnd: 10)
        _ = leader.followerFetched(4, from: 10, at: .at(0))
        _ = leader.recordsAppended(logEnd: 20, at: .at(1))
        _ = leader.followerFetched(2, from: 20, at: .at(29))
        #expect(leader.lagChecked(at: .at(30)) == [])
        #expect(leader.lagChecked(at: .at(31)) == [.proposeInSyncSet([1, 2], expecting: 0)])
        #expect(leader.lagChecked(at: .at(60)) == [])
        #expect(leader.maximalInSync.count == 4)
        #expect(leader.inSyncSetRecorded([1, 2], partitionEpoch: 1, at: .at(60)) == [.advanceHighWatermark(to: 20)])
    }
    @Test("keeps a follower that is always one fetch behind a busy leader") func oneFetchBehind() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2], logEnd: 0)
        for second in Int64(0)..<100 {
            _ = leader.followerFetched(2, from: second * 10, at: .at(second))
            _ = leader.recordsAppended(logEnd: (second + 1) * 10 + 5, at: .at(second))
            _ = leader.recordsAppended(logEnd: (second + 1) * 10, at: .at(second))
        }
        #expect(leader.lagChecked(at: .at(100)) == [])
    }
    @Test("admits nobody below the start of the leader's epoch") func epochStart() {
        var leader = LeaderReplica(me: 1, highWatermark: 5)
        _ = leader.becameLeader(
            .init(epoch: 3, partitionEpoch: 0, replicas: [1, 2, 3], inSync: [1, 3]), logEnd: 10, at: .start)
        #expect(leader.followerFetched(2, from: 7, at: .start) == [])
        #expect(leader.followerFetched(2, from: 10, at: .start) == [.proposeInSyncSet([1, 2, 3], expecting: 0)])
    }
    @Test("admits nobody who is not live") func notEligible() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1], logEnd: 10, replicas: [1, 2])
        #expect(leader.followerFetched(2, from: 10, eligible: false, at: .start) == [])
    }
    @Test("goes on unchanged when a proposal is not admitted, and waits when it was superseded") func refused() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1], logEnd: 10, replicas: [1, 2])
        let first = leader.followerFetched(2, from: 10, at: .start)
        #expect(leader.inSyncSetRefused(.unanswered, at: .start) == first)
        #expect(leader.inSyncSetRefused(.notAdmitted, at: .start) == [])
        #expect(leader.proposal == nil)
        #expect(leader.followerFetched(2, from: 10, at: .start) == first)
        #expect(leader.inSyncSetRefused(.superseded, at: .start) == [])
        #expect(leader.maximalInSync == [1, 2])
        #expect(leader.followerFetched(2, from: 10, at: .start) == [])
        _ = leader.becameLeader(
            .init(epoch: 0, partitionEpoch: 5, replicas: [1, 2], inSync: [1, 2]), logEnd: 10, at: .start)
        #expect(leader.proposal == nil)
    }

    @Test("nobody waits for a dead follower that is not in sync") func deadFollower() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2], logEnd: 10, replicas: [1, 2, 3])
        _ = leader.followerFetched(2, from: 10, at: .start)
        // It has caught up, and is about to join: it is waited for.
        _ = leader.followerFetched(3, from: 10, at: .start)
        _ = leader.inSyncSetRefused(.notAdmitted, at: .start)
        _ = leader.recordsAppended(logEnd: 12, at: .start)
        #expect(leader.followerFetched(2, from: 12, at: .start) == [])
        #expect(leader.brokersChanged(mayJoin: { $0 != 3 }, at: .start) == [.advanceHighWatermark(to: 12)])
    }
}

@Suite("Acks")
struct AcksTests {
    @Test("are -1, 0 or 1") func wire() {
        #expect(
            [Int16(-1), 0, 1, 2, -2].map { AcksRequirement(wire: $0) } == [
                .allInSync, AcksRequirement.none, .leader, nil, nil,
            ])
    }
    @Test("all waits for the high watermark") func waits() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2], logEnd: 10)
        #expect(leader.verdict(for: .allInSync, upTo: 10) == .waiting)
        #expect(leader.verdict(for: .leader, upTo: 10) == .acknowledged)
        _ = leader.followerFetched(2, from: 10, at: .start)
        #expect(leader.verdict(for: .allInSync, upTo: 10) == .acknowledged)
    }
    @Test("all is refused after the append when the set has become too small") func afterAppend() {
        var leader = LeaderReplica.leading(as: 1, inSync: [1, 2], logEnd: 10, settings: .init(minInSync: 2))
        _ = leader.followerFetched(2, from: 10, at: .start)
        _ = leader.becameLeader(
            .init(epoch: 0, partitionEpoch: 1, replicas: [1, 2], inSync: [1]), logEnd: 10, at: .start)
        #expect(
            leader.verdict(for: .allInSync, upTo: 10) == .refused(.notEnoughReplicasAfterAppend(inSync: 1, needed: 2)))
    }
}
