import ClusterModel
import CommitLog
import KafkaClient
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

/// Produces numbered records one after another, idempotently, with acks=all, and keeps the offset of each acknowledged one. What
/// was not acknowledged is sent again, to whoever leads then.
private final class ReceiptKeeper {
    private let stage: ReplicaStage
    private let world: any World
    private let pause: Duration
    private var link: (broker: Int, link: BrokerLink)?
    private(set) var receipts: [Int64] = []
    private(set) var refusals: [ErrorCode] = []
    var isStopping = false

    init(_ stage: ReplicaStage, pause: Duration = .milliseconds(20)) {
        self.stage = stage
        self.pause = pause
        world = stage.simulation.node("producer").world
        send()
    }

    private func again(after delay: Duration) {
        world.after(delay) { [weak self] in
            guard let self, !self.isStopping else { return }
            self.send()
        }
    }

    private func send() {
        guard let leader = stage.leader else { return again(after: .milliseconds(100)) }
        if link?.broker != leader || link?.link.isEnded != false {
            link?.link.close()
            var options = LinkOptions(clientID: "producer")
            options.connectTimeout = .seconds(1)
            link = (
                leader,
                BrokerLink(world: world, to: BrokerAddress(host: "broker-\(leader)", port: 9092), options: options)
            )
        }
        var builder = BatchBuilder(codec: .none)
        // Of now: a producer whose last record is a day old is forgotten.
        builder.append(timestamp: world.clock.wallMs, key: nil, value: Array("\(receipts.count)".utf8))
        let producer = BatchBuilder.Producer(id: 7, epoch: 0, baseSequence: Int32(receipts.count))
        guard let batch = try? builder.build(producer: producer) else { return }
        var request = ProduceRequest()
        request.acks = -1
        request.timeoutMs = 2000
        request.topicData = [
            .with {
                $0.name = "t"
                $0.partitionData = [.with { $0.records = .owned(batch) }]
            }
        ]
        link?.link.send(request, timeout: .seconds(3)) { [weak self] result in
            guard let self else { return }
            if case .success(let response) = result, let answer = response.responses.first?.partitionResponses.first {
                guard answer.errorCode != ErrorCode.none else {
                    self.receipts.append(answer.baseOffset)
                    return self.again(after: self.pause)
                }
                self.refusals.append(answer.errorCode)
            }
            self.again(after: .milliseconds(100))
        }
    }
}

/// Three brokers and a topic `t` of one partition with three replicas, two of which acks=all needs.
private final class ReplicaStage {
    let stage: Stage
    var simulation: Simulation { stage.simulation }
    static let settings: KeyValuePairs = ["replica.lag.time.max.ms": "4000"]

