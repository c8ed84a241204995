import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform
import Replication

/// Carries the in-sync sets that leaders here want to the controller, which alone records them (AlterPartition, KIP-497).
/// One request at a time; what is wanted meanwhile goes with the next.
final class InSyncPublisher {
    private struct Proposal {
        var host: PartitionHost
        var set: InSyncSet
        var expecting: PartitionEpoch
    }

    private unowned let node: BrokerNode
    private var waiting: [Proposal] = []
    private var isAsking = false
    private var link: BrokerLink?

    init(node: BrokerNode) { self.node = node }

    func propose(_ set: InSyncSet, for host: PartitionHost, expecting: PartitionEpoch) {
        waiting.removeAll { $0.host === host }
        waiting.append(Proposal(host: host, set: set, expecting: expecting))
        guard !isAsking else { return }
        isAsking = true
        node.world.timers.soon { [weak self] in self?.ask() }
    }

    private func ask() {
        let asked = waiting.filter { $0.host.isLeader }
        waiting = []
        guard !asked.isEmpty else {
            isAsking = false
            return
        }
        var request = AlterPartitionRequest()
        request.brokerID = node.id.raw
        request.brokerEpoch = node.epoch.raw
        for proposal in asked {
            let partition = AlterPartitionRequest.PartitionData.with {
                $0.partitionIndex = proposal.host.partition.partition
                $0.leaderEpoch = proposal.host.leaderEpoch.raw
                $0.partitionEpoch = proposal.expecting.raw
                $0.newIsrWithEpochs = proposal.set.members.map { member in
                    .with {
                        $0.brokerID = member.raw
                        $0.brokerEpoch =
                            member == node.id
                            ? node.epoch.raw : proposal.host.leader.follower(member)?.brokerEpoch.raw ?? -1
                    }
                }
            }
            let id = proposal.host.topicID
            if let place = request.topics.firstIndex(where: { $0.topicID == id }) {
                request.topics[place].partitions.append(partition)
            } else {
                request.topics.append(
                    .with {
                        $0.topicID = id
                        $0.partitions = [partition]
                    })
            }
        }
        send(request) { [weak self] response in self?.answered(asked, response) }
    }

    private func send(_ request: AlterPartitionRequest, then: @escaping (AlterPartitionResponse?) -> Void) {
        if let controller = node.controller, controller.isController {
            return controller.alterPartition(request, then: then)
        }
        guard let there = node.metadata.broker(node.metadata.controller), there.id != node.id,
            let known = there.address(listener: node.config.interBrokerListener) ?? there.addresses.first
        else { return node.world.timers.soon { then(nil) } }
        let address = BrokerAddress(host: known.host, port: Int(known.port))
        if link?.isEnded != false || link?.address != address {
            link?.close()
            link = BrokerLink(world: node.world, to: address, options: LinkOptions(clientID: "broker-\(node.id)"))
        }
        link?.send(request) { result in then(try? result.get()) }
    }

    private func answered(_ asked: [Proposal], _ response: AlterPartitionResponse?) {
        guard let response, response.errorCode == .none else {
            // Nobody knows whether it was recorded: the same again, to whoever is controller then.
            node.world.after(.milliseconds(500)) { [weak self] in
                for proposal in asked { proposal.host.inSyncSetRefused(.unanswered) }
                self?.ask()
            }
            return
        }
        for proposal in asked {
            let answer = response.topics.first { $0.topicID == proposal.host.topicID }?.partitions
                .first { $0.partitionIndex == proposal.host.partition.partition }
            guard let answer else {
                proposal.host.inSyncSetRefused(.unanswered)
                continue
            }
            switch answer.errorCode {
            case .none:
                proposal.host.inSyncSetRecorded(
                    InSyncSet(answer.isr.map { BrokerID($0) }), partitionEpoch: PartitionEpoch(answer.partitionEpoch))
                node.world.journal.notice(
                    "in-sync set changed",
                    [
                        "partition": proposal.host.partition,
                        "isr": answer.isr.map(String.init).joined(separator: ","),
                    ])
            case .ineligibleReplica, .operationNotAttempted: proposal.host.inSyncSetRefused(.notAdmitted)
            case .fencedLeaderEpoch, .unknownTopicOrPartition, .unknownTopicID, .invalidUpdateVersion, .invalidRequest,
                .newLeaderElected:
                proposal.host.inSyncSetRefused(.superseded)
            default: proposal.host.inSyncSetRefused(.unanswered)
            }
        }
        node.world.after(.milliseconds(50)) { [weak self] in self?.ask() }
    }
}
