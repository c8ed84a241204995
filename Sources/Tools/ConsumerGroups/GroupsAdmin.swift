import Bytes
import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// What the groups tool asks of a cluster; every call returns with the answer.
struct GroupsAdmin {
    let session: ClusterSession

    struct Listing: Equatable {
        var name: String
        var state: String
        var type: String
    }

    struct Description {
        var group: DescribeGroupsResponse.DescribedGroup
        /// `127.0.0.1:9092  (0)`.
        var coordinator: String

        /// A member's partitions, from the bytes its leader assigned to it.
        static func assignment(of member: DescribeGroupsResponse.DescribedGroupMember) -> [TopicPartition] {
            member.memberAssignment.withUnsafeBytes { raw in
                var reader = WireReader(raw)
                var assignment = ConsumerProtocolAssignment()
                do throws(WireError) {
                    reader.version = min(3, max(0, try reader.int16()))
                    try assignment.read(from: &reader)
                } catch { return [] }
                return assignment.assignedPartitions.flatMap { topic in
                    topic.partitions.map { TopicPartition(topic.topic, $0) }
                }
            }
        }
    }

    // MARK: Groups

    /// Every consumer group, sorted.
    func list(states: [String], types: [String]) throws -> [Listing] {
        _ = try session.metadata(of: [])
        var found: [String: Listing] = [:]
        for broker in session.link.brokers.keys.sorted() {
            var request = ListGroupsRequest()
            request.statesFilter = states
            request.typesFilter = types
            let response = try session.ask(.broker(broker), request) { $0.errorCode.isRetriable ? $0.errorCode : nil }
            if response.errorCode != .none { throw refusal(response.errorCode) }
            for group in response.groups where group.protocolType == "consumer" || group.protocolType.isEmpty {
                let type = group.groupType.isEmpty ? "Classic" : group.groupType
                found[group.groupID] = Listing(
                    name: group.groupID, state: group.groupState.isEmpty ? "Unknown" : group.groupState,
                    type: type.prefix(1).uppercased() + type.dropFirst().lowercased())
            }
        }
        return found.values.sorted { $0.name < $1.name }
    }

    func describe(_ name: String) throws -> Description {
        var request = DescribeGroupsRequest()
        request.groups = [name]
        let (response, coordinator) = try atCoordinator(of: name, request) { $0.groups.first?.errorCode ?? .none }
        guard let group = response.groups.first else { throw refusal(.unknownServerError) }
        if group.errorCode == .groupIDNotFound {
            var missing = group
            missing.groupState = "Dead"
            return Description(group: missing, coordinator: coordinator)
        }
        if group.errorCode != .none { throw refusal(group.errorCode) }
        return Description(group: group, coordinator: coordinator)
    }

    func delete(_ name: String) throws -> ErrorCode {
        var request = DeleteGroupsRequest()
        request.groupsNames = [name]
        let (response, _) = try atCoordinator(of: name, request) { $0.results.first?.errorCode ?? .none }
        return response.results.first?.errorCode ?? .unknownServerError
    }

    // MARK: Committed offsets

    func committed(_ name: String) throws -> [TopicPartition: Int64] {
        var request = OffsetFetchRequest()
        request.groupID = name
        request.topics = nil
        // Version 8 asks for several groups in another place.
        let (response, _) = try atCoordinator(of: name, request, atMost: 7) { $0.errorCode }
        if response.errorCode != .none { throw refusal(response.errorCode) }
        var offsets: [TopicPartition: Int64] = [:]
        for topic in response.topics {
            for partition in topic.partitions where partition.errorCode == .none && partition.committedOffset >= 0 {
                offsets[TopicPartition(topic.name, partition.partitionIndex)] = partition.committedOffset
            }
        }
        return offsets
    }