    init(seed: UInt64 = 1) throws {
        stage = Stage(seed: seed)
        for id in 0...2 { stage.start(id, ReplicaStage.settings) }
        try #require(stage.whenServing(0, 1, 2))
        let controller = Int(try #require(stage.node(0)?.metadata.controller.raw))
        var create = CreateTopicsRequest()
        create.timeoutMs = 10_000
        create.topics = [
            .with {
                $0.name = "t"
                $0.assignments = [
                    .with {
                        $0.partitionIndex = 0
                        $0.brokerIDs = [0, 1, 2]
                    }
                ]
                $0.numPartitions = -1
                $0.replicationFactor = -1
                $0.configs = [
                    .with {
                        $0.name = "min.insync.replicas"
                        $0.value = "2"
                    }
                ]
            }
        ]
        let answer = try #require(try stage.client(of: controller).ask(create, version: 5))
        try #require(answer.topics.first?.errorCode == ErrorCode.none)
    }

    func isUp(_ id: Int) -> Bool { simulation.node("broker-\(id)").isUp }
    func host(_ id: Int) -> PartitionHost? {
        guard isUp(id) else { return nil }
        return stage.node(id)?.partitions.host("t", 0)
    }
    /// As the latest metadata among the living say.
    var leader: Int? {
        let known = (0...2).compactMap { id in
            isUp(id) ? stage.node(id)?.metadata.partition(TopicPartition("t", 0)) : nil
        }
        guard let latest = known.max(by: { $0.leaderEpoch < $1.leaderEpoch }), latest.leader.raw >= 0 else {
            return nil
        }
        return Int(latest.leader.raw)
    }
    func crash(_ id: Int) { simulation.node("broker-\(id)").crash(.process) }
    func restart(_ id: Int) { simulation.node("broker-\(id)").restart() }

    /// Base offset, epoch, sequence and checksum of each batch.
    func batches(_ id: Int) throws -> [[Int64]] {
        let log = try #require(host(id)).log
        var found: [[Int64]] = []
        var offset = log.logStartOffset
        while offset < log.logEndOffset {
            let slice = try log.read(from: offset, maxBytes: 1 << 20, below: log.logEndOffset, atLeastOneBatch: true)
            let before = offset
            try slice.contents().withUnsafeBytes { bytes in
                var reader = RecordBatches(bytes)
                while let batch = try reader.next() {
                    try #require(batch.crcMatches)
                    found.append([
                        batch.baseOffset, Int64(batch.leaderEpoch.raw), Int64(batch.baseSequence), Int64(batch.crc),
                    ])
                    offset = batch.nextOffset
                }
            }
            try #require(offset > before)
        }
        return found
    }

    /// All three in sync, at one end, and committed up to there.
    func isWhole() -> Bool {
        guard let leader, let leading = host(leader), leading.isLeader, leading.leader.inSync.count == 3 else {
            return false
        }
        return (0...2).allSatisfy { id in
            guard let host = host(id) else { return false }
            return host.log.logEndOffset == leading.log.logEndOffset && host.highWatermark == leading.log.logEndOffset
        }
    }

    /// … whether or not something is on its way.
    func isInSync() -> Bool { leader.flatMap { host($0)?.leader.inSync.count } == 3 }

    func check(_ receipts: [Int64]) throws {
        try #require(simulation.run(within: .seconds(120), until: isWhole))
        let first = try batches(0)
        for id in 1...2 {
            let other = try batches(id)
            #expect(other.count == first.count)
            let parting = zip(first, other).first { $0 != $1 }
            #expect(parting == nil, "broker \(id) holds something else")
        }
        // One batch each, in order, at the offsets that were told; perhaps one more that was never acknowledged.
        let misplaced = first.enumerated().first { $0.element[2] != Int64($0.offset) }
        #expect(misplaced == nil)
        #expect(first.count - receipts.count <= 1)
        let moved = zip(first, receipts).enumerated().first { $0.element.0[0] != $0.element.1 }
        #expect(moved == nil)
    }
}

@Suite("Replicas")
struct ReplicasTests {
    @Test("followers hold what is acknowledged, and know it is committed") func follows() throws {
        let stage = try ReplicaStage()
        let producer = ReceiptKeeper(stage)
        #expect(stage.simulation.run(within: .seconds(10)) { producer.receipts.count >= 50 })
        producer.isStopping = true
        #expect(producer.refusals.isEmpty)
        try stage.check(producer.receipts)
    }

