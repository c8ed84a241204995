import CommitLog
import Platform

/// `kafka-dump-log`: Kafka's words, options and lines; damaged files are told as far as they can be read.
package enum DumpLogCommand {
    static let help = HelpText(
        "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment.",
        examples: [
            "kafka-dump-log.sh --files data/broker-0/orders-0/00000000000000000000.log --print-data-log",
            "kafka-dump-log.sh --files kafka/__consumer_offsets-7/00000000000000000000.log --offsets-decoder",
            "kafka-dump-log.sh --index-sanity-check --files data/broker-0/orders-0/00000000000000000000.index",
            "kafka-dump-log.sh --files data/broker-0/orders-0/leader-epoch-checkpoint",
        ],
        options: [
            .value("files", of: "FILE,…", help: "Logs, indexes, producer snapshots, checkpoints."),
            .flag("print-data-log", help: "Each record with its key and value. Implied by every decoder."),
            .flag("deep-iteration", help: "Each record, not only each batch. Implied by --print-data-log."),
            .flag("skip-record-metadata", help: "Of each record only its key and value."),
            .flag("offsets-decoder", help: "Records are those of Apache Kafka's __consumer_offsets."),
            .flag("transaction-log-decoder", help: "Records are those of Apache Kafka's __transaction_state."),
            .optional(
                "key-decoder-class", of: "CLASS",
                help: "StringDecoder, IntegerDecoder, LongDecoder or DefaultDecoder (hexadecimal); "
                    + "org.apache.kafka.tools.api. may stand before it."),
            .optional("value-decoder-class", of: "CLASS", help: "The same for values."),
            .flag(
                "cluster-metadata-decoder", help: "Refused: without KRaft there is no log of the cluster's metadata."),
            .flag("remote-log-metadata-decoder", help: "Refused: there is no tiered storage."),
            .value("max-bytes", of: "SIZE", help: "How much of each log is read, from its beginning."),
            .value("max-message-size", of: "SIZE", help: "Understood; there is no limit here."),
            .flag("index-sanity-check", help: "Of indexes only whether a start would believe them."),
            .flag("verify-index-only", help: "Of indexes only what is wrong."),
            .flag("version", help: "Which Kafka's words these are."),
            .flag("help", help: "This."),
        ])

    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(words, help, tool) { (line) throws(ToolFailure) in
            var options = LogDump.Options()
            let files: [String]
            do throws(CommandLineError) {
                try line.require("files")
                files = (try line.value("files") ?? "").split(separator: ",").map(String.init)
                if files.isEmpty { throw CommandLineError("--files names no file") }
                options.maxBytes = try size(line, "max-bytes") ?? Int(Int32.max)
                _ = try size(line, "max-message-size")
                try chooseDecoder(line, &options)
            } catch { throw ToolFailure.usage(error.message, help) }
            if line.has("cluster-metadata-decoder") {
                throw ToolFailure(
                    "--cluster-metadata-decoder: there is no log of the cluster's metadata, which only KRaft keeps; "
                        + "it stands in the coordinator's tree, and zookeeper-shell.sh shows it")
            }
            if line.has("remote-log-metadata-decoder") {
                throw ToolFailure(
                    "--remote-log-metadata-decoder: there is no tiered storage, and no __remote_log_metadata")
            }
            options.isDeep = line.has("deep-iteration") || options.printsRecords
            options.skipsRecordMetadata = line.has("skip-record-metadata")
            options.checksSanityOnly = line.has("index-sanity-check")
            options.verifiesOnly = line.has("verify-index-only")
            var dump = LogDump(disk: tool.world.disk, options: options, say: { tool.say($0) }) { tool.warn($0) }
            for file in files {
                do throws(DiskError) { try dump.dump(file) } catch { throw ToolFailure("\(error)") }
            }
            dump.finish()
            if !line.rest.isEmpty {
                tool.warn(
                    "Not read: \(line.rest.joined(separator: " ")) (several files are written with commas between them)"
                )
            }
            // Whoever asks for a verdict alone gets it as a status too, as from Kafka's.
            return options.checksSanityOnly && dump.foundDamage ? 1 : 0
        }
    }

    private static func size(_ line: CommandLine, _ option: String) throws(CommandLineError) -> Int? {
        guard let size = try line.integer(option) else { return nil }
        guard (0...Int(Int32.max)).contains(size) else {
            throw CommandLineError("Cannot parse argument '\(size)' of option \(option)")
        }
        return size
    }

    /// Of several the first in Kafka's order.
    private static func chooseDecoder(_ line: CommandLine, _ options: inout LogDump.Options) throws(CommandLineError) {
        options.printsRecords = ["print-data-log", "offsets-decoder", "transaction-log-decoder"].contains {
            line.has($0)
        }
        if line.has("offsets-decoder") {
            options.decode = GroupRecord.words
        } else if line.has("transaction-log-decoder") {
            options.decode = TransactionRecord.words
        } else {
            let value = try valueDecoder(line, "value-decoder-class", &options)
            let key = try valueDecoder(line, "key-decoder-class", &options)
            options.decode = LogDump.decoder(key: key, value: value)
        }
    }

    private static func valueDecoder(
        _ line: CommandLine, _ option: String, _ options: inout LogDump.Options
    ) throws(CommandLineError) -> (UnsafeRawBufferPointer) -> String {
        guard line.has(option) else { return LogDump.text }
        options.printsRecords = true
        guard let name = try line.value(option) else { return LogDump.text }
        let (package, older) = ("org.apache.kafka.tools.api.", "kafka.serializer.")
        var short = name
        for prefix in [package, older] where name.hasPrefix(prefix) { short = String(name.dropFirst(prefix.count)) }
        guard let decoder = decoder(short) else {
            throw CommandLineError(
                "no decoder \(name) is known here, and classes cannot be loaded: StringDecoder, IntegerDecoder, "
                    + "LongDecoder and DefaultDecoder are there")
        }
        if name.hasPrefix(older) {
            options.remarks.append("\(name) is deprecated. Please use \(package)\(short) instead")
        }
        return decoder
    }

    private static func decoder(_ name: String) -> ((UnsafeRawBufferPointer) -> String)? {
        /// Of longer values the beginning, as Java reads it.
        func number(_ bytes: UnsafeRawBufferPointer, _ size: Int) -> String {
            guard bytes.count >= size else { return "\(bytes.count) bytes where \(size) are expected" }
            let raw = bytes.prefix(size).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return size == 4 ? "\(Int32(truncatingIfNeeded: raw))" : "\(Int64(bitPattern: raw))"
        }
        switch name {
        case "StringDecoder": return LogDump.text
        case "IntegerDecoder": return { number($0, 4) }
        case "LongDecoder": return { number($0, 8) }
        case "DefaultDecoder":
            return { bytes in
                bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            }
        default: return nil
        }
    }
}
