import Bytes
import ClusterModel
import Platform
import Records
import SimulatedPlatform

@testable import CommitLog

extension FuzzTarget {
    /// The files beside the records, one at a time. An input is the file's kind, a byte of choices, and the file.
    static let indexes = FuzzTarget(name: "indexes", maxLength: 4 << 10, mallocLimitMB: 200) { input in
        var choices = Choices(input)
        let kind = choices.byte() % 10
        let choice = choices.byte()
        let file = [UInt8](choices.rest)
        switch kind {
        case 0, 1:
            let simulation = Simulation(seed: 1)
            defer { simulation.end() }
            let disk = simulation.node("broker").world.disk
            // As far up as a segment may begin, too.
            let base: Offset = choice & 1 == 0 ? 0 : choice & 2 == 0 ? 4711 : (1 << 62) - 1
            try disk.createDirectory("/log")
            let path = SegmentFiles.path("/log", base, kind == 0 ? .index : .timeIndex)
            try disk.write(file, to: path)
            if kind == 0 {
                try useOffsets(path, base, disk, logSize: Int64(choice) << 12)
            } else {
                try useTimes(path, base, disk)
            }
            try dump(path, disk)
        case 2:
            guard let found = TransactionIndex.transactions(file) else { return }
            try expect(TransactionIndex.bytes(found) == file, "aborted transactions are not written as they were read")
        case 3: try useProducers(file, fitting: choice & 1 != 0)
        case 4:
            let text = String(decoding: file, as: UTF8.self)
            guard let cache = EpochCache(text: text) else { return }
            try useEpochs(cache, Offset(choice))
        case 5:
            guard let offsets = OffsetCheckpoint.parse(String(decoding: file, as: UTF8.self)) else { return }
            let again = OffsetCheckpoint.parse(OffsetCheckpoint.text(offsets))
            // Topics' names have no white space; what has cannot be written so that it is read again.
            if offsets.keys.allSatisfy({ $0.topic.allSatisfy { !$0.isWhitespace } }) {
                try expect(again == offsets, "a checkpoint is not read as it was written")
            }
        case 6:
            guard let identity = DirectoryIdentity(text: String(decoding: file, as: UTF8.self)) else { return }
            _ = DirectoryIdentity(text: identity.text)
        case 7: _ = LogDirectory.topicID(String(decoding: file, as: UTF8.self))
        case 8:
            let name = String(decoding: file, as: UTF8.self)
            if let found = SegmentFiles.parse(name) {
                try expect(SegmentFiles.path("", found.offset, found.kind) == "/" + name, "\(name) is parsed otherwise")
            }
            if let partition = LogDirectory.partition(name) { try expect("\(partition)" == name, "\(name) is another") }
            _ = LogDirectory.futurePartition(name)
        default:
            let simulation = Simulation(seed: 1)
            defer { simulation.end() }
            let disk = simulation.node("broker").world.disk
            try disk.createDirectory("/log")
            let names = [
                "00000000000000000000.index", "00000000000000000005.timeindex", "00000000000000000000.log",
                "00000000000000000005.txnindex.deleted", "00000000000000000057.snapshot", "leader-epoch-checkpoint",
                "recovery-point-offset-checkpoint", "00000000000000000000.log.swap",
            ]
            let path = "/log/\(names[Int(choice & 7)])"
            try disk.write(file, to: path)
            try dump(path, disk)
        }
    } seeds: {
        var seeds: [[UInt8]] = []
        let root = "CommitLogTests/Golden/log-dir"
        func add(_ kinds: [UInt8], _ path: String) {
            let bytes = Golden.bytes(path)
            for kind in kinds { seeds += [[kind, 0x40] + bytes, [kind, 0x41] + bytes] }
        }
        for name in Golden.names(root) {
            if name.hasSuffix("-checkpoint") { add([5, 9], "\(root)/\(name)") }
            if name == "meta.properties" { add([6], "\(root)/\(name)") }
            seeds.append([8, 0] + Array(name.utf8))
            for file in Golden.names("\(root)/\(name)") {
                let path = "\(root)/\(name)/\(file)"
                seeds.append([8, 0] + Array(file.utf8))
                if file.hasSuffix(".timeindex") { add([1], path) }
                if file.hasSuffix(".index") { add([0], path) }
                if file.hasSuffix(".txnindex") { add([2], path) }
                if file.hasSuffix(".snapshot") { add([3], path) }
                if file == PartitionLog.epochFile { add([4], path) }
                if file == PartitionLog.metadataFile { add([7], path) }
                if file.hasSuffix(".log") { seeds.append([9, 2] + Golden.bytes(path).prefix(3000)) }
            }
        }
        seeds.append([4, 7] + Array("0\n3\n0 0\n1 5\n4 77\n".utf8))
        seeds.append([8, 0] + Array("orders-3.0123456789abcdef0123456789abcdef-future".utf8))
        return seeds
    }

