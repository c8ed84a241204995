import Bytes
import ClusterModel
import CommitLog
import CoordinationClient
import CoordinationProtocol
import Platform

/// `rescue`: the coordinator's disk is lost and the brokers' are not. Tells which tree can be rebuilt from them; builds it on
/// request.
package enum RescueCommand {
    static let help = HelpText(
        "Rebuild the coordinator's tree from brokers' log directories, after the coordinator's own data was lost.",
        examples: [
            "letterbox rescue --from-log-dirs data/broker-0 data/broker-1 data/broker-2",
            "letterbox rescue --from-log-dirs data/broker-0 data/broker-1 data/broker-2 --execute",
        ],
        options: [
            .value(
                "from-log-dirs", of: "DIR",
                help: "The log.dirs of all brokers; further ones may follow as words or behind commas."),
            .value("zookeeper", of: "HOST:PORT", help: "The new, empty coordinator (default: localhost:2181)."),
            .flag("execute", help: "Write the tree. Without it nothing is changed."),
            .helpFlag, .versionFlag,
        ])

    /// What the disks tell.
    struct Findings {
        var clusterID: String?
        var replicas: [RescuePlan.Replica] = []
        var highestProducerID: Int64 = -1
        /// A line each.
        var directories: [String] = []
    }

    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(words, help, tool) { (line) throws(ToolFailure) in
            let given: [String] = line.all("from-log-dirs") + line.rest
            let paths = given.flatMap { $0.split(separator: ",").map(String.init) }
            guard !paths.isEmpty, line.has("from-log-dirs") else {
                throw ToolFailure.usage("--from-log-dirs must name the log directories of all brokers", help)
            }
            let address: String
            do throws(CommandLineError) { address = try line.value("zookeeper") ?? "localhost:2181" } catch {
                throw ToolFailure(error.message)
            }
            let findings = try look(paths, tool.world.disk)
            let plan = RescuePlan(findings.replicas)
            tell(findings, plan, tool)
            guard let clusterID = findings.clusterID, !plan.topics.isEmpty else {
                throw ToolFailure("there is nothing to rescue in \(paths.joined(separator: ", "))")
            }
            return try CoordinatorSession.run(address, tool) { session throws(ToolFailure) in
                let there = try survey(session, clusterID, plan)
                for topic in there.sorted() { tool.say("\(topic): is in the tree already and stays as it is") }
                guard line.has("execute") else {
                    tool.say(
                        "\nNothing was changed. Again with --execute, and the coordinator at \(address) gets this tree."
                    )
                    return 0
                }
                try write(session, clusterID, findings, plan, except: there)
                tool.say(
                    "\nThe tree is written. Start the brokers. No topic's records are deleted (retention.ms=-1, retention.bytes=-1) "
                        + "until you set topics' settings again: scripts/kafka-configs.sh --alter --entity-type topics")
                return plan.leftOut.isEmpty ? 0 : 1
            }
        }
    }

    // MARK: Looking

    static func look(_ paths: [String], _ disk: any Disk) throws(ToolFailure) -> Findings {
        var findings = Findings()
        var seen: Set<String> = []
        for path in paths where seen.insert(disk.absolutePath(path)).inserted {
            do throws(DiskError) {
                let (identity, partitions) = try StoredPartition.list(path, disk: disk)
                guard let identity, let broker = identity.brokerID, let cluster = identity.clusterID else {
                    throw DiskError(
                        operation: "read", path: "\(path)/meta.properties", code: 0,
                        reason:
                            "it does not say whose directory this is; a broker's log.dirs has broker.id and cluster.id there"
                    )
                }
                if let other = findings.clusterID, other != cluster {
                    throw DiskError(
                        operation: "read", path: "\(path)/meta.properties", code: 0,
                        reason: "cluster.id is \(cluster), and \(other) in the directories before it")
                }
                findings.clusterID = cluster
                findings.directories.append(
                    "broker \(broker)  \(path)  \(partitions.count) partition\(partitions.count == 1 ? "" : "s")")
                for stored in partitions {
                    let end = try stored.end(disk)
                    findings.highestProducerID = max(findings.highestProducerID, end.highestProducerID)
                    findings.replicas.append(
                        RescuePlan.Replica(
                            broker: broker, directory: stored.directory, partition: stored.partition,
                            topicID: stored.topicID, next: end.next, epoch: end.epoch,
                            latestEpoch: end.latestEpoch, torn: end.torn))
                }
            } catch { throw ToolFailure("\(error)") }
        }
        return findings
    }

    private static func tell(_ findings: Findings, _ plan: RescuePlan, _ tool: any ToolWorld) {
        tool.say("cluster \(findings.clusterID ?? "?")")
        for line in findings.directories { tool.say(line) }
        for replica in findings.replicas where replica.torn > 0 {
            tool.say(
                "\(replica.directory): its last \(replica.torn) bytes are no whole batch; the broker cuts them at its start"
            )
        }
        for topic in plan.topics {
            tool.say(
                "\ntopic \(topic.name)  id \(topic.id?.text ?? "none yet")  \(topic.partitions.count) partition\(topic.partitions.count == 1 ? "" : "s")"
            )
            for (number, partition) in topic.partitions.sorted(by: { $0.key < $1.key }) {
                func list(_ brokers: [BrokerID]) -> String { brokers.map { "\($0)" }.joined(separator: ",") }
                tool.say(
                    "  partition \(number)  replicas \(list(partition.replicas))  in sync \(list(partition.inSync))  next offset \(partition.next)  leader epoch \(partition.epoch)"
                )
                for (broker, next) in partition.behind.sorted(by: { $0.key < $1.key }) {
                    tool.say("    broker \(broker) ends at \(next) and copies what it misses")
                }
            }
        }
        for line in plan.leftOut { tool.say("\nleft out: \(line)") }
        tool.say(
            "\non no broker's disk, so lost with the coordinator's: settings of topics, brokers, users and clients; committed offsets of groups"
        )
    }

    // MARK: Writing

    /// Whether the coordinator may be given this tree: it must be empty, or hold a part of it from an earlier try.
    /// - Returns: topics that are there already.
    private static func survey(
        _ session: CoordinatorSession, _ clusterID: String, _ plan: RescuePlan
    ) throws(ToolFailure) -> Set<String> {
        let brokers = try session.children(Znodes.brokerIDs)
        guard brokers.isEmpty else {
            throw ToolFailure(
                "broker \(brokers.joined(separator: ", ")) is registered at the coordinator at \(session.address): stop it first"
            )
        }
        var there: Set<String> = []
        for name in try session.children(Znodes.brokerTopics) {
            guard let topic = plan.topics.first(where: { $0.name == name }),
                let node = try session.node(Znodes.topic(name)),
                let assignment = try? TopicAssignment(payload: node.data ?? []), assignment.topicID == topic.id
            else {
                throw ToolFailure(
                    "the coordinator at \(session.address) has the topic \(name), which is none of these: it is not an empty one. "
                        + "Nothing was changed")
            }
            there.insert(name)
        }
        if let node = try session.node(Znodes.clusterID), let id = try? ClusterIDPayload(payload: node.data ?? []).id,
            id != clusterID
        {
            session.tool.say(
                "the coordinator at \(session.address) calls itself cluster \(id); it is given the brokers' name")
        }
        return there
    }

    /// The cluster's name comes last: brokers refuse to start on a tree that is only half there.
    private static func write(
        _ session: CoordinatorSession, _ clusterID: String, _ findings: Findings, _ plan: RescuePlan,
        except there: Set<String>
    ) throws(ToolFailure) {
        try session.makeChroot()
        for path in [
            Znodes.brokerTopics, Znodes.configTopics, "/cluster", Znodes.producerIDBlock, Znodes.brokerSequence,
        ] {
            try session.makePath(path)
        }
        let epoch = try session.node(Znodes.controllerEpoch).flatMap {
            Int32(String(decoding: $0.data ?? [], as: UTF8.self))
        }
        for topic in plan.topics where !there.contains(topic.name) {
            var nodes = RescuePlan.nodes(of: topic, controllerEpoch: ControllerEpoch(epoch ?? 0))
            if try session.node(Znodes.topicConfig(topic.name)) != nil { nodes.removeFirst() }
            try session.multi(nodes.map { .create($0.path, $0.data) })
        }
        try raiseSequence(session, above: findings.replicas.map(\.broker).max() ?? BrokerID(0))
        try session.multi([
            .setData(Znodes.producerIDBlock, RescuePlan.producerIDs(above: findings.highestProducerID).payload)
        ])
        let identity = ClusterIDPayload(id: clusterID).payload
        if let old = try session.node(Znodes.clusterID) {
            try session.multi([.setData(Znodes.clusterID, identity, version: old.stat.version)])
        } else {
            try session.multi([.create(Znodes.clusterID, identity)])
        }
    }

    /// Ids that brokers draw (`broker.id=-1`) are the version of a node beyond `reserved.broker.max.id`, 1000 unless it was set.
    private static func raiseSequence(_ session: CoordinatorSession, above highest: BrokerID) throws(ToolFailure) {
        guard highest.raw > 1000, let node = try session.node(Znodes.brokerSequence) else { return }
        let missing = Int(highest.raw) - 1000 - Int(node.stat.version)
        // A number given by hand needs no such care, however large it is.
        guard missing > 0, missing <= 10_000 else { return }
        var left = missing
        while left > 0 {
            let some = min(left, 1000)
            try session.multi(Array(repeating: .setData(Znodes.brokerSequence, []), count: some))
            left -= some
        }
    }
}
