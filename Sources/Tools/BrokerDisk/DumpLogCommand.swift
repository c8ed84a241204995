import CommitLog
import Platform

/// `kafka-dump-log`: Kafka's words, options and lines; damaged files are told as far as they can be read.
package enum DumpLogCommand {
    static let help = HelpText(
        "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment.",
        examples: [
            "kafka-dump-log.sh --files data/broker-0/orders-0/00000000000000000000.log --print-data-log",
            "kafka-dump-log.sh --index-sanity-check --files data/broker-0/orders-0/00000000000000000000.index",
            "kafka-dump-log.sh --files data/broker-0/orders-0/leader-epoch-checkpoint",
        ],
        options: [
            .value("files", of: "FILE,…", help: "Logs, indexes, producer snapshots, checkpoints."),
            .flag("print-data-log", help: "Each record with its key and value."),
            .flag("deep-iteration", help: "Each record, not only each batch. Implied by --print-data-log."),
            .flag("skip-record-metadata", help: "Of each record only its key and value."),
            .value("max-bytes", of: "SIZE", help: "How much of each log is read, from its beginning."),
            .value("max-message-size", of: "SIZE", help: "Understood; there is no limit here."),
            .flag("index-sanity-check", help: "Of indexes only whether a start would believe them."),
            .flag("verify-index-only", help: "Of indexes only what is wrong."),
            .optional(
                "key-decoder-class", of: "CLASS", help: "StringDecoder, IntegerDecoder, LongDecoder, DefaultDecoder."),
            .optional("value-decoder-class", of: "CLASS", help: "The same for values."),
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
                options.maxBytes = try line.integer("max-bytes") ?? Int(Int32.max)
                if let name = try line.value("key-decoder-class") { options.decodeKey = try decoder(name) }
                if let name = try line.value("value-decoder-class") { options.decodeValue = try decoder(name) }
            } catch { throw ToolFailure.usage(error.message, help) }
            options.printsRecords =
                line.has("print-data-log") || line.has("key-decoder-class") || line.has("value-decoder-class")
            options.isDeep = line.has("deep-iteration") || options.printsRecords
            options.skipsRecordMetadata = line.has("skip-record-metadata")
            options.checksSanityOnly = line.has("index-sanity-check")
            options.verifiesOnly = line.has("verify-index-only")
            var dump = LogDump(disk: tool.world.disk, options: options, say: { tool.say($0) }) { tool.warn($0) }
            for file in files {
                do throws(DiskError) { try dump.dump(file) } catch { throw ToolFailure("\(error)") }
            }
            dump.finish()
            return 0
        }
    }

    /// Kafka's classes by name; with or without their package.
    private static func decoder(_ name: String) throws(CommandLineError) -> (UnsafeRawBufferPointer) -> String {
        func number(_ bytes: UnsafeRawBufferPointer, _ size: Int) -> String {
            guard bytes.count == size else { return "\(bytes.count) bytes where \(size) are expected" }
            let raw = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return size == 4 ? "\(Int32(truncatingIfNeeded: raw))" : "\(Int64(bitPattern: raw))"
        }
        switch name.split(separator: ".").last {
        case "StringDecoder": return { String(decoding: $0, as: UTF8.self) }
        case "IntegerDecoder": return { number($0, 4) }
        case "LongDecoder": return { number($0, 8) }
        case "DefaultDecoder":
            return { bytes in
                bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            }
        default: throw CommandLineError("no decoder \(name) is known here")
        }
    }
}
