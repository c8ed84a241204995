import Configuration
import KafkaClient
import KafkaProtocol
import Platform

/// A cluster as a tool uses it: every call returns when the answer is there.
package final class ClusterSession {
    package let tool: any ToolWorld
    package let link: ClusterLink
    /// How long one call may take, retries included.
    package var patience: Duration
    private var warned = false
    /// Troubles are told by whoever asks.
    package var isQuiet: Bool {
        get { warned }
        set { warned = newValue }
    }

    /// - Parameter bootstrap: `HOST:PORT,HOST:PORT`.
    /// - Parameter config: the properties of `--command-config` and its like.
    package init(
        _ tool: any ToolWorld, bootstrap: String, clientID: String, config: Properties = Properties(),
        patience: Duration = .seconds(10)
    ) throws(ToolFailure) {
        guard let addresses = BrokerAddress.list(bootstrap) else {
            throw ToolFailure("Invalid url in bootstrap.servers: \(bootstrap); it is written HOST:PORT,HOST:PORT")
        }
        if let security = config["security.protocol"], security != "PLAINTEXT" {
            throw ToolFailure("security.protocol=\(security) is not supported; listeners are PLAINTEXT")
        }
        self.tool = tool
        self.patience = patience
        var options = LinkOptions(clientID: config["client.id"] ?? clientID)
        if let text = config["request.timeout.ms"], let milliseconds = Int(text), milliseconds > 0 {
            options.requestTimeout = .milliseconds(milliseconds)
        }
        options.connectTimeout = min(options.connectTimeout, patience)
        link = ClusterLink(world: tool.world, bootstrap: addresses, options: options)
        // Said once, while trying goes on.
        link.onTrouble = { [weak self] error in
            guard let self, !self.warned, let words = ClusterSession.advice(error) else { return }
            self.warned = true
            self.tool.warn(words)
        }
    }

    deinit { link.close() }

    package var deadline: Instant { tool.world.clock.now + patience }

    package func metadata(of topics: [String]? = nil) throws(ClusterError) -> MetadataResponse {
        try tool.wait { link.metadata(of: topics, until: deadline, then: $0) }.get()
    }

    package func ask<R: RequestMessage>(
        _ target: ClusterLink.Target, _ request: R, atMost limit: Int16 = .max,
        again: @escaping (R.Response) -> ErrorCode? = { _ in nil }
    ) throws(ClusterError) -> R.Response {
        try tool.wait { link.ask(target, request, atMost: limit, until: deadline, again: again, then: $0) }.get()
    }

    /// What to do about it, for the errors that learners meet.
    package static func advice(_ error: ClusterError) -> String? {
        switch error {
        case .link(.unreachable(let address, let words)):
            "LB-2001 nobody listens on \(address) (\(words)). Is a broker up?  start one: "
                + "scripts/kafka-server-start.sh config/server.properties"
        case .advertised(let bootstrap, let broker, .unreachable(let address, let words)):
            "LB-2002 bootstrap \(bootstrap) answered, but told me to use \(address) (advertised.listeners of broker "
                + "\(broker)), which cannot be reached (\(words)). Either that broker is down, or clients here cannot use the "
                + "address it tells: correct its advertised.listeners"
        case .link(.speaksTLS(let address)), .advertised(_, _, .speaksTLS(let address)):
            "LB-2023 \(address): this port speaks TLS; set security.protocol=SSL"
        case .link(.notBroker(let address, let words)), .advertised(_, _, .notBroker(let address, let words)):
            "LB-2003 \(address) does not answer as a broker (\(words)). Brokers listen on 9092, the coordinator on 2181"
        default: nil
        }
    }

    /// The words for a call that got no answer: first Kafka's, which scripts know, then ours on stderr unless said before.
    package func told(_ error: ClusterError, call: String) -> String {
        if let words = ClusterSession.advice(error), !warned {
            warned = true
            tool.warn(words)
        }
        switch error {
        case .link(let link) where link.isRetriable, .advertised(_, _, let link) where link.isRetriable:
            return "Timed out waiting for a node assignment. Call: \(call)"
        default: return "\(error)"
        }
    }
}

/// Which broker a tool begins with, and with which settings.
package enum Bootstrap {
    /// `--bootstrap-server`, else one of its older names, else the environment.
    package static func address(
        _ line: CommandLine, _ tool: any ToolWorld, older: String? = nil
    ) throws(CommandLineError) -> String? {
        if let given = try line.value("bootstrap-server") { return given }
        if let older, let given = try line.value(older) {
            tool.warn("note: --\(older) is the old name of --bootstrap-server")
            return given
        }
        return tool.environment("LETTERBOX_BOOTSTRAP")
    }

    package static func properties(_ path: String?, _ tool: any ToolWorld) throws(ToolFailure) -> Properties {
        guard let path else { return Properties() }
        switch tool.readFile(path) {
        case .failure(let error): throw ToolFailure("\(error)")
        case .success(let bytes):
            do throws(PropertiesError) {
                return try Properties(parsing: bytes)
            } catch {
                throw ToolFailure("\(path): \(error)")
            }
        }
    }
}

/// Topics by a regular expression, which the whole name must match; commas separate alternatives.
package struct TopicFilter {
    private let exact: Set<String>
    private let pattern: Regex<AnyRegexOutput>?

    package init(_ text: String) throws(ToolFailure) {
        let alternatives = text.split(separator: ",").map { $0.filter { $0 != " " } }
        let plain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ","),
                UInt8(ascii: " "):
                true
            default: false
            }
        }
        if plain {
            exact = Set(alternatives)
            pattern = nil
        } else {
            exact = []
            do {
                pattern = try Regex(alternatives.joined(separator: "|"))
            } catch {
                throw ToolFailure("\(text) is an invalid regex.")
            }
        }
    }

    package func matches(_ name: String) -> Bool {
        guard let pattern else { return exact.contains(name) }
        return (try? pattern.wholeMatch(in: name)) != nil
    }
}
