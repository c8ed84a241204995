import Bytes
import ClusterModel
import KafkaProtocol
import Platform

@testable import ConsumerGroups

/// Plays the driver: keeps the clock, the answers, the timers and the writes that wait for the tree.
final class Stage {
    var catalog: GroupCatalog
    var effects = GroupEffects()
    var now = Instant.start
    var wallMs: Int64 { 1_000_000 + now.nanoseconds / 1_000_000 }
    var answers: [ReplyToken: GroupAnswer] = [:]
    var wakes: [String: Instant] = [:]
    var writes: [GroupWrite] = []
    /// Whether the tree acknowledges at once.
    var treeAnswers = true
    var topics: [String: TopicFact] = ["t": TopicFact(id: UUID128(high: 1, low: 1), partitionCount: 4)]
    private var lastToken: UInt64 = 0
    private var lastID = 0

    init(_ change: (inout GroupSettings) -> Void = { _ in }) {
        var settings = GroupSettings()
        change(&settings)
        catalog = GroupCatalog(settings: settings)
        for bucket in 0..<GroupOwnership.bucketCount {
            catalog.bucketLoading(bucket)
            catalog.bucketLoaded(bucket, [], topicID: { _ in nil }, at: moment, into: &effects)
        }
        perform()
    }

    var moment: Moment { Moment(now: now, wallMs: wallMs) }
    func group(_ id: String = "g") -> Group? { catalog.groups[id] }
    func state(_ id: String = "g") -> GroupState? { catalog.groups[id]?.state }

    func token() -> ReplyToken {
        lastToken += 1
        return ReplyToken(raw: lastToken)
    }

    func perform() {
        var acknowledged: [GroupWrite] = []
        for effect in effects.take() {
            switch effect {
            case .answer(let token, let answer):
                precondition(self.answers[token] == nil, "answered twice")
                answers[token] = answer
            case .wake(let group, let at): wakes[group] = at
            case .forget(let group): wakes[group] = nil
            case .write(let write): if treeAnswers { acknowledged.append(write) } else { writes.append(write) }
            }
        }
        for write in acknowledged { end(write, .written) }
    }

    func end(_ write: GroupWrite, _ outcome: WriteOutcome) {
        catalog.writeEnded(write.id, of: write.group, outcome, at: moment, into: &effects)
        perform()
    }

    /// Ends all writes that wait.
    func treeSays(_ outcome: WriteOutcome) {
        let waiting = writes
        writes = []
        for write in waiting { end(write, outcome) }
    }

