import Bytes
import ClusterModel
import Platform
import SimulatedPlatform
import Testing

@testable import CommitLog

@Suite("A log directory")
struct LogDirectoryTests {
    let fixture = LogFixture()
    let orders = TopicPartition("or-ders", 0)

    @Test("belongs to one process at a time") func locked() throws {
        let directory = try fixture.open()
        #expect(throws: LogOpenError.self) { try LogDirectory.open(fixture.path, world: fixture.world) }
        #expect(fixture.close(directory) == nil)
        _ = try fixture.open()
    }

    @Test("refuses another broker and another cluster, and remembers its own") func identity() throws {
        let directory = try fixture.open()
        try directory.identify(as: DirectoryIdentity(brokerID: 3, clusterID: "abc"))
        #expect(fixture.close(directory) == nil)
        let again = try fixture.open()
        #expect(again.identity == DirectoryIdentity(brokerID: 3, clusterID: "abc"))
        #expect(throws: LogOpenError.self) { try again.identify(as: DirectoryIdentity(brokerID: 4, clusterID: "abc")) }
        #expect(throws: LogOpenError.self) { try again.identify(as: DirectoryIdentity(brokerID: 3, clusterID: "abd")) }
        try again.identify(as: DirectoryIdentity(brokerID: 3, clusterID: "abc"))
    }

    @Test("suspects its tail only after a stop that took the machine along, and until told otherwise") func suspicion()
        throws
    {
        let first = try fixture.open()
        // It is new: should this broker have had another one, everything in it is missing.
        #expect(first.tailIsSuspect)
        try first.identify(as: DirectoryIdentity(brokerID: 3, clusterID: "abc"))
        first.trustTail()
        fixture.settle()
        _ = try first.createLog(orders, topicID: nil, settings: fixture.settings)
        // The new log's name is on the device.
        first.checkpointLogs()
        fixture.settle()
        try fixture.disk.syncDirectory(fixture.path)
        fixture.node.crash(.process)
        fixture.node.restart()
        #expect(try !fixture.open().tailIsSuspect)
        fixture.node.crash(.power)
        fixture.node.restart()
        #expect(try fixture.open().tailIsSuspect)
        fixture.node.crash(.process)
        fixture.node.restart()
        let suspect = try fixture.open()
        #expect(suspect.tailIsSuspect)
        suspect.trustTail()
        fixture.settle()
        fixture.node.crash(.process)
        fixture.node.restart()
        #expect(try !fixture.open().tailIsSuspect)
    }

    @Test("forgets a deleted log at once and its files later") func deletes() throws {
        let directory = try fixture.open()
        let log = try directory.createLog(orders, topicID: UUID128(high: 1, low: 2), settings: fixture.settings)
        _ = try log.append(batch(), in: fixture.simulation)
        var done = false
        directory.deleteLog(orders) { done = $0 == nil }
        #expect(directory.logs.isEmpty)
        #expect(throws: AppendError.closed) { try log.append(batch(), in: fixture.simulation) }
        fixture.settle()
        #expect(done)
        func names() throws -> [String] { try fixture.disk.list(fixture.path).filter(\.isDirectory).map(\.name) }
        let name = try #require(try names().first)
        #expect(name.hasPrefix("or-ders-0.") && name.hasSuffix("-delete") && name.count == 10 + 32 + 7)
        let again = try directory.createLog(orders, topicID: nil, settings: fixture.settings)
        #expect(again.logEndOffset == 0 && again.topicID == nil)
        directory.removeDeleted(olderThanMs: 60_000)
        fixture.settle()
        #expect(try names().count == 2)
        fixture.simulation.run(for: .seconds(60))
        directory.removeDeleted(olderThanMs: 60_000)
        fixture.settle()
        #expect(try names() == ["or-ders-0"])
    }

    @Test("deletes what nobody has open as well: a log that could not be opened, one that its broker never hosted")
    func deletesUnopened() throws {
        let directory = try fixture.open()
        try fixture.disk.createDirectory("\(fixture.path)/\(orders)")
        #expect(directory.holds(orders) && directory.logs.isEmpty)
        var done = false
        directory.deleteLogs([orders, TopicPartition("nowhere", 3)]) { done = $0 == nil }
        fixture.settle()
        #expect(done && !directory.holds(orders))
        let names = try fixture.disk.list(fixture.path).filter(\.isDirectory).map(\.name)
        #expect(names.count == 1 && names.allSatisfy { $0.hasPrefix("\(orders).") && $0.hasSuffix("-delete") })
        directory.removeDeleted(olderThanMs: 0)
        fixture.settle()
        #expect(try fixture.disk.list(fixture.path).filter(\.isDirectory).isEmpty)
    }

    @Test("keeps a topic's id and the high watermarks") func remembers() throws {
        let directory = try fixture.open()
        let id = UUID128(high: 0x1234_5678_9abc_def0, low: 0x0fed_cba9_8765_4321)
        _ = try directory.createLog(orders, topicID: id, settings: fixture.settings)
        directory.checkpointHighWatermarks([orders: 12])
        fixture.settle()
        fixture.node.restart()
        let again = try fixture.open()
        #expect(again.logs[orders]?.topicID == id)
        #expect(again.highWatermarks == [orders: 12])
        let text = try fixture.disk.contents("\(fixture.path)/replication-offset-checkpoint")
        #expect(String(decoding: text, as: UTF8.self) == "0\n1\nor-ders 0 12\n")
    }

    @Test("survives garbage in any of its small files") func garbage() throws {
        let directory = try fixture.open()
        let log = try directory.createLog(orders, topicID: UUID128(high: 1, low: 2), settings: fixture.settings)
        for epoch: Int32 in 0..<4 { _ = try log.append(batch(3), epoch: LeaderEpoch(epoch), in: fixture.simulation) }
        let epochs = log.epochs
        for isClean in [false, true] {
            var directory: LogDirectory?
            fixture.node.restart()
            if isClean {
                let open = try fixture.open()
                #expect(fixture.close(open) == nil)
            }
            for name in [
                "recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint",
                "letterbox.boot", "or-ders-0/leader-epoch-checkpoint", "or-ders-0/partition.metadata",
                "or-ders-0/00000000000000000012.snapshot", "or-ders-0/00000000000000000000.index",
                "or-ders-0/00000000000000000000.timeindex",
            ] {
                try fixture.disk.write([0x30, 0x0a, 0xff, 0xfe, 0x20, 0x41, 0x0a], to: "\(fixture.path)/\(name)")
            }
            directory = try fixture.open()
            let again = try #require(directory?.logs[orders])
            #expect(again.logEndOffset == 12 && again.epochs == epochs)
            #expect(try again.bytes(from: 0, below: 12).count == 4 * batch(3).count)
        }
    }
}
