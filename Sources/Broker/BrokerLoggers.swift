import KafkaProtocol
import Platform

/// `BROKER_LOGGER` resources (KIP-412): the journal's levels by component, for as long as the process runs. The names are Kafka's,
/// each for the part of Letterbox that does what Kafka's class or package of that name does.
/// Rule: Kafka 3.9, RuntimeLoggerManager, for checks and their words.
package enum BrokerLoggers {
    package static let components: [Loggers.Component] = [
        .init("kafka.controller", ["Broker/Controller", "Controller/"]),
        .init("kafka.coordinator.group", ["Broker/Group", "Broker/HandOver", "ConsumerGroups/"]),
        .init("kafka.server.ReplicaFetcherThread", ["Broker/ReplicaFetcher", "Broker/FollowerSession"]),
        .init(
            "kafka.server.ReplicaManager", ["Broker/PartitionDirectory", "Broker/ReplicaMovers", "Broker/SuspectTails"]),
        .init("kafka.cluster.Partition", ["Broker/PartitionHost", "Broker/InSyncPublisher"]),
        .init("kafka.log.LogCleaner", ["Broker/LogCleaner", "CommitLog/LogCleaning", "CommitLog/Cleaning"]),
        .init("kafka.log.LogManager", ["CommitLog/LogDirectory", "CommitLog/DiskRoom", "Broker/Housekeeping"]),
        .init("kafka.log", ["CommitLog/", "Broker/LogHealer"]),
        .init("kafka.network", ["BrokerServer/KafkaConnection", "PosixPlatform/PosixNetwork"]),
        .init("kafka.zookeeper", ["Broker/Registration"]),
        .init("org.apache.kafka.clients", ["KafkaClient/", "Broker/RemoteControlLink"]),
        .init("org.apache.zookeeper", ["CoordinationClient/"]),
        .init("kafka.server", ["Broker/", "BrokerServer/"]),
        .init("kafka"),
    ]

    /// The wire's number.
    package static let resourceType: Int8 = 8
    /// DYNAMIC_BROKER_LOGGER_CONFIG
    package static let configSource: Int8 = 6

    package typealias Step = (operation: Int8, name: String, value: String?)

    /// Whose loggers; a name is needed, since each broker has its own.
    package static func checkBroker(_ name: String, is id: Int32) -> ConfigAdmin.Problem? {
        guard !name.isEmpty else { return .init(.invalidRequest, "Broker id must not be empty") }
        guard let asked = Int32(name) else {
            return .init(.invalidRequest, "Node id must be an integer, but it is: \(name)")
        }
        guard asked == id else {
            return .init(.invalidRequest, "Unexpected broker id, expected \(id) but received \(name)")
        }
        return nil
    }

    /// All of `steps`, or none.
    package static func alter(_ journal: Journal, _ steps: [Step], validateOnly: Bool) throws(ConfigAdmin.Problem) {
        try ConfigAdmin.checkNames(.steps(steps))
        var changes: [(name: String, level: LoggerLevel?)] = []
        for step in steps { changes.append((step.name, try level(step, journal.loggers))) }
        guard !validateOnly else { return }
        for (name, level) in changes {
            journal.loggers.set(name, to: level)
            journal.warning("set a logger's level", ["logger": name, "level": level?.rawValue ?? "inherited"])
        }
    }

    /// - Returns: nil to inherit.
    private static func level(_ step: Step, _ loggers: Loggers) throws(ConfigAdmin.Problem) -> LoggerLevel? {
        func exists() throws(ConfigAdmin.Problem) {
            guard loggers.exists(step.name) else { throw .init(.invalidConfig, "Logger \(step.name) does not exist!") }
        }
        switch ConfigAdmin.Operation(rawValue: step.operation) {
        case .set:
            try exists()
            guard let level = step.value.flatMap(LoggerLevel.init(rawValue:)) else {
                let valid = LoggerLevel.allCases.map(\.rawValue).sorted().joined(separator: ", ")
                throw .init(
                    .invalidConfig,
                    "Cannot set the log level of \(step.name) to \(step.value ?? "") as it is not a supported log level. "
                        + "Valid log levels are \(valid)")
            }
            return level
        case .delete:
            try exists()
            guard step.name != Loggers.root else {
                throw .init(.invalidRequest, "Removing the log level of the root logger is not allowed")
            }
            return nil
        case .append, .subtract:
            let name = step.operation == ConfigAdmin.Operation.append.rawValue ? "APPEND" : "SUBTRACT"
            throw .init(.invalidRequest, "\(name) operation is not allowed for the BROKER_LOGGER resource")
        case nil:
            throw .init(
                .invalidRequest,
                "Unknown operation type \(step.operation) is not allowed for the BROKER_LOGGER resource")
        }
    }
}
