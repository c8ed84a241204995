import Testing

@testable import Tools

@Suite("A tool's words")
struct CommandLineTests {
    let options: [CommandOption] = [
        .value("topic", of: "NAME", help: ""), .value("partitions", of: "N", help: ""), .flag("create", help: ""),
        .optional("compression-codec", of: "CODEC", help: ""), .value("config", of: "K=V", help: ""),
        .value("time", "t", of: "MS", help: ""),
    ]

    func read(_ text: String) throws(CommandLineError) -> CommandLine {
        try CommandLine(text.split(separator: " ").map(String.init), options: options)
    }

    @Test("are read with one dash or two, with a blank or an equals sign") func forms() throws {
        for text in ["--topic a --partitions 3", "-topic a -partitions 3", "--topic=a -partitions=3"] {
            let line = try read(text)
            #expect(try line.value("topic") == "a")
            #expect(try line.integer("partitions") == 3)
        }
        #expect(try read("--config a=b").value("config") == "a=b")
        #expect(try read("--config=a=b").value("config") == "a=b")
        #expect(try read("--time -1").value("time") == "-1")
        #expect(try read("-t -1").value("time") == "-1")
    }

    @Test("may be repeated where a tool asks for all of them") func repeated() throws {
        let line = try read("--config a=1 --config b=2")
        #expect(line.all("config") == ["a=1", "b=2"])
        #expect(
            throws: CommandLineError("Found multiple arguments for option config, but you asked for only one")
        ) { try line.value("config") }
    }

    @Test("may leave an optional argument away") func optional() throws {
        let bare = try read("--compression-codec --topic a")
        #expect(bare.has("compression-codec"))
        #expect(try bare.value("compression-codec") == nil)
        #expect(try read("--compression-codec lz4").value("compression-codec") == "lz4")
    }

    @Test("behind two dashes are no options") func rest() throws {
        let line = try read("one --create -- --topic")
        #expect(line.rest == ["one", "--topic"])
        #expect(line.has("create"))
    }

    @Test("that are not known, lack an argument or are no number are refused as jopt-simple refuses them") func wrong()
    {
        #expect(throws: CommandLineError("frobnicate is not a recognized option")) { try read("--frobnicate") }
        #expect(throws: CommandLineError("top is not a recognized option")) { try read("--top a") }
        #expect(throws: CommandLineError("Option topic requires an argument")) { try read("--topic") }
        #expect(throws: CommandLineError("Option create does not accept arguments")) { try read("--create=yes") }
        #expect(throws: CommandLineError("Cannot parse argument 'x' of option partitions")) {
            try read("--partitions x").integer("partitions")
        }
        #expect(throws: CommandLineError("Missing required argument \"[topic]\"")) {
            try read("--create").require("topic")
        }
    }
}

@Suite("Topics by pattern")
struct TopicFilterTests {
    @Test("match with their whole name") func whole() throws {
        #expect(try TopicFilter("orders").matches("orders"))
        #expect(try !TopicFilter("orders").matches("orders2"))
        #expect(try TopicFilter("ord.*").matches("orders"))
        #expect(try !TopicFilter("rd.*").matches("orders"))
        #expect(try TopicFilter("a,b.").matches("bc"))
        #expect(throws: ToolFailure.self) { try TopicFilter("[") }
    }

    @Test("and partitions by range") func partitions() throws {
        func numbers(_ text: String) throws -> [Int32] {
            let pattern = try GetOffsetsCommand.Pattern(text)
            return (Int32(0)..<6).filter { pattern.matches("t", $0) }
        }
        #expect(try numbers("t:1") == [1])
        #expect(try numbers("t:0-3") == [0, 1, 2])
        #expect(try numbers("t:4-") == [4, 5])
        #expect(try numbers(":-2") == [0, 1])
        #expect(try numbers("t") == [0, 1, 2, 3, 4, 5])
        #expect(try numbers("u:1") == [])
        for wrong in ["t:x", "t:1-x", "t:-1-2"] {
            #expect(throws: ToolFailure.self) { try GetOffsetsCommand.Pattern(wrong) }
        }
    }
}
