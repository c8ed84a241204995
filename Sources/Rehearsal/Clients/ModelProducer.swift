import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform
import Records

/// Writes numbered records to every partition, and sends again what was not acknowledged, for ever.
///
/// Idempotent ones have up to five requests of a partition under way. When one fails they wait until all have been answered or
/// lost, and send again in order, as librdkafka does.
final class ModelProducer: ModelClient {
    private struct Batch {
        var ordinal: Int
        var firstNumber: Int
        var count: Int
        var sequence: Int32
        var timestamp: Int64
        var isUnderWay = false
    }
    private final class Lane {
        let partition: Int
        var nextNumber = 0
        var nextOrdinal = 0
        var nextSequence: Int32 = 0
        /// Not acknowledged, in order.
        var batches: [Batch] = []
        var underWay: Int { batches.reduce(0) { $0 + ($1.isUnderWay ? 1 : 0) } }
        var mustDrain = false
        var isPausing = false
        init(_ partition: Int) { self.partition = partition }
    }

    private let kind: Setting.ProducerKind
    private let paceMs: Int
    private var lanes: [Lane] = []
    private var id: Int64 = -1
    private var epoch: Int16 = -1

    init(_ name: String, kind: Setting.ProducerKind, paceMs: Int, world: any World, judge: Judge) {
        self.kind = kind
        self.paceMs = paceMs
        super.init(name, world: world, judge: judge)
        refresh()
        if kind == .idempotent { ask() } else { begin() }
    }

    /// Acknowledgements are counted.
    var expectsAnswers: Bool { kind != .leaderOnly }
    /// Nothing waits for an acknowledgement.
    var isDone: Bool { lanes.allSatisfy { $0.batches.isEmpty } }

    private func ask() {
        var request = InitProducerIdRequest()
        request.transactionalID = nil
        request.transactionTimeoutMs = 60_000
        link(draw(0...Cluster.brokers - 1)).send(request, timeout: .seconds(2)) { [weak self] result in
            guard let self else { return }
            if case .success(let response) = result, response.errorCode == .none {
                self.id = response.producerID
                self.epoch = response.producerEpoch
                self.judge.producerID(self.id, for: self.name)
                return self.begin()
            }
            self.after(100) { [weak self] in self?.ask() }
        }
    }

    private func begin() {
        lanes = truths.indices.map(Lane.init)
        for lane in lanes { produce(lane) }
    }

    private func produce(_ lane: Lane) {
        guard !isStopping else { return }
        // Who waits for acknowledgements has a full buffer some time.
        if lane.batches.count < 12 {
            let count = draw(1...3)
            lane.batches.append(
                Batch(
                    ordinal: lane.nextOrdinal, firstNumber: lane.nextNumber, count: count, sequence: lane.nextSequence,
                    timestamp: world.clock.wallMs))
            lane.nextOrdinal += 1
            lane.nextNumber += count
            lane.nextSequence += Int32(count)
            pump(lane)
        }
        after(draw(1...2 * paceMs)) { [weak self] in self?.produce(lane) }
    }

    private func pump(_ lane: Lane) {
        guard !lane.mustDrain, !lane.isPausing else { return }
        guard let leader = leader(lane.partition) else { return pause(lane) }
        let atOnce = kind == .plain ? 1 : 5
        // A leader remembers the last five batches of a producer: one that may have to be sent again must be among them.
        let first = lane.batches.first?.ordinal ?? 0
        for index in lane.batches.indices where !lane.batches[index].isUnderWay {
            guard lane.batches[index].ordinal < first + atOnce else { return }
            send(lane, index, leader.broker)
        }
    }

    private func word(_ number: Int) -> String { "\(name)/\(kind.rawValue)/\(number)" }

    private func send(_ lane: Lane, _ index: Int, _ broker: Int) {
        let batch = lane.batches[index]
        var builder = BatchBuilder(codec: .none)
        for number in batch.firstNumber..<batch.firstNumber + batch.count {
            builder.append(timestamp: batch.timestamp, key: nil, value: Array(word(number).utf8))
        }
        let producer: BatchBuilder.Producer =
            kind == .idempotent && judge.cluster.setting.planted != .producersWithoutIDs
            ? .init(id: id, epoch: epoch, baseSequence: batch.sequence) : .none
        guard let bytes = try? builder.build(producer: producer) else { return }
        let partition = truths[lane.partition].partition
        var request = ProduceRequest()
        request.acks = kind == .leaderOnly ? 1 : -1
        request.timeoutMs = 1500
        request.topicData = [
            .with {
                $0.name = partition.topic
                $0.partitionData = [
                    .with {
                        $0.index = partition.partition
                        $0.records = .owned(bytes)
                    }
                ]
            }
        ]
        lane.batches[index].isUnderWay = true
        link(broker).send(request, timeout: .seconds(3)) { [weak self] result in
            guard let self else { return }
            guard let index = lane.batches.firstIndex(where: { $0.firstNumber == batch.firstNumber }) else { return }
            lane.batches[index].isUnderWay = false
            guard case .success(let response) = result,
                let answer = response.responses.first?.partitionResponses.first
            else { return self.failed(lane) }
            self.answered(lane, index, answer, broker)
        }
    }

    private func answered(
        _ lane: Lane, _ index: Int, _ answer: ProduceResponse.PartitionProduceResponse, _ broker: Int
    ) {
        let batch = lane.batches[index]
        let truth = truths[lane.partition]
        switch answer.errorCode {
        case .none:
            if kind != .leaderOnly {
                judge.acknowledged(truth, at: answer.baseOffset, word(batch.firstNumber), by: broker)
            }
            lane.batches.remove(at: index)
        case .duplicateSequenceNumber:
            lane.batches.remove(at: index)
        case .outOfOrderSequenceNumber where index > 0:
            // Those before it were not taken.
            return failed(lane)
        case .outOfOrderSequenceNumber
        where judge.outOfOrder(truth, producer: id, sequence: batch.sequence, by: broker):
            lane.batches.remove(at: index)
        case .notLeaderOrFollower, .unknownTopicOrPartition, .leaderNotAvailable, .notEnoughReplicas,
            .notEnoughReplicasAfterAppend, .requestTimedOut, .kafkaStorageError, .fencedLeaderEpoch, .networkException:
            return failed(lane)
        default:
            judge.violated(
                "I2: broker \(broker) refused \(word(batch.firstNumber)) of \(truth.partition) with \(answer.errorCode); \(batch.count) from sequence \(batch.sequence) on, \(answer.errorMessage ?? "")"
            )
        }
        if lane.mustDrain, lane.underWay == 0 { return failed(lane) }
        pump(lane)
    }

    private func failed(_ lane: Lane) {
        lane.mustDrain = lane.underWay > 0
        pause(lane)
    }

    private func pause(_ lane: Lane) {
        refresh()
        guard !lane.isPausing else { return }
        lane.isPausing = true
        after(draw(50...150)) { [weak self] in
            lane.isPausing = false
            self?.pump(lane)
        }
    }
}
