import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform
import Replication

/// Brings the leaders' proposals of other in-sync sets to the controller (AlterPartition), and the outcomes back. All that waits
/// goes in one request, one request is under way at a time; what was not answered is asked again.
final class InSyncPublisher {
    enum Controller {
        case here(ControllerDriver)
        case there(BrokerAddress)
    }

    private struct Proposal {
        var host: PartitionHost
        var set: InSyncSet
        var leaderEpoch: LeaderEpoch
        var expecting: PartitionEpoch
    }

    private let world: any World
    private let me: BrokerID
    private let brokerEpoch: () -> BrokerEpoch
    private let controller: () -> Controller?
    private var waiting: [Proposal] = []
    /// Who was refused a moment ago: a follower that stops would be proposed again with each of its fetches.
    private var refused: [TopicPartition: Instant] = [:]
    private var isAsking = false
    private var timer: TimerID?
    private var link: BrokerLink?
    private var isOpen = true

    /// Kafka's pause before asking again.
    private let pause = Duration.milliseconds(50)
    private let pauseAfterRefusal = Duration.milliseconds(500)

    init(
        world: any World, me: BrokerID, brokerEpoch: @escaping () -> BrokerEpoch,
        controller: @escaping () -> Controller?
    ) {
        self.world = world
        self.me = me
        self.brokerEpoch = brokerEpoch
        self.controller = controller
    }

    /// The latest proposal of a partition replaces an earlier one that was not sent yet.
    func propose(_ set: InSyncSet, for host: PartitionHost, expecting: PartitionEpoch) {
        guard isOpen else { return }
        waiting.removeAll { $0.host === host }
        let proposal = Proposal(host: host, set: set, leaderEpoch: host.leader.epoch, expecting: expecting)
        if let until = refused[host.partition], until > world.clock.now,
            !set.members.allSatisfy(host.leader.inSync.contains)
        {
            // Refused at once, not kept: as long as it stood, every record would wait for whoever stops.
            world.timers.soon { [weak self] in
                guard host.leader.proposal == set else { return }
                self?.refuse(proposal, .notAdmitted)
            }
            return
        }
        waiting.append(proposal)
        wake(after: .zero)
    }

    /// Whoever was asked is no longer the one to ask, and perhaps dead without a word: its answer is not waited for.
    func controllerChanged() {
        guard isAsking, let link, !link.isEnded else { return }
        if case .there(let address) = controller(), address == link.address { return }
        link.close()
    }

    func stop() {
        isOpen = false
        waiting = []
        if let timer { world.timers.cancel(timer) }
        timer = nil
        link?.close()
        link = nil
    }

    private func wake(after delay: Duration) {
        guard isOpen, !isAsking, timer == nil else { return }
        timer = world.after(delay) { [weak self] in
            guard let self else { return }
            self.timer = nil
            self.send()
        }
    }

    // MARK: Asking

    private func send() {
        guard isOpen, !isAsking else { return }
        // Who no longer leads has nothing to propose; a new leader's mind made its own proposal.
        waiting.removeAll {
            !$0.host.isLeader || $0.host.leader.epoch != $0.leaderEpoch || $0.host.leader.proposal == nil
        }
        guard !waiting.isEmpty else { return }
        guard let controller = controller() else { return wake(after: pause) }
        // One request speaks of topics by id or by name.
        let usesIDs = !(waiting[0].host.topicID.isZero)
        let batch = waiting.filter { $0.host.topicID.isZero != usesIDs }
        waiting.removeAll { one in batch.contains { $0.host === one.host } }
        isAsking = true
        let request = request(batch, usesIDs: usesIDs)
        switch controller {
        case .here(let driver):
            driver.alterPartition(request) { [weak self] response in
                // Never within the proposal.
                self?.world.timers.soon { self?.answered(batch, response, usesIDs) }
            }
        case .there(let address):
            connected(address).send(request, atMost: usesIDs ? .max : 1, timeout: .seconds(5)) { [weak self] result in
                switch result {
                case .success(let response): self?.answered(batch, response, usesIDs)
                case .failure(let error): self?.failed(batch, "\(error)")
                }
            }
        }
    }

    private func connected(_ address: BrokerAddress) -> BrokerLink {
        if let link, !link.isEnded, link.address == address { return link }
        link?.close()
        var options = LinkOptions(clientID: "broker-\(me)")
        options.connectTimeout = .seconds(2)
        options.requestTimeout = .seconds(2)
        let made = BrokerLink(world: world, to: address, options: options)
        link = made
        return made
    }

