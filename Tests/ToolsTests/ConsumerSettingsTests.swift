import Bytes
import Configuration
import KafkaProtocol
import Records
import Testing

@testable import Tools

@Suite("What the console consumer is asked for")
struct ConsumerSettingsTests {
    func settings(_ words: String..., file: Properties = Properties()) throws -> ConsumerSettings {
        let line = try CommandLine(words, options: ConsoleConsumerCommand.help.options)
        return try ConsumerSettings(line, file: file, formatter: Properties())
    }

    @Test("without a group nothing is committed, with one it is") func groups() throws {
        let alone = try settings("--topic", "t")
        #expect(alone.group == nil && !alone.commits && alone.reset == .latest)
        let member = try settings("-topic", "t", "--group=g", "--from-beginning")
        #expect(member.group == "g" && member.commits && member.reset == .earliest)
        #expect(try settings("--topic", "t", file: Properties(["group.id": "f"])).group == "f")
        #expect(throws: CommandLineError.self) {
            try settings("--topic", "t", "--group", "g", file: Properties(["group.id": "f"]))
        }
    }

    @Test("one partition begins at its end, at an offset, or at the beginning") func partitions() throws {
        func start(_ words: String...) throws -> ConsumerSettings.Start? {
            let line = try CommandLine(
                ["--topic", "t", "--partition", "1"] + words, options: ConsoleConsumerCommand.help.options)
            guard
                case .partition("t", 1, let start) = try ConsumerSettings(
                    line, file: Properties(), formatter: Properties()
                ).subject
            else { return nil }
            return start
        }
        #expect(try start() == .latest)
        #expect(try start("--offset", "40") == .offset(40))
        #expect(try start("--offset", "Earliest") == .earliest)
        #expect(try start("--from-beginning") == .earliest)
        for wrong in [
            ["--offset", "-3"], ["--offset", "x"], ["--group", "g"], ["--from-beginning", "--offset", "1"],
        ] {
            #expect(throws: CommandLineError.self) {
                let line = try CommandLine(
                    ["--topic", "t", "--partition", "1"] + wrong, options: ConsoleConsumerCommand.help.options)
                _ = try ConsumerSettings(line, file: Properties(), formatter: Properties())
            }
        }
    }

    @Test("options that do not go together are refused in Kafka's words") func refused() {
        #expect(throws: CommandLineError("Exactly one of --include/--topic is required. ")) { try settings() }
        #expect(throws: CommandLineError("The partition is required when offset is specified.")) {
            try settings("--topic", "t", "--offset", "1")
        }
        #expect(throws: CommandLineError("no.such.Formatter")) {
            try settings("--topic", "t", "--formatter", "no.such.Formatter")
        }
        #expect(throws: CommandLineError.self) {
            try settings("--topic", "t", "--from-beginning", "--consumer-property", "auto.offset.reset=latest")
        }
        #expect(throws: CommandLineError.self) { try settings("--topic", "t", "--isolation-level", "dirty") }
        #expect(throws: CommandLineError.self) {
            try settings("--topic", "t", "--consumer-property", "session.timeout.ms=soon")
        }
    }

    @Test("separators may be blanks; a property wins over an option's default") func properties() throws {
        let some = try settings(
            "--topic", "t", "--property", "key.separator= = ", "--property", "print.key=TRUE", "--consumer-property",
            "isolation.level=read_committed", "--consumer-property", "enable.auto.commit=true", "--max-messages", "3",
            "--timeout-ms", "500")
        #expect(some.format.keySeparator == Array(" = ".utf8) && some.format.printsKey)
        #expect(some.isReadCommitted && some.commits)
        #expect(some.maxMessages == 3 && some.timeout == .milliseconds(500))
    }
}

@Suite("How a record becomes a line")
struct RecordFormatTests {
    func line(_ properties: Properties, key: String?, value: [UInt8]?, headers: [RecordHeader] = []) throws -> String {
        let format = try RecordFormat(formatter: "kafka.tools.DefaultMessageFormatter", properties: properties)
        var builder = BatchBuilder()
        builder.append(timestamp: 77, key: key.map { Array($0.utf8) }, value: value, headers: headers)
        let bytes = try builder.build(baseOffset: 5)
        return try bytes.withUnsafeBytes { raw in
            var records = try RecordIterator(try RecordBatch(raw))
            var out = ByteWriter()
            while let record = try records.next() {
                try format.write(record, partition: 2, isLogAppendTime: false, into: &out)
            }
            return String(decoding: out.array, as: UTF8.self)
        }
    }

    @Test("everything, in Kafka's order") func everything() throws {
        let all = Properties([
            "print.timestamp": "true", "print.partition": "true", "print.offset": "true", "print.headers": "true",
            "print.key": "true",
        ])
        #expect(
            try line(all, key: nil, value: Array("one".utf8))
                == "CreateTime:77\tPartition:2\tOffset:5\tNO_HEADERS\tnull\tone\n")
        let headers = [
            RecordHeader(key: Array("h1".utf8), value: Array("a".utf8)),
            RecordHeader(key: Array("h2".utf8), value: nil),
        ]
        #expect(
            try line(
                Properties(["print.headers": "true", "null.literal": "-"]), key: "k", value: nil, headers: headers)
                == "h1:a,h2:-\t-\n")
    }

    @Test("the value can be left out, and numbers decoded") func decoded() throws {
        #expect(
            try line(Properties(["print.key": "true", "print.value": "false"]), key: "k", value: [1])
                == "k\n")
        #expect(
            try line(
                Properties(["value.deserializer": "org.apache.kafka.common.serialization.LongDeserializer"]), key: nil,
                value: [255, 255, 255, 255, 255, 255, 255, 254]) == "-2\n")
        #expect(throws: ToolFailure.self) {
            try line(Properties(["value.deserializer": "IntegerDeserializer"]), key: nil, value: [1])
        }
    }
}

@Suite("What consumers of a group tell each other")
struct GroupBytesTests {
    @Test("newer subscriptions are read as far as they are known") func newer() {
        var bytes = GroupMembership.bytes(GroupBytesTests.wish, version: 1)
        bytes[1] = 9
        bytes += [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]
        #expect(GroupMembership.subscription(bytes).topics == ["a", "b"])
        #expect(GroupMembership.subscription([0]).topics == [])
        #expect(GroupMembership.share([0, 1, 0x7f, 0xff, 0xff, 0xff]) == [])
    }

    static var wish: ConsumerProtocolSubscription {
        var wish = ConsumerProtocolSubscription()
        wish.topics = ["a", "b"]
        return wish
    }
}
