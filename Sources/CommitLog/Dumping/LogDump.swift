import Bytes
import ClusterModel
import Platform
import Records

/// What the files of a log hold, in words: `kafka-dump-log`. Reads only; damaged files are told as far as they can be read.
/// Rule: the lines are Kafka 3.9's.
package struct LogDump {
    package struct Options {
        /// Each record's key and value.
        package var printsRecords = false
        /// Each record.
        package var isDeep = false
        package var skipsRecordMetadata = false
        /// Of each log file, from its beginning.
        package var maxBytes = Int.max
        /// Indexes: say only whether a start would believe them.
        package var checksSanityOnly = false
        /// Indexes: say only what is wrong.
        package var verifiesOnly = false
        /// Key and payload of a record in words; nil for what is not shown.
        package var decode: Decoder = LogDump.decoder(key: LogDump.text, value: LogDump.text)
        /// Said of each log before anything else.
        package var remarks: [String] = []
        package init() {}
    }

    package typealias Decoder = (
        _ offset: Offset, _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?
    ) -> (key: String?, payload: String?)

    package static func decoder(
        key: @escaping (UnsafeRawBufferPointer) -> String, value: @escaping (UnsafeRawBufferPointer) -> String
    ) -> Decoder {
        { (_, keyBytes, valueBytes) in (keyBytes.map(key), valueBytes.map(value)) }
    }

    package static func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

    let disk: any Disk
    let options: Options
    /// A line of the result.
    let say: (String) -> Void
    /// A line about what is wrong.
    let complain: (String) -> Void
    /// What indexes said that the logs do not, file by file; told at the end.
    var mismatches: [(file: String, lines: [String])] = []
    var timeMismatches: [(file: String, lines: [String])] = []
    var disorder: [(file: String, lines: [String])] = []
    var notFound: [String] = []
    var gaps: [(file: String, lines: [String])] = []
    /// Something was told that a sound file would not give cause for.
    package private(set) var foundDamage = false

    package init(
        disk: any Disk, options: Options, say: @escaping (String) -> Void, complain: @escaping (String) -> Void
    ) {
        self.disk = disk
        self.options = options
        self.say = say
        self.complain = complain
    }

    /// - Throws: the file cannot be read at all.
    package mutating func dump(_ path: String) throws(DiskError) {
        say("Dumping \(path)")
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let plain = LogDump.plain(name)
        guard let kind = plain.lastIndex(of: ".").flatMap({ SegmentFiles.Kind(rawValue: String(plain[$0...])) }) else {
            if try !dumpCheckpoint(path, name) { try ignore(path) }
            return
        }
        // As Kafka's tool, which takes `5.log` too.
        guard let base = Offset(LogDump.stem(name)), (0..<1 << 62).contains(base) else {
            return complain("Ignoring \(path): its name does not begin with an offset")
        }
        switch kind {
        case .log:
            for remark in options.remarks { say(remark) }
            say("Log starting offset: \(base)")
            try dumpLog(path, name)
        case .index: try dumpOffsets(path, base)
        case .timeIndex: try dumpTimes(path, base)
        case .transactionIndex: try dumpTransactions(path)
        case .snapshot: try dumpProducers(path)
        }
    }

    private func ignore(_ path: String) throws(DiskError) {
        guard (try? disk.list(path)) == nil else {
            return complain("Ignoring directory \(path): name the files in it")
        }
        try disk.open(path, .read).close()
        complain("Ignoring unknown file \(path)")
    }

    /// What the files of one segment have in common.
    static func stem(_ name: String) -> String { String(name.prefix { $0 != "." }) }

    /// Without what marks it as given up or in the making.
    static func plain(_ name: String) -> String {
        for suffix in [PartitionLog.deletedSuffix, CleanedSegment.suffix, SegmentSwap.suffix]
        where name.hasSuffix(suffix) {
            return String(name.dropLast(suffix.utf8.count))
        }
        return name
    }

    /// What was wrong with indexes and offsets, after all files.
    package func finish() {
        for (file, lines) in mismatches {
            complain("Mismatches in :\(file)")
            for line in lines { complain(line) }
        }
        for (file, lines) in timeMismatches {
            complain("Found timestamp mismatch in :\(file)")
            for line in lines { complain(line) }
        }
        for (file, lines) in disorder {
            complain("Found out of order timestamp in :\(file)")
            for line in lines { complain(line) }
        }
        if !notFound.isEmpty {
            complain("The following indexed offsets are not found in the log.")
            for line in notFound { complain(line) }
        }
        for (file, lines) in gaps {
            complain("Non-consecutive offsets in \(file)")
            for line in lines { complain(line) }
        }
    }

    static func add(_ line: String, of file: String, to list: inout [(file: String, lines: [String])]) {
        if list.last?.file == file { list[list.count - 1].lines.append(line) } else { list.append((file, [line])) }
    }

    mutating func damaged(_ line: String) {
        foundDamage = true
        complain(line)
    }

    // MARK: Records

    private mutating func dumpLog(_ path: String, _ name: String) throws(DiskError) {
        let file = try disk.open(path, .read)
        defer { file.close() }
        let isWhole = options.maxBytes >= Int(Int32.max)
        let end = min(file.size, Int64(clamping: options.maxBytes))
        var position: Int64 = 0
        var last: Offset?
        while true {
            position = try dumpBatches(file, from: position, to: end, path, &last)
            let left = file.size - position
            guard left > 0, isWhole else { return }
            foundDamage = true
            // Kafka's tool ends here, whatever may lie behind.
            let next = try Resync.nextGood(file, after: position, to: end, 0, 1 << 62).position
            guard next < end else { return say("Found \(left) invalid bytes at the end of \(name)") }
            say("Found \(next - position) invalid bytes at position \(position) of \(name)")
            position = next
        }
    }

    /// - Returns: where no whole batch begins any more.
    private mutating func dumpBatches(
        _ file: any File, from position: Int64, to end: Int64, _ path: String, _ last: inout Offset?
    ) throws(DiskError) -> Int64 {
        var scanner = BatchScanner(file, from: position, to: end)
        while let (header, bytes) = try scanner.next() {
            if header.magic == 2 {
                dumpBatch(bytes, at: scanner.batchPosition, path, &last)
            } else {
                dumpLegacy(header, bytes, at: scanner.batchPosition, path, &last)
            }
        }
        return scanner.position
    }

    private mutating func dumpBatch(
        _ bytes: UnsafeRawBufferPointer, at position: Int64, _ path: String, _ last: inout Offset?
    ) {
        guard let batch = try? RecordBatch(bytes) else { return }
        let isValid = batch.crcMatches
        if !isValid { foundDamage = true }
        let type = batch.isLogAppendTime ? "LogAppendTime" : "CreateTime"
        say(
            "baseOffset: \(batch.baseOffset) lastOffset: \(batch.lastOffset) count: \(batch.count) "
                + "baseSequence: \(batch.baseSequence) lastSequence: \(batch.lastSequence) producerId: \(batch.producerID) "
                + "producerEpoch: \(batch.producerEpoch) partitionLeaderEpoch: \(batch.leaderEpoch) "
                + "isTransactional: \(batch.isTransactional) isControl: \(batch.isControl) "
                + "deleteHorizonMs: \(LogDump.optional(batch.deleteHorizonMs)) position: \(position) "
                + "\(type): \(batch.maxTimestamp) size: \(batch.size) magic: 2 "
                + "compresscodec: \(batch.codec?.name ?? "unknown") crc: \(batch.crc) isvalid: \(isValid)")
        guard options.isDeep || options.printsRecords else { return }
        do throws(RecordError) {
            var iterator = try RecordIterator(batch)
            while let record = try iterator.next() {
                follow(record.offset, path, &last)
                say(words(record, of: batch, type))
            }
        } catch {
            damaged(
                "The records of the batch at offset \(batch.baseOffset), byte \(position) of \(path) cannot be read: "
                    + LogDump.reason(error))
        }
    }

    private mutating func follow(_ offset: Offset, _ path: String, _ last: inout Offset?) {
        if let known = last, offset != known + 1 {
            LogDump.add("  \(known) is followed by \(offset)", of: disk.absolutePath(path), to: &gaps)
        }
        last = offset
    }

    private func words(_ record: Record, of batch: RecordBatch, _ type: String) -> String {
        var about: String?
        if !options.skipsRecordMetadata {
            let delta = Int32(truncatingIfNeeded: record.offset &- batch.baseOffset)
            let sequence = batch.baseSequence < 0 ? -1 : Sequence32.advanced(batch.baseSequence, by: delta)
            let headers = record.headers.map { String(decoding: $0.key, as: UTF8.self) }.joined(separator: ",")
            var words =
                "offset: \(record.offset) \(type): \(record.timestamp) keySize: \(record.key?.count ?? -1) "
                + "valueSize: \(record.value?.count ?? -1) sequence: \(sequence) headerKeys: [\(headers)]"
            if batch.isControl { words += " " + ControlRecord.words(record) }
            about = words
        }
        guard options.printsRecords, !batch.isControl else { return line(about, nil, nil) }
        let (key, payload) = options.decode(record.offset, record.key, record.value)
        return line(about, key, payload)
    }

    /// Kafka's bar stands before the first of what there is, except before a payload alone.
    private func line(_ about: String?, _ key: String?, _ payload: String?) -> String {
        var line = ""
        for word in [about, key.map { "key: \($0)" }] {
            if let word { line += (line.isEmpty ? "| " : " ") + word }
        }
        if let payload { line += " payload: \(payload)" }
        return line
    }

    /// An entry of the formats before batches.
    private mutating func dumpLegacy(
        _ header: BatchHeader, _ bytes: UnsafeRawBufferPointer, at position: Int64, _ path: String,
        _ last: inout Offset?
    ) {
        let crc = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        let isValid = crc == Checksum.crc32(UnsafeRawBufferPointer(rebasing: bytes[16...]))
        if !isValid { foundDamage = true }
        let attributes = bytes[17]
        let type = header.magic == 0 ? "NoTimestampType" : attributes & 8 != 0 ? "LogAppendTime" : "CreateTime"
        let codec = ["none", "gzip", "snappy", "lz4"]
        let code = Int(attributes & 7)
        say(
            "offset: \(header.lastOffset) position: \(position) \(type): \(header.maxTimestamp) size: \(header.size) "
                + "magic: \(header.magic) compresscodec: \(code < codec.count ? codec[code] : "unknown") crc: \(crc) "
                + "isvalid: \(isValid)")
        guard options.isDeep || options.printsRecords else { return }
        do throws(RecordError) {
            try LegacyMessages.forEach(bytes) { message in
                follow(message.offset, path, &last)
                // The brace is Kafka's.
                let about =
                    "offset: \(message.offset) \(type): \(message.timestamp) keySize: \(message.key?.count ?? -1) "
                    + "valueSize: \(message.value?.count ?? -1) isValid: true crc: \(message.crc)}"
                let (key, payload) =
                    options.printsRecords ? options.decode(message.offset, message.key, message.value) : (nil, nil)
                say(line(options.skipsRecordMetadata ? nil : about, key, payload))
            }
        } catch {
            damaged(
                "The message at offset \(header.lastOffset), byte \(position) of \(path) cannot be read: "
                    + LogDump.reason(error))
        }
    }

    private static func reason(_ error: RecordError) -> String {
        switch error {
        case .corrupt(let reason), .invalid(let reason): reason
        default: "\(error)"
        }
    }

    /// As Java shows a number that may be missing.
    static func optional(_ number: Int64?) -> String { number.map { "OptionalLong[\($0)]" } ?? "OptionalLong.empty" }
}

extension ControlRecord {
    /// Kafka's names of kinds that brokers without a coordinator write.
    private static let names = [
        "ABORT", "COMMIT", "LEADER_CHANGE", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS",
    ]

    fileprivate static func words(_ record: Record) -> String {
        func number(_ bytes: UnsafeRawBufferPointer?, at position: Int, _ size: Int) -> Int32? {
            var reader = ByteReader(bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
            guard (try? reader.skip(position)) != nil else { return nil }
            return size == 2 ? (try? reader.int16()).map { Int32($0) } : try? reader.int32()
        }
        guard let kind = number(record.key, at: 2, 2) else { return "controlType: unreadable" }
        let name = kind >= 0 && kind < names.count ? names[Int(kind)] : "UNKNOWN"
        guard kind == 0 || kind == 1 else { return "controlType: \(name)(\(kind))" }
        guard let epoch = number(record.value, at: 2, 4) else {
            return "endTxnMarker: \(name) coordinatorEpoch: unreadable"
        }
        return "endTxnMarker: \(name) coordinatorEpoch: \(epoch)"
    }
}
