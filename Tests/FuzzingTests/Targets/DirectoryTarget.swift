import Bytes
import ClusterModel
import Platform
import Records
import SimulatedPlatform

@testable import CommitLog

extension FuzzTarget {
    /// A whole directory as a broker's start finds it: opened, read by offset and by time, appended to, closed and opened again.
    /// An input is two bytes of choices, a recovery point and a log's start, and files, each a byte for its name, two for its
    /// length, and its bytes.
    static let directory = FuzzTarget(name: "directory", maxLength: 24 << 10, mallocLimitMB: 200) { input in
        var choices = Choices(input)
        let flags = choices.byte()
        let time = choices.byte()
        let recoveryPoint = choices.word()
        let logStart = choices.word()
        var options = SimulationOptions()
        options.writesInPlace = 1
        let simulation = Simulation(seed: 1, options: options)
        defer { simulation.end() }
        let node = simulation.node("broker")
        let disk = node.world.disk
        try disk.createDirectory(log)
        try disk.write(Array("0\n1\nt 0 \(recoveryPoint)\n".utf8), to: "\(root)/\(OffsetCheckpoint.recoveryPoints)")
        try disk.write(Array("0\n1\nt 0 \(logStart)\n".utf8), to: "\(root)/\(OffsetCheckpoint.logStarts)")
        if flags & 1 != 0 { try disk.write([], to: "\(root)/.kafka_cleanshutdown") }
        if flags & 2 != 0 { try disk.write(Array(node.world.bootID.utf8), to: "\(root)/letterbox.boot") }
        while !choices.rest.isEmpty {
            let path = path(choices.byte())
            let length = choices.word()
            var file = [UInt8](choices.bytes(length))
            if flags & 4 != 0 {
                if path.contains(".log") { file.withUnsafeMutableBytes { correctChecksums($0) } }
                if path.contains(".snapshot") { correctSnapshot(&file) }
            }
            try disk.write(file, to: path)
        }
        guard let directory = try? LogDirectory.open(root, world: node.world) else { return }
        var settings = LogSettings()
        settings.segmentBytes = 4096
        settings.indexIntervalBytes = 300
        if flags & 8 != 0 { settings.flushMessages = 1 }
        try directory.loadLogs { _ in settings }
        guard let opened = directory.logs[TopicPartition("t", 0)] else {
            try expect(!directory.failures.isEmpty, "a log was not opened, and nothing is said of it")
            return
        }
        try check(opened)
        let end = opened.logEndOffset
        try readByTime(opened, time)
        try readAll(opened)
        let expected = try append(opened, simulation)
        try expect(opened.offlineReason == nil, "the log went offline: \(opened.offlineReason ?? "")")
        // After a stop of either kind nothing is lost that was there.
        if flags & 16 != 0 {
            var isClosed = false
            directory.close(highWatermarks: [:], brokerEpoch: 7) { problem in
                isClosed = problem == nil
            }
            simulation.run { isClosed }
            try expect(isClosed, "the directory could not be closed")
        }
        node.restart()
        let again = try LogDirectory.open(root, world: node.world)
        try again.loadLogs { _ in settings }
        guard let reopened = again.logs[TopicPartition("t", 0)] else {
            throw FuzzFinding("what was opened once is not opened again: \(again.failures)")
        }
        try check(reopened)
        try expect(
            reopened.logEndOffset == expected || !readsAll(flags, recoveryPoint),
            "the end was \(end), \(expected) after an append, and \(reopened.logEndOffset) after a start")
        try readAll(reopened)
    } seeds: {
        var seeds: [[UInt8]] = []
        let golden = "CommitLogTests/Golden/log-dir"
        for folder in Golden.names(golden) where folder.hasPrefix("g-") {
            var files: [UInt8] = []
            for file in Golden.names("\(golden)/\(folder)") {
                let bytes = Golden.bytes("\(golden)/\(folder)/\(file)")
                guard let name = (UInt8.min...UInt8.max).first(where: { path($0) == "\(log)/\(file)" }) else {
                    continue
                }
                files += [name, UInt8(bytes.count >> 8 & 255), UInt8(bytes.count & 255)] + bytes
            }
            guard files.count < 24 << 10 else { continue }
            for flags: UInt8 in [1, 3, 0, 2, 4 + 2, 5, 16 + 1, 16 + 8] { seeds.append([flags, 1, 0, 0, 0, 0] + files) }
            seeds.append([2, 2, 0, 57, 0, 5] + files)
        }
        return seeds
    }

    private static let root = "/data/logs"
    private static let log = "\(root)/t-0"
    private static let bases: [Offset] = [0, 5, 17, 57, 240, 480, 1 << 31, (1 << 62) - 1]

