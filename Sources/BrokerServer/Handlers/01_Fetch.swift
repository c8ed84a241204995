import Broker
import Bytes
import ClusterModel
import KafkaProtocol
import Platform

extension RequestRouter {
    typealias FetchAnswer = (FetchResponse, [FileRegion]) -> Void

    /// Records from where they lie: the response's frame is written around file regions, which go out with sendfile.
    /// Waits in
    /// the waiting room until there is enough, or something to tell.
    func fetch(_ request: FetchRequest, _ context: RequestContext, then: @escaping FetchAnswer) {
        let metadata = node.metadata
        let plan = node.fetchSessions.plan(request, version: context.version) { metadata.name(ofTopic: $0) }
        switch plan {
        case .refused(let code):
            var response = FetchResponse()
            response.errorCode = code
            then(response, [])
        case .full(let wanted, _):
            FetchJob(request, wanted, plan, self, context, then).begin()
        case .incremental(let session):
            FetchJob(request, session.partitions, plan, self, context, then).begin()
        }
    }
}

/// One Fetch from its first look to its reply.
private final class FetchJob {
    /// What is looked at; of a follower's session what is due by then.
    private var wanted: [WantedPartition]
    private let followerSession: FetchSessions.Session?
    private let plan: FetchSessions.Plan
    private let router: RequestRouter
    private let context: RequestContext
    private let then: RequestRouter.FetchAnswer
    private let replica: BrokerID
    private let replicaEpoch: BrokerEpoch
    private let isCommitted: Bool
    /// Of the consumer, where it may be sent to a replica near it.
    private let rack: String?
    private let maxWait: Duration
    private let minBytes: Int
    private let maxBytes: Int

    private var data: [FetchResponse.PartitionData] = []
    private var regions: [FileRegion?] = []
    private var bytes = 0
    /// An error, a divergence: nothing to wait for.
    private var isUrgent = false

    init(
        _ request: FetchRequest, _ wanted: [WantedPartition], _ plan: FetchSessions.Plan, _ router: RequestRouter,
        _ context: RequestContext, _ then: @escaping RequestRouter.FetchAnswer
    ) {
        self.wanted = wanted
        self.plan = plan
        if case .incremental(let session) = plan, session.isPrivileged {
            followerSession = session
        } else {
            followerSession = nil
        }
        self.router = router
        self.context = context
        self.then = then
        replica = BrokerID(context.version >= 15 ? request.replicaState.replicaID : request.replicaID)
        replicaEpoch = BrokerEpoch(request.replicaState.replicaEpoch)
        isCommitted = request.isolationLevel == 1
        rack =
            context.version >= 11 && !request.rackID.isEmpty && router.node.config.sendsConsumersToTheirRack
            ? request.rackID : nil
        maxWait = .milliseconds(Int(max(0, request.maxWaitMs)))
        minBytes = Int(max(0, request.minBytes))
        let most = router.node.config[BrokerKeys.fetchMaxBytes]
        maxBytes = min(Int(max(0, request.maxBytes)), context.version >= 4 ? most : min(most, FetchJob.mostConverted))
    }

    /// The format of records for consumers from before Kafka 0.11.
    private var oldMagic: UInt8? { context.version >= 4 ? nil : context.version >= 2 ? 1 : 0 }
    /// What one request may make of records in an old format: they are in memory until they are sent.
    private static let mostConverted = 8 << 20

    func begin() {
        look()
        if isUrgent || bytes >= minBytes || maxWait <= .zero || isForNothing { return answer() }
        let deadline = router.node.world.clock.now + maxWait
        park(until: deadline)
    }

    private var isForNothing: Bool { followerSession == nil && wanted.isEmpty }

    private func park(until deadline: Instant) {
        // A session's partitions watch their places themselves.
        let places = followerSession == nil ? wanted.compactMap { host($0)?.place } : []
        let visitor = router.node.waiting.park(
            at: places, until: deadline, reason: replica.raw >= 0 ? "follower's fetch" : "fetch",
            isOver: { self.isEnough() },
            then: { _ in
                self.look()
                self.answer()
            })
        context.connection?.visitor = visitor
        followerSession?.parked = visitor
    }

    private func host(_ wanted: WantedPartition) -> PartitionHost? {
        router.node.partitions.host(wanted)
    }

    private func reader(_ wanted: WantedPartition) -> PartitionHost.Reader {
        if replica.raw >= 0 { return .follower(replica, epoch: replicaEpoch, logStart: max(0, wanted.logStart)) }
        return replica.raw == -2 ? .debugger : .consumer(committed: isCommitted, anyReplica: context.version >= 11)
    }

