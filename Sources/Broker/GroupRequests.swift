import Bytes
import ClusterModel
import ConsumerGroups
import KafkaProtocol
import Platform

// One method a request. Each calls `then` exactly once, now or later.
extension GroupDriver {
    package func joinGroup(
        _ request: JoinGroupRequest, version: Int16, from client: ClientIdentity,
        then: @escaping (JoinGroupResponse) -> Void
    ) {
        refreshAuthority()
        let token = token { answer in
            guard case .join(var response) = answer else { return }
            // Only from version 7 on may it be null (KIP-559).
            if version < 7 { response.protocolName = response.protocolName ?? "" }
            then(response)
        }
        var random = WorldRandom(world)
        catalog.join(
            request, version: version, from: client, newID: UUID128.random(using: &random).javaText, token: token,
            at: moment, into: &effects)
        perform()
    }

    package func syncGroup(
        _ request: SyncGroupRequest, version: Int16, then: @escaping (SyncGroupResponse) -> Void
    ) {
        refreshAuthority()
        let token = token { if case .sync(let response) = $0 { then(response) } }
        catalog.sync(request, version: version, token: token, at: moment, into: &effects)
        perform()
    }

    package func heartbeat(_ request: HeartbeatRequest, then: @escaping (HeartbeatResponse) -> Void) {
        refreshAuthority()
        var response = HeartbeatResponse()
        response.errorCode = catalog.heartbeat(request, at: moment, into: &effects)
        perform()
        then(response)
    }

    package func leaveGroup(
        _ request: LeaveGroupRequest, version: Int16, then: @escaping (LeaveGroupResponse) -> Void
    ) {
        refreshAuthority()
        let response = catalog.leave(request, version: version, at: moment, into: &effects)
        perform()
        then(response)
    }

    package func describeGroups(
        _ request: DescribeGroupsRequest, then: @escaping (DescribeGroupsResponse) -> Void
    ) {
        refreshAuthority()
        var response = DescribeGroupsResponse()
        response.groups = request.groups.map { group in
            var described = catalog.describe(group)
            // Nobody is refused anything: READ, DELETE and DESCRIBE, as bits (KIP-430).
            if request.includeAuthorizedOperations, described.errorCode == .none {
                described.authorizedOperations = 1 << 3 | 1 << 6 | 1 << 8
            }
            return described
        }
        then(response)
    }

    package func listGroups(_ request: ListGroupsRequest, then: @escaping (ListGroupsResponse) -> Void) {
        refreshAuthority()
        then(catalog.list(request))
    }

    package func deleteGroups(_ request: DeleteGroupsRequest, then: @escaping (DeleteGroupsResponse) -> Void) {
        refreshAuthority()
        var names: [String] = []
        for name in request.groupsNames where !names.contains(name) { names.append(name) }
        guard !names.isEmpty else { return then(DeleteGroupsResponse()) }
        var errors = [ErrorCode](repeating: .none, count: names.count)
        var left = names.count
        for (place, name) in names.enumerated() {
            let token = token { answer in
                if case .groupDelete(let error) = answer { errors[place] = error }
                left -= 1
                guard left == 0 else { return }
                var response = DeleteGroupsResponse()
                response.results = zip(names, errors).map { name, error in
                    var result = DeleteGroupsResponse.DeletableGroupResult()
                    result.groupID = name
                    result.errorCode = error
                    return result
                }
                then(response)
            }
            catalog.delete(name, token: token, into: &effects)
        }
        perform()
    }

    package func offsetDelete(_ request: OffsetDeleteRequest, then: @escaping (OffsetDeleteResponse) -> Void) {
        refreshAuthority()
        let token = token { if case .offsetDelete(let response) = $0 { then(response) } }
        let facts = facts
        catalog.offsetDelete(
            request, known: { facts.topicFact($0) }, token: token, at: moment, into: &effects)
        perform()
    }

    // MARK: offsets

    /// Also version 0 writes only through the group's owner, under the check of its epoch. Kafka lets any broker write it; nothing
    /// then keeps an older commit from replacing one that was acknowledged.
    package func offsetCommit(
        _ request: OffsetCommitRequest, version: Int16, then: @escaping (OffsetCommitResponse) -> Void
    ) {
        refreshAuthority()
        let token = token { if case .commit(let response) = $0 { then(response) } }
        let facts = facts
        catalog.offsetCommit(
            request, unchecked: version == 0, known: { facts.topicFact($0) }, token: token, at: moment, into: &effects)
        perform()
    }

