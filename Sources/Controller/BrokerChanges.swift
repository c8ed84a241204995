import ClusterModel

/// What changed between two readings of `/brokers/ids`.
package struct BrokerChanges: Equatable, Sendable {
    package var appeared: [LiveBroker] = []
    package var disappeared: [BrokerID] = []
    /// The same id in another life: as if it had been dead in between, which it was.
    package var bounced: [LiveBroker] = []
    /// The same life, telling something else about itself.
    package var updated: [LiveBroker] = []
    package init() {}

    package static func between(_ known: [BrokerID: LiveBroker], and seen: [LiveBroker]) -> BrokerChanges {
        var changes = BrokerChanges()
        for broker in seen.sorted(by: { $0.id < $1.id }) {
            guard let before = known[broker.id] else {
                changes.appeared.append(broker)
                continue
            }
            if broker.epoch > before.epoch {
                changes.bounced.append(broker)
            } else if broker.epoch == before.epoch, broker != before {
                changes.updated.append(broker)
            }
        }
        let here = Set(seen.map(\.id))
        changes.disappeared = known.keys.filter { !here.contains($0) }.sorted()
        return changes
    }
    package var isEmpty: Bool { self == BrokerChanges() }
}

extension ControllerCore {
    /// `/brokers/ids` and its children were read.
    package mutating func brokersSeen(_ seen: [LiveBroker]) -> [Effect] {
        let changes = BrokerChanges.between(view.brokers, and: seen)
        guard !changes.isEmpty else { return [] }
        var effects: [Effect] = []
        var affected: Set<TopicPartition> = []

        for broker in changes.disappeared {
            view.brokers[broker] = nil
            view.shuttingDown.remove(broker)
            effects += [.tell(.brokerDisappeared(broker)), .closeChannel(broker)]
            affected.formUnion(ended(broker))
            effects += shutdownsOf(broker)
        }
        for broker in changes.bounced {
            view.brokers[broker.id] = broker
            view.shuttingDown.remove(broker.id)
            effects += [
                .tell(.brokerBounced(broker.id, broker.epoch)), .closeChannel(broker.id), .openChannel(broker.id),
            ]
            affected.formUnion(ended(broker.id))
            effects += shutdownsOf(broker.id)
        }
        for broker in changes.appeared {
            view.brokers[broker.id] = broker
            effects += [.tell(.brokerAppeared(broker.id, broker.epoch)), .openChannel(broker.id)]
        }
        for broker in changes.updated { view.brokers[broker.id] = broker }
        for broker in changes.appeared + changes.bounced where broker.isSuspect {
            effects.append(.tell(.brokerSuspect(broker.id)))
        }

        announcements.brokersChanged()
        for broker in changes.appeared + changes.bounced {
            announcements.tellAll(broker.id)
            for partition in view.partitions(of: broker.id) where deletions[partition.topic] == nil {
                if view[partition]?.recorded != nil { announcements.lead(partition, tell: [broker.id]) }
                affected.insert(partition)
            }
            for partition in (strays.removeValue(forKey: broker.id) ?? []).sorted() {
                guard let view = view[partition], !view.replicas.contains(broker.id), let state = view.recorded?.state
                else { continue }
                announcements.stop(partition, on: broker.id, leaderEpoch: state.leaderEpoch, delete: true)
            }
        }
        effects += settle(affected.sorted())
        effects += deletionsGoOn(gone: changes.disappeared, back: (changes.appeared + changes.bounced).map(\.id))
        return effects
    }

    /// A life ended: what was known of its logs is void, and wherever it led or was in sync is decided again.
    private mutating func ended(_ broker: BrokerID) -> [TopicPartition] {
        let partitions = view.partitions(of: broker)
        for partition in partitions {
            guard var view = view[partition] else { continue }
            view.failedReplicas.removeAll { $0 == broker }
            view.logEnds[broker] = nil
            view.asked.remove(broker)
            self.view[partition] = view
            announcements.route(partition)
        }
        return partitions
    }

    // MARK: Failed log directories

