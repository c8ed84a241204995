import Bytes
import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// A consumer's part in the classic group protocol: finds the coordinator, joins, assigns when it is the leader, keeps itself
/// alive, joins again when the group changes. Gives up what it reads before it joins again.
final class GroupMembership {
    private enum State: Equatable {
        case idle
        case joining
        case stable
        case ended
    }

    private let world: any World
    private let cluster: ClusterLink
    private let settings: ConsumerSettings
    private let group: String
    /// What the member wants to read.
    var topics: [String]

    /// A share, with what the group has committed for it.
    var onAssigned: ([TopicPartition], [TopicPartition: Int64]) -> Void = { _, _ in }
    /// The share is to be given up: stop reading and say how far it was read. Called before joining again.
    var onRevoked: () -> [TopicPartition: Int64] = { [:] }
    var onFatal: (String) -> Void = { _ in }

    private(set) var isLeader = false
    /// How many partitions the topics had when the leader assigned them.
    private(set) var countsAtAssignment: [String: Int32] = [:]
    private var state = State.idle
    private var memberID = ""
    private var generation: Int32 = -1
    private var coordinator: BrokerLink?
    private var isFinding = false
    private var waiting: [(BrokerLink) -> Void] = []
    private var heartbeatTimer: TimerID?
    private var isBeating = false
    /// Answers to what was asked in an earlier round mean nothing.
    private var round = 0

    init(world: any World, cluster: ClusterLink, settings: ConsumerSettings, group: String, topics: [String]) {
        self.world = world
        self.cluster = cluster
        self.settings = settings
        self.group = group
        self.topics = topics
    }

    var isStable: Bool { state == .stable }

    func start() { join() }

    /// The wishes or the topics have changed.
    func rejoin() {
        guard state == .stable else { return }
        let offsets = onRevoked()
        stopHeartbeats()
        state = .joining
        round += 1
        let here = round
        guard settings.commits, !offsets.isEmpty else { return join() }
        commit(offsets) { [self] _ in
            if here == round, state == .joining { join() }
        }
    }

    /// Leaves without waiting for anybody's timeout. Static members do not leave. `then` when told, at once when there is
    /// nothing to tell.
    func leave(then: @escaping () -> Void) {
        stopHeartbeats()
        let wasMember = state == .stable || state == .joining
        state = .ended
        round += 1
        guard wasMember, !memberID.isEmpty, settings.instanceID == nil, let coordinator, !coordinator.isEnded else {
            coordinator?.close()
            return then()
        }
        var request = LeaveGroupRequest()
        request.groupID = group
        if let version = coordinator.version(of: .leaveGroup), version < 3 {
            request.memberID = memberID
        } else {
            request.members = [
                .with {
                    $0.memberID = memberID; $0.reason = "the consumer is being closed"
                }
            ]
        }
        coordinator.send(request, timeout: .seconds(3)) { _ in
            coordinator.close()
            then()
        }
    }

    // MARK: The coordinator

    private func withCoordinator(_ use: @escaping (BrokerLink) -> Void) {
        if let coordinator, !coordinator.isEnded { return use(coordinator) }
        waiting.append(use)
        if !isFinding { find() }
    }

    private func find() {
        guard state != .ended || !waiting.isEmpty else { return }
        isFinding = true
        var request = FindCoordinatorRequest()
        request.key = group
        cluster.ask(.anyBroker, request, atMost: 3, until: world.clock.now + .seconds(5)) { [self] result in
            guard case .success(let found) = result, found.errorCode == .none else {
                if case .success(let found) = result, !found.errorCode.isRetriable {
                    isFinding = false
                    return onFatal("group \(group): \(GroupsAdmin.words(found.errorCode))")
                }
                world.after(.milliseconds(200)) { [self] in find() }
                return
            }
            isFinding = false
            let link = BrokerLink(
                world: world, to: BrokerAddress(host: found.host, port: Int(found.port)), options: cluster.options)
            coordinator = link
            let held = waiting
            waiting = []
            for use in held { use(link) }
        }
    }

    private func forgetCoordinator() {
        coordinator?.close()
        coordinator = nil
    }

    // MARK: Joining

    private func join(after delay: Duration? = nil) {
        guard state != .ended else { return }
        state = .joining
        round += 1
        let here = round
        let go = { [self] in
            withCoordinator { [self] link in
                if here == round, state == .joining { sendJoin(link, here) }
            }
        }
        if let delay { world.after(delay, go) } else { go() }
    }

