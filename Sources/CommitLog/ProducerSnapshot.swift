import Bytes
import ClusterModel

/// `NNN.snapshot`: the ledger of everything below offset NNN. Only a producer's last batch is kept.
package enum ProducerSnapshot {
    private static let entrySize = 46

    package static func bytes(_ ledger: ProducerLedger) -> [UInt8] {
        var out = ByteWriter(capacity: 10 + ledger.entries.count * entrySize)
        out.int16(1)
        out.int32(0)
        out.int32(Int32(ledger.entries.count))
        for (id, entry) in ledger.entries.sorted(by: { $0.key < $1.key }) {
            let last = entry.batches.last
            out.int64(id)
            out.int16(entry.epoch)
            out.int32(last?.lastSequence ?? -1)
            out.int64(last?.lastOffset ?? -1)
            out.int32(last?.offsetDelta ?? 0)
            out.int64(entry.lastTimestamp)
            out.int32(entry.coordinatorEpoch)
            out.int64(entry.transactionStart ?? -1)
        }
        let covered = UnsafeRawBufferPointer(rebasing: out.bytes[6...])
        out.patch(int32: Int32(bitPattern: Checksum.crc32c(covered)), at: 2)
        return out.array
    }

    /// Nil when the bytes are no whole snapshot.
    package static func ledger(_ bytes: UnsafeRawBufferPointer) -> ProducerLedger? {
        var ledger = ProducerLedger()
        do throws(ByteError) {
            var reader = ByteReader(bytes)
            guard try reader.int16() == 1 else { return nil }
            let crc = try reader.uint32()
            guard crc == Checksum.crc32c(reader.rest) else { return nil }
            let count = Int(try reader.int32())
            guard count >= 0, count * entrySize == reader.left else { return nil }
            for _ in 0..<count {
                let id = try reader.int64()
                var entry = ProducerLedger.Entry(epoch: try reader.int16())
                let lastSequence = try reader.int32()
                let lastOffset = try reader.int64()
                let offsetDelta = try reader.int32()
                entry.lastTimestamp = try reader.int64()
                entry.coordinatorEpoch = try reader.int32()
                let start = try reader.int64()
                entry.transactionStart = start < 0 ? nil : start
                if lastOffset >= 0, offsetDelta >= 0, offsetDelta <= lastOffset {
                    entry.batches = [
                        ProducerLedger.Batch(
                            lastSequence: lastSequence, lastOffset: lastOffset, offsetDelta: offsetDelta,
                            timestamp: entry.lastTimestamp)
                    ]
                }
                ledger.restore(id, entry)
            }
        } catch { return nil }
        return ledger
    }
}