    /// Five kinds of segment files at eight bases, as they are and as compaction and deletion name them; and the small ones.
    private static func path(_ name: UInt8) -> String {
        let kinds = SegmentFiles.Kind.allCases
        let index = Int(name) % 240
        guard index < 160 else {
            let names = [
                PartitionLog.epochFile, PartitionLog.metadataFile, "../meta.properties", "../letterbox.boot",
                "../replication-offset-checkpoint", "../recovery-point-offset-checkpoint",
                "../log-start-offset-checkpoint", "../cleaner-offset-checkpoint", "stranger",
                "leader-epoch-checkpoint.tmp",
            ]
            let chosen = names[(index - 160) % names.count]
            return chosen.hasPrefix("../") ? "\(root)/\(chosen.dropFirst(3))" : "\(log)/\(chosen)"
        }
        let suffix = ["", ".swap", ".cleaned", ".deleted"][index / 40]
        return SegmentFiles.path(log, bases[index % 8], kinds[index / 8 % 5]) + suffix
    }

    /// Without a clean stop and with a recovery point of 0 a start reads every byte: what it accepts stays accepted.
    private static func readsAll(_ flags: UInt8, _ recoveryPoint: Int) -> Bool { flags & 1 == 0 && recoveryPoint == 0 }

    private static func check(_ log: PartitionLog) throws {
        try expect(
            log.logStartOffset <= log.logEndOffset && log.recoveryPoint <= log.nextOffset && log.logStartOffset >= 0,
            "start \(log.logStartOffset), end \(log.logEndOffset), recovery point \(log.recoveryPoint)")
        let bases = log.segmentBases
        try expect(!bases.isEmpty && zip(bases, bases.dropFirst()).allSatisfy { $0 < $1 }, "segments at \(bases)")
        try expect(bases.last ?? 0 <= log.logEndOffset, "a segment behind the end")
        try expect(EpochCache(text: log.epochs.text) == log.epochs, "epochs contradict each other: \(log.epochs.text)")
    }

    /// Reads batch by batch. What a start after a clean stop did not look at may be damaged: then it ends there.
    private static func readAll(_ log: PartitionLog) throws {
        var next = log.logStartOffset
        var turns = 0
        while next < log.logEndOffset, turns < 200 {
            turns += 1
            guard
                let slice = try? log.read(
                    from: next, maxBytes: 1000, below: log.logEndOffset, atLeastOneBatch: true), slice.length > 0,
                let bytes = try? slice.contents()
            else { return }
            let end: Offset? = bytes.withUnsafeBytes { BatchHeader($0)?.lastOffset }
            guard let end, end >= next else { return }
            _ = log.epoch(ofOffset: next)
            next = end + 1
        }
        for offset in [log.logStartOffset, log.logEndOffset - 1, (log.logStartOffset + log.logEndOffset) / 2] {
            _ = try? log.read(from: offset, maxBytes: 10, below: offset + 3, atLeastOneBatch: false)
            _ = try? log.abortedTransactions(from: offset, below: log.logEndOffset)
        }
    }

    private static func readByTime(_ log: PartitionLog, _ time: UInt8) throws {
        let times: [Int64] = [-1, 0, 1_700_000_000_000 + Int64(time) * 1000, Int64(time), .max]
        for timestamp in times {
            if let found = try? log.offset(forTimestamp: timestamp, below: log.logEndOffset) {
                try expect(
                    found.timestamp >= timestamp && found.offset >= log.logStartOffset
                        && found.offset < log.logEndOffset, "\(found) was found for \(timestamp)")
            }
        }
        _ = try? log.offsetOfMaxTimestamp()
        _ = log.lastStableOffset(highWatermark: log.logEndOffset)
    }

    /// - Returns: the end of the log after it.
    private static func append(_ log: PartitionLog, _ simulation: Simulation) throws -> Offset {
        var builder = BatchBuilder()
        builder.append(timestamp: 1_700_000_000_000, key: [1], value: [2, 3])
        var batch = try builder.build()
        var answer: Result<AppendedRange, AppendError>?
        let before = log.logEndOffset
        batch.withUnsafeMutableBytes {
            log.append($0, leaderEpoch: (log.latestEpoch ?? 0) < 0 ? 0 : log.latestEpoch ?? 0) { answer = $0 }
        }
        simulation.run { answer != nil }
        guard let answer else { throw FuzzFinding("an append is not answered") }
        if case .success(let range) = answer {
            try expect(range.offsets == before..<before + 1, "appended at \(range.offsets), the end was \(before)")
        }
        return log.logEndOffset
    }
}
