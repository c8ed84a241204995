import Bytes
import ClusterModel
import Platform
import Records

/// A partition's directory as it lies on a disk, looked at from outside: nothing is locked, mended or written. For tools; a
/// broker that writes there at the same time makes the end a guess.
package struct StoredPartition {
    package var partition: TopicPartition
    package var directory: String
    package var topicID: UUID128?
    package var epochs: EpochCache
    /// Where the segments begin, ascending.
    package var segments: [Offset]

    /// What lies in an entry of `log.dirs`, and whose it is. Copies and deleted partitions are passed over.
    package static func list(
        _ path: String, disk: any Disk
    ) throws(DiskError) -> (identity: DirectoryIdentity?, partitions: [StoredPartition]) {
        let file = "\(path)/\(LogDirectory.Name.identity)"
        var identity: DirectoryIdentity?
        if disk.exists(file) {
            identity = DirectoryIdentity(text: String(decoding: try disk.contents(file), as: UTF8.self))
        }
        var partitions: [StoredPartition] = []
        for entry in try disk.list(path) where entry.isDirectory {
            guard let partition = LogDirectory.partition(entry.name) else { continue }
            partitions.append(try StoredPartition(partition, "\(path)/\(entry.name)", disk))
        }
        return (identity, partitions)
    }

    private init(_ partition: TopicPartition, _ directory: String, _ disk: any Disk) throws(DiskError) {
        self.partition = partition
        self.directory = directory
        func text(_ name: String) throws(DiskError) -> String? {
            guard disk.exists("\(directory)/\(name)") else { return nil }
            return String(decoding: try disk.contents("\(directory)/\(name)"), as: UTF8.self)
        }
        topicID = try text(PartitionLog.metadataFile).flatMap { LogDirectory.topicID($0) }
        epochs = try text(PartitionLog.epochFile).flatMap { EpochCache(text: $0) } ?? EpochCache()
        segments = try disk.list(directory).compactMap { entry in
            SegmentFiles.parse(entry.name).flatMap { $0.kind == .log ? $0.offset : nil }
        }
        .sorted()
    }

    /// The end of a log as its bytes tell it.
    package struct End: Equatable {
        /// The offset that comes next.
        package var next: Offset
        /// Of the newest batch: with `next` it tells which of two copies holds more.
        package var epoch: LeaderEpoch
        /// The newest that was heard of, also without a batch.
        package var latestEpoch: LeaderEpoch
        /// -1: none was seen.
        package var highestProducerID: Int64
        /// Bytes behind the last whole batch: a write that never ended.
        package var torn: Int64
    }

    /// Reads the last segment, and the newest snapshot of producers.
    package func end(_ disk: any Disk) throws(DiskError) -> End {
        let start = segments.last ?? 0
        // The last segment may be empty.
        var end = End(
            next: start, epoch: epochs.epoch(of: start - 1) ?? .none, latestEpoch: epochs.latest ?? .none,
            highestProducerID: -1, torn: 0)
        if let base = segments.last {
            let (position, size) = try scan(base, disk) { header, bytes in
                end.next = max(end.next, header.lastOffset + 1)
                end.epoch = header.leaderEpoch
                end.latestEpoch = max(end.latestEpoch, header.leaderEpoch)
                if header.magic == 2, let batch = try? RecordBatch(bytes) {
                    end.highestProducerID = max(end.highestProducerID, batch.producerID)
                }
            }
            end.torn = size - position
        }
        for entry in try disk.list(directory) {
            guard SegmentFiles.parse(entry.name)?.kind == .snapshot else { continue }
            let bytes = try disk.contents("\(directory)/\(entry.name)")
            let ledger = bytes.withUnsafeBytes { ProducerSnapshot.ledger($0) }
            end.highestProducerID = max(end.highestProducerID, ledger?.entries.keys.max() ?? -1)
        }
        return end
    }

    /// Every whole batch, in order of the log, until one is not whole.
    /// - Returns: where that is; nil when all were.
    package func batches(
        _ disk: any Disk, _ body: (BatchHeader, UnsafeRawBufferPointer) -> Void
    ) throws(DiskError) -> (path: String, position: Int64)? {
        for base in segments {
            let (position, size) = try scan(base, disk, body)
            if position < size { return (SegmentFiles.path(directory, base, .log), position) }
        }
        return nil
    }

    private func scan(
        _ base: Offset, _ disk: any Disk, _ body: (BatchHeader, UnsafeRawBufferPointer) -> Void
    ) throws(DiskError) -> (position: Int64, size: Int64) {
        let file = try disk.open(SegmentFiles.path(directory, base, .log), .read)
        defer { file.close() }
        let size = file.size
        var scanner = BatchScanner(file, from: 0, to: size)
        while let (header, bytes) = try scanner.next() {
            guard header.matches(bytes) else { return (scanner.batchPosition, size) }
            body(header, bytes)
        }
        return (scanner.position, size)
    }
}
