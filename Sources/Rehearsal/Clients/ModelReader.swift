import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform
import Records

/// Reads every partition from the beginning on, now and then again from somewhere, and asks where it ends.
final class ModelReader: ModelClient {
    private var positions: [Offset]
    private var ends: [Offset]

    override init(_ name: String, world: any World, judge: Judge) {
        positions = judge.truths.map { _ in 0 }
        ends = positions
        super.init(name, world: world, judge: judge)
        refresh()
        for partition in truths.indices {
            after(draw(1...300)) { [weak self] in self?.fetch(partition) }
            after(draw(1...1000)) { [weak self] in self?.askEnd(partition) }
        }
    }

    // MARK: Reading

    private func again(_ partition: Int, after milliseconds: Int) {
        after(milliseconds) { [weak self] in self?.fetch(partition) }
    }

    private func fetch(_ partition: Int) {
        guard !isStopping else { return }
        guard let leader = leader(partition) else {
            refresh()
            return again(partition, after: 100)
        }
        let truth = truths[partition]
        let from = positions[partition]
        let request = fetching(truth, from: from, leader.epoch, maxBytes: Int32(draw(100...4000)))
        link(leader.broker).send(request, atMost: 12, timeout: .seconds(3)) { [weak self] result in
            guard let self else { return }
            guard case .success(let response) = result, let answer = response.responses.first?.partitions.first else {
                self.refresh()
                return self.again(partition, after: 100)
            }
            switch answer.errorCode {
            case .none: self.take(answer, partition, from, truth)
            case .offsetOutOfRange:
                self.judge.violated(
                    "I1, I6: broker \(leader.broker) holds no offset \(from) of \(truth.partition) in epoch \(leader.epoch), which was read before"
                )
            case .notLeaderOrFollower, .fencedLeaderEpoch, .unknownLeaderEpoch, .unknownTopicOrPartition,
                .kafkaStorageError, .leaderNotAvailable, .offsetNotAvailable:
                self.refresh()
                self.again(partition, after: 100)
            default:
                self.judge.violated(
                    "broker \(leader.broker) answered a fetch of \(truth.partition) with \(answer.errorCode)")
            }
        }
    }

    private func take(
        _ answer: FetchResponse.PartitionData, _ partition: Int, _ from: Offset, _ truth: PartitionTruth
    ) {
        var next = from
        answer.records.withBytes { bytes in
            var reader = RecordBatches(bytes)
            while let batch = try? reader.next() {
                judge.read(truth, batch, by: name)
                if batch.baseOffset > next {
                    judge.violated(
                        "I6: \(name) read from \(next) of \(truth.partition) and was given \(batch.baseOffset)")
                }
                next = max(next, batch.nextOffset)
            }
        }
        positions[partition] = next
        if next == from, draw(0...9) == 0 { positions[partition] = Offset(draw(0...Int(next))) }
        again(partition, after: next == from ? 50 : 5)
    }

    // MARK: Ends

    /// I5: what was told as a partition's end stays below what is told later.
    private func askEnd(_ partition: Int) {
        guard !isStopping else { return }
        guard let leader = leader(partition) else {
            after(500) { [weak self] in self?.askEnd(partition) }
            return
        }
        let truth = truths[partition]
        var request = ListOffsetsRequest()
        request.replicaID = -1
        request.topics = [
            .with {
                $0.name = truth.partition.topic
                $0.partitions = [
                    .with {
                        $0.partitionIndex = truth.partition.partition
                        $0.currentLeaderEpoch = leader.epoch
                        $0.timestamp = -1
                    }
                ]
            }
        ]
        link(leader.broker).send(request, timeout: .seconds(3)) { [weak self] result in
            guard let self else { return }
            if case .success(let response) = result, let answer = response.topics.first?.partitions.first,
                answer.errorCode == .none
            {
                if answer.offset < self.ends[partition] {
                    self.judge.violated(
                        "I5: broker \(leader.broker) told \(answer.offset) as the end of \(truth.partition) in epoch \(leader.epoch); it was \(self.ends[partition]) before"
                    )
                }
                self.ends[partition] = max(self.ends[partition], answer.offset)
            }
            self.after(self.draw(300...1500)) { [weak self] in self?.askEnd(partition) }
        }
    }
}
