import Bytes
import ClusterModel
import KafkaProtocol
import Platform

// Offsets of the catalog's groups: committed, fetched, deleted.
extension GroupCatalog {
    /// - Parameter known: what the cluster says of a topic; nil when there is none of that name.
    /// - Parameter unchecked: version 0 knew no membership and wrote whatever it was given (KIP-1).
    package mutating func offsetCommit(
        _ request: OffsetCommitRequest, unchecked: Bool = false, known: (String) -> TopicFact?, token: ReplyToken,
        at moment: Moment, into effects: inout GroupEffects
    ) {
        let id = request.groupID
        var commit = PendingCommit(lines: [], response: OffsetCommitResponse(), waiting: [], token: token)
        var tooLong: [(topic: Int, partition: Int)] = []
        // Who does not own the group may know no topics either, at its start: that is no reason for a consumer to give up.
        let isOurs = refusal(of: id, emptyNameAllowed: true) == nil
        for (topicPlace, topic) in request.topics.enumerated() {
            let fact = known(topic.name)
            var answered = OffsetCommitResponse.OffsetCommitResponseTopic()
            answered.name = topic.name
            for (partitionPlace, partition) in topic.partitions.enumerated() {
                var slot = OffsetCommitResponse.OffsetCommitResponsePartition()
                slot.partitionIndex = partition.partitionIndex
                if let fact, partition.partitionIndex >= 0, partition.partitionIndex < fact.partitionCount {
                    let metadata = partition.committedMetadata ?? ""
                    if metadata.utf16.count > settings.offsetMetadataMaxBytes {
                        tooLong.append((topicPlace, partitionPlace))
                    } else {
                        let expireMs =
                            request.retentionTimeMs < 0
                            ? -1 : moment.wallMs.addingReportingOverflow(request.retentionTimeMs).partialValue
                        commit.waiting.append((topicPlace, partitionPlace))
                        commit.lines.append(
                            OffsetLine(
                                topic: topic.name, topicID: fact.id.isZero ? nil : fact.id,
                                partition: partition.partitionIndex,
                                value: CommittedOffset(
                                    offset: partition.committedOffset, leaderEpoch: partition.committedLeaderEpoch,
                                    metadata: metadata, commitMs: moment.wallMs, expireMs: expireMs)))
                    }
                } else if isOurs {
                    slot.errorCode = .unknownTopicOrPartition
                } else {
                    commit.waiting.append((topicPlace, partitionPlace))
                }
                answered.partitions.append(slot)
            }
            commit.response.topics.append(answered)
        }
        guard !commit.waiting.isEmpty || !tooLong.isEmpty else {
            return effects.answer(token, .commit(commit.response))
        }
        if let error = commitRefusal(request, unchecked: unchecked, at: moment, into: &effects) {
            commit.waiting += tooLong
            return commit.refuse(with: error, into: &effects)
        }
        for place in tooLong {
            commit.response.topics[place.topic].partitions[place.partition].errorCode = .offsetMetadataTooLarge
        }
        guard !commit.lines.isEmpty else { return effects.answer(token, .commit(commit.response)) }
        if groups[id] == nil { create(id, at: moment) }
        let write = effects.write(id, .commit(commit.lines))
        _ = change(id) { $0.writes[write] = .commit(commit) }
    }

    private mutating func commitRefusal(
        _ request: OffsetCommitRequest, unchecked: Bool, at moment: Moment, into effects: inout GroupEffects
    ) -> ErrorCode? {
        if let error = refusal(of: request.groupID, emptyNameAllowed: true) { return error }
        guard groups[request.groupID] != nil else {
            return request.generationIDOrMemberEpoch < 0 ? nil : .illegalGeneration
        }
        if unchecked { return groups[request.groupID]?.state == .dead ? .coordinatorNotAvailable : nil }
        return change(request.groupID) {
            $0.commitRefusal(
                generation: request.generationIDOrMemberEpoch, request.memberID, request.groupInstanceID, at: moment,
                into: &effects)
        } ?? nil
    }

    package struct FetchedTopic: Equatable {
        package var name: String
        /// Nil where nothing is committed.
        package var partitions: [Partition]
        package struct Partition: Equatable {
            package var index: Int32
            package var committed: CommittedOffset?
            package init(index: Int32, committed: CommittedOffset?) {
                self.index = index
                self.committed = committed
            }
        }
        package init(name: String, partitions: [Partition]) {
            self.name = name
            self.partitions = partitions
        }
    }

