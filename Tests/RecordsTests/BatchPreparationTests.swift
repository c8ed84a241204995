import Bytes
import Compression
import Testing

@testable import Records

@Suite("A batch of a topic that asks for more")
struct BatchPreparationTests {
    private static let now: Int64 = 1_700_000_000_000

    /// - Returns: what is to be appended, prepared in place or rebuilt, and whether it was rebuilt.
    private func prepared(
        _ batch: [UInt8], _ rules: BatchValidator.Rules, limit: Int = RecordIterator.defaultLimit
    ) throws(RecordError) -> (bytes: [UInt8], isRebuilt: Bool) {
        var batch = batch
        var result: Result<[UInt8]?, RecordError> = .success(nil)
        batch.withUnsafeMutableBytes { raw in
            do throws(RecordError) {
                let view = try BatchValidator.checkProduced(UnsafeRawBufferPointer(raw), rules)
                result = .success(try BatchPreparation.prepare(raw, view, rules, limit: limit))
            } catch { result = .failure(error) }
        }
        let rebuilt = try result.get()
        return (rebuilt ?? batch, rebuilt != nil)
    }

    private func found(_ batch: [UInt8], _ rules: BatchValidator.Rules) -> (code: Int16, faults: RecordFaults)? {
        do throws(RecordError) {
            _ = try prepared(batch, rules)
        } catch {
            if case .records(let faults) = error { return (error.wireCode, faults) }
            Issue.record("\(error)")
        }
        return nil
    }

    private func sample(_ codec: Codec, count: Int = 40) throws -> [UInt8] {
        var builder = BatchBuilder(codec: codec)
        for index in 0..<count {
            builder.append(
                timestamp: Self.now + Int64((index * 7) % count), key: index % 5 == 0 ? nil : [UInt8(index)],
                value: Array("value \(index)".utf8), headers: [RecordHeader(key: [1, 2], value: nil)])
        }
        return try builder.build(producer: .init(id: 7, epoch: 3, baseSequence: .max - 2), isTransactional: true)
    }

    private func with(_ batch: [UInt8], _ position: Int, _ new: [UInt8]) -> [UInt8] {
        var batch = batch
        batch.replaceSubrange(position..<position + new.count, with: new)
        batch.replaceSubrange(17..<21, with: BatchValidatorTests.bytes(of: batch))
        return batch
    }

    @Test("is packed anew exactly when its codec is another one, and keeps everything else", arguments: Codec.allCases)
    func packing(target: Codec) throws {
        for codec in Codec.allCases {
            let batch = try sample(codec)
            var rules = BatchValidator.Rules()
            #expect(!rules.looksInside(codec))
            rules.packing = .init(target)
            let (bytes, isRebuilt) = try prepared(batch, rules)
            #expect(isRebuilt == (codec != target))
            if codec == target { #expect(bytes == batch) }
            try batch.withUnsafeBytes { old in
                try bytes.withUnsafeBytes { new in
                    let (old, new) = (try RecordBatch(old), try RecordBatch(new))
                    #expect(new.codec == target && new.crcMatches && new.isTransactional && !new.isControl)
                    #expect(new.producerID == 7 && new.producerEpoch == 3 && new.baseSequence == .max - 2)
                    #expect(new.lastSequence == old.lastSequence && new.count == old.count)
                    #expect(new.maxTimestamp == old.maxTimestamp && new.lastOffsetDelta == old.lastOffsetDelta)
                    #expect(try new.ownedRecords() == old.ownedRecords())
                }
            }
        }
    }

    @Test("is packed at the level that is asked for", arguments: [Codec.gzip, .lz4, .zstd]) func levels(codec: Codec)
        throws
    {
        let words = ["letter", "box", "is", "home", "when", "you", "come", "there"]
        var builder = BatchBuilder()
        var state: UInt64 = 7
        for _ in 0..<4000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            builder.append(
                timestamp: Self.now, key: nil, value: Array("\(words[Int(state >> 61)]) \(state >> 50)".utf8))
        }
        let batch = try builder.build()
        func size(_ level: Int?) throws -> Int {
            var rules = BatchValidator.Rules()
            rules.packing = .init(codec, level: level)
            let (bytes, _) = try prepared(batch, rules)
            #expect(try bytes.withUnsafeBytes { try RecordBatch($0).ownedRecords().count } == 4000)
            return bytes.count
        }
        let levels = try #require(codec.levels)
        let ends = [levels.lowerBound, levels.upperBound]
        #expect(try size(codec.defaultLevel) == size(nil))
        if codec == .lz4 {
            // Kafka's 9 is the fast compressor, every other one the thorough one.
            #expect(try size(1) < size(9))
            #expect(try size(17) < size(1))
        } else {
            #expect(try size(ends[1]) < size(ends[0]))
        }
    }

