import Broker
import ClusterModel
import Configuration
import KafkaProtocol

extension RequestRouter {
    /// Topics and this broker, read from the tree, so that what was just changed is seen.
    func describeConfigs(
        _ request: DescribeConfigsRequest, _ context: RequestContext, then: @escaping (DescribeConfigsResponse) -> Void
    ) {
        let topics = request.resources.filter {
            $0.resourceType == ResourceType.topic && node.metadata.topic($0.resourceName) != nil
        }
        .map(\.resourceName)
        let answer: () -> Void = { [self] in
            var response = DescribeConfigsResponse()
            response.results = request.resources.map { describe($0, request, context) }
            then(response)
        }
        guard let settings = node.topicSettings else { return answer() }
        let hasBrokers = request.resources.contains { $0.resourceType == ResourceType.broker }
        settings.refresh(topics) { hasBrokers ? settings.refreshBroker(then: answer) : answer() }
    }

    private enum ResourceType {
        static let topic: Int8 = 2
        static let broker: Int8 = 4
    }

    private func describe(
        _ resource: DescribeConfigsRequest.DescribeConfigsResource, _ request: DescribeConfigsRequest,
        _ context: RequestContext
    ) -> DescribeConfigsResponse.DescribeConfigsResult {
        var result = DescribeConfigsResponse.DescribeConfigsResult()
        result.resourceType = resource.resourceType
        result.resourceName = resource.resourceName
        result.errorMessage = nil
        let wanted = resource.configurationKeys.flatMap { $0.isEmpty ? nil : Set($0) }
        func isWanted(_ name: String) -> Bool { wanted?.contains(name) ?? true }
        switch resource.resourceType {
        case ResourceType.topic:
            if let problem = TopicName.problem(resource.resourceName) {
                result.errorCode = .invalidTopicException
                result.errorMessage = problem
            } else if node.metadata.topic(resource.resourceName) == nil {
                result.errorCode = .unknownTopicOrPartition
            } else {
                let overrides = node.topicSettings?[resource.resourceName].overrides ?? [:]
                result.configs = TopicKeys.all.filter { isWanted($0.key.name) }.map {
                    topicEntry($0, overrides, request)
                }
            }
        case ResourceType.broker where resource.resourceName.isEmpty:
            result.configs = BrokerKeys.all.filter { node.settings.ofCluster[$0.name] != nil && isWanted($0.name) }
                .map { brokerEntry($0, request, isOfCluster: true) }
        case ResourceType.broker:
            guard Int32(resource.resourceName) == node.id.raw else {
                result.errorCode = .invalidRequest
                result.errorMessage =
                    Int32(resource.resourceName) == nil
                    ? "Broker id must be an integer, but it is: \(resource.resourceName)"
                    : "Unexpected broker id, expected \(node.id) or empty string, but received \(resource.resourceName)"
                break
            }
            result.configs = BrokerKeys.all.filter { isWanted($0.name) }.map { brokerEntry($0, request) }
            // Names nobody knows are listed too, their values kept to ourselves.
            for (name, _) in node.config.notUnderstood where isWanted(name) {
                result.configs.append(
                    .with {
                        $0.name = name
                        $0.value = nil
                        $0.isSensitive = true
                        $0.readOnly = true
                        $0.configSource = context.version >= 1 ? Source.file.rawValue : -1
                        $0.documentation = nil
                    })
            }
        case BrokerLoggers.resourceType:
            if let problem = BrokerLoggers.checkBroker(resource.resourceName, is: node.id.raw) {
                result.errorCode = problem.code
                result.errorMessage = problem.message
                break
            }
            let loggers = node.world.journal.loggers
            result.configs = loggers.names.filter(isWanted).map { name in
                .with {
                    $0.name = name
                    $0.value = loggers.level(of: name).rawValue
                    $0.configSource = BrokerLoggers.configSource
                    $0.documentation = nil
                }
            }
        default:
            result.errorCode = .invalidRequest
            result.errorMessage = "Unsupported resource type: \(resource.resourceType)"
        }
        if context.version == 0 {
            for index in result.configs.indices {
                result.configs[index].isDefault = result.configs[index].configSource == 5
            }
        }
        return result
    }

    private typealias Source = BrokerSettings.Source
    private typealias Synonym = (name: String, value: String, source: Source)

    /// From the strongest to the weakest, by source before by name.
    private func synonyms(_ keys: [any AnyConfigKey]) -> [Synonym] {
        let settings = node.settings
        let all = keys.flatMap { key in
            settings.values(of: key).map { (name: key.name, value: $0.value, source: $0.source) }
        }
        return [Source.broker, .cluster, .file, .byDefault].flatMap { source in all.filter { $0.source == source } }
    }

    private func topicEntry(
        _ topic: TopicKeys.TopicKey, _ overrides: [String: String], _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.DescribeConfigsResourceResult {
        let keys = topic.synonyms.compactMap { synonym in BrokerKeys.all.first { $0.name == synonym.name } }
        var list = synonyms(keys)
        if let first = topic.synonyms.first?.name { list = Array(list.drop { $0.name != first }) }
        if let text = overrides[topic.key.name] { list.insert((topic.key.name, trimmed(text), .topic), at: 0) }
        let value =
            overrides[topic.key.name].map { trimmed($0) } ?? node.settings.topicDefaults.text(topic.key.name)
            ?? topic.key.defaultText
        return entry(topic.key, value: value, list: list, readOnly: false, request)
    }

    private func brokerEntry(
        _ key: any AnyConfigKey, _ request: DescribeConfigsRequest, isOfCluster: Bool = false
    ) -> DescribeConfigsResponse.DescribeConfigsResourceResult {
        let group = [
            ["log.retention.ms", "log.retention.minutes", "log.retention.hours"], ["log.roll.ms", "log.roll.hours"],
            ["log.roll.jitter.ms", "log.roll.jitter.hours"],
            ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        ].first { $0.first == key.name }
        let keys = (group ?? [key.name]).compactMap { name in BrokerKeys.all.first { $0.name == name } }
        var list = synonyms(keys)
        if let first = list.firstIndex(where: { $0.name == key.name }) { list.removeFirst(first) }
        if isOfCluster { list.removeAll { $0.source != .cluster } }
        let value = isOfCluster ? node.settings.ofCluster[key.name] : node.settings.current.text(key)
        return entry(key, value: value, list: list, readOnly: key.change == .atStart, request)
    }

    private func entry(
        _ key: any AnyConfigKey, value: String?, list: [Synonym], readOnly: Bool, _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.DescribeConfigsResourceResult {
        .with {
            $0.name = key.name
            $0.value = key.isSensitive ? nil : value
            $0.readOnly = readOnly
            $0.configSource = (list.first?.source ?? .byDefault).rawValue
            $0.isSensitive = key.isSensitive
            $0.configType = key.type.rawValue
            $0.documentation = request.includeDocumentation ? key.summary : nil
            guard request.includeSynonyms else { return }
            $0.synonyms = list.map { synonym in
                .with {
                    $0.name = synonym.name
                    $0.value = key.isSensitive ? nil : synonym.value
                    $0.source = synonym.source.rawValue
                }
            }
        }
    }
}
