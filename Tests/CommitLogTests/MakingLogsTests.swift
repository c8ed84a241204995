import Bytes
import ClusterModel
import Platform
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("Logs made many at once")
struct MakingLogsTests {
    let fixture = LogFixture(seed: 11)
    private let id = UUID128(high: 1, low: 2)

    private func make(_ directory: LogDirectory, _ count: Int32) -> [TopicPartition: LogOpenError]? {
        var errors: [TopicPartition: LogOpenError]?
        directory.createLogs(
            (0..<count).map { .init(partition: TopicPartition("many", $0), topicID: id, settings: fixture.settings) }
        ) { errors = $0 }
        fixture.simulation.run(within: .seconds(60)) { errors != nil }
        return errors
    }

    @Test("are there when it is said, and the deciding thread touched no disk for them") func many() throws {
        let directory = try fixture.open()
        var opened = 0
        fixture.node.storage.fault = { operation, _ in
            if operation == .open || operation == .createDirectory || operation == .sync { opened += 1 }
            return nil
        }
        var answered = false
        directory.createLogs(
            (0..<50).map { .init(partition: TopicPartition("many", $0), topicID: id, settings: fixture.settings) }
        ) { errors in answered = errors.isEmpty }
        #expect(opened == 0)
        fixture.simulation.run(within: .seconds(60)) { answered }
        #expect(answered && directory.logs.count == 50)
        #expect(directory.logs.values.allSatisfy { $0.topicID == id && $0.nextOffset == 0 })
        let log = try #require(directory.logs[TopicPartition("many", 7)])
        #expect(try log.append(batch(2), in: fixture.simulation).offsets == 0..<2)
        #expect(fixture.close(directory) == nil)
        fixture.node.restart()
        let again = try fixture.open()
        #expect(again.logs.count == 50 && again.logs[TopicPartition("many", 7)]?.nextOffset == 2)
    }

    @Test("that are there already stay, with their records and their id") func present() throws {
        let directory = try fixture.open()
        #expect(make(directory, 2) == [:])
        let log = try #require(directory.logs[TopicPartition("many", 1)])
        _ = try log.append(batch(3), in: fixture.simulation)
        #expect(make(directory, 4) == [:])
        #expect(directory.logs.count == 4 && directory.logs[TopicPartition("many", 1)] === log)
        #expect(log.nextOffset == 3)
    }

    @Test("fail without the disk, which is then given up") func failing() throws {
        let directory = try fixture.open()
        fixture.node.storage.fault = { operation, path in
            operation == .open && path.contains("many-1/") ? 5 : nil
        }
        let errors = try #require(make(directory, 3))
        #expect(errors[TopicPartition("many", 1)] != nil && directory.offlineReason != nil)
    }

    @Test("names are free again once a deletion was answered, and begin empty") func deleted() throws {
        let directory = try fixture.open()
        #expect(make(directory, 20) == [:])
        for log in directory.logs.values { _ = try log.append(batch(2), in: fixture.simulation) }
        var isDone = false
        directory.deleteLogs((0..<20).map { TopicPartition("many", $0) }) { isDone = $0 == nil }
        fixture.simulation.run(within: .seconds(60)) { isDone }
        #expect(isDone && directory.logs.isEmpty)
        #expect(make(directory, 20) == [:])
        #expect(directory.logs.values.allSatisfy { $0.nextOffset == 0 })
    }

    @Test("an epoch that begins asks nothing of the disk; its records tell it after a kill, its file after a sync")
    func epochs() throws {
        let directory = try fixture.open()
        #expect(make(directory, 1) == [:])
        let partition = TopicPartition("many", 0)
        let log = try #require(directory.logs[partition])
        let file = "\(log.directory)/leader-epoch-checkpoint"
        for epoch: Int32 in 1...3 {
            log.beginEpoch(LeaderEpoch(epoch))
            _ = try log.append(batch(2), epoch: LeaderEpoch(epoch), in: fixture.simulation)
        }
        fixture.settle()
        #expect(!fixture.disk.exists(file))
        let known = log.epochs
        fixture.node.crash(.process)
        fixture.node.restart()
        let again = try #require(try fixture.open().logs[partition])
        #expect(again.epochs == known)
        var isSynced = false
        again.flush { isSynced = $0 == nil }
        fixture.simulation.run(within: .seconds(60)) { isSynced }
        #expect(EpochCache(text: String(decoding: try fixture.disk.contents(file), as: UTF8.self)) == known)
        // The next kill finds the recovery point behind them.
        again.beginEpoch(4)
        fixture.node.crash(.power)
        fixture.node.restart()
        #expect(try fixture.open().logs[partition]?.epochs == known)
    }

    @Test("an epoch the file holds and the log takes back is taken out of the file before anything else")
    func takenBack()
        throws
    {
        let directory = try fixture.open()
        #expect(make(directory, 1) == [:])
        let log = try #require(directory.logs[TopicPartition("many", 0)])
        for epoch: Int32 in 1...2 { _ = try log.append(batch(2), epoch: LeaderEpoch(epoch), in: fixture.simulation) }
        log.flush { _ in }
        fixture.settle()
        var isCut = false
        log.truncate(to: 2) { isCut = $0 == nil }
        fixture.simulation.run(within: .seconds(60)) { isCut }
        let text = String(
            decoding: try fixture.disk.contents("\(log.directory)/leader-epoch-checkpoint"), as: UTF8.self)
        #expect(EpochCache(text: text)?.entries == [.init(epoch: 1, startOffset: 0)])
    }
}