    @Test("is measured after packing, and the one that would be too large is not unpacked to its end") func measured()
        throws
    {
        var builder = BatchBuilder(codec: .gzip)
        builder.append(timestamp: 1, key: nil, value: [UInt8](repeating: 7, count: 100_000))
        var rules = BatchValidator.Rules()
        rules.maxBatchBytes = 50_000
        rules.packing = .init(.none)
        let batch = try builder.build()
        #expect(throws: RecordError.tooLarge(bytes: 50_001, limit: 50_000)) { try prepared(batch, rules) }
        rules.packing = .init(.lz4)
        #expect(try prepared(batch, rules).isRebuilt)
    }

    @Test(
        "that is a bomb costs an error and no more memory than allowed", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func bombs(codec: Codec) throws {
        var builder = BatchBuilder(codec: codec)
        for _ in 0..<8 { builder.append(timestamp: 1, key: [1], value: [UInt8](repeating: 0, count: 1 << 20)) }
        let bomb = try builder.build()
        #expect(bomb.count < 1 << 20)
        let limit = 1 << 20
        for change: (inout BatchValidator.Rules) -> Void in [
            { $0.needsKeys = true }, { $0.newestMs = 1 },
            { $0.packing = .init(codec == .lz4 ? .gzip : .lz4) }, { $0.packing = .init(.none) },
        ] {
            var rules = BatchValidator.Rules()
            change(&rules)
            do throws(RecordError) {
                _ = try prepared(bomb, rules, limit: limit)
                Issue.record("a bomb was taken")
            } catch { #expect(error.wireCode == 10) }
        }
        if codec != .zstd {
            for magic: UInt8 in [0, 1] {
                #expect(throws: RecordError.tooLarge(bytes: limit + 1, limit: limit)) {
                    try bomb.withUnsafeBytes {
                        try BatchConversion.downConvert($0, toMagic: magic, from: 0, limit: limit)
                    }
                }
                let old = try bomb.withUnsafeBytes { try BatchConversion.downConvert($0, toMagic: magic, from: 0) }
                    .bytes
                #expect(throws: RecordError.tooLarge(bytes: limit + 1, limit: limit)) {
                    try old.withUnsafeBytes { try BatchConversion.upConvert($0, .init(), limit: limit) }
                }
            }
        }
    }

