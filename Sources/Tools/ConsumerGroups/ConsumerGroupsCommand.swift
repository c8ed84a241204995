import ClusterModel
import KafkaClient
import KafkaProtocol

/// `kafka-consumer-groups`: lists, describes, deletes groups and moves their offsets.
package enum ConsumerGroupsCommand {
    static let help = HelpText(
        "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer "
            + "group offsets.",
        examples: [
            "kafka-consumer-groups.sh --bootstrap-server localhost:9092 --list",
            "kafka-consumer-groups.sh --bootstrap-server localhost:9092 --describe --group readers",
            "kafka-consumer-groups.sh --bootstrap-server localhost:9092 --reset-offsets --group readers --topic orders "
                + "--to-earliest --execute",
        ],
        options: [
            .value("bootstrap-server", of: "HOST:PORT", help: "The broker to ask first; several with commas."),
            .flag("list", help: "List all consumer groups."),
            .flag("describe", help: "Show a group's offsets and how far they are behind (lag)."),
            .flag("delete", help: "Delete groups with all their offsets; they must be empty."),
            .flag("delete-offsets", help: "Delete a group's offsets of topics that it does not read now."),
            .flag(
                "reset-offsets", help: "Move a group's offsets; it must be empty. A dry run unless --execute is given."),
            .value("group", of: "GROUP", help: "The group; may be repeated."),
            .flag("all-groups", help: "All groups."),
            .value(
                "topic", of: "TOPIC", help: "A topic, or some of its partitions as topic:0,1; may be repeated."),
            .flag("all-topics", help: "Reset: all topics of which the group has offsets."),
            .flag("offsets", help: "Describe offsets and lag (the default)."),
            .flag("members", help: "Describe members."),
            .optional(
                "state", of: "STATES", help: "Describe the group's state; list: show states, or only those named."),
            .optional("type", of: "TYPES", help: "List: show types, or only those named."),
            .flag("verbose", help: "Describe: more, such as each member's partitions."),
            .flag("to-earliest", help: "Reset to the first offset."),
            .flag("to-latest", help: "Reset to the end."),
            .flag("to-current", help: "Reset to where the group stands."),
            .value("to-offset", of: "N", help: "Reset to this offset."),
            .value("shift-by", of: "N", help: "Reset by so many offsets, forward or (negative) back."),
            .value(
                "to-datetime", of: "TIME",
                help: "Reset to the first record from then on: YYYY-MM-DDThh:mm:ss.sss, UTC unless a "
                    + "zone follows."),
            .value("by-duration", of: "DURATION", help: "Reset to that long ago: PnDTnHnMnS."),
            .value("from-file", of: "FILE", help: "Reset to what --export wrote."),
            .flag("dry-run", help: "Only show what a reset would do."),
            .flag("execute", help: "Do it."),
            .flag("export", help: "Write the new offsets as topic,partition,offset."),
            .value("timeout", of: "MS", help: "How long a call may take (default 5000)."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .flag("help", help: "This."),
            .flag("version", help: "The version of Kafka that this tool's words are from."),
        ])

    static let actions = ["list", "describe", "delete", "reset-offsets", "delete-offsets"]
    static let modes = [
        "to-offset", "shift-by", "to-datetime", "by-duration", "to-earliest", "to-latest", "to-current", "from-file",
    ]

    package static func run(_ arguments: [String], world tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(arguments, help, tool) { line throws(ToolFailure) in
            do throws(CommandLineError) {
                try check(line, bootstrap: tool.environment("LETTERBOX_BOOTSTRAP"))
            } catch {
                throw ToolFailure.usage(error.message, help)
            }
            if line.has("reset-offsets"), !line.has("dry-run"), !line.has("execute") {
                tool.warn(
                    "WARN: No action will be performed as the --execute option is missing.In a future major release, the "
                        + "default behavior of this command will be to prompt the user before executing the reset rather than "
                        + "doing a dry run. You should add the --dry-run option explicitly if you are scripting this command "
                        + "and want to keep the current default behavior without prompting.")
            }
            var clients: ClusterSession?
            do {
                let session = try ToolRun.open(line, tool, clientID: "adminclient-1")
                clients = session
                if let timeout = try line.integer("timeout") {
                    session.patience = .milliseconds(timeout)
                } else {
                    session.patience = .seconds(5)
                }
                try perform(line, GroupsWork(tool: tool, admin: GroupsAdmin(session: session), line: line))
                return 0
            } catch let error as CommandLineError {
                throw ToolFailure.usage(error.message, help)
            } catch let error as ClusterError {
                let words = clients?.told(error, call: call(line)) ?? "\(error)"
                tool.say("\nError: Executing consumer group command failed due to \(words)")
            } catch let error as ToolFailure {
                tool.say("\nError: Executing consumer group command failed due to \(error.message)")
            } catch {
                tool.say("\nError: Executing consumer group command failed due to \(error)")
            }
            return 1
        }
    }

    private static func call(_ line: CommandLine) -> String {
        if line.has("list") { return "listNodes" }
        if line.has("delete") { return "deleteConsumerGroups(api=FIND_COORDINATOR)" }
        return "describeConsumerGroups(api=FIND_COORDINATOR)"
    }

    /// What the options mean together.
    package static func check(_ line: CommandLine, bootstrap: String?) throws(CommandLineError) {
        guard actions.count(where: { line.has($0) }) == 1 else {
            throw CommandLineError(
                "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets"
            )
        }
        if bootstrap == nil { try line.require("bootstrap-server") }
        let hasScope = line.has("group") || line.has("all-groups")
        for action in ["describe", "delete", "reset-offsets"] where line.has(action) && !hasScope {
            throw CommandLineError("Option [\(action)] takes one of these options: [group], [all-groups]")
        }
        if line.has("group"), line.has("all-groups") {
            throw CommandLineError("Option \"[group]\" can't be used with option \"[all-groups]\"")
        }
        if line.has("group"), line.has("list") {
            throw CommandLineError("Option \"[group]\" can't be used with option \"[list]\"")
        }
        if line.has("delete"), line.has("topic") {
            throw CommandLineError(
                "The consumer does not support topic-specific offset deletion from a consumer group.")
        }
        for action in ["list", "describe"] where line.has("topic") && line.has(action) {
            throw CommandLineError("Option \"[topic]\" can't be used with option \"[\(action)]\"")
        }
        if line.has("delete-offsets"), !line.has("group") || !line.has("topic") {
            throw CommandLineError("Option [delete-offsets] takes the following options: [group], [topic]")
        }
        if line.has("delete-offsets") { _ = try line.value("group") }
        for option in ["members", "offsets", "verbose"] where line.has(option) && !line.has("describe") {
            throw CommandLineError("Option(s) [\(option)] are unavailable given other options on the command line")
        }
        for option in ["state", "type"] where line.has(option) && !line.has("list") {
            if option == "state", line.has("describe") { continue }
            throw CommandLineError("Option(s) [\(option)] are unavailable given other options on the command line")
        }
        if line.has("describe") {
            if ["members", "offsets", "state"].count(where: { line.has($0) }) > 1 {
                throw CommandLineError(
                    "Option [describe] takes at most one of these options: [members], [offsets], [state]")
            }
            if try line.value("state") != nil {
                throw CommandLineError("Option [describe] does not take a value for [state]")
            }
        }
        if line.has("reset-offsets") { try checkReset(line) }
    }

    private static func checkReset(_ line: CommandLine) throws(CommandLineError) {
        if line.has("dry-run"), line.has("execute") {
            throw CommandLineError("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
        }
        let given = modes.filter { line.has($0) }
        if given.count > 1 {
            throw CommandLineError("Option \"[\(given[0])]\" can't be used with option \"[\(given[1])]\"")
        }
        if !line.has("all-topics"), !line.has("topic"), !line.has("from-file") {
            throw CommandLineError("One of the reset scopes should be defined: --all-topics, --topic.")
        }
        if given.isEmpty {
            throw CommandLineError(
                "Option '[reset-offsets]' requires one of the following scenarios: ["
                    + modes.map { "[\($0)]" }.joined(separator: ", ") + "]")
        }
    }

    private static func perform(_ line: CommandLine, _ work: GroupsWork) throws {
        if line.has("list") {
            try work.list()
        } else if line.has("describe") {
            try work.describe()
        } else if line.has("delete") {
            try work.delete()
        } else if line.has("reset-offsets") {
            try work.resetOffsets()
        } else {
            try work.deleteOffsets()
        }
    }
}
