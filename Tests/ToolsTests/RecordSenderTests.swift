import Bytes
import KafkaClient
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import Tools

/// A leader of two partitions that keeps what it acknowledges, and refuses as a test says.
private final class Leader {
    var kept: [Int32: [String]] = [:]
    /// Producer id and first number of every batch kept, by partition.
    var numbers: [Int32: [(id: Int64, first: Int32, count: Int)]] = [:]
    /// What becomes of the n-th Produce request.
    var plan: (Int, [Int32: Int]) -> ErrorCode? = { _, _ in ErrorCode.none }
    private(set) var requests = 0
    private var listener: (any Listener)?

    init(_ world: any World) {
        listener = try? world.network.listen(host: "", port: 9092) { [unowned self] _ in Session(self) }
    }

    /// The answer; nil ends the connection.
    fileprivate func answer(_ header: RequestHeader, _ body: UnsafeRawBufferPointer) -> (any Message)? {
        switch header.key {
        case .apiVersions:
            return ApiVersionsResponse.with {
                $0.apiKeys = [ApiKey.produce, .metadata, .apiVersions, .initProducerID].map { key in
                    .with {
                        $0.apiKey = key.rawValue
                        $0.maxVersion = key.versions.upperBound
                    }
                }
            }
        case .metadata:
            return MetadataResponse.with {
                $0.brokers = [
                    .with {
                        $0.nodeID = 7
                        $0.host = "leader"
                        $0.port = 9092
                    }
                ]
                $0.topics = [
                    .with {
                        $0.name = "t"
                        $0.partitions = (Int32(0)...1).map { partition in
                            .with {
                                $0.partitionIndex = partition
                                $0.leaderID = 7
                            }
                        }
                    }
                ]
            }
        case .initProducerID:
            guard let request = try? InitProducerIdRequest.decode(body, version: header.version) else { return nil }
            return InitProducerIdResponse.with {
                // A broker without transactions refuses every transactional id, the empty one too.
                $0.errorCode = request.transactionalID == nil ? .none : .invalidRequest
                $0.producerID = 42
            }
        case .produce:
            guard let request = try? ProduceRequest.decode(body, version: header.version) else { return nil }
            requests += 1
            let batches = request.topicData.flatMap(\.partitionData)
            let sizes = Dictionary(uniqueKeysWithValues: batches.map { ($0.index, $0.records.count) })
            guard let code = plan(requests, sizes) else { return nil }
            if code == .none {
                for batch in batches {
                    kept[batch.index, default: []] += values(batch.records)
                    batch.records.withBytes { raw in
                        guard let whole = try? RecordBatch(raw) else { return }
                        numbers[batch.index, default: []].append(
                            (whole.producerID, whole.baseSequence, Int(whole.lastOffsetDelta) + 1))
                    }
                }
            }
            return ProduceResponse.with {
                $0.responses = [
                    .with {
                        $0.name = "t"
                        $0.partitionResponses = batches.map { batch in
                            .with {
                                $0.index = batch.index
                                $0.errorCode = code
                            }
                        }
                    }
                ]
            }
        default: return nil
        }
    }

    private func values(_ records: RecordsField) -> [String] {
        records.withBytes { raw in
            guard let batch = try? RecordBatch(raw), var records = try? RecordIterator(batch) else { return [] }
            var values: [String] = []
            while let record = try? records.next() {
                values.append(String(decoding: record.value ?? raw, as: UTF8.self))
            }
            return values
        }
    }

    private final class Session: ConnectionHandler {
        unowned let leader: Leader
        init(_ leader: Leader) { self.leader = leader }
        func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
            let bytes = UnsafeRawBufferPointer(bytes)
            guard bytes.count >= 4 else { return 0 }
            let length = Int(bytes.loadUnaligned(as: Int32.self).bigEndian)
            guard bytes.count >= 4 + length else {
                connection.needs(4 + length)
                return 0
            }
            connection.needs(1)
            var reader = WireReader(UnsafeRawBufferPointer(rebasing: bytes[4..<4 + length]))
            var writer = WireWriter()
            guard let header = try? RequestHeader.read(from: &reader),
                let response = leader.answer(header, reader.rest),
                (try? writer.frame(response, answering: header)) != nil
            else {
                connection.close()
                return bytes.count
            }
            connection.send(writer.bytes.bytes)
            return 4 + length
        }
        func closed(_ connection: any Connection, _ reason: CloseReason) {}
    }
}

