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
    /// Its logs may have lost what it had acknowledged: the machine lost power, or a log directory is a new one. Such a life is in
    /// no in-sync set before its leader has seen it catch up.
    package var isSuspect: Bool
    package init(
        id: BrokerID, epoch: BrokerEpoch, rack: String? = nil, registrationVersion: Int32 = 1, isSuspect: Bool = false
    ) {
        self.id = id
        self.epoch = epoch
        self.rack = rack
        self.registrationVersion = registrationVersion
        self.isSuspect = isSuspect
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
    /// The lives in which its members are members. A member that is registered with another epoch has begun a new life since:
    /// it counts as gone until a state was written that relies on the new one.
    package var lives: [BrokerID: BrokerEpoch]
    package init(
        leader: BrokerID, leaderEpoch: LeaderEpoch, inSync: [BrokerID], controllerEpoch: ControllerEpoch,
        recovering: Bool = false, lives: [BrokerID: BrokerEpoch] = [:]
    ) {
        self.leader = leader
        self.leaderEpoch = leaderEpoch
        self.inSync = inSync
        self.controllerEpoch = controllerEpoch
        self.recovering = recovering
        self.lives = lives
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
    /// The transaction that wrote it last (mzxid): where a state tells no lives (Apache's), brokers registered after it have begun
    /// a new one.
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

    package func assignment(of partition: Int32) -> ReplicaAssignment {
        ReplicaAssignment(
            partitions[partition] ?? [], adding: adding[partition] ?? [], removing: removing[partition] ?? [])
    }
}

/// A partition as the controller knows it.
package struct PartitionView: Equatable, Sendable {
    /// What the tree says.
    package var assignment: ReplicaAssignment
    /// A change of the assignment under way.
    package var move: Move?
    /// Nil while it is new: no replica was ever live.
    package var recorded: RecordedState?
    /// Replicas on a failed log directory.
    package var failedReplicas: [BrokerID] = []
    package var wantsPreferredLeader = false
    /// An operator asked for a leader from outside the in-sync set.
    package var wantsUncleanLeader = false
    /// Its leader must hear of other replicas, which it does only with a new leader epoch.
    package var needsNewEpoch = false
    /// Written and not answered.
    package var pending: LeaderAndInSync?
    /// Something changed while a write was out.
    package var decideAgain = false
    /// How far replicas' logs go, where that had to be asked; of their present lives.
    package var logEnds: [BrokerID: LogEnd] = [:]
    /// Asked and not answered.
    package var asked: Set<BrokerID> = []
    /// Whom it waits for behind a power loss, as was told.
    package var waitsFor: [BrokerID] = []
    package init(_ assignment: ReplicaAssignment) { self.assignment = assignment }

    /// A change of an assignment: first whoever is dropped leaves leadership and in-sync set, then the tree hears of it.
    package struct Move: Equatable, Sendable {
        package enum Step: Equatable, Sendable {
            case relieving
            case recording
        }
        package var goal: ReplicaAssignment
        package var step: Step
        /// Asked for while the tree was being written.
        package var queued: [Queued] = []
        package struct Queued: Equatable, Sendable {
            package var request: UInt64
            /// Nil: back to where it was.
            package var target: [BrokerID]?
        }
    }

    /// As everybody is told: memory is ahead of the tree while a finished move is being written.
    package var effective: ReplicaAssignment {
        if let move, move.step == .recording, !assignment.dropped(by: move.goal).isEmpty {
            move.goal
        } else {
            assignment
        }
    }
    package var replicas: [BrokerID] { effective.replicas }
}

/// What settings say about elections.
package struct ElectionRules: Equatable, Sendable {
    /// `unclean.leader.election.enable`
    package var uncleanElection: Bool
    /// `min.insync.replicas`
    package var minInSync: Int
    package init(uncleanElection: Bool = false, minInSync: Int = 1) {
        self.uncleanElection = uncleanElection
        self.minInSync = minInSync
    }
}

package struct TopicView: Equatable, Sendable {
    package var id: UUID128?
    package var version: Int32
    package var partitions: [Int32: PartitionView] = [:]
    /// What its config says; nil when there is none.
    package var rules: ElectionRules?
    /// The write of its znode that was not answered, with the assignments in it.
    package var writing: [Int32: ReplicaAssignment]?
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

    /// It is registered in the life in which `state` relies on it.
    package func stands(_ broker: BrokerID, in state: LeaderAndInSync) -> Bool {
        brokers[broker].map { $0.epoch == state.lives[broker] } ?? false
    }

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
