import Compression
import Configuration
import KafkaClient
import KafkaProtocol
import Platform

/// `kafka-console-producer`: every line of stdin becomes a message.
package enum ConsoleProducerCommand {
    static let help = HelpText(
        "This tool helps to read data from standard input and publish it to Kafka.",
        examples: [
            "kafka-console-producer.sh --bootstrap-server localhost:9092 --topic letters",
            "kafka-console-producer.sh --bootstrap-server localhost:9092 --topic orders --property parse.key=true "
                + "--property key.separator=:",
            "kafka-console-producer.sh --bootstrap-server localhost:9092 --topic letters --compression-codec zstd < file",
        ],
        options: [
            .value("topic", of: "NAME", help: "The topic; made when it is missing and the brokers allow that."),
            .value("bootstrap-server", of: "HOST:PORT", help: "The broker to ask first; several with commas."),
            .value("broker-list", of: "HOST:PORT", help: "The old name of --bootstrap-server."),
            .value(
                "property", of: "KEY=VALUE",
                help: "How lines are read; may be repeated: parse.key=false, parse.headers=false, ignore.error=false, "
                    + "key.separator=TAB, headers.delimiter=TAB, headers.separator=, headers.key.separator=: and null.marker, "
                    + "the text that stands for null. With all of them a line is h1:v1,h2:v2 TAB key TAB value."),
            .value("reader-config", of: "FILE", help: "Such properties in a file; --property wins."),
            .flag("sync", help: "Wait for each message's acknowledgement before the next is sent."),
            .optional("compression-codec", of: "CODEC", help: "none, gzip (the default when bare), snappy, lz4, zstd."),
            .value(
                "request-required-acks", of: "ACKS",
                help: "-1 or all: every replica in sync (default); 1: the leader; 0: nobody."),
            .value("timeout", of: "MS", help: "How long a message may wait for company. Default: not at all."),
            .value(
                "batch-size", of: "BYTES", help: "Size of a batch. Default: up to 256 KB while a request is on its way."
            ),
            .value("max-partition-memory-bytes", of: "BYTES", help: "The same."),
            .value("max-memory-bytes", of: "BYTES", help: "How much may wait to be sent (default 33554432)."),
            .value("message-send-max-retries", of: "N", help: "How often to try again. Default: for 120 s."),
            .value("retry-backoff-ms", of: "MS", help: "The pause before that (default 100)."),
            .value("request-timeout-ms", of: "MS", help: "How long to wait for an acknowledgement (default 30000)."),
            .value("max-block-ms", of: "MS", help: "How long to wait for the topic (default 60000)."),
            .value("metadata-expiry-ms", of: "MS", help: "Accepted, without effect.", hidden: true),
            .value("socket-buffer-size", of: "BYTES", help: "Accepted, without effect.", hidden: true),
            .value("line-reader", of: "CLASS", help: "Accepted for the default reader only.", hidden: true),
            .value(
                "producer-property", of: "KEY=VALUE",
                help: "A property of the producer: acks, linger.ms, compression.type ..."),
            .value("producer.config", of: "FILE", help: "Such properties in a file; --producer-property wins."),
            .flag("help", help: "This."),
            .flag("version", help: "The version of Kafka that this tool's words are from."),
        ])

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(arguments, help, tool) { line throws(ToolFailure) in
            let words: ProducerWords
            let bootstrap: String
            do throws(CommandLineError) {
                try line.require("topic")
                words = try ProducerWords(line, tool)
                guard
                    let given = try Bootstrap.address(line, tool, older: "broker-list")
                        ?? words.properties["bootstrap.servers"]
                else { throw CommandLineError("Missing required argument \"[bootstrap-server]\"") }
                bootstrap = given
            } catch {
                throw ToolFailure.usage(error.message, help)
            }
            let session = try ClusterSession(
                tool, bootstrap: bootstrap, clientID: "console-producer", config: words.properties,
                patience: words.maxBlock)
            var typist = Typist(tool: tool, session: session, words: words)
            return try typist.run()
        }
    }
}

/// What the command line says about the producer, defaults filled in: an option wins over a property.
struct ProducerWords {
    var topic = ""
    var properties = Properties()
    var reader = LineReader()
    var sending = RecordSender.Settings()
    var sync = false
    var maxMemory = 32 << 20
    var maxBlock: Duration = .seconds(60)

