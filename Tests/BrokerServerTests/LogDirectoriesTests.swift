import ClusterModel
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("Several log directories")
struct LogDirectoriesTests {
    private func stage(_ more: KeyValuePairs<String, String> = [:]) throws -> Stage {
        let stage = Stage()
        var settings = [("log.dirs", "/a,/b")]
        settings += more.map { ($0.key, $0.value) }
        stage.start(0, pairs: settings)
        try #require(stage.whenServing(0))
        return stage
    }

    private func described(_ stage: Stage) throws -> [String: [DescribeLogDirsResponse.DescribeLogDirsPartition]] {
        var request = DescribeLogDirsRequest()
        request.topics = nil
        let answer = try #require(try stage.client().ask(request, version: 4))
        return Dictionary(
            answer.results.map { ($0.logDir, $0.topics.flatMap(\.partitions)) }, uniquingKeysWith: { $0 + $1 })
    }

    private func move(_ stage: Stage, _ topic: String, _ partition: Int32, to path: String) throws -> ErrorCode? {
        var request = AlterReplicaLogDirsRequest()
        request.dirs = [
            .with {
                $0.path = path
                $0.topics = [
                    .with {
                        $0.name = topic
                        $0.partitions = [partition]
                    }
                ]
            }
        ]
        return try stage.client().ask(request, version: 2)?.results.first?.partitions.first?.errorCode
    }

    private func directory(_ stage: Stage, _ topic: String, _ partition: Int32 = 0) -> String? {
        stage.node(0)?.partitions.host(topic, partition)?.directory.path
    }