    /// `/log_dir_event_notification` lists these: what is lost is found out by telling them their partitions again, which
    /// they answer with KAFKA_STORAGE_ERROR for those on the failed directory.
    package mutating func logDirEventsSeen(_ events: [(node: String, broker: BrokerID?)]) -> [Effect] {
        guard !events.isEmpty else { return [] }
        var effects: [Effect] = []
        for broker in Set(events.compactMap(\.broker)).sorted() where view.brokers[broker] != nil {
            let held = view.partitions(of: broker).filter { deletions[$0.topic] == nil && view[$0]?.recorded != nil }
            for partition in held { announcements.lead(partition, tell: [broker]) }
            effects.append(.tell(.logDirFailed(broker, partitions: held.count)))
        }
        return effects + [.removeLogDirEvents(events.map(\.node).sorted())]
    }

    /// A broker answered LeaderAndIsr with KAFKA_STORAGE_ERROR for these.
    package mutating func replicasFailed(_ partitions: [TopicPartition], on broker: BrokerID) -> [Effect] {
        var failed: [TopicPartition] = []
        for partition in partitions.sorted() {
            guard let view = view[partition], view.replicas.contains(broker), !view.failedReplicas.contains(broker)
            else { continue }
            self.view[partition]?.failedReplicas.append(broker)
            failed.append(partition)
        }
        return settle(failed)
    }

    package func hasFailedReplica(of partitions: [TopicPartition], on broker: BrokerID) -> Bool {
        partitions.contains { view[$0]?.failedReplicas.contains(broker) == true }
    }

    /// A broker took up these, which it could not serve before: there was no room for their first files.
    package mutating func replicasServing(_ partitions: [TopicPartition], on broker: BrokerID) -> [Effect] {
        let served = partitions.sorted().filter { view[$0]?.failedReplicas.contains(broker) == true }
        for partition in served { view[partition]?.failedReplicas.removeAll { $0 == broker } }
        return settle(served)
    }

    // MARK: Controlled shutdown

    struct Shutdown: Equatable, Sendable {
        var broker: BrokerID
        var waitsFor: Set<TopicPartition>
    }

    package enum ShutdownRefusal: Error, Equatable, Sendable {
        case unknownBroker
        case staleBrokerEpoch
    }

    /// A broker is about to stop and asks to be relieved.
    /// - Parameter brokerEpoch: -1 from brokers too old to say.
    package mutating func controlledShutdownAsked(
        request: UInt64, by broker: BrokerID, brokerEpoch: BrokerEpoch
    ) throws(ShutdownRefusal) -> [Effect] {
        guard let life = view.brokers[broker] else { throw .unknownBroker }
        guard brokerEpoch == .none || brokerEpoch >= life.epoch else { throw .staleBrokerEpoch }
        var effects: [Effect] = []
        if view.shuttingDown.insert(broker).inserted { effects.append(.tell(.brokerShutsDown(broker))) }
        let replicated = view.partitions(of: broker).filter { (view[$0]?.replicas.count ?? 0) > 1 }
        effects += settle(replicated)
        for partition in replicated where deletions[partition.topic] == nil {
            guard let view = view[partition], view.pending == nil, let state = view.recorded?.state,
                state.leader != broker
            else {
                continue
            }
            announcements.stop(partition, on: broker, leaderEpoch: state.leaderEpoch, delete: false)
        }
        shutdowns[request] = Shutdown(broker: broker, waitsFor: Set(replicated.filter { view[$0]?.pending != nil }))
        return effects + answerShutdowns()
    }

    mutating func shutdownsGoOn(after partition: TopicPartition) -> [Effect] {
        guard !shutdowns.isEmpty, view[partition]?.pending == nil else { return [] }
        for request in shutdowns.keys { shutdowns[request]?.waitsFor.remove(partition) }
        return answerShutdowns()
    }

    /// The broker went before its answer came.
    private mutating func shutdownsOf(_ broker: BrokerID) -> [Effect] {
        for (request, shutdown) in shutdowns where shutdown.broker == broker { shutdowns[request]?.waitsFor = [] }
        return answerShutdowns()
    }

    private mutating func answerShutdowns() -> [Effect] {
        var effects: [Effect] = []
        for request in shutdowns.keys.sorted() {
            guard let shutdown = shutdowns[request], shutdown.waitsFor.isEmpty else { continue }
            shutdowns[request] = nil
            let led = view.partitions(of: shutdown.broker).filter {
                (view[$0]?.replicas.count ?? 0) > 1 && view[$0]?.recorded?.state.leader == shutdown.broker
            }
            effects.append(.answerControlledShutdown(request: request, stillLed: led))
        }
        return effects
    }
}
