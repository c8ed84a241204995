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

@Suite("Producers turned away by a broker that does not lead yet")
struct TurnedAwayTests {
    private let now = Instant.start + .seconds(10)

    private func tooSoon(
        _ turnedAway: inout TurnedAway, _ bytes: [UInt8], _ ledger: ProducerLedger, at time: Instant
    ) throws -> Bool {
        try bytes.withUnsafeBytes { turnedAway.comesTooSoon(try RecordBatch($0), behind: ledger, at: time) }
    }

    @Test("are turned away with their next batches too, until the first is there", arguments: [false, true])
    func inOrder(isKnown: Bool) throws {
        var ledger = ProducerLedger()
        let first: Int32 = isKnown ? 5 : 0
        if isKnown { try batch(0).withUnsafeBytes { ledger.appended(try RecordBatch($0)) } }
        var turnedAway = TurnedAway()
        try batch(first).withUnsafeBytes { turnedAway.note($0, at: now) }
        #expect(try tooSoon(&turnedAway, batch(first + 5), ledger, at: now + .milliseconds(5)))
        #expect(try !tooSoon(&turnedAway, batch(first + 5, producer: 8), ledger, at: now + .milliseconds(5)))
        #expect(try !tooSoon(&turnedAway, batch(first), ledger, at: now + .milliseconds(9)))
        try batch(first).withUnsafeBytes { ledger.appended(try RecordBatch($0)) }
        #expect(try !tooSoon(&turnedAway, batch(first + 5), ledger, at: now + .milliseconds(9)))
    }

    @Test("are told of a gap that is still there after the window") func gap() throws {
        let ledger = ProducerLedger()
        var turnedAway = TurnedAway()
        try batch(0).withUnsafeBytes { turnedAway.note($0, at: now) }
        #expect(try !tooSoon(&turnedAway, batch(5), ledger, at: now + TurnedAway.window))
        // … and it is not begun anew by asking.
        #expect(try !tooSoon(&turnedAway, batch(5), ledger, at: now))
    }

    @Test("are not remembered without end") func bounded() throws {
        var turnedAway = TurnedAway()
        for producer in 0..<Int64(TurnedAway.most) {
            try batch(0, producer: producer).withUnsafeBytes { turnedAway.note($0, at: now) }
        }
        try batch(0, producer: 5000).withUnsafeBytes { turnedAway.note($0, at: now) }
        #expect(try !tooSoon(&turnedAway, batch(5, producer: 5000), ProducerLedger(), at: now))
        let later = now + TurnedAway.window
        try batch(0, producer: 5000).withUnsafeBytes { turnedAway.note($0, at: later) }
        #expect(try tooSoon(&turnedAway, batch(5, producer: 5000), ProducerLedger(), at: later))
    }
}
