import Bytes
import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import KafkaProtocol
import Platform

/// What brokers answer and ask, and who waits until all of them know.
extension ControllerDriver {
    // MARK: What brokers answer
    func heard(_ broker: BrokerID, _ request: ControlRequest, _ answer: ControlAnswer) {
        guard let term else { return }
        switch (request, answer) {
        case (.leaderAndIsr(let request), .leaderAndIsr(let response)):
            var failed = response.partitionErrors.filter { $0.errorCode == .kafkaStorageError }
                .map { TopicPartition($0.topicName, $0.partitionIndex) }
            for topic in response.topics {
                let lost = topic.partitionErrors.filter { $0.errorCode == .kafkaStorageError }
                guard !lost.isEmpty,
                    let name = request.topicStates.first(where: { $0.topicID == topic.topicID })?.topicName
                else { continue }
                failed += lost.map { TopicPartition(name, $0.partitionIndex) }
            }
            if !failed.isEmpty { happened(term) { $0.replicasFailed(failed, on: broker) } }
            var served = response.partitionErrors.filter { $0.errorCode == .none }
                .map { TopicPartition($0.topicName, $0.partitionIndex) }
            for topic in response.topics {
                guard let name = request.topicStates.first(where: { $0.topicID == topic.topicID })?.topicName else {
                    continue
                }
                served += topic.partitionErrors.filter { $0.errorCode == .none }
                    .map { TopicPartition(name, $0.partitionIndex) }
            }
            if term.core?.hasFailedReplica(of: served, on: broker) == true {
                happened(term) { $0.replicasServing(served, on: broker) }
            }
        case (.listOffsets, .listOffsets(let response)):
            guard let life = term.core?.view.brokers[broker]?.epoch else { return }
            var ends: [TopicPartition: LogEnd?] = [:]
            for topic in response.topics {
                for answer in topic.partitions {
                    let end: LogEnd?
                    switch answer.errorCode {
                    case .kafkaStorageError: end = nil
                    case .none: end = LogEnd(epoch: LeaderEpoch(answer.leaderEpoch), offset: answer.offset)
                    case .unknownTopicOrPartition: end = LogEnd(epoch: .none, offset: 0)
                    // Nothing was learnt: who could not say must never count as empty.
                    default: continue
                    }
                    ends.updateValue(end, forKey: TopicPartition(topic.name, answer.partitionIndex))
                }
            }
            happened(term) { $0.logEndsHeard(ends, of: broker, in: life) }
        case (.stopReplica(let request), .stopReplica(let response)):
            var errors: [TopicPartition: ErrorCode] = [:]
            for error in response.partitionErrors {
                errors[TopicPartition(error.topicName, error.partitionIndex)] = error.errorCode
            }
            guard response.errorCode == .none else { return }
            var deleted: [TopicPartition] = []
            var failed: [TopicPartition] = []
            for topic in request.topicStates {
                for state in topic.partitionStates where state.deletePartition {
                    let partition = TopicPartition(topic.topicName, state.partitionIndex)
                    switch errors[partition] ?? .none {
                    case .none, .unknownTopicOrPartition: deleted.append(partition)
                    default: failed.append(partition)
                    }
                }
            }
            if !deleted.isEmpty || !failed.isEmpty {
                happened(term) { $0.replicasStopped(deleted, failed: failed, on: broker) }
            }
        default: break
        }
        askWaiters()
    }

    // MARK: What brokers ask
    package func controlledShutdown(
        _ request: ControlledShutdownRequest, then: @escaping (ControlledShutdownResponse) -> Void
    ) {
        var response = ControlledShutdownResponse()
        guard let term, term.core != nil else {
            response.errorCode = .staleControllerEpoch
            return then(response)
        }
        let number = nextNumber
        nextNumber += 1
        shutdownAnswers[number] = then
        do throws(ControllerCore.ShutdownRefusal) {
            guard var core = term.core else { return }
            let effects = try core.controlledShutdownAsked(
                request: number, by: BrokerID(request.brokerID), brokerEpoch: BrokerEpoch(request.brokerEpoch))
            term.core = core
            perform(effects, term)
        } catch {
            shutdownAnswers[number] = nil
            switch error {
            case .unknownBroker: response.errorCode = .brokerNotAvailable
            case .staleBrokerEpoch: response.errorCode = .staleBrokerEpoch
            }
            then(response)
        }
    }

