import Bytes
import ClusterModel

/// What the controller last told this broker about the cluster: who is there, which topics exist, who leads what.
///
/// Every broker answers Metadata from this and nothing else, so it may be a moment behind the tree, never inconsistent
/// with
/// itself: one UpdateMetadata is applied as a whole.
package final class MetadataCache {
    package struct Address: Equatable, Sendable {
        /// The listener's name: `PLAINTEXT`, `INTERNAL`.
        package var listener: String
        /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
        package var securityProtocol: Int16
        package var host: String
        package var port: Int32
        package init(listener: String, securityProtocol: Int16 = 0, host: String, port: Int32) {
            self.listener = listener
            self.securityProtocol = securityProtocol
            self.host = host
            self.port = port
        }
    }

    package struct Broker: Equatable, Sendable {
        package var id: BrokerID
        package var rack: String?
        package var addresses: [Address]
        package init(id: BrokerID, rack: String? = nil, addresses: [Address]) {
            self.id = id
            self.rack = rack
            self.addresses = addresses
        }
        package func address(listener: String) -> Address? { addresses.first { $0.listener == listener } }
    }

    package struct Partition: Equatable, Sendable {
        package var index: Int32
        /// ``BrokerID/none`` while nobody leads, ``BrokerID/duringDelete`` while the topic is being deleted.
        package var leader: BrokerID
        package var leaderEpoch: LeaderEpoch
        package var controllerEpoch: ControllerEpoch = 0
        package var partitionEpoch: PartitionEpoch = 0
        package var replicas: [BrokerID]
        package var inSync: [BrokerID]
        /// Replicas on failed log directories.
        package var offline: [BrokerID] = []
        package init(
            index: Int32, leader: BrokerID, leaderEpoch: LeaderEpoch, replicas: [BrokerID], inSync: [BrokerID]
        ) {
            self.index = index
            self.leader = leader
            self.leaderEpoch = leaderEpoch
            self.replicas = replicas
            self.inSync = inSync
        }
    }

    package struct Topic: Equatable, Sendable {
        package var name: String
        /// Zero when the controller told none.
        package var id: UUID128
        /// By index, ascending.
        package fileprivate(set) var partitions: [Partition]

        package func partition(_ index: Int32) -> Partition? {
            // Nearly always they are 0, 1, 2, … without gaps.
            if index >= 0, Int(index) < partitions.count, partitions[Int(index)].index == index {
                return partitions[Int(index)]
            }
            return partitions.first { $0.index == index }
        }
        fileprivate mutating func set(_ partition: Partition) {
            if let place = partitions.firstIndex(where: { $0.index >= partition.index }) {
                if partitions[place].index == partition.index {
                    partitions[place] = partition
                } else {
                    partitions.insert(partition, at: place)
                }
            } else {
                partitions.append(partition)
            }
        }
    }

    /// Live ones, by id.
    package private(set) var brokers: [Broker] = []
    package private(set) var controller: BrokerID = .none
    private var topics: [String: Topic] = [:]
    private var names: [UUID128: String] = [:]
    /// Told after each change with the topics that changed (``ConsumerGroups`` and the fetcher care).
    package var changed: (([String]) -> Void)?

    private var awaited: [(id: BrokerID, then: () -> Void)] = []

    package init() {}

    /// Calls back once `id` is among the live brokers.
    package func whenAlive(_ id: BrokerID, then: @escaping () -> Void) {
        if isAlive(id) { then() } else { awaited.append((id, then)) }
    }

    package func topic(_ name: String) -> Topic? { topics[name] }
    package func topic(id: UUID128) -> Topic? { names[id].flatMap { topics[$0] } }
    package func name(ofTopic id: UUID128) -> String? { names[id] }
    package func partition(_ partition: TopicPartition) -> Partition? {
        topics[partition.topic]?.partition(partition.partition)
    }
    package func broker(_ id: BrokerID) -> Broker? { brokers.first { $0.id == id } }
    package func isAlive(_ id: BrokerID) -> Bool { brokers.contains { $0.id == id } }
    package var topicCount: Int { topics.count }
    /// Sorted.
    package var topicNames: [String] { topics.keys.sorted() }

    // MARK: What the controller tells

    package func setController(_ id: BrokerID) { controller = id }

    /// One UpdateMetadata: the list of live brokers replaces the old one, the partitions named are set, those led by
    /// ``BrokerID/duringDelete`` are forgotten.
    /// - Parameter isWhole: what is not named is forgotten as well: topics that were deleted while nobody could tell this broker.
    package func apply(
        controller: BrokerID, brokers live: [Broker],
        topics changes: [(name: String, id: UUID128, partitions: [Partition])], isWhole: Bool = false
    ) {
        self.controller = controller
        brokers = live.sorted { $0.id < $1.id }
        var forgotten: [String] = []
        if isWhole {
            let named = Set(changes.map(\.name))
            forgotten = topics.keys.filter { !named.contains($0) }.sorted()
            for name in forgotten {
                if let id = topics.removeValue(forKey: name)?.id, !id.isZero { names[id] = nil }
            }
        }
        for change in changes {
            var topic = topics[change.name] ?? Topic(name: change.name, id: .zero, partitions: [])
            if !change.id.isZero, topic.id != change.id {
                if !topic.id.isZero {
                    // Deleted and made again under the same name.
                    names[topic.id] = nil
                    topic.partitions = []
                }
                topic.id = change.id
            }
            if isWhole {
                let indexes = Set(change.partitions.map(\.index))
                topic.partitions.removeAll { !indexes.contains($0.index) }
            }
            for partition in change.partitions {
                if partition.leader == .duringDelete {
                    topic.partitions.removeAll { $0.index == partition.index }
                } else {
                    topic.set(partition)
                }
            }
            if topic.partitions.isEmpty {
                topics[change.name] = nil
                if !topic.id.isZero { names[topic.id] = nil }
            } else {
                topics[change.name] = topic
                if !topic.id.isZero { names[topic.id] = change.name }
            }
        }
        changed?(changes.map(\.name) + forgotten)
        let due = awaited.filter { isAlive($0.id) }
        awaited.removeAll { isAlive($0.id) }
        for one in due { one.then() }
    }
}
