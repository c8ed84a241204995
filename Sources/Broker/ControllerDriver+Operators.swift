import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import KafkaProtocol
import Platform

/// What operators ask: elections and reassignments, over the wire and through the old znodes below `/admin`.
extension ControllerDriver {
    // MARK: ElectLeaders

    package func electLeaders(_ request: ElectLeadersRequest, then: @escaping (ElectLeadersResponse) -> Void) {
        var response = ElectLeadersResponse()
        let kind: ElectionKind
        switch request.electionType {
        case 0: kind = .preferred
        case 1: kind = .unclean
        default:
            response.errorCode = .invalidRequest
            return then(response)
        }
        guard let term, let core = term.core else {
            response.errorCode = .notController
            response.replicaElectionResults = (request.topicPartitions ?? []).map { asked in
                .with {
                    $0.topic = asked.topic
                    $0.partitionResult = asked.partitions.map { result(.notController, of: $0) }
                }
            }
            return then(response)
        }
        let all = request.topicPartitions == nil
        let partitions =
            request.topicPartitions.map { asked in
                asked.flatMap { topic in topic.partitions.map { TopicPartition(topic.topic, $0) } }
            } ?? core.view.allPartitions
        ask(within: request.timeoutMs, in: term, for: \.elections) { number in
            { core in core.electionAsked(request: number, kind, partitions) }
        } then: { answers in
            guard let answers else {
                response.errorCode = .requestTimedOut
                return then(response)
            }
            var index: [String: Int] = [:]
            for answer in answers where !(all && answer.verdict == .notNeeded) {
                let topic = answer.partition.topic
                let place = index[topic] ?? response.replicaElectionResults.count
                if index[topic] == nil {
                    index[topic] = place
                    response.replicaElectionResults.append(.with { $0.topic = topic })
                }
                response.replicaElectionResults[place].partitionResult.append(
                    result(ControllerDriver.code(answer.verdict), of: answer.partition.partition))
            }
            then(response)
        }

        func result(_ code: (ErrorCode, String?), of partition: Int32) -> ElectLeadersResponse.PartitionResult {
            var result = ElectLeadersResponse.PartitionResult()
            result.partitionID = partition
            result.errorCode = code.0
            result.errorMessage = code.1
            return result
        }
        func result(_ code: ErrorCode, of partition: Int32) -> ElectLeadersResponse.PartitionResult {
            result((code, nil), of: partition)
        }
    }

    private static func code(_ verdict: ElectionAnswer.Verdict) -> (ErrorCode, String?) {
        switch verdict {
        case .elected: (.none, nil)
        case .notNeeded: (.electionNotNeeded, nil)
        case .preferredNotAvailable:
            (.preferredLeaderNotAvailable, "The preferred replica is not live and in sync.")
        case .nobodyEligible: (.eligibleLeadersNotAvailable, "No replica is live.")
        case .unknownPartition: (.unknownTopicOrPartition, "The partition does not exist.")
        case .beingDeleted: (.invalidTopicException, "The topic is being deleted")
        }
    }

    // MARK: Reassignments

    package func alterPartitionReassignments(
        _ request: AlterPartitionReassignmentsRequest, then: @escaping (AlterPartitionReassignmentsResponse) -> Void
    ) {
        var response = AlterPartitionReassignmentsResponse()
        response.errorMessage = nil
        guard let term, term.core != nil else {
            response.errorCode = .notController
            return then(response)
        }
        let asks = request.topics.flatMap { topic in
            topic.partitions.map { partition in
                (
                    partition: TopicPartition(topic.name, partition.partitionIndex),
                    target: partition.replicas.map { $0.map { BrokerID($0) } }
                )
            }
        }
        guard Set(asks.map(\.partition)).count == asks.count else {
            response.errorCode = .invalidRequest
            response.errorMessage = "A partition is named twice."
            return then(response)
        }
        ask(within: request.timeoutMs, in: term, for: \.reassignments) { number in
            { core in core.reassignmentAsked(request: number, asks) }
        } then: { answers in
            guard let answers else {
                response.errorCode = .requestTimedOut
                return then(response)
            }
            var refusals: [TopicPartition: ReassignmentRefusal] = [:]
            for answer in answers { refusals[answer.partition] = answer.refusal }
            response.responses = request.topics.map { topic in
                .with {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { asked in
                        var result = AlterPartitionReassignmentsResponse.ReassignablePartitionResponse()
                        result.partitionIndex = asked.partitionIndex
                        let refusal = refusals[TopicPartition(topic.name, asked.partitionIndex)]
                        (result.errorCode, result.errorMessage) = ControllerDriver.code(refusal)
                        return result
                    }
                }
            }
            then(response)
        }
    }

