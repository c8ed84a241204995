import Compression
import Testing

@testable import Records

@Suite("A produced batch")
struct BatchValidatorTests {
    static let good = bytes(
        hex:
            "000000000000000000000046ffffffff02331416090000000000010000018bcfe568000000018bcfe5680500000000000000070000000000000000000218000000026b027602026802780e000a0201027700"
    )

    static func check(_ batch: [UInt8], _ rules: BatchValidator.Rules = .init()) throws(RecordError) {
        var problem: RecordError?
        batch.withUnsafeBytes { raw in
            do throws(RecordError) { _ = try BatchValidator.checkProduced(raw, rules) } catch { problem = error }
        }
        if let problem { throw problem }
    }

    /// The good batch with some bytes changed and its checksum made right again.
    static func with(_ position: Int, _ new: [UInt8]) -> [UInt8] {
        var batch = good
        batch.replaceSubrange(position..<position + new.count, with: new)
        let crc = bytes(of: batch)
        batch.replaceSubrange(17..<21, with: crc)
        return batch
    }

    static func bytes(of batch: [UInt8]) -> [UInt8] {
        batch.withUnsafeBytes { raw in
            guard let batch = try? RecordBatch(raw) else { return [0, 0, 0, 0] }
            return withUnsafeBytes(of: batch.computedCRC.bigEndian) { [UInt8]($0) }
        }
    }

    static func bytes(hex: String) -> [UInt8] { RecordsTests.bytes(hex: hex) }

    @Test("is accepted as it is") func accepted() throws { try BatchValidatorTests.check(BatchValidatorTests.good) }

    @Test("is refused with Kafka's error for each single fault") func refused() {
        func code(_ batch: [UInt8], _ rules: BatchValidator.Rules = .init()) -> Int16? {
            do throws(RecordError) {
                try BatchValidatorTests.check(batch, rules)
                return nil
            } catch { return error.wireCode }
        }
        let good = BatchValidatorTests.good
        #expect(code([]) == 87)
        #expect(code(good + good) == 87)
        #expect(code(BatchValidatorTests.with(16, [1])) == 87)
        #expect(code(BatchValidatorTests.with(0, [0, 0, 0, 0, 0, 0, 0, 5])) == 87)
        var flipped = good
        flipped[70] ^= 1
        #expect(code(flipped) == 2)
        #expect(code(Array(good.dropLast())) == 2)
        var small = BatchValidator.Rules()
        small.maxBatchBytes = good.count - 1
        #expect(code(good, small) == 10)
        #expect(code(BatchValidatorTests.with(23, [0, 0, 0, 2])) == 87)
        #expect(code(BatchValidatorTests.with(23, [0xff, 0xff, 0xff, 0xff])) == 87)
        #expect(code(BatchValidatorTests.with(57, [0, 0, 0, 0])) == 87)
        #expect(code(BatchValidatorTests.with(21, [0, 0x20])) == 87)
        #expect(code(BatchValidatorTests.with(21, [0, 5])) == 87)
        #expect(code(BatchValidatorTests.with(53, [0xff, 0xff, 0xff, 0xff])) == 87)
        var old = BatchValidator.Rules()
        old.allowsZstd = false
        #expect(code(BatchValidatorTests.with(21, [0, 4]), old) == 76)
    }

    @Test("is placed without touching its checksum") func placed() throws {
        var batch = BatchValidatorTests.good
        try batch.withUnsafeMutableBytes { raw in
            RecordBatch.place(raw, at: 120, leaderEpoch: 7)
            let view = try RecordBatch(UnsafeRawBufferPointer(raw))
            #expect(view.baseOffset == 120 && view.lastOffset == 121 && view.leaderEpoch == 7)
            #expect(view.crcMatches)
        }
    }

    @Test("takes the log's append time for all its records") func stamped() throws {
        var batch = BatchValidatorTests.good
        try batch.withUnsafeMutableBytes { raw in
            RecordBatch.stamp(raw, logAppendTime: 42)
            let view = try RecordBatch(UnsafeRawBufferPointer(raw))
            #expect(view.crcMatches && view.isLogAppendTime)
            #expect(try view.ownedRecords().map(\.timestamp) == [42, 42])
        }
    }

    @Test("counts sequence numbers round to zero") func sequences() {
        #expect(Sequence32.next(.max) == 0)
        #expect(Sequence32.advanced(.max - 1, by: 3) == 1)
        #expect(Sequence32.advanced(5, by: 0) == 5)
    }

    @Test("marks the end of a transaction") func marker() throws {
        let marker = BatchValidatorTests.bytes(
            hex:
                "0000000000000005000000420000000202d9312b3e0030000000000000018bcfe568000000018bcfe5680000000000000000070000ffffffff000000012000000008000000010c00000000000300"
        )
        try marker.withUnsafeBytes { raw in
            let batch = try RecordBatch(raw)
            #expect(try ControlRecord(batch) == ControlRecord(kind: .commit, coordinatorEpoch: 3))
            let again = ControlRecord(kind: .commit, coordinatorEpoch: 3).batch(
                timestamp: 1_700_000_000_000, producerID: 7, producerEpoch: 0, baseOffset: 5, leaderEpoch: 2)
            #expect(again == marker)
        }
    }
}
