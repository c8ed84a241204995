import ClusterModel
import Platform
import Records
import Testing

@testable import CommitLog

@Suite("A log directory of Apache Kafka's")
struct GoldenDirectoryTests {
    static let ends: [(String, Offset)] = [
        ("g-gzip", 57), ("g-idemp", 60), ("g-logappend", 10), ("g-lz4", 57), ("g-none", 57), ("g-roll", 480),
        ("g-snappy", 57), ("g-txn", 17), ("g-zstd", 57),
    ]

    static func fixture() throws -> LogFixture {
        let fixture = LogFixture()
        fixture.settings.indexIntervalBytes = 512
        try fixture.install(golden: "log-dir", at: fixture.path)
        return fixture
    }

    @Test("opens as it is, nothing mended") func opens() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let directory = try fixture.open()
        #expect(directory.stoppedCleanly && !directory.tailIsSuspect)
        #expect(directory.identity == DirectoryIdentity(brokerID: 9, clusterID: "TAKzlgB3RpitKB91OrDKIg"))
        #expect(directory.failures.isEmpty)
        #expect(directory.internalTopicDirectories.isEmpty)
        #expect(fixture.node.lines.filter { $0.level >= .warning }.isEmpty)
        for (topic, end) in GoldenDirectoryTests.ends {
            let partition = TopicPartition(topic, 0)
            let log = try #require(directory.logs[partition])
            #expect(log.logEndOffset == end && log.logStartOffset == 0 && log.recoveryPoint == end)
            #expect(log.epochs.entries == [.init(epoch: 0, startOffset: 0)])
            #expect(log.topicID != nil)
            #expect(directory.highWatermarks[partition] == end)
        }
        #expect(directory.logs[TopicPartition("g-roll", 0)]?.topicID?.text == "r6kFzB-SR7y1YRMU5VYqdQ")
        #expect(directory.logs[TopicPartition("g-txn", 0)]?.firstUnstableOffset == 15)
    }

    @Test("names Apache's internal topics and passes them over") func internalTopics() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        try fixture.disk.createDirectory("\(fixture.path)/__consumer_offsets-3")
        try fixture.disk.createDirectory("\(fixture.path)/__transaction_state-0")
        try fixture.disk.createDirectory("\(fixture.path)/lost+found")
        let directory = try fixture.open()
        #expect(directory.internalTopicDirectories == ["__consumer_offsets-3", "__transaction_state-0"])
        #expect(directory.logs.count == GoldenDirectoryTests.ends.count)
    }

    /// The lines of `kafka-dump-log` about batches.
    struct Dumped {
        var baseOffset, lastOffset, position: Int64
        var size: Int
        var records: [(offset: Int64, timestamp: Int64)] = []

        static func batches(_ text: String) -> [Dumped] {
            var batches: [Dumped] = []
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                func value(_ key: Substring) -> Int64 {
                    words.firstIndex(of: key).flatMap { Int64(words[$0 + 1]) } ?? -1
                }
                if line.hasPrefix("baseOffset:") {
                    batches.append(
                        Dumped(
                            baseOffset: value("baseOffset:"), lastOffset: value("lastOffset:"),
                            position: value("position:"),
                            size: Int(value("size:"))))
                } else if line.hasPrefix("| offset:") {
                    let time = max(value("CreateTime:"), value("LogAppendTime:"))
                    batches[batches.count - 1].records.append((value("offset:"), time))
                }
            }
            return batches
        }
    }

    @Test("is read as kafka-dump-log reads it", arguments: ends.map(\.0))
    func dumps(topic: String) throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let directory = try fixture.open()
        let log = try #require(directory.logs[TopicPartition(topic, 0)])
        for base in log.segmentBases {
            let name = "dump/\(topic)-0_\(SegmentFiles.digits(base)).log.txt"
            let dumped = Dumped.batches(String(decoding: try LogFixture.golden(name), as: UTF8.self))
            #expect(!dumped.isEmpty)
            for batch in dumped {
                let slice = try log.read(
                    from: batch.lastOffset, maxBytes: 1, below: log.logEndOffset, atLeastOneBatch: true)
                #expect(slice.region?.offset == batch.position && slice.length == batch.size)
                #expect(slice.startOffset == batch.baseOffset)
                try slice.contents().withUnsafeBytes { raw in
                    let records = try RecordBatch(raw).ownedRecords()
                    #expect(records.map(\.offset) == batch.records.map(\.offset))
                    #expect(records.map(\.timestamp) == batch.records.map(\.timestamp))
                }
            }
        }
    }

    @Test("gets the same indexes and snapshots when they are rebuilt from the records") func rebuilt() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        var expected: [(name: String, bytes: [UInt8])] = []
        try fixture.disk.remove("\(fixture.path)/.kafka_cleanshutdown")
        try fixture.disk.remove("\(fixture.path)/recovery-point-offset-checkpoint")
        for (topic, _) in GoldenDirectoryTests.ends {
            for entry in try fixture.disk.list("\(fixture.path)/\(topic)-0") {
                guard let file = SegmentFiles.parse(entry.name), file.kind != .log, file.kind != .transactionIndex
                else {
                    continue
                }
                let path = "\(fixture.path)/\(topic)-0/\(entry.name)"
                expected.append((path, try fixture.disk.contents(path)))
                try fixture.disk.remove(path)
            }
            try fixture.disk.remove("\(fixture.path)/\(topic)-0/leader-epoch-checkpoint")
        }
        let directory = try fixture.open()
        #expect(!directory.stoppedCleanly && directory.tailIsSuspect)
        for (topic, end) in GoldenDirectoryTests.ends {
            let log = try #require(directory.logs[TopicPartition(topic, 0)])
            #expect(log.logEndOffset == end)
            #expect(log.epochs.entries == [.init(epoch: 0, startOffset: 0)])
        }
        #expect(fixture.close(directory) == nil)
        for (path, bytes) in expected {
            // A roll's snapshot is not made again; the one of the end is.
            if path.hasSuffix(".snapshot"), !fixture.disk.exists(path) { continue }
            #expect(try fixture.disk.contents(path) == bytes, "\(path)")
        }
        #expect(try fixture.disk.contents("\(fixture.path)/g-roll-0/00000000000000000480.snapshot").count == 286)
    }

    @Test("is closed so that nothing of it has changed") func unchanged() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        var before: [String: [UInt8]] = [:]
        func walk() throws -> [String: [UInt8]] {
            var files: [String: [UInt8]] = [:]
            for (topic, _) in GoldenDirectoryTests.ends {
                for entry in try fixture.disk.list("\(fixture.path)/\(topic)-0") {
                    let path = "\(fixture.path)/\(topic)-0/\(entry.name)"
                    files[path] = try fixture.disk.contents(path)
                }
            }
            return files
        }
        before = try walk()
        let directory = try fixture.open()
        let highWatermarks = directory.highWatermarks
        #expect(fixture.close(directory, highWatermarks) == nil)
        #expect(try walk() == before)
        let marker = String(decoding: try fixture.disk.contents("\(fixture.path)/.kafka_cleanshutdown"), as: UTF8.self)
        #expect(marker == "{\"version\":0,\"brokerEpoch\":7}")
        let again = try fixture.open()
        #expect(again.stoppedCleanly && again.highWatermarks == highWatermarks)
    }

    @Test("is cut behind the last whole batch, wherever its tail was torn") func tornTail() throws {
        let log = try LogFixture.golden("log-dir/g-none-0/00000000000000000000.log")
        let ends = try wholeBatches(log)
        #expect(ends.last?.position == log.count)
        let fixture = LogFixture()
        let directory = "\(fixture.path)/g-none-0"
        try fixture.disk.createDirectory(directory)
        for length in 0...log.count {
            try check(fixture, directory, Array(log[..<length]), ends.last { $0.position <= length })
        }
    }

    @Test("is cut before a batch that was changed, and before noise and zeros") func damagedTail() throws {
        let log = try LogFixture.golden("log-dir/g-none-0/00000000000000000000.log")
        let ends = try wholeBatches(log)
        let fixture = LogFixture()
        let directory = "\(fixture.path)/g-none-0"
        try fixture.disk.createDirectory(directory)
        let first = try #require(ends.first)
        for position in first.position..<log.count {
            // The leader epoch lies outside the checksum, and so does all but the order of the base offset.
            if (0..<8).contains(position - first.position) || (12..<16).contains(position - first.position) { continue }
            var damaged = log
            damaged[position] ^= 0x10
            try check(fixture, directory, damaged, first)
        }
        for noise: [UInt8] in [
            [UInt8](repeating: 0, count: 5000), (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 77) },
        ] {
            try check(fixture, directory, log + noise, ends.last)
        }
        // The same batches once more: their offsets are not above the end.
        try check(fixture, directory, log + log, ends.last)
    }

    @Test(
        "is read whole although an entry in the middle of an index points elsewhere",
        arguments: [-1000, 3000, Int32.max])
    func damagedIndex(position: Int32) throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let path = "\(fixture.path)/g-roll-0/00000000000000000000.index"
        let sound = try fixture.disk.contents(path)
        let middle = sound.count / 16
        #expect(middle > 0)
        var damaged = sound
        withUnsafeBytes(of: position.bigEndian) { damaged.replaceSubrange(middle * 8 + 4..<middle * 8 + 8, with: $0) }
        try fixture.disk.write(damaged, to: path)
        let directory = try fixture.open()
        let log = try #require(directory.logs[TopicPartition("g-roll", 0)])
        for offset in 0..<Offset(240) {
            let slice = try log.read(from: offset, maxBytes: 1, below: log.logEndOffset, atLeastOneBatch: true)
            let header = try #require(try slice.contents().withUnsafeBytes { BatchHeader($0) })
            #expect(header.baseOffset <= offset && header.lastOffset >= offset)
        }
    }

    private func wholeBatches(_ log: [UInt8]) throws -> [(position: Int, next: Offset)] {
        try log.withUnsafeBytes { raw in
            var ends: [(position: Int, next: Offset)] = []
            var batches = RecordBatches(raw)
            while let batch = try batches.next() { ends.append((batches.position, batch.nextOffset)) }
            return ends
        }
    }

    private func check(
        _ fixture: LogFixture, _ directory: String, _ content: [UInt8], _ expected: (position: Int, next: Offset)?
    ) throws {
        for entry in try fixture.disk.list(directory) { try fixture.disk.remove("\(directory)/\(entry.name)") }
        try fixture.disk.write(content, to: "\(directory)/00000000000000000000.log")
        let loaded = try LogRecovery.load(
            directory, disk: fixture.disk, settings: LogSettings(), recoveryPoint: 0, logStart: 0, isClean: false,
            lostPower: true, nowMs: 0)
        #expect(loaded.nextOffset == expected?.next ?? 0, "\(content.count) bytes")
        #expect(loaded.segments[0].size == Int64(expected?.position ?? 0))
        #expect(loaded.segments[0].file?.size == Int64(expected?.position ?? 0))
    }
}
