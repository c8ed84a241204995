import ClusterModel

/// A topic on its way out: everybody forgets its leaders, every replica is deleted, then the tree.
package struct TopicDeletion: Equatable, Sendable {
    package enum Step: Equatable, Sendable {
        /// A replica is on a dead broker, or a reassignment runs.
        case waiting(for: [BrokerID])
        /// StopReplica was sent; these replicas have not confirmed.
        case stopping
        /// The tree is being cleared.
        case removing
    }
    package struct Replica: Hashable, Sendable {
        package var partition: TopicPartition
        package var broker: BrokerID
        package init(partition: TopicPartition, broker: BrokerID) {
            self.partition = partition
            self.broker = broker
        }
    }
    package var step: Step
    package var left: Set<Replica>
}

extension ControllerCore {
    /// The children of `/admin/delete_topics`.
    package mutating func deletionsSeen(_ names: [String]) -> [Effect] {
        var effects: [Effect] = []
        for name in Set(names).sorted() where deletions[name] == nil {
            guard settings.deletesTopics, let topic = view.topics[name] else {
                effects.append(.removeDeletionMark(name))
                continue
            }
            var left: Set<TopicDeletion.Replica> = []
            for number in topic.partitionNumbers {
                for broker in topic.partitions[number]?.assignment.replicas ?? [] {
                    left.insert(.init(partition: TopicPartition(name, number), broker: broker))
                }
            }
            deletions[name] = TopicDeletion(step: .waiting(for: []), left: left)
            announcements.deletionBegan(name)
            effects.append(.tell(.topicDeletionStarted(name)))
            effects += movesEnd(of: topic, name)
            effects += goOn(name)
        }
        return effects
    }

    /// A broker answered StopReplica(delete).
    /// - Parameter failed: those it could not delete.
    package mutating func replicasStopped(_ deleted: [TopicPartition], failed: [TopicPartition], on broker: BrokerID)
        -> [Effect]
    {
        var topics: Set<String> = []
        var effects: [Effect] = []
        for partition in deleted {
            deletions[partition.topic]?.left.remove(.init(partition: partition, broker: broker))
            topics.insert(partition.topic)
        }
        for partition in failed where deletions[partition.topic]?.step == .stopping {
            // Its directory failed: again when the broker is back.
            deletions[partition.topic]?.step = .waiting(for: [broker])
            effects.append(.tell(.topicDeletionWaits(partition.topic, for: [broker])))
        }
        for name in topics.sorted() where deletions[name]?.step == .stopping && deletions[name]?.left.isEmpty == true {
            effects += goOn(name)
        }
        return effects
    }

    /// `/brokers/topics/T` and its marks are gone from the tree.
    package mutating func topicRemoved(_ name: String) -> [Effect] {
        deletions[name] = nil
        announcements.deletionEnded(name)
        // Everybody was told when the deletion began.
        view.topics[name] = nil
        return [.tell(.topicDeleted(name))]
    }

    mutating func deletionsGoOn(gone: [BrokerID], back: [BrokerID]) -> [Effect] {
        var effects: [Effect] = []
        for name in deletions.keys.sorted() {
            guard let deletion = deletions[name], deletion.step != .removing else { continue }
            let concerned = Set(deletion.left.map(\.broker))
            guard !concerned.isDisjoint(with: gone + back) else { continue }
            effects += goOn(name)
        }
        return effects
    }

    private mutating func goOn(_ name: String) -> [Effect] {
        guard let deletion = deletions[name], let topic = view.topics[name] else { return [] }
        for number in topic.partitionNumbers {
            if let partition = topic.partitions[number] {
                announcements.hide(TopicPartition(name, number), of: partition, topicID: topic.id)
            }
        }
        guard !deletion.left.isEmpty else {
            deletions[name]?.step = .removing
            return [.removeTopic(name)]
        }
        let absent = Set(deletion.left.map(\.broker)).filter { view.brokers[$0] == nil }.sorted()
        guard absent.isEmpty else {
            deletions[name]?.step = .waiting(for: absent)
            return [.tell(.topicDeletionWaits(name, for: absent))]
        }
        deletions[name]?.step = .stopping
        for replica in deletion.left {
            announcements.stop(replica.partition, on: replica.broker, leaderEpoch: -2, delete: true)
        }
        return []
    }
}
