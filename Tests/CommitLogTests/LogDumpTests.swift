import ClusterModel
import Platform
import Records
import Testing

@testable import CommitLog

@Suite("What a log's files hold, in words")
struct LogDumpTests {
    /// The output for one file, with the path as the recorded output has it.
    func dump(
        _ path: String, on fixture: LogFixture, _ options: LogDump.Options = .init()
    ) throws -> (said: [String], complained: [String]) {
        var said: [String] = []
        var complained: [String] = []
        var dump = LogDump(disk: fixture.disk, options: options, say: { said.append($0) }) { complained.append($0) }
        try dump.dump(path)
        dump.finish()
        return (said, complained)
    }

    static let recorded = [
        "g-gzip-0_00000000000000000000.log", "g-idemp-0_00000000000000000000.log",
        "g-logappend-0_00000000000000000000.log", "g-lz4-0_00000000000000000000.log",
        "g-none-0_00000000000000000000.log", "g-roll-0_00000000000000000000.index",
        "g-roll-0_00000000000000000000.log", "g-roll-0_00000000000000000000.timeindex",
        "g-roll-0_00000000000000000240.index", "g-roll-0_00000000000000000240.snapshot",
        "g-roll-0_00000000000000000480.snapshot", "g-snappy-0_00000000000000000000.log",
        "g-txn-0_00000000000000000000.log", "g-txn-0_00000000000000000005.log",
        "g-txn-0_00000000000000000005.snapshot", "g-txn-0_00000000000000000005.txnindex",
        "g-txn-0_00000000000000000017.snapshot", "g-zstd-0_00000000000000000000.log",
    ]

