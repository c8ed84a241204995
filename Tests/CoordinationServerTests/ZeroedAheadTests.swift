import Testing

@testable import CoordinationServer

@Suite("Zeros ahead of the log's end")
struct ZeroedAheadTests {
    private let file: Int64 = 64 << 20

    @Test("are written by the small batch that enters a block not written yet, for many that follow") func small() {
        var zeroed = ZeroedAhead()
        #expect(zeroed.next(end: 216, count: 200, reserved: file) == 4096..<4096 + ZeroedAhead.step)
        var end: Int64 = 216
        var written = 0
        while end < 4096 + ZeroedAhead.step - 200 {
            end += 200
            if zeroed.next(end: end, count: 200, reserved: file) != nil { written += 1 }
        }
        #expect(written == 0)
        #expect(zeroed.next(end: end + 200, count: 200, reserved: file) != nil)
    }

    @Test("are not written for large batches, nor beyond what is reserved") func bounds() {
        var zeroed = ZeroedAhead()
        let large: Int64 = 1 << 20
        #expect(zeroed.next(end: large, count: 1 << 20, reserved: file) == nil)
        // Behind a large batch a small one writes what the file still has.
        let rest = zeroed.next(end: large + 1, count: 100, reserved: large + 8192)
        #expect(rest == (large + 4096)..<(large + 8192))
        #expect(zeroed.next(end: large + 9000, count: 100, reserved: large + 8192) == nil)
        var without = ZeroedAhead()
        #expect(without.next(end: 216, count: 200, reserved: 0) == nil)
    }

    @Test("are asked for once: the same batch again finds them") func again() {
        var zeroed = ZeroedAhead()
        #expect(zeroed.next(end: 216, count: 200, reserved: file) != nil)
        #expect(zeroed.next(end: 216, count: 200, reserved: file) == nil)
    }
}
