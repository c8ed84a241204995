import ClusterModel
import Testing

@testable import Controller

@Suite("Replica placement")
struct ReplicaPlacementTests {
    private func brokers(_ ids: [BrokerID]) -> [ReplicaPlacement.Candidate] { ids.map { .init($0) } }

    @Test("takes leaders in turn and shifts followers on each round") func plain() throws {
        let placed = try ReplicaPlacement.place(
            partitions: 10, replicationFactor: 3, over: brokers([0, 1, 2, 3, 4]), start: 0)
        #expect(
            placed == [
                [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0], [4, 0, 1],
                [0, 2, 3], [1, 3, 4], [2, 4, 0], [3, 0, 1], [4, 1, 2],
            ])
    }
    @Test("alternates racks and repeats none while another is free") func racks() throws {
        let rack: [BrokerID: String] = [0: "rack1", 1: "rack3", 2: "rack3", 3: "rack2", 4: "rack2", 5: "rack1"]
        let candidates = rack.keys.sorted().map { ReplicaPlacement.Candidate($0, rack: rack[$0]) }
        #expect(ReplicaPlacement.alternated(candidates).map(\.broker) == [0, 3, 1, 5, 4, 2])
        let placed = try ReplicaPlacement.place(partitions: 12, replicationFactor: 3, over: candidates, start: 0)
        #expect(placed.allSatisfy { Set($0.map { rack[$0] ?? "" }).count == 3 })
        for broker in rack.keys.sorted() { #expect(placed.filter { $0.first == broker }.count == 2) }
        #expect(placed[0] == [0, 3, 1])
    }
    @Test("goes on where a growing topic stopped") func grows() throws {
        let all = try ReplicaPlacement.place(partitions: 6, replicationFactor: 2, over: brokers([0, 1, 2]), start: 1)
        let more = try ReplicaPlacement.place(
            partitions: 3, replicationFactor: 2, over: brokers([0, 1, 2]), firstPartition: 3, start: 1)
        #expect(more.map(\.first) == all[3...].map(\.first))
    }
    @Test("refuses more replicas than brokers, and no partitions") func refuses() {
        #expect(throws: ReplicaPlacement.Refusal.replicationFactor(3, brokers: 2)) {
            try ReplicaPlacement.place(partitions: 1, replicationFactor: 3, over: brokers([0, 1]), start: 0)
        }
        #expect(throws: ReplicaPlacement.Refusal.partitionCount(0)) {
            try ReplicaPlacement.place(partitions: 0, replicationFactor: 1, over: brokers([0, 1]), start: 0)
        }
    }
    @Test("one broker takes everything") func alone() throws {
        #expect(
            try ReplicaPlacement.place(partitions: 3, replicationFactor: 1, over: brokers([7]), start: 5) == [
                [7], [7], [7],
            ])
    }
}
