import Bytes
import ClusterModel
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("Clients from before Kafka 0.11")
struct OldClientsTests {
    private let stage = Stage()

    init() {
        stage.start(0)
        stage.whenServing(0)
    }

    private struct Fetched {
        var code: ErrorCode
        var highWatermark: Int64
        var magics: Set<UInt8> = []
        var records: [OwnedRecord] = []
        var bytes = 0
        var values: [String] { records.map { String(decoding: $0.value ?? [], as: UTF8.self) } }
    }

    private func fetch(
        _ topics: [String], from offset: Int64 = 0, version: Int16, bytes: Int32 = 1 << 20, replica: Int32 = -1,
        client: RawClient? = nil
    ) throws -> [Fetched] {
        var request = FetchRequest()
        request.replicaID = replica
        request.minBytes = 1
        request.topics = topics.map { name in
            .with {
                $0.topic = name
                $0.partitions = [
                    .with {
                        $0.fetchOffset = offset
                        $0.partitionMaxBytes = bytes
                    }
                ]
            }
        }
        let answer = try #require(try (client ?? stage.client()).ask(request, version: version))
        #expect(answer.responses.map(\.topic) == topics)
        return try answer.responses.flatMap(\.partitions).map { data in
            var fetched = Fetched(code: data.errorCode, highWatermark: data.highWatermark)
            let bytes = data.records.withBytes { [UInt8]($0) }
            fetched.bytes = bytes.count
            try bytes.withUnsafeBytes { raw in
                var messages = LegacyMessages(raw)
                while let message = try messages.next() { fetched.magics.insert(message.magic) }
                fetched.records = try LegacyMessages.records(raw)
            }
            return fetched
        }
    }

    @Test("ApiVersions promises them Produce, Fetch and ListOffsets from 0 on") func promised() throws {
        var request = ApiVersionsRequest()
        request.clientSoftwareName = "test"
        request.clientSoftwareVersion = "1"
        let keys = try #require(try stage.client().ask(request, version: 3)).apiKeys
        let versions = keys.filter { $0.apiKey <= 2 }.map { $0.minVersion...$0.maxVersion }
        #expect(versions == [0...11, 0...17, 0...9])
    }

    @Test("get records in the format of their version, packed as they are", arguments: Stage.codecs) func formats(
        codec: String
    ) throws {
        try stage.makeTopic("t", [[0]])
        _ = try stage.produce(try Stage.batch(packed: codec, ["a", "b", "c"], times: [1, 2, 3]), to: "t")
        for version: Int16 in 0...3 {
            let fetched = try fetch(["t"], version: version)[0]
            guard codec != "zstd" else {
                #expect(fetched.code == .unsupportedCompressionType && fetched.bytes == 0)
                continue
            }
            #expect(fetched.code == .none && fetched.highWatermark == 3)
            #expect(fetched.magics == [version < 2 ? 0 : 1])
            #expect(fetched.values == ["a", "b", "c"])
            #expect(fetched.records.map(\.timestamp) == (version < 2 ? [-1, -1, -1] : [1, 2, 3]))
            #expect(fetched.records.map(\.offset) == [0, 1, 2])
            #expect(try fetch(["t"], from: 2, version: version)[0].values == ["c"])
            #expect(try fetch(["t"], from: 3, version: version)[0].bytes == 0)
            #expect(try fetch(["t"], from: 4, version: version)[0].code == .offsetOutOfRange)
        }
    }

    @Test("get what comes before a batch they cannot know, and then hear of that") func zstd() throws {
        try stage.makeTopic("t", [[0]])
        _ = try stage.produce(try Stage.batch(packed: "none", ["a"]), to: "t")
        _ = try stage.produce(try Stage.batch(packed: "zstd", ["b"]), to: "t")
        #expect(try fetch(["t"], version: 2)[0].values == ["a"])
        #expect(try fetch(["t"], from: 1, version: 2)[0].code == .unsupportedCompressionType)
    }

