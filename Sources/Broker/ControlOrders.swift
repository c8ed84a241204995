import Bytes
import ClusterModel
import Controller
import KafkaProtocol

/// The `type` of an UpdateMetadata request (KIP-866).
enum ControlRequestType {
    static let incremental: Int8 = 1
    /// What is not named is not there any more.
    static let full: Int8 = 2
}

/// The controller's orders in the words of the wire.
struct ControlOrderEncoder {
    var controller: BrokerID
    var controllerEpoch: ControllerEpoch
    /// Between brokers; the first endpoint where a broker has no such listener.
    var interBrokerListener: String
    var registrations: [BrokerID: BrokerRegistration]

    func request(_ order: ControlOrder, brokerEpoch: BrokerEpoch) -> ControlRequest {
        switch order {
        case .leaderAndIsr(let partitions, let leaders):
            var request = LeaderAndIsrRequest()
            request.controllerID = controller.raw
            request.controllerEpoch = controllerEpoch.raw
            request.brokerEpoch = brokerEpoch.raw
            request.topicStates = grouped(partitions).map { name, id, partitions in
                var topic = LeaderAndIsrRequest.LeaderAndIsrTopicState()
                topic.topicName = name
                topic.topicID = id
                topic.partitionStates = partitions.map(leaderAndIsr)
                return topic
            }
            request.liveLeaders = leaders.compactMap { id in
                guard let endpoint = address(id) else { return nil }
                var leader = LeaderAndIsrRequest.LeaderAndIsrLiveLeader()
                leader.brokerID = id.raw
                leader.hostName = endpoint.host
                leader.port = endpoint.port
                return leader
            }
            return .leaderAndIsr(request)
        case .updateMetadata(let partitions, let brokers, let isWhole):
            var request = UpdateMetadataRequest()
            request.type = isWhole ? ControlRequestType.full : ControlRequestType.incremental
            request.controllerID = controller.raw
            request.controllerEpoch = controllerEpoch.raw
            request.brokerEpoch = brokerEpoch.raw
            request.topicStates = grouped(partitions).map { name, id, partitions in
                var topic = UpdateMetadataRequest.UpdateMetadataTopicState()
                topic.topicName = name
                topic.topicID = id
                topic.partitionStates = partitions.map(metadata)
                return topic
            }
            request.liveBrokers = brokers.compactMap(live)
            return .updateMetadata(request)
        case .stopReplica(let replicas):
            var request = StopReplicaRequest()
            request.controllerID = controller.raw
            request.controllerEpoch = controllerEpoch.raw
            request.brokerEpoch = brokerEpoch.raw
            var index: [String: Int] = [:]
            for replica in replicas {
                var state = StopReplicaRequest.StopReplicaPartitionState()
                state.partitionIndex = replica.partition.partition
                state.leaderEpoch = replica.leaderEpoch.raw
                state.deletePartition = replica.delete
                if let place = index[replica.partition.topic] {
                    request.topicStates[place].partitionStates.append(state)
                } else {
                    index[replica.partition.topic] = request.topicStates.count
                    var topic = StopReplicaRequest.StopReplicaTopicState()
                    topic.topicName = replica.partition.topic
                    topic.partitionStates = [state]
                    request.topicStates.append(topic)
                }
            }
            return .stopReplica(request)
        }
    }

    func address(_ id: BrokerID) -> Endpoint? {
        guard let registration = registrations[id] else { return nil }
        return registration.endpoint(interBrokerListener) ?? registration.endpoints.first
    }

    private func grouped(_ partitions: [AnnouncedPartition]) -> [(String, UUID128, [AnnouncedPartition])] {
        var groups: [(String, UUID128, [AnnouncedPartition])] = []
        var index: [String: Int] = [:]
        for partition in partitions {
            if let place = index[partition.partition.topic] {
                groups[place].2.append(partition)
            } else {
                index[partition.partition.topic] = groups.count
                groups.append((partition.partition.topic, partition.topicID ?? .zero, [partition]))
            }
        }
        return groups
    }

    private func leaderAndIsr(_ partition: AnnouncedPartition) -> LeaderAndIsrRequest.LeaderAndIsrPartitionState {
        let state = partition.recorded.state
        var wire = LeaderAndIsrRequest.LeaderAndIsrPartitionState()
        wire.topicName = partition.partition.topic
        wire.partitionIndex = partition.partition.partition
        wire.controllerEpoch = state.controllerEpoch.raw
        wire.leader = state.leader.raw
        wire.leaderEpoch = state.leaderEpoch.raw
        wire.isr = state.inSync.map(\.raw)
        wire.partitionEpoch = partition.recorded.partitionEpoch.raw
        wire.replicas = partition.replicas.map(\.raw)
        wire.addingReplicas = partition.adding.map(\.raw)
        wire.removingReplicas = partition.removing.map(\.raw)
        wire.isNew = partition.isNew
        wire.leaderRecoveryState = state.recovering ? 1 : 0
        return wire
    }

    private func metadata(_ partition: AnnouncedPartition) -> UpdateMetadataRequest.UpdateMetadataPartitionState {
        let state = partition.recorded.state
        var wire = UpdateMetadataRequest.UpdateMetadataPartitionState()
        wire.topicName = partition.partition.topic
        wire.partitionIndex = partition.partition.partition
        wire.controllerEpoch = state.controllerEpoch.raw
        wire.leader = state.leader.raw
        wire.leaderEpoch = state.leaderEpoch.raw
        wire.isr = state.inSync.map(\.raw)
        wire.zkVersion = partition.recorded.partitionEpoch.raw
        wire.replicas = partition.replicas.map(\.raw)
        wire.offlineReplicas = partition.offline.map(\.raw)
        return wire
    }

    private func live(_ id: BrokerID) -> UpdateMetadataRequest.UpdateMetadataBroker? {
        guard let registration = registrations[id] else { return nil }
        var wire = UpdateMetadataRequest.UpdateMetadataBroker()
        wire.id = id.raw
        wire.rack = registration.rack
        wire.endpoints = registration.endpoints.map { endpoint in
            var told = UpdateMetadataRequest.UpdateMetadataEndpoint()
            told.host = endpoint.host
            told.port = endpoint.port
            told.listener = endpoint.listener
            told.securityProtocol = ControlOrderEncoder.securityProtocol(
                registration.protocols.first { $0.listener == endpoint.listener }?.protocol ?? endpoint.listener)
            return told
        }
        return wire
    }

    static func securityProtocol(_ name: String) -> Int16 {
        switch name {
        case "SSL": 1
        case "SASL_PLAINTEXT": 2
        case "SASL_SSL": 3
        default: 0
        }
    }
}