    /// From memory alone: what it says, the tree has acknowledged.
    /// - Parameter asked: nil for everything the group has committed.
    package func offsetFetch(
        _ group: String, asked: [(name: String, partitions: [Int32])]?, topicID: (String) -> UUID128?
    ) -> Result<[FetchedTopic], GroupRefusal> {
        if let error = refusal(of: group, emptyNameAllowed: true) { return .failure(GroupRefusal(code: error)) }
        let table = groups[group]?.offsets ?? OffsetTable()
        if let asked {
            return .success(
                asked.map { name, partitions in
                    let current = topicID(name)
                    return FetchedTopic(
                        name: name,
                        partitions: partitions.map {
                            .init(index: $0, committed: table.committed(name, $0, currentID: current))
                        })
                })
        }
        return .success(
            table.all().compactMap { name, id, partitions in
                if let id, let current = topicID(name), current != id { return nil }
                return FetchedTopic(
                    name: name, partitions: partitions.map { .init(index: $0.partition, committed: $0.value) })
            })
    }

    package mutating func offsetDelete(
        _ request: OffsetDeleteRequest, known: (String) -> TopicFact?, token: ReplyToken, at moment: Moment,
        into effects: inout GroupEffects
    ) {
        let id = request.groupID
        var delete = OffsetDelete(response: OffsetDeleteResponse(), token: token)
        if let error = refusal(of: id, emptyNameAllowed: false) { return delete.refuse(with: error, into: &effects) }
        guard let group = groups[id], group.state != .dead else {
            return delete.refuse(with: .groupIDNotFound, into: &effects)
        }
        guard group.state == .empty || group.isConsumerGroup else {
            return delete.refuse(with: .nonEmptyGroup, into: &effects)
        }
        var removed: [TopicPartition] = []
        for topic in request.topics {
            let fact = known(topic.name)
            var answered = OffsetDeleteResponse.OffsetDeleteResponseTopic()
            answered.name = topic.name
            for partition in topic.partitions {
                var slot = OffsetDeleteResponse.OffsetDeleteResponsePartition()
                slot.partitionIndex = partition.partitionIndex
                if let fact, partition.partitionIndex >= 0, partition.partitionIndex < fact.partitionCount {
                    if group.state != .empty, group.subscribed?.contains(topic.name) ?? true {
                        slot.errorCode = .groupSubscribedToTopic
                    } else {
                        removed.append(TopicPartition(topic.name, partition.partitionIndex))
                    }
                } else {
                    slot.errorCode = .unknownTopicOrPartition
                }
                answered.partitions.append(slot)
            }
            delete.response.topics.append(answered)
        }
        guard !removed.isEmpty else { return effects.answer(token, .offsetDelete(delete.response)) }
        let write = effects.write(id, .removeOffsets(removed))
        _ = change(id) { $0.writes[write] = .removeOffsets(removed, delete) }
    }

    /// A topic is gone: what was committed for it goes too.
    /// - Parameter id: the id of the topic that is gone; offsets of a new one of that name stay. Nil takes all.
    package mutating func topicDeleted(_ name: String, id: UUID128?, into effects: inout GroupEffects) {
        for group in groups.keys.sorted() {
            guard let held = groups[group]?.offsets.topics[name] else { continue }
            if let id, let heldID = held.id, id != heldID { continue }
            _ = change(group) { $0.removeOffsets(of: name, into: &effects) }
        }
    }
}

/// Why the whole question was refused.
package struct GroupRefusal: Error, Equatable {
    package var code: ErrorCode
}

extension Group {
    /// May this member of this generation commit? A sign of life, if so.
    mutating func commitRefusal(
        generation: Int32, _ memberID: String, _ instanceID: String?, at moment: Moment,
        into effects: inout GroupEffects
    ) -> ErrorCode? {
        if state == .dead { return .coordinatorNotAvailable }
        if generation < 0, state == .empty { return nil }
        guard generation >= 0 || !memberID.isEmpty || instanceID != nil else { return .unknownMemberID }
        if let error = refusal(of: memberID, instanceID) { return error }
        if generation != self.generation { return .illegalGeneration }
        if state == .completingRebalance { return .rebalanceInProgress }
        restartSession(memberID, at: moment.now)
        settle(into: &effects)
        return nil
    }

    mutating func removeOffsets(of topic: String, into effects: inout GroupEffects) {
        let partitions = offsets.partitions(of: topic)
        guard !partitions.isEmpty else { return }
        writes[effects.write(id, .removeOffsets(partitions))] = .removeOffsets(partitions, nil)
    }
}
