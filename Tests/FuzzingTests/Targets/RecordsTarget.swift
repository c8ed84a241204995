import Bytes
import Compression

@testable import Records

extension FuzzTarget {
    /// Batches as producers and other brokers send them: views, checks, iteration, filtering, and the formats before them.
    /// An input is two bytes of choices and the batches.
    static let records = FuzzTarget(name: "records", maxLength: 16 << 10, mallocLimitMB: 16) { input in
        var choices = Choices(input)
        let flags = choices.byte()
        let choice = choices.byte()
        try withCopy(choices.rest) { bytes in
            // Behind a checksum that does not fit nothing is reached: half of the inputs get a fitting one.
            if flags & 1 != 0 { correctChecksums(bytes) }
            let raw = UnsafeRawBufferPointer(bytes)
            try readBatches(raw, choice)
            try readMessages(raw)
            var rules = BatchValidator.Rules()
            rules.allowsZstd = flags & 2 == 0
            rules.needsKeys = flags & 4 != 0
            rules.usesLogAppendTime = flags & 8 != 0
            if flags & 16 != 0 {
                rules.nowMs = 1_700_000_000_000
                rules.oldestMs = 1000
                rules.newestMs = 1000
            }
            if flags & 32 != 0 { rules.maxBatchBytes = 200 }
            try convert(raw, rules, choice)
            if (try? BatchValidator.checkProduced(raw, rules)) != nil {
                try prepare(raw, rules, choice)
                try place(bytes, flags)
            }
        }
    } seeds: {
        Golden.batches.flatMap { [[0, 0] + $0, [1, 3] + $0, [5, 9] + $0] }
    }

    private static let unpackLimit = 1 << 20

