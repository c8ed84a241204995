import Compression
import Testing

@testable import Records

@Suite("Records for old consumers")
struct BatchConversionTests {
    private func batch(
        _ codec: Codec, at offset: Int64, _ values: [String], time: Int64 = 1000, logAppendTime: Int64? = nil
    ) throws -> [UInt8] {
        var builder = BatchBuilder(codec: codec)
        for (index, value) in values.enumerated() {
            builder.append(
                timestamp: time + Int64(index), key: [UInt8(index)], value: Array(value.utf8),
                headers: [RecordHeader(key: [9], value: [9])])
        }
        return try builder.build(baseOffset: offset, logAppendTime: logAppendTime)
    }

    private func converted(
        _ bytes: [UInt8], _ magic: UInt8, from offset: Int64 = 0, maxBytes: Int = .max
    ) throws -> (records: [OwnedRecord], messages: [LegacyMessage], set: BatchConversion.OldSet) {
        let set = try bytes.withUnsafeBytes {
            try BatchConversion.downConvert($0, toMagic: magic, from: offset, maxBytes: maxBytes)
        }
        return try set.bytes.withUnsafeBytes { raw in
            var messages: [LegacyMessage] = []
            var reader = LegacyMessages(raw)
            while let message = try reader.next() { messages.append(message) }
            return (try LegacyMessages.records(raw), messages, set)
        }
    }

    @Test("keep offset, key, value and, in magic 1, their time", arguments: [Codec.none, .gzip, .snappy, .lz4])
    func kept(codec: Codec) throws {
        let log = try batch(codec, at: 10, ["a", "b", "c"]) + batch(codec, at: 20, ["d"])
        for magic: UInt8 in [0, 1] {
            let (records, messages, set) = try converted(log, magic)
            #expect(records.map(\.offset) == [10, 11, 12, 20])
            #expect(records.map { $0.value ?? [] } == ["a", "b", "c", "d"].map { Array($0.utf8) })
            #expect(records.map(\.timestamp) == (magic == 0 ? [-1, -1, -1, -1] : [1000, 1001, 1002, 1000]))
            #expect(messages.count == (codec == .none ? 4 : 2))
            #expect(messages.allSatisfy { $0.magic == magic && $0.codec == codec })
            #expect(set.next == 21)
        }
    }

    @Test("begin with the offset asked for, whatever the codec", arguments: [Codec.none, .gzip]) func begin(
        codec: Codec
    ) throws {
        let log = try batch(codec, at: 10, ["a", "b", "c"]) + batch(codec, at: 20, ["d"])
        for magic: UInt8 in [0, 1] {
            #expect(try converted(log, magic, from: 12).records.map(\.offset) == [12, 20])
            #expect(try converted(log, magic, from: 13).records.map(\.offset) == [20])
            #expect(try converted(log, magic, from: 21).records.isEmpty)
            #expect(try converted(log, magic, from: 21).set.next == 21)
        }
    }

    @Test("end where the consumer's room does, but never before there is one", arguments: [Codec.none, .gzip])
    func end(codec: Codec) throws {
        let text = String(repeating: "x", count: 200)
        let log = try batch(codec, at: 0, [text, text, text]) + batch(codec, at: 3, [text])
        for magic: UInt8 in [0, 1] {
            let whole = try converted(log, magic)
            let first = whole.messages[0].size
            for room in [1, first, first + 1] {
                let part = try converted(log, magic, maxBytes: room)
                #expect(part.messages.count == 1)
            }
            let two = try converted(log, magic, maxBytes: first + whole.messages[1].size)
            #expect(two.messages.count == 2)
            #expect(two.set.bytes.count <= first + whole.messages[1].size)
        }
    }

    @Test("bear the log's time where it stamped them") func appendTime() throws {
        for codec in [Codec.none, .gzip] {
            let log = try batch(codec, at: 0, ["a", "b"], logAppendTime: 77)
            let (records, messages, _) = try converted(log, 1)
            #expect(records.map(\.timestamp) == [77, 77])
            #expect(messages.allSatisfy { $0.isLogAppendTime && $0.timestamp == 77 })
        }
    }

    @Test("leave out the markers of transactions, and tell how far they were looked at") func markers() throws {
        let marker = ControlRecord(kind: .commit, coordinatorEpoch: 1)
        let control = marker.batch(timestamp: 1, producerID: 1, producerEpoch: 0, baseOffset: 5)
        #expect(try converted(control, 1).set == BatchConversion.OldSet(bytes: [], next: 6))
        let log = try control + batch(.none, at: 6, ["a"])
        #expect(try converted(log, 1).records.map(\.offset) == [6])
    }

    @Test("end before what such consumers cannot know, and say so when nothing comes before") func zstd() throws {
        let log = try batch(.none, at: 0, ["a"]) + batch(.zstd, at: 1, ["b"])
        #expect(try converted(log, 1).set.next == 1)
        #expect(throws: RecordError.unsupportedCompression(.zstd)) { try converted(log, 1, from: 1) }
    }

    @Test("that are of the old formats already stay as they are, or go down by one", arguments: GoldenRecords.legacy)
    func old(golden: GoldenRecords) throws {
        let log = RecordsTests.bytes(hex: golden.hex)
        let expected = golden.batches.flatMap { $0.records.map(\.owned) }
        for magic: UInt8 in [0, 1] {
            let (records, messages, set) = try converted(log, magic)
            if golden.batches[0].magic <= magic { #expect(set.bytes == log) }
            #expect(messages.allSatisfy { $0.magic <= magic })
            #expect(records.map(\.offset) == expected.map(\.offset))
            #expect(records.map(\.key) == expected.map(\.key) && records.map(\.value) == expected.map(\.value))
            if magic == 1 { #expect(records.map(\.timestamp) == expected.map(\.timestamp)) }
        }
    }

    @Test("are packed with the LZ4 header that magic 0 has") func lz4() throws {
        let (_, messages, set) = try converted(try batch(.lz4, at: 0, ["a", "b"]), 0)
        #expect(messages.count == 1)
        try set.bytes.withUnsafeBytes { raw in
            var reader = LegacyMessages(raw)
            let value = try #require(try reader.next()?.value)
            #expect(Array(value.prefix(7)) == [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x1a])
        }
    }
}
