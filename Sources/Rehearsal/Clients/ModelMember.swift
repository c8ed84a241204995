import Bytes
import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform
import Records

/// A member of the group `Judge.group`: joins, takes its share of all partitions, reads on from what was committed, and commits
/// what it has processed. It believes whatever its group's owner says, and begins over when that is an error, as the Java
/// client does.
final class ModelMember: ModelClient {
    private let bootAt: Instant
    private var owner: Int?
    private var memberID = ""
    private var generation: Int32 = -1
    /// What belongs to an older one is nobody's: each joining begins another.
    private var round = 0
    /// Of its share: what is read next, and what was committed.
    private var positions: [Int: Offset] = [:]
    private var commits: [Int: Offset] = [:]
    private var isCommitting = false

    override init(_ name: String, world: any World, judge: Judge) {
        bootAt = world.clock.now
        super.init(name, world: world, judge: judge)
        refresh()
        after(draw(1...200)) { [weak self] in self?.findOwner() }
    }

    /// For a play that stands still.
    var state: String {
        "\(name): owner \(owner.map { "\($0)" } ?? "unknown"), generation \(generation), "
            + "share \(positions.keys.sorted().map { "\(truths[$0].partition) at \(positions[$0] ?? -1)" })"
    }

    private func begin(again milliseconds: ClosedRange<Int> = 50...150, _ next: @escaping () -> Void) {
        round += 1
        generation = -1
        positions = [:]
        commits = [:]
        isCommitting = false
        let round = round
        after(draw(milliseconds)) { [weak self] in
            guard let self, round == self.round, !self.isStopping else { return }
            next()
        }
    }

    private func startOver() { begin { [weak self] in self?.findOwner() } }
    private func joinAgain() { begin(again: 1...20) { [weak self] in self?.join() } }

    /// What an error of the owner means.
    private func refused(_ error: ErrorCode) {
        switch error {
        case .rebalanceInProgress: joinAgain()
        case .illegalGeneration: joinAgain()
        case .unknownMemberID, .fencedInstanceID:
            memberID = ""
            joinAgain()
        case .notCoordinator, .coordinatorNotAvailable, .coordinatorLoadInProgress, .requestTimedOut: startOver()
        default:
            judge.violated("the owner of \(Judge.group) refused \(name) with \(error)")
        }
    }

    // MARK: Joining

    private func findOwner() {
        round += 1
        let round = round
        var request = FindCoordinatorRequest()
        request.key = Judge.group
        request.keyType = 0
        link(draw(0...Cluster.brokers - 1)).send(request, atMost: 3, timeout: .seconds(2)) { [weak self] result in
            guard let self, round == self.round else { return }
            guard case .success(let response) = result, response.errorCode == .none else { return self.startOver() }
            self.owner = Int(response.nodeID)
            self.join()
        }
    }

    private func join() {
        guard let owner else { return findOwner() }
        round += 1
        let round = round
        var request = JoinGroupRequest()
        request.groupID = Judge.group
        request.sessionTimeoutMs = 3000
        request.rebalanceTimeoutMs = 4000
        request.memberID = memberID
        request.protocolType = "consumer"
        request.protocols = [
            .with {
                $0.name = "range"
                $0.metadata = subscription()
            }
        ]
        link(owner).send(request, timeout: .seconds(10)) { [weak self] result in
            guard let self, round == self.round else { return }
            guard case .success(let response) = result else { return self.startOver() }
            switch response.errorCode {
            case .none:
                self.memberID = response.memberID
                self.generation = response.generationID
                self.sync(response, owner)
            case .memberIDRequired:
                self.memberID = response.memberID
                self.join()
            default: self.refused(response.errorCode)
            }
        }
    }

    /// As the consumer protocol writes it: version 0, the topics, no user data.
    private func subscription() -> [UInt8] {
        var topics: [String] = []
        for truth in truths where topics.last != truth.partition.topic { topics.append(truth.partition.topic) }
        var bytes: [UInt8] = [0, 0] + ModelMember.bytes(Int32(topics.count))
        for topic in topics {
            bytes += [UInt8(topic.utf8.count >> 8), UInt8(topic.utf8.count & 0xff)] + Array(topic.utf8)
        }
        return bytes + ModelMember.bytes(-1)
    }

    private static func bytes(_ number: Int32) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    private func sync(_ joined: JoinGroupResponse, _ owner: Int) {
        let (round, generation) = (round, generation)
        var request = SyncGroupRequest()
        request.groupID = Judge.group
        request.generationID = generation
        request.memberID = memberID
        request.protocolType = "consumer"
        request.protocolName = "range"
        if joined.leader == memberID {
            let members = joined.members.map(\.memberID).sorted()
            request.assignments = members.enumerated().map { place, member in
                .with {
                    $0.memberID = member
                    $0.assignment = truths.indices.filter { $0 % members.count == place }
                        .flatMap { ModelMember.bytes(Int32($0)) }
                }
            }
        }
        link(owner).send(request, timeout: .seconds(10)) { [weak self] result in
            guard let self, round == self.round else { return }
            guard case .success(let response) = result else { return self.startOver() }
            guard response.errorCode == .none else { return self.refused(response.errorCode) }
            let bytes = response.assignment
            let share = stride(from: 0, to: bytes.count - bytes.count % 4, by: 4).map { at in
                bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
            }
            self.judge.assigned(share, to: self.memberID, in: generation)
            self.readCommitted(share, owner)
            // It may leave at once, which ends this round.
            self.heartbeat(owner, round)
        }
    }

