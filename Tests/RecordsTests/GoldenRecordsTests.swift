import Bytes
import Compression
import FoundationEssentials
import Testing

@testable import Records

func bytes(hex: String) -> [UInt8] {
    var result: [UInt8] = []
    var high: UInt8?
    for digit in hex.utf8 {
        let value = digit < 58 ? digit - 48 : digit - 87
        if let top = high {
            result.append(top << 4 | value)
            high = nil
        } else {
            high = value
        }
    }
    return result
}

/// One array of batches as the Java library wrote and explained it.
struct GoldenRecords: Decodable, Sendable, CustomTestStringConvertible {
    struct Batch: Decodable, Sendable {
        var magic: UInt8
        var baseOffset, lastOffset: Int64
        var sizeInBytes: Int
        var crc: UInt32
        var compression, timestampType: String
        var maxTimestamp, producerId: Int64
        var producerEpoch: Int16
        var baseSequence, lastSequence: Int32
        var transactional, control: Bool
        var partitionLeaderEpoch: Int32
        var records: [Record]
    }
    struct Record: Decodable, Sendable {
        struct Header: Decodable, Sendable {
            var key: String
            var valueHex: String?
        }
        var offset, timestamp: Int64
        var keyHex, valueHex: String?
        var headers: [Header]

        var owned: OwnedRecord {
            OwnedRecord(
                offset: offset, timestamp: timestamp, key: keyHex.map(bytes(hex:)), value: valueHex.map(bytes(hex:)),
                headers: headers.map {
                    RecordHeader(key: Array($0.key.utf8), value: $0.valueHex.map(bytes(hex:)))
                })
        }
    }
    var name, hex: String
    var batches: [Batch]
    var testDescription: String { name }

    static let all: [GoldenRecords] = {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        guard let data = FileManager.default.contents(atPath: "/\(folder)/Golden/records.json"),
            let all = try? JSONDecoder().decode([GoldenRecords].self, from: data)
        else { return [] }
        return all
    }()
    static let modern = all.filter { $0.batches.first?.magic == 2 }
    static let legacy = all.filter { ($0.batches.first?.magic ?? 2) < 2 }
}

@Suite("Recorded batches")
struct GoldenRecordsTests {
    @Test("are all there") func count() {
        #expect(GoldenRecords.modern.count == 15)
        #expect(GoldenRecords.legacy.count == 12)
    }

    @Test("of magic 2 are read as Java reads them", arguments: GoldenRecords.modern)
    func modern(golden: GoldenRecords) throws {
        let data = bytes(hex: golden.hex)
        try data.withUnsafeBytes { raw in
            var batches = RecordBatches(raw)
            for expected in golden.batches {
                let batch = try #require(try batches.next())
                #expect(batch.baseOffset == expected.baseOffset)
                #expect(batch.lastOffset == expected.lastOffset)
                #expect(batch.size == expected.sizeInBytes)
                #expect(batch.crc == expected.crc && batch.crcMatches)
                #expect(batch.codec?.name == expected.compression)
                #expect(batch.isLogAppendTime == (expected.timestampType == "LogAppendTime"))
                #expect(batch.maxTimestamp == expected.maxTimestamp)
                #expect(batch.producerID == expected.producerId && batch.producerEpoch == expected.producerEpoch)
                #expect(batch.baseSequence == expected.baseSequence && batch.lastSequence == expected.lastSequence)
                #expect(batch.isTransactional == expected.transactional && batch.isControl == expected.control)
                #expect(batch.leaderEpoch.raw == expected.partitionLeaderEpoch)
                #expect(try batch.ownedRecords() == expected.records.map(\.owned))
                let header = try #require(BatchHeader(batch.bytes))
                #expect(header.lastOffset == batch.lastOffset && header.size == batch.size)
                #expect(header.maxTimestamp == batch.maxTimestamp && header.leaderEpoch == batch.leaderEpoch)
            }
            #expect(try batches.next() == nil)
            #expect(batches.position == data.count)
        }
    }

