import Bytes
import ClusterModel
import Testing

@testable import Tools

@Suite("A rescue plan")
struct RescuePlanTests {
    static let id = UUID128(text: "r6kFzB-SR7y1YRMU5VYqdQ")

    private func replica(
        _ broker: Int32, _ topic: String, _ partition: Int32 = 0, epoch: Int32, next: Int64, latest: Int32 = 0,
        id: UUID128? = RescuePlanTests.id
    ) -> RescuePlan.Replica {
        RescuePlan.Replica(
            broker: BrokerID(broker), directory: "d\(broker)/\(topic)-\(partition)",
            partition: TopicPartition(topic, partition), topicID: id, next: Offset(next), epoch: LeaderEpoch(epoch),
            latestEpoch: LeaderEpoch(max(epoch, latest)))
    }

    @Test("takes the newest epoch before the longest log, and all that are as long") func newest() throws {
        let plan = RescuePlan([
            // Elected once more, and died before it wrote anything.
            replica(0, "t", epoch: 3, next: 100, latest: 7), replica(1, "t", epoch: 4, next: 90),
            replica(2, "t", epoch: 4, next: 90),
            replica(3, "t", epoch: 4, next: 80),
        ])
        let partition = try #require(plan.topics.first?.partitions[0])
        #expect(partition.inSync == [1, 2] && partition.next == 90 && partition.epoch == 7)
        #expect(partition.behind == [0: 100, 3: 80])
        #expect(Set(partition.replicas) == [0, 1, 2, 3] && plan.leftOut.isEmpty)
    }

    @Test("gives each broker its share of preferred leaders") func shares() {
        let plan = RescuePlan(
            (0..<3).flatMap { partition in (0..<3).map { replica($0, "t", partition, epoch: 0, next: 5) } })
        #expect((0..<3).map { plan.topics[0].partitions[Int32($0)]?.replicas.first } == [0, 1, 2])
    }

    @Test("leaves out what would be a guess, and says why") func guesses() {
        let other = UUID128(text: "AAAAAAAAAAAAAAAAAAAAAQ")
        let plan = RescuePlan([
            replica(0, "again", epoch: 0, next: 5), replica(1, "again", epoch: 0, next: 5, id: other),
            replica(0, "holed", 0, epoch: 0, next: 5), replica(0, "holed", 2, epoch: 0, next: 5),
            replica(0, "twice", epoch: 0, next: 5), replica(0, "twice", epoch: 0, next: 6),
            replica(0, "__consumer_offsets", epoch: 0, next: 5), replica(0, "whole", epoch: 0, next: 5),
        ])
        #expect(plan.topics.map(\.name) == ["whole"])
        #expect(plan.leftOut.count == 4)
        for (line, words) in zip(
            plan.leftOut, ["import --groups", "2 topics of this name", "partition 1", "twice on one broker"])
        {
            #expect(line.contains(words), "\(line)")
        }
    }

    @Test("writes a tree without leaders, parents first, that keeps everything") func nodes() throws {
        let plan = RescuePlan([replica(0, "t", epoch: 4, next: 9), replica(1, "t", epoch: 4, next: 9)])
        let nodes = RescuePlan.nodes(of: plan.topics[0], controllerEpoch: 7)
        #expect(
            nodes.map(\.path) == [
                "/config/topics/t", "/brokers/topics/t", "/brokers/topics/t/partitions",
                "/brokers/topics/t/partitions/0",
                "/brokers/topics/t/partitions/0/state",
            ])
        #expect(
            try ConfigPayload(payload: nodes[0].data ?? []).settings == ["retention.ms": "-1", "retention.bytes": "-1"])
        let assignment = try TopicAssignment(payload: nodes[1].data ?? [])
        #expect(assignment.topicID == RescuePlanTests.id && assignment.replicas == [0: [0, 1]])
        let state = try PartitionState(payload: nodes[4].data ?? [])
        #expect(state.leader == .none && state.leaderEpoch == 4 && state.controllerEpoch == 7 && state.isr == [0, 1])
    }

    @Test("gives no producer id again") func producers() {
        for highest: Int64 in [-1, 0, 999, 1000, 123_456] {
            let block = RescuePlan.producerIDs(above: highest)
            #expect(block.first > highest + 900_000 && block.first % 1000 == 0 && block.last == block.first + 999)
        }
    }
}
