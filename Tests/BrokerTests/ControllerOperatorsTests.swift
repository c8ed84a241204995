import ClusterModel
import Controller
import CoordinationClient
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker

@Suite("What operators ask of a controller")
struct ControllerOperatorsTests {
    private let orders = TopicPartition("orders", 0)
    /// Of simulated time, for whatever is waited for.
    private let limit = Duration.seconds(30)

    /// Brokers 0 up, and a topic `orders` with one partition on `replicas`.
    private func cluster(_ count: Int32, replicas: [Int32]) -> PretendCluster {
        let cluster = PretendCluster()
        for id in 0..<count { cluster.start(id) }
        let isUp = cluster.run(within: limit) {
            cluster.controllers.count == 1
                && cluster.brokers.values.allSatisfy { $0.metadata.brokers.count == Int(count) }
        }
        #expect(isUp)
        let controller = cluster.controllers[0]
        var request = controller.create("orders", partitions: -1, replicas: -1)
        var assignment = CreateTopicsRequest.CreatableReplicaAssignment()
        assignment.brokerIDs = replicas
        request.topics[0].assignments = [assignment]
        var created: CreateTopicsResponse?
        controller.admin.createTopics(request) { created = $0 }
        #expect(cluster.run(within: limit) { created != nil })
        #expect(created?.topics.first?.errorCode == ErrorCode.none)
        return cluster
    }

    private func reassign(_ cluster: PretendCluster, to replicas: [Int32]?) -> ErrorCode? {
        var request = AlterPartitionReassignmentsRequest()
        request.topics = [
            .with {
                $0.name = "orders"
                $0.partitions = [
                    .with {
                        $0.partitionIndex = 0
                        $0.replicas = replicas
                    }
                ]
            }
        ]
        var response: AlterPartitionReassignmentsResponse?
        cluster.controllers[0].driver.alterPartitionReassignments(request) { response = $0 }
        #expect(cluster.run(within: limit) { response != nil })
        return response?.responses.first?.partitions.first?.errorCode
    }

    private func moving(_ cluster: PretendCluster)
        -> ListPartitionReassignmentsResponse.OngoingPartitionReassignment?
    {
        var response: ListPartitionReassignmentsResponse?
        cluster.controllers[0].driver.listPartitionReassignments(ListPartitionReassignmentsRequest()) { response = $0 }
        return response?.topics.first?.partitions.first
    }

    /// The leader finds all its replicas in sync.
    private func catchUp(_ cluster: PretendCluster) {
        let controller = cluster.controllers[0]
        guard let view = controller.driver.view?[orders], let recorded = view.recorded else { return }
        let leader = cluster.broker(recorded.state.leader.raw)
        var request = AlterPartitionRequest()
        request.brokerID = leader.id.raw
        request.brokerEpoch = leader.registration.brokerEpoch.raw
        request.topics = [
            .with {
                $0.topicID = controller.metadata.topic("orders")?.id ?? .zero
                $0.partitions = [
                    .with {
                        $0.leaderEpoch = recorded.state.leaderEpoch.raw
                        $0.partitionEpoch = recorded.partitionEpoch.raw
                        $0.newIsrWithEpochs = view.replicas.map { replica in
                            .with {
                                $0.brokerID = replica.raw
                                $0.brokerEpoch = cluster.broker(replica.raw).registration.brokerEpoch.raw
                            }
                        }
                    }
                ]
            }
        ]
        var response: AlterPartitionResponse?
        controller.driver.alterPartition(request) { response = $0 }
        #expect(cluster.run(within: limit) { response != nil })
    }

    @Test("a reassignment is listed while it runs, and ends with the copies where they were asked for") func reassigns()
    {
        let cluster = cluster(3, replicas: [0, 1])
        #expect(reassign(cluster, to: [2, 9]) == .invalidReplicaAssignment)
        #expect(reassign(cluster, to: nil) == .noReassignmentInProgress)
        #expect(reassign(cluster, to: [2, 1]) == ErrorCode.none)
        #expect(moving(cluster)?.replicas == [2, 1, 0])
        #expect(moving(cluster)?.addingReplicas == [2])
        #expect(moving(cluster)?.removingReplicas == [0])
        #expect(cluster.run(within: limit) { cluster.broker(2).told[orders] != nil })
        catchUp(cluster)
        let ended = cluster.run(within: .seconds(5)) {
            cluster.broker(0).deleted == [orders]
                && cluster.brokers.values.allSatisfy {
                    $0.metadata.topic("orders")?.partition(0)?.replicas == [2, 1]
                }
        }
        #expect(ended)
        #expect(moving(cluster) == nil)
        #expect([1, 2].contains(cluster.broker(2).told[orders]?.leader))
    }

