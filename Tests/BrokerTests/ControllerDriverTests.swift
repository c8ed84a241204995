import ClusterModel
import CoordinationClient
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import Broker

@Suite("A cluster's controller")
struct ControllerDriverTests {
    private func cluster(_ count: Int32, seed: UInt64 = 1) -> PretendCluster {
        let cluster = PretendCluster(seed: seed)
        for id in 0..<count { cluster.start(id) }
        let ready = cluster.run {
            cluster.controllers.count == 1
                && cluster.brokers.values.allSatisfy { $0.metadata.brokers.count == Int(count) }
        }
        #expect(ready)
        return cluster
    }

    @Test("is one of the brokers, and everybody hears who is live") func elects() {
        let cluster = cluster(3)
        #expect(cluster.controllers.count == 1)
        #expect(cluster.controllers[0].driver.epoch == 1)
        #expect(Set(cluster.brokers.values.map(\.clusterID)).count == 1)
        #expect(cluster.brokers.values.allSatisfy { $0.metadata.controller == cluster.controllers[0].id })
    }

    @Test("creates a topic; the answer comes when every broker knows it") func createsTopic() {
        let cluster = cluster(3)
        let controller = cluster.controllers[0]
        var response: CreateTopicsResponse?
        controller.admin.createTopics(controller.create("orders", partitions: 6, replicas: 2)) { response = $0 }
        cluster.run { response != nil }
        #expect(response?.topics.first?.errorCode == ErrorCode.none)
        #expect(response?.topics.first?.numPartitions == 6)
        for broker in cluster.brokers.values {
            #expect(broker.metadata.topic("orders")?.partitions.count == 6)
            #expect(broker.metadata.topic("orders")?.id == response?.topics.first?.topicID)
        }
        #expect(cluster.brokers.values.map(\.told.count).reduce(0, +) == 12)
        let other = cluster.brokers.values.first { !$0.driver.isController }
        other?.admin.createTopics(controller.create("x")) { response = $0 }
        #expect(response?.topics.first?.errorCode == .notController)
    }

