import ClusterModel
import KafkaProtocol
import Platform

/// The calls behind execute, verify and cancel.
struct Reassigning {
    struct Move: Equatable {
        var replicas: [Int32]
        var adding: [Int32]
        var removing: [Int32]
        /// Where it ends.
        var target: [Int32] { replicas.filter { !removing.contains($0) } }
    }

    static let leaderRate = "leader.replication.throttled.rate"
    static let followerRate = "follower.replication.throttled.rate"
    static let directoryRate = "replica.alter.log.dirs.io.max.bytes.per.second"
    static let leaderReplicas = "leader.replication.throttled.replicas"
    static let followerReplicas = "follower.replication.throttled.replicas"

    let session: ClusterSession
    var tool: any ToolWorld { session.tool }

    init(_ session: ClusterSession) { self.session = session }

    func ongoing() throws -> [TopicPartition: Move] {
        let response = try session.ask(.controller, ListPartitionReassignmentsRequest()) {
            $0.errorCode == .notController ? $0.errorCode : nil
        }
        guard response.errorCode == .none else {
            throw ToolFailure("Error: \(response.errorCode.told(response.errorMessage))")
        }
        var moves: [TopicPartition: Move] = [:]
        for topic in response.topics {
            for partition in topic.partitions {
                moves[TopicPartition(topic.name, partition.partitionIndex)] = Move(
                    replicas: partition.replicas, adding: partition.addingReplicas, removing: partition.removingReplicas
                )
            }
        }
        return moves
    }

    /// Replicas as they are; partitions that do not exist are missing.
    private func current(of plan: ReassignmentPlan) throws -> [TopicPartition: [Int32]] {
        var found: [TopicPartition: [Int32]] = [:]
        for topic in try session.metadata().topics {
            for partition in topic.partitions {
                found[TopicPartition(topic.name ?? "", partition.partitionIndex)] = partition.replicaNodes
            }
        }
        return found.filter { plan.targets[$0.key] != nil }
    }

    // MARK: Execute

    func execute(_ line: CommandLine, _ plan: ReassignmentPlan) throws {
        let living = Set(try session.metadata().brokers.map(\.nodeID))
        if let unknown = plan.brokers.subtracting(living).min() {
            throw ToolFailure("Error: Unknown broker id \(unknown)")
        }
        let current = try current(of: plan)
        if let missing = plan.places.first(where: { current[$0] == nil }) {
            let known = current.keys.contains { $0.topic == missing.topic }
            throw ToolFailure(
                "Error: \(ErrorCode.unknownTopicOrPartition.told(known ? "Partition \(missing) not found." : "Topic \(missing.topic) not found."))"
            )
        }
        let ongoing = try ongoing()
        if !ongoing.isEmpty, !line.has("additional") {
            throw ToolFailure(
                "Cannot execute because there is an existing partition assignment.  Use --additional to override this and "
                    + "create a new partition assignment in addition to the existing one. The --additional flag can also be "
                    + "used to change the throttle by resubmitting the current reassignment.")
        }
        let before = ReassignmentPlan(current.mapValues { ReassignmentPlan.Target($0) })
        tool.say(
            "Current partition replica assignment\n\n\(before.text)\n\n"
                + "Save this to use as the --reassignment-json-file option during rollback")

        let rate = try line.integer("throttle")
        let directoryRate = try line.integer("replica-alter-log-dirs-throttle")
        if rate != nil || directoryRate != nil {
            tool.say(
                "Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is "
                    + "removed.")
        }
        if let rate { try throttle(plan, current, ongoing, rate) }
        if let directoryRate {
            for broker in Set(plan.moves.map(\.broker)).sorted() {
                try session.change(broker: broker, [(Reassigning.directoryRate, String(directoryRate))])
            }
            tool.say("The replica-alter-dir throttle limit was set to \(directoryRate) B/s")
        }
        try begin(plan)
        let patience = try line.integer("timeout") ?? 10_000
        try moveDirectories(plan, patience: .milliseconds(Int64(patience)))
    }

    private func throttle(
        _ plan: ReassignmentPlan, _ current: [TopicPartition: [Int32]], _ ongoing: [TopicPartition: Move], _ rate: Int
    ) throws {
        let facts = current.reduce(into: [TopicPartition: (replicas: [Int32], adding: [Int32])]()) { facts, fact in
            facts[fact.key] = (fact.value, ongoing[fact.key]?.adding ?? [])
        }
        for (topic, lists) in plan.throttled(from: facts).sorted(by: { $0.key < $1.key }) {
            try session.change(
                ConfigResource(kind: .topic, name: topic),
                [
                    ConfigChange(name: Reassigning.leaderReplicas, value: lists.leaders),
                    ConfigChange(name: Reassigning.followerReplicas, value: lists.followers),
                ])
        }
        for broker in plan.brokers.union(current.values.flatMap { $0 }).sorted() {
            try session.change(
                broker: broker, [(Reassigning.leaderRate, String(rate)), (Reassigning.followerRate, String(rate))])
        }
        tool.say("The inter-broker throttle limit was set to \(rate) B/s")
    }