    package func offsetFetch(
        _ request: OffsetFetchRequest, version: Int16, then: @escaping (OffsetFetchResponse) -> Void
    ) {
        refreshAuthority()
        var response = OffsetFetchResponse()
        if version == 0 { return fetchFromTree(request, then) }
        // Version 8 asks for several groups at once (KIP-709).
        if version >= 8 {
            response.groups = request.groups.map { asked in
                var answered = OffsetFetchResponse.OffsetFetchResponseGroup()
                answered.groupID = asked.groupID
                switch fetch(asked.groupID, asked.topics?.map { ($0.name, $0.partitionIndexes) }) {
                case .failure(let refusal): answered.errorCode = refusal.code
                case .success(let topics):
                    answered.topics = topics.map { topic in
                        var shown = OffsetFetchResponse.OffsetFetchResponseTopics()
                        shown.name = topic.name
                        shown.partitions = topic.partitions.map { partition in
                            var slot = OffsetFetchResponse.OffsetFetchResponsePartitions()
                            slot.partitionIndex = partition.index
                            slot.committedOffset = partition.committed?.offset ?? -1
                            slot.committedLeaderEpoch = partition.committed?.leaderEpoch ?? -1
                            slot.metadata = partition.committed?.metadata ?? ""
                            return slot
                        }
                        return shown
                    }
                }
                return answered
            }
            return then(response)
        }
        switch fetch(request.groupID, request.topics?.map { ($0.name, $0.partitionIndexes) }) {
        case .failure(let refusal): response.errorCode = refusal.code
        case .success(let topics): response.topics = topics.map { OffsetFetchResponse.OffsetFetchResponseTopic($0) }
        }
        then(response)
    }

    private func fetch(
        _ group: String, _ asked: [(name: String, partitions: [Int32])]?
    ) -> Result<[GroupCatalog.FetchedTopic], GroupRefusal> {
        let facts = facts
        return catalog.offsetFetch(group, asked: asked, topicID: { facts.topicFact($0)?.knownID })
    }

    /// Version 0 reads the tree, at any broker.
    private func fetchFromTree(_ request: OffsetFetchRequest, _ then: @escaping (OffsetFetchResponse) -> Void) {
        GroupReader.read(request.groupID, from: tree) { [self] found in
            var response = OffsetFetchResponse()
            for asked in request.topics ?? [] {
                let fact = facts.topicFact(asked.name)
                var answered = OffsetFetchResponse.OffsetFetchResponseTopic(
                    GroupCatalog.FetchedTopic(
                        name: asked.name,
                        partitions: asked.partitionIndexes.map {
                            let committed = found?.offsets.committed(asked.name, $0, currentID: fact?.knownID)
                            return .init(index: $0, committed: committed)
                        }))
                for place in answered.partitions.indices where answered.partitions[place].committedOffset < 0 {
                    answered.partitions[place].errorCode = .unknownTopicOrPartition
                }
                response.topics.append(answered)
            }
            then(response)
        }
    }

    // MARK: who owns a group

    /// - Parameter listener: where the client came in; the answer names the owner's address for it.
    package func findCoordinator(
        _ request: FindCoordinatorRequest, version: Int16, listener: String,
        then: @escaping (FindCoordinatorResponse) -> Void
    ) {
        var response = FindCoordinatorResponse()
        if version < 4 {
            let found = coordinator(of: request.key, request.keyType, version, listener)
            response.errorCode = found.error
            response.errorMessage = found.message
            response.nodeID = found.node
            response.host = found.host
            response.port = found.port
        } else {
            response.coordinators = request.coordinatorKeys.map { key in
                let found = coordinator(of: key, request.keyType, version, listener)
                var shown = FindCoordinatorResponse.Coordinator()
                shown.key = key
                shown.errorCode = found.error
                shown.nodeID = found.node
                shown.host = found.host
                shown.port = found.port
                return shown
            }
        }
        then(response)
    }

    private func coordinator(
        of key: String, _ keyType: Int8, _ version: Int16, _ listener: String
    ) -> (error: ErrorCode, message: String, node: Int32, host: String, port: Int32) {
        func refuse(
            _ error: ErrorCode, _ message: String
        ) -> (error: ErrorCode, message: String, node: Int32, host: String, port: Int32) {
            (error, message, -1, "", -1)
        }
        switch keyType {
        case 0:
            guard let owner = ownership.owner(ofGroup: key), facts.liveBrokerIDs.contains(owner),
                let endpoint = facts.endpoint(of: owner, listener: listener)
            else { return refuse(.coordinatorNotAvailable, "The coordinator is not available.") }
            return (.none, "NONE", owner.raw, endpoint.host, endpoint.port)
        // Transactions have no owner yet; share groups are asked for from version 6 on (KIP-932).
        case 1: return refuse(.coordinatorNotAvailable, "The coordinator is not available.")
        case 2 where version >= 6: return refuse(.coordinatorNotAvailable, "The coordinator is not available.")
        default: return refuse(.invalidRequest, "Unknown coordinator key type \(keyType).")
        }
    }
}

extension OffsetFetchResponse.OffsetFetchResponseTopic {
    fileprivate init(_ topic: GroupCatalog.FetchedTopic) {
        self.init()
        name = topic.name
        partitions = topic.partitions.map { partition in
            var slot = OffsetFetchResponse.OffsetFetchResponsePartition()
            slot.partitionIndex = partition.index
            slot.committedOffset = partition.committed?.offset ?? -1
            slot.committedLeaderEpoch = partition.committed?.leaderEpoch ?? -1
            slot.metadata = partition.committed?.metadata ?? ""
            return slot
        }
    }
}

extension UUID128 {
    /// As Java writes a UUID: 36 characters, lower case.
    var javaText: String {
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(digits - text.count, 0)) + text
        }
        return [
            hex(high >> 32, 8), hex(high >> 16 & 0xffff, 4), hex(high & 0xffff, 4), hex(low >> 48, 4),
            hex(low & 0xffff_ffff_ffff, 12),
        ].joined(separator: "-")
    }
}
