import ClusterModel
import Configuration
import CoordinationClient
import KafkaProtocol
import Platform

/// AlterConfigs and IncrementalAlterConfigs: checks a change, writes it to the tree together with the notification for the other
/// brokers, and answers once it is in force here.
package final class ConfigAdmin {
    package struct Problem: Error, Equatable {
        package var code: ErrorCode
        package var message: String
        package init(_ code: ErrorCode, _ message: String) {
            self.code = code
            self.message = message
        }
    }

    /// Whose settings.
    package enum Entity: Equatable {
        case topic(String)
        case broker(BrokerID)
        /// All brokers.
        case cluster

        /// As notifications name it.
        var path: String {
            switch self {
            case .topic(let topic): "topics/\(topic)"
            case .broker(let id): "brokers/\(id)"
            case .cluster: "brokers/<default>"
            }
        }
        var znode: String { "/config/\(path)" }
    }

    /// The wire's numbers.
    package enum Operation: Int8, Sendable { case set, delete, append, subtract }

    package enum Change {
        /// These and no others.
        case replace([(name: String, value: String?)])
        /// One step after another.
        case steps([(operation: Int8, name: String, value: String?)])
    }

    private let tree: any Tree
    private let world: any World
    private let me: BrokerID
    private let metadata: MetadataCache
    private let settings: TopicSettings

    init(tree: any Tree, world: any World, me: BrokerID, metadata: MetadataCache, settings: TopicSettings) {
        self.tree = tree
        self.world = world
        self.me = me
        self.metadata = metadata
        self.settings = settings
    }

    /// A resource as requests name it: type 2 topics, 4 brokers.
    package func entity(type: Int8, name: String) throws(Problem) -> Entity {
        switch type {
        case 2:
            guard !name.isEmpty else { throw Problem(.invalidRequest, "Default topic resources are not allowed.") }
            guard metadata.topic(name) != nil else {
                throw Problem(.unknownTopicOrPartition, "The topic '\(name)' does not exist.")
            }
            return .topic(name)
        case 4:
            guard !name.isEmpty else { return .cluster }
            guard let id = Int32(name) else {
                throw Problem(.invalidRequest, "Broker id must be an integer, but it is: \(name)")
            }
            guard id == me.raw else {
                throw Problem(.invalidRequest, "Unexpected broker id, expected \(me), but received \(name)")
            }
            return .broker(me)
        default:
            throw Problem(
                .invalidRequest, "AlterConfigs is only supported for topics and brokers, but resource type is \(type)")
        }
    }

    /// - Parameter then: nil when it is done, or would have been.
    package func alter(
        _ entity: Entity, _ change: Change, validateOnly: Bool, then: @escaping (Problem?) -> Void
    ) {
        do throws(Problem) { try ConfigAdmin.checkNames(change) } catch { return then(error) }
        tree.readIfThere(entity.znode) { [self] result in
            let node: ReadNode?
            switch result {
            case .failure(let error):
                return then(Problem(.unknownServerError, "the coordinator answered \(error)"))
            case .success(let found): node = found
            }
            var before: [String: String] = [:]
            if let data = node?.data, !data.isEmpty {
                guard let payload = try? ConfigPayload(payload: data) else {
                    return then(Problem(.unknownServerError, "\(entity.znode) is unreadable"))
                }
                before = payload.settings
            }
            do throws(Problem) {
                let after = try ConfigAdmin.apply(change, to: before, of: entity)
                try check(after, of: entity)
                guard !validateOnly else { return then(nil) }
                write(entity, after, version: node?.stat.version) { [self] outcome in
                    switch outcome {
                    // Somebody else was quicker: the change is made anew on what stands there now.
                    case .again: alter(entity, change, validateOnly: false, then: then)
                    case .failed(let problem): then(problem)
                    case .done:
                        world.journal.notice("changed settings", ["of": entity.path])
                        settings.refresh(entity: entity.path) { then(nil) }
                    }
                }
            } catch { then(error) }
        }
    }

    // MARK: What it comes to

    static func checkNames(_ change: Change) throws(Problem) {
        let names: [String]
        let missing: [String]
        switch change {
        case .replace(let settings):
            names = settings.map(\.name)
            missing = settings.filter { $0.value == nil }.map(\.name)
        case .steps(let steps):
            names = steps.map(\.name)
            missing = steps.filter { $0.value == nil && $0.operation != Operation.delete.rawValue }.map(\.name)
        }
        guard Set(names).count == names.count else {
            throw Problem(.invalidRequest, "Error due to duplicate config keys")
        }
        guard missing.isEmpty else {
            throw Problem(.invalidRequest, "Null value not supported for : \(missing.joined(separator: ", "))")
        }
    }

    /// The settings after `change`. Rule: Kafka 3.9 for appending to and subtracting from lists.
    static func apply(
        _ change: Change, to before: [String: String], of entity: Entity
    ) throws(Problem) -> [String: String] {
        var after: [String: String] = [:]
        switch change {
        case .replace(let settings):
            for (name, value) in settings { after[name] = value }
        case .steps(let steps):
            after = before
            for step in steps {
                guard let operation = Operation(rawValue: step.operation) else {
                    throw Problem(.invalidRequest, "Unknown operations type \(step.operation)")
                }
                switch operation {
                case .set: after[step.name] = step.value
                case .delete: after[step.name] = nil
                case .append, .subtract:
                    guard let key = key(step.name, of: entity), key.type == .list else {
                        throw Problem(
                            .invalidRequest,
                            "Config value \(operation) is not allowed for config key: \(step.name)")
                    }
                    var items = configList(after[step.name] ?? key.defaultText ?? "")
                    let named = configList(step.value ?? "")
                    if operation == .append {
                        for item in named where !items.contains(item) { items.append(item) }
                    } else {
                        items.removeAll { named.contains($0) }
                    }
                    after[step.name] = items.joined(separator: ",")
                }
            }
        }
        return after
    }

    private static func key(_ name: String, of entity: Entity) -> (any AnyConfigKey)? {
        guard case .topic = entity else { return BrokerSettings.keys[name] }
        return TopicKeys.all.first { $0.key.name == name }?.key
    }

    private func check(_ settings: [String: String], of entity: Entity) throws(Problem) {
        switch entity {
        case .topic:
            let all = settings.sorted { $0.key < $1.key }.map { (name: $0.key, value: String?.some($0.value)) }
            if let problem = TopicKeys.problem(all) { throw Problem(.invalidConfig, problem) }
        case .broker, .cluster:
            if let problem = self.settings.broker.problem(settings, isPerBroker: entity != .cluster) {
                throw Problem(.invalidRequest, problem)
            }
        }
    }

    // MARK: Writing

    private enum Outcome {
        case done
        case again
        case failed(Problem)
    }

    private func write(
        _ entity: Entity, _ settings: [String: String], version: Int32?, then: @escaping (Outcome) -> Void
    ) {
        let payload = ConfigPayload(settings).payload
        tree.multi([
            version.map { .setData(entity.znode, payload, version: $0) } ?? .create(entity.znode, payload),
            .create(
                Znodes.configChangePrefix, ConfigChangePayload(entityPath: entity.path).payload,
                mode: .persistentSequential),
        ]) { result in
            guard case .failure(let failure) = result else { return then(.done) }
            switch failure.error {
            // After a lost answer the change is made again: doing it twice is doing it once.
            case .badVersion, .nodeExists, .noNode, .connectionLoss: then(.again)
            default: then(.failed(Problem(.unknownServerError, "the coordinator answered \(failure.error)")))
            }
        }
    }
}
