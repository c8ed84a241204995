import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// Changes the cluster while things break: moves partitions and changes its mind, asks for elections, makes, grows and deletes
/// topics of its own, changes settings. One request at a time; what was answered with success is held against the tree in the end.
final class Administrator {
    /// What must be true of one of its topics.
    enum Belief: Equatable {
        case there(partitions: Int)
        case gone
        /// A request was not answered.
        case unknown
    }

    private let world: any World
    private let judge: Judge
    private let cluster: ClusterLink
    private var chance: SeededRandom
    private var lastTopic = 0
    private var isBusy = false
    private(set) var topics: [String: Belief] = [:]
    /// `retention.ms` of each of the play's topics; nil when a request was not answered.
    private(set) var retention: [String: String?] = [:]
    private(set) var done = 0
    var isStopping = false

    init(world: any World, judge: Judge) {
        self.world = world
        self.judge = judge
        chance = SeededRandom(seed: world.random())
        let brokers = (0..<Cluster.brokers).map { BrokerAddress(host: "broker-\($0)", port: 9092) }
        var options = LinkOptions(clientID: "administrator")
        options.connectTimeout = .seconds(1)
        options.requestTimeout = .seconds(5)
        cluster = ClusterLink(world: world, bootstrap: brokers, options: options)
        plan()
    }

    /// It has stopped, and nothing of it is under way.
    var isIdle: Bool { isStopping && !isBusy }

    private func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &chance) }

    private func plan() {
        world.after(.milliseconds(draw(200...3000))) { [weak self] in
            guard let self, !self.isStopping else { return }
            self.act()
        }
    }

    /// - Parameter error: of a response: who is not controller any more is not asked again.
    private func ask<R: RequestMessage>(
        _ request: R, error: @escaping (R.Response) -> ErrorCode?, then: @escaping (R.Response?) -> Void
    ) {
        isBusy = true
        let again: (R.Response) -> ErrorCode? = { error($0) == .notController ? .notController : nil }
        cluster.ask(.controller, request, until: world.clock.now + .seconds(8), again: again) { [weak self] result in
            guard let self else { return }
            self.isBusy = false
            self.done += 1
            if case .success(let response) = result { then(response) } else { then(nil) }
            if !self.isStopping { self.plan() }
        }
    }

    private func act() {
        let own = topics.keys.sorted().filter { topics[$0] != .gone }
        switch draw(0...9) {
        case 0, 1, 2: move(to: Array((0..<Int32(Cluster.brokers)).shuffled(using: &chance).prefix(draw(2...3))))
        case 3: move(to: nil)
        case 4: elect()
        case 5, 6: create()
        case 7 where !own.isEmpty: delete(own[draw(0...own.count - 1)])
        case 8 where !own.isEmpty: grow(own[draw(0...own.count - 1)])
        default: configure()
        }
    }

    // MARK: Partitions

    private func move(to replicas: [Int32]?) {
        move([judge.truths[draw(0...judge.truths.count - 1)].partition], replicas)
    }

    private func move(_ partitions: [TopicPartition], _ replicas: [Int32]?, then: @escaping (Bool) -> Void = { _ in }) {
        var request = AlterPartitionReassignmentsRequest()
        request.timeoutMs = 4000
        request.topics = partitions.map { partition in
            .with {
                $0.name = partition.topic
                $0.partitions = [
                    .with {
                        $0.partitionIndex = partition.partition
                        $0.replicas = replicas
                    }
                ]
            }
        }
        ask(request, error: \.errorCode) { response in
            let errors = response?.responses.flatMap(\.partitions).map(\.errorCode) ?? [.requestTimedOut]
            then(response?.errorCode == ErrorCode.none && errors.allSatisfy { $0 == .none })
        }
    }

    /// Everything is to have all replicas again.
    func restore(then: @escaping () -> Void) {
        isStopping = true
        guard !isBusy else { return again(then) }
        move(judge.truths.map(\.partition), (0..<Int32(Cluster.brokers)).map { $0 }) { [weak self] isDone in
            isDone ? then() : self?.again(then)
        }
    }

    private func again(_ then: @escaping () -> Void) {
        world.after(.milliseconds(500)) { [weak self] in self?.restore(then: then) }
    }

    private func elect() {
        var request = ElectLeadersRequest()
        request.electionType = 0
        request.timeoutMs = 4000
        request.topicPartitions = nil
        ask(request, error: \.errorCode) { _ in }
    }

    // MARK: Topics

    private func create() {
        lastTopic += 1
        let (name, partitions, factor) = ("own-\(lastTopic)", draw(1...3), draw(1...Cluster.brokers))
        var request = CreateTopicsRequest()
        request.timeoutMs = 4000
        request.topics = [
            .with {
                $0.name = name
                $0.numPartitions = Int32(partitions)
                $0.replicationFactor = Int16(factor)
            }
        ]
        topics[name] = .unknown
        ask(request, error: \.topics.first?.errorCode) { [weak self] response in
            guard let error = response?.topics.first?.errorCode else { return }
            if error == .none { self?.topics[name] = .there(partitions: partitions) }
        }
    }

    private func delete(_ name: String) {
        var request = DeleteTopicsRequest()
        request.timeoutMs = 4000
        request.topics = [.with { $0.name = name }]
        request.topicNames = [name]
        topics[name] = .unknown
        ask(request, error: \.responses.first?.errorCode) { [weak self] response in
            if response?.responses.first?.errorCode == ErrorCode.none { self?.topics[name] = .gone }
        }
    }

    private func grow(_ name: String) {
        guard case .there(let partitions) = topics[name] else { return plan() }
        var request = CreatePartitionsRequest()
        request.timeoutMs = 4000
        request.topics = [
            .with {
                $0.name = name
                $0.count = Int32(partitions + 1)
                $0.assignments = nil
            }
        ]
        topics[name] = .unknown
        ask(request, error: \.results.first?.errorCode) { [weak self] response in
            if response?.results.first?.errorCode == ErrorCode.none {
                self?.topics[name] = .there(partitions: partitions + 1)
            }
        }
    }

    private func configure() {
        let topic = judge.truths[draw(0...judge.truths.count - 1)].partition.topic
        let value = "\(draw(100_000...999_999))000"
        var request = IncrementalAlterConfigsRequest()
        request.resources = [
            .with {
                $0.resourceType = 2
                $0.resourceName = topic
                $0.configs = [
                    .with {
                        $0.name = "retention.ms"
                        $0.value = value
                    }
                ]
            }
        ]
        retention[topic] = .some(nil)
        ask(request, error: \.responses.first?.errorCode) { [weak self] response in
            if response?.responses.first?.errorCode == ErrorCode.none { self?.retention[topic] = value }
        }
    }
}
