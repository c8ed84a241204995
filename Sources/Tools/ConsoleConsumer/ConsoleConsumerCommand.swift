import Configuration
import KafkaClient

/// `kafka-console-consumer`: prints records as they come.
package enum ConsoleConsumerCommand {
    static let help = HelpText(
        "This tool helps to read data from Kafka topics and outputs it to standard output.",
        examples: [
            "kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic orders --from-beginning",
            "kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic orders --group readers --property print.key=true",
            "kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic orders --partition 0 --offset 40 --max-messages 1",
        ],
        options: [
            .value("bootstrap-server", of: "HOST:PORT", help: "The broker to ask first; several with commas."),
            .value("topic", of: "TOPIC", help: "The topic to read."),
            .value("include", "whitelist", of: "REGEX", help: "Topics to read, as a regular expression."),
            .flag("from-beginning", help: "Begin with the oldest record, where the group has no offset yet."),
            .value("partition", of: "N", help: "Read only this partition, from its end unless --offset is given."),
            .value("offset", of: "N", help: "Begin with this offset, or earliest, or latest; needs --partition."),
            .value("group", of: "GROUP", help: "Read as a member of this group, which remembers how far it got."),
            .value("max-messages", of: "N", help: "End after so many records."),
            .value("timeout-ms", of: "MS", help: "End when no record came for so long."),
            .value("isolation-level", of: "LEVEL", help: "read_uncommitted (the default) or read_committed."),
            .flag("skip-message-on-error", help: "Leave out a record that cannot be shown, and go on."),
            .value(
                "property", of: "KEY=VALUE",
                help:
                    "print.timestamp, print.key, print.offset, print.partition, print.headers, print.value (true or false); "
                    + "key.separator, line.separator, headers.separator, null.literal; key.deserializer, "
                    + "value.deserializer, headers.deserializer."),
            .value(
                "formatter", of: "CLASS",
                help: "DefaultMessageFormatter, LoggingMessageFormatter or NoOpMessageFormatter."),
            .value("formatter-config", of: "FILE", help: "What --property says, as a file; --property wins."),
            .value(
                "consumer-property", of: "KEY=VALUE", help: "A setting of the consumer, such as auto.offset.reset=none."
            ),
            .value("consumer.config", of: "FILE", help: "The same as a file; --consumer-property wins."),
            .value("key-deserializer", of: "CLASS", help: "How keys are shown."),
            .value("value-deserializer", of: "CLASS", help: "How values are shown."),
            .flag("enable-systest-events", help: "Accepted, without effect.", hidden: true),
            .flag("new-consumer", help: "Accepted, without effect.", hidden: true),
            .value("zookeeper", of: "HOST:PORT", help: "Gone since Kafka 2.0.", hidden: true),
            .flag("help", help: "This."),
            .flag("version", help: "The version of Kafka that this tool's words are from."),
        ])

    package static func run(_ arguments: [String], world tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(arguments, help, tool) { line throws(ToolFailure) in
            let settings: ConsumerSettings
            var bootstrap: String?
            let coordinator: String?
            do throws(CommandLineError) {
                let file = try read(line.value("consumer.config"), tool)
                let formatter = try read(line.value("formatter-config"), tool)
                settings = try ConsumerSettings(line, file: file, formatter: formatter)
                bootstrap = try Bootstrap.address(line, tool)
                coordinator = try line.value("zookeeper")
                if bootstrap == nil, coordinator == nil { try line.require("bootstrap-server") }
            } catch {
                throw ToolFailure.usage(error.message, help)
            }
            if bootstrap == nil, let coordinator { bootstrap = try CoordinatorLookup.brokers(coordinator, tool) }
            let session = try ClusterSession(
                tool, bootstrap: bootstrap ?? "", clientID: "console-consumer", config: settings.properties)
            return ConsoleConsumer(tool, session, settings, bootstrap: bootstrap ?? "").run()
        }
    }

    private static func read(_ path: String?, _ tool: any ToolWorld) throws(CommandLineError) -> Properties {
        do throws(ToolFailure) { return try Bootstrap.properties(path, tool) } catch {
            throw CommandLineError(error.message)
        }
    }
}
