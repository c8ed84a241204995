import Bytes
import ClusterModel
import Compression
import Records
import Testing

@testable import Tools

@Suite("Offsets in records of __consumer_offsets")
struct StoredOffsetsTests {
    private func string(_ text: String) -> [UInt8] {
        [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 255)] + Array(text.utf8)
    }
    private func key(_ group: String, _ partition: UInt8, version: UInt8 = 1) -> [UInt8] {
        [0, version] + string(group) + string("t") + [0, 0, 0, partition]
    }
    private func long(_ value: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, value] }

    private func read(_ batches: [[UInt8]]) -> StoredOffsets {
        var offsets = StoredOffsets()
        for batch in batches { batch.withUnsafeBytes { offsets.read($0, magic: 2) } }
        return offsets
    }

    private func batch(
        at offset: Offset, _ records: [([UInt8]?, [UInt8]?)], producer: Int64? = nil, codec: Codec = .none
    ) throws -> [UInt8] {
        var builder = BatchBuilder(codec: codec)
        for (key, value) in records { builder.append(timestamp: 1, key: key, value: value) }
        return try builder.build(
            producer: producer.map { .init(id: $0, epoch: 0, baseSequence: 0) } ?? .none,
            isTransactional: producer != nil, baseOffset: offset)
    }

    private func place(_ group: String, _ partition: Int32 = 0) -> StoredOffsets.Place {
        .init(group: group, partition: TopicPartition("t", partition))
    }

    @Test("are read in every version, also packed") func versions() throws {
        let values: [[UInt8]] = [
            [0, 0] + long(10) + string("m") + long(1),
            [0, 1] + long(11) + string("m") + long(1) + long(2),
            [0, 2] + long(12) + string("m") + long(1),
            [0, 3] + long(13) + [0, 0, 0, 5] + string("m") + long(1),
            [0, 4] + long(14) + [0, 0, 0, 5] + [2] + Array("m".utf8) + long(1) + [0],
        ]
        for codec in [Codec.none, .gzip, .lz4, .zstd, .snappy] {
            let offsets = read([
                try batch(at: 0, values.enumerated().map { (key("g", UInt8($0)), $1) }, codec: codec)
            ])
            for number in 0..<5 {
                let commit = try #require(offsets.commits[place("g", Int32(number))])
                #expect(commit.offset == Offset(10 + number) && commit.metadata == "m")
                #expect(commit.leaderEpoch == (number >= 3 ? 5 : .none))
            }
            #expect(offsets.passedOver == 0)
        }
    }

    @Test("are the newest of each key; a tombstone takes them away; groups' own records are none") func newest() throws
    {
        let value: (UInt8) -> [UInt8] = { [0, 2] + long($0) + string("") + long(1) }
        let offsets = read([
            try batch(
                at: 0, [(key("a", 0), value(1)), (key("b", 0, version: 0), value(2)), ([0, 2] + string("a"), [0, 3])]),
            try batch(at: 3, [(key("a", 0), value(7)), (key("b", 0), nil)]),
        ])
        #expect(offsets.commits.mapValues(\.offset) == [place("a"): 7])
        #expect(offsets.passedOver == 0)
    }

    @Test("of a transaction count when it was committed, unless something newer was written before") func transactions()
        throws
    {
        let value: (UInt8) -> [UInt8] = { [0, 2] + long($0) + string("") + long(1) }
        let commit = ControlRecord(kind: .commit, coordinatorEpoch: 0)
        let abort = ControlRecord(kind: .abort, coordinatorEpoch: 0)
        let offsets = read([
            try batch(at: 0, [(key("a", 0), value(1)), (key("b", 0), value(1))]),
            try batch(at: 2, [(key("a", 0), value(2)), (key("b", 0), value(2))], producer: 5),
            try batch(at: 4, [(key("a", 1), value(3))], producer: 6),
            try batch(at: 5, [(key("a", 2), value(4))], producer: 7),
            try batch(at: 6, [(key("b", 0), value(9))]),
            commit.batch(timestamp: 1, producerID: 5, producerEpoch: 0, baseOffset: 7),
            abort.batch(timestamp: 1, producerID: 6, producerEpoch: 0, baseOffset: 8),
        ])
        #expect(offsets.commits.mapValues(\.offset) == [place("a"): 2, place("b"): 9])
    }

    @Test("that cannot be read are counted, and harm nothing") func strange() throws {
        let good: [UInt8] = [0, 2] + long(1) + string("") + long(1)
        let offsets = read([
            try batch(
                at: 0,
                [([0], good), (key("a", 0), [0, 9]), (key("a", 1), [0, 2, 0]), (nil, good), (key("a", 2), good)]),
            [1, 2, 3],
        ])
        #expect(offsets.commits.count == 1 && offsets.passedOver == 5)
    }
}
