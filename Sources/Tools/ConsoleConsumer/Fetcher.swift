import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// Where reading of one partition stands.
final class Cursor {
    let place: TopicPartition
    /// The next offset wanted; nil until it is known.
    var position: Int64?
    /// What to ask the leader for while it is not: -1 the end, -2 the start.
    var seek: Int64
    /// Not to be asked for before then.
    var rest = Instant.start
    var isLookingUp = false

    init(_ place: TopicPartition, position: Int64?, seek: Int64) {
        self.place = place
        self.position = position
        self.seek = seek
    }
}

/// Keeps one fetch with every leader, over connections of its own, so that nothing else waits behind a long poll. Follows
/// leaders as they move.
final class Fetcher {
    private let world: any World
    private let cluster: ClusterLink
    private let settings: ConsumerSettings
    /// Whole batches of one partition, the bytes valid during the call.
    var onRecords: (Cursor, FetchResponse.PartitionData) -> Void = { _, _ in }
    var onResponse: () -> Void = {}
    /// The offset wanted is not in the log, or nothing says where to begin.
    var onOutOfRange: (Cursor) -> Void = { _ in }
    var onFatal: (String) -> Void = { _ in }

    private(set) var cursors: [Cursor] = []
    private(set) var lookupsInFlight = 0
    private var links: [Int32: BrokerLink] = [:]
    private var busy: Set<Int32> = []
    private var isStopped = false
    private var isRefreshing = false
    private var refreshAgain = Instant.start
    private var failures = 0
    private var turn = 0

    init(world: any World, cluster: ClusterLink, settings: ConsumerSettings) {
        self.world = world
        self.cluster = cluster
        self.settings = settings
    }

    /// Reads these partitions from now on, and no others.
    func assign(_ cursors: [Cursor]) {
        self.cursors = cursors
        pump()
    }

    func stop() {
        isStopped = true
        for (_, link) in links.sorted(by: { $0.key < $1.key }) { link.close() }
        links = [:]
    }

    /// No more records; lookups go on.
    func pause() { isStopped = true }

    /// Asks for whatever can be asked for now.
    func pump() {
        guard !cursors.isEmpty else { return }
        let now = world.clock.now
        var lookups: [Int32: [Cursor]] = [:]
        var fetches: [Int32: [Cursor]] = [:]
        var isLeaderless = false
        for cursor in cursors where cursor.rest <= now && !cursor.isLookingUp {
            guard let leader = cluster.leader(of: cursor.place.topic, cursor.place.partition) else {
                isLeaderless = true
                continue
            }
            if cursor.position == nil {
                lookups[leader, default: []].append(cursor)
            } else if !isStopped {
                fetches[leader, default: []].append(cursor)
            }
        }
        for (leader, wanted) in lookups.sorted(by: { $0.key < $1.key }) { lookUp(wanted, leader) }
        for (leader, wanted) in fetches.sorted(by: { $0.key < $1.key }) where !busy.contains(leader) {
            fetch(wanted, leader)
        }
        if isLeaderless { refresh() }
    }

    // MARK: Positions

