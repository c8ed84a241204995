import KafkaClient
import KafkaProtocol

extension ToolRun {
    /// `guarded` for a tool that speaks to a cluster: every way to fail ends in a line and a status.
    /// - Parameter call: what Kafka's client calls the request, for the line that a timeout gets.
    static func admin(
        _ arguments: [String], _ help: HelpText, _ tool: any ToolWorld, call: String,
        configOption: String = "command-config", older: String? = nil,
        check: (CommandLine) throws(CommandLineError) -> Void, _ body: (CommandLine, ClusterSession) throws -> Int32
    ) -> Int32 {
        guarded(arguments, help, tool) { line throws(ToolFailure) in
            do throws(CommandLineError) { try check(line) } catch { throw ToolFailure.usage(error.message, help) }
            let session = try open(line, tool, clientID: "adminclient-1", older: older, configOption: configOption)
            do {
                return try body(line, session)
            } catch let error as ToolFailure {
                throw error
            } catch let error as ClusterError {
                throw ToolFailure("Error: \(session.told(error, call: call))")
            } catch let error as CommandLineError {
                throw ToolFailure.usage(error.message, help)
            } catch {
                throw ToolFailure("\(error)")
            }
        }
    }
}

extension CommandLine {
    func requireServer(_ tool: any ToolWorld) throws(CommandLineError) {
        if !has("bootstrap-server"), tool.environment("LETTERBOX_BOOTSTRAP") == nil {
            throw CommandLineError("Missing required argument \"[bootstrap-server]\"")
        }
    }
}

extension CommandOption {
    static let bootstrap = CommandOption.value(
        "bootstrap-server", of: "HOST:PORT", help: "The broker to ask first; several with commas.")
    static let helpFlag = CommandOption.flag("help", help: "This.")
    static let versionFlag = CommandOption.flag(
        "version", help: "The version of Kafka that this tool's words are from.")
}
