import ClusterModel
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("A start")
struct StartsTests {
    let partition = TopicPartition("t", 0)

    private func data(_ producer: Int64) throws -> [UInt8] {
        var builder = BatchBuilder()
        builder.append(timestamp: 1000, key: nil, value: [1])
        return try builder.build(producer: .init(id: producer, epoch: 0, baseSequence: 0), isTransactional: true)
    }

    @Test(
        "knows open transactions, and ended ones whose marker is not committed yet, clean or not",
        arguments: [true, false])
    func lastStable(isClean: Bool) throws {
        let fixture = LogFixture()
        let directory = try fixture.open()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        _ = try log.append(batch(2), in: fixture.simulation)
        _ = try log.append(try data(1), in: fixture.simulation)
        _ = try log.append(
            ControlRecord(kind: .abort, coordinatorEpoch: 0).batch(timestamp: 5, producerID: 1, producerEpoch: 0),
            in: fixture.simulation)
        _ = try log.append(try data(2), in: fixture.simulation)
        func check(_ log: PartitionLog) {
            #expect(log.logEndOffset == 5)
            // The marker at 3 is not committed; then it is, and the transaction at 4 is open.
            #expect(log.lastStableOffset(highWatermark: 3) == 2)
            #expect(log.lastStableOffset(highWatermark: 4) == 4)
            #expect(log.lastStableOffset(highWatermark: 5) == 4)
        }
        if isClean {
            #expect(fixture.close(directory, [partition: 3]) == nil)
        } else {
            directory.checkpointHighWatermarks([partition: 3])
            fixture.settle()
            fixture.node.crash(.process)
            fixture.node.restart()
        }
        let again = try fixture.open()
        check(try #require(again.logs[partition]))
        // Nobody knows the high watermark: nothing is taken for committed that may not be.
        #expect(fixture.close(again, [:]) == nil)
        try fixture.disk.remove("\(fixture.path)/replication-offset-checkpoint")
        check(try #require(try fixture.open().logs[partition]))
    }

    @Test("does not take a damaged .swap for what it should replace", arguments: [true, false])
    func damagedSwap(isClean: Bool) throws {
        let fixture = LogFixture()
        let directory = try fixture.open()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        for _ in 0..<12 { _ = try log.append(batch(2), in: fixture.simulation) }
        let all = try log.bytes(from: 0, below: 24)
        #expect(fixture.close(directory, [partition: 24]) == nil)
        // Half of what was compacted is gone.
        let swap = "\(fixture.path)/t-0/00000000000000000000.log.swap"
        try fixture.disk.write(Array(all[..<(all.count / 12 + 20)]), to: swap)
        if !isClean { try fixture.disk.remove("\(fixture.path)/.kafka_cleanshutdown") }
        let again = try #require(try fixture.open().logs[partition])
        #expect(try again.bytes(from: 0, below: 24) == all)
        #expect(!fixture.disk.exists(swap))
        #expect(fixture.node.lines.contains { "\($0)".contains("gave up the replacement at 0") })
    }

    @Test("removes no records because a checkpoint names a start behind the end", arguments: [true, false])
    func startBehindTheEnd(isClean: Bool) throws {
        let fixture = LogFixture()
        let directory = try fixture.open()
        try directory.identify(as: DirectoryIdentity(brokerID: 1, clusterID: "c"))
        directory.trustTail()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        for _ in 0..<12 { _ = try log.append(batch(2), in: fixture.simulation) }
        let all = try log.bytes(from: 0, below: 24)
        #expect(fixture.close(directory, [partition: 24]) == nil)
        try fixture.disk.write(Array("0\n1\nt 0 999\n".utf8), to: "\(fixture.path)/log-start-offset-checkpoint")
        if !isClean { try fixture.disk.remove("\(fixture.path)/.kafka_cleanshutdown") }
        let again = try #require(try fixture.open().logs[partition])
        #expect(again.logStartOffset == 0 && again.logEndOffset == 24)
        #expect(try again.bytes(from: 0, below: 24) == all)
        #expect(fixture.node.lines.contains { "\($0)".contains("passed over log-start-offset-checkpoint") })
    }

    @Test(
        "finds every leader epoch in segments that it reads whole and in those it believes, with their file and without"
    )
    func epochs() throws {
        for isLost in [false, true] {
            let fixture = LogFixture()
            fixture.settings.segmentBytes = batch(2, size: 50).count * 3
            let directory = try fixture.open()
            let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
            for number: Int32 in 0..<24 {
                _ = try log.append(batch(2, size: 50), epoch: LeaderEpoch(number / 2), in: fixture.simulation)
                guard number == 10 else { continue }
                // Epoch 5 began before this, and goes on behind it.
                log.flush { _ in }
                fixture.settle()
                directory.checkpointLogs(isNeeded: true) {}
                fixture.settle()
            }
            fixture.settle()
            let known = log.epochs
            #expect(known.entries.count == 12)
            fixture.node.crash(.process)
            fixture.node.restart()
            if isLost { try fixture.disk.remove("\(log.directory)/leader-epoch-checkpoint") }
            let again = try #require(try fixture.open().logs[partition])
            #expect(again.epochs == known && again.recoveryPoint < again.nextOffset && again.recoveryPoint >= 22)
        }
    }

    @Test(
        "loses nothing with any of the small files, missing or garbage, clean or not",
        arguments: [
            "recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint",
            "cleaner-offset-checkpoint", "letterbox.boot", "t-0/leader-epoch-checkpoint", "t-0/partition.metadata",
            "t-0/00000000000000000010.index", "t-0/00000000000000000010.timeindex",
            "t-0/00000000000000000010.snapshot", "t-0/00000000000000000000.txnindex",
        ])
    func smallFiles(name: String) throws {
        for garbage: String? in [nil, "", "0\n2\nt 0 7\n", "\u{1}\u{2}\u{3}\u{4}\u{5}noise"] {
            for isClean in [true, false] {
                let fixture = LogFixture()
                fixture.settings.segmentBytes = batch(2, size: 50).count * 5
                let directory = try fixture.open()
                let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
                for _ in 0..<12 { _ = try log.append(batch(2, size: 50), epoch: 3, in: fixture.simulation) }
                fixture.settle()
                let all = try log.bytes(from: 0, below: 24)
                #expect(fixture.close(directory, [partition: 24]) == nil)
                let path = "\(fixture.path)/\(name)"
                if let garbage {
                    try fixture.disk.write(Array(garbage.utf8), to: path)
                } else if fixture.disk.exists(path) {
                    try fixture.disk.remove(path)
                }
                if !isClean { try fixture.disk.remove("\(fixture.path)/.kafka_cleanshutdown") }
                let again = try fixture.open()
                let log2 = try #require(again.logs[partition], "\(name) \(garbage ?? "missing")")
                #expect(log2.logStartOffset == 0 && log2.logEndOffset == 24, "\(name) \(garbage ?? "missing")")
                #expect(try log2.bytes(from: 0, below: 24) == all)
                #expect(log2.epochs.entries == [.init(epoch: 3, startOffset: 0)])
                #expect(log2.damage == [] && again.failures.isEmpty)
            }
        }
    }

    @Test("passes over strangers, and takes up or gives up what was half renamed") func strangers() throws {
        let fixture = LogFixture()
        let directory = try fixture.open()
        let log = try directory.createLog(partition, topicID: nil, settings: fixture.settings)
        for _ in 0..<5 { _ = try log.append(batch(2), in: fixture.simulation) }
        let all = try log.bytes(from: 0, below: 10)
        #expect(fixture.close(directory, [partition: 10]) == nil)
        try fixture.disk.createDirectory("\(fixture.path)/lost+found")
        try fixture.disk.createDirectory("\(fixture.path)/u-0.\(String(repeating: "a", count: 32))-delete")
        try fixture.disk.createDirectory("\(fixture.path)/t-0/lost+found")
        for name in [
            "notes.txt", "00000000000000000000.log.cleaned", "00000000000000000000.index.deleted",
            "00000000000000000007.index", "17.log", "leader-epoch-checkpoint.tmp",
        ] { try fixture.disk.write([1, 2, 3], to: "\(fixture.path)/t-0/\(name)") }
        let again = try fixture.open()
        let log2 = try #require(again.logs[partition])
        #expect(try log2.logEndOffset == 10 && log2.bytes(from: 0, below: 10) == all)
        let names = try fixture.disk.list("\(fixture.path)/t-0").map(\.name)
        #expect(names.contains("notes.txt") && names.contains("17.log"))
        #expect(!names.contains { $0.hasSuffix(".cleaned") || $0.hasSuffix(".deleted") || $0.hasSuffix(".tmp") })
        #expect(!names.contains("00000000000000000007.index"))
        #expect(try !fixture.disk.list(fixture.path).contains { $0.name.hasSuffix("-delete") })
        // A segment without a byte is the log's end.
        #expect(fixture.close(again, [partition: 10]) == nil)
        try fixture.disk.write([], to: "\(fixture.path)/t-0/00000000000000000010.log")
        let third = try #require(try fixture.open().logs[partition])
        #expect(third.logEndOffset == 10 && third.segmentBases == [0, 10])
        #expect(try third.append(batch(1), in: fixture.simulation).offsets == 10..<11)
    }
}
