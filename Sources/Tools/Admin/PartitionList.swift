import ClusterModel

/// `{"partitions": [{"topic": "orders", "partition": 2, …}]}`, the files that several tools take.
enum PartitionList {
    struct Entry {
        var place: TopicPartition
        /// The whole object, for what a tool wants besides.
        var json: JSONValue
    }

    static func read(_ path: String, _ tool: any ToolWorld) throws(ToolFailure) -> [Entry] {
        let json = try parse(path, tool)
        guard let items = json["partitions"]?.array else {
            throw ToolFailure("\(path): there is no list \"partitions\" in it")
        }
        var entries: [Entry] = []
        for item in items {
            guard let topic = item["topic"]?.string, let partition = item["partition"]?.int32, partition >= 0 else {
                throw ToolFailure("\(path): each of \"partitions\" needs \"topic\" and \"partition\"")
            }
            entries.append(Entry(place: TopicPartition(topic, partition), json: item))
        }
        return entries
    }

    static func parse(_ path: String, _ tool: any ToolWorld) throws(ToolFailure) -> JSONValue {
        let bytes: [UInt8]
        switch tool.readFile(path) {
        case .success(let read): bytes = read
        case .failure(let error): throw ToolFailure("\(error)")
        }
        guard let json = JSONValue(parsing: bytes) else { throw ToolFailure("\(path) is not JSON") }
        return json
    }

    /// Those that stand in it more than once.
    static func doubles(_ entries: [Entry]) -> [TopicPartition] {
        var seen: Set<TopicPartition> = []
        return Set(entries.map(\.place).filter { !seen.insert($0).inserted }).sorted()
    }

    /// By topic, in order, as requests want them.
    static func byTopic(_ places: some Sequence<TopicPartition>) -> [(topic: String, partitions: [Int32])] {
        Dictionary(grouping: places, by: \.topic).sorted { $0.key < $1.key }
            .map { ($0.key, $0.value.map(\.partition).sorted()) }
    }

    static func joined(_ places: some Sequence<TopicPartition>, _ separator: String = ", ") -> String {
        places.sorted().map(\.description).joined(separator: separator)
    }
}
