import ClusterModel

/// Where the replicas of new partitions go: leaders in turn over the brokers, followers shifted by another amount on each round,
/// so that what a failed broker led and followed spreads over all others. With racks, the same over a list that alternates
/// racks, and no rack twice while another has none.
/// Rule: Kafka 3.9 (AdminUtils); kafka-apis.md section 3.
package enum ReplicaPlacement {
    package struct Candidate: Equatable, Sendable {
        package var broker: BrokerID
        package var rack: String?
        package init(_ broker: BrokerID, rack: String? = nil) {
            self.broker = broker
            self.rack = rack
        }
    }

    package enum Refusal: Error, Equatable, Sendable {
        case partitionCount(Int32)
        case replicationFactor(Int, brokers: Int)
    }

    /// - Parameters:
    ///   - firstPartition: the number of the first new partition.
    ///   - start: where to begin in the list, and the shift to begin with; random for a new topic, the place of partition 0's
    ///     leader when a topic grows.
    /// - Returns: one list of replicas for each new partition, the preferred leader first.
    package static func place(
        partitions: Int32, replicationFactor: Int, over candidates: [Candidate], firstPartition: Int32 = 0, start: Int,
        shift: Int? = nil
    ) throws(Refusal) -> [[BrokerID]] {
        guard partitions > 0 else { throw .partitionCount(partitions) }
        guard replicationFactor > 0, replicationFactor <= candidates.count else {
            throw .replicationFactor(replicationFactor, brokers: candidates.count)
        }
        let sorted = candidates.sorted { $0.broker < $1.broker }
        // Racks count only when every broker names one.
        let aware = sorted.allSatisfy { $0.rack != nil }
        let list = aware ? alternated(sorted) : sorted
        let racks = aware ? Set(list.compactMap(\.rack)).count : 1
        let n = list.count
        var shift = shift ?? start
        var placed: [[BrokerID]] = []
        placed.reserveCapacity(Int(partitions))
        for offset in 0..<Int(partitions) {
            let partition = Int(firstPartition) + offset
            if partition > 0, partition % n == 0 { shift += 1 }
            let first = (partition + start) % n
            var replicas = [list[first].broker]
            var usedRacks: Set<String> = aware ? [list[first].rack ?? ""] : []
            var k = 0
            while replicas.count < replicationFactor {
                let next = list[followerIndex(first: first, shift: aware ? shift * racks : shift, k, n)]
                k += 1
                if aware {
                    let rack = next.rack ?? ""
                    guard !usedRacks.contains(rack) || usedRacks.count == racks, !replicas.contains(next.broker) else {
                        continue
                    }
                    usedRacks.insert(rack)
                }
                replicas.append(next.broker)
            }
            placed.append(replicas)
        }
        return placed
    }

    private static func followerIndex(first: Int, shift: Int, _ k: Int, _ n: Int) -> Int {
        (first + 1 + (shift + k) % (n - 1)) % n
    }

    /// One broker of each rack in turn, racks by name, brokers by id.
    package static func alternated(_ candidates: [Candidate]) -> [Candidate] {
        let byRack = Dictionary(grouping: candidates.sorted { $0.broker < $1.broker }) { $0.rack ?? "" }
        let racks = byRack.keys.sorted()
        var result: [Candidate] = []
        var round = 0
        while result.count < candidates.count {
            for rack in racks {
                if let members = byRack[rack], round < members.count { result.append(members[round]) }
            }
            round += 1
        }
        return result
    }
}
