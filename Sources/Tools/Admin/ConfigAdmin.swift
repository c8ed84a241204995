import KafkaClient
import KafkaProtocol

/// Whose configuration: DescribeConfigs' and IncrementalAlterConfigs' resources.
struct ConfigResource: Equatable {
    enum Kind: Int8 {
        case topic = 2
        case broker = 4
        case brokerLogger = 8
    }
    var kind: Kind
    /// Empty for the default of all brokers.
    var name: String

    /// A broker knows its own settings; the defaults and topics are in the tree, which all know.
    var target: ClusterLink.Target {
        guard kind != .topic, let id = Int32(name) else { return .anyBroker }
        return .broker(id)
    }
}

struct ConfigChange: Equatable {
    var name: String
    /// Nil deletes.
    var value: String?
}

extension ClusterSession {
    typealias Setting = DescribeConfigsResponse.DescribeConfigsResourceResult

    /// - Throws: ``ConfigRefusal`` with the broker's words.
    func settings(of resource: ConfigResource) throws -> [Setting] {
        var request = DescribeConfigsRequest()
        request.includeSynonyms = true
        request.resources = [
            .with {
                $0.resourceType = resource.kind.rawValue
                $0.resourceName = resource.name
                $0.configurationKeys = nil
            }
        ]
        let response = try ask(resource.target, request)
        guard let result = response.results.first else { throw ToolFailure("the broker did not answer for it") }
        guard result.errorCode == .none else {
            throw ConfigRefusal(code: result.errorCode, message: result.errorMessage)
        }
        return result.configs
    }

    func change(_ resource: ConfigResource, _ changes: [ConfigChange]) throws {
        var request = IncrementalAlterConfigsRequest()
        request.resources = [
            .with {
                $0.resourceType = resource.kind.rawValue
                $0.resourceName = resource.name
                $0.configs = changes.map { change in
                    .with {
                        $0.name = change.name
                        $0.configOperation = change.value == nil ? 1 : 0
                        $0.value = change.value
                    }
                }
            }
        ]
        let response = try ask(resource.target, request)
        for result in response.responses where result.errorCode != .none {
            throw ConfigRefusal(code: result.errorCode, message: result.errorMessage)
        }
    }
}

struct ConfigRefusal: Error, CustomStringConvertible {
    var code: ErrorCode
    var message: String?
    var description: String { code.told(message) }
}

extension DescribeConfigsResponse.DescribeConfigsResourceResult {
    static func name(ofSource source: Int8) -> String {
        switch source {
        case 1: "DYNAMIC_TOPIC_CONFIG"
        case 2: "DYNAMIC_BROKER_CONFIG"
        case 3: "DYNAMIC_DEFAULT_BROKER_CONFIG"
        case 4: "STATIC_BROKER_CONFIG"
        case 5: "DEFAULT_CONFIG"
        case 6: "DYNAMIC_BROKER_LOGGER_CONFIG"
        default: "UNKNOWN"
        }
    }
}
