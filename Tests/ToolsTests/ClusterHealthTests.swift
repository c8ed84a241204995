import ClusterModel
import Testing

@testable import Tools

@Suite("The status of a cluster")
struct ClusterHealthTests {
    private var well: ClusterHealth {
        var health = ClusterHealth(coordinator: "zk:2181")
        health.brokers = [.init(id: 0, address: "a:9092"), .init(id: 1, address: "b:9092")]
        health.controller = 1
        health.topics = 1
        health.partitions = 3
        return health
    }

    @Test("is healthy when nothing is amiss") func healthy() {
        #expect(well.verdict == .healthy)
        #expect(
            well.lines == [
                "coordinator  zk:2181", "brokers      0 a:9092   1 b:9092", "controller   broker 1",
                "partitions   3 in 1 topics, 0 offline, 0 under-replicated", "OK           nothing is amiss",
            ])
        #expect(JSONValue(parsing: Array(well.json.utf8))?["status"]?.string == "healthy")
    }

    @Test("is degraded by anything that is missing, and says what") func degraded() {
        var health = well
        health.underReplicated = (0..<7).map { TopicPartition("t", $0) }
        health.silent = [1]
        #expect(health.verdict == .degraded)
        #expect(
            health.troubles == [
                "broker 1 is registered and does not answer",
                "fewer replicas in sync than assigned: t-0, t-1, t-2, t-3, t-4 and 2 more",
            ])
        health = well
        health.expectedBrokers = 3
        #expect(health.troubles == ["2 of 3 brokers are registered"])
        health = well
        health.controller = nil
        health.offline = [TopicPartition("t", 0)]
        #expect(health.troubles == ["no broker is controller at the moment", "without a leader: t-0"])
    }

    @Test("is down without brokers that answer") func down() {
        var health = well
        health.brokerTrouble = "nobody"
        #expect(health.verdict == .down)
        #expect(ClusterHealth(coordinator: "zk:2181").verdict == .down)
    }
}
