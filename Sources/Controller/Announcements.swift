import Bytes
import ClusterModel

/// One partition as a broker is told about it.
package struct AnnouncedPartition: Equatable, Sendable {
    package var partition: TopicPartition
    package var topicID: UUID128?
    package var recorded: RecordedState
    package var replicas: [BrokerID]
    package var adding: [BrokerID]
    package var removing: [BrokerID]
    /// Replicas on dead brokers or failed directories.
    package var offline: [BrokerID]
    /// The log may be made even if a failed directory might hold it.
    package var isNew: Bool
}

package struct StoppedReplica: Equatable, Sendable {
    package var partition: TopicPartition
    /// -2 while the topic is being deleted.
    package var leaderEpoch: LeaderEpoch
    package var delete: Bool
}

/// What one broker must hear, in this order.
package enum ControlOrder: Equatable, Sendable {
    case leaderAndIsr([AnnouncedPartition], liveLeaders: [BrokerID])
    /// Partitions of a topic being deleted carry leader -2.
    /// - isWhole: what is not named is not there any more.
    case updateMetadata([AnnouncedPartition], liveBrokers: [BrokerID], isWhole: Bool)
    case stopReplica([StoppedReplica])
}

package struct BrokerOrders: Equatable, Sendable {
    package var broker: BrokerID
    /// The life they are meant for.
    package var epoch: BrokerEpoch
    package var orders: [ControlOrder]
}

/// Collects who must hear what; one batch tells each broker once, of the state as it is when the batch leaves.
package struct Announcements: Equatable, Sendable {
    private var leaderAndIsr: [BrokerID: [TopicPartition: Bool]] = [:]
    private var metadata: Set<TopicPartition> = []
    private var wholeMetadata: Set<BrokerID> = []
    private var metadataForAll = false
    private var deleting: [TopicPartition: AnnouncedPartition] = [:]
    private var stops: [BrokerID: [TopicPartition: StoppedReplica]] = [:]
    /// Topics on their way out: whatever becomes of their partitions meanwhile is nobody's business any more.
    private var going: Set<String> = []
    package init() {}

    package var isEmpty: Bool {
        leaderAndIsr.isEmpty && metadata.isEmpty && wholeMetadata.isEmpty && !metadataForAll && deleting.isEmpty
            && stops.isEmpty
    }

    /// The partition's state changed, or `brokers` have not heard it in this life: replicas act on it, everybody routes by it.
    package mutating func lead(_ partition: TopicPartition, tell brokers: [BrokerID], isNew: Bool = false) {
        guard !going.contains(partition.topic) else { return }
        for broker in brokers {
            let was = leaderAndIsr[broker]?[partition] ?? false
            leaderAndIsr[broker, default: [:]][partition] = was || isNew
        }
        route(partition)
    }
    /// Only the in-sync set changed.
    package mutating func route(_ partition: TopicPartition) {
        guard !going.contains(partition.topic) else { return }
        metadata.insert(partition)
        deleting[partition] = nil
    }
    /// The brokers changed: everybody hears who is live.
    package mutating func brokersChanged() { metadataForAll = true }
    /// A broker that knows nothing yet, or may have missed something: a topic that is gone, for one.
    package mutating func tellAll(_ broker: BrokerID) { wholeMetadata.insert(broker) }
    package mutating func stop(_ partition: TopicPartition, on broker: BrokerID, leaderEpoch: LeaderEpoch, delete: Bool)
    {
        let before = stops[broker]?[partition]
        stops[broker, default: [:]][partition] = StoppedReplica(
            partition: partition, leaderEpoch: leaderEpoch, delete: delete || before?.delete == true)
    }
    /// From now on nobody is told of the topic, but that it goes.
    package mutating func deletionBegan(_ topic: String) { going.insert(topic) }
    package mutating func deletionEnded(_ topic: String) { going.remove(topic) }

    /// The topic is going: nobody is sent there any more.
    package mutating func hide(_ partition: TopicPartition, of view: PartitionView, topicID: UUID128?) {
        let epoch = view.recorded
        deleting[partition] = AnnouncedPartition(
            partition: partition, topicID: topicID,
            recorded: RecordedState(
                state: LeaderAndInSync(
                    leader: .duringDelete, leaderEpoch: 0, inSync: epoch?.state.inSync ?? [],
                    controllerEpoch: epoch?.state.controllerEpoch ?? 0),
                partitionEpoch: epoch?.partitionEpoch ?? 0),
            replicas: view.replicas, adding: [], removing: [], offline: [], isNew: false)
        metadata.remove(partition)
        for broker in leaderAndIsr.keys { leaderAndIsr[broker]?[partition] = nil }
    }

    /// Empties the collection into one batch, brokers by id.
    package mutating func take(from cluster: ClusterView) -> [BrokerOrders] {
        guard !isEmpty else { return [] }
        func announced(_ partition: TopicPartition, isNew: Bool) -> AnnouncedPartition? {
            guard let view = cluster[partition], let recorded = view.recorded else { return nil }
            return AnnouncedPartition(
                partition: partition, topicID: cluster.topics[partition.topic]?.id, recorded: recorded,
                replicas: view.replicas, adding: view.effective.adding, removing: view.effective.removing,
                offline: view.replicas.filter { cluster.brokers[$0] == nil || view.failedReplicas.contains($0) },
                isNew: isNew)
        }
        let live = cluster.brokerIDs
        let changed = metadata.sorted().compactMap { announced($0, isNew: false) }
        let gone = deleting.keys.sorted().compactMap { deleting[$0] }
        let whole =
            wholeMetadata.isEmpty
            ? []
            : cluster.allPartitions.filter { deleting[$0] == nil && !going.contains($0.topic) }
                .compactMap { announced($0, isNew: false) }
        var batch: [BrokerOrders] = []
        for broker in live {
            guard let life = cluster.brokers[broker] else { continue }
            var orders: [ControlOrder] = []
            if let wanted = leaderAndIsr[broker] {
                let partitions = wanted.keys.sorted().filter { isCurrent($0, in: cluster) }
                    .compactMap { announced($0, isNew: wanted[$0] ?? false) }
                if !partitions.isEmpty {
                    let leaders = Set(partitions.map(\.recorded.state.leader)).filter { cluster.brokers[$0] != nil }
                    orders.append(.leaderAndIsr(partitions, liveLeaders: leaders.sorted()))
                }
            }
            if wholeMetadata.contains(broker) {
                orders.append(.updateMetadata(whole + gone, liveBrokers: live, isWhole: true))
            } else if metadataForAll || !changed.isEmpty || !gone.isEmpty {
                orders.append(.updateMetadata(changed + gone, liveBrokers: live, isWhole: false))
            }
            if let wanted = stops[broker] {
                let kept = wanted.keys.sorted().compactMap { wanted[$0] }
                orders.append(.stopReplica(kept))
            }
            if !orders.isEmpty { batch.append(BrokerOrders(broker: broker, epoch: life.epoch, orders: orders)) }
        }
        let stillGoing = going
        self = Announcements()
        going = stillGoing
        return batch
    }

    /// Nobody acts on an epoch that ends already: the next one is being written, or its leader's life is over.
    private func isCurrent(_ partition: TopicPartition, in cluster: ClusterView) -> Bool {
        guard let view = cluster[partition], let state = view.recorded?.state else { return false }
        if let pending = view.pending, pending.leaderEpoch != state.leaderEpoch { return false }
        return cluster.brokers[state.leader] == nil || cluster.stands(state.leader, in: state)
    }
}
