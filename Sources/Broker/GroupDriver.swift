import Bytes
import ClusterModel
import ConsumerGroups
import KafkaProtocol
import Platform

/// This broker's part in coordinating groups: claims buckets, reads their groups, and performs what the groups decide.
///
/// One instance for the life of the broker. The owner tells it when a session begins and ends; everything else it finds out.
package final class GroupDriver {
    let world: any World
    let me: BrokerID
    let tree: any GroupTree
    let facts: any ClusterFacts
    let store: GroupStore
    var catalog: GroupCatalog
    var ownership: GroupOwnership
    var effects = GroupEffects()

    private var writers: [Int: GroupWriter] = [:]
    /// Buckets given back in this turn.
    private var handedOver: [Int] = []
    private var timers: [String: TimerID] = [:]
    private var replies: [ReplyToken: (GroupAnswer) -> Void] = [:]
    private var lastToken: UInt64 = 0
    private var isPerforming = false

    /// Which session the answers under way belong to: those of an older one are nobody's.
    private var life = 0
    private var isInSession = false
    /// Buckets whose persistent node is known to be there.
    private var madeBuckets: Set<Int> = []
    /// The latest look at each bucket's owner; what an older look brings is stale.
    private var looks = [Int](repeating: 0, count: GroupOwnership.bucketCount)
    private var isReviewPlanned = false
    private var tick: TimerID?
    private var expiry: TimerID?

    package init(
        world: any World, me: BrokerID, tree: any GroupTree, facts: any ClusterFacts, settings: GroupSettings
    ) {
        self.world = world
        self.me = me
        self.tree = tree
        self.facts = facts
        store = GroupStore(world: world, tree: tree)
        catalog = GroupCatalog(settings: settings)
        ownership = GroupOwnership(me: me)
    }

    // MARK: a session's life

    /// The broker has a session and is registered under it (the registration has made `/letterbox`).
    package func sessionBegan() {
        guard !isInSession else { return }
        isInSession = true
        life += 1
        makeRoots(life)
        planTick()
        planExpiry()
    }

    /// The session is over, and with it every role: whoever waits here looks for the new owner.
    package func sessionEnded() {
        guard isInSession else { return }
        isInSession = false
        life += 1
        for bucket in 0..<GroupOwnership.bucketCount { drop(bucket) }
        ownership.sessionLost()
        madeBuckets = []
        for timer in [tick, expiry] { timer.map { world.timers.cancel($0) } }
        tick = nil
        expiry = nil
        perform()
    }

    /// A clean stop: the claims vanish with the session that the broker closes next.
    package func stop() { sessionEnded() }

    /// Brokers came or went. Not needed for correctness: a look every second finds it too.
    package func clusterChanged() { planReview() }

    /// - Parameter id: of the topic that is gone; nil when unknown.
    package func topicDeleted(_ name: String, id: UUID128? = nil) {
        catalog.topicDeleted(name, id: id, into: &effects)
        perform()
    }

    private func makeRoots(_ life: Int) {
        make(GroupPaths.buckets) { [self] in
            guard life == self.life else { return }
            tree.children(GroupPaths.buckets) { [self] result in
                guard life == self.life else { return }
                if case .success(let names) = result { madeBuckets = Set(names.compactMap { Int($0) }) }
                for bucket in 0..<GroupOwnership.bucketCount { look(bucket) }
            }
        }
    }

    /// Makes a node that may be there already.
    private func make(_ path: String, then: @escaping () -> Void) {
        tree.multi([.create(path, [])]) { [self] result in
            switch result {
            case .failure(let failure) where failure.cause == .connectionLost: make(path, then: then)
            case .failure(let failure) where failure.cause == .sessionExpired: break
            case .success, .failure: then()
            }
        }
    }

    private func planTick() {
        tick = world.after(.seconds(1)) { [weak self] in
            self?.planTick()
            self?.review()
        }
    }

    private func planExpiry() {
        expiry = world.after(catalog.settings.retentionCheckInterval) { [weak self] in
            guard let self else { return }
            planExpiry()
            refreshAuthority()
            catalog.expire(at: moment, into: &effects)
            perform()
        }
    }

    // MARK: claims

    private func planReview() {
        guard !isReviewPlanned else { return }
        isReviewPlanned = true
        // What changes together is looked at together: many claims then share a multi.
        world.after(.milliseconds(20)) { [weak self] in
            self?.isReviewPlanned = false
            self?.review()
        }
    }

    private func review() {
        guard isInSession else { return }
        for effect in ownership.liveBrokersAre(facts.liveBrokerIDs, at: world.clock.now) {
            switch effect {
            case .claim(let buckets):
                for start in stride(from: 0, to: buckets.count, by: 32) {
                    claim(Array(buckets[start..<min(start + 32, buckets.count)]))
                }
            case .release(let bucket, let epoch): release(bucket, epoch)
            }
        }
    }

    /// Reads who owns a bucket, and does so again whenever that changes.
    private func look(_ bucket: Int) {
        looks[bucket] += 1
        let (life, number) = (life, looks[bucket])
        func isCurrent() -> Bool { life == self.life && number == self.looks[bucket] }
        tree.observe(GroupPaths.owner(bucket)) { [self] in
            if isCurrent() { look(bucket) }
        } then: { [self] result in
            guard isCurrent() else { return }
            switch result {
            case .success(let node): seen(bucket, node)
            case .failure(let failure) where failure.cause == .sessionExpired: break
            case .failure: look(bucket)
            }
        }
    }

    private func seen(_ bucket: Int, _ node: TreeNode?) {
        let isOurs = node.map { $0.ephemeralOwner == tree.sessionID } ?? false
        switch ownership.buckets[bucket].standing {
        case .elsewhere where isOurs:
            // A claim whose answer was lost.
            return adopt(bucket)
        case .loading where !isOurs, .serving where !isOurs:
            world.journal.info("another broker took over some groups", ["bucket": bucket])
            lose(bucket)
        case .elsewhere, .claiming, .loading, .serving, .releasing: break
        }
        ownership.ownerSeen(
            bucket, node.flatMap { Int32(String(decoding: $0.data, as: UTF8.self)) }.map { BrokerID($0) })
        planReview()
    }

    private func adopt(_ bucket: Int) {
        let life = life
        tree.read(GroupPaths.bucket(bucket)) { [self] result in
            guard life == self.life, ownership.buckets[bucket].standing == .elsewhere else { return }
            switch result {
            case .success(let node): claimed([(bucket, node.version)])
            case .failure: look(bucket)
            }
        }
    }

    private func claim(_ buckets: [Int]) {
        let life = life
        let name = [UInt8]("\(me)".utf8)
        var operations: [TreeOperation] = []
        for bucket in buckets {
            let path = GroupPaths.bucket(bucket)
            operations.append(madeBuckets.contains(bucket) ? .set(path, name) : .create(path, name))
            operations.append(.create(GroupPaths.owner(bucket), name, ephemeral: true))
        }
        tree.multi(operations) { [self] result in
            guard life == self.life else { return }
            switch result {
            case .success(let versions):
                madeBuckets.formUnion(buckets)
                claimed(zip(buckets, stride(from: 0, to: versions.count, by: 2)).map { ($0, versions[$1]) })
            case .failure(let failure):
                if buckets.count > 1, failure.cause != .connectionLost, failure.cause != .sessionExpired {
                    return buckets.forEach { claim([$0]) }
                }
                if failure.operation == 0, let bucket = buckets.first {
                    if failure.cause == .nodeExists { madeBuckets.insert(bucket) }
                    if failure.cause == .noNode { madeBuckets.remove(bucket) }
                }
                for bucket in buckets {
                    ownership.claimFailed(bucket)
                    look(bucket)
                }
            }
        }
    }

    private func claimed(_ claims: [(bucket: Int, epoch: Int32)]) {
        for (bucket, epoch) in claims {
            ownership.claimed(bucket, epoch: epoch)
            catalog.bucketLoading(bucket)
            writers[bucket] = GroupWriter(
                bucket: bucket, epoch: epoch, world: world, tree: tree, timeout: catalog.settings.commitTimeout,
                events: GroupWriter.Events(
                    ended: { [weak self] write, outcome in self?.writeEnded(write, outcome) },
                    delayed: { [weak self] write in self?.writeDelayed(write) },
                    fenced: { [weak self] in self?.fenced(bucket, epoch) }))
        }
        world.journal.debug("claimed group buckets", ["buckets": claims.count, "first": claims.first?.bucket ?? -1])
        load(claims)
    }

    private func load(_ claims: [(bucket: Int, epoch: Int32)]) {
        let life = life
        store.groups { [self] all in
            guard life == self.life else { return }
            guard let all else { return loadLater(claims) }
            var byBucket: [Int: [String]] = [:]
            for group in all { byBucket[GroupOwnership.bucket(of: group), default: []].append(group) }
            for claim in claims { load(claim, byBucket[claim.bucket] ?? []) }
        }
    }

    private func load(_ claim: (bucket: Int, epoch: Int32), _ groups: [String]) {
        let life = life
        store.read(groups) { [self] found in
            guard life == self.life, ownership.buckets[claim.bucket].standing == .loading(epoch: claim.epoch) else {
                return
            }
            guard let found else { return loadLater([claim]) }
            var loaded: [GroupCatalog.LoadedGroup] = []
            for (group, one) in found {
                writers[claim.bucket]?.learn(group, one.nodes)
                if one.isGroup { loaded.append(.init(id: group, stored: one.stored, offsets: one.offsets)) }
            }
            ownership.loaded(claim.bucket)
            let facts = facts
            catalog.bucketLoaded(
                claim.bucket, loaded, topicID: { facts.topicFact($0)?.knownID }, at: moment, into: &effects)
            perform()
        }
    }

    /// The tree could not be read, though the session lives.
    private func loadLater(_ claims: [(bucket: Int, epoch: Int32)]) {
        let life = life
        world.after(.seconds(1)) { [weak self] in
            guard let self, life == self.life else { return }
            load(claims.filter { self.ownership.buckets[$0.bucket].standing == .loading(epoch: $0.epoch) })
        }
    }

    /// Stops serving a bucket; nothing is said to the tree.
    private func drop(_ bucket: Int) {
        writers.removeValue(forKey: bucket)?.close()
        guard catalog.standings[bucket] != .elsewhere else { return }
        catalog.bucketLost(bucket, into: &effects)
    }

    private func lose(_ bucket: Int) {
        drop(bucket)
        ownership.lost(bucket)
        perform()
    }

    private func fenced(_ bucket: Int, _ epoch: Int32) {
        switch ownership.buckets[bucket].standing {
        case .loading(epoch), .serving(epoch): break
        default: return
        }
        world.journal.warning("lost a group bucket", ["bucket": bucket, "epoch": epoch])
        lose(bucket)
        if isInSession { look(bucket) }
    }

    private func release(_ bucket: Int, _ epoch: Int32) {
        let life = life
        let writer = writers.removeValue(forKey: bucket)
        catalog.bucketLost(bucket, into: &effects)
        perform()
        let giveBack = { [self] in
            guard life == self.life else { return }
            let fence = TreeOperation.check(GroupPaths.bucket(bucket), version: epoch)
            tree.multi([fence, .delete(GroupPaths.owner(bucket))]) { [self] _ in
                guard life == self.life else { return }
                ownership.lost(bucket)
                look(bucket)
            }
        }
        if handedOver.isEmpty {
            // Usually many go at once: one line tells of all.
            world.timers.soon { [self] in
                let buckets = handedOver
                handedOver = []
                world.journal.info(
                    "handed group buckets over",
                    ["count": buckets.count, "buckets": buckets.map { "\($0)" }.joined(separator: ",")])
            }
        }
        handedOver.append(bucket)
        if let writer { writer.close(then: giveBack) } else { giveBack() }
    }

    // MARK: what the groups decide

    var moment: Moment { Moment(now: world.clock.now, wallMs: world.clock.wallMs) }

    /// Before anything is answered in the groups' name.
    func refreshAuthority() {
        let now = world.clock.now
        catalog.hasAuthority = isInSession && tree.provenAliveUntil.map { now < $0 } ?? false
    }

    func token(_ reply: @escaping (GroupAnswer) -> Void) -> ReplyToken {
        lastToken += 1
        let token = ReplyToken(raw: lastToken)
        replies[token] = reply
        return token
    }

    /// Performs everything decided so far, in order, also what is decided on the way.
    func perform() {
        guard !isPerforming else { return }
        isPerforming = true
        defer { isPerforming = false }
        while true {
            let list = effects.take()
            if list.isEmpty { return }
            for effect in list {
                switch effect {
                case .answer(let token, let answer): replies.removeValue(forKey: token)?(answer)
                case .wake(let group, let at): wake(group, at)
                case .forget(let group): timers.removeValue(forKey: group).map { world.timers.cancel($0) }
                case .write(let write): writers[GroupOwnership.bucket(of: write.group)]?.enqueue(write)
                }
            }
        }
    }

    private func wake(_ group: String, _ at: Instant) {
        if let older = timers[group] { world.timers.cancel(older) }
        timers[group] = world.timers.schedule(at: at) { [weak self] in
            guard let self else { return }
            timers[group] = nil
            catalog.timeReached(group, at: moment, into: &effects)
            perform()
        }
    }

    private func writeEnded(_ write: GroupWrite, _ outcome: WriteOutcome) {
        catalog.writeEnded(write.id, of: write.group, outcome, at: moment, into: &effects)
        perform()
    }

    private func writeDelayed(_ write: GroupWrite) {
        catalog.writeDelayed(write.id, of: write.group, at: moment, into: &effects)
        perform()
    }
}

extension TopicFact {
    /// Nil when the controller told none.
    var knownID: UUID128? { id.isZero ? nil : id }
}
