import Bytes
import ClusterModel
import Testing

@testable import Broker

@Suite("The metadata cache")
struct MetadataCacheTests {
    private let cache = MetadataCache()
    private let first = UUID128(high: 1, low: 1)
    private let second = UUID128(high: 2, low: 2)

    private func partition(_ index: Int32, leader: BrokerID, epoch: LeaderEpoch = 0) -> MetadataCache.Partition {
        MetadataCache.Partition(index: index, leader: leader, leaderEpoch: epoch, replicas: [1, 2], inSync: [1])
    }
    private func broker(_ id: BrokerID) -> MetadataCache.Broker {
        MetadataCache.Broker(id: id, addresses: [.init(listener: "PLAINTEXT", host: "h\(id)", port: 9092)])
    }

    @Test("one update replaces the brokers and sets only the partitions it names") func updates() {
        cache.apply(
            controller: 1, brokers: [broker(2), broker(1)],
            topics: [("t", first, [partition(1, leader: 2), partition(0, leader: 1)])])
        #expect(cache.brokers.map(\.id) == [1, 2])
        #expect(cache.topic("t")?.partitions.map(\.index) == [0, 1])
        cache.apply(controller: 2, brokers: [broker(2)], topics: [("t", first, [partition(0, leader: 2, epoch: 1)])])
        #expect(cache.controller == 2)
        #expect(!cache.isAlive(1))
        #expect(cache.partition(TopicPartition("t", 0))?.leader == 2)
        #expect(cache.partition(TopicPartition("t", 1))?.leader == 2)
        #expect(cache.topic(id: first)?.name == "t")
    }

    @Test("a partition led during deletion is forgotten, the topic with its last one") func deletion() {
        cache.apply(
            controller: 1, brokers: [], topics: [("t", first, [partition(0, leader: 1), partition(1, leader: 1)])])
        cache.apply(controller: 1, brokers: [], topics: [("t", first, [partition(0, leader: .duringDelete)])])
        #expect(cache.topic("t")?.partitions.map(\.index) == [1])
        cache.apply(controller: 1, brokers: [], topics: [("t", first, [partition(1, leader: .duringDelete)])])
        #expect(cache.topic("t") == nil)
        #expect(cache.topic(id: first) == nil)
    }

    @Test("an update that tells everything forgets what it does not name: it was deleted unheard") func whole() {
        cache.apply(
            controller: 1, brokers: [],
            topics: [
                ("t", first, [partition(0, leader: 1), partition(1, leader: 1)]),
                ("gone", second, [partition(0, leader: 1)]),
            ])
        var told: [String] = []
        cache.changed = { told = $0 }
        cache.apply(controller: 1, brokers: [], topics: [("t", first, [partition(1, leader: 1)])], isWhole: true)
        #expect(cache.topicNames == ["t"])
        #expect(cache.topic("t")?.partitions.map(\.index) == [1])
        #expect(cache.name(ofTopic: second) == nil)
        #expect(told == ["t", "gone"])
    }

    @Test("a topic made again under its name has nothing of the old one") func madeAgain() {
        cache.apply(
            controller: 1, brokers: [], topics: [("t", first, [partition(0, leader: 1), partition(1, leader: 1)])])
        cache.apply(controller: 1, brokers: [], topics: [("t", second, [partition(0, leader: 2)])])
        #expect(cache.topic("t")?.partitions.map(\.leader) == [2])
        #expect(cache.topic(id: first) == nil)
        #expect(cache.name(ofTopic: second) == "t")
    }

    @Test("partitions are found whatever gaps there are") func gaps() {
        cache.apply(
            controller: 1, brokers: [], topics: [("t", first, [partition(7, leader: 1), partition(2, leader: 2)])])
        #expect(cache.partition(TopicPartition("t", 7))?.leader == 1)
        #expect(cache.partition(TopicPartition("t", 2))?.leader == 2)
        #expect(cache.partition(TopicPartition("t", 0)) == nil)
        #expect(cache.partition(TopicPartition("t", -1)) == nil)
    }

    @Test("who waits for a broker is told when it is alive") func awaited() {
        var told = 0
        cache.whenAlive(3) { told += 1 }
        cache.apply(controller: 1, brokers: [broker(1)], topics: [])
        #expect(told == 0)
        cache.apply(controller: 1, brokers: [broker(1), broker(3)], topics: [])
        cache.apply(controller: 1, brokers: [broker(1), broker(3)], topics: [])
        #expect(told == 1)
    }
}