    init(_ line: CommandLine, _ tool: any ToolWorld) throws(CommandLineError) {
        topic = try line.value("topic") ?? ""
        sync = line.has("sync")
        if let reader = try line.value("line-reader"), !reader.hasSuffix("LineMessageReader") {
            throw CommandLineError("--line-reader \(reader): there is only the default reader here")
        }
        var readerProperties = Properties()
        do throws(ToolFailure) {
            properties = try Bootstrap.properties(try Self.value(line, "producer.config"), tool)
            readerProperties = try Bootstrap.properties(try Self.value(line, "reader-config"), tool)
        } catch {
            throw CommandLineError(error.message)
        }
        for pair in line.all("producer-property") where !properties.override(pair) {
            throw CommandLineError("Invalid command line properties: \(pair)")
        }
        var pairs = readerProperties.names.map { (name: $0, value: readerProperties[$0] ?? "") }
        for pair in line.all("property") {
            // Blanks count: a separator may be one.
            guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
                throw CommandLineError("Invalid command line properties: \(pair)")
            }
            pairs.append((name: String(pair[..<equals]), value: String(pair[pair.index(after: equals)...])))
        }
        do throws(ToolFailure) {
            reader = try LineReader(properties: pairs)
        } catch {
            throw CommandLineError(error.message)
        }
        try fillSending(line)
    }

    private static func value(_ line: CommandLine, _ name: String) throws(ToolFailure) -> String? {
        do throws(CommandLineError) { return try line.value(name) } catch { throw ToolFailure(error.message) }
    }

    private mutating func fillSending(_ line: CommandLine) throws(CommandLineError) {
        sending.topic = topic
        func number(_ option: String, _ property: String) throws(CommandLineError) -> Int? {
            if let given = try line.integer(option) { return max(0, given) }
            guard let text = properties[property] else { return nil }
            guard let number = Int(text) else {
                throw CommandLineError("Invalid value \(text) for configuration \(property): Not a number")
            }
            return max(0, number)
        }
        let acks = try line.value("request-required-acks") ?? properties["acks"] ?? "-1"
        switch acks {
        case "all", "-1": sending.acks = -1
        case "0": sending.acks = 0
        case "1": sending.acks = 1
        default:
            throw CommandLineError(
                "Invalid value \(acks) for configuration acks: String must be one of: all, -1, 0, 1")
        }
        let idempotence = properties["enable.idempotence"] ?? "true"
        guard ["true", "false"].contains(idempotence) else {
            throw CommandLineError(
                "Invalid value \(idempotence) for configuration enable.idempotence: Expected value to be either true or false"
            )
        }
        // As Kafka's: without acks=all it is off, unless it was asked for, which cannot be.
        if sending.acks != -1, properties["enable.idempotence"] == "true" {
            throw CommandLineError("Must set acks to all in order to use the idempotent producer.")
        }
        sending.isIdempotent = idempotence == "true" && sending.acks == -1
        var codec = properties["compression.type"] ?? "none"
        if line.has("compression-codec") { codec = try line.value("compression-codec") ?? "gzip" }
        guard let known = Codec(name: codec) else { throw CommandLineError("Unknown compression name: \(codec)") }
        sending.codec = known
        for option in ["batch-size", "max-partition-memory-bytes"] {
            if let bytes = try number(option, "batch.size") { sending.batchBytes = max(1, bytes) }
        }
        if let linger = try number("timeout", "linger.ms") { sending.linger = .milliseconds(linger) }
        sending.retries = try number("message-send-max-retries", "retries")
        if let backoff = try number("retry-backoff-ms", "retry.backoff.ms") {
            sending.retryBackoff = .milliseconds(backoff)
        }
        if let timeout = try number("request-timeout-ms", "request.timeout.ms"), timeout > 0 {
            sending.requestTimeout = .milliseconds(timeout)
        }
        if let text = properties["delivery.timeout.ms"], let timeout = Int(text), timeout > 0 {
            sending.deliveryTimeout = .milliseconds(timeout)
        }
        if let bytes = try number("max-memory-bytes", "buffer.memory") { maxMemory = max(1, bytes) }
        if let block = try number("max-block-ms", "max.block.ms") { maxBlock = .milliseconds(block) }
    }
}

/// Reads lines and hands them to the sender, at the pace at which they leave.
private struct Typist {
    let tool: any ToolWorld
    let session: ClusterSession
    var words: ProducerWords
    private var sender: RecordSender?
    private var interrupted = Flag()

    /// Set from within the loop.
    private final class Flag {
        var isSet = false
    }

    init(tool: any ToolWorld, session: ClusterSession, words: ProducerWords) {
        self.tool = tool
        self.session = session
        self.words = words
    }

