import ClusterModel
import Testing

@testable import Tools

private let place = TopicPartition("letters", 0)
private typealias Batch = ReplicaComparison.Batch

private func comparison(from offset: Offset = 0, replicas: [BrokerID] = [0, 1, 2]) -> ReplicaComparison {
    ReplicaComparison([place: (replicas, offset)])
}

private func answer(_ highWatermark: Offset, _ batches: (Offset, UInt32)...) -> ReplicaComparison.Answer {
    .init(highWatermark: highWatermark, batches: batches.map { Batch(lastOffset: $0.0, checksum: $0.1) })
}

private func words(_ findings: [ReplicaComparison.Finding]) -> [String] { findings.map { $0.words } }
private func fatal(_ findings: [ReplicaComparison.Finding]) -> Int { findings.count { $0.isFatal } }

@Suite("Comparing replicas")
struct ReplicaComparisonTests {
    @Test("goes on behind what all replicas hold below their high watermarks")
    func goesOn() {
        var replicas = comparison()
        replicas.answered(place, by: 0, answer(20, (9, 1), (19, 2), (29, 3)))
        replicas.answered(place, by: 1, answer(20, (9, 1), (19, 2)))
        replicas.answered(place, by: 2, answer(10, (9, 1), (19, 2)))
        let (findings, lag) = replicas.compared()
        #expect(findings == [])
        #expect(lag == .init(records: 10, place: place, offset: 10))
        #expect(replicas.offset(of: place) == 10)
    }

    @Test("names both checksums of a batch that differs, and goes on")
    func differs() {
        var replicas = comparison()
        replicas.answered(place, by: 0, answer(20, (9, 1), (19, 2)))
        replicas.answered(place, by: 1, answer(20, (9, 1), (19, 7)))
        replicas.answered(place, by: 2, answer(20, (9, 1), (19, 2)))
        let (findings, lag) = replicas.compared()
        #expect(
            words(findings) == [
                "partition letters-0 has unmatched checksum at offset 19; replica 0's checksum 2; replica 1's checksum 7"
            ])
        #expect(fatal(findings) == 0)
        #expect(lag?.records == 0)
    }

    @Test("ends where batches end at other offsets")
    func parted() {
        var replicas = comparison(replicas: [4, 5])
        replicas.answered(place, by: 4, answer(20, (9, 1)))
        replicas.answered(place, by: 5, answer(20, (7, 1)))
        let findings = replicas.compared().findings
        #expect(
            words(findings) == ["partition letters-0: replica 4's offset 9 doesn't match replica 5's offset 7"])
        #expect(fatal(findings) == 1)
        #expect(replicas.offset(of: place) == 0)
    }

    @Test("waits for a replica that did not answer")
    func waits() {
        var replicas = comparison(from: 5)
        replicas.answered(place, by: 0, answer(20, (9, 1)))
        replicas.answered(place, by: 1, answer(20, (9, 1)))
        #expect(replicas.compared().lag == .init(records: 15, place: place, offset: 5))
        #expect(replicas.offset(of: place) == 5)
        // What it did not wait for is asked for again: old answers are not kept.
        replicas.answered(place, by: 2, answer(20, (9, 1)))
        #expect(replicas.compared().lag?.offset == 5)
    }

    @Test("begins lines with the time in Kafka's format") func date() {
        #expect(LogDate.text(ms: 1_763_719_200_007) == "2025-11-21 10:00:00,007")
    }
}
