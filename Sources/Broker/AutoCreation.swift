import Bytes
import ClusterModel
import Controller
import KafkaProtocol
import Platform

extension TopicAdmin {
    /// Topics that a client asked about and nobody has: created by the broker that was asked, as Kafka does. The answer is held
    /// until the new topic has a leader here, so that the client's first try works; at most `autoCreationWait`.
    /// - Parameter then: a code for each name: none, or why not (LEADER_NOT_AVAILABLE: created, ask again).
    package func autoCreate(_ names: [String], askedBy client: String, then: @escaping ([String: ErrorCode]) -> Void) {
        let tasks = TaskCounter<String, ErrorCode>(then: then)
        for name in names {
            tasks.begin(name)
            autoCreate(name, client) { tasks.end(name, $0) }
        }
        tasks.allBegun()
    }

    private func autoCreate(_ name: String, _ client: String, then: @escaping (ErrorCode) -> Void) {
        guard TopicName.problem(name) == nil else { return then(.invalidTopicException) }
        if autoCreations[name] != nil {
            autoCreations[name]?.append(then)
            return
        }
        if TopicName.hasCollisionCharacters(name),
            metadata.topicNames.contains(where: { TopicName.collide($0, name) && $0 != name })
        {
            return then(.invalidTopicException)
        }
        let brokers = metadata.brokers.map { ReplicaPlacement.Candidate($0.id, rack: $0.rack) }
        let factor = Int(settings.defaultReplicationFactor)
        // Not told yet who is there: the client asks again.
        guard !brokers.isEmpty else { return then(.leaderNotAvailable) }
        guard factor <= brokers.count else { return then(.invalidReplicationFactor) }
        let placed: [[BrokerID]]
        do throws(ReplicaPlacement.Refusal) {
            placed = try ReplicaPlacement.place(
                partitions: settings.defaultPartitions, replicationFactor: factor, over: brokers,
                start: Int(world.random() % UInt64(brokers.count)), shift: Int(world.random() % UInt64(brokers.count)))
        } catch { return then(.invalidReplicationFactor) }
        autoCreations[name] = [then]
        quietTimers[name] = world.after(settings.autoCreationWait) { [weak self] in
            self?.finish(name, .leaderNotAvailable)
        }
        var random = WorldRandom(world)
        let replicas = Dictionary(uniqueKeysWithValues: placed.enumerated().map { (Int32($0.offset), $0.element) })
        let plan = Plan(
            name: name, assignment: TopicAssignment(topicID: UUID128.random(using: &random), replicas: replicas),
            config: [:],
            replicationFactor: settings.defaultReplicationFactor)
        write(plan) { [self] problem in
            switch problem?.code {
            case nil:
                world.journal.notice(
                    "topic created by first use (auto.create.topics.enable)",
                    ["topic": name, "partitions": placed.count, "asked_by": client])
                if let gone = goneAt[name] {
                    world.journal.warning(
                        "a deleted topic came back by its first use",
                        [
                            "topic": name, "seconds_after": (world.clock.now - gone).wholeMilliseconds / 1000,
                            "asked_by": client,
                        ])
                }
                topicsChanged([name])
            // Somebody else was first: it has or will soon have a leader.
            case .topicAlreadyExists?: topicsChanged([name])
            case .notController?: finish(name, .leaderNotAvailable)
            case let code?: finish(name, code)
            }
        }
    }

    /// The metadata cache has heard of these.
    package func topicsChanged(_ names: [String]) {
        let now = world.clock.now
        if !goneAt.isEmpty { goneAt = goneAt.filter { now - $0.value < .seconds(60) } }
        for name in names {
            if metadata.topic(name) == nil {
                if goneAt.count < 1000 { goneAt[name] = now }
            } else if autoCreations[name] == nil {
                goneAt[name] = nil
            }
        }
        for name in names where autoCreations[name] != nil {
            guard let topic = metadata.topic(name), topic.partitions.count >= Int(settings.defaultPartitions),
                topic.partitions.allSatisfy({ $0.leader.raw >= 0 })
            else { continue }
            finish(name, .none)
        }
    }

    private func finish(_ name: String, _ code: ErrorCode) {
        if let timer = quietTimers.removeValue(forKey: name) { world.timers.cancel(timer) }
        for then in autoCreations.removeValue(forKey: name) ?? [] { then(code) }
    }
}
