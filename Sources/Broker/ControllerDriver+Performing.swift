import Bytes
import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import KafkaProtocol
import Platform

/// The core's orders, carried out: writes under the check of our epoch, announcements once a turn.
extension ControllerDriver {
    func happened(_ term: Term, _ event: (inout ControllerCore) -> [ControllerCore.Effect]) {
        guard isCurrent(term), term.core != nil else { return }
        guard let effects = term.core.mutate(event) else { return }
        perform(effects, term)
    }

    func perform(_ effects: [ControllerCore.Effect], _ term: Term) {
        var states: [StateWrite] = []
        for effect in effects {
            switch effect {
            case .readTopic(let name): topicChanged(name, term)
            case .readState(let partition): readAgain(partition, term)
            case .createStates(let topic, let states, let underExisting):
                create(topic, states, underExisting: underExisting, term)
            case .setState(let partition, let state, let expecting):
                states.append(StateWrite(partition: partition, state: state, expecting: expecting))
            case .setTopicID(let name, let id, let contents):
                let assignment = TopicAssignment(
                    topicID: id, replicas: contents.partitions, adding: contents.adding, removing: contents.removing)
                fenced([.set(Znodes.topic(name), assignment.payload, version: contents.version)], term) {
                    [weak self] failure in
                    if failure != nil { self?.topicChanged(name, term) }
                }
            case .setAssignment(let name, let contents): setAssignment(name, contents, term)
            case .askLogEnds(let broker, _, let partitions): term.logEndsWanted.append((broker, partitions))
            case .removeTopic(let name): remove(name, term)
            case .removeDeletionMark(let name):
                removeDeletionMark(name, term)
            case .openChannel(let broker): channels.open(broker)
            case .closeChannel(let broker): channels.close(broker)
            case .answerInSyncChange(let request, let answers): answer(request, answers, term)
            case .answerControlledShutdown(let request, let stillLed):
                var response = ControlledShutdownResponse()
                response.remainingPartitions = stillLed.map {
                    var remaining = ControlledShutdownResponse.RemainingPartition()
                    remaining.topicName = $0.topic
                    remaining.partitionIndex = $0.partition
                    return remaining
                }
                shutdownAnswers.removeValue(forKey: request)?(response)
            case .answerReassignment(let request, let answers): answerReassignment(request, answers)
            case .answerElection(let request, let answers): answerElection(request, answers)
            case .setOldReassignments(let left): setOldReassignments(left, term)
            case .removeOldElection: fenced([.delete(Znodes.preferredReplicaElection)], term) { _ in }
            case .removeLogDirEvents(let nodes):
                // One by one: each may be gone already.
                for node in nodes { fenced([.delete("\(Znodes.logDirEvents)/\(node)")], term) { _ in } }
            case .tell(let story): tell(story)
            }
        }
        for start in stride(from: 0, to: states.count, by: ControllerDriver.statesInOneMulti) {
            set(states[start..<min(start + ControllerDriver.statesInOneMulti, states.count)], term)
        }
        announceSoon(term)
    }

    /// One that stays would delete the next topic of that name.
    private func removeDeletionMark(_ name: String, _ term: Term) {
        fenced([.delete(Znodes.deletedTopic(name))], term) { [weak self] failure in
            if failure?.error == .connectionLoss { self?.removeDeletionMark(name, term) }
        }
    }

    struct StateWrite {
        var partition: TopicPartition
        var state: LeaderAndInSync
        var expecting: PartitionEpoch
    }
    /// A thousand leaders move in a few transactions; a multi stays far below `jute.maxbuffer`.
    static let statesInOneMulti = 200

    /// One batch for all that happens in a turn.
    func announceSoon(_ term: Term) {
        guard !term.flushing else { return }
        term.flushing = true
        world.timers.soon { [weak self] in
            term.flushing = false
            guard let self, self.isCurrent(term), let batch = term.core.mutate({ $0.takeAnnouncements() }) else {
                return
            }
            let encoder = ControlOrderEncoder(
                controller: self.settings.broker, controllerEpoch: term.epoch,
                interBrokerListener: self.settings.interBrokerListener, registrations: term.registrations)
            for orders in batch {
                for order in orders.orders {
                    self.channels.send(encoder.request(order, brokerEpoch: orders.epoch), to: orders.broker)
                }
            }
            // Behind what makes a broker host them.
            let wanted = term.logEndsWanted
            term.logEndsWanted = []
            for (broker, partitions) in wanted { self.askLogEnds(broker, partitions) }
            self.askWaiters()
        }
    }

    /// A multi under the check of our epoch. `then` gets the failure of the operations themselves, counted without the check.
    func fenced(
        _ operations: [MultiOperation], _ term: Term, results: (([MultiResult]) -> Void)? = nil,
        then: @escaping (MultiFailure?) -> Void
    ) {
        tree.multi([.check(Znodes.controllerEpoch, version: term.epochVersion)] + operations) { [self] result in
            guard isCurrent(term) else { return }
            switch result {
            case .success(let all):
                results?(Array(all.dropFirst()))
                then(nil)
            case .failure(let failure):
                if failure.error == .sessionExpired { return }
                if failure.index == 0 {
                    journal.notice("was fenced", ["epoch": term.epoch])
                    return perform(seat.fenced())
                }
                then(MultiFailure(index: failure.index.map { $0 - 1 }, error: failure.error))
            }
        }
    }

