import Bytes
import Compression
import Testing

@testable import Records

/// The bytes were laid out by hand from the format's description and summed with a checksum of their own.
@Suite("A batch of which records go")
struct BatchFilteringTests {
    /// Base offset 40, epoch 4, producer 7 (epoch 2, sequence 9): a=1 (header h=x), b=2, a=3, c without a value; 1000, +5, +2, +7 ms.
    static let whole =
        "0000000000000028000000580000000402b345a44900000000000300000000000003e800000000000003ef0000000000000007000200000009000000041800000002610231020268027810000a0202620232001000040402610233000e000e0602630100"
    static let offsets41And42 =
        "000000000000002800000043000000040206fe421900000000000300000000000003ed00000000000003ed000000000000000700020000000900000002100000020262023200100005040261023300"
    static let offsets42And43From5000 =
        "0000000000000028000000440000000402c2fdd942004000000003000000000000138800000000000003ef0000000000000007000200000009000000021200bb3e0402610233001000b13e0602630100"
    static let headerAlone =
        "0000000000000028000000310000000402764d2a92000000000003ffffffffffffffff00000000000003ef000000000000000700020000000900000000"
    static let offset40 =
        "00000000000000280000003e0000000402014e615d00000000000300000000000003e800000000000003e800000000000000070002000000090000000118000000026102310202680278"

    static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8)
        return stride(from: 0, to: digits.count, by: 2).map { at in
            UInt8(String(decoding: digits[at..<at + 2], as: UTF8.self), radix: 16) ?? 0
        }
    }

    func filtered(
        _ hex: String, _ filter: BatchFilter = BatchFilter(), keep: (Int64) -> Bool
    ) throws -> FilteredBatch {
        try BatchFilteringTests.bytes(hex).withUnsafeBytes { raw in
            let batch = try RecordBatch(raw)
            #expect(batch.crcMatches)
            return try batch.filtered(filter) { keep($0.offset) }
        }
    }

    @Test("keeps offsets, sequence and producer of what stays") func keeps() throws {
        let two = try filtered(BatchFilteringTests.whole) { $0 == 41 || $0 == 42 }
        #expect(two == .rewritten(BatchFilteringTests.bytes(BatchFilteringTests.offsets41And42)))
        let first = try filtered(BatchFilteringTests.whole) { $0 == 40 }
        #expect(first == .rewritten(BatchFilteringTests.bytes(BatchFilteringTests.offset40)))
    }

    @Test("remembers from when on its tombstones may go, once") func horizon() throws {
        let marked = try filtered(BatchFilteringTests.whole, BatchFilter(horizonMs: 5000)) { $0 >= 42 }
        #expect(marked == .rewritten(BatchFilteringTests.bytes(BatchFilteringTests.offsets42And43From5000)))
        let again = try filtered(BatchFilteringTests.offsets42And43From5000, BatchFilter(horizonMs: 9000)) { _ in true }
        #expect(again == .unchanged)
        try BatchFilteringTests.bytes(BatchFilteringTests.offsets42And43From5000).withUnsafeBytes { raw in
            let batch = try RecordBatch(raw)
            #expect(batch.deleteHorizonMs == 5000)
            #expect(try batch.ownedRecords().map(\.timestamp) == [1002, 1007])
        }
        let later = try filtered(BatchFilteringTests.offsets42And43From5000) { $0 == 43 }
        guard case .rewritten(let bytes) = later else {
            Issue.record("\(later)")
            return
        }
        #expect(try bytes.withUnsafeBytes { try RecordBatch($0).deleteHorizonMs } == 5000)
    }

    @Test("is unchanged when all stay, gone when none does, or a header that its producer needs") func ends() throws {
        #expect(try filtered(BatchFilteringTests.offsets41And42) { _ in true } == .unchanged)
        #expect(try filtered(BatchFilteringTests.whole) { _ in false } == .removed)
        let empty = try filtered(BatchFilteringTests.whole, BatchFilter(keepsEmpty: true)) { _ in false }
        #expect(empty == .rewritten(BatchFilteringTests.bytes(BatchFilteringTests.headerAlone)))
        #expect(
            try filtered(BatchFilteringTests.headerAlone, BatchFilter(keepsEmpty: true)) { _ in true } == .unchanged)
        #expect(try filtered(BatchFilteringTests.headerAlone) { _ in true } == .removed)
    }

    @Test("stays packed as it was", arguments: Codec.allCases) func packed(codec: Codec) throws {
        var builder = BatchBuilder(codec: codec)
        for value: UInt8 in 0..<40 {
            builder.append(
                timestamp: Int64(value), key: [value], value: [UInt8](repeating: value, count: 50),
                headers: [RecordHeader(key: [104], value: nil)])
        }
        let bytes = try builder.build(baseOffset: 100, leaderEpoch: 3, logAppendTime: 77)
        try bytes.withUnsafeBytes { raw in
            let batch = try RecordBatch(raw)
            let before = try batch.ownedRecords()
            guard case .rewritten(let new) = try batch.filtered(BatchFilter(), keep: { $0.offset % 3 == 0 }) else {
                Issue.record("not rewritten")
                return
            }
            try new.withUnsafeBytes { raw in
                let batch = try RecordBatch(raw)
                #expect(batch.codec == codec && batch.crcMatches && batch.lastOffset == 139 && batch.isLogAppendTime)
                #expect(batch.maxTimestamp == 77)
                #expect(try batch.ownedRecords() == before.filter { $0.offset % 3 == 0 })
            }
        }
    }
}
