import ClusterModel

// What settings say about elections, and leaders that go back to where they belong.
extension ControllerCore {
    /// A topic's settings changed; nil: it no longer says.
    package mutating func electionRulesChanged(_ topic: String, to rules: ElectionRules?) -> [Effect] {
        guard let known = view.topics[topic], known.rules != rules else { return [] }
        view.topics[topic]?.rules = rules
        return settle(known.partitionNumbers.map { TopicPartition(topic, $0) })
    }

    /// The same, of all topics that do not say.
    package mutating func electionRulesChanged(to rules: ElectionRules) -> [Effect] {
        guard settings.rules != rules else { return [] }
        settings.rules = rules
        return settle(view.allPartitions)
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