    @Test("get on however small their room is, and never get more than one message beyond it") func room() throws {
        try stage.makeTopic("t", [[0]])
        let text = String(repeating: "x", count: 300)
        for index in 0..<3 {
            _ = try stage.produce(
                try Stage.batch(packed: "none", (0..<10).map { "\(index)-\($0) \(text)" }), to: "t")
        }
        for version: Int16 in 0...3 {
            for room: Int32 in [1, 1000, 100_000] {
                var offset: Int64 = 0
                var count = 0
                while offset < 30 {
                    let fetched = try fetch(["t"], from: offset, version: version, bytes: room)[0]
                    let last = try #require(fetched.records.last)
                    #expect(fetched.records.first?.offset == offset)
                    #expect(fetched.bytes <= max(Int(room), 400))
                    count += fetched.records.count
                    offset = last.offset + 1
                }
                #expect(count == 30)
            }
        }
    }

    @Test("get something of each partition") func partitions() throws {
        for topic in ["a", "b", "c"] {
            try stage.makeTopic(topic, [[0]])
            _ = try stage.produce(try Stage.batch(packed: "gzip", [topic]), to: topic)
        }
        let client = stage.client()
        for version: Int16 in 0...2 {
            for _ in 0..<3 {
                let fetched = try fetch(["a", "b", "c"], version: version, bytes: 1, client: client)
                #expect(fetched.map(\.values) == [["a"], ["b"], ["c"]])
            }
        }
    }

    @Test("are told so where records are not converted, but followers are not") func disabled() throws {
        try stage.makeTopic("t", [[0]], ["message.downconversion.enable": "false"])
        _ = try stage.produce(try Stage.batch(packed: "none", ["a"]), to: "t")
        for version: Int16 in 0...3 {
            #expect(try fetch(["t"], version: version)[0].code == .unsupportedVersion)
            #expect(try fetch(["t"], version: version, replica: 0)[0].values == ["a"])
        }
        #expect(try stage.fetch("t", from: 0, version: 4)?.errorCode == ErrorCode.none)
    }

    @Test("learn where segments begin by ListOffsets 0, and one offset by the later ones") func listOffsets() throws {
        try stage.makeTopic("t", [[0]], ["segment.bytes": "300"])
        for index in 0..<6 {
            _ = try stage.produce(
                try Stage.batch(
                    packed: "gzip", ["\(index)", "x"], times: [Int64(1000 * index), Int64(1000 * index + 500)]),
                to: "t")
        }
        let host = try #require(stage.node(0)?.partitions.host("t", 0))
        stage.simulation.run(for: .seconds(1))
        let bases = host.log.segmentBases
        #expect(bases.count > 2)
        func ask(_ time: Int64, version: Int16, count: Int32 = 1, isolation: Int8 = 0) throws
            -> ListOffsetsResponse.ListOffsetsPartitionResponse
        {
            var request = ListOffsetsRequest()
            request.replicaID = -1
            request.isolationLevel = isolation
            request.topics = [
                .with {
                    $0.name = "t"
                    $0.partitions = [
                        .with {
                            $0.timestamp = time
                            $0.maxNumOffsets = count
                        }
                    ]
                }
            ]
            return try #require(try stage.client().ask(request, version: version)?.topics.first?.partitions.first)
        }
        #expect(try ask(-1, version: 0).oldStyleOffsets == [12])
        #expect(try ask(-1, version: 0, count: 100).oldStyleOffsets == [12] + bases.reversed())
        #expect(try ask(-1, version: 0, count: 2).oldStyleOffsets == [12, bases[bases.count - 1]])
        #expect(try ask(-2, version: 0, count: 100).oldStyleOffsets == [0])
        #expect(try ask(.max, version: 0, count: 1).oldStyleOffsets == [12])
        #expect(try ask(5, version: 0, count: 100).oldStyleOffsets == [])
        #expect(try ask(-3, version: 0).errorCode == .unsupportedVersion)
        for version: Int16 in 1...9 {
            for isolation: Int8 in version >= 2 ? [0, 1] : [0] {
                let latest = try ask(-1, version: version, isolation: isolation)
                #expect(latest.offset == 12 && latest.timestamp == -1)
                #expect(latest.leaderEpoch == (version >= 4 ? host.leaderEpoch.raw : -1))
                #expect(try ask(-2, version: version, isolation: isolation).offset == 0)
                // The exact record, inside a packed batch.
                let found = try ask(3001, version: version, isolation: isolation)
                #expect(found.offset == 7 && found.timestamp == 3500)
                #expect(try ask(3000, version: version).offset == 6)
                let none = try ask(5501, version: version)
                #expect(none.errorCode == .none && none.offset == -1 && none.timestamp == -1)
            }
            let largest = try ask(-3, version: version)
            #expect(largest.errorCode == (version >= 7 ? .none : .unsupportedVersion))
            if version >= 7 { #expect(largest.offset == 11 && largest.timestamp == 5500) }
            let local = try ask(-4, version: version)
            #expect(version >= 8 ? local.offset == 0 : local.errorCode == .unsupportedVersion)
            let tiered = try ask(-5, version: version)
            #expect(
                version >= 9
                    ? tiered.errorCode == .none && tiered.offset == -1 && tiered.leaderEpoch == -1
                    : tiered.errorCode == .unsupportedVersion)
            #expect(try ask(-6, version: version).errorCode == .unsupportedVersion)
        }
    }

