import Broker
import ClusterModel
import CommitLog
import CoordinationServer
import Platform
import Records
import SimulatedPlatform

/// Looks at a node after each of its events and holds what it sees against what was seen before. It sees all machines at once,
/// and acts on none. The numbers are those of the invariants in `README.md`.
final class Judge {
    private let simulation: Simulation
    let cluster: Cluster
    private(set) var truths: [PartitionTruth] = []
    private(set) var violation: String?
    private(set) var acknowledged = 0
    /// Batches sent again that are in the leader's log and that it does not know any more, see `README.md`.
    private(set) var forgotten = 0
    /// Who was controller under which epoch.
    private var controllers: [Int32: Int] = [:]
    private var producerIDs: [Int64: String] = [:]
    private var seenZxid: Int64 = -1
    /// Of each partition, what the group made of it; and when each of its generations was first heard of.
    var commits: [CommitTruth] = []
    var begun: [Int32: Instant] = [:]
    var now: Instant { simulation.now }

    init(simulation: Simulation, cluster: Cluster) {
        self.simulation = simulation
        self.cluster = cluster
        simulation.observer = { [unowned self] node in
            guard violation == nil, let node else { return }
            if let id = cluster.brokerID(node) {
                look(id)
            } else if node === cluster.coordinatorNode {
                lookAtTree()
            }
        }
    }

    func watch(_ partitions: [TopicPartition]) {
        truths += partitions.map { PartitionTruth($0, brokers: Cluster.brokers) }
        commits = Array(repeating: CommitTruth(), count: truths.count)
        seenZxid = -1
    }

    func violated(_ text: String) {
        if violation == nil { violation = text }
    }

    // MARK: After an event of a broker

    private func look(_ id: Int) {
        guard let node = cluster.node(id) else { return }
        if let epoch = node.controller?.epoch {
            let other = controllers.updateValue(id, forKey: epoch.raw)
            if let other, other != id {
                violated("I7: brokers \(other) and \(id) are both controller of epoch \(epoch)")
            }
        }
        for truth in truths {
            guard let host = node.partitions.host(truth.partition) else { continue }
            look(host, truth, id)
        }
    }

    private func look(_ host: PartitionHost, _ truth: PartitionTruth, _ id: Int) {
        let copy = truth.copies[id]
        let end = host.log.logEndOffset
        let highWatermark = host.highWatermark
        let leads = host.isLeader
        let isOther = copy.host != ObjectIdentifier(host) || copy.life != cluster.brokerNodes[id].life
        let changed = isOther || end != copy.end
        guard
            changed || leads != copy.leads || highWatermark != copy.highWatermark
                || host.leaderEpoch.raw != copy.leaderEpoch
        else { return }
        var isTold = true
        if changed, host.log.offlineReason == nil { isTold = holds(host, truth, id, isOther) }
        if !isOther, host.leaderEpoch.raw < copy.leaderEpoch {
            violated(
                "I7: broker \(id) went back from leader epoch \(copy.leaderEpoch) to \(host.leaderEpoch) of \(truth.partition)"
            )
        }
        truth.copies[id].leads = leads
        truth.copies[id].leaderEpoch = host.leaderEpoch.raw
        truth.copies[id].highWatermark = highWatermark
        if leads {
            if !copy.leads || copy.leaderEpoch != host.leaderEpoch.raw || isOther { began(host, truth, id) }
            if !isOther, copy.leads, highWatermark < copy.highWatermark {
                violated(
                    "I5: the high watermark of \(truth.partition) went back from \(copy.highWatermark) to \(highWatermark) on its leader \(id)"
                )
            }
            if highWatermark > truth.end, isTold { committed(host, truth, id) }
        }
        guard host.log.offlineReason == nil, isTold else { return }
        let agreed = truth.copies[id].agreed
        let agreedEnd = agreed == 0 ? 0 : truth.committed[agreed - 1].last + 1
        if highWatermark > agreedEnd {
            violated(
                "I4: broker \(id) believes \(truth.partition) to be committed up to \(highWatermark), and agrees with the others up to \(agreedEnd)"
            )
        }
    }

