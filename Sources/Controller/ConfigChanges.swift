import ClusterModel

// What settings say about elections, and leaders that go back to where they belong.
extension ControllerCore {
    /// `unclean.leader.election.enable` of a topic changed; nil: it no longer says.
    package mutating func uncleanElectionChanged(_ topic: String, to allowed: Bool?) -> [Effect] {
        guard let known = view.topics[topic], known.uncleanElection != allowed else { return [] }
        view.topics[topic]?.uncleanElection = allowed
        guard allowed ?? settings.uncleanElection else { return [] }
        return settle(known.partitionNumbers.map { TopicPartition(topic, $0) })
    }

    /// The same, of all topics that do not say.
    package mutating func uncleanElectionDefaultChanged(to allowed: Bool) -> [Effect] {
        guard settings.uncleanElection != allowed else { return [] }
        settings.uncleanElection = allowed
        return allowed ? settle(view.allPartitions) : []
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