    static func code(_ refusal: ReassignmentRefusal?) -> (ErrorCode, String?) {
        switch refusal {
        case nil: (.none, nil)
        case .unknownPartition: (.unknownTopicOrPartition, "The partition does not exist.")
        case .noReplicas: (.invalidReplicaAssignment, "Empty replica list specified in partition reassignment.")
        case .duplicateReplicas:
            (.invalidReplicaAssignment, "Duplicate replica ids in partition reassignment replica list.")
        case .invalidBroker: (.invalidReplicaAssignment, "Invalid broker id in replica list.")
        case .notAlive(let brokers):
            (
                .invalidReplicaAssignment,
                "Replica assignment has brokers that are not alive: \(brokers.map(\.description).joined(separator: ", "))."
            )
        case .notMoving: (.noReassignmentInProgress, "No partition reassignment is in progress.")
        case .nobodyInSync:
            (
                .invalidReplicaAssignment,
                "None of the replicas that would be left is in sync: what was acknowledged would be lost."
            )
        }
    }

    package func listPartitionReassignments(
        _ request: ListPartitionReassignmentsRequest, then: @escaping (ListPartitionReassignmentsResponse) -> Void
    ) {
        var response = ListPartitionReassignmentsResponse()
        response.errorMessage = nil
        guard let core = term?.core else {
            response.errorCode = .notController
            return then(response)
        }
        let asked: [(name: String, partitions: [Int32])] =
            request.topics.map { $0.map { ($0.name, Array(Set($0.partitionIndexes)).sorted()) } }
            ?? core.view.topicNames.map { ($0, core.view.topics[$0]?.partitionNumbers ?? []) }
        for (name, partitions) in asked {
            let moving = partitions.compactMap {
                number -> ListPartitionReassignmentsResponse.OngoingPartitionReassignment? in
                guard let assignment = core.view[TopicPartition(name, number)]?.effective, assignment.isMoving else {
                    return nil
                }
                var told = ListPartitionReassignmentsResponse.OngoingPartitionReassignment()
                told.partitionIndex = number
                told.replicas = assignment.replicas.map(\.raw)
                told.addingReplicas = assignment.adding.map(\.raw)
                told.removingReplicas = assignment.removing.map(\.raw)
                return told
            }
            guard !moving.isEmpty else { continue }
            response.topics.append(
                .with {
                    $0.name = name
                    $0.partitions = moving
                })
        }
        then(response)
    }

    // MARK: Questions to the core

    /// Who waits for the core's answers, by the number they were asked with.
    struct OperatorAnswers {
        var elections: [UInt64: ([ElectionAnswer]?) -> Void] = [:]
        var reassignments: [UInt64: ([ReassignmentAnswer]?) -> Void] = [:]
    }

    /// Puts a question to the core. `then` comes once: with the answers, when every live broker has heard; with nil at the
    /// deadline or when the term ends.
    private func ask<A>(
        within timeoutMs: Int32, in term: Term,
        for waiting: WritableKeyPath<OperatorAnswers, [UInt64: ([A]?) -> Void]>,
        _ question: (UInt64) -> (inout ControllerCore) -> [ControllerCore.Effect], then: @escaping ([A]?) -> Void
    ) {
        let number = nextNumber
        nextNumber += 1
        let timer = world.after(.milliseconds(Int64(max(1, timeoutMs)))) { [weak self] in
            self?.operatorAnswers[keyPath: waiting].removeValue(forKey: number)?(nil)
        }
        operatorAnswers[keyPath: waiting][number] = { [world] answers in
            world.timers.cancel(timer)
            then(answers)
        }
        happened(term, question(number))
    }

    func answerElection(_ request: UInt64, _ answers: [ElectionAnswer]) {
        guard let then = operatorAnswers.elections.removeValue(forKey: request) else { return }
        guard answers.contains(where: { $0.verdict == .elected }) else { return then(answers) }
        whenTold { then(answers) }
    }

