import ClusterModel
import CommitLog
import KafkaClient
import KafkaProtocol
import Platform

/// `import --groups`: what groups had committed in a cluster of Apache Kafka comes into this one, so that consumers go on where they
/// stood.
package enum ImportCommand {
    static let help = HelpText(
        "Bring the committed offsets of groups from Apache Kafka's log directories into this cluster.",
        examples: [
            "letterbox import --groups data/broker-0 data/broker-1 --bootstrap-server localhost:9092",
            "letterbox import --groups data/broker-0 data/broker-1 --bootstrap-server localhost:9092 --execute",
        ],
        options: [
            .bootstrap,
            .value(
                "groups", of: "DIR",
                help: "Log directories that hold __consumer_offsets; further ones may follow as words or behind commas."
            ),
            .value("group", of: "GROUP", help: "Only this group; may be repeated."),
            .flag("overwrite", help: "Also where the group has committed in this cluster already."),
            .flag("execute", help: "Commit the offsets. Without it nothing is changed."),
            .value("command-config", of: "FILE", help: "Properties for the client."),
            .helpFlag, .versionFlag,
        ])

    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(words, help, tool) { (line) throws(ToolFailure) in
            let given: [String] = line.all("groups") + line.rest
            let paths = given.flatMap { $0.split(separator: ",").map(String.init) }
            guard !paths.isEmpty, line.has("groups") else {
                throw ToolFailure.usage("--groups must name log directories of Apache Kafka", help)
            }
            let found = try read(paths, tool)
            let only = Set(line.all("group"))
            let places = found.commits.keys.filter { only.isEmpty || only.contains($0.group) }.sorted()
            let groups = Set(places.map(\.group)).sorted()
            tool.say("\(places.count) offsets of \(groups.count) groups in \(paths.joined(separator: ", "))")
            if found.passedOver > 0 { tool.warn("\(found.passedOver) records could not be read and were passed over") }
            guard !places.isEmpty else { return 0 }
            let session = try ToolRun.open(line, tool, clientID: "adminclient-1")
            do {
                let admin = GroupsAdmin(session: session)
                var refused = false
                for group in groups {
                    refused = try !bring(group, found, admin, line) || refused
                }
                if !line.has("execute") {
                    tool.say("\nNothing was changed. Again with --execute to commit these offsets.")
                }
                return refused ? 1 : 0
            } catch let error as ToolFailure {
                throw error
            } catch let error as ClusterError {
                throw ToolFailure(session.told(error, call: "listNodes"))
            } catch { throw ToolFailure("\(error)") }
        }
    }

    // MARK: Reading

    /// Of a partition that lies on several brokers the newest log is read.
    static func read(_ paths: [String], _ tool: any ToolWorld) throws(ToolFailure) -> StoredOffsets {
        let disk = tool.world.disk
        var best: [Int32: (stored: StoredPartition, end: StoredPartition.End)] = [:]
        var all = StoredOffsets()
        do throws(DiskError) {
            for path in paths {
                for stored in try StoredPartition.list(path, disk: disk).partitions
                where stored.partition.topic == "__consumer_offsets" {
                    let end = try stored.end(disk)
                    if let known = best[stored.partition.partition]?.end,
                        (known.epoch, known.next) >= (end.epoch, end.next)
                    {
                        continue
                    }
                    best[stored.partition.partition] = (stored, end)
                }
            }
            for (_, entry) in best.sorted(by: { $0.key < $1.key }) {
                var offsets = StoredOffsets()
                if let broken = try entry.stored.batches(disk, { offsets.read($1, magic: $0.magic) }) {
                    tool.warn("\(broken.path): no whole batch at byte \(broken.position); what lies behind is not read")
                }
                all.add(offsets)
            }
        } catch { throw ToolFailure("\(error)") }
        if best.isEmpty {
            throw ToolFailure("there is no partition of __consumer_offsets in \(paths.joined(separator: ", "))")
        }
        return all
    }

    // MARK: Writing

    /// - Returns: false when something of it was refused.
    private static func bring(
        _ group: String, _ found: StoredOffsets, _ admin: GroupsAdmin, _ line: CommandLine
    ) throws -> Bool {
        let tool = admin.session.tool
        let committed = try admin.committed(group)
        var topics: [String: Set<TopicPartition>] = [:]
        var rows: [ResetRow] = []
        tool.say("\ngroup \(group)")
        for (place, commit) in found.commits.filter({ $0.key.group == group }).sorted(by: { $0.key < $1.key }) {
            let partition = place.partition
            if topics[partition.topic] == nil {
                topics[partition.topic] = Set(try admin.partitions(of: partition.topic) ?? [])
            }
            let why: String
            if topics[partition.topic]?.contains(partition) != true {
                why = "left out: this cluster has no such partition"
            } else if let known = committed[partition], !line.has("overwrite") {
                why =
                    known == commit.offset
                    ? "is committed already" : "left out: \(known) is committed here; --overwrite"
            } else {
                why = ""
                rows.append(
                    ResetRow(
                        group: group, partition: partition, offset: commit.offset, leaderEpoch: commit.leaderEpoch.raw,
                        metadata: commit.metadata))
            }
            tool.say("  \(partition)  offset \(commit.offset)" + (why.isEmpty ? "" : "  \(why)"))
        }
        guard line.has("execute"), !rows.isEmpty else { return true }
        do {
            try admin.commit(group, rows)
            return true
        } catch let error as ToolFailure {
            tool.warn("group \(group): \(error.message)")
            return false
        }
    }
}
