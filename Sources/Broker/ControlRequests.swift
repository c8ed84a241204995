import Bytes
import ClusterModel
import KafkaProtocol
import Platform

// What the controller tells this broker, whether over a connection or from inside this process: epochs first, then
// each partition.
extension BrokerNode {
    /// A request meant for an earlier life of this broker.
    private func isForAnotherLife(_ brokerEpoch: Int64) -> Bool {
        brokerEpoch >= 0 && brokerEpoch < epoch.raw
    }

    /// API 4. Settings of topics that are new here are read from the tree first, and logs are made; the next order to replicas waits
    /// for that.
    package func leaderAndIsr(_ request: LeaderAndIsrRequest, then: @escaping (LeaderAndIsrResponse) -> Void) {
        replicaOrders.enter { [self] leave in
            obey(request) { response in
                then(response)
                leave()
            }
        }
    }

    private func obey(_ request: LeaderAndIsrRequest, then: @escaping (LeaderAndIsrResponse) -> Void) {
        var response = LeaderAndIsrResponse()
        if isForAnotherLife(request.brokerEpoch) {
            response.errorCode = .staleBrokerEpoch
            return then(response)
        }
        guard partitions.hear(ControllerEpoch(request.controllerEpoch)) else {
            response.errorCode = .staleControllerEpoch
            return then(response)
        }
        // Before version 5 without topic ids, before version 2 not even grouped.
        var orders: [PartitionDirectory.Order] = request.ungroupedPartitionStates.map {
            PartitionDirectory.Order($0, topic: $0.topicName, id: .zero)
        }
        for topic in request.topicStates {
            orders += topic.partitionStates.map {
                PartitionDirectory.Order($0, topic: topic.topicName, id: topic.topicID)
            }
        }
        let unknown = Set(orders.lazy.map(\.partition.topic).filter { !self.partitions.hosts($0) }).sorted()
        let prepared = { [self] in
            partitions.prepare(orders) { [self] in
                // Another controller may have spoken meanwhile, or another life have begun.
                if isForAnotherLife(request.brokerEpoch) {
                    response.errorCode = .staleBrokerEpoch
                } else if !partitions.hear(ControllerEpoch(request.controllerEpoch)) {
                    response.errorCode = .staleControllerEpoch
                } else {
                    apply(orders, to: &response)
                }
                then(response)
            }
        }
        guard let topicSettings, !unknown.isEmpty else { return prepared() }
        topicSettings.refresh(unknown, then: prepared)
    }

    private func apply(_ orders: [PartitionDirectory.Order], to response: inout LeaderAndIsrResponse) {
        for order in orders {
            var answer = LeaderAndIsrResponse.LeaderAndIsrPartitionError()
            answer.partitionIndex = order.partition.partition
            do throws(PartitionDirectory.Refusal) {
                try partitions.apply(order)
            } catch {
                answer.errorCode = ErrorCode(rawValue: error.rawValue)
                if error == .otherTopicID {
                    world.journal.warning(
                        "refused an order: the log here belongs to another topic of that name",
                        ["partition": order.partition, "ordered_id": order.topicID.text])
                }
            }
            guard !order.topicID.isZero else {
                answer.topicName = order.partition.topic
                response.partitionErrors.append(answer)
                continue
            }
            if response.topics.last?.topicID == order.topicID {
                response.topics[response.topics.count - 1].partitionErrors.append(answer)
            } else {
                response.topics.append(
                    .with {
                        $0.topicID = order.topicID
                        $0.partitionErrors = [answer]
                    })
            }
        }
    }

    /// API 5.
    package func stopReplica(_ request: StopReplicaRequest, then: @escaping (StopReplicaResponse) -> Void) {
        replicaOrders.enter { [self] leave in
            obey(request) { response in
                then(response)
                leave()
            }
        }
    }

