import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform
import SimulatedPlatform

/// What every model client has: its links, one a broker, and what it knows of leaders. It believes no metadata that are older
/// than what it has (KIP-320), as librdkafka and the Java client do.
class ModelClient {
    let name: String
    let world: any World
    let judge: Judge
    private var links: [BrokerLink?] = Array(repeating: nil, count: Cluster.brokers)
    private var leaders: [(broker: Int, epoch: Int32)?] = []
    private var isAsking = false
    private var nextBroker: Int
    var chance: SeededRandom
    /// Everything ends: nothing new is begun.
    var isStopping = false

    init(_ name: String, world: any World, judge: Judge) {
        self.name = name
        self.world = world
        self.judge = judge
        chance = SeededRandom(seed: world.random())
        nextBroker = Int.random(in: 0..<Cluster.brokers, using: &chance)
    }

    var truths: [PartitionTruth] { judge.truths }

    func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &chance) }

    func after(_ milliseconds: Int, _ body: @escaping () -> Void) {
        world.after(.milliseconds(milliseconds), body)
    }

    // MARK: Links

    func link(_ broker: Int) -> BrokerLink {
        if let link = links[broker], !link.isEnded { return link }
        var options = LinkOptions(clientID: name)
        options.connectTimeout = .seconds(1)
        options.requestTimeout = .seconds(3)
        let link = BrokerLink(world: world, to: BrokerAddress(host: "broker-\(broker)", port: 9092), options: options)
        links[broker] = link
        return link
    }

    /// Waits half a second for records of one partition.
    func fetching(_ truth: PartitionTruth, from offset: Offset, _ epoch: Int32, maxBytes: Int32) -> FetchRequest {
        var request = FetchRequest()
        request.maxWaitMs = 500
        request.minBytes = 1
        request.maxBytes = 1 << 20
        request.topics = [
            .with {
                $0.topic = truth.partition.topic
                $0.partitions = [
                    .with {
                        $0.partition = truth.partition.partition
                        $0.currentLeaderEpoch = epoch
                        $0.fetchOffset = offset
                        $0.partitionMaxBytes = maxBytes
                    }
                ]
            }
        ]
        return request
    }

    // MARK: Leaders

    func leader(_ partition: Int) -> (broker: Int, epoch: Int32)? {
        guard leaders.indices.contains(partition) else { return nil }
        return leaders[partition]
    }

    /// Asks one broker after the other, one question at a time.
    func refresh() {
        guard !isAsking else { return }
        isAsking = true
        nextBroker = (nextBroker + 1) % Cluster.brokers
        var request = MetadataRequest()
        request.allowAutoTopicCreation = false
        var topics: [String] = []
        for truth in truths where topics.last != truth.partition.topic { topics.append(truth.partition.topic) }
        request.topics = topics.map { topic in .with { $0.name = topic } }
        link(nextBroker).send(request, timeout: .seconds(1)) { [weak self] result in
            guard let self else { return }
            self.isAsking = false
            if case .success(let response) = result { self.learn(response) }
        }
    }

    private func learn(_ response: MetadataResponse) {
        while leaders.count < truths.count { leaders.append(nil) }
        for topic in response.topics where topic.errorCode == .none {
            for partition in topic.partitions {
                let name = TopicPartition(topic.name ?? "", partition.partitionIndex)
                guard let place = truths.firstIndex(where: { $0.partition == name }) else { continue }
                if let known = leaders[place], partition.leaderEpoch < known.epoch { continue }
                guard partition.leaderID >= 0 else { continue }
                leaders[place] = (Int(partition.leaderID), partition.leaderEpoch)
            }
        }
    }
}