    @Test(
        "of magic 2 are built to the same bytes, or with a codec to the same records", arguments: GoldenRecords.modern)
    func built(golden: GoldenRecords) throws {
        let data = bytes(hex: golden.hex)
        try data.withUnsafeBytes { raw in
            var batches = RecordBatches(raw)
            while let batch = try batches.next() {
                guard batch.count > 0 else { return }
                let records = try batch.ownedRecords()
                var builder = BatchBuilder(codec: try #require(batch.codec))
                for record in records { builder.append(record) }
                let built = try builder.build(
                    producer: .init(id: batch.producerID, epoch: batch.producerEpoch, baseSequence: batch.baseSequence),
                    isTransactional: batch.isTransactional, isControl: batch.isControl, baseOffset: batch.baseOffset,
                    leaderEpoch: batch.leaderEpoch, logAppendTime: batch.isLogAppendTime ? batch.maxTimestamp : nil)
                // What Java's builder did with timestamps in LogAppendTime batches is its own affair.
                if batch.codec == Codec.none, !batch.isLogAppendTime { #expect(built == [UInt8](batch.bytes)) }
                try built.withUnsafeBytes { again in
                    let batch = try RecordBatch(again)
                    #expect(batch.crcMatches)
                    #expect(try batch.ownedRecords() == records)
                }
            }
        }
    }

    @Test("of magic 0 and 1 are read as Java reads them", arguments: GoldenRecords.legacy)
    func legacy(golden: GoldenRecords) throws {
        let data = bytes(hex: golden.hex)
        let records = try data.withUnsafeBytes { try LegacyMessages.records($0) }
        #expect(records == golden.batches.flatMap { $0.records.map(\.owned) })
    }

    @Test("of magic 0 and 1 become one batch of magic 2 with the same codec", arguments: GoldenRecords.legacy)
    func upConverted(golden: GoldenRecords) throws {
        let data = bytes(hex: golden.hex)
        let isLogAppendTime = golden.name.hasSuffix("LogAppendTime")
        let converted = Result {
            try data.withUnsafeBytes { try BatchConversion.upConvert($0, BatchValidator.Rules()) }
        }
        guard !isLogAppendTime else {
            #expect(throws: RecordError.self) { try converted.get() }
            return
        }
        let batch = try #require(try converted.get())
        try batch.withUnsafeBytes { raw in
            let view = try RecordBatch(raw)
            #expect(view.codec?.name == golden.batches[0].compression)
            let expected = golden.batches.flatMap(\.records)
            let records = try view.ownedRecords()
            #expect(records.map(\.offset) == Array(0..<Int64(expected.count)))
            #expect(records.map(\.timestamp) == expected.map(\.timestamp))
            #expect(records.map(\.key) == expected.map(\.owned.key))
            #expect(records.map(\.value) == expected.map(\.owned.value))
        }
    }

    @Test("go down to message sets and lose only what these cannot hold", arguments: GoldenRecords.modern)
    func downConverted(golden: GoldenRecords) throws {
        let data = bytes(hex: golden.hex)
        let isZstd = golden.batches[0].compression == "zstd"
        for magic: UInt8 in [0, 1] {
            let set = Result {
                try data.withUnsafeBytes { try BatchConversion.downConvert($0, toMagic: magic, from: 0) }
            }
            if isZstd {
                #expect(throws: RecordError.unsupportedCompression(.zstd)) { try set.get() }
                continue
            }
            let bytes = try set.get().bytes
            let codecs = try bytes.withUnsafeBytes { raw in
                var codecs: Set<String> = []
                var messages = LegacyMessages(raw)
                while let message = try messages.next() { codecs.insert(message.codec.name) }
                return codecs
            }
            #expect(codecs == Set(golden.batches.filter { !$0.control && !$0.records.isEmpty }.map(\.compression)))
            let records = try bytes.withUnsafeBytes { try LegacyMessages.records($0) }
            let expected = golden.batches.filter { !$0.control }.flatMap { $0.records.map(\.owned) }
            #expect(records.map(\.offset) == expected.map(\.offset))
            #expect(records.map(\.value) == expected.map(\.value))
            #expect(records.map(\.timestamp) == expected.map { magic == 0 ? -1 : $0.timestamp })
        }
    }

    @Test("survive any single changed byte without a trap") func damage() throws {
        for golden in GoldenRecords.all {
            let data = bytes(hex: golden.hex)
            for position in data.indices {
                var changed = data
                changed[position] ^= 0xff
                changed.withUnsafeBytes { raw in
                    var batches = RecordBatches(raw)
                    while let batch = try? batches.next() { _ = try? batch.ownedRecords(limit: 1 << 16) }
                    _ = try? LegacyMessages.records(raw, limit: 1 << 16)
                    _ = try? BatchConversion.upConvert(raw, BatchValidator.Rules(), limit: 1 << 16)
                    for magic: UInt8 in [0, 1] {
                        _ = try? BatchConversion.downConvert(raw, toMagic: magic, from: 0, limit: 1 << 16)
                    }
                    var entries = LogEntries(raw)
                    while let entry = (try? entries.next()) ?? nil { _ = entry.header.lastOffset }
                    _ = BatchHeader(raw)
                }
                changed.withUnsafeMutableBytes { raw in
                    var rules = BatchValidator.Rules()
                    rules.packing = .init(.lz4)
                    rules.needsKeys = true
                    guard let batch = try? RecordBatch(UnsafeRawBufferPointer(raw)) else { return }
                    _ = try? BatchPreparation.prepare(raw, batch, rules, limit: 1 << 16)
                }
            }
        }
    }

    /// The same record, key `k` and value `v`, as the Java library packs it: plain, gzip, snappy, lz4, zstd.
    static let oneRecord = [
        "00000000000000000000003affffffff02e99b8dd80000000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff0000000110000000026b027600",
        "00000000000000000000004effffffff02d83f31140001000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff000000011f8b08000000000000ff1360606060ca662a630000a37fcfa609000000",
        "000000000000000000000050ffffffff0208ee48690002000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff0000000182534e415050590000000001000000010000000b092010000000026b027600",
        "000000000000000000000049ffffffff02924fa7900003000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff0000000104224d186040820900008010000000026b02760000000000",
        "000000000000000000000046ffffffff02af79f96d0004000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff0000000128b52ffd005848000010000000026b027600010000",
    ]
    /// The same in the old formats: v1, v0, and a v1 wrapper packed with snappy.
    static let oneMessage = [
        "00000000000000000000001839268c3301000000018bcfe56800000000016b0000000176",
        "0000000000000000000000101fecd70a0000000000016b0000000176",
        "000000000000000000000049ab48955e01020000018bcfe56800ffffffff0000003382534e415050590000000001000000010000001f2400001901601839268c3301000000018bcfe56800000000016b0000000176",
    ]

    @Test("of one record say the same in every packing") func oneRecordEverywhere() throws {
        let expected = OwnedRecord(offset: 0, timestamp: 1_700_000_000_000, key: [0x6b], value: [0x76])
        for hex in GoldenRecordsTests.oneRecord {
            let records = try bytes(hex: hex).withUnsafeBytes { raw in
                try BatchValidator.checkProduced(raw, BatchValidator.Rules()).ownedRecords()
            }
            #expect(records == [expected])
        }
        for (index, hex) in GoldenRecordsTests.oneMessage.enumerated() {
            var message = expected
            if index == 1 { message.timestamp = -1 }
            #expect(try bytes(hex: hex).withUnsafeBytes { try LegacyMessages.records($0) } == [message])
        }
    }
}
