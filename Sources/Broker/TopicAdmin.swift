import Bytes
import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import KafkaProtocol
import Platform

/// Creates, grows and deletes topics: checks the request, writes the tree, and answers when every live broker knows. What the
/// writes lead to is the controller's business, which watches the tree; so a topic that a tool wrote there is treated alike.
package final class TopicAdmin {
    /// What is known elsewhere in the broker.
    package struct Surroundings {
        /// What is wrong with a topic's settings, in Kafka's words; nil when nothing is.
        package var configProblem: ([String: String]) -> String?
        /// All settings of a topic with these of its own, for the answer.
        package var describe: ([String: String]) -> [CreateTopicsResponse.CreatableTopicConfigs]
        package init(
            configProblem: @escaping ([String: String]) -> String?,
            describe: @escaping ([String: String]) -> [CreateTopicsResponse.CreatableTopicConfigs]
        ) {
            self.configProblem = configProblem
            self.describe = describe
        }
    }

    struct Problem: Error, Equatable {
        var code: ErrorCode
        var message: String?
        init(_ code: ErrorCode, _ message: String? = nil) {
            self.code = code
            self.message = message
        }
    }

    let world: any World
    let tree: any Tree
    let metadata: MetadataCache
    let controller: ControllerDriver
    let settings: ControllerSettings
    let surroundings: Surroundings
    /// Asked for by a client's Metadata, and not led yet: all who wait for one creation share it.
    var autoCreations: [String: [(ErrorCode) -> Void]] = [:]
    var quietTimers: [String: TimerID] = [:]
    /// When topics went, for a minute: so that one which comes back by itself can be told by whom.
    var goneAt: [String: Instant] = [:]

    package init(
        world: any World, tree: any Tree, metadata: MetadataCache, controller: ControllerDriver,
        settings: ControllerSettings,
        surroundings: Surroundings
    ) {
        self.world = world
        self.tree = tree
        self.metadata = metadata
        self.controller = controller
        self.settings = settings
        self.surroundings = surroundings
    }

    // MARK: CreateTopics

    /// What will be written.
    struct Plan {
        var name: String
        var assignment: TopicAssignment
        var config: [String: String]
        var replicationFactor: Int16
    }

    package func createTopics(_ request: CreateTopicsRequest, then: @escaping (CreateTopicsResponse) -> Void) {
        var response = CreateTopicsResponse()
        var asked: [String: [CreateTopicsRequest.CreatableTopic]] = [:]
        var order: [String] = []
        for topic in request.topics {
            if asked[topic.name] == nil { order.append(topic.name) }
            asked[topic.name, default: []].append(topic)
        }

        let tasks = TaskCounter { results in
            response.topics = order.compactMap { results[$0] }
            then(response)
        }
        for name in order {
            guard let named = asked[name], let topic = named.first else { continue }
            tasks.begin(name)
            var result = CreateTopicsResponse.CreatableTopicResult()
            result.name = name
            result.configs = []
            result.errorMessage = nil
            let refuse: (Problem) -> Void = { problem in
                result.errorCode = problem.code
                result.errorMessage = problem.message
                tasks.end(name, result)
            }
            guard controller.isController else {
                refuse(Problem(.notController))
                continue
            }
            guard named.count == 1 else {
                refuse(Problem(.invalidRequest, "Duplicate topic name."))
                continue
            }
            do throws(Problem) {
                let plan = try plan(topic)
                result.numPartitions = Int32(plan.assignment.replicas.count)
                result.replicationFactor = plan.replicationFactor
                result.configs = surroundings.describe(plan.config)
                if request.validateOnly {
                    tasks.end(name, result)
                    continue
                }
                result.topicID = plan.assignment.topicID ?? .zero
                write(plan) { [self] problem in
                    if let problem {
                        result.topicID = .zero
                        result.numPartitions = -1
                        result.replicationFactor = -1
                        result.configs = []
                        return refuse(problem)
                    }
                    waitUntilKnown(
                        name, partitions: plan.assignment.replicas.count, timeoutMs: request.timeoutMs
                    ) { reached in
                        if !reached {
                            result.errorCode = .requestTimedOut
                            result.errorMessage = "The topic was created, but not every broker knows it yet."
                        }
                        tasks.end(name, result)
                    }
                }
            } catch { refuse(error) }
        }
        tasks.allBegun()
    }

    private func plan(_ topic: CreateTopicsRequest.CreatableTopic) throws(Problem) -> Plan {
        try checkName(topic.name)
        var config: [String: String] = [:]
        let nulls = topic.configs.filter { $0.value == nil }.map(\.name)
        guard nulls.isEmpty else {
            throw Problem(.invalidConfig, "Null value not supported for topic configs: \(nulls.joined(separator: ","))")
        }
        for entry in topic.configs { config[entry.name] = entry.value ?? "" }

        let replicas: [Int32: [BrokerID]]
        if topic.assignments.isEmpty {
            let count = topic.numPartitions == -1 ? settings.defaultPartitions : topic.numPartitions
            let factor = topic.replicationFactor == -1 ? settings.defaultReplicationFactor : topic.replicationFactor
            replicas = try place(count, factor)
        } else {
            guard topic.numPartitions == -1, topic.replicationFactor == -1 else {
                throw Problem(
                    .invalidRequest,
                    "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time."
                )
            }
            replicas = try check(topic.assignments)
        }
        if let problem = surroundings.configProblem(config) { throw Problem(.invalidConfig, problem) }
        var random = WorldRandom(world)
        return Plan(
            name: topic.name, assignment: TopicAssignment(topicID: UUID128.random(using: &random), replicas: replicas),
            config: config, replicationFactor: Int16(clamping: replicas[0]?.count ?? 0))
    }

    private func checkName(_ name: String) throws(Problem) {
        if let problem = TopicName.problem(name) { throw Problem(.invalidTopicException, problem) }
        if name == "__cluster_metadata" {
            throw Problem(.invalidRequest, "Creation of internal topic __cluster_metadata is prohibited.")
        }
        if controller.isBeingDeleted(name) {
            throw Problem(.topicAlreadyExists, "Topic '\(name)' is marked for deletion.")
        }
        if metadata.topic(name) != nil || controller.view?.topics[name] != nil {
            throw Problem(.topicAlreadyExists, "Topic '\(name)' already exists.")
        }
        guard TopicName.hasCollisionCharacters(name) else { return }
        let known = Set(metadata.topicNames).union(controller.view?.topicNames ?? [])
        let colliding = known.filter { TopicName.collide($0, name) }.sorted()
        guard colliding.isEmpty else {
            throw Problem(
                .invalidTopicException,
                "Topic '\(name)' collides with existing topics: \(colliding.joined(separator: ", "))")
        }
    }

    var candidates: [ReplicaPlacement.Candidate] {
        if let view = controller.view {
            return view.brokerIDs.filter(view.isLive).map { .init($0, rack: view.brokers[$0]?.rack) }
        }
        return metadata.brokers.map { .init($0.id, rack: $0.rack) }
    }

    private func place(_ count: Int32, _ factor: Int16) throws(Problem) -> [Int32: [BrokerID]] {
        guard count > 0 else { throw Problem(.invalidPartitions, "Number of partitions must be larger than 0.") }
        guard count <= 100_000 else {
            throw Problem(.invalidPartitions, "Number of partitions must be at most 100000.")
        }
        guard factor > 0 else { throw Problem(.invalidReplicationFactor, "Replication factor must be larger than 0.") }
        let candidates = candidates
        guard Int(factor) <= candidates.count else {
            throw Problem(
                .invalidReplicationFactor,
                "Replication factor: \(factor) larger than available brokers: \(candidates.count).")
        }
        do throws(ReplicaPlacement.Refusal) {
            let placed = try ReplicaPlacement.place(
                partitions: count, replicationFactor: Int(factor), over: candidates,
                start: Int(world.random() % UInt64(candidates.count)),
                shift: Int(world.random() % UInt64(candidates.count)))
            return Dictionary(uniqueKeysWithValues: placed.enumerated().map { (Int32($0.offset), $0.element) })
        } catch { throw Problem(.invalidReplicationFactor, "\(error)") }
    }

    private func check(_ assignments: [CreateTopicsRequest.CreatableReplicaAssignment]) throws(Problem) -> [Int32:
        [BrokerID]]
    {
        var replicas: [Int32: [BrokerID]] = [:]
        for assignment in assignments {
            let brokers = assignment.brokerIDs.map { BrokerID($0) }
            guard replicas.updateValue(brokers, forKey: assignment.partitionIndex) == nil else {
                throw Problem(.invalidReplicaAssignment, "Partition \(assignment.partitionIndex) is assigned twice.")
            }
            guard Set(brokers).count == brokers.count else {
                throw Problem(
                    .invalidReplicaAssignment,
                    "Duplicate replica assignment found: partition \(assignment.partitionIndex)")
            }
            guard !brokers.isEmpty, brokers.allSatisfy({ $0.raw >= 0 }) else {
                throw Problem(
                    .invalidReplicaAssignment, "Partition \(assignment.partitionIndex) needs at least one valid broker."
                )
            }
        }
        guard Set(replicas.values.map(\.count)).count == 1 else {
            throw Problem(.invalidReplicaAssignment, "All partitions should have the same number of replicas")
        }
        guard replicas.keys.sorted() == (0..<Int32(clamping: replicas.count)).map({ $0 }) else {
            throw Problem(.invalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
        }
        return replicas
    }

    /// Config and topic in one transaction, so that no topic is ever without the settings it was created with.
    func write(_ plan: Plan, replacesConfig: Bool = false, then: @escaping (Problem?) -> Void) {
        let config = ConfigPayload(plan.config).payload
        let path = Znodes.topicConfig(plan.name)
        // A controller that is no longer one creates nothing; by first use, every broker may.
        let fence = controller.fence
        tree.multi(
            fence + [
                replacesConfig ? .set(path, config, version: -1) : .create(path, config),
                .create(Znodes.topic(plan.name), plan.assignment.payload),
            ]
        ) { [self] result in
            guard case .failure(let failure) = result else { return then(nil) }
            switch (failure.error, failure.index.map { $0 - fence.count }) {
            case (_, -1): then(Problem(.notController))
            // Settings left over by somebody: these replace them.
            case (.nodeExists, 0): write(plan, replacesConfig: true, then: then)
            case (.noNode, 0) where replacesConfig: write(plan, then: then)
            case (.nodeExists, _): then(Problem(.topicAlreadyExists, "Topic '\(plan.name)' already exists."))
            case (.connectionLoss, _): recheck(plan, then: then)
            case (.sessionExpired, _): then(Problem(.notController))
            default: then(Problem(.unknownServerError, "the coordinator answered \(failure.error)"))
            }
        }
    }

    /// The answer was lost: is it there, and is it ours?
    private func recheck(_ plan: Plan, then: @escaping (Problem?) -> Void) {
        tree.readIfThere(Znodes.topic(plan.name)) { [self] result in
            switch result {
            case .failure: then(Problem(.notController))
            case .success(nil): write(plan, then: then)
            case .success(let node?):
                let found = try? TopicAssignment(payload: node.data)
                then(
                    found?.topicID == plan.assignment.topicID
                        ? nil : Problem(.topicAlreadyExists, "Topic '\(plan.name)' already exists."))
            }
        }
    }

    func waitUntilKnown(_ name: String, partitions: Int, timeoutMs: Int32, then: @escaping (Bool) -> Void) {
        guard timeoutMs > 0 else { return then(false) }
        controller.whenHeard(
            within: .milliseconds(Int64(timeoutMs)),
            isOver: { core in
                guard let topic = core.view.topics[name], topic.partitions.count >= partitions else { return false }
                return topic.partitions.values.allSatisfy { ($0.recorded?.state.leader ?? .none) != .none }
            }, then: then)
    }

    // MARK: DeleteTopics

    package func deleteTopics(
        _ request: DeleteTopicsRequest, version: Int16, then: @escaping (DeleteTopicsResponse) -> Void
    ) {
        var response = DeleteTopicsResponse()
        struct Asked {
            var name: String?
            var id: UUID128
        }
        let asked =
            version >= 6
            ? request.topics.map { Asked(name: $0.name, id: $0.topicID) }
            : request.topicNames.map { Asked(name: $0, id: .zero) }
        let tasks = TaskCounter<Int, DeleteTopicsResponse.DeletableTopicResult> { results in
            response.responses = asked.indices.compactMap { results[$0] }
            then(response)
        }
        var seen: Set<String> = []
        for (index, one) in asked.enumerated() {
            tasks.begin(index)
            var result = DeleteTopicsResponse.DeletableTopicResult()
            result.name = one.name
            result.topicID = one.id
            let refuse: (ErrorCode, String?) -> Void = { code, message in
                result.errorCode = code
                result.errorMessage = message
                tasks.end(index, result)
            }
            if version < 6, result.name == nil { result.name = "" }
            guard controller.isController else {
                refuse(.notController, nil)
                continue
            }
            guard settings.core.deletesTopics else {
                refuse(version < 3 ? .invalidRequest : .topicDeletionDisabled, "Topic deletion is disabled.")
                continue
            }
            if one.name != nil, !one.id.isZero {
                refuse(.invalidRequest, "Topic name and topic ID can not both be specified.")
                continue
            }
            let known = controller.view?.topics ?? [:]
            let name = one.name ?? known.keys.sorted().first { known[$0]?.id == one.id }
            guard let name, let topic = known[name] else {
                refuse(
                    one.name == nil ? .unknownTopicID : .unknownTopicOrPartition,
                    "This server does not host this topic-partition.")
                continue
            }
            guard seen.insert(name).inserted else {
                refuse(.invalidRequest, "Duplicate topic name or ID.")
                continue
            }
            result.name = name
            result.topicID = topic.id ?? .zero
            mark(name) { [self] error in
                if let error {
                    return refuse(
                        error == .sessionExpired ? .notController : .unknownServerError,
                        "the coordinator answered \(error)")
                }
                guard request.timeoutMs > 0 else { return refuse(.requestTimedOut, nil) }
                let limit = min(Duration.milliseconds(Int64(request.timeoutMs)), .seconds(5))
                controller.whenHeard(
                    within: limit,
                    isOver: { core in
                        if core.view.topics[name]?.id != topic.id { return true }
                        // A broker that holds it is down: it is gone for clients, the rest follows when that one is back.
                        if case .waiting(let brokers)? = core.deletions[name]?.step { return !brokers.isEmpty }
                        return false
                    }
                ) { [self] reached in
                    // A broker that holds it does not answer: the topic is hidden, which is all that Kafka waits for.
                    let hidden = controller.isBeingDeleted(name) && request.timeoutMs > 5000
                    guard reached || hidden else { return refuse(.requestTimedOut, nil) }
                    tasks.end(index, result)
                }
            }
        }
        tasks.allBegun()
    }

    /// - Parameter then: `sessionExpired` also when somebody else is the controller now.
    private func mark(_ name: String, then: @escaping (CoordinationError?) -> Void) {
        tree.multi(controller.fence + [.create(Znodes.deletedTopic(name), nil)]) { [self] result in
            guard case .failure(let failure) = result else { return then(nil) }
            switch (failure.error, failure.index) {
            case (.nodeExists, _): then(nil)
            case (.connectionLoss, _): mark(name, then: then)
            case (.badVersion, _): then(.sessionExpired)
            default: then(failure.error)
            }
        }
    }
}
