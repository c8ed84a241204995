import ClusterModel

/// Where a group's offsets are to be moved.
package enum ResetMode: Equatable {
    case toEarliest
    case toLatest
    case toCurrent
    case toOffset(Int64)
    case shiftBy(Int64)
    /// The first record at or after this time, milliseconds since 1970.
    case toTime(Int64)
    case fromFile([ResetRow])
}

/// One line of an exported plan.
package struct ResetRow: Equatable {
    /// nil: of the one group asked for.
    package var group: String?
    package var partition: TopicPartition
    package var offset: Int64
    /// -1: not known.
    package var leaderEpoch: Int32
    package var metadata: String
    package init(
        group: String?, partition: TopicPartition, offset: Int64, leaderEpoch: Int32 = -1, metadata: String = ""
    ) {
        self.group = group
        self.partition = partition
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
    }
}

/// What the cluster says about the partitions of a plan.
package struct ResetFacts: Equatable {
    package var committed: [TopicPartition: Int64] = [:]
    package var starts: [TopicPartition: Int64] = [:]
    package var ends: [TopicPartition: Int64] = [:]
    /// Missing, or -1, where nothing is as young.
    package var atTime: [TopicPartition: Int64] = [:]
    package init() {}
}

/// The offsets that a group will have, and what is to be said about them.
package struct ResetPlan: Equatable {
    package var offsets: [ResetRow] = []
    /// For stdout, ahead of the table.
    package var remarks: [String] = []
    /// For stderr.
    package var warnings: [String] = []
    package init() {}

    /// Rule: Kafka's tool; offsets that the log does not have are moved to its nearer end.
    package static func make(
        _ mode: ResetMode, group: String, partitions: [TopicPartition], facts: ResetFacts
    ) throws(ToolFailure) -> ResetPlan {
        var plan = ResetPlan()
        func known(_ offset: Int64?, _ place: TopicPartition, _ what: String) throws(ToolFailure) -> Int64 {
            guard let offset else {
                throw ToolFailure("Error getting \(what) offset of topic partition: \(place)")
            }
            return offset
        }
        switch mode {
        case .toEarliest:
            for place in partitions { plan.add(place, try known(facts.starts[place], place, "starting")) }
        case .toLatest:
            for place in partitions { plan.add(place, try known(facts.ends[place], place, "ending")) }
        case .toCurrent:
            for place in partitions {
                plan.add(place, try known(facts.committed[place] ?? facts.ends[place], place, "ending"))
            }
        case .toTime:
            for place in partitions {
                if let offset = facts.atTime[place], offset >= 0 {
                    plan.add(place, offset)
                    continue
                }
                plan.remarks.append(
                    "\nWarn: Partition \(place.partition) from topic \(place.topic) is empty. Falling back to latest known "
                        + "offset.")
                plan.add(place, try known(facts.ends[place], place, "ending"))
            }
        case .toOffset(let offset):
            for place in partitions { try plan.addWithinLog(place, offset, facts) }
        case .shiftBy(let distance):
            for place in partitions {
                guard let committed = facts.committed[place] else {
                    throw ToolFailure(
                        "Cannot shift offset for partition \(place) since there is no current committed offset")
                }
                let (shifted, overflow) = committed.addingReportingOverflow(distance)
                try plan.addWithinLog(place, overflow ? (distance < 0 ? 0 : .max) : shifted, facts)
            }
        case .fromFile(let rows):
            let own = rows.filter { $0.group == nil || $0.group == group }
            if own.isEmpty { plan.remarks.append("\nError: No reset plan for group \(group) found") }
            for row in own { try plan.addWithinLog(row.partition, row.offset, facts) }
        }
        for index in plan.offsets.indices { plan.offsets[index].group = group }
        plan.offsets.sort { $0.partition < $1.partition }
        return plan
    }

    private mutating func add(_ place: TopicPartition, _ offset: Int64) {
        offsets.append(ResetRow(group: nil, partition: place, offset: offset))
    }

    private mutating func addWithinLog(_ place: TopicPartition, _ offset: Int64, _ facts: ResetFacts)
        throws(ToolFailure)
    {
        guard let end = facts.ends[place], let start = facts.starts[place] else {
            throw ToolFailure("Error getting ending offset of topic partition: \(place)")
        }
        if offset > end {
            warnings.append(
                "WARN New offset (\(offset)) is higher than latest offset for topic partition \(place). Value will be set to "
                    + "\(end)")
            add(place, end)
        } else if offset < start {
            warnings.append(
                "WARN New offset (\(offset)) is lower than earliest offset for topic partition \(place). Value will be set to "
                    + "\(start)")
            add(place, start)
        } else {
            add(place, offset)
        }
    }
}

/// Plans as `--export` writes them and `--from-file` reads them: `topic,partition,offset`, with the group in front when there
/// are several.
package enum ResetFile {
    package static func text(_ rows: [ResetRow], withGroup: Bool) -> String {
        rows.map { row in
            var fields = [row.partition.topic, "\(row.partition.partition)", "\(row.offset)"]
            if withGroup { fields.insert(row.group ?? "", at: 0) }
            return fields.map(quoted).joined(separator: ",") + "\n"
        }.joined()
    }

    package static func parse(_ text: String, singleGroup: Bool) throws(ToolFailure) -> [ResetRow] {
        var rows: [ResetRow] = []
        for line in text.split(whereSeparator: \.isNewline) where !line.allSatisfy({ $0 == " " }) {
            var fields = split(line)
            let wrong = ToolFailure(
                "\(line) is not a line of a reset plan; it is written topic,partition,offset or group,topic,partition,offset"
            )
            guard fields.count == 4 || (fields.count == 3 && singleGroup) else { throw wrong }
            let group = fields.count == 4 ? fields.removeFirst() : nil
            guard let partition = Int32(fields[1]), partition >= 0, let offset = Int64(fields[2]) else { throw wrong }
            rows.append(ResetRow(group: group, partition: TopicPartition(fields[0], partition), offset: offset))
        }
        return rows
    }

    private static func quoted(_ field: String) -> String {
        guard field.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return field }
        return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private static func split(_ line: Substring) -> [String] {
        var fields: [String] = []
        var field = ""
        var isQuoted = false
        var rest = line[...]
        while let next = rest.popFirst() {
            switch next {
            case "\"" where isQuoted && rest.first == "\"":
                rest.removeFirst()
                field.append("\"")
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                fields.append(field)
                field = ""
            default: field.append(next)
            }
        }
        fields.append(field)
        return fields.map { String($0.drop { $0 == " " }) }
    }
}