    /// Of v2 batches and of unpacked messages, one behind another.
    static func correctChecksums(_ bytes: UnsafeMutableRawBufferPointer) {
        var at = 0
        while bytes.count - at >= 26 {
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: at + 8, as: Int32.self)))
            let size = length + 12
            guard length >= 14, size <= bytes.count - at else { return }
            if bytes[at + 16] == 2 {
                guard size >= RecordBatch.headerSize else { return }
                let crc = Checksum.crc32c(UnsafeRawBufferPointer(rebasing: bytes[(at + 21)..<(at + size)]))
                bytes.storeBytes(of: crc.bigEndian, toByteOffset: at + 17, as: UInt32.self)
            } else {
                let crc = Checksum.crc32(UnsafeRawBufferPointer(rebasing: bytes[(at + 16)..<(at + size)]))
                bytes.storeBytes(of: crc.bigEndian, toByteOffset: at + 12, as: UInt32.self)
            }
            at += size
        }
    }

    private static func readBatches(_ raw: UnsafeRawBufferPointer, _ choice: UInt8) throws {
        _ = BatchHeader(raw)
        var batches = RecordBatches(raw)
        while let batch = try? batches.next() {
            try expect(batch.size <= raw.count, "a batch of \(batch.size) bytes out of \(raw.count)")
            _ = (batch.crcMatches, batch.lastSequence, batch.nextOffset, batch.deleteHorizonMs, batch.leaderEpoch)
            if let header = BatchHeader(batch.bytes) {
                try expect(header.size == batch.size && header.lastOffset == batch.lastOffset, "two views differ")
            }
            _ = try? ControlRecord(batch)
            try filter(batch, choice)
        }
    }

    /// What stays is what was wanted, as it was, in a batch that can be read.
    private static func filter(_ batch: RecordBatch, _ choice: UInt8) throws {
        let all = try? batch.ownedRecords(limit: unpackLimit)
        func isWanted(_ offset: Int64) -> Bool { choice == 0 || (offset &+ Int64(choice)) & 3 != 0 }
        var filter = BatchFilter(keepsEmpty: choice & 4 != 0, marksAlways: choice & 8 != 0)
        filter.horizonMs = 1_700_000_000_000
        guard let result = try? batch.filtered(filter, limit: unpackLimit, keep: { isWanted($0.offset) }) else {
            return
        }
        guard let all else { throw FuzzFinding("a batch that cannot be read was filtered") }
        let wanted = all.filter { isWanted($0.offset) }
        switch result {
        case .unchanged: try expect(wanted == all, "unchanged, without \(all.count - wanted.count) records")
        case .removed: try expect(wanted.isEmpty, "removed with \(wanted.count) records")
        case .rewritten(let bytes):
            try bytes.withUnsafeBytes { raw in
                let rewritten = try RecordBatch(raw)
                try expect(
                    rewritten.crcMatches && rewritten.size == bytes.count && rewritten.baseOffset == batch.baseOffset
                        && rewritten.lastOffset == batch.lastOffset && rewritten.producerID == batch.producerID
                        && rewritten.lastSequence == batch.lastSequence, "the rewritten header differs")
                let records = try rewritten.ownedRecords(limit: 2 * unpackLimit)
                try expect(records == wanted, "\(records.count) records rewritten, \(wanted.count) wanted")
            }
        }
    }

    private static func readMessages(_ raw: UnsafeRawBufferPointer) throws {
        var messages = LegacyMessages(raw)
        while let message = try? messages.next() {
            try expect(message.size <= raw.count, "a message of \(message.size) bytes out of \(raw.count)")
        }
        _ = try? LegacyMessages.records(raw, limit: unpackLimit)
    }

    private static func convert(_ raw: UnsafeRawBufferPointer, _ rules: BatchValidator.Rules, _ choice: UInt8) throws {
        if let batch = try? BatchConversion.upConvert(raw, rules, limit: unpackLimit) {
            let before = try LegacyMessages.records(raw, limit: unpackLimit)
            try batch.withUnsafeBytes { converted in
                let after = try RecordBatch(converted).ownedRecords(limit: 2 * unpackLimit)
                try expect(
                    before.map(\.key) == after.map(\.key) && before.map(\.value) == after.map(\.value)
                        && before.map(\.timestamp) == after.map(\.timestamp), "conversion up changed records")
            }
        }
        for magic: UInt8 in [0, 1] {
            let from = Int64(choice)
            guard let set = try? BatchConversion.downConvert(raw, toMagic: magic, from: from, limit: unpackLimit),
                areBatches(raw)
            else { continue }
            let after = try set.bytes.withUnsafeBytes { try LegacyMessages.records($0, limit: 2 * unpackLimit) }
            try expect(after.allSatisfy { $0.offset >= from }, "conversion down gave offsets below \(from)")
        }
    }

    /// Messages of the old formats stay as they are, whatever offset was asked for.
    private static func areBatches(_ raw: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while let header = BatchHeader(UnsafeRawBufferPointer(rebasing: raw[at...])), header.size <= raw.count - at {
            guard header.magic == 2 else { return false }
            at += header.size
        }
        return true
    }

    /// What the leader makes of a batch has the same records.
    private static func prepare(_ raw: UnsafeRawBufferPointer, _ rules: BatchValidator.Rules, _ choice: UInt8) throws {
        try withCopy(raw) { bytes in
            var rules = rules
            let codecs: [Codec] = [.none, .gzip, .snappy, .lz4, .zstd]
            if choice & 0x80 != 0 { rules.packing = .init(codecs[Int(choice) % codecs.count]) }
            let batch = try RecordBatch(UnsafeRawBufferPointer(bytes))
            guard let prepared = try? BatchPreparation.prepare(bytes, batch, rules, limit: unpackLimit) else { return }
            let before = try batch.ownedRecords(limit: unpackLimit)
            try prepared.withUnsafeBytes { raw in
                let after = try RecordBatch(raw)
                let records = try after.ownedRecords(limit: 2 * unpackLimit)
                try expect(
                    after.crcMatches && after.producerID == batch.producerID
                        && after.baseSequence == batch.baseSequence && before.map(\.key) == records.map(\.key)
                        && before.map(\.value) == records.map(\.value), "packing changed records")
            }
        }
    }

    /// The leader's changes leave a batch that followers believe.
    private static func place(_ bytes: UnsafeMutableRawBufferPointer, _ flags: UInt8) throws {
        RecordBatch.place(bytes, at: 4711, leaderEpoch: 5)
        if flags & 64 != 0 { RecordBatch.stamp(bytes, logAppendTime: 1_700_000_000_000) }
        let placed = try RecordBatch(UnsafeRawBufferPointer(bytes))
        try expect(placed.crcMatches && placed.baseOffset == 4711, "a placed batch is not believed")
        guard let header = BatchHeader(placed.bytes) else { throw FuzzFinding("a placed batch has no header") }
        try expect(header.lastOffset == 4710 + Int64(placed.count), "a placed batch ends at \(header.lastOffset)")
    }
}