    func answerReassignment(_ request: UInt64, _ answers: [ReassignmentAnswer]) {
        operatorAnswers.reassignments.removeValue(forKey: request)?(answers)
    }

    /// After what this turn announces was heard.
    private func whenTold(_ then: @escaping () -> Void) {
        whenHeard(within: .seconds(5), isOver: { _ in true }) { _ in then() }
    }

    func endOperatorAnswers() {
        for number in operatorAnswers.elections.keys.sorted() {
            operatorAnswers.elections.removeValue(forKey: number)?(nil)
        }
        for number in operatorAnswers.reassignments.keys.sorted() {
            operatorAnswers.reassignments.removeValue(forKey: number)?(nil)
        }
    }

    // MARK: Below /admin, and /log_dir_event_notification

    /// The list in an old-style znode; nil when there is none or it cannot be read.
    func readList(
        _ path: String, _ term: Term, changed: @escaping (ControllerDriver) -> Void,
        then: @escaping (Result<PartitionListPayload?, CoordinationError>) -> Void
    ) {
        tree.stat(path, watch: watch(path, term, changed)) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let stat) = result else {
                term.armed.remove(path)
                return then(.failure(result.error))
            }
            guard stat != nil else { return then(.success(nil)) }
            tree.readIfThere(path) { [self] result in
                guard isCurrent(term) else { return }
                guard case .success(let node) = result else { return then(.failure(result.error)) }
                guard let node else { return then(.success(nil)) }
                do throws(PayloadError) {
                    then(.success(try PartitionListPayload(payload: node.data)))
                } catch {
                    journal.error("removed what it cannot read", ["path": path, "error": error])
                    fenced([.delete(path)], term) { _ in then(.success(nil)) }
                }
            }
        }
    }

    func readOldReassignments(_ term: Term, then: @escaping (Result<[OldReassignment], CoordinationError>) -> Void) {
        readList(Znodes.reassignPartitions, term, changed: { $0.oldReassignmentsChanged(term) }) { result in
            then(
                result.map { list in
                    (list?.partitions ?? []).map { OldReassignment(partition: $0.partition, target: $0.replicas) }
                })
        }
    }

    func oldReassignmentsChanged(_ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        readOldReassignments(term) { [self] result in
            guard case .success(let list) = result else {
                return failed(result.error, "read \(Znodes.reassignPartitions)") { [weak self] in
                    self?.oldReassignmentsChanged(term)
                }
            }
            happened(term) { $0.oldReassignmentsSeen(list) }
        }
    }

    func setOldReassignments(_ left: [OldReassignment], _ term: Term) {
        let path = Znodes.reassignPartitions
        let payload = PartitionListPayload(left.map { (partition: $0.partition, replicas: $0.target) }).payload
        fenced([left.isEmpty ? .delete(path) : .set(path, payload, version: -1)], term) { _ in }
    }

    func oldElectionChanged(_ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        readList(Znodes.preferredReplicaElection, term, changed: { $0.oldElectionChanged(term) }) { [self] result in
            guard case .success(let list) = result else {
                return failed(result.error, "read \(Znodes.preferredReplicaElection)") { [weak self] in
                    self?.oldElectionChanged(term)
                }
            }
            guard let list else { return }
            happened(term) { $0.oldElectionSeen(list.partitions.map(\.partition)) }
        }
    }

    func logDirEventsChanged(_ term: Term) {
        guard isCurrent(term), term.core != nil else { return }
        let path = Znodes.logDirEvents
        tree.children(path, watch: watch(path, term) { $0.logDirEventsChanged(term) }) { [self] result in
            guard isCurrent(term) else { return }
            let again: () -> Void = { [weak self] in self?.logDirEventsChanged(term) }
            guard case .success(let names) = result else {
                term.armed.remove(path)
                return failed(result.error, "read \(path)", again: again)
            }
            let paths = names.map { "\(path)/\($0)" }
            tree.readAll(paths, read: { [self] path, then in tree.readIfThere(path, then: then) }) { [self] result in
                guard isCurrent(term) else { return }
                guard case .success(let nodes) = result else {
                    return failed(result.error, "read \(path)", again: again)
                }
                let events = zip(names, nodes).compactMap { name, node in
                    node.value.map { (node: name, broker: (try? LogDirEventPayload(payload: $0.data))?.broker) }
                }
                happened(term) { $0.logDirEventsSeen(events) }
            }
        }
    }
}
