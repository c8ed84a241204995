import ClusterModel

/// The four ways to choose a leader. Each gives the leader and the in-sync set that goes with it, or nil when nobody qualifies.
package enum LeaderChoice {
    package struct Chosen: Equatable, Sendable {
        package var leader: BrokerID
        package var inSync: [BrokerID]
        /// Chosen from outside the in-sync set: committed records may be lost.
        package var unclean: Bool
        package init(leader: BrokerID, inSync: [BrokerID], unclean: Bool = false) {
            self.leader = leader
            self.inSync = inSync
            self.unclean = unclean
        }
    }

    /// The leader is gone: the first assigned replica that is live and in sync; without one, and only where it was asked for,
    /// the first live one.
    package static func forOffline(
        assignment: [BrokerID], inSync: [BrokerID], live: (BrokerID) -> Bool, unclean: Bool
    ) -> Chosen? {
        if let leader = assignment.first(where: { live($0) && inSync.contains($0) }) {
            return Chosen(leader: leader, inSync: inSync.filter(live))
        }
        guard unclean, let leader = assignment.first(where: live) else { return nil }
        return Chosen(leader: leader, inSync: [leader], unclean: true)
    }

    /// The assignment changes: the first of the target replicas that is live and in sync.
    package static func forReassignment(target: [BrokerID], inSync: [BrokerID], live: (BrokerID) -> Bool) -> Chosen? {
        guard let leader = target.first(where: { live($0) && inSync.contains($0) }) else { return nil }
        return Chosen(leader: leader, inSync: inSync)
    }

    /// Back to the first of the assignment, when it is live and in sync.
    package static func forPreferred(assignment: [BrokerID], inSync: [BrokerID], live: (BrokerID) -> Bool) -> Chosen? {
        guard let leader = assignment.first, live(leader), inSync.contains(leader) else { return nil }
        return Chosen(leader: leader, inSync: inSync)
    }

    /// The leader is about to stop: the first that is live, in sync and staying.
    package static func forControlledShutdown(
        assignment: [BrokerID], inSync: [BrokerID], live: (BrokerID) -> Bool, shuttingDown: (BrokerID) -> Bool
    ) -> Chosen? {
        guard let leader = assignment.first(where: { live($0) && !shuttingDown($0) && inSync.contains($0) }) else {
            return nil
        }
        return Chosen(leader: leader, inSync: inSync.filter { !shuttingDown($0) })
    }
}
