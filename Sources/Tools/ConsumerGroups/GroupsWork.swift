import ClusterModel
import KafkaClient
import KafkaProtocol

/// The five actions of the groups tool.
struct GroupsWork {
    let tool: any ToolWorld
    let admin: GroupsAdmin
    let line: CommandLine

    private func say(_ lines: [String]) { tool.say(lines.joined(separator: "\n")) }
    private func sayError(_ words: String) { tool.say("\nError: \(words)") }

    private func groups() throws -> [String] {
        if line.has("all-groups") { return try admin.list(states: [], types: []).map(\.name) }
        var names: [String] = []
        for name in line.all("group") where !names.contains(name) { names.append(name) }
        return names.sorted()
    }

    // MARK: List

    static let states = [
        "PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling",
    ]
    static let types = ["Consumer", "Classic"]

    /// The words of a filter in the spelling that brokers know; empty for no filter.
    static func filter(_ text: String?, among known: [String], singular: String, plural: String)
        throws(CommandLineError)
        -> [String]
    {
        guard let text, !text.isEmpty else { return [] }
        var found: [String] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let plain = word.filter { $0 != " " && $0 != "_" }.lowercased()
            guard let name = known.first(where: { $0.lowercased() == plain }) else {
                throw CommandLineError(
                    "Invalid \(singular) list '\(text)'. Valid \(plural) are: \(known.joined(separator: ", "))")
            }
            found.append(name)
        }
        return found
    }

    func list() throws {
        let states = try GroupsWork.filter(
            line.value("state"), among: GroupsWork.states, singular: "state", plural: "states")
        let types = try GroupsWork.filter(
            line.value("type"), among: GroupsWork.types, singular: "types", plural: "types")
        let found = try admin.list(states: states, types: types)
        if line.has("state") || line.has("type") {
            say(
                GroupTables.list(
                    found.map { (name: $0.name, type: $0.type, state: $0.state) }, type: line.has("type"),
                    state: line.has("state")))
        } else if !found.isEmpty {
            say(found.map(\.name))
        }
    }

    // MARK: Describe

    func describe() throws {
        for name in try groups() {
            let description = try admin.describe(name)
            if line.has("state") {
                try describeState(name, description)
            } else if line.has("members") {
                describeMembers(name, description)
            } else {
                try describeOffsets(name, description)
            }
        }
    }

    /// Says what is to be said about the group's state. False when there is nothing more to show.
    private func introduce(_ name: String, _ state: String) -> Bool {
        switch state {
        case "Dead":
            sayError("Consumer group '\(name)' does not exist.")
            return false
        case "Empty": tool.warn("\nConsumer group '\(name)' has no active members.")
        case "Stable": break
        default: tool.warn("\nWarning: Consumer group '\(name)' is rebalancing.")
        }
        return true
    }

    private func describeOffsets(_ name: String, _ description: GroupsAdmin.Description) throws {
        let group = description.group
        var committed: [TopicPartition: Int64] = [:]
        if group.groupState != "Dead" { committed = try admin.committed(name) }
        let members = group.members.map { (member: $0, places: GroupsAdmin.Description.assignment(of: $0).sorted()) }
            .sorted {
                $0.places.count == $1.places.count
                    ? $0.member.memberID < $1.member.memberID : $0.places.count > $1.places.count
            }
        let assigned = Set(members.flatMap(\.places))
        let ends = try admin.offsets(of: Array(assigned.union(committed.keys)), at: -1)
        var rows: [GroupTables.OffsetRow] = []
        for (member, places) in members {
            for place in places {
                var row = GroupTables.OffsetRow(place, committed: committed[place], end: ends[place])
                row.consumerID = member.memberID
                row.host = member.clientHost
                row.clientID = member.clientID
                rows.append(row)
            }
        }
        for place in committed.keys.sorted() where !assigned.contains(place) {
            rows.append(GroupTables.OffsetRow(place, committed: committed[place], end: ends[place]))
        }
        guard introduce(name, group.groupState), !rows.isEmpty else { return }
        say(GroupTables.offsets(group: name, rows))
    }

    private func describeMembers(_ name: String, _ description: GroupsAdmin.Description) {
        guard introduce(name, description.group.groupState) else { return }
        let rows = description.group.members.map { member in
            GroupTables.MemberRow(
                consumerID: member.memberID, instanceID: member.groupInstanceID, host: member.clientHost,
                clientID: member.clientID, assignment: GroupsAdmin.Description.assignment(of: member))
        }
        say(
            GroupTables.members(
                group: name, rows.sorted { $0.consumerID < $1.consumerID }, verbose: line.has("verbose")))
    }

    private func describeState(_ name: String, _ description: GroupsAdmin.Description) throws {
        let group = description.group
        guard introduce(name, group.groupState) else { return }
        say(
            GroupTables.state(
                group: name, coordinator: description.coordinator, strategy: group.protocolData,
                state: group.groupState,
                members: group.members.count))
    }

    // MARK: Delete

    func delete() throws {
        var deleted: [String] = []
        var failed: [(String, String)] = []
        for name in try groups() {
            do {
                let error = try admin.delete(name)
                if error == .none { deleted.append(name) } else { failed.append((name, GroupsAdmin.words(error))) }
            } catch let error as ToolFailure {
                failed.append((name, error.message))
            }
        }
        let names = deleted.map { "'\($0)'" }.joined(separator: ", ")
        if failed.isEmpty {
            tool.say("Deletion of requested consumer groups (\(names)) was successful.")
            return
        }
        sayError("Deletion of some consumer groups failed:")
        for (name, words) in failed { tool.say("* Group '\(name)' could not be deleted due to: \(words)") }
        if !deleted.isEmpty { tool.say("\nThese consumer groups were deleted successfully: \(names)") }
    }

    func deleteOffsets() throws {
        let name = try line.value("group") ?? ""
        let topics = line.all("topic")
        var results: [TopicPartition: ErrorCode] = [:]
        var places: [TopicPartition] = []
        for topic in topics {
            if topic.contains(":") {
                places += try GroupsWork.partitions(topic)
            } else if let found = try admin.partitions(of: topic) {
                places += found
            } else {
                results[TopicPartition(topic, -1)] = .unknownTopicOrPartition
            }
        }
        var (error, answers) = try admin.deleteOffsets(name, places)
        if error == .none {
            error =
                answers.sorted { $0.key < $1.key }.map(\.value).first { $0 != .none } ?? results.values.first ?? .none
        } else {
            for place in places { answers[place] = error }
        }
        results.merge(answers) { _, new in new }
        switch error {
        case .none:
            tool.say("Request succeed for deleting offsets with topic \(topics.joined(separator: ", ")) group \(name)")
        case .invalidGroupID: sayError("'\(name)' is not valid.")
        case .groupIDNotFound: sayError("'\(name)' does not exist.")
        case .groupAuthorizationFailed: sayError("Access to '\(name)' is not authorized.")
        case .nonEmptyGroup:
            sayError("Deleting offsets of a consumer group '\(name)' is forbidden if the group is not empty.")
        case .groupSubscribedToTopic, .topicAuthorizationFailed, .unknownTopicOrPartition:
            sayError("Encounter some partition level error, see the follow-up details:")
        default: sayError("Encounter some unknown error: \(error)")
        }
        say(
            GroupTables.deletions(
                results.sorted { $0.key < $1.key }.map { place, error in
                    (partition: place, status: error == .none ? "Successful" : "Error: :\(GroupsAdmin.words(error))")
                }))
    }

    // MARK: Reset

    /// `topic:0,1`.
    package static func partitions(_ text: String) throws(CommandLineError) -> [TopicPartition] {
        let parts = text.split(separator: ":")
        guard parts.count == 2 else {
            throw CommandLineError("Invalid topic arg '\(text)', expected topic name and partitions")
        }
        var places: [TopicPartition] = []
        for word in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
            guard let number = Int32(word), number >= 0 else {
                throw CommandLineError("Invalid partition '\(word)' specified in topic arg '\(text)''")
            }
            places.append(TopicPartition(String(parts[0]), number))
        }
        return places
    }

    private func mode() throws -> ResetMode {
        if line.has("to-earliest") { return .toEarliest }
        if line.has("to-latest") { return .toLatest }
        if line.has("to-current") { return .toCurrent }
        if let offset = try line.integer("to-offset") { return .toOffset(Int64(offset)) }
        if let distance = try line.integer("shift-by") { return .shiftBy(Int64(distance)) }
        if let text = try line.value("to-datetime") {
            guard let time = TimeWords.dateTime(text) else {
                throw ToolFailure("Unparseable date: \"\(text)\"; it is written YYYY-MM-DDThh:mm:ss.sss")
            }
            return .toTime(time)
        }
        if let text = try line.value("by-duration") {
            guard let duration = TimeWords.duration(text) else {
                throw ToolFailure(
                    "Text cannot be parsed to a Duration: \(text); it is written PnDTnHnMnS, such as PT30M")
            }
            return .toTime(tool.world.clock.wallMs - duration)
        }
        let path = try line.value("from-file") ?? ""
        switch tool.readFile(path) {
        case .failure(let error): throw ToolFailure("\(error)")
        case .success(let bytes):
            let text = String(decoding: bytes, as: UTF8.self)
            return .fromFile(try ResetFile.parse(text, singleGroup: line.all("group").count == 1))
        }
    }

    func resetOffsets() throws {
        let mode = try mode()
        var planned: [ResetRow] = []
        let names = try groups()
        for name in names {
            let state = try admin.describe(name).group.groupState
            guard state == "Empty" || state == "Dead" else {
                sayError(
                    "Assignments can only be reset if the group '\(name)' is inactive, but the current state is \(state)."
                )
                continue
            }
            let plan = try plan(mode, name)
            for words in plan.warnings { tool.warn(words) }
            for words in plan.remarks { tool.say(words) }
            if line.has("execute") { try admin.commit(name, plan.offsets) }
            planned += plan.offsets
        }
        if line.has("export") {
            tool.say(ResetFile.text(planned, withGroup: line.all("group").count != 1))
        } else if !names.isEmpty {
            say(GroupTables.newOffsets(planned))
        }
    }

    private func plan(_ mode: ResetMode, _ name: String) throws -> ResetPlan {
        var facts = ResetFacts()
        var places: [TopicPartition] = []
        let needsCommitted: Bool
        switch mode {
        case .toCurrent, .shiftBy: needsCommitted = true
        default: needsCommitted = line.has("all-topics")
        }
        if needsCommitted { facts.committed = try admin.committed(name) }
        if case .fromFile(let rows) = mode {
            places = rows.filter { $0.group == nil || $0.group == name }.map(\.partition)
        } else if line.has("all-topics") {
            places = facts.committed.keys.sorted()
        } else {
            for topic in line.all("topic") {
                if topic.contains(":") {
                    places += try GroupsWork.partitions(topic)
                } else if let found = try admin.partitions(of: topic) {
                    places += found
                } else {
                    throw ToolFailure(GroupsAdmin.words(.unknownTopicOrPartition) + " (\(topic))")
                }
            }
            places = Set(places).sorted()
        }
        switch mode {
        case .toEarliest: facts.starts = try admin.offsets(of: places, at: -2)
        case .toLatest, .toCurrent: facts.ends = try admin.offsets(of: places, at: -1)
        case .toTime(let time):
            facts.atTime = try admin.offsets(of: places, at: max(0, time))
            facts.ends = try admin.offsets(of: places, at: -1)
        case .toOffset, .shiftBy, .fromFile:
            facts.starts = try admin.offsets(of: places, at: -2)
            facts.ends = try admin.offsets(of: places, at: -1)
        }
        return try ResetPlan.make(mode, group: name, partitions: places, facts: facts)
    }
}
