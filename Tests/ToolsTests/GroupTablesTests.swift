import ClusterModel
import Testing

@testable import Tools

@Suite("Tables of the groups tool")
struct GroupTablesTests {
    @Test("offsets are as Kafka shows them") func offsets() {
        var active = GroupTables.OffsetRow(TopicPartition("orders", 1), committed: nil, end: 3)
        active.consumerID = "gold-consumer-ea384a93-1892-4dff-a3df-0435196335a5"
        active.host = "/127.0.0.1"
        active.clientID = "gold-consumer"
        let rows = [GroupTables.OffsetRow(TopicPartition("orders", 0), committed: 4, end: 6)]
        #expect(
            GroupTables.offsets(group: "g1", rows) == [
                "",
                "GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID",
                "g1              orders          0          4               6               2               -               -               -",
            ])
        #expect(
            GroupTables.offsets(group: "live", [active])[2]
                == "live            orders          1          -               3               -               gold-consumer-ea384a93-1892-4dff-a3df-0435196335a5 /127.0.0.1      gold-consumer"
        )
    }

    @Test("members show their partitions topic by topic") func members() {
        let row = GroupTables.MemberRow(
            consumerID: "gold-consumer-ea384a93-1892-4dff-a3df-0435196335a5", instanceID: nil, host: "/127.0.0.1",
            clientID: "gold-consumer",
            assignment: [TopicPartition("orders", 2), TopicPartition("orders", 0), TopicPartition("orders", 1)])
        #expect(
            GroupTables.members(group: "live", [row], verbose: true) == [
                "",
                "GROUP           CONSUMER-ID                                        HOST            CLIENT-ID       #PARTITIONS     ASSIGNMENT",
                "live            gold-consumer-ea384a93-1892-4dff-a3df-0435196335a5 /127.0.0.1      gold-consumer   3               (0,1,2)",
            ])
    }

    @Test("the state names the coordinator") func state() {
        #expect(
            GroupTables.state(
                group: "live", coordinator: "127.0.0.1:19093  (3)", strategy: "range", state: "Stable", members: 1) == [
                    "",
                    "GROUP                     COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE           #MEMBERS",
                    "live                      127.0.0.1:19093  (3)      range                Stable          1",
                ])
    }

    @Test("lists are as wide as their longest name") func list() {
        #expect(
            GroupTables.list(
                [(name: "console-consumer-69240", type: "Classic", state: "Empty")], type: false, state: true) == [
                    "GROUP                            STATE               ",
                    "console-consumer-69240           Empty               ",
                ])
    }

    @Test("filters know the states in any spelling") func filter() throws {
        #expect(
            try GroupsWork.filter(
                "stable, PREPARING_REBALANCE", among: GroupsWork.states, singular: "state", plural: "states")
                == ["Stable", "PreparingRebalance"])
        #expect(throws: CommandLineError.self) {
            try GroupsWork.filter("asleep", among: GroupsWork.states, singular: "state", plural: "states")
        }
    }

    @Test("partitions of a topic are named behind a colon") func partitions() throws {
        #expect(
            try GroupsWork.partitions("orders:0,2") == [TopicPartition("orders", 0), TopicPartition("orders", 2)])
        for text in ["orders:", "orders:x", "orders:0,", "a:b:c", "orders:-1"] {
            #expect(throws: CommandLineError.self) { try GroupsWork.partitions(text) }
        }
    }

    @Test("options that exclude each other are refused") func options() throws {
        func check(_ words: String) throws {
            let line = try CommandLine(
                words.split(separator: " ").map(String.init), options: ConsumerGroupsCommand.help.options)
            try ConsumerGroupsCommand.check(line, bootstrap: "here:1")
        }
        try check("--list --state")
        try check("-describe -group g --members --verbose")
        try check("--reset-offsets --group g --topic t:0 --shift-by -3 --execute")
        try check("--delete-offsets --group g --topic t")
        for wrong in [
            "--list --describe --group g", "--describe", "--describe --group g --all-groups", "--list --group g",
            "--describe --group g --state Stable", "--describe --group g --members --offsets", "--list --members",
            "--delete --group g --topic t", "--delete-offsets --group g", "--reset-offsets --group g --to-latest",
            "--reset-offsets --group g --topic t", "--reset-offsets --group g --topic t --to-latest --to-earliest",
            "--reset-offsets --group g --topic t --to-latest --dry-run --execute", "--describe --topic t --group g",
        ] {
            #expect(throws: CommandLineError.self, "\(wrong)") { try check(wrong) }
        }
    }
}
