import Broker
import KafkaProtocol

extension RequestRouter {
    /// Replaces all settings of a topic or broker.
    func alterConfigs(
        _ request: AlterConfigsRequest, _ context: RequestContext, then: @escaping (AlterConfigsResponse) -> Void
    ) {
        let resources = request.resources.map { resource in
            (
                type: resource.resourceType, name: resource.resourceName,
                change: ConfigAdmin.Change.replace(resource.configs.map { (name: $0.name, value: $0.value) })
            )
        }
        alter(resources, validateOnly: request.validateOnly) { outcomes in
            var response = AlterConfigsResponse()
            response.responses = zip(resources, outcomes).map { resource, problem in
                .with {
                    $0.resourceType = resource.type
                    $0.resourceName = resource.name
                    $0.errorCode = problem?.code ?? .none
                    $0.errorMessage = problem?.message
                }
            }
            then(response)
        }
    }

    /// Changes some of them.
    func incrementalAlterConfigs(
        _ request: IncrementalAlterConfigsRequest, _ context: RequestContext,
        then: @escaping (IncrementalAlterConfigsResponse) -> Void
    ) {
        let resources = request.resources.map { resource in
            (
                type: resource.resourceType, name: resource.resourceName,
                change: ConfigAdmin.Change.steps(
                    resource.configs.map { (operation: $0.configOperation, name: $0.name, value: $0.value) })
            )
        }
        alter(resources, validateOnly: request.validateOnly) { outcomes in
            var response = IncrementalAlterConfigsResponse()
            response.responses = zip(resources, outcomes).map { resource, problem in
                .with {
                    $0.resourceType = resource.type
                    $0.resourceName = resource.name
                    $0.errorCode = problem?.code ?? .none
                    $0.errorMessage = problem?.message
                }
            }
            then(response)
        }
    }

    /// Each resource on its own; `then` gets the outcomes in their order.
    private func alter(
        _ resources: [(type: Int8, name: String, change: ConfigAdmin.Change)], validateOnly: Bool,
        then: @escaping ([ConfigAdmin.Problem?]) -> Void
    ) {
        var outcomes = [ConfigAdmin.Problem?](repeating: nil, count: resources.count)
        var left = resources.count + 1
        let one = {
            left -= 1
            if left == 0 { then(outcomes) }
        }
        for (index, resource) in resources.enumerated() {
            guard resources.count(where: { $0.type == resource.type && $0.name == resource.name }) == 1 else {
                outcomes[index] = ConfigAdmin.Problem(.invalidRequest, "Each resource must appear at most once.")
                one()
                continue
            }
            do throws(ConfigAdmin.Problem) {
                if resource.type == BrokerLoggers.resourceType {
                    try alterLoggers(resource.name, resource.change, validateOnly: validateOnly)
                    one()
                    continue
                }
                guard let admin = node.configAdmin else {
                    throw ConfigAdmin.Problem(.coordinatorLoadInProgress, "The broker is starting")
                }
                let entity = try admin.entity(type: resource.type, name: resource.name)
                admin.alter(entity, resource.change, validateOnly: validateOnly) { problem in
                    outcomes[index] = problem
                    one()
                }
            } catch {
                outcomes[index] = error
                one()
            }
        }
        one()
    }

    private func alterLoggers(
        _ broker: String, _ change: ConfigAdmin.Change, validateOnly: Bool
    ) throws(ConfigAdmin.Problem) {
        guard case .steps(let steps) = change else {
            throw .init(.invalidRequest, "Unknown resource type \(BrokerLoggers.resourceType)")
        }
        if let problem = BrokerLoggers.checkBroker(broker, is: node.id.raw) { throw problem }
        try BrokerLoggers.alter(node.world.journal, steps, validateOnly: validateOnly)
    }
}
