import Testing

@testable import Tools

@Suite("Lines become records")
struct LineReaderTests {
    func read(_ text: String, _ properties: [(name: String, value: String)] = []) throws -> [LineRecord] {
        var reader = try LineReader(properties: properties)
        var records: [LineRecord] = []
        // In pieces, as they come.
        for piece in Array(text.utf8).chunked(5) {
            try piece.withUnsafeBytes { raw in try reader.take(raw) { records.append($0) } }
        }
        try reader.finish { records.append($0) }
        return records
    }

    func texts(_ records: [LineRecord]) -> [String] {
        records.map { record in
            func text(_ bytes: [UInt8]?) -> String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "null" }
            let headers = record.headers.map { "\(text($0.key))=\(text($0.value))" }.joined(separator: ",")
            return "\(headers)|\(text(record.key))|\(text(record.value))"
        }
    }

    @Test("whole, empty ones too, the last without its end") func plain() throws {
        #expect(try texts(read("one\ntwo\r\n\nlast")) == ["|null|one", "|null|two", "|null|", "|null|last"])
        #expect(try read("").isEmpty)
    }

    @Test("split at the key separator") func keyed() throws {
        let properties = [(name: "parse.key", value: "true"), (name: "key.separator", value: "::")]
        #expect(try texts(read("k::v\n::\na:b::c::d\n", properties)) == ["|k|v", "||", "|a:b|c::d"])
        #expect {
            try read("fine::1\nnokey\n", properties)
        } throws: { error in
            (error as? ToolFailure)?.message
                == "org.apache.kafka.common.KafkaException: No key separator found on line number 2: 'nokey'"
        }
        #expect(try texts(read("nokey\n", properties + [(name: "ignore.error", value: "true")])) == ["|null|nokey"])
    }

    @Test("with headers in front, and a word for null") func headers() throws {
        let properties = [
            (name: "parse.key", value: "true"), (name: "parse.headers", value: "true"),
            (name: "null.marker", value: "NULL"),
        ]
        let lines = "h1:a,h2:b\tk\tv\nNULL\tk\tNULL\nh:NULL\tNULL\tv\n"
        #expect(try texts(read(lines, properties)) == ["h1=a,h2=b|k|v", "|k|null", "h=null|null|v"])
        #expect(throws: ToolFailure.self) { try read("h1\tk\tv\n", properties) }
        #expect(throws: ToolFailure.self) { try read("h1:a\n", properties) }
    }
}

extension Array {
    fileprivate func chunked(_ size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}

@Suite("Partitions for records")
struct PartitionerTests {
    @Test("come from the key's hash, as the Java client computes it") func murmur() {
        let known: [(String, Int32)] = [
            ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
        ]
        for (key, hash) in known {
            #expect(Int32(bitPattern: Partitioner.murmur2(Array(key.utf8))) == hash, "\(key)")
        }
    }

    @Test("without key stay the same until a batch has left") func sticky() {
        var partitioner = Partitioner()
        var drawn: UInt64 = 0
        func random() -> UInt64 {
            drawn += 1
            return drawn
        }
        let first = partitioner.next(available: [2, 4], among: 6, random: random)
        #expect(first == 4)
        #expect(partitioner.next(available: [2, 4], among: 6, random: random) == first)
        partitioner.moveOn()
        #expect(partitioner.next(available: [2, 4], among: 6, random: random) == 2)
        #expect(drawn == 2)
    }
}
