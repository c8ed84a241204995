import Bytes
import ClusterModel

extension ControllerCore {
    /// The children of `/brokers/topics`.
    package mutating func topicsSeen(_ names: [String]) -> [Effect] {
        let here = Set(names)
        for name in view.topicNames where !here.contains(name) { forget(name) }
        return here.filter { view.topics[$0] == nil }.sorted().map { .readTopic($0) }
    }

    /// `/brokers/topics/T` was read; nil when it is gone.
    /// - Parameters:
    ///   - freshID: given to the topic when it has none.
    ///   - uncleanElection: what its config says.
    package mutating func topicRead(
        _ name: String, _ contents: TopicContents?, freshID: UUID128, uncleanElection: Bool? = nil
    ) -> [Effect] {
        guard let contents else {
            if deletions[name] == nil { forget(name) }
            return []
        }
        var effects: [Effect] = []
        if contents.id == nil { effects.append(.setTopicID(name, freshID, contents)) }
        if let known = view.topics[name]?.id, let id = contents.id, known != id {
            // Deleted and made again behind our back: another topic of the same name.
            forget(name)
        }
        if view.topics[name] == nil {
            view.topics[name] = TopicView(id: contents.id, version: contents.version)
            view.topics[name]?.uncleanElection = uncleanElection ?? settings.uncleanElection
            effects.append(.tell(.topicAppeared(name, partitions: contents.partitions.count)))
        }
        let gainedID = view.topics[name]?.id == nil && contents.id != nil
        if let id = contents.id { view.topics[name]?.id = id }
        view.topics[name]?.version = contents.version
        var new: [TopicPartition] = []
        for number in contents.partitions.keys.sorted() {
            let partition = TopicPartition(name, number)
            let replicas = contents.partitions[number] ?? []
            if view[partition] == nil {
                view[partition] = PartitionView(replicas: replicas)
                new.append(partition)
            } else {
                view[partition]?.replicas = replicas
                if gainedID, let known = view[partition], known.recorded != nil {
                    announcements.lead(partition, tell: known.replicas)
                }
            }
            view[partition]?.adding = contents.adding[number] ?? []
            view[partition]?.removing = contents.removing[number] ?? []
        }
        return effects + settle(new)
    }

    /// It was removed from the tree by somebody else, or by us.
    mutating func forget(_ name: String) {
        guard let topic = view.topics[name] else { return }
        for number in topic.partitionNumbers {
            if let partition = topic.partitions[number] {
                announcements.hide(TopicPartition(name, number), of: partition, topicID: topic.id)
            }
        }
        view.topics[name] = nil
    }
}
