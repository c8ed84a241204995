/// A tool by the name it is called with.
package struct Command {
    package var name: String
    package var sentence: String
    package var run: ([String], any ToolWorld) -> Int32
    package init(_ name: String, _ sentence: String, _ run: @escaping ([String], any ToolWorld) -> Int32) {
        self.name = name
        self.sentence = sentence
        self.run = run
    }
}

/// Every tool there is. Names are those of Kafka's and ZooKeeper's scripts.
package enum CommandTable {
    package static func all() -> [Command] {
        [
            Command("kafka-topics", "create, list, describe, alter and delete topics", TopicsCommand.run),
            Command("kafka-console-producer", "every line becomes a message", ConsoleProducerCommand.run),
            Command("kafka-get-offsets", "the offsets at which partitions begin or end", GetOffsetsCommand.run),
            Command("kafka-broker-api-versions", "which APIs each broker speaks", BrokerApiVersionsCommand.run),
            Command("status", "is the cluster well?", StatusCommand.run),
            Command("zookeeper-shell", "the coordinator's tree by hand", ZookeeperShellCommand.run),
            Command("zkTxnLogToolkit", "prints a transaction log, mends its checksums", LogToolkitCommand.run),
            Command("zkSnapShotToolkit", "lists what a snapshot holds", SnapshotToolkitCommand.run),
            Command("zkCleanup", "removes snapshots and logs that are needed no more", CleanupCommand.run),
            Command("coordinator-check", "explains a coordinator's directory, and repairs it", CheckCommand.run),
            Command("zkCli", "the same under ZooKeeper's own name", ZookeeperShellCommand.runWithOptions),
            Command("kafka-console-consumer", "prints a topic's records", ConsoleConsumerCommand.run),
            Command(
                "kafka-consumer-groups", "lists and describes groups, moves their offsets", ConsumerGroupsCommand.run),
            Command("kafka-configs", "shows and changes settings of topics and brokers", ConfigsCommand.run),
            Command("kafka-leader-election", "elects preferred or unclean leaders", LeaderElectionCommand.run),
            Command("kafka-reassign-partitions", "moves replicas between brokers", ReassignPartitionsCommand.run),
            Command("kafka-log-dirs", "sizes and places of replicas, as JSON", LogDirsCommand.run),
            Command(
                "kafka-replica-verification", "compares the replicas of partitions with each other",
                ReplicaVerificationCommand.run),
            Command("import", "brings Apache Kafka's committed offsets into this cluster", ImportCommand.run),
            Command("rescue", "rebuilds a lost tree from brokers' disks", RescueCommand.run),
            Command("kafka-dump-log", "what the files of a log hold", DumpLogCommand.run),
            Command("kafka-delete-records", "moves the beginning of partitions forward", DeleteRecordsCommand.run),
        ]
    }

    /// Also without the family's name: `topics` is `kafka-topics`.
    package static func command(_ name: String) -> Command? {
        all().first { $0.name == name } ?? all().first { $0.name == "kafka-\(name)" }
    }
}