    private func begin(_ plan: ReassignmentPlan) throws {
        let refused = try alter(plan.places.map { ($0, plan.targets[$0]?.replicas) })
        guard refused.isEmpty else {
            throw ToolFailure(
                "Error reassigning partition(s):\n"
                    + refused.map { "\($0.place): \($0.words)" }.joined(separator: "\n"))
        }
        let many = plan.targets.count > 1 ? "s" : ""
        tool.say("Successfully started partition reassignment\(many) for \(PartitionList.joined(plan.places, ","))")
    }

    /// - Parameter targets: nil cancels.
    private func alter(_ targets: [(TopicPartition, [Int32]?)]) throws -> [(place: TopicPartition, words: String)] {
        var request = AlterPartitionReassignmentsRequest()
        request.timeoutMs = 30_000
        for (place, replicas) in targets {
            if request.topics.last?.name != place.topic { request.topics.append(.with { $0.name = place.topic }) }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partitionIndex = place.partition
                    $0.replicas = replicas
                })
        }
        let response = try session.ask(.controller, request) { $0.errorCode == .notController ? $0.errorCode : nil }
        guard response.errorCode == .none else {
            throw ToolFailure("Error: \(response.errorCode.told(response.errorMessage))")
        }
        return response.responses.flatMap { topic in
            topic.partitions.filter { $0.errorCode != .none }.map {
                (TopicPartition(topic.name, $0.partitionIndex), $0.errorCode.told($0.errorMessage))
            }
        }
    }

    /// A replica can be told its directory only when it is there, which a move between brokers takes a moment for.
    private func moveDirectories(_ plan: ReassignmentPlan, patience: Duration) throws {
        var waiting = plan.moves
        guard !waiting.isEmpty else { return }
        let deadline = tool.world.clock.now + patience
        while true {
            var left: [(broker: Int32, place: TopicPartition, directory: String)] = []
            var words = ""
            for (broker, moves) in Dictionary(grouping: waiting, by: \.broker).sorted(by: { $0.key < $1.key }) {
                var request = AlterReplicaLogDirsRequest()
                request.dirs = Dictionary(grouping: moves, by: \.directory).sorted { $0.key < $1.key }.map {
                    path, moves in
                    .with {
                        $0.path = path
                        $0.topics = PartitionList.byTopic(moves.map(\.place)).map { topic, partitions in
                            .with {
                                $0.name = topic
                                $0.partitions = partitions
                            }
                        }
                    }
                }
                for topic in try session.ask(.broker(broker), request).results {
                    for partition in topic.partitions where partition.errorCode != .none {
                        let place = TopicPartition(topic.topicName, partition.partitionIndex)
                        guard partition.errorCode == .replicaNotAvailable,
                            let move = moves.first(where: { $0.place == place })
                        else { throw ToolFailure("Error moving \(place)-\(broker): \(partition.errorCode.told())") }
                        left.append(move)
                        words = partition.errorCode.told()
                    }
                }
            }
            if left.isEmpty { break }
            waiting = left
            guard tool.world.clock.now < deadline else {
                throw ToolFailure(
                    "Failed to reassign the directories of \(left.map { "\($0.place)-\($0.broker)" }.joined(separator: ",")): \(words)"
                )
            }
            tool.run(until: { false }, atMost: .milliseconds(100))
        }
        let names = plan.moves.map { "\($0.place)-\($0.broker)" }.sorted()
        tool.say(
            "Successfully started log directory move\(names.count > 1 ? "s" : "") for: \(names.joined(separator: ","))")
    }

    // MARK: Verify

    func verify(_ plan: ReassignmentPlan, keepThrottles: Bool) throws {
        let ongoing = try ongoing()
        let current = try current(of: plan)
        tool.say("Status of partition reassignment:")
        func text(_ ids: [Int32]) -> String { ids.map(String.init).joined(separator: ",") }
        for place in plan.places {
            guard let target = plan.targets[place] else { continue }
            if let move = ongoing[place] {
                tool.say(
                    move.target == target.replicas
                        ? "Reassignment of partition \(place) is still in progress."
                        : "There is an active reassignment of partition \(place), but its target is "
                            + "\(text(move.target)) rather than \(text(target.replicas)).")
            } else if current[place] == target.replicas {
                tool.say("Reassignment of partition \(place) is completed.")
            } else {
                tool.say(
                    "There is no active reassignment of partition \(place), but replica set is "
                        + "\(text(current[place] ?? [])) rather than \(text(target.replicas)).")
            }
        }
        let movesLeft = try verifyDirectories(plan)
        tool.say("")
        if ongoing.isEmpty, !movesLeft, !keepThrottles { try liftThrottles(plan) }
    }

    /// - Returns: whether any move between directories is under way.
    private func verifyDirectories(_ plan: ReassignmentPlan) throws -> Bool {
        var isMoving = false
        let living = Set(try session.metadata().brokers.map(\.nodeID))
        for (broker, moves) in Dictionary(grouping: plan.moves, by: \.broker).sorted(by: { $0.key < $1.key }) {
            guard living.contains(broker) else {
                for move in moves {
                    tool.say("Replica \(move.place)-\(broker) cannot be asked about: broker \(broker) is not there.")
                }
                continue
            }
            var request = DescribeLogDirsRequest()
            request.topics = nil
            let response = try session.ask(.broker(broker), request)
            for move in moves {
                var present: String?
                var future: String?
                for directory in response.results {
                    for topic in directory.topics where topic.name == move.place.topic {
                        for partition in topic.partitions where partition.partitionIndex == move.place.partition {
                            if partition.isFutureKey { future = directory.logDir } else { present = directory.logDir }
                        }
                    }
                }
                let replica = "\(move.place)-\(broker)"
                if future == move.directory {
                    isMoving = true
                    tool.say("Reassignment of replica \(replica) is still in progress.")
                } else if let future {
                    isMoving = true
                    tool.say(
                        "Partition \(move.place) on broker \(broker) is being moved to log dir \(future) instead of "
                            + "\(move.directory).")
                } else if present == move.directory {
                    tool.say("Reassignment of replica \(replica) completed successfully.")
                } else if let present {
                    tool.say(
                        "Partition \(move.place) on broker \(broker) is not being moved from log dir \(present) to "
                            + "\(move.directory).")
                } else {
                    tool.say("Partition \(move.place) is not found in any live log dir on broker \(broker).")
                }
            }
        }
        return isMoving
    }

    // MARK: Cancel

    func cancel(_ plan: ReassignmentPlan, keepThrottles: Bool) throws {
        let active = try ongoing().keys.filter { plan.targets[$0] != nil }.sorted()
        if active.isEmpty {
            tool.say("None of the specified partition reassignments are active.")
        } else {
            let refused = try alter(active.map { ($0, nil) })
            guard refused.isEmpty else {
                throw ToolFailure(
                    "Error cancelling partition reassignment(s) for:\n"
                        + refused.map { "\($0.place): \($0.words)" }.joined(separator: "\n"))
            }
            tool.say(
                "Successfully cancelled partition reassignment\(active.count > 1 ? "s" : "") for: "
                    + PartitionList.joined(active, ","))
        }
        tool.say("None of the specified partition moves are active.")
        if !keepThrottles { try liftThrottles(plan) }
    }

    private func liftThrottles(_ plan: ReassignmentPlan) throws {
        let brokers = try session.metadata().brokers.map(\.nodeID).sorted()
        tool.say(
            "Clearing broker-level throttles on broker\(brokers.count == 1 ? "" : "s") "
                + brokers.map(String.init).joined(separator: ","))
        let rates = [Reassigning.leaderRate, Reassigning.followerRate, Reassigning.directoryRate]
        for broker in brokers { try session.change(broker: broker, rates.map { ($0, nil) }) }
        let existing = Set(try session.metadata().topics.compactMap(\.name))
        let topics = Set(plan.places.map(\.topic)).intersection(existing).sorted()
        guard !topics.isEmpty else { return }
        tool.say(
            "Clearing topic-level throttles on topic\(topics.count == 1 ? "" : "s") \(topics.joined(separator: ","))")
        for topic in topics {
            try session.change(
                ConfigResource(kind: .topic, name: topic),
                [Reassigning.leaderReplicas, Reassigning.followerReplicas].map { ConfigChange(name: $0, value: nil) })
        }
    }
}

extension ClusterSession {
    fileprivate func change(broker: Int32, _ settings: [(String, String?)]) throws {
        try change(
            ConfigResource(kind: .broker, name: String(broker)), settings.map { ConfigChange(name: $0.0, value: $0.1) })
    }
}
