import ClusterModel

/// The tables of the groups tool, as texts. Rule: Kafka's columns and widths; rows end where they should.
package enum GroupTables {
    /// A partition of a group, with whom it is assigned to.
    package struct OffsetRow: Equatable {
        package var partition: TopicPartition
        package var committed: Int64?
        package var end: Int64?
        package var consumerID = "-"
        package var host = "-"
        package var clientID = "-"
        package init(_ partition: TopicPartition, committed: Int64?, end: Int64?) {
            self.partition = partition
            self.committed = committed
            self.end = end
        }
        package var lag: Int64? {
            guard let committed, committed != -1, let end else { return nil }
            return end - committed
        }
    }

    package struct MemberRow: Equatable {
        package var consumerID: String
        package var instanceID: String?
        package var host: String
        package var clientID: String
        package var assignment: [TopicPartition]
        package init(
            consumerID: String, instanceID: String?, host: String, clientID: String, assignment: [TopicPartition]
        ) {
            self.consumerID = consumerID
            self.instanceID = instanceID
            self.host = host
            self.clientID = clientID
            self.assignment = assignment
        }

        /// `(0,1), (3)`: one pair of brackets a topic.
        var assignmentWords: String {
            var byTopic: [String: [Int32]] = [:]
            for place in assignment { byTopic[place.topic, default: []].append(place.partition) }
            let words = byTopic.sorted { $0.key < $1.key }.map { _, partitions in
                "(" + partitions.sorted().map { "\($0)" }.joined(separator: ",") + ")"
            }
            return words.isEmpty ? "-" : words.joined(separator: ", ")
        }
    }

    package static func list(_ groups: [(name: String, type: String, state: String)], type: Bool, state: Bool)
        -> [String]
    {
        let width = (groups.map { max(15, $0.name.count) }.max() ?? 15) + 10
        func line(_ name: String, _ typeWord: String, _ stateWord: String) -> String {
            var cells = [padded(name, width)]
            if type { cells.append(padded(typeWord, 20)) }
            if state { cells.append(padded(stateWord, 20)) }
            return cells.joined(separator: " ")
        }
        return [line("GROUP", "TYPE", "STATE")] + groups.map { line($0.name, $0.type, $0.state) }
    }

    package static func offsets(group: String, _ rows: [OffsetRow]) -> [String] {
        let groupWidth = max(15, group.count)
        let topicWidth = width(rows.map(\.partition.topic))
        let consumerWidth = width(rows.map(\.consumerID))
        let hostWidth = width(rows.map(\.host))
        func line(_ cells: [String]) -> String {
            let widths = [groupWidth, topicWidth, 10, 15, 15, 15, consumerWidth, hostWidth, 0]
            return zip(cells, widths).map { padded($0, $1) }.joined(separator: " ")
        }
        func word(_ number: Int64?) -> String { number.map { "\($0)" } ?? "-" }
        let head = line([
            "GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST",
            "CLIENT-ID",
        ])
        return ["", head]
            + rows.map { row in
                line([
                    group, row.partition.topic, "\(row.partition.partition)", word(row.committed), word(row.end),
                    word(row.lag), row.consumerID, row.host, row.clientID,
                ])
            }
    }

    package static func members(group: String, _ rows: [MemberRow], verbose: Bool) -> [String] {
        let named = rows.contains { $0.instanceID != nil }
        var widths = [max(15, group.count), width(rows.map(\.consumerID))]
        if named { widths.append(width(rows.map { $0.instanceID ?? "" }, least: 17)) }
        widths += [width(rows.map(\.host)), width(rows.map(\.clientID)), 15]
        func line(_ cells: [String], _ assignment: String) -> String {
            zip(cells, widths).map { padded($0, $1) + " " }.joined() + (verbose ? assignment : "")
        }
        let head =
            ["GROUP", "CONSUMER-ID"] + (named ? ["GROUP-INSTANCE-ID"] : []) + ["HOST", "CLIENT-ID", "#PARTITIONS"]
        return ["", line(head, "ASSIGNMENT")]
            + rows.map { row in
                line(
                    [group, row.consumerID] + (named ? [row.instanceID ?? ""] : [])
                        + [row.host, row.clientID, "\(row.assignment.count)"], row.assignmentWords)
            }
    }

    package static func state(
        group: String, coordinator: String, strategy: String, state: String, members: Int
    ) -> [String] {
        let first = max(25, coordinator.count)
        func line(_ cells: [String]) -> String {
            zip(cells, [first, 25, 20, 15, 0]).map { padded($0, $1) }.joined(separator: " ")
        }
        return [
            "", line(["GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"]),
            line([group, coordinator, strategy, state, "\(members)"]),
        ]
    }

    package static func newOffsets(_ rows: [ResetRow]) -> [String] {
        func line(_ cells: [String]) -> String {
            zip(cells, [30, 30, 10, 15]).map { padded($0, $1) }.joined(separator: " ")
        }
        return ["", line(["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"])]
            + rows.map { line([$0.group ?? "-", $0.partition.topic, "\($0.partition.partition)", "\($0.offset)"]) }
    }

    package static func deletions(_ rows: [(partition: TopicPartition, status: String)]) -> [String] {
        func line(_ cells: [String]) -> String {
            zip(cells, [30, 15, 15]).map { padded($0, $1) }.joined(separator: " ")
        }
        return ["", line(["TOPIC", "PARTITION", "STATUS"])]
            + rows.map { row in
                let number = row.partition.partition
                return line([row.partition.topic, number >= 0 ? "\(number)" : "Not Provided", row.status])
            }
    }

    private static func width(_ words: [String], least: Int = 15) -> Int { max(least, words.map(\.count).max() ?? 0) }

    private static func padded(_ word: String, _ width: Int) -> String {
        let missing = width - word.count
        return missing > 0 ? word + String(repeating: " ", count: missing) : word
    }
}
