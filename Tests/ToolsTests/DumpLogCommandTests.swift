import Bytes
import ClusterModel
import Platform
import Records
import Testing

@testable import Tools

@Suite("kafka-dump-log")
struct DumpLogCommandTests {
    private let tool = SimulatedTool(coordinator: false)
    private let path = "/logs/t-0/00000000000000000000.log"

    private func install(_ bytes: [UInt8]) throws {
        try tool.world.disk.createDirectory("/logs/t-0")
        try tool.world.disk.replace(path, with: bytes)
    }

    private func run(_ words: String...) -> (status: Int32, out: [String], err: String) {
        (tool.out, tool.err) = ("", "")
        let status = DumpLogCommand.run(words, tool)
        let lines = tool.out.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return (status, lines, tool.err)
    }

    /// The lines of records.
    private func records(_ words: String...) -> [String] {
        (tool.out, tool.err) = ("", "")
        _ = DumpLogCommand.run(["--files", path] + words, tool)
        return tool.out.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).dropLast().filter {
            !$0.hasPrefix("Dumping ") && !$0.hasPrefix("Log starting") && !$0.hasPrefix("baseOffset: ")
        }
    }

    private func install(records: [([UInt8]?, [UInt8]?)]) throws {
        var builder = BatchBuilder()
        for (key, value) in records { builder.append(timestamp: 1, key: key, value: value) }
        try install(try builder.build(baseOffset: 0))
    }

    @Test(
        "shows Apache's internal topics as Apache's does",
        arguments: [
            ("CommitLogTests/Golden/internal", "__consumer_offsets-0", "--offsets-decoder"),
            ("CommitLogTests/Golden/internal", "__consumer_offsets-1", "--offsets-decoder"),
            ("ToolsTests/Golden", "__transaction_state-0", "--transaction-log-decoder"),
            ("ToolsTests/Golden", "__transaction_state-1", "--transaction-log-decoder"),
        ]) func golden(folder: String, name: String, decoder: String) throws
    {
        try install(try GoldenFiles.bytes("\(folder)/\(name)/00000000000000000000.log"))
        let expected = try GoldenFiles.lines("ToolsTests/Golden/dump/\(name)_00000000000000000000.log.txt")
        let found = run("--files", path, decoder)
        #expect(found.status == 0 && found.err == "")
        #expect(found.out.dropFirst() == expected.dropFirst())
        #expect(expected.count > 8)
    }

    @Test("shows keys and payloads alone where Kafka does, its bar included") func bare() throws {
        try install(records: [([0x6b], [0x76]), (nil, [0x76]), ([0x6b], nil), (nil, nil)])
        #expect(
            records("--print-data-log", "--skip-record-metadata") == [
                "| key: k payload: v", " payload: v", "| key: k", "",
            ])
        #expect(records("--deep-iteration", "--skip-record-metadata") == ["", "", "", ""])
        #expect(records("--skip-record-metadata") == [])
        #expect(
            records("--print-data-log").last
                == "| offset: 3 CreateTime: 1 keySize: -1 valueSize: -1 sequence: -1 headerKeys: []")
    }

    @Test("knows Kafka's decoders by their names, the old ones too") func decoders() throws {
        try install(records: [([0, 0, 1, 0], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 9])])
        let here = "--skip-record-metadata"
        #expect(
            records(here, "--key-decoder-class", "IntegerDecoder", "--value-decoder-class", "LongDecoder")
                == ["| key: 256 payload: -2"])
        #expect(
            records(here, "--key-decoder-class=org.apache.kafka.tools.api.DefaultDecoder").map { $0.prefix(20) }
                == ["| key: 00000100 payl"])
        #expect(
            records(here, "--key-decoder-class", "LongDecoder", "--value-decoder-class", "IntegerDecoder")
                == ["| key: 4 bytes where 8 are expected payload: -1"])
        let old = run(
            "--files", path, here, "--key-decoder-class", "kafka.serializer.IntegerDecoder",
            "--value-decoder-class", "kafka.serializer.LongDecoder")
        #expect(
            old.out[1...3] == [
                "kafka.serializer.LongDecoder is deprecated. Please use org.apache.kafka.tools.api.LongDecoder instead",
                "kafka.serializer.IntegerDecoder is deprecated. Please use org.apache.kafka.tools.api.IntegerDecoder instead",
                "Log starting offset: 0",
            ])
        // The option alone means text, and that records are shown.
        try install(records: [([0x6b], [0x76])])
        #expect(records("--value-decoder-class", here) == ["| key: k payload: v"])
        for name in ["my.own.StringDecoder", "org.apache.kafka.tools.api.kafka.serializer.StringDecoder", "x"] {
            let refused = run("--files", path, "--value-decoder-class", name)
            #expect(refused.status == 1 && refused.out == [""])
            #expect(refused.err.hasPrefix("no decoder \(name) is known here, and classes cannot be loaded: "))
        }
    }

    @Test("takes the first of several decoders in Kafka's order") func order() throws {
        try install(records: [([0, 3, 0, 1, 0x67], nil)])
        let group = [#"| key: {"type":"3","data":{"groupId":"g"}} payload: <DELETE>"#]
        let here = "--skip-record-metadata"
        #expect(records("--transaction-log-decoder", "--offsets-decoder", "--value-decoder-class", "x", here) == group)
        #expect(
            records("--transaction-log-decoder", "--value-decoder-class", "x", here) == ["| key: unknown::version=3"])
    }

    @Test(
        "refuses decoders of what does not exist here, and says what that is",
        arguments: [
            ("--cluster-metadata-decoder", "--cluster-metadata-decoder: there is no log of the cluster's metadata"),
            ("--remote-log-metadata-decoder", "--remote-log-metadata-decoder: there is no tiered storage"),
            // Kafka 3.9 has no such option either.
            ("--share-group-state-decoder", "share-group-state-decoder is not a recognized option"),
        ]) func refused(option: String, reason: String) throws
    {
        try install([])
        let found = run("--files", path, option)
        #expect(found.status == 1 && found.out == [""] && found.err.hasPrefix(reason))
    }

    @Test("tells every kind of control record") func control() throws {
        let marker = ControlRecord(kind: .abort, coordinatorEpoch: 12)
        var batches: [UInt8] = []
        for (offset, kind) in [0, 2, 6, 9].enumerated() {
            guard kind > 0 else {
                batches += marker.batch(timestamp: 1, producerID: 5, producerEpoch: 0)
                continue
            }
            var builder = BatchBuilder()
            builder.append(timestamp: 1, key: [0, 0, 0, UInt8(kind)], value: [0])
            batches += try builder.build(
                producer: .init(id: 5, epoch: 0, baseSequence: -1), isTransactional: true, isControl: true,
                baseOffset: Offset(offset))
        }
        try install(batches)
        #expect(
            records("--offsets-decoder").map { $0.split(separator: "] ").last ?? "" } == [
                "endTxnMarker: ABORT coordinatorEpoch: 12", "controlType: LEADER_CHANGE(2)",
                "controlType: KRAFT_VOTERS(6)",
                "controlType: UNKNOWN(9)",
            ])
    }

    @Test("survives any changed byte, whatever the records are taken for") func noise() throws {
        let log = try GoldenFiles.bytes("CommitLogTests/Golden/internal/__consumer_offsets-1/00000000000000000000.log")
        for decoder in ["--offsets-decoder", "--transaction-log-decoder"] {
            for at in stride(from: 0, to: log.count, by: 3) {
                var changed = log
                changed[at] ^= 1 << UInt8(at % 8)
                try install(changed)
                #expect(run("--files", path, decoder).status == 0)
            }
        }
    }

    @Test("says what is wrong with its words, and what it did not read") func words() throws {
        try install([])
        for (words, reason) in [
            (["--files", ""], "--files names no file"), (["--files", ","], "--files names no file"),
            (["--files", path, "--max-bytes", "-1"], "Cannot parse argument '-1' of option max-bytes"),
            (["--files", path, "--max-bytes", "2147483648"], "Cannot parse argument '2147483648' of option max-bytes"),
        ] {
            (tool.out, tool.err) = ("", "")
            #expect(DumpLogCommand.run(words, tool) == 1)
            #expect(tool.out == "" && tool.err.hasPrefix(reason + "\n"))
        }
        let more = run("--files", path, "b.log", "c.log")
        #expect(more.status == 0 && more.err.hasPrefix("Not read: b.log c.log ("))
        // As recorded from Kafka's: the name is told before the file is looked for.
        let missing = run("--files", "/nonexistent/0.log")
        #expect(missing.status == 1 && missing.out == ["Dumping /nonexistent/0.log", "Log starting offset: 0", ""])
    }

    @Test("gives the verdict on indexes as a status too") func verdict() throws {
        try install(records: [([0x6b], [0x76])])
        let index = "/logs/t-0/00000000000000000000.index"
        try tool.world.disk.replace(index, with: [0, 0, 0, 0, 0, 0, 0, 0])
        let sound = run("--files", index, "--index-sanity-check")
        #expect(sound.status == 0 && sound.out[1] == "\(index) passed sanity check." && sound.err == "")
        try tool.world.disk.replace(index, with: [0, 0, 0, 1, 0, 0, 0, 0, 0])
        let broken = run("--files", index, "--index-sanity-check")
        #expect(broken.status == 1 && broken.err == "\(index) is damaged: a start would build it anew.\n")
        #expect(run("--files", index).status == 0)
    }
}
