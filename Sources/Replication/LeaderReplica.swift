import ClusterModel
import Platform

/// The leader's whole opinion about one partition: who holds what, what is committed, who is in sync. No clock, socket or file.
///
/// Between a proposal of another in-sync set and its outcome two sets are possible. Whatever is promised meanwhile must hold
/// under both: the high watermark waits for the members of either (``maximalInSync``), while admission of new `acks=all`
/// records counts only the recorded one.
/// Rule: KIP-497 for proposals, Kafka 3.9 for caught-up times and for what holds the high watermark back.
package struct LeaderReplica: Equatable, Sendable {
    package enum Effect: Equatable, Sendable {
        /// Store it, show consumers and answer producers up to here.
        case advanceHighWatermark(to: Offset)
        /// Ask the controller to record this set, if the partition's epoch is still `expecting`; it binds only once
        /// `inSyncSetRecorded` arrives.
        case proposeInSyncSet(InSyncSet, expecting: PartitionEpoch)
    }

    /// What LeaderAndIsr made of this replica.
    package struct Leadership: Equatable, Sendable {
        package var epoch: LeaderEpoch
        package var partitionEpoch: PartitionEpoch
        package var replicas: [BrokerID]
        package var inSync: InSyncSet
        package init(epoch: LeaderEpoch, partitionEpoch: PartitionEpoch, replicas: [BrokerID], inSync: InSyncSet) {
            self.epoch = epoch
            self.partitionEpoch = partitionEpoch
            self.replicas = replicas
            self.inSync = inSync
        }
    }

    package struct Settings: Equatable, Sendable {
        /// `replica.lag.time.max.ms`
        package var lagMax: Duration
        /// `min.insync.replicas` of the topic; never asks for more than there are replicas.
        package var minInSync: Int
        package init(lagMax: Duration = .seconds(30), minInSync: Int = 1) {
            self.lagMax = lagMax
            self.minInSync = minInSync
        }
    }

    /// What a follower's fetches have proved.
    package struct Follower: Equatable, Sendable {
        /// It holds every record below; nil until it has fetched under the current leader epoch.
        package var logEnd: Offset?
        package var logStart: Offset = 0
        package var lastFetch: Instant?
        /// The leader's log end at that fetch.
        package var leaderEndAtLastFetch: Offset = 0
        /// The last time at which it held all that the leader held.
        package var lastCaughtUp: Instant?
        /// The life it fetched in (KIP-903); -1 unknown.
        package var brokerEpoch: BrokerEpoch = .none
        /// Live and not shutting down when it last fetched. Nobody waits for one that left the in-sync set until it is back.
        package var eligible = true
        package init() {}
    }

    package let me: BrokerID
    package var settings: Settings
    package private(set) var epoch: LeaderEpoch
    package private(set) var partitionEpoch: PartitionEpoch
    package private(set) var replicas: [BrokerID]
    /// As the controller recorded it.
    package private(set) var inSync: InSyncSet
    /// Asked for and not answered yet; one at a time.
    package private(set) var proposal: InSyncSet?
    /// The log end when this leader epoch began.
    package private(set) var epochStart: Offset
    package private(set) var logEnd: Offset
    package private(set) var highWatermark: Offset
    /// A refused proposal that only a new LeaderAndIsr can clear up: none is made until then.
    package private(set) var waitsForController = false
    private var followers: [(id: BrokerID, state: Follower)]

    /// A replica that leads nothing until `becameLeader`.
    /// - Parameter highWatermark: the last one known here, from the checkpoint or from following.
    package init(me: BrokerID, highWatermark: Offset = 0, settings: Settings = Settings()) {
        self.me = me
        self.settings = settings
        self.highWatermark = highWatermark
        epoch = .none
        partitionEpoch = -1
        replicas = []
        inSync = []
        epochStart = 0
        logEnd = 0
        followers = []
    }

    package static func == (a: LeaderReplica, b: LeaderReplica) -> Bool {
        a.me == b.me && a.settings == b.settings && a.epoch == b.epoch && a.partitionEpoch == b.partitionEpoch
            && a.replicas == b.replicas && a.inSync == b.inSync && a.proposal == b.proposal
            && a.epochStart == b.epochStart
            && a.logEnd == b.logEnd && a.highWatermark == b.highWatermark
            && a.followers.elementsEqual(b.followers) { $0.id == $1.id && $0.state == $1.state }
    }

    // MARK: What happens

    /// LeaderAndIsr made this replica the leader, or told the leader of a new epoch or another in-sync set.
    /// - Parameter logEnd: the log's end now.
    /// - Parameter epochStart: where a new epoch begins, if writes on their way put that behind `logEnd`.
    package mutating func becameLeader(
        _ leadership: Leadership, logEnd: Offset, epochStart start: Offset? = nil, at now: Instant
    ) -> [Effect] {
        let led = epoch != .none
        let newEpoch = leadership.epoch != epoch
        proposal = nil
        waitsForController = false
        replicas = leadership.replicas
        inSync = leadership.inSync
        partitionEpoch = leadership.partitionEpoch
        self.logEnd = logEnd
        if newEpoch {
            epoch = leadership.epoch
            epochStart = start ?? logEnd
        }
        let before = followers
        followers = replicas.filter { $0 != me }.map { id in
            let known = before.first { $0.id == id }?.state
            if var known, !newEpoch {
                known.eligible = inSync.contains(id)
                return (id, known)
            }
            var state = Follower()
            state.eligible = inSync.contains(id)
            // A new leader has seen nobody yet and trusts the set it was given; one that goes on knows better.
            state.lastCaughtUp = led ? known?.lastCaughtUp : (inSync.contains(id) ? now : nil)
            state.brokerEpoch = known?.brokerEpoch ?? .none
            return (id, state)
        }
        return settled(at: now)
    }

    /// Records were placed at the end of the leader's own log.
    package mutating func recordsAppended(logEnd: Offset, at now: Instant, into effects: inout [Effect]) {
        self.logEnd = logEnd
        advance(at: now, into: &effects)
    }

    /// `follower` asked for `offset` under the current leader epoch, which proves that it holds every record below it.
    /// - Parameter eligible: false while it is not live or shutting down, and so must not join the in-sync set.
    package mutating func followerFetched(
        _ follower: BrokerID, from offset: Offset, logStart: Offset = 0, brokerEpoch: BrokerEpoch = .none,
        eligible: Bool = true, at now: Instant, into effects: inout [Effect]
    ) {
        guard let index = followers.firstIndex(where: { $0.id == follower }) else { return }
        var state = followers[index].state
        if offset >= logEnd {
            state.lastCaughtUp = now
        } else if let last = state.lastFetch, offset >= state.leaderEndAtLastFetch {
            state.lastCaughtUp = max(state.lastCaughtUp ?? last, last)
        }
        state.logEnd = offset
        state.logStart = logStart
        state.brokerEpoch = brokerEpoch
        state.eligible = eligible
        state.leaderEndAtLastFetch = logEnd
        state.lastFetch = now
        followers[index].state = state

        // Caught up with this epoch's start, not only with the high watermark (KAFKA-7128): a leader elected a moment ago may
        // hold committed records above the high watermark it knows of.
        if eligible, !inSync.contains(follower), proposal == nil, !waitsForController, offset >= highWatermark,
            offset >= epochStart
        {
            propose(inSync.adding(follower), into: &effects)
        }
        advance(at: now, into: &effects)
    }

    /// Brokers came or went. Nobody waits for a dead follower that is not in sync.
    package mutating func brokersChanged(mayJoin: (BrokerID) -> Bool, at now: Instant) -> [Effect] {
        for index in followers.indices where followers[index].state.eligible && !inSync.contains(followers[index].id) {
            followers[index].state.eligible = mayJoin(followers[index].id)
        }
        return settled(at: now)
    }

    /// Asked every `replica.lag.time.max.ms` / 2: members that trail for too long are proposed to leave, all at once.
    package mutating func lagChecked(at now: Instant) -> [Effect] {
        guard proposal == nil, !waitsForController else { return [] }
        let trailing = followers.filter { inSync.contains($0.id) && !keepsUp($0.state, at: now) }.map(\.id)
        guard !trailing.isEmpty else { return [] }
        var effects: [Effect] = []
        propose(inSync.removing(trailing), into: &effects)
        return effects
    }

    /// The controller recorded `set`.
    package mutating func inSyncSetRecorded(_ set: InSyncSet, partitionEpoch: PartitionEpoch, at now: Instant)
        -> [Effect]
    {
        guard partitionEpoch >= self.partitionEpoch else { return [] }
        self.partitionEpoch = partitionEpoch
        inSync = set
        proposal = nil
        return settled(at: now)
    }

    package enum Refusal: Equatable, Sendable {
        /// The state was changed by somebody else: LeaderAndIsr will tell how (FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, …).
        case superseded
        /// A proposed member may not join now: the recorded set goes on (INELIGIBLE_REPLICA, OPERATION_NOT_ATTEMPTED).
        case notAdmitted
        /// Nothing is known: ask again.
        case unanswered
    }

    package mutating func inSyncSetRefused(_ refusal: Refusal, at now: Instant) -> [Effect] {
        guard let wanted = proposal else { return [] }
        switch refusal {
        case .superseded:
            // The proposal stays in the maximal set: it may have been recorded before somebody else's change.
            waitsForController = true
            return []
        case .notAdmitted:
            proposal = nil
            return settled(at: now)
        case .unanswered:
            return [.proposeInSyncSet(wanted, expecting: partitionEpoch)]
        }
    }

    package mutating func minInSyncChanged(to count: Int, at now: Instant) -> [Effect] {
        settings.minInSync = count
        return settled(at: now)
    }

    // MARK: What is asked

    /// Members of the recorded set or of the proposed one: a committed record must survive whichever wins.
    package var maximalInSync: InSyncSet {
        guard let proposal else { return inSync }
        return InSyncSet(inSync.members + proposal.members)
    }

    package var effectiveMinInSync: Int { min(settings.minInSync, max(replicas.count, 1)) }
    package var isUnderMinInSync: Bool { inSync.count < effectiveMinInSync }

    /// Before an append.
    package func admits(_ acks: AcksRequirement) -> AcksRefusal? {
        guard acks == .allInSync, isUnderMinInSync else { return nil }
        return .notEnoughReplicas(inSync: inSync.count, needed: effectiveMinInSync)
    }

    /// After it.
    /// - Parameter end: the batch's last offset + 1.
    package func verdict(for acks: AcksRequirement, upTo end: Offset) -> AcksVerdict {
        guard acks == .allInSync else { return .acknowledged }
        guard highWatermark >= end else { return .waiting }
        let standing = maximalInSync.count
        guard standing >= effectiveMinInSync else {
            return .refused(.notEnoughReplicasAfterAppend(inSync: standing, needed: effectiveMinInSync))
        }
        return .acknowledged
    }

    package func follower(_ id: BrokerID) -> Follower? { followers.first { $0.id == id }?.state }

    /// The lowest log start of the replicas named: what DeleteRecords waits for.
    package func lowWatermark(ownLogStart: Offset, live: (BrokerID) -> Bool) -> Offset {
        followers.filter { live($0.id) }.map(\.state.logStart).reduce(ownLogStart, min)
    }

    // MARK: Rules

    private func keepsUp(_ follower: Follower, at now: Instant) -> Bool {
        // A follower may have synced already what the leader has only written.
        if let end = follower.logEnd, end >= logEnd { return true }
        guard let caughtUp = follower.lastCaughtUp else { return false }
        return now - caughtUp <= settings.lagMax
    }

    private mutating func propose(_ set: InSyncSet, into effects: inout [Effect]) {
        // In the order of the assignment, so that what is recorded does not depend on who came back first.
        let ordered = InSyncSet(replicas.filter(set.contains) + set.members)
        proposal = ordered
        effects.append(.proposeInSyncSet(ordered, expecting: partitionEpoch))
    }

    private mutating func settled(at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        advance(at: now, into: &effects)
        return effects
    }

    private mutating func advance(at now: Instant, into effects: inout [Effect]) {
        guard epoch != .none, !isUnderMinInSync else { return }
        var slowest = logEnd
        for (id, state) in followers {
            let held = state.logEnd ?? -1
            guard held < slowest else { continue }
            let counts =
                inSync.contains(id) || proposal?.contains(id) == true
                // About to join: waiting for it now spares it a set it could never catch up with.
                || (state.eligible && keepsUp(state, at: now))
            if counts { slowest = held }
        }
        // Never backwards while leading: consumers may already have read up to it.
        guard slowest > highWatermark else { return }
        highWatermark = slowest
        effects.append(.advanceHighWatermark(to: slowest))
    }
}

extension LeaderReplica {
    /// A leader in the middle of its work.
    package static func leading(
        as me: BrokerID, inSync: InSyncSet, logEnd: Offset, epoch: LeaderEpoch = 0, highWatermark: Offset = 0,
        replicas: [BrokerID]? = nil, settings: Settings = Settings(), at now: Instant = .start
    ) -> LeaderReplica {
        var replica = LeaderReplica(me: me, highWatermark: highWatermark, settings: settings)
        _ = replica.becameLeader(
            Leadership(epoch: epoch, partitionEpoch: 0, replicas: replicas ?? inSync.members, inSync: inSync),
            logEnd: logEnd, at: now)
        return replica
    }

    package mutating func recordsAppended(logEnd: Offset, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        recordsAppended(logEnd: logEnd, at: now, into: &effects)
        return effects
    }

    package mutating func followerFetched(
        _ follower: BrokerID, from offset: Offset, eligible: Bool = true, at now: Instant
    ) -> [Effect] {
        var effects: [Effect] = []
        followerFetched(follower, from: offset, eligible: eligible, at: now, into: &effects)
        return effects
    }
}