    func payload(_ state: LeaderAndInSync) -> [UInt8] {
        PartitionState(
            leader: state.leader, leaderEpoch: state.leaderEpoch, controllerEpoch: state.controllerEpoch,
            isr: state.inSync,
            recoveryState: state.recovering ? 1 : 0, lives: state.lives
        ).payload
    }

    func create(_ topic: String, _ states: [ControllerCore.NewState], underExisting: Bool, _ term: Term) {
        let chunk = Array(states.prefix(200))
        let rest = Array(states.dropFirst(200))
        var operations: [MultiOperation] = underExisting ? [] : [.create(Znodes.partitions(topic), nil)]
        for new in chunk {
            let partition = TopicPartition(topic, new.partition)
            operations.append(.create(Znodes.partition(partition), nil))
            operations.append(.create(Znodes.partitionState(partition), payload(new.state)))
        }
        fenced(operations, term) { [weak self] failure in
            guard let self else { return }
            guard failure != nil else {
                self.happened(term) { core in
                    chunk.flatMap { core.stateWritten(TopicPartition(topic, $0.partition), .written(0)) }
                }
                if !rest.isEmpty { self.create(topic, rest, underExisting: true, term) }
                return
            }
            // Some of it is there already: piece by piece.
            for new in states { self.createAlone(TopicPartition(topic, new.partition), new.state, term) }
        }
    }

    func createAlone(_ partition: TopicPartition, _ state: LeaderAndInSync, _ term: Term) {
        tree.stat(Znodes.topic(partition.topic)) { [self] result in
            guard isCurrent(term), case .success(let stat) = result else { return }
            // Parents are made only below a topic that is still there.
            guard stat != nil else { return topicChanged(partition.topic, term) }
            tree.ensure(Znodes.partition(partition)) { [self] _ in
                guard isCurrent(term) else { return }
                fenced([.create(Znodes.partitionState(partition), payload(state))], term) { [weak self] failure in
                    self?.happened(term) { $0.stateWritten(partition, failure == nil ? .written(0) : .refused) }
                }
            }
        }
    }

    /// All in one transaction; where that fails, each in its own, so that the one that is to blame holds up no other.
    func set(_ writes: ArraySlice<StateWrite>, _ term: Term) {
        var versions = writes.map(\.expecting.next)
        let operations = writes.map { write in
            MultiOperation.set(
                Znodes.partitionState(write.partition), payload(write.state), version: write.expecting.raw)
        }
        fenced(
            operations, term,
            results: { results in
                for (place, result) in results.enumerated() where place < versions.count {
                    if case .set(let stat) = result { versions[place] = PartitionEpoch(stat.version) }
                }
            }
        ) { [weak self] failure in
            guard let self else { return }
            guard failure == nil || writes.count == 1 else {
                for place in writes.indices { set(writes[place...place], term) }
                return
            }
            happened(term) { core in
                zip(writes, versions).flatMap { write, version in
                    core.stateWritten(write.partition, failure == nil ? .written(version) : .refused)
                }
            }
        }
    }

    func setAssignment(_ name: String, _ contents: TopicContents, _ term: Term) {
        let assignment = TopicAssignment(
            topicID: contents.id, replicas: contents.partitions, adding: contents.adding, removing: contents.removing)
        var version = contents.version &+ 1
        fenced(
            [.set(Znodes.topic(name), assignment.payload, version: contents.version)], term,
            results: { results in if case .set(let stat)? = results.first { version = stat.version } }
        ) { [weak self] failure in
            self?.happened(term) { $0.assignmentWritten(name, version: failure == nil ? version : nil) }
        }
    }

    func askLogEnds(_ broker: BrokerID, _ partitions: [TopicPartition]) {
        var request = ListOffsetsRequest()
        request.replicaID = -2
        for partition in partitions {
            var asked = ListOffsetsRequest.ListOffsetsPartition()
            asked.partitionIndex = partition.partition
            asked.timestamp = -1
            if request.topics.last?.name == partition.topic {
                request.topics[request.topics.count - 1].partitions.append(asked)
            } else {
                request.topics.append(
                    .with {
                        $0.name = partition.topic
                        $0.partitions = [asked]
                    })
            }
        }
        channels.send(.listOffsets(request), to: broker)
    }

    func readAgain(_ partition: TopicPartition, _ term: Term) {
        tree.readIfThere(Znodes.partitionState(partition)) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let node) = result else {
                return failed(result.error, "read \(partition)") { [weak self] in self?.readAgain(partition, term) }
            }
            let read = node.flatMap { readState($0, of: partition) }
            happened(term) { $0.stateRead(partition, read) }
        }
    }
}