    private static func useOffsets(_ path: String, _ base: Offset, _ disk: any Disk, logSize: Int64) throws {
        let index = try OffsetIndex(opening: path, baseOffset: base, disk: disk)
        let isSound = try index.looksSound(logSize: logSize)
        if let last = try index.last(), isSound {
            try expect(last.position < logSize && last.offset >= base, "a sound index ends at \(last)")
            try expect(try index.position(atOrBefore: last.offset, logSize: logSize) >= 0, "a place before the file")
        }
        for offset in [base, base + 1, base + 100, base + Int64(Int32.max), Offset.max] {
            let found = try index.position(atOrBefore: offset, logSize: logSize)
            try expect(found >= 0 && found < max(logSize, 1), "offset \(offset) at \(found)")
        }
        guard isSound else { return }
        try index.file.unseal()
        let count = index.file.count
        try index.truncate(to: base + 50, position: logSize / 2)
        try expect(index.file.count <= count, "an index grew when it was cut")
        if let last = try index.last() {
            index.append(max(base, min(last.offset, base + Int64(Int32.max) - 1)) + 1, logSize)
        }
    }

    private static func useTimes(_ path: String, _ base: Offset, _ disk: any Disk) throws {
        let index = try TimeIndex(opening: path, baseOffset: base, disk: disk)
        let isSound = try index.looksSound(nextOffset: base + 1_000_000)
        for timestamp: Int64 in [-1, 0, 1_700_000_000_000, .max] {
            if let found = try index.entry(atOrBefore: timestamp), isSound {
                try expect(found.timestamp <= timestamp, "\(found) is not at or before \(timestamp)")
            }
        }
        guard isSound else { return }
        try index.file.unseal()
        try index.append(.max, base + 1_000_000)
        try index.truncate(to: base + 50)
        try index.append(5, base + 50)
    }

    private static func dump(_ path: String, _ disk: any Disk) throws {
        for isDeep in [false, true] {
            var options = LogDump.Options()
            options.isDeep = isDeep
            options.printsRecords = isDeep
            options.verifiesOnly = isDeep
            options.checksSanityOnly = !isDeep
            var dump = LogDump(disk: disk, options: options, say: { _ in }, complain: { _ in })
            // Indexes are compared with a log, which may be missing.
            _ = try? dump.dump(path)
            dump.finish()
        }
    }

    private static func useProducers(_ file: [UInt8], fitting: Bool) throws {
        var file = file
        if fitting { correctSnapshot(&file) }
        guard var ledger = file.withUnsafeBytes({ ProducerSnapshot.ledger($0) }) else { return }
        let written = ProducerSnapshot.bytes(ledger)
        let again = written.withUnsafeBytes { ProducerSnapshot.ledger($0) }
        try expect(again == ledger, "producers are not read as they were written")
        // The most that a log asks of what it was told.
        var builder = BatchBuilder()
        builder.append(timestamp: 5, key: [1], value: [2])
        for (id, entry) in ledger.entries.prefix(8) where id >= 0 {
            let sequence = entry.batches.last.map { Sequence32.next($0.lastSequence) } ?? 0
            let batch = try builder.build(
                producer: .init(id: id, epoch: entry.epoch, baseSequence: sequence), isTransactional: true,
                baseOffset: 1 << 40)
            try batch.withUnsafeBytes { raw in
                let batch = try RecordBatch(raw)
                _ = try? ledger.judge(batch)
                ledger.appended(batch)
            }
            let marker = ControlRecord(kind: .abort, coordinatorEpoch: 3).batch(
                timestamp: 6, producerID: id, producerEpoch: entry.epoch, baseOffset: (1 << 40) + 1)
            try marker.withUnsafeBytes { _ = ledger.appended(try RecordBatch($0)) }
        }
        _ = ledger.lastStableOffset(highWatermark: 100)
        ledger.expire(nowMs: 1_700_000_000_000, expirationMs: 1000)
    }

    static func correctSnapshot(_ file: inout [UInt8]) {
        guard file.count >= 10 else { return }
        let crc = file.withUnsafeBytes { Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[6...])) }
        for index in 0..<4 { file[2 + index] = UInt8(truncatingIfNeeded: crc >> UInt32(24 - 8 * index)) }
    }

    private static func useEpochs(_ cache: EpochCache, _ offset: Offset) throws {
        try expect(EpochCache(text: cache.text) == cache, "epochs are not read as they were written")
        for epoch: LeaderEpoch in [.none, 0, 1, 5, LeaderEpoch(.max)] {
            if let end = cache.end(of: epoch, logEnd: .max) { try expect(end.epoch <= epoch, "\(end) of \(epoch)") }
        }
        _ = cache.epoch(of: offset)
        var changed = cache
        _ = changed.truncateStart(to: offset)
        _ = changed.truncateEnd(to: offset + 100)
        _ = changed.assign(LeaderEpoch(Int32(offset)), from: offset + 50)
        try expect(EpochCache(text: changed.text) == changed, "changed epochs contradict each other: \(changed.text)")
    }
}
