import Bytes
import ClusterModel

/// The controller in office: who leads each partition, where replicas live, who must be told. Facts in, effects out.
///
/// Each partition has at most one write under way. Whatever happens meanwhile marks it to be decided again; a refused write is
/// answered by reading the state and deciding anew. Nothing is announced before it is recorded.
package struct ControllerCore: Equatable, Sendable {
    package enum Effect: Equatable, Sendable {
        /// Read `/brokers/topics/T`, with a watch on its data. Answer: `topicRead`.
        case readTopic(String)
        /// Answer: `stateRead`.
        case readState(TopicPartition)
        /// Create `…/partitions` (unless `underExisting`), `P` and `state` for each, under the check of the epoch.
        /// Answer: `stateWritten` for each.
        case createStates(topic: String, [NewState], underExisting: Bool)
        /// Conditional on the version, under the check of the epoch. Answer: `stateWritten`.
        case setState(TopicPartition, LeaderAndInSync, expecting: PartitionEpoch)
        /// Give a topic without an id this one. Answer: `.readTopic`'s, through its watch.
        case setTopicID(String, UUID128, TopicContents)
        /// Write `/brokers/topics/T`, conditional on its version (in the contents). Answer: `assignmentWritten`.
        case setAssignment(String, TopicContents)
        /// How far do its logs of these go? Answer: `logEndsHeard`.
        case askLogEnds(BrokerID, life: BrokerEpoch, [TopicPartition])
        /// Remove `/brokers/topics/T` with all below, `/config/topics/T` and `/admin/delete_topics/T`. Answer: `topicRemoved`.
        case removeTopic(String)
        /// Only `/admin/delete_topics/T`: there is nothing to delete, or it is not allowed.
        case removeDeletionMark(String)
        case openChannel(BrokerID)
        case closeChannel(BrokerID)
        /// Answers an AlterPartition; see `inSyncChangeAsked`.
        case answerInSyncChange(request: UInt64, [InSyncAnswer])
        /// Answers a ControlledShutdown with what the broker still leads.
        case answerControlledShutdown(request: UInt64, stillLed: [TopicPartition])
        /// Answers an AlterPartitionReassignments; see `reassignmentAsked`.
        case answerReassignment(request: UInt64, [ReassignmentAnswer])
        /// Answers an ElectLeaders; see `electionAsked`.
        case answerElection(request: UInt64, [ElectionAnswer])
        /// What is left of `/admin/reassign_partitions`; with nothing left it goes.
        case setOldReassignments([OldReassignment])
        /// `/admin/preferred_replica_election` was read.
        case removeOldElection
        /// `/log_dir_event_notification/N` were read.
        case removeLogDirEvents([String])
        /// A fact worth a line in the journal.
        case tell(Story)
    }

    package enum Story: Equatable, Sendable {
        case brokerAppeared(BrokerID, BrokerEpoch)
        case brokerDisappeared(BrokerID)
        case brokerBounced(BrokerID, BrokerEpoch)
        case leaderElected(TopicPartition, from: BrokerID?, LeaderAndInSync)
        /// None of the set is there.
        case leaderless(TopicPartition, inSync: [BrokerID])
        /// All in-sync replicas that are here lost power.
        case waitsBehindPowerLoss(TopicPartition, inSync: [BrokerID], for: [BrokerID])
        /// Its logs may have lost something: no in-sync set relies on it.
        case brokerSuspect(BrokerID)
        /// Every copy that is there has been through a power loss.
        case logsCompared(TopicPartition, [BrokerID: LogEnd], leader: BrokerID)
        case onlyCopySuspect(TopicPartition, BrokerID)
        case reassignmentBegan(TopicPartition, ReplicaAssignment)
        case reassignmentEnded(TopicPartition, replicas: [BrokerID], dropped: [BrokerID])
        case reassignmentRefused(TopicPartition, ReassignmentRefusal)
        case logDirFailed(BrokerID, partitions: Int)
        case uncleanElection(TopicPartition, LeaderAndInSync)
        case topicAppeared(String, partitions: Int)
        case topicDeletionStarted(String)
        case topicDeletionWaits(String, for: [BrokerID])
        case topicDeleted(String)
        case brokerShutsDown(BrokerID)
    }

    package struct NewState: Equatable, Sendable {
        package var partition: Int32
        package var state: LeaderAndInSync
        package init(partition: Int32, state: LeaderAndInSync) {
            self.partition = partition
            self.state = state
        }
    }

    package struct Settings: Equatable, Sendable {
        /// `delete.topic.enable`
        package var deletesTopics = true
        /// Where the topic does not say.
        package var rules = ElectionRules()
        package var autoRebalance = true
        /// `leader.imbalance.per.broker.percentage`
        package var imbalancePercentage = 10
        package init() {}
    }

    /// All that a new controller reads before it acts.
    package struct TreeContents: Equatable, Sendable {
        package var brokers: [LiveBroker] = []
        package var topics: [String: TopicContents] = [:]
        package var states: [TopicPartition: ReadState] = [:]
        package var deletions: [String] = []
        package var oldReassignments: [OldReassignment] = []
        package var oldElection: [TopicPartition]?
        /// What topics' configs say.
        package var rules: [String: ElectionRules] = [:]
        package init() {}
    }

    package enum WriteOutcome: Equatable, Sendable {
        case written(PartitionEpoch)
        /// Another version, exists already, or gone: what is there must be read.
        case refused
    }

    package let epoch: ControllerEpoch
    package var settings: Settings
    package internal(set) var view = ClusterView()
    package internal(set) var announcements = Announcements()
    package internal(set) var deletions: [String: TopicDeletion] = [:]
    var inSyncRequests: [UInt64: InSyncRequest] = [:]
    var reassignmentRequests: [UInt64: ReassignmentRequest] = [:]
    var electionRequests: [UInt64: ElectionRequest] = [:]
    /// What `/admin/reassign_partitions` still lists.
    var oldReassignments: [OldReassignment] = []
    /// Replicas dropped while their broker was down: deleted when it is back.
    var strays: [BrokerID: Set<TopicPartition>] = [:]
    /// Topics whose znode is being read for the first time.
    var topicsBeingRead: Set<String> = []
    var shutdowns: [UInt64: Shutdown] = [:]

    package init(epoch: ControllerEpoch, settings: Settings = Settings()) {
        self.epoch = epoch
        self.settings = settings
    }

    /// What has gathered for the brokers; the driver sends it at the end of its turn.
    package mutating func takeAnnouncements() -> [BrokerOrders] { announcements.take(from: view) }

    // MARK: Failover

    /// The epoch is ours and the tree was read.
    package mutating func elected(_ tree: TreeContents) -> [Effect] {
        var effects: [Effect] = []
        for broker in tree.brokers.sorted(by: { $0.id < $1.id }) {
            view.brokers[broker.id] = broker
            effects.append(.openChannel(broker.id))
            if broker.isSuspect { effects.append(.tell(.brokerSuspect(broker.id))) }
            // Who is live, before anybody is told to follow anybody.
            announcements.tellAll(broker.id)
        }
        for name in tree.topics.keys.sorted() {
            guard let contents = tree.topics[name] else { continue }
            var topic = TopicView(id: contents.id, version: contents.version)
            topic.rules = tree.rules[name]
            for number in contents.partitions.keys {
                var partition = PartitionView(contents.assignment(of: number))
                // Its leader may not have heard of those that come.
                partition.needsNewEpoch = partition.assignment.isMoving
                if let read = tree.states[TopicPartition(name, number)] { adopt(read, into: &partition) }
                topic.partitions[number] = partition
            }
            view.topics[name] = topic
        }
        for partition in view.allPartitions {
            if let view = view[partition], view.recorded != nil {
                announcements.lead(partition, tell: view.replicas)
            }
        }
        effects += deletionsSeen(tree.deletions)
        effects += settle(view.allPartitions)
        for name in view.topicNames {
            if let contents = tree.topics[name], contents.id == nil, deletions[name] == nil {
                effects.append(.readTopic(name))
            }
        }
        effects += oldReassignmentsSeen(tree.oldReassignments)
        if let asked = tree.oldElection { effects += oldElectionSeen(asked) }
        return effects
    }

    // MARK: Deciding partitions

    /// Looks at each partition again and writes what has become wrong about it.
    mutating func settle(_ partitions: [TopicPartition]) -> [Effect] {
        var effects: [Effect] = []
        var creating: [String: [NewState]] = [:]
        var asking: [BrokerID: [TopicPartition]] = [:]
        var recording: Set<String> = []
        for partition in partitions where deletions[partition.topic] == nil {
            // No copy of the topic is held across the writes below: it would be copied for each of its partitions.
            guard var view = view[partition] else { continue }
            if view.pending != nil {
                view.decideAgain = true
                self.view[partition] = view
                continue
            }
            defer { self.view[partition] = view }
            effects += goOnMoving(partition, &view, recording: &recording)
            guard view.pending == nil else {
                if let state = view.pending, let expecting = view.recorded?.partitionEpoch {
                    effects.append(.setState(partition, state, expecting: expecting))
                }
                continue
            }
            var rules = self.view.topics[partition.topic]?.rules ?? settings.rules
            if view.wantsUncleanLeader { rules.uncleanElection = true }
            switch PartitionLifecycle.next(view, in: self.view, rules: rules, controllerEpoch: epoch) {
            case .stays:
                view.wantsPreferredLeader = false
                view.wantsUncleanLeader = false
            case .waits(let brokers):
                view.wantsPreferredLeader = false
                guard view.waitsFor != brokers, let state = view.recorded?.state else { break }
                view.waitsFor = brokers
                effects.append(.tell(.waitsBehindPowerLoss(partition, inSync: state.inSync, for: brokers)))
            case .ask(let brokers):
                for broker in brokers where view.asked.insert(broker).inserted {
                    asking[broker, default: []].append(partition)
                }
            case .write(let next):
                view.pending = next
                view.decideAgain = false
                if let recorded = view.recorded {
                    effects.append(.setState(partition, next, expecting: recorded.partitionEpoch))
                } else {
                    creating[partition.topic, default: []].append(NewState(partition: partition.partition, state: next))
                }
            }
        }
        for topic in creating.keys.sorted() {
            let underExisting = view.topics[topic]?.partitions.values.contains { $0.recorded != nil } ?? false
            effects.append(
                .createStates(
                    topic: topic, (creating[topic] ?? []).sorted { $0.partition < $1.partition },
                    underExisting: underExisting))
        }
        for broker in asking.keys.sorted() {
            guard let life = view.brokers[broker]?.epoch else { continue }
            effects.append(.askLogEnds(broker, life: life, asking[broker] ?? []))
        }
        for topic in recording.sorted() { effects += writeAssignment(of: topic) }
        return effects
    }

    /// A state's write was answered.
    package mutating func stateWritten(_ partition: TopicPartition, _ outcome: WriteOutcome) -> [Effect] {
        guard var view = view[partition], let pending = view.pending else { return [] }
        guard case .written(let partitionEpoch) = outcome else { return [.readState(partition)] }
        var effects: [Effect] = []
        let before = view.recorded?.state
        let isNew = before == nil
        let ends = view.logEnds
        view.recorded = RecordedState(state: pending, partitionEpoch: partitionEpoch)
        view.pending = nil
        let elected = before?.leaderEpoch != pending.leaderEpoch
        if elected {
            view.needsNewEpoch = false
            view.wantsUncleanLeader = false
            view.logEnds = [:]
            view.asked = []
            view.waitsFor = []
        }
        if pending.leader == view.replicas.first { view.wantsPreferredLeader = false }
        let dropped = elected ? relieved(&view) : []
        self.view[partition] = view

        if deletions[partition.topic] == nil {
            if elected {
                let live = view.replicas.filter { self.view.brokers[$0] != nil }
                let coming = view.assignment.adding.filter { !pending.inSync.contains($0) }
                announcements.lead(partition, tell: live.filter { !coming.contains($0) }, isNew: isNew)
                announcements.lead(partition, tell: live.filter(coming.contains), isNew: true)
                // Followers that are about to stop need not fetch any more.
                for broker in view.replicas where self.view.shuttingDown.contains(broker) && pending.leader != broker {
                    announcements.stop(partition, on: broker, leaderEpoch: pending.leaderEpoch, delete: false)
                }
                drop(partition, from: dropped, leaderEpoch: pending.leaderEpoch)
            } else {
                announcements.route(partition)
            }
        }
        if elected { effects.append(.tell(story(partition, before, pending, ends))) }
        if let recorded = view.recorded { effects += inSyncWriteAnswered(partition, .recorded(recorded)) }
        effects += shutdownsGoOn(after: partition)
        // A set that grew may end a move; and who is waited for is told.
        if view.decideAgain || view.move != nil || view.assignment.isMoving || pending.leader == .none {
            effects += settle([partition])
        }
        return effects + electionsGoOn(after: partition)
    }

    /// A state was read again, after a refused write.
    package mutating func stateRead(_ partition: TopicPartition, _ read: ReadState?) -> [Effect] {
        guard var view = view[partition] else { return [] }
        let pending = view.pending
        if let pending, let read, read.recorded.state == pending {
            // Ours, and only its answer was lost.
            return stateWritten(partition, .written(read.recorded.partitionEpoch))
        }
        view.pending = nil
        view.decideAgain = false
        let before = view.recorded?.partitionEpoch
        if let read {
            adopt(read, into: &view)
            if deletions[partition.topic] == nil { announcements.lead(partition, tell: view.replicas) }
        } else {
            view.recorded = nil
        }
        self.view[partition] = view
        // Nothing there has changed: the write was lost, and may be asked for again. Whoever leads hears nothing new.
        let isLost = before != nil && before == view.recorded?.partitionEpoch
        var effects = inSyncWriteAnswered(partition, .refused(isLost ? .undecided : .superseded))
        effects += settle([partition])
        return effects + shutdownsGoOn(after: partition) + electionsGoOn(after: partition)
    }

    /// Takes a state from the tree. One that tells no lives knew of those that were registered before it was written.
    private func adopt(_ read: ReadState, into partition: inout PartitionView) {
        var recorded = read.recorded
        if recorded.state.lives.isEmpty {
            for member in recorded.state.inSync + [recorded.state.leader] {
                if let life = view.brokers[member], life.epoch.raw <= read.writtenAt {
                    recorded.state.lives[member] = life.epoch
                }
            }
        }
        partition.recorded = recorded
    }

    private func story(
        _ partition: TopicPartition, _ before: LeaderAndInSync?, _ now: LeaderAndInSync, _ ends: [BrokerID: LogEnd]
    ) -> Story {
        if now.leader == .none { return .leaderless(partition, inSync: now.inSync) }
        if !ends.isEmpty { return .logsCompared(partition, ends, leader: now.leader) }
        if let before, !before.inSync.contains(now.leader) { return .uncleanElection(partition, now) }
        if let before, view[partition]?.replicas.count == 1, view.brokers[now.leader]?.isSuspect == true,
            before.lives[now.leader] != now.lives[now.leader]
        {
            return .onlyCopySuspect(partition, now.leader)
        }
        return .leaderElected(partition, from: before?.leader, now)
    }
}
