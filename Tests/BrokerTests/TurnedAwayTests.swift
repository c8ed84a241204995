import CommitLog
import Platform
import Records
import Testing

@testable import Broker

private func batch(_ sequence: Int32, producer: Int64 = 7, records: Int = 5) throws -> [UInt8] {
    var builder = BatchBuilder(codec: .none)
    for n in 0..<records { builder.append(timestamp: 1, key: nil, value: [UInt8(n)]) }
    return try builder.build(producer: .init(id: producer, epoch: 0, baseSequence: sequence))
}

@Suite("Producers turned away by a broker that does not lead yet, or has too few followers")
struct TurnedAwayTests {
    private let now = Instant.start + .seconds(10)

    private func told(
        _ turnedAway: inout TurnedAway, _ bytes: [UInt8], _ ledger: ProducerLedger, at time: Instant
    ) throws -> PartitionError? {
        try bytes.withUnsafeBytes { turnedAway.refusal(of: try RecordBatch($0), behind: ledger, at: time) }
    }

    @Test(
        "are told the same of their next batches, until the first is there", arguments: [false, true],
        [PartitionError.notLeaderOrFollower, .refused(.notEnoughReplicas(inSync: 1, needed: 2))])
    func inOrder(isKnown: Bool, reason: PartitionError) throws {
        var ledger = ProducerLedger()
        let first: Int32 = isKnown ? 5 : 0
        if isKnown { _ = try batch(0).withUnsafeBytes { ledger.appended(try RecordBatch($0)) } }
        var turnedAway = TurnedAway()
        try batch(first).withUnsafeBytes { turnedAway.note($0, reason, at: now) }
        #expect(try told(&turnedAway, batch(first + 5), ledger, at: now + .milliseconds(5)) == reason)
        #expect(try told(&turnedAway, batch(first + 5, producer: 8), ledger, at: now + .milliseconds(5)) == nil)
        #expect(try told(&turnedAway, batch(first), ledger, at: now + .milliseconds(9)) == nil)
        _ = try batch(first).withUnsafeBytes { ledger.appended(try RecordBatch($0)) }
        #expect(try told(&turnedAway, batch(first + 5), ledger, at: now + .milliseconds(9)) == nil)
    }

    @Test("are told of a gap that is still there after the window") func gap() throws {
        let ledger = ProducerLedger()
        var turnedAway = TurnedAway()
        try batch(0).withUnsafeBytes { turnedAway.note($0, .notLeaderOrFollower, at: now) }
        #expect(try told(&turnedAway, batch(5), ledger, at: now + TurnedAway.window) == nil)
        // … and it is not begun anew by asking.
        #expect(try told(&turnedAway, batch(5), ledger, at: now) == nil)
    }

    @Test("are not remembered without end") func bounded() throws {
        var turnedAway = TurnedAway()
        for producer in 0..<Int64(TurnedAway.most) {
            try batch(0, producer: producer).withUnsafeBytes { turnedAway.note($0, .notLeaderOrFollower, at: now) }
        }
        try batch(0, producer: 5000).withUnsafeBytes { turnedAway.note($0, .notLeaderOrFollower, at: now) }
        #expect(try told(&turnedAway, batch(5, producer: 5000), ProducerLedger(), at: now) == nil)
        let later = now + TurnedAway.window
        try batch(0, producer: 5000).withUnsafeBytes { turnedAway.note($0, .notLeaderOrFollower, at: later) }
        #expect(try told(&turnedAway, batch(5, producer: 5000), ProducerLedger(), at: later) == .notLeaderOrFollower)
    }
}