    @Test("acks=all waits for every member of the in-sync set; who lags leaves it, who returns joins it") func rejoins()
        throws
    {
        let stage = try ReplicaStage()
        let producer = ReceiptKeeper(stage)
        #expect(stage.simulation.run(within: .seconds(10)) { producer.receipts.count >= 10 })
        stage.simulation.node("broker-2").pause()
        let acknowledged = producer.receipts.count
        stage.simulation.run(for: .seconds(1))
        #expect(producer.receipts.count <= acknowledged + 1)
        // Two remain after replica.lag.time.max.ms, which is as many as acks=all needs.
        #expect(stage.simulation.run(within: .seconds(10)) { producer.receipts.count > acknowledged + 20 })
        #expect(stage.host(0)?.leader.inSync.members == [0, 1])
        stage.simulation.node("broker-2").resume()
        #expect(stage.simulation.run(within: .seconds(30)) { stage.host(0)?.leader.inSync.count == 3 })
        stage.crash(1)
        #expect(stage.simulation.run(within: .seconds(15)) { stage.host(0)?.leader.inSync.members == [0, 2] })
        stage.crash(2)
        #expect(stage.simulation.run(within: .seconds(20)) { producer.refusals.contains(.notEnoughReplicas) })
        stage.restart(1)
        stage.restart(2)
        let before = producer.receipts.count
        #expect(stage.simulation.run(within: .seconds(20)) { producer.receipts.count > before + 10 })
        producer.isStopping = true
        try stage.check(producer.receipts)
    }

    @Test("a follower takes over from a dead leader, which cuts on its return what nobody else holds") func takesOver()
        throws
    {
        let stage = try ReplicaStage()
        let producer = ReceiptKeeper(stage)
        #expect(stage.simulation.run(within: .seconds(10)) { producer.receipts.count >= 20 })
        // What it takes in now reaches nobody, and is never acknowledged.
        stage.simulation.network.partition(["broker-0"], from: ["broker-1", "broker-2"])
        let acknowledged = producer.receipts.count
        stage.simulation.run(for: .milliseconds(500))
        let end = try #require(stage.host(0)?.log.logEndOffset)
        #expect(end > Int64(acknowledged))
        var stray = BatchBuilder(codec: .none)
        stray.append(timestamp: 1_700_000_000_000, key: nil, value: Array("stray".utf8))
        var bytes = try stray.build()
        for _ in 0..<3 {
            bytes.withUnsafeMutableBytes { stage.host(0)?.append($0, acks: .leader) { _ in } }
        }
        stage.simulation.run(for: .milliseconds(100))
        stage.crash(0)
        stage.simulation.network.heal()
        #expect(stage.simulation.run(within: .seconds(15)) { producer.receipts.count > acknowledged + 10 })
        #expect(stage.leader == 1)
        stage.restart(0)
        producer.isStopping = true
        try stage.check(producer.receipts)
        let cut = try #require(stage.stage.said(0).first { $0.hasPrefix("LB-3020 t-0: broker 0 cut offsets ") })
        #expect(cut.hasSuffix("never acknowledged with acks=all) to follow leader 1"))
        #expect(stage.stage.node(0)?.fetchers?.recordsCut ?? 0 > 0)
    }

    @Test("a clean stop hands over at once, and the leader waits for nobody who has left") func stopsCleanly() throws {
        let stage = try ReplicaStage()
        let producer = ReceiptKeeper(stage)
        #expect(stage.simulation.run(within: .seconds(10)) { producer.receipts.count >= 20 })
        var hasStopped = false
        stage.stage.brokers[0]?.stop { hasStopped = true }
        #expect(stage.simulation.run(within: .seconds(5)) { hasStopped })
        stage.crash(0)
        let acknowledged = producer.receipts.count
        #expect(stage.simulation.run(within: .seconds(2)) { producer.receipts.count > acknowledged + 10 })
        stage.restart(0)
        producer.isStopping = true
        try stage.check(producer.receipts)
    }