    func pass(_ duration: Duration) {
        let end = now + duration
        while let due = wakes.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }), due.value <= end {
            wakes[due.key] = nil
            if due.value > now { now = due.value }
            catalog.timeReached(due.key, at: moment, into: &effects)
            perform()
        }
        now = end
    }

    // MARK: requests

    static func request(
        _ member: String = "", instance: String? = nil, group: String = "g", session: Int32 = 10_000,
        rebalance: Int32 = 30_000, type: String = "consumer", _ protocols: [(String, [UInt8])] = [("range", [1])]
    ) -> JoinGroupRequest {
        var request = JoinGroupRequest()
        request.groupID = group
        request.memberID = member
        request.groupInstanceID = instance
        request.sessionTimeoutMs = session
        request.rebalanceTimeoutMs = rebalance
        request.protocolType = type
        request.protocols = protocols.map { name, metadata in
            var offered = JoinGroupRequest.JoinGroupRequestProtocol()
            offered.name = name
            offered.metadata = metadata
            return offered
        }
        return request
    }

    func join(_ request: JoinGroupRequest, version: Int16 = 9) -> ReplyToken {
        let token = token()
        lastID += 1
        catalog.join(
            request, version: version, from: ClientIdentity(clientID: "c", host: "/1.2.3.4"), newID: "id\(lastID)",
            token: token, at: moment, into: &effects)
        perform()
        return token
    }

    func joined(_ token: ReplyToken) -> JoinGroupResponse? {
        if case .join(let response)? = answers[token] { return response }
        return nil
    }
    func synced(_ token: ReplyToken) -> SyncGroupResponse? {
        if case .sync(let response)? = answers[token] { return response }
        return nil
    }

    /// Joins at once, without an id first (version 3).
    func joinOld(_ request: JoinGroupRequest = Stage.request()) -> ReplyToken { join(request, version: 3) }

    func sync(
        _ member: String, generation: Int32? = nil, instance: String? = nil, group: String = "g",
        type: String? = "consumer", name: String? = "range", version: Int16 = 5, _ assignments: [(String, [UInt8])] = []
    ) -> ReplyToken {
        var request = SyncGroupRequest()
        request.groupID = group
        request.memberID = member
        request.generationID = generation ?? catalog.groups[group]?.generation ?? 0
        request.groupInstanceID = instance
        request.protocolType = type
        request.protocolName = name
        request.assignments = assignments.map { id, bytes in
            var given = SyncGroupRequest.SyncGroupRequestAssignment()
            given.memberID = id
            given.assignment = bytes
            return given
        }
        let token = token()
        catalog.sync(request, version: version, token: token, at: moment, into: &effects)
        perform()
        return token
    }

    func heartbeat(
        _ member: String, generation: Int32? = nil, instance: String? = nil, group: String = "g"
    ) -> ErrorCode {
        var request = HeartbeatRequest()
        request.groupID = group
        request.memberID = member
        request.generationID = generation ?? catalog.groups[group]?.generation ?? 0
        request.groupInstanceID = instance
        defer { perform() }
        return catalog.heartbeat(request, at: moment, into: &effects)
    }

    func leave(_ members: [(String, String?)], version: Int16 = 5, group: String = "g") -> LeaveGroupResponse {
        var request = LeaveGroupRequest()
        request.groupID = group
        request.memberID = members.first?.0 ?? ""
        request.members = members.map { id, instance in
            var identity = LeaveGroupRequest.MemberIdentity()
            identity.memberID = id
            identity.groupInstanceID = instance
            return identity
        }
        defer { perform() }
        return catalog.leave(request, version: version, at: moment, into: &effects)
    }

    /// A stable group of dynamic members, one for each name, all offering the same.
    func stableGroup(_ count: Int, protocols: [(String, [UInt8])] = [("range", [1])]) -> [String] {
        var tokens: [ReplyToken] = []
        for _ in 0..<count { tokens.append(joinOld(Stage.request("", protocols))) }
        pass(catalog.settings.initialRebalanceDelay * 3)
        let members = tokens.compactMap { joined($0)?.memberID }
        for (place, member) in members.enumerated().reversed() {
            _ = sync(
                member, name: protocols[0].0,
                place == 0 ? members.enumerated().map { ($1, [UInt8($0)]) } : [])
        }
        return members
    }

    func commit(
        _ offset: Int64, _ member: String = "", generation: Int32 = -1, instance: String? = nil, topic: String = "t",
        partition: Int32 = 0, epoch: Int32 = -1, metadata: String? = nil, retentionMs: Int64 = -1, group: String = "g"
    ) -> ReplyToken {
        var request = OffsetCommitRequest()
        request.groupID = group
        request.generationIDOrMemberEpoch = generation
        request.memberID = member
        request.groupInstanceID = instance
        request.retentionTimeMs = retentionMs
        var named = OffsetCommitRequest.OffsetCommitRequestTopic()
        named.name = topic
        var slot = OffsetCommitRequest.OffsetCommitRequestPartition()
        slot.partitionIndex = partition
        slot.committedOffset = offset
        slot.committedLeaderEpoch = epoch
        slot.committedMetadata = metadata
        named.partitions = [slot]
        request.topics = [named]
        let token = token()
        let topics = topics
        catalog.offsetCommit(request, known: { topics[$0] }, token: token, at: moment, into: &effects)
        perform()
        return token
    }

    func commitError(_ token: ReplyToken) -> ErrorCode? {
        if case .commit(let response)? = answers[token] {
            return response.topics.first?.partitions.first?.errorCode
        }
        return nil
    }

    func fetched(_ partition: Int32 = 0, topic: String = "t", group: String = "g") -> CommittedOffset? {
        let found = catalog.offsetFetch(group, asked: [(topic, [partition])], topicID: { topics[$0]?.id })
        guard case .success(let topics) = found else { return nil }
        return topics.first?.partitions.first?.committed
    }

    func deleteGroup(_ id: String = "g") -> ReplyToken {
        let token = token()
        catalog.delete(id, token: token, into: &effects)
        perform()
        return token
    }

    func deleteError(_ token: ReplyToken) -> ErrorCode? {
        if case .groupDelete(let error)? = answers[token] { return error }
        return nil
    }

    func deleteOffsets(topic: String = "t", partition: Int32 = 0, group: String = "g") -> ReplyToken {
        var request = OffsetDeleteRequest()
        request.groupID = group
        var named = OffsetDeleteRequest.OffsetDeleteRequestTopic()
        named.name = topic
        var slot = OffsetDeleteRequest.OffsetDeleteRequestPartition()
        slot.partitionIndex = partition
        named.partitions = [slot]
        request.topics = [named]
        let token = token()
        let topics = topics
        catalog.offsetDelete(request, known: { topics[$0] }, token: token, at: moment, into: &effects)
        perform()
        return token
    }

    /// The whole request's error and the partition's.
    func offsetDeleteErrors(_ token: ReplyToken) -> [ErrorCode]? {
        guard case .offsetDelete(let response)? = answers[token] else { return nil }
        return [response.errorCode] + response.topics.flatMap { $0.partitions.map(\.errorCode) }
    }
}

/// A consumer's subscription to these topics, version 0.
func subscription(_ topics: [String]) -> [UInt8] {
    var out = ByteWriter()
    out.int16(0)
    out.int32(Int32(topics.count))
    for topic in topics {
        out.int16(Int16(topic.utf8.count))
        out.utf8(topic)
    }
    out.int32(-1)
    return out.array
}
