import KafkaClient

extension ToolFailure {
    /// Words that were not understood: what is wrong, then how the tool is used.
    package static func usage(_ message: String, _ help: HelpText) -> ToolFailure {
        ToolFailure(message + "\n" + help.text)
    }
}

/// What every tool does around its own work.
package enum ToolRun {
    /// Reads the words, answers `--help` and `--version`, runs `body`, and turns failures into lines and an exit status.
    package static func guarded(
        _ arguments: [String], _ help: HelpText, _ tool: any ToolWorld,
        _ body: (CommandLine) throws(ToolFailure) -> Int32
    ) -> Int32 {
        do throws(ToolFailure) {
            guard !arguments.isEmpty else { throw ToolFailure(help.text) }
            let line: CommandLine
            do throws(CommandLineError) {
                line = try CommandLine(arguments, options: help.options)
            } catch {
                let isOld = error.message.hasPrefix("zookeeper is not")
                throw ToolFailure.usage(
                    error.message + (isOld ? "; write --bootstrap-server localhost:9092, a broker's address" : ""), help
                )
            }
            if line.has("help") {
                tool.say(help.text)
                return 0
            }
            if line.has("version") {
                tool.say("3.9.0")
                return 0
            }
            return try body(line)
        } catch {
            if !error.message.isEmpty { tool.warn(error.message) }
            return error.status
        }
    }

    /// The cluster that the words name.
    package static func open(
        _ line: CommandLine, _ tool: any ToolWorld, clientID: String, older: String? = nil,
        configOption: String = "command-config"
    ) throws(ToolFailure) -> ClusterSession {
        var given: String?
        let path: String?
        let coordinator: String?
        do throws(CommandLineError) {
            given = try Bootstrap.address(line, tool, older: older)
            path = try line.value(configOption)
            coordinator = try line.value("zookeeper")
        } catch {
            throw ToolFailure(error.message)
        }
        if given == nil, let coordinator { given = try CoordinatorLookup.brokers(coordinator, tool) }
        guard let given else { throw ToolFailure("--bootstrap-server must be specified") }
        return try ClusterSession(
            tool, bootstrap: given, clientID: clientID, config: Bootstrap.properties(path, tool))
    }
}
