import ClusterModel
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("A log on a full disk")
struct WantOfRoomTests {
    let fixture: LogFixture
    var simulation: Simulation { fixture.simulation }
    private let orders = TopicPartition("orders", 0)

    init() { fixture = LogFixture(seed: 7, writesInPlace: 0.5) }

    /// So many bytes are left from now on.
    private func leave(_ bytes: Int64) { fixture.node.storage.capacity = fixture.node.storage.usedBytes + bytes }
    private func makeRoom() { fixture.node.storage.capacity = 1 << 40 }

    private func refusal(_ log: PartitionLog, records: Int = 1) -> AppendError? {
        do throws(AppendError) {
            _ = try log.append(batch(records), epoch: 3, in: simulation)
            return nil
        } catch { return error }
    }

    private func hasRoom(_ log: PartitionLog) -> Bool { simulation.run(within: .seconds(2), until: { !log.isFull }) }

    @Test("refuses the append that finds no room, is as it was, reads on, and takes records again by itself")
    func appends() throws {
        let directory = try fixture.open()
        let log = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
        for _ in 0..<5 { _ = try log.append(batch(2), epoch: 3, in: simulation) }
        let before = try log.bytes(from: 0, below: 10)
        leave(Int64(batch(1).count) - 1)
        #expect(refusal(log) == .noRoom(directory: log.directory))
        #expect(log.isFull && log.offlineReason == nil)
        simulation.run(for: .seconds(1))
        #expect(log.logEndOffset == 10 && log.nextOffset == 10 && log.size == Int64(before.count))
        #expect(try log.bytes(from: 0, below: 10) == before)
        #expect(refusal(log) == .noRoom(directory: log.directory))
        makeRoom()
        #expect(hasRoom(log))
        #expect(try log.append(batch(1), epoch: 3, in: simulation).offsets == 10..<11)
        #expect(log.epochs.entries == [.init(epoch: 3, startOffset: 0)])
    }

    @Test(
        "takes back all that was accepted behind the write that failed, also across segments, and forgets their sequence numbers"
    )
    func takesBack() throws {
        for seed in UInt64(0)..<40 {
            let fixture = LogFixture(seed: seed, writesInPlace: seed % 2 == 0 ? 0 : 0.5)
            fixture.settings.segmentBytes = 400
            let simulation = fixture.simulation
            let directory = try fixture.open()
            let log = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
            log.beginEpoch(1)
            var sequence: Int32 = 0
            func numbered(_ sequence: Int32) -> [UInt8] {
                batch(1, producer: .init(id: 9, epoch: 0, baseSequence: sequence))
            }
            for _ in 0..<Int(seed % 5) {
                _ = try log.append(numbered(sequence), epoch: 1, in: simulation)
                sequence += 1
            }
            fixture.node.storage.capacity = fixture.node.storage.usedBytes + Int64(seed % 20) * 37
            var answers: [Result<AppendedRange, AppendError>] = []
            for number in sequence..<sequence + 12 {
                var bytes = numbered(number)
                bytes.withUnsafeMutableBytes { log.append($0, leaderEpoch: 1) { answers.append($0) } }
            }
            simulation.run(within: .seconds(10), until: { answers.count == 12 })
            #expect(answers.count == 12)
            let written = answers.prefix { if case .success = $0 { true } else { false } }.count
            #expect(written < 12)
            #expect(answers.dropFirst(written).allSatisfy { $0 == .failure(.noRoom(directory: log.directory)) })
            simulation.run(for: .seconds(1))
            let end = Offset(sequence) + Offset(written)
            #expect(log.offlineReason == nil && log.logEndOffset == end && log.nextOffset == end, "seed \(seed)")
            #expect(log.latestEpoch == 1)
            fixture.node.storage.capacity = 1 << 40
            #expect(simulation.run(within: .seconds(5), until: { !log.isFull }), "seed \(seed)")
            // What was refused is asked for again, and is neither a duplicate nor a gap.
            for number in sequence + Int32(written)..<sequence + 20 {
                let range = try log.append(numbered(number), epoch: 1, in: simulation)
                #expect(range.offsets == Offset(number)..<Offset(number) + 1 && !range.isDuplicate, "seed \(seed)")
            }
            #expect(fixture.close(directory) == nil)
            fixture.node.restart()
            let again = try #require(try fixture.open().logs[orders])
            #expect(again.logEndOffset == Offset(sequence) + 20, "seed \(seed)")
        }
    }

    @Test("a checkpoint that finds no room is written later, and takes nobody offline") func checkpoints() throws {
        let directory = try fixture.open()
        let log = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
        _ = try log.append(batch(3), in: simulation)
        leave(0)
        directory.checkpointHighWatermarks([orders: 3])
        simulation.run(for: .seconds(1))
        #expect(directory.offlineReason == nil && log.isFull)
        #expect(try log.bytes(from: 0, below: 3).count == batch(3).count)
        makeRoom()
        #expect(hasRoom(log))
        directory.checkpointHighWatermarks([orders: 3])
        #expect(fixture.close(directory, [orders: 3]) == nil)
    }

    @Test("a cut waits for room for its checkpoint, and appends behind it are refused meanwhile") func cuts() throws {
        let directory = try fixture.open()
        let log = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
        for _ in 0..<4 { _ = try log.append(batch(1), in: simulation) }
        leave(0)
        var isCut = false
        log.truncate(to: 2) { isCut = $0 == nil }
        // Cutting a file gives room back.
        leave(0)
        simulation.run(for: .seconds(2))
        #expect(log.offlineReason == nil)
        makeRoom()
        #expect(simulation.run(within: .seconds(2), until: { isCut && !log.isFull }))
        #expect(try log.append(batch(1), in: simulation).offsets == 2..<3)
    }

    @Test("refuses below the floor before the disk is full, and goes on only well above it") func floor() throws {
        let directory = try fixture.open()
        let log = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
        fixture.node.storage.capacity = 100 << 20
        directory.watchRoom(floorBytes: 1 << 20)
        simulation.run(for: .seconds(2))
        #expect(refusal(log) == nil)
        leave(1 << 19)
        simulation.run(for: .seconds(2))
        #expect(refusal(log) == .noRoom(directory: log.directory))
        leave(3 << 19)
        simulation.run(for: .seconds(2))
        #expect(log.isFull)
        leave(5 << 20)
        #expect(hasRoom(log))
        #expect(refusal(log) == nil)
    }

    @Test("a sync that fails for want of room, and a disk error of any other kind, are final") func others() throws {
        for (operation, code) in [(DiskOperation.sync, Int32(28)), (.write, 5)] {
            let fixture = LogFixture(seed: 3)
            let directory = try fixture.open()
            let log = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
            _ = try log.append(batch(1), in: fixture.simulation)
            fixture.node.storage.fault = { $0 == operation && $1.hasSuffix(".log") ? code : nil }
            _ = try? log.append(batch(1), in: fixture.simulation)
            log.flush { _ in }
            fixture.settle()
            #expect(log.offlineReason != nil && directory.offlineReason != nil)
        }
    }

    @Test("closes in bounded time although there is no room to cut, and is whole afterwards") func closes() throws {
        let directory = try fixture.open()
        let log = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
        for _ in 0..<4 { _ = try log.append(batch(1), in: simulation) }
        leave(0)
        log.truncate(to: 3) { _ in }
        leave(0)
        simulation.run(for: .milliseconds(100))
        _ = fixture.close(directory)
        makeRoom()
        fixture.node.restart()
        #expect(try fixture.open().logs[orders]?.logEndOffset == 3)
    }
}
