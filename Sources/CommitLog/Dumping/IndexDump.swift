import Bytes
import ClusterModel
import Platform
import Records

// The files beside the records.
extension LogDump {
    /// What belongs to the same segment as `path`.
    private func beside(_ path: String, _ kind: SegmentFiles.Kind) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return "\(parentDirectory(of: path))/\(LogDump.stem(name))\(kind.rawValue)"
    }

    private mutating func unsound(_ path: String) {
        damaged("\(path) is damaged: a start would build it anew.")
    }

    mutating func dumpOffsets(_ path: String, _ base: Offset) throws(DiskError) {
        let file = try disk.open(beside(path, .log), .read)
        defer { file.close() }
        let index = try OffsetIndex(opening: path, baseOffset: base, disk: disk)
        guard index.file.count > 0 else { return say("\(path) is empty.") }
        guard !options.checksSanityOnly else {
            if try index.looksSound(logSize: file.size) { return say("\(path) passed sanity check.") }
            return unsound(path)
        }
        if index.file.hasOddSize { damaged("\(path) ends with a part of an entry.") }
        for number in 0..<index.file.count {
            let entry = try index.entry(number)
            // Room that was reserved and never written.
            if entry.offset == base, number > 0 { return }
            var scanner = HeaderScanner(file, from: max(0, entry.position), to: file.size)
            let found = try scanner.next()?.lastOffset
            if found != entry.offset {
                LogDump.add(
                    "  Index offset: \(entry.offset), log offset: \(found ?? -1)", of: disk.absolutePath(path),
                    to: &mismatches)
            }
            if !options.verifiesOnly { say("offset: \(entry.offset) position: \(entry.position)") }
        }
    }

    mutating func dumpTimes(_ path: String, _ base: Offset) throws(DiskError) {
        let file = try disk.open(beside(path, .log), .read)
        defer { file.close() }
        let times = try TimeIndex(opening: path, baseOffset: base, disk: disk)
        guard !options.checksSanityOnly else {
            if try times.looksSound(nextOffset: nil) { return say("\(path) passed sanity check.") }
            return unsound(path)
        }
        if times.file.hasOddSize { damaged("\(path) ends with a part of an entry.") }
        let offsets = try? OffsetIndex(opening: beside(path, .index), baseOffset: base, disk: disk)
        var previous: Int64 = -1
        for number in 0..<times.file.count {
            let entry = try times.entry(number)
            if entry.offset == base, number > 0 { return }
            // An index that cannot be believed only costs time.
            let near = try offsets?.position(atOrBefore: entry.offset, logSize: file.size) ?? 0
            try compare(entry, with: file, from: near, path, previous)
            if !options.verifiesOnly { say("timestamp: \(entry.timestamp) offset: \(entry.offset)") }
            previous = entry.timestamp
        }
    }

    private mutating func compare(
        _ entry: TimeIndex.Entry, with file: any File, from position: Int64, _ path: String, _ previous: Int64
    ) throws(DiskError) {
        let name = disk.absolutePath(path)
        var scanner = BatchScanner(file, from: position, to: file.size)
        var found: Offset = -1
        while let (header, bytes) = try scanner.next() {
            guard header.lastOffset >= entry.offset else { continue }
            found = header.lastOffset
            guard found == entry.offset else { break }
            let newest = newestTimestamp(header, bytes)
            if newest != entry.timestamp {
                LogDump.add(
                    "  Index timestamp: \(entry.timestamp), log timestamp: \(newest)", of: name, to: &timeMismatches)
            }
            if previous >= entry.timestamp {
                LogDump.add(
                    "  Index timestamp: \(entry.timestamp), Previously indexed timestamp: \(previous)", of: name,
                    to: &disorder)
            }
            return
        }
        notFound.append("Indexed offset: \(entry.offset), found log offset: \(found)")
    }

    /// Of the records themselves, as far as they can be read.
    private func newestTimestamp(_ header: BatchHeader, _ bytes: UnsafeRawBufferPointer) -> Int64 {
        if header.magic < 2 {
            return (try? LegacyMessages.records(bytes))?.map(\.timestamp).max() ?? header.maxTimestamp
        }
        guard let batch = try? RecordBatch(bytes), var iterator = try? RecordIterator(batch) else { return -1 }
        var newest: Int64 = -1
        while let record = try? iterator.next() { newest = max(newest, record.timestamp) }
        return newest
    }

    mutating func dumpTransactions(_ path: String) throws(DiskError) {
        guard let transactions = TransactionIndex.transactions(try disk.contents(path)) else { return unsound(path) }
        for transaction in transactions {
            say(
                "version: 0 producerId: \(transaction.producerID) firstOffset: \(transaction.firstOffset) "
                    + "lastOffset: \(transaction.lastOffset) lastStableOffset: \(transaction.lastStableOffset)")
        }
    }

    mutating func dumpProducers(_ path: String) throws(DiskError) {
        let bytes = try disk.contents(path)
        guard let ledger = bytes.withUnsafeBytes({ ProducerSnapshot.ledger($0) }) else {
            return damaged("Snapshot \(path) is damaged: its checksum or its length does not fit")
        }
        for (id, entry) in ledger.entries.sorted(by: { $0.key < $1.key }) {
            var line =
                "producerId: \(id) producerEpoch: \(entry.epoch) coordinatorEpoch: \(entry.coordinatorEpoch) "
                + "currentTxnFirstOffset: \(LogDump.optional(entry.transactionStart)) lastTimestamp: \(entry.lastTimestamp) "
            if let batch = entry.batches.last {
                line +=
                    "firstSequence: \(batch.firstSequence) lastSequence: \(batch.lastSequence) "
                    + "lastOffset: \(batch.lastOffset) offsetDelta: \(batch.offsetDelta) timestamp: \(batch.timestamp)"
            }
            say(line)
        }
    }

    /// Small text files, which Kafka's tool does not know.
    mutating func dumpCheckpoint(_ path: String, _ name: String) throws(DiskError) -> Bool {
        switch name {
        case PartitionLog.epochFile:
            let text = String(decoding: try disk.contents(path), as: UTF8.self)
            guard let cache = EpochCache(text: text) else {
                unsound(path)
                return true
            }
            for entry in cache.entries { say("epoch: \(entry.epoch) startOffset: \(entry.startOffset)") }
        case OffsetCheckpoint.recoveryPoints, OffsetCheckpoint.logStarts, OffsetCheckpoint.highWatermarks,
            OffsetCheckpoint.cleaned:
            guard let offsets = OffsetCheckpoint.parse(String(decoding: try disk.contents(path), as: UTF8.self)) else {
                unsound(path)
                return true
            }
            for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
                say("partition: \(partition) offset: \(offset)")
            }
        default: return false
        }
        return true
    }
}
