import ClusterModel
import Testing

@testable import Tools

@Suite("The range assignor")
struct RangeAssignorTests {
    func numbers(_ places: [TopicPartition]?) -> [Int32] { (places ?? []).map(\.partition) }

    @Test("cuts a topic into pieces, the larger ones first") func pieces() {
        let members = ["c", "a", "b"].map { RangeAssignor.Member(id: $0, topics: ["t"]) }
        let shares = RangeAssignor.assign(members, partitionCounts: ["t": 7])
        #expect(numbers(shares["a"]) == [0, 1, 2])
        #expect(numbers(shares["b"]) == [3, 4])
        #expect(numbers(shares["c"]) == [5, 6])
    }

    @Test("gives nothing to those that are too many, and does each topic by itself") func tooMany() {
        let members = [
            RangeAssignor.Member(id: "a", topics: ["t", "u"]), RangeAssignor.Member(id: "b", topics: ["u"]),
        ]
        let shares = RangeAssignor.assign(members, partitionCounts: ["t": 2, "u": 1, "v": 9])
        #expect(shares["a"] == [TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("u", 0)])
        #expect(shares["b"] == [])
    }

    @Test("puts static members first, by their instance") func instances() {
        let members = [
            RangeAssignor.Member(id: "a", topics: ["t"]), RangeAssignor.Member(id: "z", instanceID: "2", topics: ["t"]),
            RangeAssignor.Member(id: "y", instanceID: "1", topics: ["t"]),
        ]
        let shares = RangeAssignor.assign(members, partitionCounts: ["t": 3])
        #expect(numbers(shares["y"]) == [0])
        #expect(numbers(shares["z"]) == [1])
        #expect(numbers(shares["a"]) == [2])
    }

    @Test("a topic that nobody knows has no partitions") func unknown() {
        let shares = RangeAssignor.assign([RangeAssignor.Member(id: "a", topics: ["gone"])], partitionCounts: [:])
        #expect(shares == ["a": []])
    }
}
