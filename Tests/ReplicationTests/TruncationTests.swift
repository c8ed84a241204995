import ClusterModel
import Replication
import Testing

@Suite("Truncation")
struct TruncationTests {
    @Test("cuts where the shared epoch ends first") func sameEpoch() {
        let step = Truncation.step(
            leader: EpochEnd(epoch: 3, end: 50), local: EpochEnd(epoch: 3, end: 60), logEnd: 70, fallback: 5)
        #expect(step == .init(to: 50, complete: true))
    }
    @Test("asks again when this log does not know the leader's epoch") func otherEpoch() {
        let step = Truncation.step(
            leader: EpochEnd(epoch: 3, end: 50), local: EpochEnd(epoch: 2, end: 40), logEnd: 70, fallback: 5)
        #expect(step == .init(to: 40, complete: false))
    }
    @Test("goes to the leader's end without own epochs, to the high watermark without the leader's") func unknown() {
        #expect(Truncation.step(leader: EpochEnd(epoch: 3, end: 50), local: nil, logEnd: 30, fallback: 5).to == 30)
        #expect(Truncation.step(leader: nil, local: nil, logEnd: 30, fallback: 5).to == 5)
    }
    @Test("is asked for by the leader when the logs part before the fetch offset") func divergence() {
        #expect(Truncation.divergence(from: 10, lastFetchedEpoch: 2, ours: EpochEnd(epoch: 2, end: 10)) == nil)
        let shorter = EpochEnd(epoch: 2, end: 8)
        #expect(Truncation.divergence(from: 10, lastFetchedEpoch: 2, ours: shorter) == shorter)
        let older = EpochEnd(epoch: 1, end: 12)
        #expect(Truncation.divergence(from: 10, lastFetchedEpoch: 2, ours: older) == older)
    }
    @Test("out of range: the unclean tail goes, a deleted start is skipped") func outOfRange() {
        #expect(Truncation.outOfRange(logEnd: 10, leaderStart: 0, leaderEnd: 8) == .truncate(to: 8))
        #expect(Truncation.outOfRange(logEnd: 10, leaderStart: 20, leaderEnd: 30) == .startOver(at: 20))
        #expect(Truncation.outOfRange(logEnd: 10, leaderStart: 5, leaderEnd: 30) == .goOn(from: 10))
    }
}

@Suite("A follower")
struct FollowerReplicaTests {
    @Test("takes the high watermark it can prove") func highWatermark() {
        var follower = FollowerReplica()
        #expect(follower.becameFollower(of: 1, epoch: 2, logEnd: 10, lastEpoch: 1) == [.fetch(from: 10)])
        #expect(
            follower.fetched(logEnd: 15, leaderHighWatermark: 20, leaderLogStart: 3)
                == [.advanceHighWatermark(to: 15), .advanceLogStart(to: 3), .fetch(from: 15)])
    }
    @Test("cuts where the leader's log parts from its own") func diverged() {
        var follower = FollowerReplica(highWatermark: 5)
        _ = follower.becameFollower(of: 1, epoch: 2, logEnd: 10, lastEpoch: 1)
        #expect(
            follower.diverged(leaderSays: EpochEnd(epoch: 1, end: 8), local: EpochEnd(epoch: 1, end: 10))
                == [.truncate(to: 8), .fetch(from: 8)])
    }
    @Test("waits for the controller when its own epoch is fenced") func fenced() {
        var follower = FollowerReplica()
        _ = follower.becameFollower(of: 1, epoch: 2, logEnd: 10, lastEpoch: 1)
        #expect(follower.fenced(askedUnder: 2) == [.waitForController])
        #expect(follower.fenced(askedUnder: 1) == [.fetch(from: 10)])
    }
}
