import ClusterModel
import Testing

@testable import Tools

@Suite("Moving a group's offsets")
struct OffsetResetTests {
    let zero = TopicPartition("orders", 0)
    let one = TopicPartition("orders", 1)

    var facts: ResetFacts {
        var facts = ResetFacts()
        facts.starts = [zero: 2, one: 0]
        facts.ends = [zero: 10, one: 0]
        facts.committed = [zero: 5]
        facts.atTime = [zero: 7, one: -1]
        return facts
    }

    func offsets(_ mode: ResetMode, _ partitions: [TopicPartition]) throws -> [Int64] {
        try ResetPlan.make(mode, group: "g", partitions: partitions, facts: facts).offsets.map(\.offset)
    }

    @Test("goes to the start, the end, or where the group stands") func ends() throws {
        #expect(try offsets(.toEarliest, [zero, one]) == [2, 0])
        #expect(try offsets(.toLatest, [zero, one]) == [10, 0])
        #expect(try offsets(.toCurrent, [one, zero]) == [5, 0])
    }

    @Test("stays within the log, and says so") func clamped() throws {
        let high = try ResetPlan.make(.toOffset(999), group: "g", partitions: [zero], facts: facts)
        #expect(high.offsets.map(\.offset) == [10])
        #expect(
            high.warnings == [
                "WARN New offset (999) is higher than latest offset for topic partition orders-0. Value will be set to 10"
            ])
        #expect(try offsets(.toOffset(1), [zero]) == [2])
        #expect(try offsets(.shiftBy(-4), [zero]) == [2])
        #expect(try offsets(.shiftBy(1), [zero]) == [6])
        #expect(try offsets(.shiftBy(.max), [zero]) == [10])
    }

    @Test("cannot shift what was never committed") func nothingToShift() {
        #expect(throws: ToolFailure.self) { try offsets(.shiftBy(1), [one]) }
    }

    @Test("a partition that nobody knows is a mistake") func unknown() {
        #expect(throws: ToolFailure.self) { try offsets(.toLatest, [TopicPartition("orders", 7)]) }
        #expect(throws: ToolFailure.self) { try offsets(.toOffset(0), [TopicPartition("orders", 7)]) }
    }

    @Test("goes to the end where nothing is young enough") func time() throws {
        let plan = try ResetPlan.make(.toTime(0), group: "g", partitions: [zero, one], facts: facts)
        #expect(plan.offsets.map(\.offset) == [7, 0])
        #expect(
            plan.remarks == ["\nWarn: Partition 1 from topic orders is empty. Falling back to latest known offset."])
    }

    @Test("what was exported is read again") func file() throws {
        let rows = [
            ResetRow(group: "a,\"b", partition: zero, offset: 3), ResetRow(group: "c", partition: one, offset: 0),
        ]
        let text = ResetFile.text(rows, withGroup: true)
        #expect(text == "\"a,\"\"b\",orders,0,3\nc,orders,1,0\n")
        #expect(try ResetFile.parse(text, singleGroup: false) == rows)
        #expect(ResetFile.text(rows, withGroup: false) == "orders,0,3\norders,1,0\n")
        let plain = try ResetFile.parse("orders,0,3\n\norders,1,0", singleGroup: true)
        #expect(plain.map(\.group) == [nil, nil])
        #expect(try offsets(.fromFile(plain), []) == [3, 0])
        #expect(throws: ToolFailure.self) { try ResetFile.parse("orders,0,3", singleGroup: false) }
        #expect(throws: ToolFailure.self) { try ResetFile.parse("orders;0;3", singleGroup: true) }
    }

    @Test("a file without this group moves nothing") func foreignFile() throws {
        let rows = [ResetRow(group: "other", partition: zero, offset: 3)]
        let plan = try ResetPlan.make(.fromFile(rows), group: "g", partitions: [], facts: facts)
        #expect(plan.offsets.isEmpty)
        #expect(plan.remarks == ["\nError: No reset plan for group g found"])
    }
}