    @Test("is what Apache's tool says", arguments: LogDumpTests.recorded) func golden(name: String) throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let parts = name.split(separator: "_", maxSplits: 1).map(String.init)
        var options = LogDump.Options()
        options.printsRecords = true
        let result = try dump("\(fixture.path)/\(parts[0])/\(parts[1])", on: fixture, options)
        let text = String(decoding: try LogFixture.golden("dump/\(name).txt"), as: UTF8.self)
        // A producer without batches leaves a blank at the line's end.
        let expected = text.split(separator: "\n").map(String.init)
        #expect(result.said.dropFirst() == expected.dropFirst())
        #expect(result.complained.isEmpty)
    }

    @Test("tells of damage and goes on behind it") func damage() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let path = "\(fixture.path)/g-none-0/00000000000000000000.log"
        fixture.node.storage.flipBit(of: path, at: 1000)
        let shallow = try dump(path, on: fixture)
        #expect(shallow.said.count == 4)
        #expect(shallow.said[2].hasSuffix("isvalid: false") && shallow.said[3].hasSuffix("isvalid: true"))
        // A length that cannot be ends it.
        let file = try fixture.disk.open(path, .update)
        try file.truncate(to: 2500)
        let cut = try dump(path, on: fixture)
        #expect(cut.said.last == "Found 142 invalid bytes at the end of 00000000000000000000.log")
        try file.truncate(to: 61 + 3)
        for length in 0..<64 {
            try file.truncate(to: Int64(length))
            var options = LogDump.Options()
            options.printsRecords = true
            _ = try dump(path, on: fixture, options)
        }
    }

    @Test("survives any changed byte in any file") func noise() throws {
        var options = LogDump.Options()
        options.printsRecords = true
        for name in ["00000000000000000005.log", "00000000000000000005.txnindex", "00000000000000000017.snapshot"] {
            let fixture = try GoldenDirectoryTests.fixture()
            let path = "\(fixture.path)/g-txn-0/\(name)"
            let size = try fixture.disk.open(path, .read).size
            for at in 0..<size {
                fixture.node.storage.flipBit(of: path, at: at, bit: Int(at % 8))
                _ = try dump(path, on: fixture, options)
                fixture.node.storage.flipBit(of: path, at: at, bit: Int(at % 8))
            }
        }
    }

    @Test("says which index entries the log contradicts") func indexes() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let path = "\(fixture.path)/g-roll-0/00000000000000000000.index"
        var options = LogDump.Options()
        options.checksSanityOnly = true
        #expect(try dump(path, on: fixture, options).said.last == "\(path) passed sanity check.")
        options = LogDump.Options()
        options.verifiesOnly = true
        #expect(try dump(path, on: fixture, options).said == ["Dumping \(path)"])
        // The first entry's offset: 159 becomes 158.
        fixture.node.storage.flipBit(of: path, at: 3)
        #expect(
            try dump(path, on: fixture, options).complained
                == ["Mismatches in :\(path)", "  Index offset: 158, log offset: 159"])
        let times = "\(fixture.path)/g-roll-0/00000000000000000000.timeindex"
        fixture.node.storage.flipBit(of: times, at: 7)
        #expect(
            try dump(times, on: fixture, options).complained
                == [
                    "Found timestamp mismatch in :\(times)",
                    "  Index timestamp: 1700000200078, log timestamp: 1700000200079",
                ])
    }

    @Test("reads checkpoints too, and passes over what it does not know") func others() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        #expect(
            try dump("\(fixture.path)/g-txn-0/leader-epoch-checkpoint", on: fixture).said.last
                == "epoch: 0 startOffset: 0")
        #expect(
            try dump("\(fixture.path)/replication-offset-checkpoint", on: fixture).said.contains(
                "partition: g-txn-0 offset: 17"))
        let unknown = try dump("\(fixture.path)/meta.properties", on: fixture)
        #expect(unknown.complained == ["Ignoring unknown file \(fixture.path)/meta.properties"])
        #expect(throws: DiskError.self) { try dump("/nonexistent/00000000000000000000.log", on: fixture) }
    }

    @Test("goes on behind damage in the middle") func middle() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let path = "\(fixture.path)/g-roll-0/00000000000000000000.log"
        let whole = try dump(path, on: fixture).said
        #expect(whole.count == 5)
        // The second batch's length.
        fixture.node.storage.flipBit(of: path, at: 3778 + 8, bit: 6)
        let found = try dump(path, on: fixture).said
        #expect(
            found == whole[0...2] + ["Found 3778 invalid bytes at position 3778 of 00000000000000000000.log"] + [
                whole[4]
            ])
        var options = LogDump.Options()
        options.isDeep = true
        #expect(
            try dump(path, on: fixture, options).complained
                == ["Non-consecutive offsets in \(path)", "  79 is followed by 160"])
        // Read in part, it is not searched.
        options = LogDump.Options()
        options.maxBytes = 9000
        #expect(try dump(path, on: fixture, options).said == Array(whole[0...2]))
    }

    @Test("takes names as Kafka's tool does, and says what it cannot take") func names() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let disk = fixture.disk
        let folder = "\(fixture.path)/g-roll-0"
        for kind in ["log", "index", "timeindex"] {
            try disk.rename("\(folder)/00000000000000000240.\(kind)", to: "\(folder)/240.\(kind)")
        }
        #expect(try dump("\(folder)/240.log", on: fixture).said[1] == "Log starting offset: 240")
        #expect(try dump("\(folder)/240.index", on: fixture).said[1].hasPrefix("offset: "))
        #expect(try dump("\(folder)/240.timeindex", on: fixture).said[1].hasPrefix("timestamp: "))
        for name in ["x", "", "-1", "9223372036854775807"] {
            try disk.replace("\(folder)/\(name).log", with: [1])
            #expect(
                try dump("\(folder)/\(name).log", on: fixture).complained
                    == ["Ignoring \(folder)/\(name).log: its name does not begin with an offset"])
        }
        #expect(try dump(folder, on: fixture).complained == ["Ignoring directory \(folder): name the files in it"])
        for name in [
            "0.log", "0.index", "0.timeindex", "0.txnindex", "0.snapshot", "leader-epoch-checkpoint", "x", "x.y",
        ] {
            #expect(throws: DiskError.self) { try dump("/nonexistent/\(name)", on: fixture) }
        }
    }

    @Test("shows messages of the old formats with their checksums") func legacy() throws {
        let fixture = LogFixture()
        var builder = BatchBuilder(codec: .gzip)
        builder.append(timestamp: 1000, key: [0x6b], value: [0x76])
        builder.append(timestamp: 2000, key: nil, value: [0x77])
        let batch = try builder.build(baseOffset: 7)
        let path = "\(fixture.path)/0.log"
        try fixture.disk.createDirectory(fixture.path)
        var options = LogDump.Options()
        options.printsRecords = true
        for magic: UInt8 in [0, 1] {
            let bytes = try batch.withUnsafeBytes { try BatchConversion.downConvert($0, toMagic: magic, from: 0) }.bytes
            try fixture.disk.replace(path, with: bytes)
            var crcs: [UInt32] = []
            try bytes.withUnsafeBytes { raw in try LegacyMessages.forEach(raw) { crcs.append($0.crc) } }
            let found = try dump(path, on: fixture, options).said.dropFirst(2)
            #expect(found.first?.hasPrefix("offset: 8 position: 0 ") == true && found.count == 3 && crcs.count == 2)
            let (type, times) = magic == 0 ? ("NoTimestampType", [-1, -1]) : ("CreateTime", [1000, 2000])
            #expect(
                found.dropFirst() == [
                    "| offset: 7 \(type): \(times[0]) keySize: 1 valueSize: 1 isValid: true crc: \(crcs[0])} key: k payload: v",
                    "| offset: 8 \(type): \(times[1]) keySize: -1 valueSize: 1 isValid: true crc: \(crcs[1])} payload: w",
                ])
        }
    }
}
