import Configuration
import KafkaProtocol

/// `kafka-configs`: shows and changes the settings of topics and brokers while they run.
package enum ConfigsCommand {
    static let help = HelpText(
        "Show and change settings of topics and brokers.",
        examples: [
            "kafka-configs.sh --bootstrap-server localhost:9092 --describe --topic orders",
            "kafka-configs.sh --bootstrap-server localhost:9092 --alter --topic orders --add-config retention.ms=3600000",
            "kafka-configs.sh --bootstrap-server localhost:9092 --alter --entity-type brokers --entity-default "
                + "--add-config 'log.retention.ms=7200000,log.cleanup.policy=[compact,delete]'",
        ],
        options: [
            .bootstrap,
            .value(
                "zookeeper", of: "HOST:PORT", help: "The coordinator, as tutorials before Kafka 3 have it.",
                hidden: true),
            .flag("describe", help: "Show what was set while running; with --all everything."),
            .flag("alter", help: "Change settings."),
            .flag("all", help: "Describe: also what is at its default or from the properties file."),
            .value("entity-type", of: "TYPE", help: "topics, brokers or broker-loggers."),
            .value("entity-name", of: "NAME", help: "The topic, or the broker's id."),
            .flag("entity-default", help: "What holds for all brokers."),
            .value("topic", of: "NAME", help: "The same as --entity-type topics --entity-name NAME."),
            .value("broker", of: "ID", help: "The same as --entity-type brokers --entity-name ID."),
            .flag("broker-defaults", help: "The same as --entity-type brokers --entity-default."),
            .value("broker-logger", of: "ID", help: "The same as --entity-type broker-loggers --entity-name ID."),
            .value("add-config", of: "K=V,K=[V,V]", help: "Settings to set; a value with commas stands in brackets."),
            .value("add-config-file", of: "FILE", help: "The same from a properties file."),
            .value("delete-config", of: "K,K", help: "Settings to take back."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .flag("force", help: "Accepted; nothing is asked.", hidden: true),
            .helpFlag, .versionFlag,
        ])

    private struct Subject {
        var type: String
        var kind: ConfigResource.Kind
        /// Nil for all of them, empty for the default.
        var name: String?
        /// `topic`, as it stands in what is said.
        var singular: String { String(type.dropLast()) }
    }

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.admin(arguments, help, tool, call: "incrementalAlterConfigs") { line throws(CommandLineError) in
            guard line.has("describe") != line.has("alter") else {
                throw CommandLineError("Command must include exactly one action: --describe, --alter")
            }
            if line.has("alter") {
                guard line.has("add-config") || line.has("add-config-file") || line.has("delete-config") else {
                    throw CommandLineError(
                        "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter"
                    )
                }
                if line.has("add-config"), line.has("add-config-file") {
                    throw CommandLineError("Only one of --add-config or --add-config-file must be specified")
                }
            }
            _ = try subject(line)
        } _: { line, session in
            let subject = try subject(line)
            do {
                if line.has("describe") {
                    try describe(subject, all: line.has("all"), session)
                } else {
                    try alter(subject, line, session)
                }
            } catch let refusal as ConfigRefusal {
                throw ToolFailure(
                    "Error while executing config command with args '\(arguments.joined(separator: " "))'\n\(refusal)")
            }
            return 0
        }
    }

    private static func subject(_ line: CommandLine) throws(CommandLineError) -> Subject {
        if let topic = try line.value("topic") { return Subject(type: "topics", kind: .topic, name: topic) }
        if let broker = try line.value("broker") {
            return try checked(Subject(type: "brokers", kind: .broker, name: broker))
        }
        if line.has("broker-defaults") { return Subject(type: "brokers", kind: .broker, name: "") }
        if let broker = try line.value("broker-logger") {
            return try checked(Subject(type: "broker-loggers", kind: .brokerLogger, name: broker))
        }
        let name = line.has("entity-default") ? "" : try line.value("entity-name")
        var subject: Subject
        switch try line.value("entity-type") {
        case "topics": subject = Subject(type: "topics", kind: .topic, name: name)
        case "brokers": subject = Subject(type: "brokers", kind: .broker, name: name)
        case "broker-loggers": subject = Subject(type: "broker-loggers", kind: .brokerLogger, name: name)
        case nil: throw CommandLineError("At least one entity type must be specified")
        case let type? where ["users", "clients", "ips", "groups", "client-metrics"].contains(type):
            throw CommandLineError("--entity-type \(type) is not there yet: topics, brokers and broker-loggers are")
        case let type?:
            throw CommandLineError(
                "Invalid entity type \(type), the entity type must be one of topics, brokers, broker-loggers")
        }
        if line.has("alter"), subject.name == nil {
            throw CommandLineError("an entity name must be specified with --alter of \(subject.type)")
        }
        if subject.kind == .topic, subject.name == "" {
            throw CommandLineError("topics have no default entity: their defaults are settings of brokers")
        }
        if subject.kind == .brokerLogger, subject.name ?? "" == "" {
            throw CommandLineError("an entity name must be specified for broker-loggers")
        }
        subject = try checked(subject)
        return subject
    }

    private static func checked(_ subject: Subject) throws(CommandLineError) -> Subject {
        if subject.kind != .topic, let name = subject.name, !name.isEmpty, Int32(name) == nil {
            throw CommandLineError(
                "The entity name for \(subject.type) must be a valid integer broker id, but it is: \(name)")
        }
        return subject
    }

    // MARK: Describe

    private static func describe(_ subject: Subject, all: Bool, _ session: ClusterSession) throws {
        let names: [String]
        if let name = subject.name {
            names = [name]
        } else if subject.kind == .topic {
            names = try session.metadata().topics.compactMap(\.name).sorted()
        } else {
            names = try session.metadata().brokers.map { String($0.nodeID) }.sorted() + [""]
        }
        for name in names {
            session.tool.say(
                name.isEmpty
                    ? "Default configs for \(subject.type) in the cluster are:"
                    : "\(all ? "All" : "Dynamic") configs for \(subject.singular) \(name) are:")
            let wanted: Int8 = subject.kind == .topic ? 1 : subject.kind == .brokerLogger ? 6 : name.isEmpty ? 3 : 2
            let settings = try session.settings(of: ConfigResource(kind: subject.kind, name: name))
                .filter { all || $0.configSource == wanted }.sorted { $0.name < $1.name }
            for setting in settings {
                let synonyms = setting.synonyms.map {
                    "\(ClusterSession.Setting.name(ofSource: $0.source)):\($0.name)=\($0.value ?? "null")"
                }
                session.tool.say(
                    "  \(setting.name)=\(setting.value ?? "null") sensitive=\(setting.isSensitive) "
                        + "synonyms={\(synonyms.joined(separator: ", "))}")
            }
        }
    }

    // MARK: Alter

    private static func alter(_ subject: Subject, _ line: CommandLine, _ session: ClusterSession) throws {
        let name = subject.name ?? ""
        var changes: [ConfigChange] = []
        if let path = try line.value("add-config-file") {
            let properties = try Bootstrap.properties(path, session.tool)
            changes = properties.names.sorted().map { ConfigChange(name: $0, value: properties[$0] ?? "") }
        } else {
            for text in line.all("add-config") { changes += try additions(text) }
        }
        let resource = ConfigResource(kind: subject.kind, name: name)
        let deleted = line.all("delete-config").flatMap { $0.split(separator: ",").map { trimmed($0) } }
        if !deleted.isEmpty {
            let wanted: Int8 = subject.kind == .topic ? 1 : subject.kind == .brokerLogger ? 6 : name.isEmpty ? 3 : 2
            let present = Set(
                try session.settings(of: resource).filter { $0.configSource == wanted }.map(\.name))
            let missing = deleted.filter { !present.contains($0) }
            guard missing.isEmpty else { throw ToolFailure("Invalid config(s): \(missing.joined(separator: ","))") }
            changes += deleted.map { ConfigChange(name: $0, value: nil) }
        }
        try session.change(resource, changes)
        session.tool.say(
            name.isEmpty
                ? "Completed updating default config for \(subject.type) in the cluster."
                : "Completed updating config for \(subject.singular) \(name).")
    }

    /// `a=1,b=[2,3]`.
    static func additions(_ text: String) throws(CommandLineError) -> [ConfigChange] {
        var parts: [String] = [""]
        var depth = 0
        for character in text {
            if character == "[" { depth += 1 }
            if character == "]" { depth -= 1 }
            if character == ",", depth <= 0 {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        return try parts.filter { !trimmed($0).isEmpty }.map { part throws(CommandLineError) in
            guard let equals = part.firstIndex(of: "="), equals != part.startIndex else {
                throw CommandLineError(
                    "Invalid entity config: all configs to be added must be in the format \"key=val\".")
            }
            var value = trimmed(part[part.index(after: equals)...])
            if value.hasPrefix("["), value.hasSuffix("]") { value = String(value.dropFirst().dropLast()) }
            return ConfigChange(name: trimmed(part[..<equals]), value: value)
        }
    }
}
