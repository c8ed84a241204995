import ClusterModel

/// What several brokers answered for the same offsets, held beside each other batch by batch. A value: no cluster, no clock.
/// Rule: Kafka 3.9's ReplicaVerificationTool, but for the checksum, which is of the bytes that came, not the one they claim.
package struct ReplicaComparison {
    /// One batch of one replica.
    package struct Batch: Equatable {
        package var lastOffset: Offset
        package var checksum: UInt32
        package init(lastOffset: Offset, checksum: UInt32) {
            self.lastOffset = lastOffset
            self.checksum = checksum
        }
    }

    /// What one replica holds from the offset that was asked for.
    package struct Answer: Equatable {
        package var highWatermark: Offset
        package var batches: [Batch]
        package init(highWatermark: Offset, batches: [Batch]) {
            self.highWatermark = highWatermark
            self.batches = batches
        }
    }

    package enum Finding: Equatable {
        /// Two replicas hold other bytes at the same offset.
        case checksums(TopicPartition, at: Offset, (BrokerID, UInt32), (BrokerID, UInt32))
        /// The batches of two replicas end at other offsets: there is no way to go on.
        case offsets(TopicPartition, (BrokerID, Offset), (BrokerID, Offset))

        package static func == (a: Finding, b: Finding) -> Bool { a.words == b.words }

        package var words: String {
            switch self {
            case .checksums(let place, let offset, let one, let other):
                "partition \(place) has unmatched checksum at offset \(offset); replica \(one.0)'s checksum \(one.1); "
                    + "replica \(other.0)'s checksum \(other.1)"
            case .offsets(let place, let one, let other):
                "partition \(place): replica \(one.0)'s offset \(one.1) doesn't match replica \(other.0)'s offset \(other.1)"
            }
        }
        package var isFatal: Bool {
            if case .offsets = self { true } else { false }
        }
    }

    /// How far the comparison is behind what is committed, where it is furthest behind.
    package struct Lag: Equatable {
        package var records: Int64
        package var place: TopicPartition
        package var offset: Offset
    }

    private struct Progress {
        var replicas: [BrokerID]
        var offset: Offset
        var answers: [BrokerID: Answer] = [:]
    }

    private var partitions: [TopicPartition: Progress] = [:]
    package let places: [TopicPartition]

    /// - Parameter partitions: of each the replicas, and the offset to begin at.
    package init(_ partitions: [TopicPartition: (replicas: [BrokerID], offset: Offset)]) {
        places = partitions.keys.sorted()
        self.partitions = partitions.mapValues { Progress(replicas: $0.replicas.sorted(), offset: $0.offset) }
    }

    /// Where its replicas are to be read next: they agree on everything from the beginning up to there.
    package func offset(of place: TopicPartition) -> Offset { partitions[place]?.offset ?? 0 }

    package mutating func answered(_ place: TopicPartition, by replica: BrokerID, _ answer: Answer) {
        partitions[place]?.answers[replica] = answer
    }

    /// Everybody has answered, or cannot: compares, goes forward as far as all replicas reach, and forgets the answers.
    /// - Returns: what differs, and the greatest lag; nil when there is no partition.
    package mutating func compared() -> (findings: [Finding], lag: Lag?) {
        var findings: [Finding] = []
        var lag: Lag?
        for place in places {
            guard var progress = partitions[place] else { continue }
            compare(place, &progress, &findings)
            if let committed = progress.answers.values.map(\.highWatermark).max(),
                committed - progress.offset > (lag?.records ?? -1)
            {
                lag = Lag(records: committed - progress.offset, place: place, offset: progress.offset)
            }
            progress.answers = [:]
            partitions[place] = progress
        }
        return (findings, lag)
    }

    /// One batch of every replica at a time, up to the lowest high watermark, or the end of what somebody sent.
    private func compare(_ place: TopicPartition, _ progress: inout Progress, _ findings: inout [Finding]) {
        var index = 0
        while true {
            var first: (replica: BrokerID, batch: Batch)?
            for replica in progress.replicas {
                guard let answer = progress.answers[replica], index < answer.batches.count,
                    answer.batches[index].lastOffset < answer.highWatermark
                else { return }
            }
            for replica in progress.replicas {
                guard let batch = progress.answers[replica]?.batches[index] else { return }
                guard let known = first else {
                    first = (replica, batch)
                    continue
                }
                guard known.batch.lastOffset == batch.lastOffset else {
                    return findings.append(
                        .offsets(place, (known.replica, known.batch.lastOffset), (replica, batch.lastOffset)))
                }
                if known.batch.checksum != batch.checksum {
                    findings.append(
                        .checksums(
                            place, at: batch.lastOffset, (known.replica, known.batch.checksum),
                            (replica, batch.checksum)))
                }
            }
            guard let first else { return }
            progress.offset = first.batch.lastOffset + 1
            index += 1
        }
    }
}