    private func sendJoin(_ link: BrokerLink, _ here: Int) {
        var request = JoinGroupRequest()
        request.groupID = group
        request.sessionTimeoutMs = Int32(clamping: settings.sessionTimeout.wholeMilliseconds)
        request.rebalanceTimeoutMs = Int32(clamping: settings.rebalanceTimeout.wholeMilliseconds)
        request.memberID = memberID
        request.groupInstanceID = settings.instanceID
        request.protocolType = "consumer"
        var subscription = ConsumerProtocolSubscription()
        subscription.topics = topics.sorted()
        request.protocols = [
            .with {
                $0.name = RangeAssignor.name
                $0.metadata = GroupMembership.bytes(subscription, version: 1)
            }
        ]
        link.send(request, timeout: settings.rebalanceTimeout + .seconds(5)) { [self] result in
            guard here == round, state == .joining else { return }
            guard case .success(let response) = result else {
                forgetCoordinator()
                return join(after: .milliseconds(100))
            }
            switch response.errorCode {
            case .none:
                memberID = response.memberID
                generation = response.generationID
                isLeader = response.leader == response.memberID
                if isLeader { assign(response, link, here) } else { sync([], link, here) }
            case .memberIDRequired:
                memberID = response.memberID
                join()
            case .unknownMemberID, .illegalGeneration:
                memberID = ""
                join()
            case let error: retry(error, "join")
            }
        }
    }

    private func retry(_ error: ErrorCode, _ what: String) {
        switch error {
        case .notCoordinator, .coordinatorNotAvailable:
            forgetCoordinator()
            join(after: .milliseconds(100))
        case .coordinatorLoadInProgress, .rebalanceInProgress: join(after: .milliseconds(100))
        case _ where error.isRetriable: join(after: .milliseconds(100))
        default: onFatal("group \(group) cannot be \(what)ed: \(GroupsAdmin.words(error))")
        }
    }

    private func assign(_ response: JoinGroupResponse, _ link: BrokerLink, _ here: Int) {
        let members = response.members.map { member in
            RangeAssignor.Member(
                id: member.memberID, instanceID: member.groupInstanceID,
                topics: GroupMembership.subscription(member.metadata).topics)
        }
        let wanted = Set(members.flatMap(\.topics)).sorted()
        cluster.metadata(of: wanted, until: world.clock.now + .seconds(5)) { [self] result in
            guard here == round, state == .joining else { return }
            guard case .success(let metadata) = result else { return join(after: .milliseconds(100)) }
            var counts: [String: Int32] = [:]
            for topic in metadata.topics {
                if let name = topic.name, !topic.partitions.isEmpty { counts[name] = Int32(topic.partitions.count) }
            }
            countsAtAssignment = counts
            let shares = RangeAssignor.assign(members, partitionCounts: counts)
            let assignments = shares.sorted { $0.key < $1.key }.map { id, places in
                SyncGroupRequest.SyncGroupRequestAssignment.with {
                    $0.memberID = id
                    $0.assignment = GroupMembership.bytes(GroupMembership.assignment(places), version: 1)
                }
            }
            sync(assignments, link, here)
        }
    }

    private func sync(
        _ assignments: [SyncGroupRequest.SyncGroupRequestAssignment], _ link: BrokerLink, _ here: Int
    ) {
        var request = SyncGroupRequest()
        request.groupID = group
        request.generationID = generation
        request.memberID = memberID
        request.groupInstanceID = settings.instanceID
        request.protocolType = "consumer"
        request.protocolName = RangeAssignor.name
        request.assignments = assignments
        link.send(request, timeout: settings.rebalanceTimeout + .seconds(5)) { [self] result in
            guard here == round, state == .joining else { return }
            guard case .success(let response) = result else {
                forgetCoordinator()
                return join(after: .milliseconds(100))
            }
            switch response.errorCode {
            case .none:
                state = .stable
                startHeartbeats()
                committed(GroupMembership.share(response.assignment), here)
            case .unknownMemberID, .illegalGeneration:
                memberID = ""
                join()
            case let error: retry(error, "join")
            }
        }
    }

    // MARK: Staying

    private func startHeartbeats() {
        stopHeartbeats()
        scheduleHeartbeat()
    }

    private func scheduleHeartbeat() {
        heartbeatTimer = world.after(settings.heartbeatInterval) { [weak self] in
            self?.heartbeatTimer = nil
            self?.beat()
        }
    }

    private func stopHeartbeats() {
        if let heartbeatTimer { world.timers.cancel(heartbeatTimer) }
        heartbeatTimer = nil
    }

    private func beat() {
        guard state == .stable else { return }
        scheduleHeartbeat()
        guard !isBeating else { return }
        isBeating = true
        let here = round
        withCoordinator { [self] link in
            guard here == round, state == .stable else {
                isBeating = false
                return
            }
            var request = HeartbeatRequest()
            request.groupID = group
            request.generationID = generation
            request.memberID = memberID
            request.groupInstanceID = settings.instanceID
            link.send(request, timeout: settings.sessionTimeout) { [self] result in
                isBeating = false
                guard here == round, state == .stable else { return }
                guard case .success(let response) = result else { return forgetCoordinator() }
                heard(response.errorCode)
            }
        }
    }

    /// What the coordinator says about this member, in a heartbeat or when it commits.
    private func heard(_ error: ErrorCode) {
        switch error {
        case .none, .coordinatorLoadInProgress: break
        case .rebalanceInProgress: rejoin()
        case .unknownMemberID, .illegalGeneration:
            // The share belongs to somebody else by now: nothing of it may be committed.
            _ = onRevoked()
            stopHeartbeats()
            if error == .unknownMemberID { memberID = "" }
            join()
        case .notCoordinator, .coordinatorNotAvailable: forgetCoordinator()
        case .fencedInstanceID:
            onFatal(
                "The broker rejected this static consumer since another consumer with the same group.instance.id has "
                    + "registered with a different member.id.")
        case _ where error.isRetriable: break
        default: onFatal("group \(group): \(GroupsAdmin.words(error))")
        }
    }