    @Test("and new ones read what lies in the log in the old formats") func oldLogs() throws {
        try stage.makeTopic("t", [[0]])
        let host = try #require(stage.node(0)?.partitions.host("t", 0))
        var offset: Int64 = 0
        for (magic, codec) in [(0, "none"), (0, "gzip"), (1, "none"), (1, "lz4")] as [(UInt8, String)] {
            let new = try Stage.batch(packed: codec, ["\(offset)", "\(offset + 1)"], times: [1000, 2000])
            var old = try new.withUnsafeBytes { try BatchConversion.downConvert($0, toMagic: magic, from: 0) }.bytes
            old.withUnsafeMutableBytes { raw in
                // Offsets lie outside the checksums.
                var position = 0
                while let header = BatchHeader(UnsafeRawBufferPointer(rebasing: raw[position...])) {
                    raw.storeBytes(of: (header.baseOffset + offset).bigEndian, toByteOffset: position, as: Int64.self)
                    position += header.size
                }
            }
            // A packed message of magic 0 has its offsets inside.
            guard !(magic == 0 && codec != "none") || offset == 0 else { continue }
            old.withUnsafeBytes { host.log.appendAsFollower($0) { _ in } }
            stage.simulation.run(for: .seconds(1))
            offset += 2
            #expect(host.log.logEndOffset == offset)
        }
        #expect(try stage.produce(["new"], to: "t")?.baseOffset == offset)
        for version: Int16 in 0...3 {
            var values: [String] = []
            var at: Int64 = 0
            while at <= offset {
                let fetched = try fetch(["t"], from: at, version: version)[0]
                #expect(fetched.code == .none && fetched.magics.allSatisfy { $0 <= (version < 2 ? 0 : 1) })
                values += fetched.values
                at = try #require(fetched.records.last).offset + 1
            }
            #expect(values.count == Int(offset) + 1 && values.last == "new", "Fetch \(version): \(values)")
        }
        // Whoever knows all formats gets them as they are.
        let data = try #require(try stage.fetch("t", from: 0, version: 12))
        let magics = data.records.withBytes { raw in
            var entries = LogEntries(raw)
            var magics: [UInt8] = []
            while let entry = (try? entries.next()) ?? nil { magics.append(entry.header.magic) }
            return magics
        }
        #expect(Set(magics) == [0, 1, 2])
    }
}