    private func heartbeat(_ owner: Int, _ round: Int) {
        guard round == self.round, !isStopping else { return }
        if draw(0...300) == 0 { return leave(owner) }
        var request = HeartbeatRequest()
        request.groupID = Judge.group
        request.generationID = generation
        request.memberID = memberID
        link(owner).send(request, timeout: .seconds(2)) { [weak self] result in
            guard let self, round == self.round else { return }
            guard case .success(let response) = result else { return self.startOver() }
            guard response.errorCode == .none else { return self.refused(response.errorCode) }
            self.after(self.draw(200...500)) { [weak self] in self?.heartbeat(owner, round) }
        }
    }

    /// Goes, and comes back as somebody new.
    private func leave(_ owner: Int) {
        var request = LeaveGroupRequest()
        request.groupID = Judge.group
        request.memberID = memberID
        memberID = ""
        link(owner).send(request, atMost: 2, timeout: .seconds(2)) { _ in }
        begin(again: 100...3000) { [weak self] in self?.findOwner() }
    }

    // MARK: Offsets

    private func readCommitted(_ share: [Int], _ owner: Int) {
        guard !share.isEmpty else { return }
        let round = round
        var request = OffsetFetchRequest()
        request.groupID = Judge.group
        request.topics = share.map { index in
            .with {
                $0.name = truths[index].partition.topic
                $0.partitionIndexes = [truths[index].partition.partition]
            }
        }
        let due = judge.commits.map(\.acknowledged)
        link(owner).send(request, atMost: 7, timeout: .seconds(3)) { [weak self] result in
            guard let self, round == self.round else { return }
            guard case .success(let response) = result else { return self.startOver() }
            guard response.errorCode == .none else { return self.refused(response.errorCode) }
            for topic in response.topics {
                for partition in topic.partitions {
                    let name = TopicPartition(topic.name, partition.partitionIndex)
                    guard let index = self.truths.firstIndex(where: { $0.partition == name }) else { continue }
                    guard partition.errorCode == .none else { return self.refused(partition.errorCode) }
                    self.judge.told(
                        partition.committedOffset, of: index, atLeast: due[index], by: owner, to: self.memberID)
                    self.positions[index] = max(0, partition.committedOffset)
                    self.commits[index] = max(0, partition.committedOffset)
                }
            }
            for index in share { self.fetch(index, round) }
            self.commitNowAndThen(owner, round)
        }
    }

    private func commitNowAndThen(_ owner: Int, _ round: Int) {
        after(draw(50...400)) { [weak self] in
            guard let self, round == self.round, !self.isStopping else { return }
            self.commit(owner, round)
            self.commitNowAndThen(owner, round)
        }
    }

    private func commit(_ owner: Int, _ round: Int) {
        let news = positions.keys.sorted().filter { positions[$0] != commits[$0] }
        guard !isCommitting, !news.isEmpty else { return }
        isCommitting = true
        var request = OffsetCommitRequest()
        request.groupID = Judge.group
        request.generationIDOrMemberEpoch = generation
        request.memberID = memberID
        let offsets = news.map { (index: $0, offset: positions[$0] ?? 0) }
        request.topics = offsets.map { index, offset in
            .with {
                $0.name = truths[index].partition.topic
                $0.partitions = [
                    .with {
                        $0.partitionIndex = truths[index].partition.partition
                        $0.committedOffset = offset
                    }
                ]
            }
        }
        let (generation, sent) = (generation, world.clock.now)
        link(owner).send(request, timeout: .seconds(6)) { [weak self] result in
            guard let self else { return }
            if case .success(let response) = result {
                for (place, topic) in response.topics.enumerated() where place < offsets.count {
                    guard let answer = topic.partitions.first, answer.errorCode == .none else { continue }
                    self.judge.commitAcknowledged(
                        offsets[place].offset, of: offsets[place].index, in: generation, sent: sent, by: owner)
                }
            }
            guard round == self.round else { return }
            self.isCommitting = false
            guard case .success(let response) = result else { return self.startOver() }
            let errors = response.topics.compactMap(\.partitions.first?.errorCode)
            if let error = errors.first(where: { $0 != .none }) { return self.refused(error) }
            for (index, offset) in offsets { self.commits[index] = offset }
        }
    }

    // MARK: Reading

    private func again(_ index: Int, _ round: Int, after milliseconds: Int) {
        after(milliseconds) { [weak self] in self?.fetch(index, round) }
    }

    private func fetch(_ index: Int, _ round: Int) {
        guard round == self.round, !isStopping, let from = positions[index] else { return }
        guard let leader = leader(index) else {
            refresh()
            return again(index, round, after: 100)
        }
        let truth = truths[index]
        let request = fetching(truth, from: from, leader.epoch, maxBytes: 4000)
        link(leader.broker).send(request, atMost: 12, timeout: .seconds(3)) { [weak self] result in
            guard let self, round == self.round else { return }
            guard case .success(let response) = result, let answer = response.responses.first?.partitions.first,
                answer.errorCode == .none
            else {
                self.refresh()
                return self.again(index, round, after: 100)
            }
            var next = from
            answer.records.withBytes { bytes in
                var reader = RecordBatches(bytes)
                while let batch = try? reader.next() {
                    self.judge.read(truth, batch, by: self.name)
                    if batch.baseOffset > next { break }
                    self.judge.processed(index, batch.baseOffset)
                    next = max(next, batch.nextOffset)
                }
            }
            self.positions[index] = next
            self.again(index, round, after: next == from ? 50 : 5)
        }
    }
}