    // MARK: Offsets

    private func committed(_ places: [TopicPartition], _ here: Int) {
        guard !places.isEmpty else { return onAssigned([], [:]) }
        withCoordinator { [self] link in
            guard here == round, state == .stable else { return }
            var request = OffsetFetchRequest()
            request.groupID = group
            var topics: [OffsetFetchRequest.OffsetFetchRequestTopic] = []
            for place in places.sorted() {
                if topics.last?.name != place.topic { topics.append(.with { $0.name = place.topic }) }
                topics[topics.count - 1].partitionIndexes.append(place.partition)
            }
            request.topics = topics
            link.send(request, atMost: 7) { [self] result in
                guard here == round, state == .stable else { return }
                var error = ErrorCode.networkException
                var offsets: [TopicPartition: Int64] = [:]
                if case .success(let response) = result {
                    error = response.errorCode
                    for topic in response.topics {
                        for partition in topic.partitions {
                            if partition.errorCode != .none { error = partition.errorCode }
                            guard partition.committedOffset >= 0 else { continue }
                            offsets[TopicPartition(topic.name, partition.partitionIndex)] = partition.committedOffset
                        }
                    }
                } else {
                    forgetCoordinator()
                }
                if error == .none { return onAssigned(places, offsets) }
                if error == .notCoordinator || error == .coordinatorNotAvailable { forgetCoordinator() }
                if !error.isRetriable { return onFatal("group \(group): \(GroupsAdmin.words(error))") }
                world.after(.milliseconds(100)) { [self] in
                    if here == round, state == .stable { committed(places, here) }
                }
            }
        }
    }

    /// Stores how far was read, as this member of this generation.
    func commit(_ offsets: [TopicPartition: Int64], then: @escaping (ErrorCode) -> Void) {
        guard !offsets.isEmpty, state != .ended, generation >= 0 else { return then(.none) }
        var request = OffsetCommitRequest()
        request.groupID = group
        request.generationIDOrMemberEpoch = generation
        request.memberID = memberID
        request.groupInstanceID = settings.instanceID
        for (place, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            if request.topics.last?.name != place.topic { request.topics.append(.with { $0.name = place.topic }) }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partitionIndex = place.partition
                    $0.committedOffset = offset
                })
        }
        let here = round
        withCoordinator { [self] link in
            link.send(request, timeout: .seconds(10)) { [self] result in
                var error = ErrorCode.none
                if case .success(let response) = result {
                    for topic in response.topics {
                        for partition in topic.partitions where partition.errorCode != .none {
                            error = partition.errorCode
                        }
                    }
                } else {
                    error = .networkException
                    if coordinator === link { forgetCoordinator() }
                }
                if error == .notCoordinator || error == .coordinatorNotAvailable { forgetCoordinator() }
                then(error)
                if here == round, state == .stable,
                    error == .unknownMemberID || error == .illegalGeneration
                        || error == .rebalanceInProgress || error == .fencedInstanceID
                {
                    heard(error)
                }
            }
        }
    }

    // MARK: Bytes

    /// A message of the consumers among themselves, behind its version.
    static func bytes(_ message: some Message, version: Int16) -> [UInt8] {
        var writer = WireWriter()
        writer.bytes.int16(version)
        // Every field is known to this version.
        do throws(WireError) { try message.encode(version: version, into: &writer) } catch { return [] }
        return writer.bytes.array
    }

    /// What a member wants; nothing where its bytes cannot be read. Newer versions only add at the end.
    static func subscription(_ bytes: [UInt8]) -> ConsumerProtocolSubscription {
        bytes.withUnsafeBytes { raw in
            var reader = WireReader(raw)
            var subscription = ConsumerProtocolSubscription()
            do throws(WireError) {
                reader.version = min(3, max(0, try reader.int16()))
                try subscription.read(from: &reader)
            } catch {}
            return subscription
        }
    }

    static func share(_ bytes: [UInt8]) -> [TopicPartition] {
        bytes.withUnsafeBytes { raw in
            var reader = WireReader(raw)
            var assignment = ConsumerProtocolAssignment()
            do throws(WireError) {
                reader.version = min(3, max(0, try reader.int16()))
                try assignment.read(from: &reader)
            } catch { return [] }
            return assignment.assignedPartitions.flatMap { topic in
                topic.partitions.map { TopicPartition(topic.topic, $0) }
            }.sorted()
        }
    }

    private static func assignment(_ places: [TopicPartition]) -> ConsumerProtocolAssignment {
        var assignment = ConsumerProtocolAssignment()
        for place in places.sorted() {
            if assignment.assignedPartitions.last?.topic != place.topic {
                assignment.assignedPartitions.append(.with { $0.topic = place.topic })
            }
            assignment.assignedPartitions[assignment.assignedPartitions.count - 1].partitions.append(place.partition)
        }
        return assignment
    }
}
