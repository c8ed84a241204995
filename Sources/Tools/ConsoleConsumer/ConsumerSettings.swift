import Configuration

/// What the console consumer was asked for, options and properties together.
package struct ConsumerSettings {
    /// Where reading begins when nothing was committed, or what was is gone.
    package enum Reset: Equatable {
        case earliest, latest, none
    }
    package enum Start: Equatable {
        case earliest, latest
        case offset(Int64)
    }
    package enum Subject {
        case topic(String)
        /// A regular expression over names.
        case pattern(String)
        /// One partition, without a group.
        case partition(String, Int32, Start)
    }

    package var subject: Subject
    package var reset: Reset
    package var isFromBeginning: Bool
    /// nil: a group of its own, whose name is random.
    package var group: String?
    package var instanceID: String?
    package var commits: Bool
    package var commitInterval: Duration
    package var sessionTimeout: Duration
    package var heartbeatInterval: Duration
    package var rebalanceTimeout: Duration
    package var metadataAge: Duration
    package var fetchMinBytes: Int32
    package var fetchMaxWaitMs: Int32
    package var fetchMaxBytes: Int32
    package var partitionMaxBytes: Int32
    package var isReadCommitted: Bool
    package var createsTopics: Bool
    package var checksCRC: Bool
    package var maxMessages: Int?
    package var timeout: Duration?
    package var skipsErrors: Bool
    package var format: RecordFormat
    /// Of the client: client.id, security.protocol and so on.
    package var properties: Properties

    /// - Parameter file: `--consumer.config`; `formatter`: `--formatter-config`.
    package init(_ line: CommandLine, file: Properties, formatter: Properties) throws(CommandLineError) {
        properties = file
        properties.merge(try ConsumerSettings.pairs(line.all("consumer-property")))

        let topic = try line.value("topic")
        let pattern = try line.value("include")
        guard (topic == nil) != (pattern == nil) else {
            throw CommandLineError("Exactly one of --include/--topic is required. ")
        }
        isFromBeginning = line.has("from-beginning")
        let partition = try line.integer("partition")
        if partition != nil {
            guard topic != nil else { throw CommandLineError("The topic is required when partition is specified.") }
            if isFromBeginning, line.has("offset") {
                throw CommandLineError("Options from-beginning and offset cannot be specified together.")
            }
        } else if line.has("offset") {
            throw CommandLineError("The partition is required when offset is specified.")
        }
        let start = try ConsumerSettings.start(try line.value("offset"), isFromBeginning)
        if let topic, let partition {
            guard let number = Int32(exactly: partition), number >= 0 else {
                throw CommandLineError("Invalid partition: \(partition)")
            }
            subject = .partition(topic, number, start)
        } else {
            subject = topic.map { .topic($0) } ?? .pattern(pattern ?? "")
        }

        group = try ConsumerSettings.group(try line.value("group"), file, properties)
        if group != nil, partition != nil {
            throw CommandLineError("Options group and partition cannot be specified together.")
        }
        reset = try ConsumerSettings.reset(properties["auto.offset.reset"], isFromBeginning)
        instanceID = properties["group.instance.id"]
        let read = PropertyReader(properties: properties)
        commits = try read.flag("enable.auto.commit", group != nil)
        commitInterval = .milliseconds(try read.number("auto.commit.interval.ms", 5000, in: 0...Int(Int32.max)))
        sessionTimeout = .milliseconds(try read.number("session.timeout.ms", 45_000, in: 1...Int(Int32.max)))
        heartbeatInterval = .milliseconds(try read.number("heartbeat.interval.ms", 3000, in: 1...Int(Int32.max)))
        rebalanceTimeout = .milliseconds(try read.number("max.poll.interval.ms", 300_000, in: 1...Int(Int32.max)))
        metadataAge = .milliseconds(try read.number("metadata.max.age.ms", 300_000, in: 0...Int(Int32.max)))
        fetchMinBytes = Int32(try read.number("fetch.min.bytes", 1, in: 0...Int(Int32.max)))
        fetchMaxWaitMs = Int32(try read.number("fetch.max.wait.ms", 500, in: 0...Int(Int32.max)))
        fetchMaxBytes = Int32(try read.number("fetch.max.bytes", 50 << 20, in: 0...Int(Int32.max)))
        partitionMaxBytes = Int32(try read.number("max.partition.fetch.bytes", 1 << 20, in: 0...Int(Int32.max)))
        createsTopics = try read.flag("allow.auto.create.topics", true)
        checksCRC = try read.flag("check.crcs", true)
        switch try line.value("isolation-level") ?? properties["isolation.level"] ?? "read_uncommitted" {
        case "read_uncommitted": isReadCommitted = false
        case "read_committed": isReadCommitted = true
        case let other:
            throw CommandLineError(
                "Invalid value \(other) for configuration isolation.level: String must be one of: read_committed, "
                    + "read_uncommitted")
        }
        let most = try line.integer("max-messages") ?? -1
        maxMessages = most >= 0 ? most : nil
        let wait = try line.integer("timeout-ms") ?? -1
        timeout = wait >= 0 ? .milliseconds(wait) : nil
        skipsErrors = line.has("skip-message-on-error")

        var words = formatter
        for (option, key) in [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")] {
            if let name = try line.value(option), !name.isEmpty { words[key] = name }
        }
        words.merge(try ConsumerSettings.pairs(line.all("property")))
        format = try RecordFormat(
            formatter: try line.value("formatter") ?? "DefaultMessageFormatter", properties: words)
    }

    /// `key=value`, nothing trimmed: separators may be blanks.
    private static func pairs(_ words: [String]) throws(CommandLineError) -> Properties {
        var found = Properties()
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw CommandLineError("Invalid command line properties: \(word); key=value is needed")
            }
            found[String(word[..<equals])] = String(word[word.index(after: equals)...])
        }
        return found
    }

    private static func start(_ text: String?, _ isFromBeginning: Bool) throws(CommandLineError) -> Start {
        guard let text else { return isFromBeginning ? .earliest : .latest }
        switch text.lowercased() {
        case "earliest": return .earliest
        case "latest": return .latest
        default:
            guard let offset = Int64(text), offset >= 0 else {
                throw CommandLineError(
                    "The provided offset value '\(text)' is incorrect. Valid values are 'earliest', 'latest', or a "
                        + "non-negative long.")
            }
            return .offset(offset)
        }
    }

    private static func group(_ option: String?, _ file: Properties, _ all: Properties) throws(CommandLineError)
        -> String?
    {
        var given: [String] = []
        for name in [option, file["group.id"], all["group.id"]].compactMap({ $0 }) where !given.contains(name) {
            given.append(name)
        }
        guard given.count <= 1 else {
            throw CommandLineError(
                "The group ids provided in different places (directly using '--group', via '--consumer-property', or via "
                    + "'--consumer.config') do not match. Detected group ids: "
                    + given.map { "'\($0)'" }.joined(separator: ", "))
        }
        return given.first
    }

    private static func reset(_ text: String?, _ isFromBeginning: Bool) throws(CommandLineError) -> Reset {
        guard let text else { return isFromBeginning ? .earliest : .latest }
        if isFromBeginning, text != "earliest" {
            throw CommandLineError(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset=\(text)', please remove one option"
            )
        }
        switch text {
        case "earliest": return .earliest
        case "latest": return .latest
        case "none": return .none
        default:
            throw CommandLineError(
                "Invalid value \(text) for configuration auto.offset.reset: String must be one of: latest, earliest, none"
            )
        }
    }
}

private struct PropertyReader {
    var properties: Properties

    func number(_ key: String, _ fallback: Int, in allowed: ClosedRange<Int>) throws(CommandLineError) -> Int {
        guard let text = properties[key] else { return fallback }
        guard let value = Int(trimmed(text)), allowed.contains(value) else {
            throw CommandLineError("Invalid value \(text) for configuration \(key): Not a number of type INT")
        }
        return value
    }

    func flag(_ key: String, _ fallback: Bool) throws(CommandLineError) -> Bool {
        guard let text = properties[key] else { return fallback }
        switch trimmed(text).lowercased() {
        case "true": return true
        case "false": return false
        default:
            throw CommandLineError(
                "Invalid value \(text) for configuration \(key): Expected value to be either true or false")
        }
    }
}