    @Test("refuses what Kafka refuses, by the same codes") func refuses() {
        let cluster = cluster(1)
        let broker = cluster.broker(0)
        func code(_ change: (inout CreateTopicsRequest) -> Void) -> ErrorCode? {
            var request = broker.create("t")
            change(&request)
            var response: CreateTopicsResponse?
            broker.admin.createTopics(request) { response = $0 }
            cluster.run { response != nil }
            return response?.topics.first?.errorCode
        }
        #expect(code { $0.validateOnly = true } == ErrorCode.none)
        #expect(code { _ in } == ErrorCode.none)
        #expect(code { _ in } == .topicAlreadyExists)
        #expect(code { $0.topics[0].name = "a b" } == .invalidTopicException)
        #expect(code { $0.topics[0].name = "a.b" } == ErrorCode.none)
        #expect(code { $0.topics[0].name = "a_b" } == .invalidTopicException)
        #expect(
            code {
                $0.topics[0].name = "u"; $0.topics[0].numPartitions = 0
            } == .invalidPartitions)
        #expect(
            code {
                $0.topics[0].name = "u"; $0.topics[0].replicationFactor = 2
            } == .invalidReplicationFactor)
        #expect(
            code {
                $0.topics[0].name = "u"; $0.topics[0].replicationFactor = 0
            } == .invalidReplicationFactor)
        #expect(
            code {
                $0.topics[0].name = "u"; $0.topics.append($0.topics[0])
            } == .invalidRequest)
        #expect(
            code {
                $0.topics[0].name = "u"
                var config = CreateTopicsRequest.CreatableTopicConfig()
                config.name = "bad"
                $0.topics[0].configs = [config]
            } == .invalidConfig)
        #expect(
            code {
                $0.topics[0].name = "u"
                var assignment = CreateTopicsRequest.CreatableReplicaAssignment()
                assignment.partitionIndex = 1
                assignment.brokerIDs = [0]
                $0.topics[0].numPartitions = -1
                $0.topics[0].replicationFactor = -1
                $0.topics[0].assignments = [assignment]
            } == .invalidReplicaAssignment)
        #expect(
            code {
                $0.topics[0].name = "late"; $0.timeoutMs = 0
            } == .requestTimedOut)
    }

    @Test("deletes a topic everywhere, so that its name can be used again at once") func deletesTopic() {
        let cluster = cluster(2)
        let controller = cluster.controllers[0]
        var created: CreateTopicsResponse?
        controller.admin.createTopics(controller.create("orders", partitions: 3, replicas: 2)) { created = $0 }
        cluster.run { created != nil }
        var request = DeleteTopicsRequest()
        request.topicNames = ["orders", "nothing"]
        request.timeoutMs = 5000
        var deleted: DeleteTopicsResponse?
        controller.admin.deleteTopics(request, version: 5) { deleted = $0 }
        cluster.run { deleted != nil }
        #expect(deleted?.responses.map(\.errorCode) == [ErrorCode.none, .unknownTopicOrPartition])
        #expect(cluster.brokers.values.allSatisfy { $0.metadata.topic("orders") == nil && $0.deleted.count == 3 })
        var again: CreateTopicsResponse?
        controller.admin.createTopics(controller.create("orders", partitions: 1)) { again = $0 }
        cluster.run { again != nil }
        #expect(again?.topics.first?.errorCode == ErrorCode.none)
        #expect(again?.topics.first?.topicID != created?.topics.first?.topicID)
        #expect(cluster.brokers.values.allSatisfy { $0.metadata.topic("orders")?.partitions.count == 1 })
    }

    @Test("adds partitions to a topic") func addsPartitions() {
        let cluster = cluster(2)
        let controller = cluster.controllers[0]
        var created: CreateTopicsResponse?
        controller.admin.createTopics(controller.create("orders", partitions: 2)) { created = $0 }
        cluster.run { created != nil }
        func grow(_ count: Int32) -> ErrorCode? {
            var request = CreatePartitionsRequest()
            var topic = CreatePartitionsRequest.CreatePartitionsTopic()
            topic.name = "orders"
            topic.count = count
            topic.assignments = nil
            request.topics = [topic]
            request.timeoutMs = 5000
            var response: CreatePartitionsResponse?
            controller.admin.createPartitions(request) { response = $0 }
            cluster.run { response != nil }
            return response?.results.first?.errorCode
        }
        #expect(grow(5) == ErrorCode.none)
        #expect(cluster.brokers.values.allSatisfy { $0.metadata.topic("orders")?.partitions.count == 5 })
        #expect(grow(5) == .invalidPartitions)
        #expect(grow(3) == .invalidPartitions)
    }

    @Test("creates a topic by its first use, and answers when it has a leader") func autoCreates() {
        let cluster = cluster(2)
        let broker = cluster.brokers.values.first { !$0.driver.isController }
        var codes: [String: ErrorCode]?
        broker?.admin.autoCreate(["fresh", "bad name"], askedBy: "test") { codes = $0 }
        cluster.run { codes != nil }
        #expect(codes == ["fresh": ErrorCode.none, "bad name": .invalidTopicException])
        #expect(broker?.metadata.topic("fresh")?.partitions.first?.leader != BrokerID.none)
    }

    @Test("gives a broker killed and started again new leader epochs, and waits for no session to expire")
    func quickRestart() {
        let cluster = cluster(1)
        var created: CreateTopicsResponse?
        cluster.broker(0).admin.createTopics(cluster.broker(0).create("orders", partitions: 3)) { created = $0 }
        cluster.run { created != nil }
        #expect(cluster.broker(0).told.values.allSatisfy { $0.leaderEpoch == 0 })
        let epoch = cluster.broker(0).registration.brokerEpoch
        cluster.crash(0)
        cluster.start(0)
        let back = cluster.run(within: .seconds(2)) { cluster.broker(0).told.count == 3 }
        #expect(back)
        #expect(cluster.broker(0).registration.brokerEpoch > epoch)
        #expect(cluster.broker(0).told.values.allSatisfy { $0.leader == 0 && $0.leaderEpoch > 0 })
        #expect(cluster.broker(0).driver.epoch == 2)
    }

    @Test("is replaced when it dies, and its leaderships move") func failover() {
        let cluster = cluster(3)
        let old = cluster.controllers[0]
        var created: CreateTopicsResponse?
        old.admin.createTopics(old.create("orders", partitions: 6, replicas: 3)) { created = $0 }
        cluster.run { created != nil }
        cluster.crash(old.id.raw)
        let moved = cluster.run(within: .seconds(20)) {
            guard let new = cluster.controllers.first, new.id != old.id, let topic = new.metadata.topic("orders") else {
                return false
            }
            return topic.partitions.allSatisfy { $0.leader != old.id && $0.leader.raw >= 0 && $0.inSync.count == 2 }
        }
        #expect(moved)
        #expect(cluster.controllers.first?.driver.epoch == 2)
    }

    @Test("that lost its session changes nothing any more") func zombie() {
        let cluster = cluster(2)
        let old = cluster.controllers[0]
        let node = cluster.simulation.node("b\(old.id)")
        node.pause()
        cluster.run(within: .seconds(30)) { cluster.controllers.contains { $0.id != old.id } }
        node.resume()
        let settled = cluster.run(within: .seconds(30)) {
            cluster.controllers.count == 1 && cluster.controllers[0].id != old.id
                && cluster.brokers.values.allSatisfy { $0.metadata.brokers.count == 2 }
        }
        #expect(settled)
        #expect(cluster.controllers[0].driver.epoch == 2)
        var response: CreateTopicsResponse?
        old.admin.createTopics(old.create("x")) { response = $0 }
        cluster.run { response != nil }
        #expect(response?.topics.first?.errorCode == .notController)
    }

    @Test("relieves a broker that stops, and records what leaders propose") func shutdownAndInSync() {
        let cluster = cluster(2)
        let controller = cluster.controllers[0]
        var created: CreateTopicsResponse?
        controller.admin.createTopics(controller.create("orders", partitions: 4, replicas: 2)) { created = $0 }
        cluster.run { created != nil }
        let other = cluster.brokers.values.first { $0.id != controller.id }!
        var ask = ControlledShutdownRequest()
        ask.brokerID = other.id.raw
        ask.brokerEpoch = other.registration.brokerEpoch.raw
        var answer: ControlledShutdownResponse?
        controller.driver.controlledShutdown(ask) { answer = $0 }
        cluster.run { answer != nil }
        #expect(answer?.errorCode == ErrorCode.none)
        #expect(answer?.remainingPartitions.isEmpty == true)
        cluster.run {
            controller.told.values.allSatisfy { $0.leader == controller.id.raw && $0.isr == [controller.id.raw] }
        }
        #expect(controller.told.count == 4)

        var alter = AlterPartitionRequest()
        alter.brokerID = controller.id.raw
        alter.brokerEpoch = controller.registration.brokerEpoch.raw
        var topic = AlterPartitionRequest.TopicData()
        topic.topicID = created?.topics.first?.topicID ?? .zero
        var partition = AlterPartitionRequest.PartitionData()
        let state = controller.told[TopicPartition("orders", 0)]
        partition.leaderEpoch = state?.leaderEpoch ?? 0
        partition.partitionEpoch = state?.partitionEpoch ?? 0
        var member = AlterPartitionRequest.BrokerState()
        member.brokerID = other.id.raw
        member.brokerEpoch = other.registration.brokerEpoch.raw
        var me = AlterPartitionRequest.BrokerState()
        me.brokerID = controller.id.raw
        me.brokerEpoch = alter.brokerEpoch
        partition.newIsrWithEpochs = [me, member]
        topic.partitions = [partition]
        alter.topics = [topic]
        var altered: AlterPartitionResponse?
        controller.driver.alterPartition(alter) { altered = $0 }
        cluster.run { altered != nil }
        // It is about to stop: it does not join any more.
        #expect(altered?.topics.first?.partitions.first?.errorCode == .ineligibleReplica)
    }

    @Test("keeps nobody waiting for a broker that is dead but still registered") func deadButRegistered() {
        let cluster = cluster(3)
        let controller = cluster.controllers[0]
        let other = cluster.brokers.values.filter { $0.id != controller.id }.map(\.id).min()!
        cluster.crash(other.raw)
        var created: CreateTopicsResponse?
        controller.admin.createTopics(controller.create("orders", timeoutMs: 30_000)) { created = $0 }
        #expect(cluster.run(within: .seconds(2)) { created != nil })
        #expect(created?.topics.first?.errorCode == ErrorCode.none)
    }

    @Test("takes hundreds of partitions in its stride") func manyPartitions() {
        let cluster = cluster(2)
        let controller = cluster.controllers[0]
        var created: CreateTopicsResponse?
        controller.admin.createTopics(controller.create("wide", partitions: 400, replicas: 2, timeoutMs: 30_000)) {
            created = $0
        }
        #expect(cluster.run(within: .seconds(10)) { created != nil })
        #expect(created?.topics.first?.errorCode == ErrorCode.none)
        cluster.crash(controller.id.raw)
        let moved = cluster.run(within: .seconds(20)) {
            guard let new = cluster.controllers.first, let topic = new.metadata.topic("wide") else { return false }
            return new.id != controller.id && topic.partitions.allSatisfy { $0.leader == new.id }
        }
        #expect(moved)
    }

    @Test("lets the new one finish a deletion that its predecessor began") func deletionSurvives() {
        let cluster = cluster(3)
        let old = cluster.controllers[0]
        var created: CreateTopicsResponse?
        old.admin.createTopics(old.create("orders", partitions: 2, replicas: 1)) { created = $0 }
        cluster.run { created != nil }
        for broker in cluster.brokers.values { broker.isDeaf = true }
        var request = DeleteTopicsRequest()
        request.topicNames = ["orders"]
        request.timeoutMs = 600_000
        old.admin.deleteTopics(request, version: 5) { _ in }
        cluster.simulation.run(for: .milliseconds(500))
        cluster.crash(old.id.raw)
        for broker in cluster.brokers.values { broker.isDeaf = false }
        cluster.simulation.run(for: .seconds(1))
        cluster.start(old.id.raw)
        let gone = cluster.run(within: .seconds(30)) {
            cluster.controllers.first?.driver.view?.topics["orders"] == nil && cluster.controllers.count == 1
        }
        #expect(gone)
    }
}

