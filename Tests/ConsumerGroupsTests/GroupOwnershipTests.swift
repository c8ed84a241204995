import ClusterModel
import Platform
import Testing

@testable import ConsumerGroups

@Suite("Who owns a group")
struct GroupOwnershipTests {
    @Test("follows Kafka's hash of the name") func hash() {
        let kafkas = ["g": 3, "group1": 40, "test-group": 12, "my-group": 12, "console-consumer-12345": 6]
        for (name, partition) in kafkas { #expect(Int(abs(GroupOwnership.javaHash(name))) % 50 == partition) }
        #expect(GroupOwnership.bucket(of: "polygenelubricants") == 0)  // the hash is Int32.min
    }

    func known(_ ownership: inout GroupOwnership) {
        for bucket in 0..<GroupOwnership.bucketCount { ownership.ownerSeen(bucket, nil) }
    }

    func claims(_ effects: [GroupOwnership.Effect]) -> [Int] {
        effects.flatMap { effect -> [Int] in
            if case .claim(let buckets) = effect { return buckets }
            return []
        }
    }

    @Test("is shared out among the living; a lone broker takes all, at once") func shares() {
        var alone = GroupOwnership(me: 1)
        #expect(alone.liveBrokersAre([1], at: .start) == [])
        known(&alone)
        #expect(claims(alone.review(at: .start)) == Array(0..<64))
        #expect(alone.review(at: .start) == [])
        var shares: [Int] = []
        for broker in [1, 2, 3] as [BrokerID] {
            var one = GroupOwnership(me: broker)
            known(&one)
            let mine = claims(one.liveBrokersAre([1, 2, 3], at: .start))
            #expect(mine.count > 8)
            shares += mine
        }
        #expect(shares.sorted() == Array(0..<64))
    }

    @Test("moves only for the buckets of a broker that is gone") func minimalMoves() {
        for bucket in 0..<64 {
            let before = GroupOwnership.choice(for: bucket, among: [1, 2, 3])
            let after = GroupOwnership.choice(for: bucket, among: [1, 2])
            #expect(before == after || before == 3)
        }
    }

    @Test("is not claimed while the tree names somebody, or before it has been read") func claimed() {
        var ownership = GroupOwnership(me: 1)
        _ = ownership.liveBrokersAre([1], at: .start)
        ownership.ownerSeen(5, 2)
        #expect(claims(ownership.review(at: .start)) == [])
        ownership.ownerSeen(5, nil)
        #expect(claims(ownership.review(at: .start)) == [5])
        ownership.claimFailed(5)
        #expect(claims(ownership.review(at: .start)) == [])
    }

    @Test("serves after loading, and hands over thirty seconds after a better choice came") func handOver() throws {
        let bucket = try #require((0..<64).first { GroupOwnership.choice(for: $0, among: [1, 2]) == 2 })
        var ownership = GroupOwnership(me: 1)
        _ = ownership.liveBrokersAre([1], at: .start)
        ownership.ownerSeen(bucket, nil)
        _ = ownership.review(at: .start)
        ownership.claimed(bucket, epoch: 4)
        #expect(ownership.buckets[bucket].standing == .loading(epoch: 4))
        ownership.loaded(bucket)
        #expect(ownership.liveBrokersAre([1, 2], at: .start) == [])
        #expect(ownership.review(at: .start + .seconds(29)) == [])
        #expect(ownership.liveBrokersAre([1], at: .start + .seconds(29)) == [])
        #expect(ownership.liveBrokersAre([1, 2], at: .start + .seconds(31)) == [])
        #expect(ownership.review(at: .start + .seconds(60)) == [])
        #expect(ownership.review(at: .start + .seconds(61)) == [.release(bucket, epoch: 4)])
        ownership.lost(bucket)
        ownership.ownerSeen(bucket, nil)
        #expect(claims(ownership.review(at: .start + .seconds(61))) == [])
    }

    @Test("is forgotten with the session") func session() {
        var ownership = GroupOwnership(me: 1)
        _ = ownership.liveBrokersAre([1], at: .start)
        known(&ownership)
        _ = ownership.review(at: .start)
        ownership.claimed(1, epoch: 1)
        ownership.sessionLost()
        #expect(ownership.buckets[1].standing == .elsewhere)
        #expect(ownership.owner(ofGroup: "g") == nil)
        #expect(ownership.review(at: .start) == [])
    }
}
