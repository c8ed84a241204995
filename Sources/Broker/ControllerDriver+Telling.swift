import ClusterModel
import Controller
import KafkaProtocol
import Platform

/// What happened to the cluster, in the journal's words.
extension ControllerDriver {
    /// A broker as people read it: nobody is not number -1.
    private static func name(_ broker: BrokerID?) -> String {
        guard let broker, broker != .none else { return "none" }
        return "\(broker)"
    }

    private static func names(_ brokers: [BrokerID]) -> String {
        brokers.map(\.description).joined(separator: ",")
    }

    func tell(_ story: ControllerCore.Story) {
        switch story {
        case .brokerAppeared(let broker, let epoch):
            journal.notice("saw a broker appear", ["broker": broker, "broker_epoch": epoch])
        case .brokerDisappeared(let broker): journal.notice("saw a broker disappear", ["broker": broker])
        case .brokerBounced(let broker, let epoch):
            journal.notice("saw a broker begin a new life", ["broker": broker, "broker_epoch": epoch])
        case .leaderElected(let partition, let from, let state) where from == state.leader:
            journal.info(
                "recorded an in-sync set",
                [
                    "partition": partition, "leader": state.leader, "epoch": state.leaderEpoch,
                    "isr": state.inSync.map(\.description).joined(separator: ","),
                ])
        case .leaderElected(let partition, let from, let state):
            journal.info(
                "elected a leader",
                [
                    "partition": partition, "from": ControllerDriver.name(from),
                    "leader": ControllerDriver.name(state.leader),
                    "epoch": state.leaderEpoch,
                    "isr": state.inSync.map(\.description).joined(separator: ","),
                ])
        case .leaderless(let partition, let inSync):
            journal.warning(
                "found no live in-sync replica: nobody leads this partition until one is back",
                ["partition": partition, "isr": ControllerDriver.names(inSync)])
        case .waitsBehindPowerLoss(let partition, let inSync, let absent):
            journal.warning(
                "waits for replicas that are down before it chooses a leader: those of the in-sync set that are here lost power, "
                    + "and may lack what was acknowledged. To go on without them: kafka-leader-election.sh --election-type unclean",
                [
                    "partition": partition, "isr": ControllerDriver.names(inSync),
                    "waits_for": ControllerDriver.names(absent),
                ])
        case .brokerSuspect(let broker):
            journal.notice(
                "relies on no log of a broker before it has caught up: its machine lost power, or its log directory is new",
                ["broker": broker])
        case .logsCompared(let partition, let ends, let leader):
            journal.warning(
                "chose the longest log: every in-sync replica lost power",
                [
                    "partition": partition, "leader": leader,
                    "log_ends": ends.keys.sorted().map { broker in
                        "\(broker):\(ends[broker]?.offset ?? -1)@\(ends[broker]?.epoch ?? .none)"
                    }.joined(separator: ","),
                ])
        case .onlyCopySuspect(let partition, let broker):
            journal.warning(
                "serves the only copy of a partition again, though its machine lost power, or a log directory is new: "
                    + "records that were not flushed, or lay in the directory that was there before, are gone",
                ["partition": partition, "leader": broker])
        case .reassignmentBegan(let partition, let assignment):
            journal.info(
                "began to move a partition",
                [
                    "partition": partition, "replicas": ControllerDriver.names(assignment.replicas),
                    "adding": ControllerDriver.names(assignment.adding),
                    "removing": ControllerDriver.names(assignment.removing),
                ])
        case .reassignmentEnded(let partition, let replicas, let dropped):
            journal.info(
                "ended a partition's move",
                [
                    "partition": partition, "replicas": ControllerDriver.names(replicas),
                    "dropped": ControllerDriver.names(dropped),
                ])
        case .reassignmentRefused(let partition, let refusal):
            journal.warning(
                "passed over a line of \(Znodes.reassignPartitions)",
                ["partition": partition, "reason": ControllerDriver.code(refusal).1 ?? ""])
        case .logDirFailed(let broker, let partitions):
            journal.warning(
                "heard that a broker lost a log directory: asks what it still holds",
                ["broker": broker, "partitions": partitions])
        case .uncleanElection(let partition, let state):
            journal.warning(
                "elected a leader from outside the in-sync set: committed records may be lost",
                ["partition": partition, "leader": state.leader, "epoch": state.leaderEpoch])
        case .topicAppeared(let name, let partitions):
            journal.info("saw a new topic", ["topic": name, "partitions": partitions])
        case .topicDeletionStarted(let name): journal.info("began to delete a topic", ["topic": name])
        case .topicDeletionWaits(let name, let brokers):
            journal.notice(
                "cannot delete a topic while brokers that hold it, or log directories of theirs, are down",
                ["topic": name, "waits_for": brokers.map(\.description).joined(separator: ",")])
        case .topicDeleted(let name): journal.info("deleted a topic", ["topic": name])
        case .brokerShutsDown(let broker): journal.notice("relieves a broker that stops", ["broker": broker])
        }
    }
}