    /// What a replica holds has changed.
    /// - Returns: false when the log is being closed, and tells nothing more: the next start will.
    private func holds(_ host: PartitionHost, _ truth: PartitionTruth, _ id: Int, _ isOther: Bool) -> Bool {
        var batches = truth.copies[id].batches
        let before = truth.copies[id].end
        let owed = min(truth.copies[id].agreed, truth.copies[id].owed)
        let end = host.log.logEndOffset
        if isOther { batches = [] }
        while let last = batches.last, last.last >= end { batches.removeLast() }
        let from = batches.last.map { $0.last + 1 } ?? host.log.logStartOffset
        guard let new = Judge.batches(host.log, from: from) else { return false }
        for (batch, words) in new {
            truth.remember(words, of: batch)
            if let other = truth.name(batch) {
                violated(
                    "I4: offset \(batch.base) of \(truth.partition) in epoch \(batch.epoch) is \(batch.crc) on broker \(id) and was \(other)"
                )
                return true
            }
            batches.append(batch)
        }
        if (batches.last.map { $0.last + 1 } ?? host.log.logStartOffset) != end {
            violated("the log of \(truth.partition) on broker \(id) ends at \(end), its batches elsewhere")
        }
        if isOther {
            truth.copies[id].host = ObjectIdentifier(host)
            truth.copies[id].life = cluster.brokerNodes[id].life
            truth.copies[id].agreed = 0
            truth.copies[id].owed = .max
        }
        truth.copies[id].batches = batches
        truth.compare(id)
        if isOther, truth.copies[id].agreed < owed, !truth.copies[id].isDamaged, !truth.copies[id].wasDropped {
            violated(
                "\(truth.partition) on broker \(id) ended at \(before), and ends at \(end) after a start: what was committed is "
                    + "gone, though no power failure could take it")
        }
        if truth.holdsAll(id) { truth.copies[id].isDamaged = false }
        judgeInSync(truth)
        return true
    }

    /// A replica became leader, or leads under another epoch.
    private func began(_ host: PartitionHost, _ truth: PartitionTruth, _ id: Int) {
        let epoch = host.leaderEpoch.raw
        let other = truth.leaders.updateValue(id, forKey: epoch)
        if let other, other != id {
            violated("I7: brokers \(other) and \(id) both lead \(truth.partition) in epoch \(epoch)")
        }
        if !truth.holdsAll(id), truth.leaders.keys.allSatisfy({ $0 <= epoch }) {
            let agreed = truth.copies[id].agreed
            violated(
                "I1: broker \(id) leads \(truth.partition) in epoch \(epoch) without what was committed from "
                    + "\(truth.committed[agreed].base) to \(truth.end)")
        }
    }

    /// A leader's high watermark passed what nobody had promised before.
    private func committed(_ host: PartitionHost, _ truth: PartitionTruth, _ id: Int) {
        guard truth.holdsAll(id) else {
            return violated(
                "I4: broker \(id) commits \(truth.partition) up to \(host.highWatermark) in epoch \(host.leaderEpoch), "
                    + "and parts from what was committed at \(truth.committed[truth.copies[id].agreed].base)")
        }
        while truth.end < host.highWatermark {
            guard truth.committed.count < truth.copies[id].batches.count else {
                return violated("I4: broker \(id) commits \(truth.partition) beyond its log's end")
            }
            let batch = truth.copies[id].batches[truth.committed.count]
            let words = truth.words(of: batch)
            truth.commit(batch, words)
            for word in words {
                if let wrong = truth.count(word) { violated("I2, I3: \(truth.partition) at \(batch.base): \(wrong)") }
            }
        }
        if truth.end != host.highWatermark {
            violated(
                "I4: the high watermark \(host.highWatermark) of \(truth.partition) on broker \(id) is within a batch")
        }
        for other in truth.copies.indices { truth.compare(other) }
        judgeInSync(truth)
    }

