import Bytes
import ClusterModel
import KafkaProtocol
import Platform

/// What a fetch wants of one partition, and what it was last told about it.
package final class WantedPartition: WaitingRoom.Watcher {
    package struct Key: Hashable {
        package var topicID: UUID128
        /// Empty where topic ids are spoken.
        package var name: String
        package var partition: Int32
    }
    package let key: Key
    package var topicID: UUID128 { key.topicID }
    package var partition: Int32 { key.partition }
    /// The name as far as it is known; nil for a topic id nobody here knows.
    package var topic: String?
    package var maxBytes: Int32 = 0
    package var offset: Offset = 0
    package var leaderEpoch = LeaderEpoch.none
    package var lastFetchedEpoch = LeaderEpoch.none
    /// A follower's own log start.
    package var logStart: Offset = -1
    package var toldHighWatermark: Offset = -1
    package var toldLogStart: Offset = -1
    fileprivate var isForgotten = false
    /// The follower's session it belongs to, while that lives.
    fileprivate weak var session: FetchSessions.Session?
    fileprivate var isDue = false
    fileprivate var isFresh = false
    fileprivate var watched: WaitingRoom.Place?
    /// Where it was found last, and in which state of the directory: a session asks of a thousand partitions, again and again.
    weak var host: PartitionHost?
    var foundIn: UInt64 = 0

    init(key: Key, topic: String?) {
        self.key = key
        self.topic = topic
    }

    fileprivate func take(_ asked: FetchRequest.FetchPartition) {
        maxBytes = asked.partitionMaxBytes
        offset = asked.fetchOffset
        leaderEpoch = LeaderEpoch(asked.currentLeaderEpoch)
        lastFetchedEpoch = LeaderEpoch(asked.lastFetchedEpoch)
        logStart = asked.logStartOffset
    }

    package func placeWoken() -> WaitingRoom.Visitor? {
        session?.mark(self)
        return session?.parked
    }

    package func placeClosed() -> WaitingRoom.Visitor? {
        watched = nil
        return placeWoken()
    }

    /// Whether an incremental answer has to name this partition; remembers that it was told.
    fileprivate func isNews(_ data: FetchResponse.PartitionData) -> Bool {
        var news = data.records.count > 0 || data.errorCode != .none || data.preferredReadReplica != -1
        if data.errorCode == .none, data.divergingEpoch.endOffset != -1 || data.divergingEpoch.epoch != -1 {
            news = true
        }
        if toldHighWatermark != data.highWatermark || toldLogStart != data.logStartOffset { news = true }
        toldHighWatermark = data.highWatermark
        toldLogStart = data.logStartOffset
        if data.errorCode != .none {
            // So that the first answer without the error is told again.
            toldHighWatermark = -1
        }
        return news
    }
}

