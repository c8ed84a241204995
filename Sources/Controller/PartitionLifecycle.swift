import ClusterModel

/// What a partition's state should become, given what is known now. It looks at levels, not at edges: however many things have
/// happened and in whatever order, the same facts give the same next state, so that a new controller, a re-read after a lost
/// race and a broker that comes and goes are one case.
package enum PartitionLifecycle {
    package enum Standing: Equatable, Sendable {
        /// No state was ever written.
        case new
        case online
        /// It has no leader, or one that is gone.
        case offline
    }

    package static func standing(_ partition: PartitionView, in cluster: ClusterView) -> Standing {
        guard let state = partition.recorded?.state else { return .new }
        return cluster.brokers[state.leader] != nil && !partition.failedReplicas.contains(state.leader)
            ? .online : .offline
    }

    /// - Returns: nil when the recorded state is right as it is.
    package static func nextState(
        _ partition: PartitionView, in cluster: ClusterView, uncleanElection: Bool, controllerEpoch: ControllerEpoch
    ) -> LeaderAndInSync? {
        let usable = { (broker: BrokerID) in cluster.isLive(broker) && !partition.failedReplicas.contains(broker) }
        guard let now = partition.recorded?.state else { return first(partition, usable, controllerEpoch) }

        func elected(_ chosen: LeaderChoice.Chosen) -> LeaderAndInSync {
            LeaderAndInSync(
                leader: chosen.leader, leaderEpoch: now.leaderEpoch.next,
                inSync: ordered(chosen.inSync, partition.replicas),
                controllerEpoch: controllerEpoch, recovering: chosen.unclean || now.recovering)
        }
        let registered = { (broker: BrokerID) in
            cluster.brokers[broker] != nil && !partition.failedReplicas.contains(broker)
        }
        let leaving = { (broker: BrokerID) in cluster.shuttingDown.contains(broker) }

        // The leader stands, in the life in which it was elected.
        if registered(now.leader), !partition.lost.contains(now.leader) {
            if leaving(now.leader), partition.replicas.count > 1,
                let chosen = LeaderChoice.forControlledShutdown(
                    assignment: partition.replicas, inSync: now.inSync,
                    live: { registered($0) && !partition.lost.contains($0) }, shuttingDown: leaving)
            {
                return elected(chosen)
            }
            let standing = now.inSync.filter { member in
                member == now.leader || (usable(member) && !partition.lost.contains(member))
            }
            if standing.count < now.inSync.count {
                return elected(.init(leader: now.leader, inSync: standing))
            }
            if partition.wantsPreferredLeader, partition.replicas.first != now.leader,
                let chosen = LeaderChoice.forPreferred(
                    assignment: partition.replicas, inSync: now.inSync, live: usable)
            {
                return elected(chosen)
            }
            return nil
        }

        // It is gone. Those that lived through it come first; when every in-sync replica began a new life, the new lives hold
        // what the old ones held.
        if let chosen = LeaderChoice.forOffline(
            assignment: partition.replicas, inSync: now.inSync, live: { usable($0) && !partition.lost.contains($0) },
            unclean: false)
            ?? LeaderChoice.forOffline(
                assignment: partition.replicas, inSync: now.inSync, live: usable, unclean: false)
            // Nobody else is left: a broker about to stop may still lead until it does.
            ?? LeaderChoice.forOffline(
                assignment: partition.replicas, inSync: now.inSync, live: registered, unclean: uncleanElection)
        {
            return elected(chosen)
        }
        guard now.leader != .none else { return nil }
        // The set stays: any of its members may lead when it is back.
        return LeaderAndInSync(
            leader: .none, leaderEpoch: now.leaderEpoch.next, inSync: now.inSync, controllerEpoch: controllerEpoch,
            recovering: now.recovering)
    }

    private static func first(
        _ partition: PartitionView, _ usable: (BrokerID) -> Bool, _ controllerEpoch: ControllerEpoch
    ) -> LeaderAndInSync? {
        let live = partition.replicas.filter(usable)
        guard let leader = live.first else { return nil }
        return LeaderAndInSync(leader: leader, leaderEpoch: 0, inSync: live, controllerEpoch: controllerEpoch)
    }

    private static func ordered(_ set: [BrokerID], _ assignment: [BrokerID]) -> [BrokerID] {
        assignment.filter(set.contains) + set.filter { !assignment.contains($0) }
    }
}
