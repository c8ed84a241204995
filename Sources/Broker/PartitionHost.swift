import Bytes
import ClusterModel
import CommitLog
import Platform
import Records
import Replication

/// One replica on this broker: marries a log to a leader's or follower's mind. It reaches nothing global: what it
/// needs from
/// its surroundings it was given, so that partitions can be spread over several loops one day.
package final class PartitionHost {
    package enum Role: Equatable, Sendable {
        /// On disk, but the controller has not yet said what to do with it.
        case idle
        case leader
        case follower
    }

    /// Who reads, and so how far.
    package enum Reader: Equatable, Sendable {
        /// Below the high watermark; with `committed` below the first open transaction.
        /// `anyReplica`: it knows of followers to read from (Fetch 11 and later, KIP-392).
        case consumer(committed: Bool, anyReplica: Bool = false)
        /// A follower: up to the log's end.
        case follower(BrokerID, epoch: BrokerEpoch, logStart: Offset)
        /// A tool (replica id -2): up to the log's end, from any replica.
        case debugger

        var needsLeader: Bool {
            switch self {
            case .consumer(_, let anyReplica): !anyReplica
            case .follower: true
            case .debugger: false
            }
        }
    }

    package struct Reading {
        /// Nil when there is nothing to read.
        package var region: FileRegion?
        package var length: Int { region?.length ?? 0 }
        package var highWatermark: Offset
        package var lastStable: Offset
        package var logStart: Offset
        /// The asker's log parts from this one: nothing is sent, it must cut its log first (KIP-595).
        package var divergence: Replication.EpochEnd?
    }

    /// What the host asks of its broker.
    package struct Surroundings {
        package var clock: any Clock
        package var waiting: WaitingRoom
        /// Another in-sync set is wanted.
        package var propose: (PartitionHost, InSyncSet, PartitionEpoch) -> Void
        /// A broker that may join an in-sync set now: live and not stopping.
        package var mayJoin: (BrokerID) -> Bool
        /// A log here has damage, or may have.
        package var foundDamage: () -> Void = {}
        /// This broker cannot be told who leads: another may, since a while.
        package var isOutOfTouch: () -> Bool = { false }
        package init(
            clock: any Clock, waiting: WaitingRoom,
            propose: @escaping (PartitionHost, InSyncSet, PartitionEpoch) -> Void = { _, _, _ in },
            mayJoin: @escaping (BrokerID) -> Bool = { _ in true }
        ) {
            self.clock = clock
            self.waiting = waiting
            self.propose = propose
            self.mayJoin = mayJoin
        }
    }

    package let partition: TopicPartition
    /// Another one once the replica has moved to another directory.
    package private(set) var log: PartitionLog
    package private(set) var directory: LogDirectory
    package let place: WaitingRoom.Place
    package private(set) var role = Role.idle
    package private(set) var config: TopicConfig
    package internal(set) var leader: LeaderReplica
    package private(set) var follower: FollowerReplica
    /// As the last LeaderAndIsr said; also while following.
    package private(set) var leaderID = BrokerID.none
    package private(set) var leaderEpoch = LeaderEpoch.none
    /// The first of the epochs in which this broker has led without a break: nothing appended since can have been cut off.
    private var leadingSince = LeaderEpoch.none
    package private(set) var partitionEpoch: PartitionEpoch = -1
    package private(set) var replicas: [BrokerID] = []
    let me: BrokerID
    let surroundings: Surroundings
    private var turnedAway = TurnedAway()
    /// What waits while one log takes another one's place.
    private var held: [() -> Void]?
    /// Where followers were sent records from the last time.
    var sentFrom: [BrokerID: Offset] = [:]
    /// Records were cut off the log: whoever copies it must do the same.
    var logWasCut: () -> Void = {}
    var effects: [LeaderReplica.Effect] = []
    private var rules = BatchValidator.Rules()

    package init(
        me: BrokerID, log: PartitionLog, directory: LogDirectory, highWatermark: Offset, config: TopicConfig,
        lagMax: Duration, surroundings: Surroundings
    ) {
        self.me = me
        self.log = log
        self.directory = directory
        self.config = config
        self.surroundings = surroundings
        partition = log.partition
        place = surroundings.waiting.makePlace()
        // A checkpoint may be older than the last truncation or newer than an unclean stop's log.
        let known = max(min(highWatermark, log.logEndOffset), log.logStartOffset)
        leader = LeaderReplica(
            me: me, highWatermark: known,
            settings: LeaderReplica.Settings(lagMax: lagMax, minInSync: config.minInSync))
        follower = FollowerReplica(highWatermark: known, logStart: log.logStartOffset)
        take(config)
        log.foundDamage = surroundings.foundDamage
    }

    package var topicID: UUID128 { log.topicID ?? .zero }
    package var isLeader: Bool { role == .leader }
    package var highWatermark: Offset { role == .leader ? leader.highWatermark : follower.highWatermark }
    /// What a `read_committed` consumer may see.
    package var lastStable: Offset { log.lastStableOffset(highWatermark: highWatermark) }
    package var isOffline: Bool { log.offlineReason != nil }

    // MARK: Roles

    /// LeaderAndIsr named this broker.
    package func becomeLeader(_ leadership: LeaderReplica.Leadership) {
        // Writes of the time before may still be on their way: they belong to the log, and the new epoch begins behind them.
        let known = min(highWatermark, log.nextOffset)
        if role != .leader {
            leader = LeaderReplica(me: me, highWatermark: known, settings: leader.settings)
            leadingSince = leadership.epoch
        }
        role = .leader
        leaderID = me
        let isNewEpoch = leadership.epoch != leaderEpoch || leader.epoch != leadership.epoch
        leaderEpoch = leadership.epoch
        partitionEpoch = leadership.partitionEpoch
        replicas = leadership.replicas
        if isNewEpoch { log.beginEpoch(leadership.epoch) }
        perform(
            leader.becameLeader(
                leadership, logEnd: log.heldEnd, epochStart: log.nextOffset, at: surroundings.clock.now))
        surroundings.waiting.wake(place)
    }

    /// LeaderAndIsr named somebody else, or nobody (``BrokerID/none``).
    /// - Returns: what the fetcher has to do; truncation is done by whoever fetches, before the next fetch.
    @discardableResult
    package func becomeFollower(
        of leaderID: BrokerID, epoch: LeaderEpoch, partitionEpoch: PartitionEpoch, replicas: [BrokerID]
    ) -> [FollowerReplica.Effect] {
        if role != .follower {
            follower = FollowerReplica(highWatermark: highWatermark, logStart: log.logStartOffset)
        }
        role = .follower
        self.leaderID = leaderID
        leaderEpoch = epoch
        self.partitionEpoch = partitionEpoch
        self.replicas = replicas
        let orders = follower.becameFollower(
            of: leaderID, epoch: epoch, logEnd: log.nextOffset, lastEpoch: log.latestEpoch)
        surroundings.waiting.wake(place)
        return orders
    }

    /// The controller wants nothing more of this replica for now.
    package func resign() {
        role = .idle
        leaderID = .none
        surroundings.waiting.wake(place)
    }

    /// The follower's mind, for the fetcher, which performs what it orders.
    package func following<R>(_ body: (inout FollowerReplica) -> R) -> R {
        let result = body(&follower)
        surroundings.waiting.wake(place)
        return result
    }

    /// Records that were accepted in another role have been written.
    func writesLanded() {
        if role == .leader {
            leader.recordsAppended(logEnd: log.heldEnd, at: surroundings.clock.now, into: &effects)
            performCollected()
        }
        surroundings.waiting.wake(place)
    }

    /// The controller told of brokers that came or went.
    func brokersChanged() {
        guard role == .leader, replicas.count > 1 else { return }
        perform(leader.brokersChanged(mayJoin: surroundings.mayJoin, at: surroundings.clock.now))
    }

    // MARK: Settings

    package func configChanged(_ config: TopicConfig) {
        self.config = config
        take(config)
        if role == .leader {
            perform(leader.minInSyncChanged(to: config.minInSync, at: surroundings.clock.now))
        } else {
            leader.settings.minInSync = config.minInSync
        }
    }

    private func take(_ config: TopicConfig) {
        log.settings = config.log
        rules.maxBatchBytes = config.maxMessageBytes
        rules.needsKeys = config.compacts
        rules.oldestMs = config.timestampBeforeMaxMs
        rules.newestMs = config.timestampAfterMaxMs
        rules.usesLogAppendTime = config.usesLogAppendTime
        rules.packing = config.packing
        rules.partition = "\(partition)"
    }

    // MARK: Appending

    /// What a producer sent: checks it, gives it offsets and writes it. The batch's bytes are changed in place.
    /// - Parameter then: once the bytes are written (which says nothing about other replicas: see
    ///   ``verdict(_:upTo:)``).
    ///   The timestamp is what the reply tells: -1 unless the topic stamps records itself.
    package func append(
        _ bytes: UnsafeMutableRawBufferPointer, acks: AcksRequirement, isOldFormat: Bool = false,
        allowsZstd: Bool = true,
        then: @escaping (Result<(range: AppendedRange, timestamp: Int64), PartitionError>) -> Void
    ) {
        if role == .leader, let reason = log.offlineReason { return then(.failure(.storage(reason))) }
        if let refusal = role == .leader ? leader.admits(acks).map(PartitionError.refused) : .notLeaderOrFollower {
            turnedAway.note(UnsafeRawBufferPointer(bytes), refusal, at: surroundings.clock.now)
            return then(.failure(refusal))
        }
        if rules.boundsTimestamps { rules.nowMs = surroundings.clock.wallMs }
        rules.allowsZstd = allowsZstd
        do throws(RecordError) {
            if isOldFormat, let converted = try BatchConversion.upConvert(UnsafeRawBufferPointer(bytes), rules) {
                return write(rebuilt: converted, then: then)
            }
            let batch = try BatchValidator.checkProduced(UnsafeRawBufferPointer(bytes), rules)
            // Nobody could ever end its transaction, and readers of committed records would wait behind it for
            // ever.
            if batch.isTransactional { return then(.failure(.noTransactions)) }
            if let refusal = turnedAway.refusal(of: batch, behind: log.ledger, at: surroundings.clock.now) {
                return then(.failure(refusal))
            }
            if let rebuilt = try BatchPreparation.prepare(bytes, batch, rules) {
                return write(rebuilt: rebuilt, then: then)
            }
        } catch {
            return then(.failure(.records(error)))
        }
        write(bytes, then: then)
    }

    private func write(
        rebuilt: [UInt8], then: @escaping (Result<(range: AppendedRange, timestamp: Int64), PartitionError>) -> Void
    ) {
        var rebuilt = rebuilt
        rebuilt.withUnsafeMutableBytes { write($0, then: then) }
    }

    private func write(
        _ batch: UnsafeMutableRawBufferPointer,
        then: @escaping (Result<(range: AppendedRange, timestamp: Int64), PartitionError>) -> Void
    ) {
        if held != nil {
            var copy = [UInt8](batch)
            let epoch = leaderEpoch
            _ = holds { [self] in
                guard role == .leader, leaderEpoch == epoch else { return then(.failure(.notLeaderOrFollower)) }
                copy.withUnsafeMutableBytes { write($0, then: then) }
            }
            return
        }
        var timestamp: Int64 = -1
        if config.usesLogAppendTime {
            timestamp = surroundings.clock.wallMs
            RecordBatch.stamp(batch, logAppendTime: timestamp)
        }
        let producer = (try? RecordBatch(UnsafeRawBufferPointer(batch)))?.producerID ?? -1
        log.append(batch, leaderEpoch: leaderEpoch) { [self] result in
            switch result {
            case .failure(let error):
                // What seems to be missing may be in the log of whoever leads by now.
                if case .sequenceGap = error, surroundings.isOutOfTouch() {
                    return then(.failure(.notLeaderOrFollower))
                }
                if case .noRoom = error, producer >= 0 {
                    turnedAway.note(producer, .append(error), at: surroundings.clock.now)
                }
                then(.failure(.append(error)))
            case .success(let range):
                if role == .leader {
                    leader.recordsAppended(logEnd: log.heldEnd, at: surroundings.clock.now, into: &effects)
                    performCollected()
                }
                surroundings.waiting.wake(place)
                // What was written before tells its own time.
                then(.success((range, range.isDuplicate ? range.maxTimestamp : timestamp)))
            }
        }
    }

    /// How an `acks=all` append stands; never `waiting` once somebody else has led since the append's epoch. A new epoch of the
    /// same leader, as when a follower has died, takes nothing back.
    package func verdict(_ acks: AcksRequirement, upTo end: Offset, epoch: LeaderEpoch) -> Result<
        AcksVerdict, PartitionError
    > {
        guard role == .leader, epoch >= leadingSince else { return .failure(.notLeaderOrFollower) }
        if let reason = log.offlineReason { return .failure(.storage(reason)) }
        return .success(leader.verdict(for: acks, upTo: end))
    }

    // MARK: Deleting records

    /// DeleteRecords: nothing below `offset` may be read any more; -1 stands for the high watermark.
    /// - Returns: the offset meant; nil when the topic's `cleanup.policy` does not delete.
    package func deleteRecords(below offset: Offset) throws(PartitionError) -> Offset? {
        try admit(currentEpoch: .none, leaderOnly: true)
        guard config.deletes else { return nil }
        let wanted = offset == -1 ? highWatermark : offset
        guard wanted >= 0, wanted <= highWatermark else {
            throw .read(.outOfRange(asked: offset, start: log.logStartOffset, end: highWatermark))
        }
        log.advanceLogStart(to: wanted)
        return wanted
    }

    /// Old segments go, on leaders and followers alike: never what is not committed.
    func retain() {
        guard !isOffline, !isHeld else { return }
        let start = log.logStartOffset
        log.retain(config.retention, highWatermark: highWatermark)
        // Whoever deletes records, or asks for the start, may wait for this.
        if log.logStartOffset != start { surroundings.waiting.wake(place) }
    }

    /// What compaction could do here now; nil where there is none to be done.
    func cleanable() -> Cleanable? {
        guard config.compacts, !isOffline, !isHeld, !log.isBeingCleaned else { return nil }
        return log.cleanable(
            config.compaction, stableBelow: log.lastStableOffset(highWatermark: highWatermark),
            checkpoint: directory.cleanedBelow[partition])
    }

    func clean(
        _ tools: CleanerTools, pause: @escaping (Int) -> Duration, then: @escaping (CleaningOutcome) -> Void
    ) {
        log.clean(
            config.compaction, stableBelow: log.lastStableOffset(highWatermark: highWatermark),
            checkpoint: directory.cleanedBelow[partition], tools: tools,
            pause: pause, then: then)
    }

    /// The lowest start among the live replicas; nil where this is not the leader.
    package var lowWatermark: Offset? {
        guard role == .leader else { return nil }
        return leader.lowWatermark(ownLogStart: log.logStartOffset, live: surroundings.mayJoin)
    }

    // MARK: The in-sync set

    /// Every `replica.lag.time.max.ms` / 2.
    package func checkLag() {
        guard role == .leader, !isOffline else { return }
        perform(leader.lagChecked(at: surroundings.clock.now))
    }
    package func inSyncSetRecorded(_ set: InSyncSet, partitionEpoch: PartitionEpoch) {
        guard role == .leader else { return }
        self.partitionEpoch = max(self.partitionEpoch, partitionEpoch)
        perform(leader.inSyncSetRecorded(set, partitionEpoch: partitionEpoch, at: surroundings.clock.now))
        surroundings.waiting.wake(place)
    }
    package func inSyncSetRefused(_ refusal: LeaderReplica.Refusal) {
        guard role == .leader else { return }
        perform(leader.inSyncSetRefused(refusal, at: surroundings.clock.now))
    }

    /// Whoever was refused may ask again.
    func damageHealed() { surroundings.waiting.wake(place) }

    /// Its directory has failed: whoever waits hears of it.
    func wentOffline() { surroundings.waiting.wake(place) }

    // MARK: Another directory

    /// From now on everything that would change the log waits, until ``release()``.
    func hold() { if held == nil { held = [] } }

    var isHeld: Bool { held != nil }

    /// - Returns: whether `work` waits; false when there is nothing to wait for.
    func holds(_ work: @escaping () -> Void) -> Bool {
        guard held != nil else { return false }
        held?.append(work)
        return true
    }

    func release() {
        let works = held ?? []
        held = nil
        for work in works { work() }
    }

    /// `log` holds what the present one holds, in another directory. What waited goes on there.
    func replaceLog(with log: PartitionLog, in directory: LogDirectory) {
        log.settings = config.log
        log.advanceLogStart(to: self.log.logStartOffset)
        // An epoch that has no record yet was not copied.
        if role == .leader { log.beginEpoch(leaderEpoch) }
        self.log = log
        log.foundDamage = surroundings.foundDamage
        self.directory = directory
        surroundings.waiting.wake(place)
        release()
    }

    /// The partition leaves this broker.
    package func close() {
        role = .idle
        leaderID = .none
        surroundings.waiting.close(place)
    }

    func performCollected() {
        guard !effects.isEmpty else { return }
        let orders = effects
        effects.removeAll(keepingCapacity: true)
        perform(orders)
    }

    private func perform(_ orders: [LeaderReplica.Effect]) {
        for order in orders {
            switch order {
            case .advanceHighWatermark: surroundings.waiting.wake(place)
            // A leader whose disk has failed waits for its successor.
            case .proposeInSyncSet where isOffline: break
            case .proposeInSyncSet(let set, let expecting): surroundings.propose(self, set, expecting)
            }
        }
    }
}