    @Test("new replicas lie where the fewest are; DescribeLogDirs tells sizes and space") func placement() throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0], [0], [0], [0]])
        #expect(
            (0..<4).map { directory(stage, "t", $0) }.sorted { ($0 ?? "") < ($1 ?? "") } == ["/a", "/a", "/b", "/b"])
        #expect(try stage.produce(["one"], to: "t", 0)?.errorCode == ErrorCode.none)
        let told = try described(stage)
        #expect(told.keys.sorted() == ["/a", "/b"])
        #expect(told.values.flatMap { $0 }.map(\.partitionIndex).sorted() == [0, 1, 2, 3])
        #expect(told.values.flatMap { $0 }.filter { $0.partitionSize > 0 }.map(\.partitionIndex) == [0])
        var request = DescribeLogDirsRequest()
        request.topics = []
        let space = try #require(try stage.client().ask(request, version: 4))
        #expect(space.results.allSatisfy { $0.totalBytes > 0 && $0.usableBytes > 0 && $0.topics.isEmpty })
    }

    @Test("a replica moves to another directory while records come in; all of them are there") func moves() throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0]])
        let home = try #require(directory(stage, "t"))
        let other = home == "/a" ? "/b" : "/a"
        for n in 0..<50 { #expect(try stage.produce(["\(n)"], to: "t")?.baseOffset == Int64(n)) }
        #expect(try move(stage, "t", 0, to: other) == ErrorCode.none)
        for n in 50..<80 { #expect(try stage.produce(["\(n)"], to: "t")?.baseOffset == Int64(n)) }
        #expect(stage.simulation.run(within: .seconds(10)) { directory(stage, "t") == other })
        #expect(try stage.produce(["80"], to: "t")?.baseOffset == 80)
        #expect(try stage.fetch("t", from: 0)?.highWatermark == 81)
        let told = try described(stage)
        #expect(told[home]?.isEmpty == true)
        #expect(told[other]?.map(\.isFutureKey) == [false])
        let before = try stage.bytes("t")
        stage.simulation.node("broker-0").crash(.process)
        stage.restart(0)
        #expect(stage.whenServing(0))
        #expect(directory(stage, "t") == other)
        #expect(try stage.bytes("t") == before)
    }

    @Test("a rate holds the copy back, a move back home ends it, and what cannot be is refused") func slowly() throws {
        let stage = try stage(["replica.alter.log.dirs.io.max.bytes.per.second": "0"])
        try stage.makeTopic("t", [[0]], ["segment.bytes": "3000000"])
        let home = try #require(directory(stage, "t"))
        let other = home == "/a" ? "/b" : "/a"
        let large = String(repeating: "x", count: 500_000)
        for _ in 0..<6 { #expect(try stage.produce([large], to: "t")?.errorCode == ErrorCode.none) }
        #expect(try move(stage, "t", 0, to: other) == ErrorCode.none)
        stage.simulation.run(for: .seconds(5))
        let future = try #require(try described(stage)[other]?.first)
        #expect(future.isFutureKey && future.offsetLag > 0)
        #expect(directory(stage, "t") == home)
        #expect(try move(stage, "t", 0, to: home) == ErrorCode.none)
        #expect(try described(stage)[other]?.isEmpty == true)
        #expect(try move(stage, "t", 0, to: "/elsewhere") == .logDirNotFound)
        #expect(try move(stage, "t", 9, to: other) == .replicaNotAvailable)
    }

    @Test("a crash at any point of a move leaves one whole replica, and the move is made", arguments: 0..<24)
    func crashes(point: Int) throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0]])
        let home = try #require(directory(stage, "t"))
        let other = home == "/a" ? "/b" : "/a"
        for n in 0..<20 { #expect(try stage.produce(["\(n)"], to: "t")?.baseOffset == Int64(n)) }
        let whole = try stage.bytes("t")
        _ = try move(stage, "t", 0, to: other)
        stage.simulation.run(for: .microseconds(point * 150))
        stage.simulation.node("broker-0").crash(.process)
        stage.restart(0)
        #expect(stage.whenServing(0))
        #expect(try stage.bytes("t") == whole)
        // Begun before the crash or not: it can be made now, and is.
        #expect(stage.simulation.run(within: .seconds(5)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true })
        _ = try move(stage, "t", 0, to: other)
        #expect(stage.simulation.run(within: .seconds(10)) { directory(stage, "t") == other })
        #expect(try stage.bytes("t") == whole)
        #expect(try stage.produce(["20"], to: "t")?.baseOffset == 20)
    }

    @Test("a partition that found no room for its first file is there by itself when there is room")
    func noRoomAtBirth() throws {
        let stage = Stage()
        stage.start(0)
        try #require(stage.whenServing(0))
        stage.simulation.node("broker-0").storage.fail(.createDirectory, of: "/logs/t-0", code: 28, times: 3)
        try? stage.makeTopic("t", [[0]])
        #expect(stage.simulation.run(within: .seconds(30)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true })
        #expect(try stage.produce(["a"], to: "t", 0)?.errorCode == ErrorCode.none)
        #expect(stage.simulation.node("broker-0").lines.contains { $0.text == "could not make a log" })
    }

    @Test("a directory that fails takes its own replicas offline and no others; the last one ends the broker")
    func failing() throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0], [0]])
        let lost = Int32(directory(stage, "t", 0) == "/b" ? 0 : 1)
        #expect(try stage.produce(["a"], to: "t", lost)?.errorCode == ErrorCode.none)
        stage.simulation.node("broker-0").storage.fail(.write, of: "/b/", code: 5, times: .max)
        #expect(try stage.produce(["b"], to: "t", lost)?.errorCode == .kafkaStorageError)
        #expect(try stage.produce(["c"], to: "t", 1 - lost)?.errorCode == ErrorCode.none)
        var request = DescribeLogDirsRequest()
        request.topics = nil
        let told = try #require(try stage.client().ask(request, version: 4))
        #expect(told.results.first { $0.logDir == "/b" }?.errorCode == .kafkaStorageError)
        #expect(
            told.results.first { $0.logDir == "/a" }?.topics.flatMap(\.partitions).map(\.partitionIndex) == [1 - lost])
        #expect(try move(stage, "t", 1 - lost, to: "/b") == .kafkaStorageError)
        stage.simulation.node("broker-0").storage.fail(.write, of: "/a/", code: 30, times: .max)
        _ = try? stage.produce(["d"], to: "t", 1 - lost)
        #expect(stage.simulation.run(within: .seconds(5)) { stage.failures[0] != nil })
        let line = try #require(stage.failures[0])
        #expect(line.hasPrefix("LB-1019 no log directory works any more: write /a/"))
    }

    @Test("a log that cannot be opened is not begun anew in another directory, however empty that one is")
    func unopened() throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0], [0], [0], [0]])
        let inA = (0..<4).map(Int32.init).filter { directory(stage, "t", $0) == "/a" }
        for partition in (0..<4).map(Int32.init) where !inA.contains(partition) {
            _ = try move(stage, "t", partition, to: "/a")
            #expect(stage.simulation.run(within: .seconds(10)) { directory(stage, "t", partition) == "/a" })
        }
        let lost = inA[0]
        #expect(try stage.produce(["a"], to: "t", lost)?.baseOffset == 0)
        let node = stage.simulation.node("broker-0")
        node.crash(.process)
        node.storage.fail(.open, of: "/a/t-\(lost)/00000000000000000000.log", code: 21, times: .max)
        stage.restart(0)
        stage.simulation.run(for: .seconds(5))
        #expect(!node.world.disk.exists("/b/t-\(lost)"))
        #expect(stage.node(0)?.partitions.host("t", lost)?.isLeader != true)
        try mend(stage, "t", lost)
        #expect(try stage.produce(["b"], to: "t", lost)?.baseOffset == 1)
    }

    /// Another life, with disks that work: the partition leads again.
    private func mend(_ stage: Stage, _ topic: String, _ partition: Int32) throws {
        let node = stage.simulation.node("broker-0")
        node.crash(.process)
        node.storage.fault = nil
        stage.restart(0)
        try #require(stage.whenServing(0))
        #expect(
            stage.simulation.run(within: .seconds(5)) {
                stage.node(0)?.partitions.host(topic, partition)?.isLeader == true
            })
    }

    private func deleteTopic(_ stage: Stage, _ name: String) throws {
        var request = DeleteTopicsRequest()
        request.topicNames = [name]
        request.timeoutMs = 2000
        _ = try stage.client().ask(request, version: 3)
    }

    @Test("a topic with a replica in a directory that is away is deleted when that is back, not sooner")
    func deletionWaits() throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0], [0]])
        let node = stage.simulation.node("broker-0")
        node.crash(.process)
        node.storage.fail(.list, of: "/b", code: 116, times: .max)
        stage.restart(0)
        try #require(stage.whenServing(0))
        try deleteTopic(stage, "t")
        stage.simulation.run(for: .seconds(5))
        #expect(
            stage.said(0).contains(
                "cannot delete a topic while brokers that hold it, or log directories of theirs, are down"))
        #expect(!stage.said(0).contains("deleted a topic"))
        node.crash(.process)
        node.storage.fault = nil
        stage.restart(0)
        #expect(stage.simulation.run(within: .seconds(20)) { stage.said(0).contains("deleted a topic") })
        #expect(!node.world.disk.exists("/a/t-0") && !node.world.disk.exists("/b/t-0"))
        #expect(!node.world.disk.exists("/a/t-1") && !node.world.disk.exists("/b/t-1"))
    }

    @Test("a log of an older topic of the same name, back with its directory, is set aside and takes nothing's place")
    func strays() throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0]])
        let home = try #require(directory(stage, "t"))
        let other = home == "/a" ? "/b" : "/a"
        for n in 0..<9 { #expect(try stage.produce(["\(n)"], to: "t")?.baseOffset == Int64(n)) }
        let node = stage.simulation.node("broker-0")
        // Of an earlier topic, longer than the one that is there: what a directory may hold that was away for long.
        let old = try stage.bytes("t")
        let metadata = try node.world.disk.contents("\(home)/t-0/partition.metadata")
        try deleteTopic(stage, "t")
        #expect(stage.simulation.run(within: .seconds(20)) { stage.said(0).contains("deleted a topic") })
        try stage.makeTopic("t", [[0]])
        let now = try #require(directory(stage, "t"))
        #expect(try stage.produce(["new"], to: "t")?.baseOffset == 0)
        let new = try stage.bytes("t")
        let place = now == home ? other : home
        func lay(_ directory: String) throws {
            let disk = node.world.disk
            try disk.createDirectory("\(directory)/t-0")
            try disk.replace("\(directory)/t-0/partition.metadata", with: metadata)
            try disk.replace("\(directory)/t-0/00000000000000000000.log", with: old)
        }
        try lay(place)
        node.crash(.process)
        stage.restart(0)
        try #require(stage.whenServing(0))
        #expect(stage.simulation.run(within: .seconds(5)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true })
        #expect(try stage.bytes("t") == new)
        #expect(directory(stage, "t") == now)
        let names = try node.world.disk.list(place).map(\.name)
        #expect(names.contains { $0.hasPrefix("t-0.") && $0.hasSuffix("-stray") } && !names.contains("t-0"))
        // Also when it is all that is there.
        try node.world.disk.removeTree("\(now)/t-0")
        try lay(now)
        node.crash(.process)
        stage.restart(0)
        try #require(stage.whenServing(0))
        #expect(stage.simulation.run(within: .seconds(5)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true })
        #expect(try stage.produce(["newer"], to: "t")?.baseOffset == 0)
        #expect(stage.said(0).contains { $0.hasPrefix("began an empty log for a replica that is not new") })
    }

    @Test(
        "a member of the in-sync set whose log is gone, or shorter than what was synced, is not elected over a whole one",
        arguments: ["t-0", "t-0/00000000000000000000.log"])
    func lostInSyncLog(lost: String) throws {
        let stage = Stage()
        for id in 0...1 { stage.start(id) }
        try #require(stage.whenServing(0, 1))
        try stage.makeTopic("t", [[0, 1]], ["flush.messages": "1", "retention.ms": "-1"])
        for n in 0..<5 { #expect(try stage.produce(["\(n)"], to: "t")?.baseOffset == Int64(n)) }
        // The recovery points are on the disk, and both are trusted.
        stage.simulation.run(for: .seconds(70))
        let node = stage.simulation.node("broker-0")
        let other = stage.simulation.node("broker-1")
        let disk = node.world.disk
        if lost == "t-0" { try disk.removeTree("/logs/t-0") } else { try disk.replace("/logs/\(lost)", with: []) }
        node.crash(.process)
        other.crash(.process)
        stage.restart(0)
        #expect(stage.whenServing(0))
        stage.simulation.run(for: .seconds(10))
        #expect(stage.node(0)?.partitions.host("t", 0)?.isLeader != true)
        #expect(stage.said(0).contains { $0.hasPrefix("records that were synced are missing") })
        stage.restart(1)
        try #require(stage.whenServing(0, 1))
        let leads = stage.simulation.run(within: .seconds(20)) {
            stage.node(1)?.partitions.host("t", 0)?.isLeader == true
        }
        #expect(leads)
        #expect(
            stage.simulation.run(within: .seconds(20)) { stage.node(0)?.partitions.host("t", 0)?.log.logEndOffset == 5 }
        )
        #expect(try stage.produce(["5"], to: "t", broker: 1)?.baseOffset == 5)
    }

    @Test(
        "a segment that is missing in the middle is told, unless the topic is compacted",
        arguments: ["delete", "compact"])
    func hole(policy: String) throws {
        let stage = Stage()
        stage.start(0)
        try #require(stage.whenServing(0))
        let settings: KeyValuePairs = [
            "flush.messages": "1", "retention.ms": "-1", "segment.bytes": "200", "cleanup.policy": policy,
            "min.compaction.lag.ms": "9000000",
        ]
        try stage.makeTopic("t", [[0]], settings)
        for n in 0..<9 {
            #expect(try stage.produce(["\(n)"], key: "\(n)", to: "t")?.baseOffset == Int64(n))
        }
        stage.simulation.run(for: .seconds(70))
        let disk = stage.simulation.node("broker-0").world.disk
        let segments = try disk.list("/logs/t-0").map(\.name).filter { $0.hasSuffix(".log") }
        try #require(segments.count >= 4)
        try disk.remove("/logs/t-0/\(segments[1])")
        stage.simulation.node("broker-0").crash(.process)
        stage.restart(0)
        try #require(stage.whenServing(0))
        let told = stage.simulation.node("broker-0").lines.filter {
            $0.text.hasPrefix("offsets are missing between two segments")
        }
        guard policy == "delete" else { return #expect(told.isEmpty) }
        let first = try #require(Int64(segments[1].prefix(20)))
        let next = try #require(Int64(segments[2].prefix(20)))
        #expect(told.count == 1)
        #expect(told.first?.fields.contains { $0.key == "offsets" && $0.value == "\(first)-\(next - 1)" } == true)
    }

    @Test("a topic that was deleted is not missed by the next start") func deletedIsNotMissed() throws {
        let stage = Stage()
        stage.start(0)
        try #require(stage.whenServing(0))
        try stage.makeTopic("t", [[0]], ["flush.messages": "1", "retention.ms": "-1"])
        #expect(try stage.produce(["a"], to: "t")?.baseOffset == 0)
        stage.simulation.run(for: .seconds(70))
        let points = "/logs/recovery-point-offset-checkpoint"
        #expect(
            String(decoding: try stage.simulation.node("broker-0").world.disk.contents(points), as: UTF8.self).contains(
                "t 0 1"))
        try deleteTopic(stage, "t")
        #expect(stage.simulation.run(within: .seconds(20)) { stage.said(0).contains("deleted a topic") })
        stage.simulation.node("broker-0").crash(.process)
        stage.restart(0)
        try #require(stage.whenServing(0))
        #expect(!stage.said(0).contains { $0.hasPrefix("records that were synced are missing") })
    }

    @Test("a replica whose partition.metadata is missing or noise is told its topic's id again", arguments: ["", nil])
    func metadata(text: String?) throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0]])
        let disk = stage.simulation.node("broker-0").world.disk
        let file = "\(try #require(directory(stage, "t")))/t-0/partition.metadata"
        let whole = try disk.contents(file)
        if let text { try disk.replace(file, with: Array(text.utf8)) } else { try disk.remove(file) }
        stage.simulation.node("broker-0").crash(.process)
        stage.restart(0)
        try #require(stage.whenServing(0))
        #expect(stage.simulation.run(within: .seconds(5)) { stage.node(0)?.partitions.host("t", 0)?.isLeader == true })
        #expect(try stage.simulation.node("broker-0").world.disk.contents(file) == whole)
    }

    @Test(
        "a directory that cannot be opened at the start leaves the others serving, and its replicas are not begun anew",
        arguments: [5, 17, 20, 117] as [Int32])
    func unusable(code: Int32) throws {
        let stage = try stage()
        try stage.makeTopic("t", [[0], [0]])
        let lost = Int32(directory(stage, "t", 0) == "/b" ? 0 : 1)
        for partition in [Int32(0), 1] {
            #expect(try stage.produce(["a"], to: "t", partition)?.errorCode == ErrorCode.none)
        }
        let node = stage.simulation.node("broker-0")
        node.crash(.process)
        node.storage.fail(.list, of: "/b", code: code, times: .max)
        stage.restart(0)
        try #require(stage.whenServing(0))
        #expect(
            stage.simulation.run(within: .seconds(5)) {
                stage.node(0)?.partitions.host("t", 1 - lost)?.isLeader == true
            })
        #expect(try stage.produce(["b"], to: "t", 1 - lost)?.baseOffset == 1)
        #expect(stage.node(0)?.partitions.host("t", lost) == nil)
        // Mended: the records are there again.
        try mend(stage, "t", lost)
        #expect(try stage.produce(["b"], to: "t", lost)?.baseOffset == 1)
    }
}
