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
        /// A fact worth a line in the journal.
        case tell(Story)
    }

    package enum Story: Equatable, Sendable {
        case brokerAppeared(BrokerID, BrokerEpoch)
        case brokerDisappeared(BrokerID)
        case brokerBounced(BrokerID, BrokerEpoch)
        case leaderElected(TopicPartition, from: BrokerID?, LeaderAndInSync)
        case leaderless(TopicPartition, inSync: [BrokerID])
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
        /// `unclean.leader.election.enable` where the topic does not say.
        package var uncleanElection = false
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
        /// Topics whose config says so.
        package var uncleanElection: [String: Bool] = [:]
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
            // Who is live, before anybody is told to follow anybody.
            announcements.tellAll(broker.id)
        }
        for name in tree.topics.keys.sorted() {
            guard let contents = tree.topics[name] else { continue }
            var topic = TopicView(id: contents.id, version: contents.version)
            topic.uncleanElection = tree.uncleanElection[name] ?? settings.uncleanElection
            for (number, replicas) in contents.partitions {
                var partition = PartitionView(replicas: replicas)
                partition.adding = contents.adding[number] ?? []
                partition.removing = contents.removing[number] ?? []
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
        return effects
    }

    // MARK: Deciding partitions

    /// Looks at each partition again and writes what has become wrong about it.
    mutating func settle(_ partitions: [TopicPartition]) -> [Effect] {
        var effects: [Effect] = []
        var creating: [String: [NewState]] = [:]
        for partition in partitions where deletions[partition.topic] == nil {
            // No copy of the topic is held across the writes below: it would be copied for each of its partitions.
            guard var view = view[partition] else { continue }
            let unclean = self.view.topics[partition.topic]?.uncleanElection ?? false
            if view.pending != nil {
                view.decideAgain = true
                self.view[partition] = view
                continue
            }
            guard
                let next = PartitionLifecycle.nextState(
                    view, in: self.view, uncleanElection: unclean, controllerEpoch: epoch)
            else {
                if view.wantsPreferredLeader {
                    view.wantsPreferredLeader = false
                    self.view[partition] = view
                }
                continue
            }
            view.pending = next
            view.lostInPending = view.lost.count
            view.decideAgain = false
            self.view[partition] = view
            if let recorded = view.recorded {
                effects.append(.setState(partition, next, expecting: recorded.partitionEpoch))
            } else {
                creating[partition.topic, default: []].append(NewState(partition: partition.partition, state: next))
            }
        }
        for topic in creating.keys.sorted() {
            let underExisting = view.topics[topic]?.partitions.values.contains { $0.recorded != nil } ?? false
            effects.append(
                .createStates(
                    topic: topic, (creating[topic] ?? []).sorted { $0.partition < $1.partition },
                    underExisting: underExisting))
        }
        return effects
    }

    /// A state's write was answered.
    package mutating func stateWritten(_ partition: TopicPartition, _ outcome: WriteOutcome) -> [Effect] {
        guard var view = view[partition], let pending = view.pending else { return [] }
        guard case .written(let partitionEpoch) = outcome else { return [.readState(partition)] }
        var effects: [Effect] = []
        let before = view.recorded?.state
        let isNew = before == nil
        view.recorded = RecordedState(state: pending, partitionEpoch: partitionEpoch)
        view.pending = nil
        view.lost.removeFirst(min(view.lostInPending, view.lost.count))
        view.lostInPending = 0
        if pending.leader == view.replicas.first { view.wantsPreferredLeader = false }
        self.view[partition] = view

        let elected = before?.leaderEpoch != pending.leaderEpoch
        if deletions[partition.topic] == nil {
            if elected {
                announcements.lead(partition, tell: view.replicas.filter { self.view.brokers[$0] != nil }, isNew: isNew)
                // Followers that are about to stop need not fetch any more.
                for broker in view.replicas where self.view.shuttingDown.contains(broker) && pending.leader != broker {
                    announcements.stop(partition, on: broker, leaderEpoch: pending.leaderEpoch, delete: false)
                }
            } else {
                announcements.route(partition)
            }
        }
        if elected { effects.append(.tell(story(partition, before, pending))) }
        effects += inSyncWriteAnswered(partition, recorded: view.recorded)
        effects += shutdownsGoOn(after: partition)
        if view.decideAgain { effects += settle([partition]) }
        return effects
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
        view.lostInPending = 0
        view.decideAgain = false
        if let read {
            adopt(read, into: &view)
            if deletions[partition.topic] == nil { announcements.lead(partition, tell: view.replicas) }
        } else {
            view.recorded = nil
        }
        self.view[partition] = view
        var effects = inSyncWriteAnswered(partition, recorded: nil)
        effects += settle([partition])
        return effects + shutdownsGoOn(after: partition)
    }

    /// Takes a state from the tree. Members registered after it was written began a new life since.
    private func adopt(_ read: ReadState, into partition: inout PartitionView) {
        partition.recorded = read.recorded
        let state = read.recorded.state
        var members = state.inSync
        if !members.contains(state.leader) { members.append(state.leader) }
        for member in members {
            if let life = view.brokers[member], life.epoch.raw > read.writtenAt, !partition.lost.contains(member) {
                partition.lost.append(member)
            }
        }
    }

    private func story(_ partition: TopicPartition, _ before: LeaderAndInSync?, _ now: LeaderAndInSync) -> Story {
        if now.leader == .none { return .leaderless(partition, inSync: now.inSync) }
        if let before, !before.inSync.contains(now.leader) { return .uncleanElection(partition, now) }
        return .leaderElected(partition, from: before?.leader, now)
    }

    // MARK: Configs and preferred leaders

    /// `unclean.leader.election.enable` of a topic changed; nil: it no longer says.
    package mutating func uncleanElectionChanged(_ topic: String, to allowed: Bool?) -> [Effect] {
        guard view.topics[topic] != nil else { return [] }
        let allowed = allowed ?? settings.uncleanElection
        guard view.topics[topic]?.uncleanElection != allowed else { return [] }
        view.topics[topic]?.uncleanElection = allowed
        guard allowed else { return [] }
        return settle((view.topics[topic]?.partitionNumbers ?? []).map { TopicPartition(topic, $0) })
    }

    /// Asked every `leader.imbalance.check.interval.seconds`: brokers that lead too few of the partitions they are first in line
    /// for get them back.
    package mutating func rebalanceDue() -> [Effect] {
        guard settings.autoRebalance else { return [] }
        let movable = PreferredLeaders.toMove(
            in: view, except: deletions.keys.sorted(), percentage: settings.imbalancePercentage)
        for partition in movable { view[partition]?.wantsPreferredLeader = true }
        return settle(movable)
    }
}