    @Test(
        "a clean stop keeps no producer waiting, though the follower that stops was refused to a set a moment ago",
        arguments: 1...16)
    func refusedIsNotAwaited(seed: UInt64) throws {
        let stage = try ReplicaStage(seed: seed)
        let producer = ReceiptKeeper(stage, pause: .zero)
        #expect(stage.simulation.run(within: .seconds(10)) { producer.receipts.count >= 20 })
        // It has handed over, the controller lets it into no set, and it still fetches: its leader would have it in.
        stage.stage.node(2)?.handOver {}
        #expect(stage.simulation.run(within: .seconds(5)) { stage.host(0)?.leader.inSync.members == [0, 1] })
        stage.simulation.run(for: .milliseconds(20 * Int(seed)))
        var hasStopped = false
        stage.stage.brokers[2]?.stop { hasStopped = true }
        var longest = Duration.zero
        let end = stage.simulation.now + .seconds(1)
        while stage.simulation.now < end {
            let (began, before) = (stage.simulation.now, producer.receipts.count)
            _ = stage.simulation.run(within: .seconds(2)) { producer.receipts.count > before }
            longest = max(longest, stage.simulation.now - began)
        }
        #expect(hasStopped && longest < .milliseconds(200), "\(longest)")
        stage.crash(2)
        stage.restart(2)
        producer.isStopping = true
        try stage.check(producer.receipts)
    }

    @Test("a follower's leaving takes nothing from those who wait at the leader, though it begins a new epoch")
    func goesOnLeading() throws {
        let stage = try ReplicaStage()
        let producer = ReceiptKeeper(stage, pause: .zero)
        #expect(stage.simulation.run(within: .seconds(10)) { producer.receipts.count >= 20 })
        let epoch = try #require(stage.host(0)?.leaderEpoch)
        var hasStopped = false
        stage.stage.brokers[2]?.stop { hasStopped = true }
        #expect(stage.simulation.run(within: .seconds(5)) { hasStopped })
        stage.crash(2)
        let acknowledged = producer.receipts.count
        #expect(stage.simulation.run(within: .seconds(2)) { producer.receipts.count > acknowledged + 10 })
        #expect(stage.host(0)?.leaderEpoch ?? .none > epoch)
        #expect(producer.refusals == [])
        stage.restart(2)
        producer.isStopping = true
        try stage.check(producer.receipts)
    }

    @Test("a log says how far it goes before its broker was told of any part in it: it must not count as empty")
    func endsFromTheDisk() throws {
        let stage = try ReplicaStage()
        let node = try #require(stage.stage.node(0))
        let partition = TopicPartition("untold", 0)
        let directory = try #require(node.partitions.directories.first)
        let log = try directory.createLog(partition, topicID: nil, settings: LogSettings())
        var builder = BatchBuilder()
        builder.append(timestamp: 1, key: nil, value: [1])
        var batch = try builder.build()
        var isThere = false
        batch.withUnsafeMutableBytes { log.append($0, leaderEpoch: 4) { _ in isThere = true } }
        #expect(stage.simulation.run(within: .seconds(5)) { isThere })
        #expect(node.partitions.host(partition) == nil)
        var request = ListOffsetsRequest()
        request.replicaID = -2
        request.topics = [
            .with {
                $0.name = "untold"
                $0.partitions = [Int32(0), 7].map { number in
                    .with {
                        $0.partitionIndex = number
                        $0.timestamp = -1
                    }
                }
            }
        ]
        let response = try #require(try stage.stage.client(of: 0).ask(request, version: 5))
        let answers = try #require(response.topics.first?.partitions)
        #expect(answers.map(\.errorCode) == [ErrorCode.none, .unknownTopicOrPartition])
        #expect(answers[0].offset == 1 && answers[0].leaderEpoch == 4)
    }