    package func alterPartition(_ request: AlterPartitionRequest, then: @escaping (AlterPartitionResponse) -> Void) {
        var response = AlterPartitionResponse()
        guard let term, let core = term.core else {
            response.errorCode = .notController
            return then(response)
        }
        guard core.isRegistered(BrokerID(request.brokerID), BrokerEpoch(request.brokerEpoch)) else {
            response.errorCode = .staleBrokerEpoch
            return then(response)
        }
        let number = nextNumber
        nextNumber += 1
        inSyncAnswers[number] = then
        inSyncQuestions[number] = request
        var asks: [InSyncAsk] = []
        let names = ControllerDriver.names(of: request, in: core)
        for (topic, name) in zip(request.topics, names) {
            guard let name else { continue }
            for partition in topic.partitions {
                let members =
                    partition.newIsrWithEpochs.isEmpty
                    ? partition.newIsr.map { (BrokerID($0), BrokerEpoch.none) }
                    : partition.newIsrWithEpochs.map { (BrokerID($0.brokerID), BrokerEpoch($0.brokerEpoch)) }
                asks.append(
                    InSyncAsk(
                        partition: TopicPartition(name, partition.partitionIndex),
                        leaderEpoch: LeaderEpoch(partition.leaderEpoch),
                        inSync: members, recovering: partition.leaderRecoveryState == 1,
                        partitionEpoch: PartitionEpoch(partition.partitionEpoch)))
            }
        }
        happened(term) { $0.inSyncChangeAsked(request: number, asks) }
    }

    /// Of each topic asked for; nil where the id is unknown.
    static func names(of request: AlterPartitionRequest, in core: ControllerCore) -> [String?] {
        guard request.topics.contains(where: { !$0.topicID.isZero }) else { return request.topics.map(\.topicName) }
        var names: [UUID128: String] = [:]
        for (name, topic) in core.view.topics { if let id = topic.id { names[id] = name } }
        return request.topics.map { $0.topicID.isZero ? $0.topicName : names[$0.topicID] }
    }

    func answer(_ number: UInt64, _ answers: [InSyncAnswer], _ term: Term) {
        guard let then = inSyncAnswers.removeValue(forKey: number),
            let request = inSyncQuestions.removeValue(forKey: number),
            let core = term.core
        else { return }
        let verdicts = Dictionary(answers.map { ($0.partition, $0.verdict) }) { first, _ in first }
        var response = AlterPartitionResponse()
        response.topics = zip(request.topics, ControllerDriver.names(of: request, in: core)).map { asked, name in
            var topic = AlterPartitionResponse.TopicData()
            topic.topicName = asked.topicName
            topic.topicID = asked.topicID
            topic.partitions = asked.partitions.map { partition in
                var result = AlterPartitionResponse.PartitionData()
                result.partitionIndex = partition.partitionIndex
                guard let name, let verdict = verdicts[TopicPartition(name, partition.partitionIndex)] else {
                    result.errorCode = asked.topicID.isZero ? .unknownTopicOrPartition : .unknownTopicID
                    return result
                }
                switch verdict {
                case .recorded(let recorded):
                    result.leaderID = recorded.state.leader.raw
                    result.leaderEpoch = recorded.state.leaderEpoch.raw
                    result.isr = recorded.state.inSync.map(\.raw)
                    result.leaderRecoveryState = recorded.state.recovering ? 1 : 0
                    result.partitionEpoch = recorded.partitionEpoch.raw
                case .refused(let refusal):
                    result.errorCode =
                        switch refusal {
                        case .unknownPartition: .unknownTopicOrPartition
                        case .fenced: .fencedLeaderEpoch
                        case .notController: .notController
                        case .superseded: .invalidUpdateVersion
                        case .ineligible: asked.topicID.isZero ? .operationNotAttempted : .ineligibleReplica
                        case .recoveryConflict: .invalidRequest
                        case .undecided: .unknownServerError
                        }
                }
                return result
            }
            return topic
        }
        then(response)
    }

    // MARK: Waiting for the cluster to know
    /// Calls back with true once `isOver` holds and every live broker has heard of it (those that do not answer are waited for a
    /// second); with false at the deadline or when the term ends.
    package func whenHeard(
        within limit: Duration, isOver: @escaping (ControllerCore) -> Bool, then: @escaping (Bool) -> Void
    ) {
        guard isController else { return then(false) }
        let number = nextNumber
        nextNumber += 1
        let timer = world.after(limit) { [weak self] in self?.end(number, false) }
        waiters[number] = Waiter(isOver: isOver, then: then, timer: timer)
        askWaiters()
    }

    /// At the end of the turn, once for all that happened in it: a thousand topics made at once wait here.
    func askWaiters() {
        guard !asksWaiters, !waiters.isEmpty else { return }
        asksWaiters = true
        world.timers.soon { [weak self] in
            guard let self else { return }
            self.asksWaiters = false
            self.askWaitersNow()
        }
    }

    private func askWaitersNow() {
        guard let term, let core = term.core, core.announcements.isEmpty else { return }
        let over = waiters.filter { !$0.value.asked && $0.value.isOver(core) }.keys.sorted()
        guard !over.isEmpty else { return }
        for number in over { waiters[number]?.asked = true }
        channels.whenHeard(patience: .seconds(1)) { [weak self] in
            for number in over { self?.end(number, true) }
        }
    }

    func end(_ number: UInt64, _ reached: Bool) {
        guard let waiter = waiters.removeValue(forKey: number) else { return }
        if let timer = waiter.timer { world.timers.cancel(timer) }
        waiter.then(reached)
    }
}
