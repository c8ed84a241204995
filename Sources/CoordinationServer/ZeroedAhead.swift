/// Which bytes behind the log's end are written with zeros, not only reserved. The first entry in a block that was only reserved
/// makes its sync wait for the file system's own journal, which is to note that the block holds data now: with entries of 200
/// bytes every twentieth change, at several times the price of the others. Where the block was written before, a sync is one
/// write. So a small batch that enters such a block takes the next ones along, for one such wait in three hundred.
/// Large batches fill whole blocks by themselves, and zeros would double what they write.
struct ZeroedAhead {
    static let step: Int64 = 64 << 10
    static let block: Int64 = 4096
    static let smallBatch = 4096

    /// Blocks before this hold entries or zeros.
    private(set) var written: Int64 = 0

    /// - Parameter end: of the batch that is about to be written, of `count` bytes.
    /// - Parameter reserved: the file's length, which zeros are not to change.
    /// - Returns: what is to be written with zeros, and synced, together with it.
    mutating func next(end: Int64, count: Int, reserved: Int64) -> Range<Int64>? {
        guard end > written else { return nil }
        let start = (end + ZeroedAhead.block - 1) / ZeroedAhead.block * ZeroedAhead.block
        written = start
        let stop = min(start + ZeroedAhead.step, reserved)
        guard count <= ZeroedAhead.smallBatch, stop > start else { return nil }
        written = stop
        return start..<stop
    }
}