    @Test("a reassignment goes on when its controller dies, and can be cancelled at the next one") func survives() {
        let cluster = cluster(4, replicas: [0, 1])
        let old = cluster.controllers[0]
        let target = [Int32](0..<4).filter { $0 != old.id.raw && $0 > 1 }.prefix(1)
        #expect(reassign(cluster, to: Array(target)) == ErrorCode.none)
        cluster.crash(old.id.raw)
        #expect(cluster.run(within: limit) { cluster.controllers.contains { $0.id != old.id } })
        #expect(moving(cluster)?.addingReplicas == Array(target))
        let survivor: Int32 = old.id == 0 ? 1 : 0
        #expect(
            cluster.run(within: limit) {
                cluster.controllers[0].driver.view?[orders]?.recorded?.state.leader.raw == survivor
            })
        #expect(reassign(cluster, to: nil) == ErrorCode.none)
        #expect(moving(cluster) == nil)
        let deleted = cluster.run(within: .seconds(5)) { target.allSatisfy { cluster.broker($0).deleted == [orders] } }
        #expect(deleted)
    }

    @Test("a preferred leader is elected when asked for, and the answer comes when all know") func elects() {
        let cluster = cluster(3, replicas: [0, 1, 2])
        func elect(_ type: Int8) -> ErrorCode? {
            var request = ElectLeadersRequest()
            request.electionType = type
            request.topicPartitions = [
                .with {
                    $0.topic = "orders"
                    $0.partitions = [0]
                }
            ]
            var response: ElectLeadersResponse?
            cluster.controllers[0].driver.electLeaders(request) { response = $0 }
            #expect(cluster.run(within: limit) { response != nil })
            return response?.replicaElectionResults.first?.partitionResult.first?.errorCode
        }
        #expect(elect(0) == .electionNotNeeded)
        #expect(elect(1) == .electionNotNeeded)
        cluster.crash(0)
        let isLed = cluster.run(within: limit) {
            cluster.controllers.contains { $0.driver.view?[orders]?.recorded?.state.leader == 1 }
        }
        #expect(isLed)
        #expect(elect(0) == .preferredLeaderNotAvailable)
        cluster.start(0)
        #expect(cluster.run(within: limit) { cluster.broker(0).told[orders] != nil })
        catchUp(cluster)
        #expect(elect(0) == ErrorCode.none)
        #expect(cluster.brokers.values.allSatisfy { $0.metadata.topic("orders")?.partition(0)?.leader == 0 })
    }

    @Test("brokers that lost power are asked for their logs; the longest leads") func powerLoss() {
        let cluster = cluster(3, replicas: [0, 1, 2])
        cluster.logEnds = [0: [orders: (0, 90)], 1: [orders: (0, 100)], 2: [orders: (0, 95)]]
        cluster.suspects = [0, 1, 2]
        for id in Int32(0)...2 { cluster.crash(id) }
        for id in Int32(0)...2 { cluster.start(id) }
        let led = cluster.run(within: .seconds(60)) {
            cluster.brokers.values.allSatisfy { $0.told[orders]?.leader == 1 && $0.told[orders]?.isr == [1] }
        }
        #expect(led)
    }

    @Test("a log directory that failed costs its broker the leadership") func logDirectory() {
        let cluster = cluster(2, replicas: [0, 1])
        let broker = cluster.broker(0)
        broker.onFailedDirectory = [orders]
        broker.tree.multi([
            .create("\(Znodes.logDirEvents)/log_dir_event_0000000000", LogDirEventPayload(broker: 0).payload)
        ]) { _ in }
        let moved = cluster.run(within: .seconds(5)) {
            cluster.broker(1).told[orders]?.leader == 1 && cluster.broker(1).told[orders]?.isr == [1]
        }
        #expect(moved)
        var left: [String]?
        broker.tree.children(Znodes.logDirEvents) { left = try? $0.get() }
        #expect(cluster.run(within: limit) { left != nil })
        #expect(left == [])
    }

    @Test("the old znodes below /admin are honoured and removed") func oldZnodes() {
        let cluster = cluster(3, replicas: [0, 1])
        let tree = cluster.broker(0).tree
        tree.multi([
            .create(Znodes.reassignPartitions, PartitionListPayload([(partition: orders, replicas: [1, 2])]).payload),
            .create(
                Znodes.preferredReplicaElection,
                PartitionListPayload([(partition: orders, replicas: [])]).payload),
        ]) { _ in }
        #expect(cluster.run(within: limit) { cluster.broker(2).told[orders] != nil })
        catchUp(cluster)
        var left: [String]?
        // Asked now and then: a question asked at every step would make more steps than it answers.
        for _ in 0..<100 where left != ["delete_topics"] {
            left = nil
            tree.children("/admin") { left = try? $0.get() }
            #expect(cluster.run(within: limit) { left != nil })
            cluster.simulation.run(for: .milliseconds(50))
        }
        #expect(left == ["delete_topics"])
        #expect(cluster.controllers[0].driver.view?[orders]?.assignment == .init([1, 2]))
        #expect(cluster.controllers[0].driver.view?[orders]?.recorded?.state.leader == 1)
    }
}