    /// A follower outside the in-sync set gets nothing while its leader has sent too much lately.
    private func holdsBack(_ host: PartitionHost) -> Bool {
        replica.raw >= 0 && isThrottled(host) && !host.leader.inSync.contains(replica)
            && router.node.rates.pause(.leader) > .zero
    }

    private func isThrottled(_ host: PartitionHost) -> Bool {
        host.config.leaderThrottled.contains(partition: host.partition.partition, broker: router.me)
    }

    private func nearerReplica(_ wanted: WantedPartition, _ host: PartitionHost) -> BrokerID? {
        guard let rack, replica.raw == -1 else { return nil }
        let metadata = router.node.metadata
        return host.preferredReader(at: wanted.offset) { metadata.broker($0)?.rack == rack }
    }

    // MARK: Looking

    /// Goes over all partitions in their order and collects what there is within the limits.
    private func look() {
        data.removeAll(keepingCapacity: true)
        regions.removeAll(keepingCapacity: true)
        bytes = 0
        isUrgent = false
        if let followerSession {
            _ = followerSession.takeFresh()
            wanted = followerSession.due
        }
        var left = maxBytes
        guard context.version >= 3 else {
            // These consumers always name their partitions in the same order: another one comes first each time.
            data = Array(repeating: FetchResponse.PartitionData(), count: wanted.count)
            regions = Array(repeating: nil, count: wanted.count)
            let first = router.oldFetches % max(1, wanted.count)
            router.oldFetches &+= 1
            for index in Array(wanted.indices[first...]) + Array(wanted.indices[..<first]) {
                (data[index], regions[index]) = look(at: wanted[index], &left)
            }
            return
        }
        data.reserveCapacity(wanted.count)
        regions.reserveCapacity(wanted.count)
        for wanted in wanted {
            let (answer, region) = look(at: wanted, &left)
            data.append(answer)
            regions.append(region)
        }
    }

    private func look(at wanted: WantedPartition, _ left: inout Int) -> (FetchResponse.PartitionData, FileRegion?) {
        var answer = FetchResponse.PartitionData()
        answer.partitionIndex = wanted.partition
        answer.abortedTransactions = nil
        var region: FileRegion?
        var length = 0
        do throws(PartitionError) {
            guard let host = host(wanted) else { throw .notLeaderOrFollower }
            if followerSession != nil { router.node.fetchSessions.watch(wanted, at: host.place) }
            if let refusal = refusal(wanted, host) {
                refuse(wanted, &answer, refusal)
                return (answer, nil)
            }
            let nearer = nearerReplica(wanted, host)
            let nothing = nearer != nil || holdsBack(host)
            let most = nothing ? 0 : min(Int(max(0, wanted.maxBytes)), left)
            let reading: PartitionHost.Reading
            if let oldMagic {
                // Batches are larger than the messages that such a client knew: each partition gets on by one at least.
                let converted = try host.read(
                    from: wanted.offset, maxBytes: most, atLeastOne: bytes == 0 || context.version <= 2 && left > 0,
                    as: reader(wanted), inMagic: oldMagic)
                reading = converted.reading
                length = converted.bytes.count
                answer.records = .owned(converted.bytes)
            } else {
                reading = try host.read(
                    from: wanted.offset, maxBytes: most, atLeastOneBatch: bytes == 0 && !nothing, as: reader(wanted),
                    currentEpoch: wanted.leaderEpoch, lastFetchedEpoch: wanted.lastFetchedEpoch)
                region = reading.region
                length = reading.length
                answer.records = .elsewhere(length: length)
            }
            answer.highWatermark = reading.highWatermark
            answer.lastStableOffset = reading.lastStable
            answer.logStartOffset = reading.logStart
            if isCommitted {
                answer.abortedTransactions = try host.abortedTransactions(from: wanted.offset).map { transaction in
                    FetchResponse.AbortedTransaction.with {
                        $0.producerID = transaction.producerID
                        $0.firstOffset = transaction.firstOffset
                    }
                }
            }
            if let divergence = reading.divergence {
                answer.divergingEpoch.epoch = divergence.epoch.raw
                answer.divergingEpoch.endOffset = divergence.end
                isUrgent = true
            }
            if let nearer {
                answer.preferredReadReplica = nearer.raw
                isUrgent = true
            }
            bytes += length
            left = max(0, left - length)
        } catch {
            region = nil
            refuse(wanted, &answer, code(of: error, wanted))
        }
        return (answer, region)
    }

