import ClusterModel
import Controller

/// Where replicas lie or shall lie: the JSON that is shown, saved and given again.
struct ReassignmentPlan: Equatable {
    static let anyDirectory = "any"

    struct Target: Equatable {
        var replicas: [Int32]
        /// One a replica: `any`, or an absolute path.
        var logDirs: [String]
        init(_ replicas: [Int32], logDirs: [String]? = nil) {
            self.replicas = replicas
            self.logDirs = logDirs ?? replicas.map { _ in ReassignmentPlan.anyDirectory }
        }
    }

    var targets: [TopicPartition: Target] = [:]

    var places: [TopicPartition] { targets.keys.sorted() }

    init(_ targets: [TopicPartition: Target] = [:]) { self.targets = targets }

    init(_ entries: [PartitionList.Entry]) throws(ToolFailure) {
        guard !entries.isEmpty else { throw ToolFailure("Error: Partition reassignment list cannot be empty") }
        let doubles = PartitionList.doubles(entries)
        guard doubles.isEmpty else {
            throw ToolFailure(
                "Error: Partition reassignment contains duplicate topic partitions: \(PartitionList.joined(doubles, ","))"
            )
        }
        for entry in entries {
            guard let ids = entry.json["replicas"]?.brokers?.map(\.raw), !ids.isEmpty else {
                throw ToolFailure("Error: Partition replica list cannot be empty (\(entry.place))")
            }
            guard Set(ids).count == ids.count else {
                throw ToolFailure(
                    "Error: Partition replica lists may not contain duplicate entries: \(entry.place) contains multiple "
                        + "entries for \(Set(ids.filter { id in ids.count(where: { $0 == id }) > 1 }).sorted().map(String.init).joined(separator: ","))"
                )
            }
            var directories: [String]?
            if let list = entry.json["log_dirs"]?.array {
                directories = list.compactMap(\.string)
                guard directories?.count == ids.count else {
                    throw ToolFailure(
                        "Error: Size of replicas list \(ids.count) is different from size of log dirs list "
                            + "\(list.count) for partition \(entry.place)")
                }
            }
            targets[entry.place] = Target(ids, logDirs: directories)
        }
    }

    var text: String {
        let partitions = places.compactMap { place in targets[place].map { (place, $0) } }.map { place, target in
            JSONText.object {
                $0.field("topic", place.topic)
                $0.field("partition", place.partition)
                $0.field("replicas", raw: "[" + target.replicas.map(String.init).joined(separator: ",") + "]")
                $0.field("log_dirs", target.logDirs)
            }
        }
        return JSONText.object {
            $0.field("version", 1)
            $0.field("partitions", raw: "[" + partitions.joined(separator: ",") + "]")
        }
    }

    var brokers: Set<Int32> { Set(targets.values.flatMap(\.replicas)) }

    /// Directories asked for by name: which broker shall hold which partition where.
    var moves: [(broker: Int32, place: TopicPartition, directory: String)] {
        places.flatMap { place in
            guard let target = targets[place] else {
                return [(broker: Int32, place: TopicPartition, directory: String)]()
            }
            return zip(target.replicas, target.logDirs).filter { $0.1 != ReassignmentPlan.anyDirectory }
                .map { (broker: $0.0, place: place, directory: $0.1) }
        }
    }

    /// What a throttle is put on: everyone who serves a move, and everyone who receives.
    /// - Parameter current: replicas of each partition, with what is already being added.
    /// - Returns: by topic, the lists of `leader.` and `follower.replication.throttled.replicas`.
    func throttled(from current: [TopicPartition: (replicas: [Int32], adding: [Int32])]) -> [String: (
        leaders: String, followers: String
    )] {
        var lists: [String: (leaders: [String], followers: [String])] = [:]
        for place in places {
            guard let target = targets[place], let now = current[place] else { continue }
            let sources = now.replicas.filter { !now.adding.contains($0) }
            let destinations = target.replicas.filter { !sources.contains($0) }
            lists[place.topic, default: ([], [])].leaders += sources.map { "\(place.partition):\($0)" }
            lists[place.topic, default: ([], [])].followers += destinations.map { "\(place.partition):\($0)" }
        }
        return lists.mapValues { ($0.leaders.joined(separator: ","), $0.followers.joined(separator: ",")) }
    }

    /// Places topics anew over some brokers, each with the number of replicas it has.
    /// Rule: Kafka 3.9, the same placement as for new topics.
    /// - Parameter start: where in the list of brokers to begin; random for a real call.
    static func generated(
        topics: [String: [TopicPartition: [Int32]]], over candidates: [ReplicaPlacement.Candidate],
        start: (Int) -> Int
    ) throws(ToolFailure) -> ReassignmentPlan {
        var plan = ReassignmentPlan()
        for (_, partitions) in topics.sorted(by: { $0.key < $1.key }) {
            let places = partitions.keys.sorted()
            let factor = places.first.flatMap { partitions[$0]?.count } ?? 0
            let placed: [[BrokerID]]
            do throws(ReplicaPlacement.Refusal) {
                placed = try ReplicaPlacement.place(
                    partitions: Int32(places.count), replicationFactor: factor, over: candidates,
                    start: start(candidates.count), shift: start(candidates.count))
            } catch {
                throw ToolFailure(
                    "Error: Replication factor: \(factor) larger than available brokers: \(candidates.count).")
            }
            for (place, replicas) in zip(places, placed) { plan.targets[place] = Target(replicas.map(\.raw)) }
        }
        return plan
    }
}
