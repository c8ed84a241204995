import ClusterModel

/// What a partition's state should become, given what is known now. It looks at levels, not at edges: however many things have
/// happened and in whatever order, the same facts give the same next state, so that a new controller, a re-read after a lost
/// race and a broker that comes and goes are one case.
package enum PartitionLifecycle {
    package enum Decision: Equatable, Sendable {
        /// The recorded state is right as it is.
        case stays
        case write(LeaderAndInSync)
        /// Every copy that may lead has been through a power loss: how far do these brokers' logs go?
        case ask([BrokerID])
        /// The same, and the recorded state is right: these may hold more, and are down.
        case waits(for: [BrokerID])
    }

    /// - Parameter rules: the topic's, and what an operator asked for.
    package static func next(
        _ partition: PartitionView, in cluster: ClusterView, rules: ElectionRules, controllerEpoch: ControllerEpoch
    ) -> Decision {
        let replicas = partition.replicas
        let usable = { (broker: BrokerID) in cluster.isLive(broker) && !partition.failedReplicas.contains(broker) }
        guard let now = partition.recorded?.state else {
            let live = replicas.filter(usable)
            guard let leader = live.first else { return .stays }
            return .write(
                LeaderAndInSync(
                    leader: leader, leaderEpoch: 0, inSync: live, controllerEpoch: controllerEpoch,
                    lives: lives(of: live, cluster)))
        }
        func elected(_ chosen: LeaderChoice.Chosen) -> Decision {
            .write(
                LeaderAndInSync(
                    leader: chosen.leader, leaderEpoch: now.leaderEpoch.next,
                    inSync: replicas.filter(chosen.inSync.contains), controllerEpoch: controllerEpoch,
                    recovering: chosen.unclean || now.recovering, lives: lives(of: chosen.inSync, cluster)))
        }
        let registered = { (broker: BrokerID) in
            cluster.brokers[broker] != nil && !partition.failedReplicas.contains(broker)
        }
        let stands = { (broker: BrokerID) in registered(broker) && cluster.stands(broker, in: now) }
        let leaving = { (broker: BrokerID) in cluster.shuttingDown.contains(broker) }

        // The leader stands, in the life in which it was elected.
        if stands(now.leader), replicas.contains(now.leader) {
            if leaving(now.leader), replicas.count > 1,
                let chosen = LeaderChoice.forControlledShutdown(
                    assignment: replicas, inSync: now.inSync.filter(stands), live: stands, shuttingDown: leaving)
            {
                return elected(chosen)
            }
            let standing = now.inSync.filter { member in
                member == now.leader || (usable(member) && stands(member) && replicas.contains(member))
            }
            if standing.count < now.inSync.count {
                return elected(.init(leader: now.leader, inSync: standing))
            }
            if partition.wantsPreferredLeader, replicas.first != now.leader,
                let chosen = LeaderChoice.forPreferred(assignment: replicas, inSync: now.inSync, live: usable)
            {
                return elected(chosen)
            }
            return partition.needsNewEpoch ? elected(.init(leader: now.leader, inSync: now.inSync)) : .stays
        }

        // It is gone. Those that lived through it come first; then new lives that hold what the old ones held; a broker
        // about to stop may still lead until it does.
        let trusted = { (broker: BrokerID) in
            stands(broker) || (registered(broker) && cluster.brokers[broker]?.isSuspect == false)
        }
        for holds in [
            { usable($0) && stands($0) }, { usable($0) && trusted($0) }, trusted,
        ] as [(BrokerID) -> Bool] {
            if var chosen = LeaderChoice.forOffline(
                assignment: replicas, inSync: now.inSync, live: holds, unclean: false)
            {
                // They hold what is committed, and the leader may be dead already without anybody knowing.
                chosen.inSync = now.inSync.filter { holds($0) || (usable($0) && trusted($0)) }
                return elected(chosen)
            }
        }
        switch PowerLoss.choice(
            replicas: replicas, inSync: now.inSync, registered: registered, logEnds: partition.logEnds, rules: rules)
        {
        case .lead(let leader): return elected(.init(leader: leader, inSync: [leader]))
        case .ask(let brokers): return .ask(brokers)
        case .wait(let brokers):
            if now.leader == .none, !brokers.isEmpty { return .waits(for: brokers) }
        }
        if rules.uncleanElection,
            let chosen = LeaderChoice.forOffline(
                assignment: replicas, inSync: now.inSync, live: registered, unclean: true)
        {
            return elected(chosen)
        }
        guard now.leader != .none else { return .stays }
        // The set stays: any of its members may lead when it is back.
        return .write(
            LeaderAndInSync(
                leader: .none, leaderEpoch: now.leaderEpoch.next, inSync: now.inSync, controllerEpoch: controllerEpoch,
                recovering: now.recovering, lives: now.lives))
    }

    /// The state in which whoever `goal` drops neither leads nor is in sync, always in a new leader epoch.
    /// - Returns: nil when nobody in it could lead.
    package static func relieved(
        _ partition: PartitionView, for goal: ReplicaAssignment, in cluster: ClusterView,
        controllerEpoch: ControllerEpoch
    ) -> LeaderAndInSync? {
        guard let now = partition.recorded?.state else { return nil }
        let stays = { (broker: BrokerID) in
            cluster.isLive(broker) && !partition.failedReplicas.contains(broker) && cluster.stands(broker, in: now)
        }
        let chosen =
            goal.replicas.contains(now.leader) && stays(now.leader)
            ? LeaderChoice.Chosen(leader: now.leader, inSync: now.inSync)
            : LeaderChoice.forReassignment(target: goal.target, inSync: now.inSync, live: stays)
                ?? LeaderChoice.forReassignment(target: goal.replicas, inSync: now.inSync, live: stays)
        guard let chosen else { return nil }
        let inSync = goal.replicas.filter { now.inSync.contains($0) && stays($0) }
        return LeaderAndInSync(
            leader: chosen.leader, leaderEpoch: now.leaderEpoch.next, inSync: inSync, controllerEpoch: controllerEpoch,
            recovering: now.recovering, lives: lives(of: inSync, cluster))
    }

    static func lives(of members: [BrokerID], _ cluster: ClusterView) -> [BrokerID: BrokerEpoch] {
        var lives: [BrokerID: BrokerEpoch] = [:]
        for member in members { lives[member] = cluster.brokers[member]?.epoch }
        return lives
    }
}
