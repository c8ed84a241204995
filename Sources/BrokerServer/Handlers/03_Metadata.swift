import Broker
import Bytes
import ClusterModel
import KafkaProtocol

extension RequestRouter {
    /// The cluster as this broker knows it. Missing topics are made when that is wanted and allowed; the answer is
    /// then held
    /// until they have a leader, for half a second at most, so that a client's first try works.
    func metadata(_ request: MetadataRequest, _ context: RequestContext, then: @escaping (MetadataResponse) -> Void) {
        // Just started: the controller is about to tell. A cluster without brokers would send clients away.
        guard !node.metadata.brokers.isEmpty || node.hasWaited else {
            return node.whenKnown(within: .seconds(3)) { [self] in
                node.hasWaited = true
                metadata(request, context, then: then)
            }
        }
        if context.version < 12, request.topics?.contains(where: { $0.name == nil || !$0.topicID.isZero }) == true {
            var response = frame(request, context)
            response.topics =
                request.topics?.map { topic in
                    .with {
                        $0.name = topic.name ?? ""
                        $0.topicID = topic.topicID
                        $0.errorCode = .invalidRequest
                    }
                } ?? []
            return then(response)
        }
        guard let topics = request.topics, context.version > 0 || !topics.isEmpty else {
            var response = frame(request, context)
            response.topics = node.metadata.topicNames.compactMap { name in
                node.metadata.topic(name).map { describe($0, request, context) }
            }
            return then(response)
        }
        let missing = topics.compactMap { asked -> String? in
            guard let name = asked.name, node.metadata.topic(name) == nil, TopicName.problem(name) == nil else {
                return nil
            }
            return name
        }
        guard !missing.isEmpty, request.allowAutoTopicCreation || context.version < 4,
            node.config[BrokerKeys.autoCreate],
            let admin = node.topicAdmin
        else {
            return then(answer(topics, [:], request, context))
        }
        var once: [String] = []
        for name in missing where !once.contains(name) { once.append(name) }
        admin.autoCreate(once, askedBy: "\(context.clientID) (\(context.peer))") { [self] codes in
            then(answer(topics, codes, request, context))
        }
    }

    private func frame(_ request: MetadataRequest, _ context: RequestContext) -> MetadataResponse {
        var response = MetadataResponse()
        response.clusterID = node.clusterID
        response.controllerID = node.metadata.controller.raw
        for broker in node.metadata.brokers {
            guard let address = broker.address(listener: context.listener) else { continue }
            response.brokers.append(
                .with {
                    $0.nodeID = broker.id.raw
                    $0.host = address.host
                    $0.port = address.port
                    $0.rack = broker.rack
                })
        }
        if request.includeClusterAuthorizedOperations, (8...10).contains(context.version) {
            response.clusterAuthorizedOperations = AuthorizedOperations.cluster
        }
        return response
    }

    private func answer(
        _ topics: [MetadataRequest.MetadataRequestTopic], _ created: [String: ErrorCode], _ request: MetadataRequest,
        _ context: RequestContext
    ) -> MetadataResponse {
        var response = frame(request, context)
        response.topics.reserveCapacity(topics.count)
        for asked in topics {
            let known = asked.name.map { node.metadata.topic($0) } ?? node.metadata.topic(id: asked.topicID)
            if let known {
                response.topics.append(describe(known, request, context))
                continue
            }
            response.topics.append(
                .with {
                    $0.name = asked.name ?? (context.version < 12 ? "" : nil)
                    $0.topicID = asked.name == nil ? asked.topicID : .zero
                    if let name = asked.name {
                        $0.isInternal = TopicName.isInternal(name)
                        if TopicName.problem(name) != nil {
                            $0.errorCode = .invalidTopicException
                        } else if let code = created[name] {
                            $0.errorCode = code == .none ? .leaderNotAvailable : code
                        } else {
                            $0.errorCode = .unknownTopicOrPartition
                        }
                    } else {
                        $0.errorCode = .unknownTopicID
                    }
                })
        }
        return response
    }

    private func describe(
        _ topic: MetadataCache.Topic, _ request: MetadataRequest, _ context: RequestContext
    ) -> MetadataResponse.MetadataResponseTopic {
        var answer = MetadataResponse.MetadataResponseTopic()
        answer.name = topic.name
        answer.topicID = topic.id
        answer.isInternal = TopicName.isInternal(topic.name)
        if request.includeTopicAuthorizedOperations { answer.topicAuthorizedOperations = AuthorizedOperations.topic }
        answer.partitions.reserveCapacity(topic.partitions.count)
        for partition in topic.partitions { answer.partitions.append(describe(partition, context)) }
        return answer
    }

    private func describe(
        _ partition: MetadataCache.Partition, _ context: RequestContext
    ) -> MetadataResponse.MetadataResponsePartition {
        var answer = MetadataResponse.MetadataResponsePartition()
        answer.partitionIndex = partition.index
        answer.leaderEpoch = partition.leaderEpoch.raw
        var replicas = partition.replicas
        var inSync = partition.inSync
        // The first version has no word for replicas that are away.
        if context.version == 0 {
            replicas = replicas.filter { node.metadata.broker($0)?.address(listener: context.listener) != nil }
            inSync = inSync.filter { node.metadata.broker($0)?.address(listener: context.listener) != nil }
        }
        answer.replicaNodes = replicas.map(\.raw)
        answer.isrNodes = inSync.map(\.raw)
        answer.offlineReplicas = partition.offline.map(\.raw)
        answer.leaderID = -1
        if let leader = node.metadata.broker(partition.leader) {
            if leader.address(listener: context.listener) == nil {
                answer.errorCode = context.version >= 6 ? .listenerNotFound : .leaderNotAvailable
            } else {
                answer.leaderID = leader.id.raw
                if replicas.count < partition.replicas.count || inSync.count < partition.inSync.count {
                    answer.errorCode = .replicaNotAvailable
                }
            }
        } else {
            answer.errorCode = .leaderNotAvailable
        }
        return answer
    }
}