/// Fetch sessions (KIP-227): a client that fetches many partitions names only those that changed, and hears only of
/// those that
/// have something to tell.
///
/// A follower's session is also looked at only where something may have changed (``Session/due``): a fetch of a thousand quiet
/// partitions costs what a fetch of none does. Each of them watches its host's place in the waiting room from its first look on.
package final class FetchSessions {
    package final class Session {
        package let id: Int32
        /// A follower's.
        package let isPrivileged: Bool
        let usesTopicIDs: Bool
        let created: Instant
        fileprivate(set) var lastUsed: Instant
        /// What the next request must carry.
        package fileprivate(set) var epoch: Int32
        package fileprivate(set) var partitions: [WantedPartition]
        fileprivate var index: [WantedPartition.Key: WantedPartition]
        /// Of a follower, what the next fetch has to look at, in this order: what it names, what was woken, and what the last one did
        /// not settle. A partition is settled when the follower holds and was told everything and is in sync.
        package fileprivate(set) var due: [WantedPartition] = []
        /// Those of them that something has happened to since they were looked at.
        fileprivate var fresh: [WantedPartition] = []
        /// When everything was due; nil before the first time, and when the follower has begun a new life.
        fileprivate var surveyed: Instant?
        fileprivate var replicaEpoch: Int64 = -1
        /// The fetch that waits.
        package weak var parked: WaitingRoom.Visitor?

        fileprivate init(
            id: Int32, isPrivileged: Bool, usesTopicIDs: Bool, at now: Instant, partitions: [WantedPartition]
        ) {
            self.id = id
            self.isPrivileged = isPrivileged
            self.usesTopicIDs = usesTopicIDs
            created = now
            lastUsed = now
            epoch = 1
            self.partitions = partitions
            index = Dictionary(partitions.map { ($0.key, $0) }, uniquingKeysWith: { _, last in last })
            if isPrivileged { for partition in partitions { partition.session = self } }
        }

        fileprivate func mark(_ partition: WantedPartition) {
            if !partition.isDue {
                partition.isDue = true
                due.append(partition)
            }
            guard !partition.isFresh else { return }
            partition.isFresh = true
            fresh.append(partition)
        }

        /// - Returns: what something has happened to since the last call.
        package func takeFresh() -> [WantedPartition] {
            for partition in fresh { partition.isFresh = false }
            defer { fresh.removeAll(keepingCapacity: true) }
            return fresh
        }
    }

    /// How one fetch is to be answered.
    package enum Plan {
        /// Everything that was named; no session, or none yet (`begins`).
        case full([WantedPartition], begins: Bool)
        case incremental(Session)
        case refused(ErrorCode)
    }

    private let slots: Int
    /// Sessions unused for so long may go.
    private let evictAfter: Duration = .seconds(120)
    /// How often all of a follower's partitions are looked at, settled or not: it has to be seen to keep up.
    private let surveyEvery: Duration
    private let waiting: WaitingRoom
    private let clock: any Clock
    private let draw: () -> UInt64
    private var sessions: [Int32: Session] = [:]
    package var count: Int { sessions.count }

    /// - Parameter lagMax: `replica.lag.time.max.ms`
    package init(
        slots: Int, waiting: WaitingRoom, lagMax: Duration, clock: any Clock, random: @escaping () -> UInt64
    ) {
        self.slots = slots
        self.waiting = waiting
        surveyEvery = min(.seconds(5), lagMax / 4)
        self.clock = clock
        draw = random
    }

    /// - Parameter name: of a topic id, as far as it is known.
    package func plan(_ request: FetchRequest, version: Int16, name: (UUID128) -> String?) -> Plan {
        let initial: Int32 = 0
        let final: Int32 = -1
        if request.sessionEpoch == initial || request.sessionEpoch == final {
            if request.sessionID != 0 { drop(request.sessionID) }
            return .full(wanted(request, version, name), begins: request.sessionEpoch == initial)
        }
        guard let session = sessions[request.sessionID] else { return .refused(.fetchSessionIDNotFound) }
        guard session.epoch == request.sessionEpoch else { return .refused(.invalidFetchSessionEpoch) }
        guard session.usesTopicIDs == (version >= 13) else { return .refused(.fetchSessionTopicIDError) }
        update(session, request, version, name)
        session.lastUsed = clock.now
        session.epoch = FetchSessions.next(session.epoch)
        if session.partitions.isEmpty {
            drop(session.id)
            return .full([], begins: false)
        }
        if session.isPrivileged { survey(session, replicaEpoch: request.replicaState.replicaEpoch) }
        // A topic may have become known since.
        for partition in session.isPrivileged ? session.due : session.partitions where partition.topic == nil {
            partition.topic = name(partition.topicID)
        }
        return .incremental(session)
    }

    private func survey(_ session: Session, replicaEpoch: Int64) {
        if session.replicaEpoch != replicaEpoch { session.surveyed = nil }
        session.replicaEpoch = replicaEpoch
        if let last = session.surveyed, session.lastUsed - last < surveyEvery { return }
        session.surveyed = session.lastUsed
        for partition in session.partitions { session.mark(partition) }
    }

    /// - Parameter place: where the host of `partition` tells of changes.
    package func watch(_ partition: WantedPartition, at place: WaitingRoom.Place) {
        guard partition.watched != place, partition.session != nil else { return }
        unwatch(partition)
        partition.watched = place
        waiting.watch(place, partition)
    }

    private func unwatch(_ partition: WantedPartition) {
        if let place = partition.watched { waiting.unwatch(place, partition) }
        partition.watched = nil
    }

    private func drop(_ id: Int32) {
        guard let session = sessions.removeValue(forKey: id), session.isPrivileged else { return }
        for partition in session.partitions { release(partition) }
    }

    /// Whoever still answers for it watches nothing anew.
    private func release(_ partition: WantedPartition) {
        unwatch(partition)
        partition.session = nil
    }

    private static func next(_ epoch: Int32) -> Int32 { epoch == .max ? 1 : epoch + 1 }

    private func wanted(_ request: FetchRequest, _ version: Int16, _ name: (UUID128) -> String?) -> [WantedPartition] {
        var result: [WantedPartition] = []
        for topic in request.topics {
            let known = version >= 13 ? name(topic.topicID) : topic.topic
            for partition in topic.partitions {
                let wanted = WantedPartition(
                    key: WantedPartition.Key(
                        topicID: version >= 13 ? topic.topicID : .zero, name: version >= 13 ? "" : topic.topic,
                        partition: partition.partition), topic: known)
                wanted.take(partition)
                result.append(wanted)
            }
        }
        return result
    }

    private func update(_ session: Session, _ request: FetchRequest, _ version: Int16, _ name: (UUID128) -> String?) {
        for topic in request.topics {
            let id = version >= 13 ? topic.topicID : .zero
            let text = version >= 13 ? "" : topic.topic
            for partition in topic.partitions {
                let key = WantedPartition.Key(topicID: id, name: text, partition: partition.partition)
                let wanted: WantedPartition
                if let known = session.index[key] {
                    wanted = known
                } else {
                    wanted = WantedPartition(key: key, topic: version >= 13 ? name(id) : topic.topic)
                    session.index[key] = wanted
                    session.partitions.append(wanted)
                    if session.isPrivileged { wanted.session = session }
                }
                wanted.take(partition)
                if session.isPrivileged { session.mark(wanted) }
            }
        }
        guard !request.forgottenTopicsData.isEmpty else { return }
        for topic in request.forgottenTopicsData {
            for partition in topic.partitions {
                let key = WantedPartition.Key(
                    topicID: version >= 13 ? topic.topicID : .zero, name: version >= 13 ? "" : topic.topic,
                    partition: partition)
                guard let gone = session.index.removeValue(forKey: key) else { continue }
                gone.isForgotten = true
                release(gone)
            }
        }
        session.partitions.removeAll { $0.isForgotten }
        session.due.removeAll { $0.isForgotten }
        session.fresh.removeAll { $0.isForgotten }
    }

    /// A full fetch was answered and asked for a session.
    /// - Returns: its id, 0 when there is no room for it.
    package func begin(
        _ partitions: [WantedPartition], told: [FetchResponse.PartitionData], isFollower: Bool, usesTopicIDs: Bool
    ) -> Int32 {
        guard !partitions.isEmpty, makeRoom(for: partitions.count, isPrivileged: isFollower) else { return 0 }
        var id: Int32 = 0
        while id == 0 || sessions[id] != nil { id = Int32(truncatingIfNeeded: draw() & 0x7fff_ffff) }
        for (partition, data) in zip(partitions, told) { _ = partition.isNews(data) }
        sessions[id] = Session(
            id: id, isPrivileged: isFollower, usesTopicIDs: usesTopicIDs, at: clock.now, partitions: partitions)
        return id
    }

    /// Which of the answers an incremental response has to carry. Partitions that brought records go to the end of the
    /// order,
    /// so that all get their turn when the response is full.
    /// - Parameter told: of the session's partitions; of a follower's session, of those that are due.
    /// - Parameter isSettled: whether nothing is left to do for the follower at this one of them.
    package func news(
        of session: Session, _ told: [FetchResponse.PartitionData], isSettled: (Int) -> Bool = { _ in false }
    ) -> [Bool] {
        var flags: [Bool] = []
        flags.reserveCapacity(told.count)
        var stay: [WantedPartition] = []
        var moved: [WantedPartition] = []
        let looked = session.isPrivileged ? session.due : session.partitions
        for (index, (partition, data)) in zip(looked, told).enumerated() {
            flags.append(partition.isNews(data))
            if session.isPrivileged, isSettled(index) {
                partition.isDue = false
            } else if data.records.count > 0 {
                moved.append(partition)
            } else {
                stay.append(partition)
            }
        }
        if session.isPrivileged {
            session.due = stay + moved
        } else if !moved.isEmpty, !stay.isEmpty {
            session.partitions = stay + moved
        }
        return flags
    }

    /// Room for one more. Somebody unused for two minutes goes; else, after two minutes of life, a smaller one goes
    /// for a larger,
    /// and a consumer's for a follower's.
    private func makeRoom(for size: Int, isPrivileged: Bool) -> Bool {
        if sessions.count < slots { return true }
        guard slots > 0 else { return false }
        let now = clock.now
        // Ties by id, so that the same history evicts the same session.
        guard let oldest = sessions.values.min(by: { ($0.lastUsed, $0.id) < ($1.lastUsed, $1.id) }) else {
            return false
        }
        if now - oldest.lastUsed > evictAfter {
            drop(oldest.id)
            return true
        }
        let weakest =
            sessions.values
            .filter { now - $0.created > evictAfter && (isPrivileged || !$0.isPrivileged) }
            .min {
                ($0.isPrivileged ? 1 : 0, $0.partitions.count, $0.id) < (
                    $1.isPrivileged ? 1 : 0, $1.partitions.count, $1.id
                )
            }
        guard let weakest else { return false }
        let isStronger =
            isPrivileged && !weakest.isPrivileged
            || isPrivileged == weakest.isPrivileged && size > weakest.partitions.count
        guard isStronger else { return false }
        drop(weakest.id)
        return true
    }
}