    /// What the asker cannot have whatever there is to read.
    private func refusal(_ wanted: WantedPartition, _ host: PartitionHost) -> ErrorCode? {
        guard wanted.topicID.isZero || host.topicID.isZero || wanted.topicID == host.topicID else {
            return .inconsistentTopicID
        }
        // Fetch knows of zstd from 10 on (KIP-110).
        if context.version < 10, host.config.packing?.codec == .zstd { return .unsupportedCompressionType }
        if oldMagic != nil, replica.raw < 0, !host.config.convertsForOldConsumers { return .unsupportedVersion }
        return nil
    }

    private func code(of error: PartitionError, _ wanted: WantedPartition) -> ErrorCode {
        if error == .notLeaderOrFollower, host(wanted) == nil {
            guard let topic = wanted.topic else { return .unknownTopicID }
            return router.absence(of: topic, wanted.partition)
        }
        let code = ErrorCode(rawValue: error.wireCode)
        return code == .kafkaStorageError && context.version <= 5 ? .notLeaderOrFollower : code
    }

    private func refuse(_ wanted: WantedPartition, _ answer: inout FetchResponse.PartitionData, _ code: ErrorCode) {
        answer.errorCode = code
        answer.highWatermark = -1
        answer.records = .elsewhere(length: 0)
        isUrgent = true
        guard context.version >= 16, code == .notLeaderOrFollower || code == .fencedLeaderEpoch,
            let topic = wanted.topic, let known = router.node.metadata.topic(topic)?.partition(wanted.partition)
        else { return }
        answer.currentLeader.leaderID = known.leader.raw
        answer.currentLeader.leaderEpoch = known.leaderEpoch.raw
    }

    /// Whether waiting is over: enough bytes, an error, another epoch. Reads no records; a follower's session is asked about each
    /// change once.
    private func isEnough() -> Bool {
        var found = 0
        for wanted in news() {
            guard let host = host(wanted) else { return true }
            if holdsBack(host) { continue }
            do throws(PartitionError) {
                found += try host.available(
                    from: wanted.offset, maxBytes: Int(max(0, wanted.maxBytes)), enough: minBytes, as: reader(wanted),
                    currentEpoch: wanted.leaderEpoch)
            } catch {
                return true
            }
            if found >= minBytes { return true }
        }
        return false
    }

    /// What may have made the difference since the last look.
    private func news() -> [WantedPartition] {
        guard let followerSession else { return wanted }
        let fresh = followerSession.takeFresh()
        return minBytes <= 1 ? fresh : followerSession.due
    }

    // MARK: Answering

    private func answer() {
        followerSession?.parked = nil
        var response = FetchResponse()
        var told: [Bool]?
        switch plan {
        case .full(_, begins: true):
            response.sessionID = router.node.fetchSessions.begin(
                wanted, told: data, isFollower: replica.raw >= 0, usesTopicIDs: context.version >= 13)
        case .full: break
        case .incremental(let session):
            response.sessionID = session.id
            told = router.node.fetchSessions.news(of: session, data) { isSettled(wanted[$0], data[$0]) }
        case .refused: break
        }
        var sent: [FileRegion] = []
        for (index, wanted) in wanted.enumerated() where told?[index] ?? true {
            if let region = regions[index] {
                sent.append(region)
                if replica.raw >= 0, let host = host(wanted), isThrottled(host) {
                    router.node.rates.sent(region.length, .leader)
                }
            }
            let last = response.responses.count - 1
            // Neighbours of one topic share its entry.
            if last >= 0, response.responses[last].topicID == wanted.topicID,
                response.responses[last].topic == wanted.key.name
            {
                response.responses[last].partitions.append(data[index])
            } else {
                response.responses.append(
                    .with {
                        $0.topicID = wanted.topicID
                        $0.topic = wanted.key.name
                        $0.partitions = [data[index]]
                    })
            }
        }
        if context.version >= 16 { tellEndpoints(&response) }
        then(response, sent)
    }

    /// Nothing more will come of looking at it, until it is woken or asked for anew.
    private func isSettled(_ wanted: WantedPartition, _ answer: FetchResponse.PartitionData) -> Bool {
        guard answer.errorCode == .none, answer.records.count == 0, answer.divergingEpoch.endOffset < 0,
            let host = host(wanted)
        else { return false }
        return wanted.offset >= host.log.logEndOffset && host.leader.inSync.contains(replica)
    }

    private func tellEndpoints(_ response: inout FetchResponse) {
        for answer in data where answer.currentLeader.leaderID >= 0 {
            let leader = answer.currentLeader.leaderID
            guard !response.nodeEndpoints.contains(where: { $0.nodeID == leader }),
                let there = router.address(of: BrokerID(leader), for: context)
            else { continue }
            response.nodeEndpoints.append(
                .with {
                    $0.nodeID = leader
                    $0.host = there.address.host
                    $0.port = there.address.port
                    $0.rack = there.rack
                })
        }
    }
}
