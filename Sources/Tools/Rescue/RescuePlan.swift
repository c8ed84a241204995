import Bytes
import ClusterModel

/// The tree that brokers' disks still tell of, when the coordinator's own disk is lost. Decided by value: what was found on the
/// disks goes in, nodes come out.
///
/// Rule: of a partition's replicas the one whose last batch has the newest leader epoch, and of those the longest, holds everything that was
/// committed, as long as no disk of its in-sync set is missing: the newest leader had it all, and logs of one epoch are
/// beginnings of each other (KIP-101). It, and those as long as it, are in sync; the rest copy what they miss.
package struct RescuePlan {
    /// One partition's directory, as it was found.
    package struct Replica: Equatable {
        package var broker: BrokerID
        package var directory: String
        package var partition: TopicPartition
        package var topicID: UUID128?
        package var next: Offset
        /// Of its newest batch.
        package var epoch: LeaderEpoch
        /// The newest that it heard of.
        package var latestEpoch: LeaderEpoch
        package var torn: Int64 = 0
    }

    package struct Partition: Equatable {
        package var replicas: [BrokerID]
        package var inSync: [BrokerID]
        package var next: Offset
        /// Any leader's from now on must be newer.
        package var epoch: LeaderEpoch
        /// The others, and where they end.
        package var behind: [BrokerID: Offset]
    }

    package struct Topic: Equatable {
        package var name: String
        /// Nil: older than topic ids; the controller gives one.
        package var id: UUID128?
        package var partitions: [Int32: Partition]
    }

    package private(set) var topics: [Topic] = []
    /// What was found and is not part of the plan, a sentence each.
    package private(set) var leftOut: [String] = []

    package init(_ found: [Replica]) {
        for (name, replicas) in Dictionary(grouping: found, by: \.partition.topic).sorted(by: { $0.key < $1.key }) {
            add(name, replicas.sorted { ($0.partition.partition, $0.broker) < ($1.partition.partition, $1.broker) })
        }
    }

    private mutating func add(_ name: String, _ replicas: [Replica]) {
        if name == "__consumer_offsets" || name == "__transaction_state" {
            leftOut.append(
                "\(name): Apache Kafka's own; committed offsets are taken from it by letterbox import --groups")
            return
        }
        let ids = Dictionary(grouping: replicas.filter { $0.topicID != nil }, by: \.topicID)
        if ids.count > 1 {
            let places = ids.values.compactMap(\.first).map { "\($0.topicID?.text ?? "") in \($0.directory)" }.sorted()
            leftOut.append(
                "\(name): directories of \(ids.count) topics of this name: \(places.joined(separator: ", ")). "
                    + "Move those of the older one away, then look again")
            return
        }
        var topic = Topic(name: name, id: ids.keys.first ?? nil, partitions: [:])
        for (number, copies) in Dictionary(grouping: replicas, by: \.partition.partition) {
            let brokers = copies.map(\.broker)
            if Set(brokers).count < brokers.count {
                let places = copies.map(\.directory).joined(separator: " and ")
                leftOut.append(
                    "\(name): partition \(number) lies twice on one broker, in \(places). Move the shorter away")
                return
            }
            topic.partitions[number] = RescuePlan.partition(number, copies)
        }
        let last = topic.partitions.keys.max() ?? 0
        let missing = (0...last).filter { topic.partitions[$0] == nil }
        guard missing.isEmpty else {
            leftOut.append(
                "\(name): no disk holds partition \(missing.map(String.init).joined(separator: ", ")). Name the disks of all brokers"
            )
            return
        }
        topics.append(topic)
    }

    private static func partition(_ number: Int32, _ copies: [Replica]) -> Partition {
        func isNewer(_ a: Replica, _ b: Replica) -> Bool { (a.epoch, a.next) < (b.epoch, b.next) }
        let best = copies.max(by: isNewer)
        let inSync = copies.filter { $0.epoch == best?.epoch && $0.next == best?.next }
        let behind = copies.filter { copy in !inSync.contains { $0.broker == copy.broker } }
        // Who was to lead is not written on any disk: each broker its share.
        let sorted = copies.map(\.broker).sorted()
        let first = Int(number) % sorted.count
        return Partition(
            replicas: Array(sorted[first...] + sorted[..<first]), inSync: inSync.map(\.broker).sorted(),
            next: best?.next ?? 0, epoch: copies.map(\.latestEpoch).max() ?? .none,
            behind: Dictionary(uniqueKeysWithValues: behind.map { ($0.broker, $0.next) }))
    }

    // MARK: What is written

    package struct Node: Equatable {
        package var path: String
        package var data: [UInt8]?
    }

    /// Until its owner has said again how long a topic keeps its records, it keeps them all.
    package static let keepEverything = ["retention.ms": "-1", "retention.bytes": "-1"]

    /// A topic's nodes, parents first; all or none of them are to be made.
    package static func nodes(of topic: Topic, controllerEpoch: ControllerEpoch) -> [Node] {
        let assignment = TopicAssignment(topicID: topic.id, replicas: topic.partitions.mapValues(\.replicas))
        var nodes = [
            Node(path: Znodes.topicConfig(topic.name), data: ConfigPayload(keepEverything).payload),
            Node(path: Znodes.topic(topic.name), data: assignment.payload),
            Node(path: Znodes.partitions(topic.name)),
        ]
        for (number, partition) in topic.partitions.sorted(by: { $0.key < $1.key }) {
            let place = TopicPartition(topic.name, number)
            // Nobody leads: the controller elects from the in-sync set, under an epoch newer than any on the disks.
            let state = PartitionState(
                leader: BrokerID(-1), leaderEpoch: LeaderEpoch(max(partition.epoch.raw, 0)),
                controllerEpoch: controllerEpoch, isr: partition.inSync)
            nodes.append(Node(path: Znodes.partition(place)))
            nodes.append(Node(path: Znodes.partitionState(place), data: state.payload))
        }
        return nodes
    }

    /// Beyond every producer id that may still be in use. Which blocks brokers held is lost; ids are not scarce.
    package static func producerIDs(above highest: Int64) -> ProducerIDBlockPayload {
        let first = (max(highest, 0) / 1000 + 1000) * 1000
        return ProducerIDBlockPayload(broker: BrokerID(-1), first: first, last: first + 999)
    }
}
