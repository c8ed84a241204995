import Bytes
import ClusterModel
import CommitLog
import KafkaClient
import KafkaProtocol
import Platform
import Replication

// What a source answers: each partition's part goes to its log, and its follower's mind says what comes next.
extension ReplicaFetcher {
    func answered(_ response: FetchResponse) {
        if response.errorCode != .none {
            session.refused()
            return failed("\(response.errorCode)")
        }
        if failures >= 3 { world.journal.info("fetches again", ["leader": source, "attempts": failures]) }
        failures = 0
        let asked = session
        session.answered(under: response.sessionID)
        open = 1
        var unheard: Set<Key> = []
        var isIndexNew = false
        for topic in response.responses {
            for data in topic.partitions {
                let key = Key(
                    topicID: session.usesIDs ? topic.topicID : .zero, name: session.usesIDs ? "" : topic.topic,
                    partition: data.partitionIndex)
                // Meanwhile another leader may have been named: what the old one says is nothing to that.
                if index[key] == nil, !isIndexNew {
                    // Not made yet, or a topic got its id since.
                    index = Dictionary(
                        followed.map { (session.key($0.host), $0) }, uniquingKeysWith: { _, last in last })
                    isIndexNew = true
                }
                guard let one = index[key], asked.knows(one), one.state == .ready, one.from == one.told.fetchOffset,
                    isCurrent(one)
                else {
                    unheard.insert(key)
                    continue
                }
                take(data, one)
            }
        }
        // The source believes that it has told this, a high watermark perhaps that does not move any more: it has to say all again.
        if !unheard.isEmpty, followed.contains(where: { unheard.contains(session.key($0.host)) }) { session.forget() }
        close()
    }

    private func close() {
        open -= 1
        if open == 0 { pump() }
    }

    private func take(_ data: FetchResponse.PartitionData, _ one: Followed) {
        let host = one.host
        one.promised = host.highWatermark
        switch data.errorCode {
        case .none: break
        case .offsetOutOfRange: return askForEnds(one)
        case .fencedLeaderEpoch: return perform(host.following { $0.fenced(askedUnder: one.epoch) }, one)
        default:
            if one.errors == 3 {
                world.journal.info(
                    "a leader refuses a fetch",
                    ["partition": host.partition, "leader": source, "epoch": one.epoch, "reason": data.errorCode])
            }
            return pause(one)
        }
        one.errors = 0
        if data.divergingEpoch.endOffset >= 0 {
            let epoch = LeaderEpoch(data.divergingEpoch.epoch)
            let local = host.log.endOffset(forEpoch: epoch).map {
                Replication.EpochEnd(epoch: $0.epoch, end: $0.endOffset)
            }
            let leader = Replication.EpochEnd(epoch: epoch, end: data.divergingEpoch.endOffset)
            return perform(host.following { $0.diverged(leaderSays: leader, local: local) }, one)
        }
        one.state = .busy
        one.isBehind = data.highWatermark > one.from
        if isThrottled(host) { rates.sent(data.records.count, .follower) }
        open += 1
        data.records.withBytes { records in
            append(records, data.highWatermark, data.logStartOffset, one)
        }
    }

    private func append(
        _ records: UnsafeRawBufferPointer, _ highWatermark: Offset, _ logStart: Offset, _ one: Followed
    ) {
        let host = one.host
        let landed: (Result<[FollowerReplica.Effect], AppendError>) -> Void = { [weak self] result in
            self?.proceed(one, result)
            self?.close()
        }
        host.appendAsFollower(records, leaderHighWatermark: highWatermark, leaderLogStart: logStart) {
            [world, source] result in
            // The leader's log begins in the midst of a batch, which comes whole: an empty log begins with it too.
            if case .failure(.unexpectedOffset(let base, _)) = result, base >= 0,
                host.log.logStartOffset == host.log.nextOffset
            {
                world.journal.info(
                    "begins with a whole batch", ["partition": host.partition, "at": base, "leader": source])
                host.log.restart(at: base) { _ in host.logWasCut() }
                return host.appendAsFollower(
                    records, leaderHighWatermark: highWatermark, leaderLogStart: logStart, then: landed)
            }
            landed(result)
        }
    }

    // MARK: Out of range

    /// What the leader's log holds decides where to go on: asked for at the same connection, earliest and latest.
    private func askForEnds(_ one: Followed) {
        guard let link, link.isReady else { return pause(one) }
        one.state = .busy
        var found: [Offset?] = []
        for timestamp in [Int64(-2), -1] {
            var request = ListOffsetsRequest()
            request.replicaID = me.raw
            request.topics = [
                .with {
                    $0.name = one.host.partition.topic
                    $0.partitions = [
                        .with {
                            $0.partitionIndex = one.host.partition.partition
                            $0.currentLeaderEpoch = one.epoch.raw
                            $0.timestamp = timestamp
                        }
                    ]
                }
            ]
            link.send(request) { [weak self] result in
                guard let self else { return }
                var offset: Offset?
                if case .success(let response) = result, let answer = response.topics.first?.partitions.first,
                    answer.errorCode == .none, answer.offset >= 0
                {
                    offset = answer.offset
                }
                found.append(offset)
                guard found.count == 2, self.isCurrent(one) else { return }
                guard let start = found[0], let end = found[1], start <= end else { return self.pause(one) }
                // Going on from the same place would meet the same answer: not without a pause.
                one.errors += 1
                let effects = one.host.following { $0.outOfRange(leaderStart: start, leaderEnd: end) }
                if effects == [.fetch(from: one.from)] { self.pause(one) } else { self.perform(effects, one) }
            }
        }
    }
}