@Suite("A broker's registration")
struct RegistrationTests {
    @Test("waits for a session that nobody ended, then takes its place") func waitsForExpiry() {
        let cluster = PretendCluster()
        cluster.start(0, endsOldSession: false)
        cluster.run { !cluster.controllers.isEmpty }
        let epoch = cluster.broker(0).registration.brokerEpoch
        cluster.crash(0)
        cluster.start(0)
        let back = cluster.run(within: .seconds(20)) { cluster.broker(0).registration.brokerEpoch > epoch }
        #expect(back)
    }

    @Test("of an id in use is refused in words that say by whom") func idInUse() {
        let cluster = PretendCluster()
        cluster.start(0)
        cluster.run { !cluster.controllers.isEmpty }
        let world = cluster.simulation.node("other").world!
        let connect = ConnectString(hosts: [.init(name: "coordinator", port: 2181)])
        let client = CoordinationClient(world: world, connect: connect, sessionTimeout: .seconds(6)) { _ in }
        client.start()
        let registration = Registration(
            world: world, tree: ClientTree(client),
            settings: .init(
                broker: 0, endpoints: [Endpoint(listener: "PLAINTEXT", host: "other", port: 9092)],
                protocols: [("PLAINTEXT", "PLAINTEXT")], rack: nil, sessionTimeout: .seconds(6),
                sessionFile: "/letterbox.session"))
        var result: Result<BrokerEpoch, Registration.Refusal>?
        registration.register { result = $0 }
        cluster.run { result != nil }
        #expect(result == .failure(.idInUse(0, by: "b0:9092")))
    }