    @Test("has each record at fault told, with Kafka's words") func faults() throws {
        var rules = BatchValidator.Rules()
        rules.needsKeys = true
        rules.partition = "t-0"
        var builder = BatchBuilder(codec: .gzip)
        for key: [UInt8]? in [[1], nil, [], nil] { builder.append(timestamp: 1, key: key, value: nil) }
        let batch = try builder.build()
        let words = "Compacted topic cannot accept message without key in topic partition t-0"
        let (code, faults) = try #require(found(batch, rules))
        #expect(code == 87 && faults.count == 2)
        #expect(faults.listed == [.init(index: 1, reason: words), .init(index: 3, reason: words)])
        #expect(
            faults.summary
                == "One or more records have been rejected due to 2 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=1, message='\(words)'), RecordError(batchIndex=3, message='\(words)')]"
        )
    }

    @Test("has the time of each record compared with the clock; one outside is one too many") func times() throws {
        var rules = BatchValidator.Rules()
        rules.nowMs = Self.now
        rules.oldestMs = 1000
        rules.newestMs = 500
        func faulty(_ times: [Int64], _ codec: Codec = .none) throws -> [Int32] {
            var builder = BatchBuilder(codec: codec)
            for time in times { builder.append(timestamp: time, key: nil, value: nil) }
            guard let (code, faults) = found(try builder.build(), rules) else { return [] }
            #expect(code == 32)
            return faults.listed.map(\.index)
        }
        let now = Self.now
        #expect(try faulty([now, now - 1000, now + 500, -1]) == [])
        #expect(try faulty([now, now - 1001, now, now + 501, 0, -2]) == [1, 3, 4, 5])
        #expect(try faulty([now + 501, now], .lz4) == [0])
        #expect(try faulty([.min, .max, now]) == [0, 1])
        rules.newestMs = .max
        #expect(try faulty([now, now + 1 << 40]) == [])
        rules.usesLogAppendTime = true
        #expect(try faulty([0]) == [])
        rules.usesLogAppendTime = false
        rules.nowMs = now + 5000
        let words = try #require(found(try sample(.none), rules)).faults.listed[0].reason
        #expect(
            words
                == "Timestamp \(now) of message with offset 0 is out of range. The timestamp should be within [\(now + 4000), \(now + 5000 &+ .max)]"
        )
    }

    @Test("may not claim to bear the log's append time", arguments: [Codec.none, .gzip]) func appendTime(codec: Codec)
        throws
    {
        let batch = try sample(codec, count: 3)
        let claimed = with(batch, 21, [batch[21], batch[22] | 8])
        for usesLogAppendTime in [false, true] {
            var rules = BatchValidator.Rules()
            rules.usesLogAppendTime = usesLogAppendTime
            let (code, faults) = try #require(found(claimed, rules))
            #expect(code == 32 && faults.listed.map(\.index) == [0, 1, 2])
        }
    }

    @Test("has its largest timestamp put right wherever it is unpacked", arguments: [Codec.none, .zstd])
    func liar(codec: Codec) throws {
        let honest = try sample(codec)
        let liar = with(honest, 35, [0, 0, 0, 0, 0, 0, 0, 9])
        var rules = BatchValidator.Rules()
        #expect(try prepared(liar, rules).bytes == liar)
        rules.newestMs = .max - 1
        #expect(try prepared(liar, rules).bytes == honest)
        rules.packing = .init(.gzip)
        let (bytes, _) = try prepared(liar, rules)
        #expect(try bytes.withUnsafeBytes { try RecordBatch($0).maxTimestamp } == Self.now + 39)
    }

    @Test("has its records counted from 0 where they are not, and is refused when they are not those it tells of")
    func structure() throws {
        // Three records with offset deltas 0, 0, 0: a producer that does not count.
        var body = ByteWriter()
        for value in ["a", "b", "c"] {
            Array(value.utf8).withUnsafeBytes { raw in
                RecordLayout.put(
                    timestampDelta: 0, offsetDelta: 0, key: raw, value: raw, headerCount: 0, headerBytes: nil,
                    into: &body)
            }
        }
        for codec in [Codec.none, .gzip] {
            func batch(count: Int32) throws -> [UInt8] {
                try BatchHeaderFields(
                    attributes: 0, lastOffsetDelta: count - 1, baseTimestamp: 5, maxTimestamp: 5, count: count
                ).batch(of: body.bytes, codec: codec)
            }
            var rules = BatchValidator.Rules()
            rules.needsKeys = true
            let (bytes, isRebuilt) = try prepared(batch(count: 3), rules)
            #expect(isRebuilt)
            try bytes.withUnsafeBytes { raw in
                let batch = try RecordBatch(raw)
                #expect(batch.codec == codec && batch.crcMatches)
                #expect(try batch.ownedRecords().map(\.offset) == [0, 1, 2])
                #expect(try batch.ownedRecords().compactMap(\.value) == [[0x61], [0x62], [0x63]])
            }
            for count: Int32 in [2, 4] {
                let lie = try batch(count: count)
                do throws(RecordError) {
                    _ = try prepared(lie, rules)
                    Issue.record("\(count) records taken for three")
                } catch { #expect(error.wireCode == 87) }
            }
        }
        // What does not unpack, though its checksum is right, was made so.
        let nonsense = with(try sample(.gzip), 80, [1, 2, 3, 4, 5, 6, 7, 8])
        var rules = BatchValidator.Rules()
        rules.packing = .init(.lz4)
        do throws(RecordError) {
            _ = try prepared(nonsense, rules)
            Issue.record("taken")
        } catch { #expect(error.wireCode == 87) }
    }

    @Test("has so many faults listed and no more") func manyFaults() throws {
        var builder = BatchBuilder(codec: .zstd)
        for _ in 0..<10_000 { builder.append(timestamp: 1, key: nil, value: nil) }
        var rules = BatchValidator.Rules()
        rules.needsKeys = true
        let (_, faults) = try #require(found(try builder.build(), rules))
        #expect(faults.count == 10_000 && faults.listed.count == RecordFaults.mostListed)
    }
}
