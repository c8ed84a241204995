import Bytes
import ClusterModel

extension ControllerCore {
    /// The children of `/brokers/topics`.
    package mutating func topicsSeen(_ names: [String]) -> [Effect] {
        let here = Set(names)
        for name in view.topics.keys.filter({ !here.contains($0) }).sorted() { forget(name) }
        let new = here.filter { view.topics[$0] == nil && !topicsBeingRead.contains($0) }.sorted()
        topicsBeingRead.formUnion(new)
        return new.map { .readTopic($0) }
    }

    /// `/brokers/topics/T` was read; nil when it is gone.
    /// - Parameters:
    ///   - freshID: given to the topic when it has none.
    ///   - rules: what its config says.
    package mutating func topicRead(
        _ name: String, _ contents: TopicContents?, freshID: UUID128, rules: ElectionRules? = nil
    ) -> [Effect] {
        topicsBeingRead.remove(name)
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
            view.topics[name]?.rules = rules
            effects.append(.tell(.topicAppeared(name, partitions: contents.partitions.count)))
        }
        if let known = view.topics[name], known.id != nil, known.id == contents.id {
            // Read before what we know was written: a later reading is on its way.
            if contents.version < known.version { return effects }
            // Nothing new, and the answer of our own write is still to come.
            if contents.version == known.version, known.writing != nil { return effects }
        }
        let gainedID = view.topics[name]?.id == nil && contents.id != nil
        if let id = contents.id { view.topics[name]?.id = id }
        view.topics[name]?.version = contents.version
        // Whatever was being written is in what was read, or was refused.
        view.topics[name]?.writing = nil
        var changed: [TopicPartition] = []
        for number in contents.partitions.keys.sorted() {
            let partition = TopicPartition(name, number)
            let assignment = contents.assignment(of: number)
            guard let known = view[partition] else {
                view[partition] = PartitionView(assignment)
                changed.append(partition)
                continue
            }
            if gainedID, known.recorded != nil { announcements.lead(partition, tell: known.replicas) }
            if known.move != nil || known.assignment != assignment { changed.append(partition) }
            effects += adopt(assignment, for: partition)
        }
        return effects + settle(changed)
    }

    /// It was removed from the tree by somebody else, or by us.
    mutating func forget(_ name: String) {
        topicsBeingRead.remove(name)
        guard let topic = view.topics[name] else { return }
        for number in topic.partitionNumbers {
            if let partition = topic.partitions[number] {
                announcements.hide(TopicPartition(name, number), of: partition, topicID: topic.id)
            }
        }
        view.topics[name] = nil
    }
}