    func commit(_ name: String, _ rows: [ResetRow]) throws {
        guard !rows.isEmpty else { return }
        var request = OffsetCommitRequest()
        request.groupID = name
        for row in rows {
            if request.topics.last?.name != row.partition.topic {
                request.topics.append(.with { $0.name = row.partition.topic })
            }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partitionIndex = row.partition.partition
                    $0.committedOffset = row.offset
                    $0.committedLeaderEpoch = row.leaderEpoch
                    $0.committedMetadata = row.metadata
                })
        }
        func refused(_ response: OffsetCommitResponse) -> (TopicPartition, ErrorCode)? {
            for topic in response.topics {
                for partition in topic.partitions where partition.errorCode != .none {
                    return (TopicPartition(topic.name, partition.partitionIndex), partition.errorCode)
                }
            }
            return nil
        }
        let (response, _) = try atCoordinator(of: name, request) { refused($0)?.1 ?? .none }
        if let (place, error) = refused(response) {
            throw ToolFailure("Failed altering group offsets for partition \(place): \(GroupsAdmin.words(error))")
        }
    }

    func deleteOffsets(_ name: String, _ places: [TopicPartition]) throws -> (ErrorCode, [TopicPartition: ErrorCode]) {
        var request = OffsetDeleteRequest()
        request.groupID = name
        for place in places.sorted() {
            if request.topics.last?.name != place.topic { request.topics.append(.with { $0.name = place.topic }) }
            request.topics[request.topics.count - 1].partitions.append(.with { $0.partitionIndex = place.partition })
        }
        let (response, _) = try atCoordinator(of: name, request) { $0.errorCode }
        var results: [TopicPartition: ErrorCode] = [:]
        for topic in response.topics {
            for partition in topic.partitions {
                results[TopicPartition(topic.name, partition.partitionIndex)] = partition.errorCode
            }
        }
        return (response.errorCode, results)
    }

    /// Finds the group's coordinator and asks it, again when it has moved or is not ready yet.
    private func atCoordinator<R: RequestMessage>(
        of group: String, _ request: R, atMost limit: Int16 = .max, error: (R.Response) -> ErrorCode
    ) throws -> (R.Response, String) {
        let deadline = session.deadline
        while true {
            var find = FindCoordinatorRequest()
            find.key = group
            let found = try session.ask(.anyBroker, find, atMost: 3) { $0.errorCode.isRetriable ? $0.errorCode : nil }
            if found.errorCode != .none { throw refusal(found.errorCode) }
            let response = try session.ask(.broker(found.nodeID), request, atMost: limit)
            switch error(response) {
            case .notCoordinator, .coordinatorNotAvailable, .coordinatorLoadInProgress:
                guard session.tool.world.clock.now < deadline else { throw refusal(error(response)) }
                session.tool.run(until: { false }, atMost: .milliseconds(100))
            default: return (response, "\(found.host):\(found.port)  (\(found.nodeID))")
            }
        }
    }

    // MARK: Logs

    /// The partitions of topics; nil for a topic that does not exist.
    func partitions(of topic: String) throws -> [TopicPartition]? {
        let answer = try session.metadata(of: [topic]).topics.first { $0.name == topic }
        guard let answer, answer.errorCode == .none || !answer.partitions.isEmpty else { return nil }
        return answer.partitions.map { TopicPartition(topic, $0.partitionIndex) }.sorted()
    }

    /// The offset of each partition at a time (-1: its end, -2: its start); those that cannot be known are left out.
    func offsets(of places: [TopicPartition], at time: Int64) throws -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        var waiting = places.sorted()
        let deadline = session.deadline
        while !waiting.isEmpty {
            _ = try session.metadata(of: Set(waiting.map(\.topic)).sorted())
            var byLeader: [Int32: ListOffsetsRequest] = [:]
            var again: [TopicPartition] = []
            for place in waiting {
                guard let partitions = session.link.leaders[place.topic], partitions[place.partition] != nil else {
                    continue
                }
                guard let leader = session.link.leader(of: place.topic, place.partition) else {
                    again.append(place)
                    continue
                }
                var request = byLeader[leader] ?? .with { $0.replicaID = -1 }
                if request.topics.last?.name != place.topic { request.topics.append(.with { $0.name = place.topic }) }
                request.topics[request.topics.count - 1].partitions.append(
                    .with {
                        $0.partitionIndex = place.partition
                        $0.timestamp = time
                    })
                byLeader[leader] = request
            }
            for (leader, request) in byLeader.sorted(by: { $0.key < $1.key }) {
                for topic in try session.ask(.broker(leader), request).topics {
                    for partition in topic.partitions {
                        let place = TopicPartition(topic.name, partition.partitionIndex)
                        if partition.errorCode == .none {
                            offsets[place] = partition.oldStyleOffsets.first ?? partition.offset
                        } else if partition.errorCode.isRetriable {
                            again.append(place)
                        }
                    }
                }
            }
            waiting = again
            guard !waiting.isEmpty, session.tool.world.clock.now < deadline else { break }
            session.tool.run(until: { false }, atMost: .milliseconds(100))
        }
        return offsets
    }

    // MARK: Words

    private func refusal(_ error: ErrorCode) -> ToolFailure { ToolFailure(GroupsAdmin.words(error)) }

    /// `GroupIdNotFound: The group id does not exist.`
    static func words(_ error: ErrorCode) -> String {
        switch error {
        case .groupIDNotFound: "GroupIdNotFound: The group id does not exist."
        case .nonEmptyGroup: "GroupNotEmpty: The group is not empty."
        case .groupSubscribedToTopic: "GroupSubscribedToTopic: The group is subscribed to the topic."
        case .invalidGroupID: "InvalidGroupId: The group id is invalid."
        case .unknownTopicOrPartition: "UnknownTopicOrPartition: This server does not host this topic-partition."
        case .unknownMemberID: "UnknownMemberId: The group has active members."
        case .coordinatorNotAvailable: "CoordinatorNotAvailable: The coordinator is not available."
        case .coordinatorLoadInProgress:
            "CoordinatorLoadInProgress: The coordinator is loading and hence can't process requests."
        case .notCoordinator: "NotCoordinator: This is not the correct coordinator."
        default: "\(error)"
        }
    }
}
