package struct TopicPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var topic: String
    package var partition: Int32
    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
    package static func < (a: TopicPartition, b: TopicPartition) -> Bool {
        a.topic == b.topic ? a.partition < b.partition : a.topic < b.topic
    }
    /// Kafka's spelling, also the name of the log's directory.
    package var description: String { "\(topic)-\(partition)" }
}