    private func obey(_ request: StopReplicaRequest, then: @escaping (StopReplicaResponse) -> Void) {
        var response = StopReplicaResponse()
        if isForAnotherLife(request.brokerEpoch) {
            response.errorCode = .staleBrokerEpoch
            return then(response)
        }
        guard partitions.hear(ControllerEpoch(request.controllerEpoch)) else {
            response.errorCode = .staleControllerEpoch
            return then(response)
        }
        func stop(_ topic: String, _ partition: Int32, _ epoch: Int32, _ delete: Bool) {
            let code = partitions.stop(TopicPartition(topic, partition), epoch: LeaderEpoch(epoch), delete: delete)
            response.partitionErrors.append(
                .with {
                    $0.topicName = topic
                    $0.partitionIndex = partition
                    $0.errorCode = ErrorCode(rawValue: code)
                })
        }
        for partition in request.ungroupedPartitions {
            stop(partition.topicName, partition.partitionIndex, -1, request.deletePartitions)
        }
        for topic in request.topics {
            for partition in topic.partitionIndexes { stop(topic.name, partition, -1, request.deletePartitions) }
        }
        for topic in request.topicStates {
            for partition in topic.partitionStates {
                stop(topic.topicName, partition.partitionIndex, partition.leaderEpoch, partition.deletePartition)
            }
        }
        partitions.deleteStopped { then(response) }
    }

    /// API 6.
    package func updateMetadata(_ request: UpdateMetadataRequest, then: @escaping (UpdateMetadataResponse) -> Void) {
        var response = UpdateMetadataResponse()
        if isForAnotherLife(request.brokerEpoch) {
            response.errorCode = .staleBrokerEpoch
            return then(response)
        }
        guard partitions.hear(ControllerEpoch(request.controllerEpoch)) else {
            response.errorCode = .staleControllerEpoch
            return then(response)
        }
        let brokers = request.liveBrokers.map { broker in
            MetadataCache.Broker(
                id: BrokerID(broker.id), rack: broker.rack.flatMap { $0.isEmpty ? nil : $0 },
                addresses: broker.endpoints.isEmpty
                    ? [MetadataCache.Address(listener: "PLAINTEXT", host: broker.v0Host, port: broker.v0Port)]
                    : broker.endpoints.map {
                        MetadataCache.Address(
                            listener: $0.listener.isEmpty ? "PLAINTEXT" : $0.listener,
                            securityProtocol: $0.securityProtocol,
                            host: $0.host, port: $0.port)
                    })
        }
        var topics: [(name: String, id: UUID128, partitions: [MetadataCache.Partition])] = []
        for partition in request.ungroupedPartitionStates {
            topics.append((partition.topicName, .zero, [MetadataCache.Partition(partition)]))
        }
        for topic in request.topicStates {
            topics.append((topic.topicName, topic.topicID, topic.partitionStates.map(MetadataCache.Partition.init)))
        }
        let before = metadata.brokers.map(\.id)
        metadata.apply(
            controller: BrokerID(request.controllerID), brokers: brokers, topics: topics,
            isWhole: request.type == ControlRequestType.full)
        if metadata.brokers.map(\.id) != before { partitions.brokersChanged() }
        trustTailsAgain()
        then(response)
    }
}

extension PartitionDirectory.Order {
    fileprivate init(_ state: LeaderAndIsrRequest.LeaderAndIsrPartitionState, topic: String, id: UUID128) {
        self.init(
            partition: TopicPartition(topic, state.partitionIndex), topicID: id, leader: BrokerID(state.leader),
            leaderEpoch: LeaderEpoch(state.leaderEpoch), partitionEpoch: PartitionEpoch(state.partitionEpoch),
            replicas: state.replicas.map { BrokerID($0) }, inSync: state.isr.map { BrokerID($0) }, isNew: state.isNew)
    }
}

extension MetadataCache.Partition {
    fileprivate init(_ state: UpdateMetadataRequest.UpdateMetadataPartitionState) {
        self.init(
            index: state.partitionIndex, leader: BrokerID(state.leader), leaderEpoch: LeaderEpoch(state.leaderEpoch),
            replicas: state.replicas.map { BrokerID($0) }, inSync: state.isr.map { BrokerID($0) })
        controllerEpoch = ControllerEpoch(state.controllerEpoch)
        partitionEpoch = PartitionEpoch(state.zkVersion)
        offline = state.offlineReplicas.map { BrokerID($0) }
    }
}

/// Lets one in at a time, in the order they came.
package final class Turnstile {
    private var isTaken = false
    private var waiting: [(@escaping () -> Void) -> Void] = []
    package init() {}

    /// - Parameter work: calls its argument once, when the next one may come.
    func enter(_ work: @escaping (_ leave: @escaping () -> Void) -> Void) {
        waiting.append(work)
        next()
    }

    private func next() {
        guard !isTaken, !waiting.isEmpty else { return }
        isTaken = true
        waiting.removeFirst()({ [self] in
            isTaken = false
            next()
        })
    }
}