    private func lookUp(_ wanted: [Cursor], _ leader: Int32) {
        var request = ListOffsetsRequest()
        request.replicaID = -1
        request.isolationLevel = settings.isReadCommitted ? 1 : 0
        for cursor in wanted.sorted(by: { $0.place < $1.place }) {
            cursor.isLookingUp = true
            if request.topics.last?.name != cursor.place.topic {
                request.topics.append(.with { $0.name = cursor.place.topic })
            }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partitionIndex = cursor.place.partition
                    $0.timestamp = cursor.seek
                })
        }
        lookupsInFlight += 1
        cluster.ask(.broker(leader), request, until: world.clock.now + .seconds(2)) { [self] result in
            lookupsInFlight -= 1
            for cursor in wanted { cursor.isLookingUp = false }
            guard case .success(let response) = result else { return restAll(wanted) }
            for topic in response.topics {
                for answer in topic.partitions {
                    let place = TopicPartition(topic.name, answer.partitionIndex)
                    guard let cursor = wanted.first(where: { $0.place == place }) else { continue }
                    if answer.errorCode == .none {
                        cursor.position = max(0, answer.oldStyleOffsets.first ?? answer.offset)
                    } else if answer.errorCode.isRetriable {
                        restAll([cursor])
                    } else {
                        onFatal("offsets of \(place) cannot be listed: \(answer.errorCode)")
                    }
                }
            }
            pump()
        }
    }

    // MARK: Records

    private func fetch(_ wanted: [Cursor], _ leader: Int32) {
        guard let link = link(to: leader) else { return refresh() }
        busy.insert(leader)
        turn += 1
        var request = FetchRequest()
        request.maxWaitMs = settings.fetchMaxWaitMs
        request.minBytes = settings.fetchMinBytes
        request.maxBytes = settings.fetchMaxBytes
        request.isolationLevel = settings.isReadCommitted ? 1 : 0
        // Another partition comes first every time, so that a full response starves none.
        let first = turn % wanted.count
        for cursor in wanted[first...] + wanted[..<first] {
            if request.topics.last?.topic != cursor.place.topic {
                request.topics.append(.with { $0.topic = cursor.place.topic })
            }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partition = cursor.place.partition
                    $0.fetchOffset = cursor.position ?? 0
                    $0.partitionMaxBytes = settings.partitionMaxBytes
                })
        }
        let asked = wanted.map { (cursor: $0, offset: $0.position) }
        // Version 13 has ids in place of names.
        link.send(request, atMost: 12, timeout: .seconds(30) + .milliseconds(Int64(settings.fetchMaxWaitMs))) {
            [self] result in
            busy.remove(leader)
            guard !isStopped else { return }
            switch result {
            case .failure: restAll(wanted)
            case .success(let response):
                failures = 0
                if response.errorCode != .none {
                    restAll(wanted)
                } else {
                    take(response, asked)
                }
            }
            pump()
        }
    }

    private func take(_ response: FetchResponse, _ asked: [(cursor: Cursor, offset: Int64?)]) {
        for topic in response.responses {
            for data in topic.partitions {
                // Only what is still wanted, from where it was asked for.
                guard
                    let (cursor, offset) = asked.first(where: {
                        $0.cursor.place.partition == data.partitionIndex && $0.cursor.place.topic == topic.topic
                    }), cursor.position == offset, cursors.contains(where: { $0 === cursor })
                else { continue }
                switch data.errorCode {
                case .none: onRecords(cursor, data)
                case .offsetOutOfRange: onOutOfRange(cursor)
                case .topicAuthorizationFailed: onFatal("Not authorized to access topics: [\(topic.topic)]")
                default:
                    if data.errorCode.isRetriable || data.errorCode == .unknownServerError {
                        restAll([cursor])
                    } else {
                        onFatal("\(cursor.place) cannot be fetched: \(data.errorCode)")
                    }
                }
                if isStopped { break }
            }
        }
        onResponse()
    }

    private func link(to broker: Int32) -> BrokerLink? {
        guard let address = cluster.brokers[broker] else { return nil }
        if let link = links[broker], !link.isEnded, link.address == address { return link }
        links[broker]?.close()
        let link = BrokerLink(world: world, to: address, options: cluster.options)
        links[broker] = link
        return link
    }

    // MARK: Trouble

    /// Something moved or somebody is away: a little later, with fresh metadata.
    private func restAll(_ wanted: [Cursor]) {
        failures += 1
        let pause = Duration.milliseconds(min(1000, 50 << min(failures, 5)))
        for cursor in wanted { cursor.rest = world.clock.now + pause }
        world.after(pause) { [weak self] in
            self?.refresh()
        }
    }

    private func refresh() {
        let now = world.clock.now
        guard !isRefreshing else { return }
        guard now >= refreshAgain else {
            isRefreshing = true
            _ = world.timers.schedule(at: refreshAgain) { [weak self] in
                self?.isRefreshing = false
                self?.refresh()
            }
            return
        }
        isRefreshing = true
        refreshAgain = now + .milliseconds(100)
        let topics = Set(cursors.map(\.place.topic)).sorted()
        cluster.metadata(of: topics, until: now + .seconds(10)) { [weak self] _ in
            guard let self else { return }
            self.isRefreshing = false
            self.pump()
        }
    }
}
