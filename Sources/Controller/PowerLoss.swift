import ClusterModel

/// Who leads when every in-sync replica that is there has been through a power loss: none of them is believed blindly. The
/// logs are compared, and the greatest leads alone; the others follow it and truncate to it.
/// Rule: architecture.md, "A start is a new life"; KIP-966 waits for all members likewise (its balanced recovery).
package enum PowerLoss {
    package enum Choice: Equatable, Sendable {
        case lead(BrokerID)
        /// Compare first: these have not said yet.
        case ask([BrokerID])
        /// These are down and may hold more; with nobody named, none of the set is there.
        case wait(for: [BrokerID])
    }

    /// - Parameters:
    ///   - registered: there, and with a log directory that works.
    ///   - logEnds: what was answered so far.
    ///   - rules: with an unclean election whoever is down is not waited for. What was acknowledged had `minInSync` members: a
    ///     smaller set is what was left of them, and those that were dropped hold it as well.
    package static func choice(
        replicas: [BrokerID], inSync: [BrokerID], registered: (BrokerID) -> Bool, logEnds: [BrokerID: LogEnd],
        rules: ElectionRules
    ) -> Choice {
        let members = replicas.filter(inSync.contains)
        guard members.contains(where: registered) else { return .wait(for: []) }
        // The only copy there is: what it holds is what there is.
        if replicas.count == 1 { return .lead(members[0]) }
        let holders = inSync.count < min(rules.minInSync, replicas.count) ? replicas : inSync
        guard rules.uncleanElection || holders.allSatisfy(registered) else {
            return .wait(for: holders.filter { !registered($0) })
        }
        // Also those outside the set: one that fell behind may still hold what its leader has lost.
        let here = replicas.filter(registered)
        let silent = here.filter { logEnds[$0] == nil }
        guard silent.isEmpty else { return .ask(silent) }
        var best = members.first(where: registered) ?? here[0]
        for broker in here {
            if let end = logEnds[broker], let greatest = logEnds[best], end > greatest { best = broker }
        }
        return .lead(best)
    }
}

extension ControllerCore {
    /// A broker told how far its logs go.
    /// - Parameters:
    ///   - life: the one that was asked.
    ///   - ends: nil where the log's directory has failed.
    package mutating func logEndsHeard(
        _ ends: [TopicPartition: LogEnd?], of broker: BrokerID, in life: BrokerEpoch
    ) -> [Effect] {
        guard view.brokers[broker]?.epoch == life else { return [] }
        var concerned: [TopicPartition] = []
        var failed: [TopicPartition] = []
        for partition in ends.keys.sorted() {
            guard view[partition]?.asked.remove(broker) != nil else { continue }
            if let end = ends[partition] ?? nil {
                view[partition]?.logEnds[broker] = end
                concerned.append(partition)
            } else {
                failed.append(partition)
            }
        }
        return settle(concerned) + replicasFailed(failed, on: broker)
    }
}