@Suite("The sender of records")
struct RecordSenderTests {
    /// Sends `count` lines, keyed by their number, and returns what arrived and what was said to be lost.
    private func send(
        _ count: Int, settings change: (inout RecordSender.Settings) -> Void = { _ in },
        plan: @escaping (Int, [Int32: Int]) -> ErrorCode?
    ) -> (leader: Leader, lost: [String], failures: Int) {
        let simulation = Simulation(seed: 11)
        nonisolated(unsafe) var leader: Leader!
        simulation.node("leader").boot { world in
            leader = Leader(world)
            leader.plan = plan
            return leader
        }
        let cluster = ClusterLink(
            world: simulation.node("client").world, bootstrap: [BrokerAddress(host: "leader", port: 9092)],
            options: LinkOptions(clientID: "test"))
        var settings = RecordSender.Settings()
        settings.topic = "t"
        change(&settings)
        var isKnown = false
        cluster.metadata(of: ["t"], until: simulation.now + .seconds(5)) { _ in isKnown = true }
        simulation.run(within: .seconds(5)) { isKnown }
        var lost: [String] = []
        let sender = RecordSender(cluster, settings, partitions: 2) { lost.append($0) }
        for number in 0..<count {
            sender.append(LineRecord(key: Array("k\(number % 5)".utf8), value: Array("\(number)".utf8)))
            if number % 10 == 9 {
                sender.pump()
                simulation.run(for: .milliseconds(1))
            }
        }
        sender.flush()
        #expect(simulation.run(within: .seconds(600)) { sender.isIdle })
        #expect(sender.unacknowledgedBytes == 0)
        return (leader, lost, sender.failures)
    }

    private func expectInOrder(_ leader: Leader, _ count: Int) {
        #expect(leader.kept.values.map(\.count).reduce(0, +) == count)
        for (_, values) in leader.kept {
            let numbers = values.compactMap { Int($0) }
            #expect(numbers == numbers.sorted())
        }
    }

    @Test("delivers everything in order") func delivers() {
        let (leader, lost, failures) = send(1000) { _, _ in ErrorCode.none }
        expectInOrder(leader, 1000)
        #expect(lost.isEmpty && failures == 0)
    }

    @Test("numbers its batches without a gap when it is idempotent, also those that had to be sent again")
    func idempotent() {
        let (leader, lost, _) = send(1000, settings: { $0.isIdempotent = true }) { request, _ in
            request % 3 == 1 ? .notLeaderOrFollower : ErrorCode.none
        }
        expectInOrder(leader, 1000)
        #expect(lost.isEmpty && leader.numbers.count == 2)
        for (_, batches) in leader.numbers {
            var due: Int32 = 0
            for batch in batches {
                #expect(batch.id == 42 && batch.first == due)
                due += Int32(batch.count)
            }
        }
    }

    @Test("keeps the order when leaders refuse and connections are lost") func retries() {
        let (leader, lost, _) = send(1000) { request, _ in
            request % 3 == 1 ? .notLeaderOrFollower : request % 7 == 2 ? nil : ErrorCode.none
        }
        expectInOrder(leader, 1000)
        #expect(lost.isEmpty)
    }

    @Test("halves a batch that is too large for the topic") func splits() {
        let (leader, lost, _) = send(1000) { _, sizes in
            sizes.values.contains { $0 > 300 } ? .messageTooLarge : ErrorCode.none
        }
        expectInOrder(leader, 1000)
        #expect(lost.isEmpty)
    }

    @Test("says what it gives up, after the retries asked for or at a final error") func givesUp() {
        let (leader, lost, failures) = send(10, settings: { $0.retries = 2 }) { _, _ in .notEnoughReplicas }
        #expect(leader.requests >= 3)
        #expect(failures == 10)
        #expect(
            lost.allSatisfy { $0.hasPrefix("Error when sending message to topic t with key: 2 bytes, value: 1 bytes") })
        #expect(send(10) { _, _ in .topicAuthorizationFailed }.failures == 10)
    }

    @Test("waits for nobody without acknowledgements") func unacknowledged() {
        let (leader, lost, _) = send(100, settings: { $0.acks = 0 }) { _, _ in ErrorCode.none }
        expectInOrder(leader, 100)
        #expect(lost.isEmpty)
    }
}