    /// I9, and stronger: each member whose memory was not lost holds everything that was committed; some member always does. When
    /// all members lost power, before anybody knew, another replica does: the logs of all that are there are compared then.
    private func judgeInSync(_ truth: PartitionTruth) {
        guard let state = truth.recorded, violation == nil else { return }
        var holders = 0
        for member in state.isr {
            let id = Int(member.raw)
            guard truth.copies.indices.contains(id) else { continue }
            if truth.holdsAll(id) {
                holders += 1
            } else if !truth.copies[id].isDamaged {
                let missing = truth.committed[truth.copies[id].agreed].base
                violated(
                    "I9: broker \(id) is in the in-sync set of \(truth.partition) (epoch \(state.leaderEpoch), version "
                        + "\(truth.recordedVersion)) without what was committed at \(missing)")
            }
        }
        if holders == 0, !truth.committed.isEmpty, !truth.copies.indices.contains(where: truth.holdsAll) {
            violated(
                "I9: nobody, in the in-sync set or out of it, \(state.isr) of \(truth.partition), holds everything that was committed"
            )
        }
    }

    // MARK: After an event of the coordinator

    private func lookAtTree() {
        guard let server = cluster.coordinator, server.zxid != seenZxid else { return }
        seenZxid = server.zxid
        for truth in truths {
            if let found = server.peek(Znodes.topic(truth.partition.topic)), found.version != truth.assignmentVersion,
                let assignment = try? TopicAssignment(payload: found.data)
            {
                truth.assigned(assignment)
                truth.assignmentVersion = found.version
            }
            guard let found = server.peek(Znodes.partitionState(truth.partition)),
                found.version != truth.recordedVersion,
                let state = try? PartitionState(payload: found.data)
            else { continue }
            if let before = truth.recorded, state.leaderEpoch < before.leaderEpoch,
                found.version > truth.recordedVersion
            {
                violated(
                    "I7: the leader epoch of \(truth.partition) went back from \(before.leaderEpoch) to \(state.leaderEpoch)"
                )
            }
            truth.recorded = state
            truth.recordedVersion = found.version
            for member in state.isr where truth.copies.indices.contains(Int(member.raw)) {
                if truth.replicas.contains(Int(member.raw)) { truth.copies[Int(member.raw)].wasDropped = false }
            }
            if state.isr.isEmpty { violated("I9: the in-sync set of \(truth.partition) is empty") }
            judgeInSync(truth)
        }
        lookAtCommits()
    }

    // MARK: What clients tell

    /// A producer was told that its batch lies at `base`; it began with `word`.
    func acknowledged(_ truth: PartitionTruth, at base: Offset, _ word: String, by broker: Int) {
        acknowledged += 1
        guard let index = truth.index(of: base), truth.committed[index].base == base, truth.words[index].first == word
        else {
            return violated(
                "I1: broker \(broker) acknowledged \(word) at \(base) of \(truth.partition), where "
                    + (truth.index(of: base).map { "\(truth.words[$0])" } ?? "nothing") + " is committed")
        }
    }

    /// A producer was told that its oldest batch is out of order. The leader may know only the last batch of each producer that a
    /// snapshot kept, as Kafka does; what it does not hold at all would be a loss.
    func outOfOrder(_ truth: PartitionTruth, producer: Int64, sequence: Int32, by broker: Int) -> Bool {
        let isThere = truth.copies[broker].batches.contains { $0.producer == producer && $0.sequence == sequence }
        if isThere { forgotten += 1 }
        return isThere
    }

    /// A consumer was given a batch.
    func read(_ truth: PartitionTruth, _ batch: RecordBatch, by reader: String) {
        let given = Judge.known(batch)
        guard let index = truth.index(of: given.base), truth.committed[index] == given else {
            return violated(
                "I6: \(reader) read offset \(given.base) of \(truth.partition), epoch \(given.epoch), which is not what was committed there"
            )
        }
    }

