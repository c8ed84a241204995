import ClusterModel

/// Who reads what, as the leader of a group decides it. Rule: Kafka's `RangeAssignor` without racks.
package enum RangeAssignor {
    package static let name = "range"

    package struct Member: Equatable {
        package var id: String
        package var instanceID: String?
        package var topics: [String]
        package init(id: String, instanceID: String? = nil, topics: [String]) {
            self.id = id
            self.instanceID = instanceID
            self.topics = topics
        }
    }

    /// Every topic by itself: its partitions in a row, cut into pieces that differ by one at most, the larger ones first.
    /// - Parameter partitionCounts: topics that are missing have no partitions.
    package static func assign(_ members: [Member], partitionCounts: [String: Int32]) -> [String: [TopicPartition]] {
        var shares: [String: [TopicPartition]] = [:]
        for member in members { shares[member.id] = [] }
        let ordered = members.sorted(by: precedes)
        for topic in Set(members.flatMap(\.topics)).sorted() {
            let count = partitionCounts[topic] ?? 0
            let readers = ordered.filter { $0.topics.contains(topic) }
            guard count > 0, !readers.isEmpty else { continue }
            let (each, extra) = count.quotientAndRemainder(dividingBy: Int32(readers.count))
            var next: Int32 = 0
            for (index, reader) in readers.enumerated() {
                let end = next + each + (index < Int(extra) ? 1 : 0)
                shares[reader.id, default: []] += (next..<end).map { TopicPartition(topic, $0) }
                next = end
            }
        }
        return shares
    }

    /// Static members first, by their instance; the others by member id.
    private static func precedes(_ a: Member, _ b: Member) -> Bool {
        switch (a.instanceID, b.instanceID) {
        case (let a?, let b?): a.utf8.lexicographicallyPrecedes(b.utf8)
        case (.some, nil): true
        case (nil, .some): false
        case (nil, nil): a.id.utf8.lexicographicallyPrecedes(b.id.utf8)
        }
    }
}