    private func request(_ batch: [Proposal], usesIDs: Bool) -> AlterPartitionRequest {
        var request = AlterPartitionRequest()
        request.brokerID = me.raw
        request.brokerEpoch = brokerEpoch().raw
        for proposal in batch.sorted(by: { $0.host.partition < $1.host.partition }) {
            let host = proposal.host
            var data = AlterPartitionRequest.PartitionData()
            data.partitionIndex = host.partition.partition
            data.leaderEpoch = proposal.leaderEpoch.raw
            data.partitionEpoch = proposal.expecting.raw
            if usesIDs {
                data.newIsrWithEpochs = proposal.set.members.map { member in
                    .with {
                        $0.brokerID = member.raw
                        $0.brokerEpoch =
                            (member == me ? brokerEpoch() : host.leader.follower(member)?.brokerEpoch ?? .none).raw
                    }
                }
            } else {
                data.newIsr = proposal.set.members.map(\.raw)
            }
            if request.topics.last?.topicName == host.partition.topic {
                request.topics[request.topics.count - 1].partitions.append(data)
            } else {
                request.topics.append(
                    .with {
                        $0.topicName = host.partition.topic
                        $0.topicID = host.topicID
                        $0.partitions = [data]
                    })
            }
        }
        return request
    }

    // MARK: Outcomes

    private func failed(_ batch: [Proposal], _ reason: String) {
        guard isOpen else { return }
        isAsking = false
        world.journal.debug(
            "the controller did not answer about in-sync sets", ["partitions": batch.count, "reason": reason])
        for proposal in batch { refuse(proposal, .unanswered) }
        pauseThenGoOn()
    }

    /// Everything that came in meanwhile waits too: the controller is not there for anybody.
    private func pauseThenGoOn() {
        if let timer { world.timers.cancel(timer) }
        timer = nil
        wake(after: pause)
    }

    private func refuse(_ proposal: Proposal, _ refusal: LeaderReplica.Refusal) {
        guard proposal.host.isLeader, proposal.host.leader.epoch == proposal.leaderEpoch else { return }
        proposal.host.inSyncSetRefused(refusal)
    }

    private func answered(_ batch: [Proposal], _ response: AlterPartitionResponse, _ usesIDs: Bool) {
        guard isOpen else { return }
        guard response.errorCode == .none else { return failed(batch, "\(response.errorCode)") }
        isAsking = false
        var mustPause = false
        for proposal in batch {
            let host = proposal.host
            let topic = response.topics.first {
                usesIDs ? $0.topicID == host.topicID : $0.topicName == host.partition.topic
            }
            guard let answer = topic?.partitions.first(where: { $0.partitionIndex == host.partition.partition }) else {
                refuse(proposal, .unanswered)
                continue
            }
            switch answer.errorCode {
            case .none:
                refused[host.partition] = nil
                guard host.isLeader, host.leader.epoch == proposal.leaderEpoch else { continue }
                guard answer.leaderEpoch == proposal.leaderEpoch.raw else {
                    refuse(proposal, .superseded)
                    continue
                }
                let recorded = InSyncSet(answer.isr.map { BrokerID($0) })
                world.journal.info(
                    "in-sync set changed",
                    [
                        "partition": host.partition, "from": host.leader.inSync, "to": recorded,
                        "epoch": answer.partitionEpoch,
                    ])
                host.inSyncSetRecorded(recorded, partitionEpoch: PartitionEpoch(answer.partitionEpoch))
            case .ineligibleReplica, .operationNotAttempted:
                refused[host.partition] = world.clock.now + pauseAfterRefusal
                refuse(proposal, .notAdmitted)
            case .fencedLeaderEpoch, .invalidUpdateVersion, .invalidRequest, .unknownTopicOrPartition, .unknownTopicID,
                .newLeaderElected:
                world.journal.info(
                    "in-sync set refused",
                    ["partition": host.partition, "asked": proposal.set, "reason": answer.errorCode])
                refuse(proposal, .superseded)
            default:
                mustPause = true
                refuse(proposal, .unanswered)
            }
        }
        if mustPause { pauseThenGoOn() } else { wake(after: .zero) }
    }
}
