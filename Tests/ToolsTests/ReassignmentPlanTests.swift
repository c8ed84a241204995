import ClusterModel
import Controller
import Testing

@testable import Tools

@Suite("A plan of reassignments")
struct ReassignmentPlanTests {
    private func plan(_ json: String) throws -> ReassignmentPlan {
        let items = JSONValue(parsing: Array(json.utf8))?["partitions"]?.array ?? []
        return try ReassignmentPlan(
            items.map {
                PartitionList.Entry(
                    place: TopicPartition($0["topic"]?.string ?? "", $0["partition"]?.int32 ?? -1), json: $0)
            })
    }

    @Test("is written as it is read, and as Kafka's tool writes it") func text() throws {
        let text =
            #"{"version":1,"partitions":[{"topic":"a","partition":0,"replicas":[1,2],"log_dirs":["any","any"]},"#
            + #"{"topic":"b","partition":1,"replicas":[3],"log_dirs":["/data/x"]}]}"#
        let plan = try plan(text)
        #expect(plan.text == text)
        #expect(plan.moves.map { "\($0.broker) \($0.place) \($0.directory)" } == ["3 b-1 /data/x"])
    }

    @Test("with doubles, no replicas, or directories for others is refused") func refusals() {
        for (json, words) in [
            (#"{"partitions":[]}"#, "cannot be empty"),
            (
                #"{"partitions":[{"topic":"a","partition":0,"replicas":[1]},{"topic":"a","partition":0,"replicas":[2]}]}"#,
                "a-0"
            ),
            (#"{"partitions":[{"topic":"a","partition":0,"replicas":[]}]}"#, "cannot be empty"),
            (#"{"partitions":[{"topic":"a","partition":0,"replicas":[1,1]}]}"#, "duplicate entries"),
            (
                #"{"partitions":[{"topic":"a","partition":0,"replicas":[1],"log_dirs":["any","any"]}]}"#,
                "different from size"
            ),
        ] {
            let error = #expect(throws: ToolFailure.self) { try plan(json) }
            #expect(error?.message.contains(words) == true, "\(json): \(error?.message ?? "")")
        }
    }

    @Test("throttles those who serve at the leaders' side, and newcomers at the followers'") func throttles() throws {
        let plan = try plan(
            #"{"partitions":[{"topic":"m","partition":0,"replicas":[3,2]},{"topic":"m","partition":1,"replicas":[1]}]}"#
        )
        let lists = plan.throttled(from: [
            TopicPartition("m", 0): (replicas: [1, 2], adding: []),
            // Already under way from 2 to 1.
            TopicPartition("m", 1): (replicas: [1, 2], adding: [1]),
        ])
        #expect(lists["m"]?.leaders == "0:1,0:2,1:2")
        #expect(lists["m"]?.followers == "0:3,1:1")
    }

    @Test("is proposed with as many replicas as there are, over the brokers given") func generated() throws {
        let topics: [String: [TopicPartition: [Int32]]] = [
            "t": [TopicPartition("t", 0): [1, 2], TopicPartition("t", 1): [2, 3], TopicPartition("t", 2): [3, 1]]
        ]
        let proposed = try ReassignmentPlan.generated(
            topics: topics, over: [5, 6, 7].map { ReplicaPlacement.Candidate(BrokerID($0)) }, start: { _ in 0 })
        #expect(proposed.places.map { proposed.targets[$0]?.replicas } == [[5, 6], [6, 7], [7, 5]])
        #expect(throws: ToolFailure.self) {
            try ReassignmentPlan.generated(
                topics: topics, over: [ReplicaPlacement.Candidate(5)], start: { _ in 0 })
        }
    }
}

@Suite("Settings on a command line")
struct ConfigAdditionsTests {
    @Test("are parted by commas outside brackets") func additions() throws {
        #expect(
            try ConfigsCommand.additions("a=1,cleanup.policy=[compact,delete], b = x=y ").map {
                "\($0.name) \($0.value ?? "nil")"
            }
                == ["a 1", "cleanup.policy compact,delete", "b x=y"])
        #expect(throws: CommandLineError.self) { try ConfigsCommand.additions("a") }
        #expect(throws: CommandLineError.self) { try ConfigsCommand.additions("=1") }
    }
}