    mutating func run() throws(ToolFailure) -> Int32 {
        let interrupted = interrupted
        // What was typed is still delivered.
        tool.onSignals([2, 15]) { _ in interrupted.isSet = true }
        let prompts = tool.inputIsTerminal && tool.outputIsTerminal
        // So that a broker that is not there is noticed before the first line is typed.
        session.link.metadata(of: [], until: session.deadline) { _ in }
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            if prompts { prompt() }
            guard awaitInput() else { break }
            let count = buffer.withUnsafeMutableBytes { tool.readInput($0) }
            if count < 0 { throw ToolFailure("stdin cannot be read") }
            if count == 0 { break }
            var records: [LineRecord] = []
            do throws(ToolFailure) {
                try take(buffer, count, &records)
            } catch {
                // The lines before the wrong one count.
                try send(records)
                drain()
                throw error
            }
            try send(records)
        }
        if !interrupted.isSet {
            var last: [LineRecord] = []
            try words.reader.finish { last.append($0) }
            try send(last)
        }
        drain()
        if interrupted.isSet { return 130 }
        return (sender?.failures ?? 0) > 0 ? 1 : 0
    }

    private mutating func take(
        _ buffer: [UInt8], _ count: Int, _ records: inout [LineRecord]
    ) throws(ToolFailure) {
        var failure: ToolFailure?
        buffer.withUnsafeBytes { raw in
            do throws(ToolFailure) {
                try words.reader.take(UnsafeRawBufferPointer(rebasing: raw[..<count])) { records.append($0) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func prompt() {
        [UInt8(ascii: ">")].withUnsafeBytes { _ = tool.write($0) }
    }

    /// Runs the loop until there is something to read. False when we are to stop.
    private func awaitInput() -> Bool {
        let isReady = Flag()
        let isWatched = tool.watchInput {
            isReady.isSet = true
            return false
        }
        // A file is always ready, but what waits to be sent must get its turn.
        if !isWatched { isReady.isSet = true }
        tool.run(until: { isReady.isSet || interrupted.isSet }, atMost: nil)
        return !interrupted.isSet
    }

    private mutating func send(_ records: [LineRecord]) throws(ToolFailure) {
        guard !records.isEmpty else { return }
        if sender == nil { sender = try open() }
        guard let sender else { return }
        for record in records {
            sender.append(record)
            if words.sync {
                sender.flush()
                tool.run(until: { sender.isIdle }, atMost: nil)
            }
        }
        sender.pump()
        let limit = words.maxMemory
        // One turn at least: what is ready leaves while more is read.
        tool.run(until: { false }, atMost: .zero)
        tool.run(until: { sender.unacknowledgedBytes < limit }, atMost: nil)
    }

    /// Waits until the topic is there.
    private func open() throws(ToolFailure) -> RecordSender {
        let topic = words.topic
        let result: Result<MetadataResponse, ClusterError> = tool.wait { then in
            session.link.metadata(
                of: [topic], allowCreation: true, until: session.deadline, again: retriable, then: then)
        }
        let lost = "Error when sending message to topic \(topic) with error: "
        switch result {
        case .failure(let error):
            _ = session.told(error, call: "metadata")
            throw ToolFailure(
                lost + "Topic \(topic) not present in metadata after \(words.maxBlock.wholeMilliseconds) ms.")
        case .success(let response):
            guard let found = response.topics.first else { throw ToolFailure(lost + "no metadata") }
            if found.errorCode == .invalidTopicException { throw ToolFailure(lost + "Invalid topics: [\(topic)]") }
            guard !found.partitions.isEmpty else {
                throw ToolFailure(
                    lost + "Topic \(topic) not present in metadata after \(words.maxBlock.wholeMilliseconds) ms: "
                        + "\(found.errorCode)")
            }
            let tool = tool
            return RecordSender(session.link, words.sending, partitions: found.partitions.count) { tool.warn($0) }
        }
    }

    /// A topic just created has no leaders for a moment.
    private func retriable(_ response: MetadataResponse) -> ErrorCode? {
        guard let topic = response.topics.first else { return .unknownTopicOrPartition }
        if topic.errorCode != .none { return topic.errorCode.isRetriable ? topic.errorCode : nil }
        return topic.partitions.allSatisfy { $0.leaderID < 0 } ? .leaderNotAvailable : nil
    }

    /// Waits for what is on its way.
    private func drain() {
        guard let sender else { return }
        sender.flush()
        tool.run(until: { sender.isIdle }, atMost: nil)
    }
}