    func producerID(_ id: Int64, for producer: String) {
        if let other = producerIDs.updateValue(producer, forKey: id) {
            violated("the producer id \(id) was given to \(other) and to \(producer)")
        }
    }

    // MARK: Faults

    /// I1 promises nothing when everybody who held a record loses it: is there another member of each in-sync set that would
    /// keep what `id` holds?
    func mayLosePower(_ id: Int) -> Bool {
        truths.allSatisfy { truth in
            guard let state = truth.recorded else { return true }
            return state.isr.contains { member in
                let other = Int(member.raw)
                return other != id && truth.copies.indices.contains(other) && !truth.copies[other].isDamaged
                    && truth.holdsAll(other)
            }
        }
    }

    /// - Parameter syncsEach: what it acknowledged to a leader is synced; what it only wrote may be lost all the same.
    func losesPower(_ id: Int, syncsEach: Bool) {
        for truth in truths {
            guard syncsEach else {
                truth.copies[id].isDamaged = true
                continue
            }
            let isMember = truth.recorded?.isr.contains(BrokerID(Int32(id))) ?? false
            truth.copies[id].owed = min(truth.copies[id].owed, isMember ? truth.copies[id].agreed : 0)
        }
    }

    // MARK: At the end

    /// All led, all in sync, all the same.
    func isWhole() -> Bool {
        truths.allSatisfy { truth in
            guard let state = truth.recorded, !truth.isMoving,
                state.isr.count == truth.replicas.count, state.leader.raw >= 0
            else {
                return false
            }
            let leader = Int(state.leader.raw)
            guard truth.copies.indices.contains(leader), truth.copies[leader].leads,
                truth.copies[leader].leaderEpoch == state.leaderEpoch.raw
            else { return false }
            return truth.replicas.allSatisfy { id in
                truth.copies[id].batches.count == truth.committed.count && truth.holdsAll(id)
                    && truth.copies[id].highWatermark == truth.end
            }
        }
    }

    /// Why it is not whole.
    func lacks() -> String {
        truths.map { truth in
            let state = truth.recorded
            let copies = truth.copies.indices.map { id in
                let copy = truth.copies[id]
                return
                    "\(id)\(copy.leads ? " leads" : ""): epoch \(copy.leaderEpoch) end \(copy.end) high watermark \(copy.highWatermark)"
            }
            return
                "\(truth.partition): leader \(state?.leader.raw ?? -1) epoch \(state?.leaderEpoch.raw ?? -1) in sync "
                + "\(state?.isr.map(\.description).joined(separator: ",") ?? "?"), committed \(truth.end); "
                + copies.joined(separator: "; ")
        }.joined(separator: "\n")
    }

    // MARK: Reading logs

    static func known(_ batch: RecordBatch) -> KnownBatch {
        KnownBatch(
            base: batch.baseOffset, last: batch.lastOffset, epoch: batch.leaderEpoch.raw, crc: batch.crc,
            producer: batch.producerID, producerEpoch: batch.producerEpoch, sequence: batch.baseSequence)
    }

    /// Nil when the log cannot be read from.
    private static func batches(_ log: PartitionLog, from: Offset) -> [(KnownBatch, [String])]? {
        var found: [(KnownBatch, [String])] = []
        var offset = from
        while offset < log.logEndOffset {
            let end = log.logEndOffset
            guard
                let bytes = try? log.read(from: offset, maxBytes: 1 << 16, below: end, atLeastOneBatch: true).contents()
            else { return nil }
            let before = offset
            bytes.withUnsafeBytes { raw in
                var reader = RecordBatches(raw)
                while let batch = try? reader.next(), batch.crcMatches {
                    if batch.baseOffset >= offset {
                        found.append((known(batch), words(batch)))
                        offset = batch.nextOffset
                    }
                }
            }
            if offset == before { break }
        }
        return found
    }

    private static func words(_ batch: RecordBatch) -> [String] {
        ((try? batch.ownedRecords()) ?? []).map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
}
