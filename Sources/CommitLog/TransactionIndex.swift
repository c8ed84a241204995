import Bytes
import ClusterModel
import Platform

/// A transaction that was aborted: readers of committed records skip its producer's batches in its range.
package struct AbortedTransaction: Equatable, Sendable {
    package var producerID: Int64
    package var firstOffset: Offset
    /// The marker's.
    package var lastOffset: Offset
    /// Where the next open transaction began when it ended; behind the marker when there was none.
    package var lastStableOffset: Offset
    package init(producerID: Int64, firstOffset: Offset, lastOffset: Offset, lastStableOffset: Offset) {
        self.producerID = producerID
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
        self.lastStableOffset = lastStableOffset
    }
}

/// `NNN.txnindex`: the aborted transactions whose markers lie in a segment, in the markers' order. No file: there are none.
package enum TransactionIndex {
    static let entrySize = 34

    package static func bytes(_ transactions: [AbortedTransaction]) -> [UInt8] {
        var out = ByteWriter(capacity: transactions.count * entrySize)
        for transaction in transactions {
            out.int16(0)
            out.int64(transaction.producerID)
            out.int64(transaction.firstOffset)
            out.int64(transaction.lastOffset)
            out.int64(transaction.lastStableOffset)
        }
        return out.array
    }

    /// Nil when the bytes are no such index.
    package static func transactions(_ bytes: [UInt8]) -> [AbortedTransaction]? {
        guard bytes.count % entrySize == 0 else { return nil }
        var found: [AbortedTransaction] = []
        found.reserveCapacity(bytes.count / entrySize)
        let isWhole = bytes.withUnsafeBytes { raw in
            do throws(ByteError) {
                var reader = ByteReader(raw)
                while !reader.isAtEnd {
                    guard try reader.int16() == 0 else { return false }
                    let transaction = AbortedTransaction(
                        producerID: try reader.int64(), firstOffset: try reader.int64(), lastOffset: try reader.int64(),
                        lastStableOffset: try reader.int64())
                    guard transaction.firstOffset >= 0, transaction.lastOffset >= transaction.firstOffset,
                        transaction.lastOffset > found.last?.lastOffset ?? -1
                    else { return false }
                    found.append(transaction)
                }
                return true
            } catch { return false }
        }
        return isWhole ? found : nil
    }
}

extension PartitionLog {
    /// What a reader of committed records must know of `offsets`: the aborted transactions that may have records there.
    /// Ends with the segment that holds `offset`, as a read does.
    package func abortedTransactions(from offset: Offset, below: Offset) throws(ReadError) -> [AbortedTransaction] {
        let index = segmentIndex(of: offset)
        let end = index + 1 < segments.count ? min(below, segments[index + 1].baseOffset) : below
        return offset < end ? try abortedTransactions(in: offset..<end) : []
    }

    package func abortedTransactions(in offsets: Range<Offset>) throws(ReadError) -> [AbortedTransaction] {
        var found: [AbortedTransaction] = []
        do throws(DiskError) {
            for segment in segments[segmentIndex(of: offsets.lowerBound)...] {
                for transaction in try segment.abortedTransactions(disk) {
                    if transaction.lastOffset >= offsets.lowerBound, transaction.firstOffset < offsets.upperBound {
                        found.append(transaction)
                    }
                    // Whatever ends later began at or behind the bound.
                    if transaction.lastStableOffset >= offsets.upperBound { return found }
                }
            }
        } catch { throw .disk(error) }
        return found
    }
}