    @Test(
        "a leader that cannot reach the coordinator tells nobody of a gap: another may lead by now and have filled it")
    func outOfTouch() throws {
        let stage = try ReplicaStage()
        #expect(stage.simulation.run(within: .seconds(10)) { stage.isWhole() && stage.host(0)?.isLeader == true })
        let host = try #require(stage.host(0))
        func refusal(of sequence: Int32) throws -> PartitionError? {
            var builder = BatchBuilder()
            builder.append(timestamp: 1, key: nil, value: [1])
            var batch = try builder.build(producer: .init(id: 900, epoch: 0, baseSequence: sequence))
            var answer: Result<(range: AppendedRange, timestamp: Int64), PartitionError>?
            batch.withUnsafeMutableBytes { host.append($0, acks: .leader) { answer = $0 } }
            #expect(stage.simulation.run(within: .seconds(5)) { answer != nil })
            if case .failure(let error) = answer { return error }
            return nil
        }
        #expect(try refusal(of: 0) == nil)
        #expect(try refusal(of: 7) == .append(.sequenceGap(producerID: 900, expected: 1, got: 7)))
        stage.simulation.node("coordinator").crash(.process)
        #expect(stage.simulation.run(within: .seconds(5)) { stage.stage.node(0)?.partitions.isOutOfTouch == true })
        #expect(try refusal(of: 7) == .notLeaderOrFollower)
        #expect(try refusal(of: 1) == nil)
        stage.simulation.node("coordinator").restart()
        #expect(stage.simulation.run(within: .seconds(20)) { stage.stage.node(0)?.partitions.isOutOfTouch == false })
        #expect(try refusal(of: 7) == .append(.sequenceGap(producerID: 900, expected: 2, got: 7)))
    }

    @Test(
        "whatever breaks, what was acknowledged stays, once and at its offset", arguments: (1...12).map { UInt64($0) })
    func survives(seed: UInt64) throws {
        let stage = try ReplicaStage(seed: seed)
        let simulation = stage.simulation
        let producer = ReceiptKeeper(stage, pause: .milliseconds(40))
        var chance = SeededRandom(seed: seed &* 77)
        func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &chance) }
        for _ in 0..<6 {
            simulation.run(for: .milliseconds(draw(300...3000)))
            let victim = draw(0...2)
            let others = (0...2).filter { $0 != victim }.map { "broker-\($0)" }
            switch draw(0...7) {
            case 0:
                stage.crash(victim)
                simulation.run(for: .milliseconds(draw(50...10_000)))
                stage.restart(victim)
            case 1:
                // Two at once: only who is in sync may lead.
                let other = (victim + 1) % 3
                stage.crash(victim)
                simulation.run(for: .milliseconds(draw(0...3000)))
                stage.crash(other)
                simulation.run(for: .milliseconds(draw(50...9000)))
                stage.restart(other)
                simulation.run(for: .milliseconds(draw(0...3000)))
                stage.restart(victim)
            case 2:
                simulation.network.partition(["broker-\(victim)"], from: others)
                simulation.run(for: .milliseconds(draw(100...9000)))
                simulation.network.heal()
            case 3:
                simulation.network.partition(["broker-\(victim)"], from: others + ["coordinator"])
                simulation.run(for: .milliseconds(draw(100...12_000)))
                simulation.network.heal()
            case 4:
                // It leads on when it comes to itself, and nobody follows.
                simulation.node("broker-\(victim)").pause()
                simulation.run(for: .milliseconds(draw(100...12_000)))
                simulation.node("broker-\(victim)").resume()
            case 5:
                // The plug, of one machine: the others keep what it had not synced.
                simulation.run(within: .seconds(60), until: stage.isInSync)
                simulation.node("broker-\(victim)").crash(.power)
                simulation.run(for: .milliseconds(draw(50...10_000)))
                stage.restart(victim)
                simulation.run(within: .seconds(60), until: stage.isInSync)
            case 6:
                simulation.node("coordinator").crash(.process)
                simulation.run(for: .milliseconds(draw(50...9000)))
                simulation.node("coordinator").restart()
            default:
                for other in others { simulation.network.breakConnections(between: "broker-\(victim)", and: other) }
            }
        }
        #expect(simulation.run(within: .seconds(60), until: stage.isInSync))
        let acknowledged = producer.receipts.count
        #expect(simulation.run(within: .seconds(60)) { producer.receipts.count > acknowledged + 10 })
        producer.isStopping = true
        try stage.check(producer.receipts)
        #expect(producer.refusals.allSatisfy { $0 != .outOfOrderSequenceNumber && $0 != .unknownServerError })
    }
}
