import Bytes
import ClusterModel

/// One broker's life, as its registration tells it.
package struct LiveBroker: Equatable, Sendable {
    package var id: BrokerID
    /// Another epoch is another life, whatever the id.
    package var epoch: BrokerEpoch
    package var rack: String?
    /// Of the registration's data: moves when the broker tells other endpoints.
    package var registrationVersion: Int32
    package init(id: BrokerID, epoch: BrokerEpoch, rack: String? = nil, registrationVersion: Int32 = 1) {
        self.id = id
        self.epoch = epoch
        self.rack = rack
        self.registrationVersion = registrationVersion
    }
}

/// What `…/partitions/P/state` says.
package struct LeaderAndInSync: Equatable, Sendable {
    package var leader: BrokerID
    package var leaderEpoch: LeaderEpoch
    /// In the order of the assignment.
    package var inSync: [BrokerID]
    package var controllerEpoch: ControllerEpoch
    /// After an unclean election, until the leader says that it has recovered.
    package var recovering: Bool
    package init(
        leader: BrokerID, leaderEpoch: LeaderEpoch, inSync: [BrokerID], controllerEpoch: ControllerEpoch,
        recovering: Bool = false
    ) {
        self.leader = leader
        self.leaderEpoch = leaderEpoch
        self.inSync = inSync
        self.controllerEpoch = controllerEpoch
        self.recovering = recovering
    }
}

/// A state as it was read or written, with what makes the next write conditional.
package struct RecordedState: Equatable, Sendable {
    package var state: LeaderAndInSync
    /// The znode's version.
    package var partitionEpoch: PartitionEpoch
    package init(state: LeaderAndInSync, partitionEpoch: PartitionEpoch) {
        self.state = state
        self.partitionEpoch = partitionEpoch
    }
}

/// A state read from the tree.
package struct ReadState: Equatable, Sendable {
    package var recorded: RecordedState
    /// The transaction that wrote it last (mzxid): a broker registered after it leads or follows in a life the state does not know.
    package var writtenAt: Int64
    package init(recorded: RecordedState, writtenAt: Int64) {
        self.recorded = recorded
        self.writtenAt = writtenAt
    }
}

/// What `/brokers/topics/T` says.
package struct TopicContents: Equatable, Sendable {
    package var id: UUID128?
    package var partitions: [Int32: [BrokerID]]
    package var adding: [Int32: [BrokerID]]
    package var removing: [Int32: [BrokerID]]
    /// The znode's version.
    package var version: Int32
    package init(
        id: UUID128?, partitions: [Int32: [BrokerID]], adding: [Int32: [BrokerID]] = [:],
        removing: [Int32: [BrokerID]] = [:],
        version: Int32 = 0
    ) {
        self.id = id
        self.partitions = partitions
        self.adding = adding
        self.removing = removing
        self.version = version
    }
}

/// A partition as the controller knows it.
package struct PartitionView: Equatable, Sendable {
    package var replicas: [BrokerID]
    package var adding: [BrokerID] = []
    package var removing: [BrokerID] = []
    /// Nil while it is new: no replica was ever live.
    package var recorded: RecordedState?
    /// Members whose life ended since the state was written. They count as dead, if they are back or not, until a state was
    /// written without relying on them: leadership in a new life always begins with a new leader epoch.
    /// One entry for each life that ended.
    package var lost: [BrokerID] = []
    /// How many of them the pending state accounts for.
    package var lostInPending = 0
    /// Replicas on a failed log directory.
    package var failedReplicas: [BrokerID] = []
    package var wantsPreferredLeader = false
    /// Written and not answered.
    package var pending: LeaderAndInSync?
    /// Something changed while a write was out.
    package var decideAgain = false
    package init(replicas: [BrokerID]) { self.replicas = replicas }
}

package struct TopicView: Equatable, Sendable {
    package var id: UUID128?
    package var version: Int32
    package var partitions: [Int32: PartitionView] = [:]
    package var uncleanElection = false
    package init(id: UUID128?, version: Int32) {
        self.id = id
        self.version = version
    }
    package var partitionNumbers: [Int32] { partitions.keys.sorted() }
}

/// The whole cluster, as far as the controller's reads and the outcomes of its writes have told.
package struct ClusterView: Equatable, Sendable {
    package var brokers: [BrokerID: LiveBroker] = [:]
    package var shuttingDown: Set<BrokerID> = []
    package var topics: [String: TopicView] = [:]
    package init() {}

    package var brokerIDs: [BrokerID] { brokers.keys.sorted() }
    package var topicNames: [String] { topics.keys.sorted() }
    /// Registered and staying: may lead and be in sync.
    package func isLive(_ broker: BrokerID) -> Bool { brokers[broker] != nil && !shuttingDown.contains(broker) }

    package subscript(_ partition: TopicPartition) -> PartitionView? {
        get { topics[partition.topic]?.partitions[partition.partition] }
        set { topics[partition.topic]?.partitions[partition.partition] = newValue }
    }
    package var allPartitions: [TopicPartition] {
        topicNames.flatMap { topic in (topics[topic]?.partitionNumbers ?? []).map { TopicPartition(topic, $0) } }
    }
    package func partitions(of broker: BrokerID) -> [TopicPartition] {
        allPartitions.filter { self[$0]?.replicas.contains(broker) == true }
    }
}