    @Test("is refused where another broker is not Letterbox's, and where the layout is newer") func foreign() {
        let cluster = PretendCluster()
        let world = cluster.simulation.node("other").world!
        let connect = ConnectString(hosts: [.init(name: "coordinator", port: 2181)])
        let client = CoordinationClient(world: world, connect: connect, sessionTimeout: .seconds(6)) { _ in }
        client.start()
        var made = false
        client.makePath("/brokers/ids") { _ in
            client.create(
                "/brokers/ids/7",
                [UInt8](#"{"version":5,"host":"h","port":1,"endpoints":["PLAINTEXT://h:1"],"timestamp":"1"}"#.utf8)
            ) {
                _ in made = true
            }
        }
        cluster.run { made }
        cluster.start(0)
        cluster.run { cluster.broker(0).refusal != nil }
        #expect(cluster.broker(0).refusal == .mixedCluster(7))
        made = false
        client.setData("/letterbox", [UInt8]("9".utf8)) { _ in made = true }
        cluster.run { made }
        cluster.start(1)
        cluster.run { cluster.broker(1).refusal != nil }
        #expect(cluster.broker(1).refusal == .layoutTooNew(found: "9"))
    }

    @Test("remembers its session as text") func remembers() {
        let session = Registration.RememberedSession(id: -3, password: [0, 1, 255])
        #expect(Registration.RememberedSession(text: session.text) == session)
        #expect(Registration.RememberedSession(text: "session=zz\npassword=0") == nil)
    }
}

@Suite("Producer ids")
struct ProducerIDsTests {
    @Test("are never given twice, by any broker") func unique() {
        let cluster = PretendCluster()
        cluster.start(0)
        cluster.start(1)
        cluster.run {
            cluster.brokers.count == 2 && cluster.brokers.values.allSatisfy { $0.registration.brokerEpoch != .none }
        }
        var given: [Int64] = []
        var answers = 0
        for broker in [cluster.broker(0), cluster.broker(1)] {
            for _ in 0..<1500 {
                broker.ids.take { result in
                    answers += 1
                    if case .success(let id) = result { given.append(id) }
                }
            }
        }
        cluster.run { answers == 3000 }
        #expect(given.count == 3000)
        #expect(Set(given).count == 3000)
    }
    @Test("come with epoch 0 without a transactional id, and not at all with one") func answers() {
        let cluster = PretendCluster()
        cluster.start(0)
        cluster.run { !cluster.controllers.isEmpty }
        var request = InitProducerIdRequest()
        request.transactionalID = nil
        var response: InitProducerIdResponse?
        cluster.broker(0).ids.initProducerID(request) { response = $0 }
        cluster.run { response != nil }
        #expect(response?.producerID == 0 && response?.producerEpoch == 0)
        request.transactionalID = "t"
        cluster.broker(0).ids.initProducerID(request) { response = $0 }
        #expect(response?.errorCode == .transactionalIDAuthorizationFailed)
    }
}
