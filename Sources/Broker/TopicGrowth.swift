import Bytes
import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import KafkaProtocol
import Platform

extension TopicAdmin {
    /// API 37. The count asked for is the total; existing partitions stay where they are.
    package func createPartitions(
        _ request: CreatePartitionsRequest, then: @escaping (CreatePartitionsResponse) -> Void
    ) {
        var response = CreatePartitionsResponse()
        var seen: [String: Int] = [:]
        for topic in request.topics { seen[topic.name, default: 0] += 1 }
        var order: [String] = []
        for topic in request.topics where !order.contains(topic.name) { order.append(topic.name) }
        let tasks = TaskCounter<String, CreatePartitionsResponse.CreatePartitionsTopicResult> { results in
            response.results = order.compactMap { results[$0] }
            then(response)
        }
        for name in order {
            guard let topic = request.topics.first(where: { $0.name == name }) else { continue }
            tasks.begin(name)
            var result = CreatePartitionsResponse.CreatePartitionsTopicResult()
            result.name = name
            let finish: (Problem?) -> Void = { problem in
                result.errorCode = problem?.code ?? .none
                result.errorMessage = problem?.message
                tasks.end(name, result)
            }
            guard controller.isController else {
                finish(Problem(.notController))
                continue
            }
            guard seen[name] == 1 else {
                finish(Problem(.invalidRequest, "Duplicate topic in request."))
                continue
            }
            if controller.isBeingDeleted(name) {
                finish(Problem(.invalidTopicException, "The topic is queued for deletion."))
                continue
            }
            grow(topic, validateOnly: request.validateOnly) { [self] problem in
                if problem != nil || request.validateOnly { return finish(problem) }
                waitUntilKnown(name, partitions: Int(topic.count), timeoutMs: request.timeoutMs) { reached in
                    finish(reached ? nil : Problem(.requestTimedOut))
                }
            }
        }
        tasks.allBegun()
    }

    private func grow(
        _ topic: CreatePartitionsRequest.CreatePartitionsTopic, validateOnly: Bool, then: @escaping (Problem?) -> Void
    ) {
        let path = Znodes.topic(topic.name)
        guard TopicName.problem(topic.name) == nil else {
            return then(Problem(.unknownTopicOrPartition, "The topic '\(topic.name)' does not exist."))
        }
        tree.readIfThere(path) { [self] result in
            switch result {
            case .failure(let error): then(Problem(error == .sessionExpired ? .notController : .unknownServerError))
            case .success(nil): then(Problem(.unknownTopicOrPartition, "The topic '\(topic.name)' does not exist."))
            case .success(let node?):
                guard var assignment = try? TopicAssignment(payload: node.data) else {
                    return then(Problem(.unknownServerError, "the topic's assignment is unreadable"))
                }
                do throws(Problem) {
                    let more = try placeMore(topic, assignment)
                    for (number, replicas) in more { assignment.replicas[number] = replicas }
                } catch { return then(error) }
                if validateOnly { return then(nil) }
                let fence = controller.fence
                tree.multi(fence + [.set(path, assignment.payload, version: node.stat.version)]) { [self] result in
                    guard case .failure(let failure) = result else { return then(nil) }
                    switch failure.error {
                    case .badVersion where failure.index == 0 && !fence.isEmpty: then(Problem(.notController))
                    // Somebody else changed it, or our own answer was lost: the checks decide again.
                    case .badVersion: grow(topic, validateOnly: validateOnly, then: then)
                    case .connectionLoss:
                        tree.readIfThere(path) { [self] result in
                            if case .success(let now?) = result, let found = try? TopicAssignment(payload: now.data),
                                found == assignment
                            {
                                return then(nil)
                            }
                            grow(topic, validateOnly: validateOnly, then: then)
                        }
                    case .noNode: then(Problem(.unknownTopicOrPartition, "The topic '\(topic.name)' does not exist."))
                    case .sessionExpired: then(Problem(.notController))
                    default: then(Problem(.unknownServerError, "the coordinator answered \(failure.error)"))
                    }
                }
            }
        }
    }

    private func placeMore(
        _ topic: CreatePartitionsRequest.CreatePartitionsTopic, _ assignment: TopicAssignment
    ) throws(Problem) -> [(Int32, [BrokerID])] {
        guard assignment.adding.isEmpty, assignment.removing.isEmpty else {
            throw Problem(
                .reassignmentInProgress, "A partition reassignment is in progress for the topic '\(topic.name)'.")
        }
        let have = Int32(clamping: assignment.replicas.count)
        guard topic.count != have else { throw Problem(.invalidPartitions, "Topic already has \(have) partitions.") }
        guard topic.count > have else {
            throw Problem(
                .invalidPartitions,
                "Topic currently has \(have) partitions, which is higher than the requested \(topic.count).")
        }
        guard topic.count <= 100_000 else {
            throw Problem(.invalidPartitions, "Number of partitions must be at most 100000.")
        }
        let first = assignment.replicas[0] ?? []
        let added = topic.count - have
        let candidates = candidates
        if let wanted = topic.assignments {
            guard wanted.count == Int(added) else {
                throw Problem(
                    .invalidReplicaAssignment,
                    "Increasing the number of partitions by \(added) but \(wanted.count) assignments provided.")
            }
            let live = Set(candidates.map(\.broker))
            var result: [(Int32, [BrokerID])] = []
            for (offset, entry) in wanted.enumerated() {
                let brokers = entry.brokerIDs.map { BrokerID($0) }
                let number = have + Int32(clamping: offset)
                let unknown = brokers.filter { !live.contains($0) }
                guard unknown.isEmpty else {
                    throw Problem(
                        .invalidReplicaAssignment,
                        "Unknown broker(s) in replica assignment: \(unknown.map(\.description).joined(separator: ", "))."
                    )
                }
                guard !brokers.isEmpty, Set(brokers).count == brokers.count else {
                    throw Problem(
                        .invalidReplicaAssignment,
                        "Duplicate or no brokers in replica assignment for partition id \(number).")
                }
                guard brokers.count == first.count else {
                    throw Problem(
                        .invalidReplicaAssignment,
                        "Inconsistent replication factor between partitions, partition 0 has \(first.count) while partition \(number) has \(brokers.count)."
                    )
                }
                result.append((number, brokers))
            }
            return result
        }
        let sorted = candidates.sorted { $0.broker < $1.broker }
        let start = max(0, sorted.firstIndex { $0.broker >= first.first ?? 0 } ?? 0)
        do throws(ReplicaPlacement.Refusal) {
            let placed = try ReplicaPlacement.place(
                partitions: added, replicationFactor: max(1, first.count), over: candidates, firstPartition: have,
                start: start)
            return placed.enumerated().map { (have + Int32(clamping: $0.offset), $0.element) }
        } catch {
            throw Problem(
                .invalidReplicationFactor,
                "Replication factor: \(first.count) larger than available brokers: \(candidates.count).")
        }
    }
}
