import Bytes
import ClusterModel
import CommitLog
import KafkaClient
import KafkaProtocol
import Platform

/// Whom to ask for what is damaged here. A value.
enum HealingSources {
    /// A follower asks its leader first, a leader the followers that are in sync; nobody else certainly holds what is committed.
    static func of(me: BrokerID, leader: BrokerID, inSync: [BrokerID], isAlive: (BrokerID) -> Bool) -> [BrokerID] {
        var sources = leader != me && leader.raw >= 0 && isAlive(leader) ? [leader] : []
        for broker in inSync where broker != me && !sources.contains(broker) && isAlive(broker) {
            sources.append(broker)
        }
        return sources
    }
}

/// Puts right what is damaged on this broker's disks: asks other replicas for the same batches and has the log write them in their
/// place. One stretch at a time. What nobody else holds stays as it is, refused to readers.
final class LogHealer {
    private static let again = Duration.seconds(10)

    private let world: any World
    private let me: BrokerID
    private let partitions: PartitionDirectory
    private let metadata: MetadataCache
    private let address: (BrokerID) -> BrokerAddress?
    /// A log's damage is gone: it may be compacted again.
    var healed: (TopicPartition) -> Void = { _ in }
    private var isWorking = false
    private var isRunning = true
    private var notBefore: [TopicPartition: Instant] = [:]
    private var told: Set<Told> = []

    private struct Told: Hashable {
        var partition: TopicPartition
        var segment: Offset
        var position: Int64
        var reason: String
    }

    init(
        world: any World, me: BrokerID, partitions: PartitionDirectory, metadata: MetadataCache,
        address: @escaping (BrokerID) -> BrokerAddress?
    ) {
        self.world = world
        self.me = me
        self.partitions = partitions
        self.metadata = metadata
        self.address = address
        wait()
    }

    func stop() { isRunning = false }

    private func wait() {
        world.after(.seconds(1)) { [weak self] in
            guard let self, self.isRunning else { return }
            self.look()
            self.wait()
        }
    }

    func look() {
        guard isRunning, !isWorking else { return }
        let now = world.clock.now
        for host in partitions.hosts where host.log.isDamaged && !host.isOffline && host.role != .idle {
            guard notBefore[host.partition] ?? now <= now else { continue }
            guard let stretch = host.log.damage.first else { continue }
            return begin(host, stretch)
        }
    }

    private func begin(_ host: PartitionHost, _ stretch: DamagedStretch) {
        notBefore[host.partition] = world.clock.now + LogHealer.again
        guard host.replicas.count > 1 else {
            return tell(host, stretch, "no other replica holds them")
        }
        // Above the high watermark replicas may differ.
        guard stretch.offsets.upperBound <= host.highWatermark else { return }
        let inSync = host.isLeader ? host.leader.inSync.members : metadata.partition(host.partition)?.inSync ?? []
        let sources = HealingSources.of(me: me, leader: host.leaderID, inSync: inSync) { metadata.isAlive($0) }
        guard !sources.isEmpty else { return tell(host, stretch, "no other replica in sync is alive now") }
        isWorking = true
        ask(sources[...], host, stretch, [])
    }

    private func ask(
        _ sources: ArraySlice<BrokerID>, _ host: PartitionHost, _ stretch: DamagedStretch, _ reasons: [String]
    ) {
        guard isRunning, let source = sources.first else {
            tell(host, stretch, reasons.joined(separator: "; "))
            return done()
        }
        let next: (String) -> Void = { [weak self] reason in
            self?.ask(sources.dropFirst(), host, stretch, reasons + ["broker \(source): \(reason)"])
        }
        guard let address = address(source) else { return next("its address is not known") }
        var options = LinkOptions(clientID: "broker-\(me)-healer")
        options.connectTimeout = .seconds(5)
        let link = BrokerLink(world: world, to: address, options: options)
        collect(link, host, stretch, [], from: stretch.offsets.lowerBound) { [weak self] result in
            link.close()
            guard let self else { return }
            switch result {
            case .failure(let refusal): next(refusal.reason)
            case .success(let bytes): write(bytes, host, stretch, source)
            }
        }
    }

    private struct Refusal: Error { var reason: String }

    /// Batch after batch, as a tool would read them: from a follower as well as from a leader.
    private func collect(
        _ link: BrokerLink, _ host: PartitionHost, _ stretch: DamagedStretch, _ known: [UInt8], from offset: Offset,
        then: @escaping (Result<[UInt8], Refusal>) -> Void
    ) {
        var request = FetchRequest()
        request.replicaID = -2
        request.maxBytes = Int32(clamping: max(1 << 20, stretch.bytes.count))
        request.topics = [
            .with {
                $0.topic = host.partition.topic
                $0.partitions = [
                    .with {
                        $0.partition = host.partition.partition
                        $0.fetchOffset = offset
                        $0.partitionMaxBytes = request.maxBytes
                    }
                ]
            }
        ]
        link.send(request, atMost: 12) { [weak self] result in
            guard let self, isRunning else { return then(.failure(Refusal(reason: "the broker stops"))) }
            switch result {
            case .failure(let error): return then(.failure(Refusal(reason: "\(error)")))
            case .success(let response):
                guard response.errorCode == .none, let data = response.responses.first?.partitions.first else {
                    return then(.failure(Refusal(reason: "\(response.errorCode)")))
                }
                guard data.errorCode == .none else {
                    return then(.failure(Refusal(reason: "\(data.errorCode)")))
                }
                var bytes = known
                data.records.withBytes { bytes += $0 }
                let verdict = bytes.withUnsafeBytes {
                    Healing.judge($0, for: stretch, isEnd: host.log.isEnd(stretch), epochs: host.log.epochs)
                }
                switch verdict {
                case .heals(let length): then(.success(Array(bytes[..<length])))
                case .refused(let reason): then(.failure(Refusal(reason: reason)))
                case .wantsMore(let whole, let offset):
                    guard whole > known.count else { return then(.failure(Refusal(reason: "it ends before"))) }
                    collect(link, host, stretch, Array(bytes[..<whole]), from: offset, then: then)
                }
            }
        }
    }

    private func write(_ bytes: [UInt8], _ host: PartitionHost, _ stretch: DamagedStretch, _ source: BrokerID) {
        let log = host.log
        log.heal(stretch, with: bytes) { [weak self] isHealed in
            guard let self else { return }
            if isHealed {
                notBefore[host.partition] = nil
                world.journal.notice(
                    "LB-3041 \(host.partition): what was damaged on the disk is put right from another replica",
                    [
                        "partition": host.partition, "position": stretch.bytes.lowerBound, "bytes": bytes.count,
                        "offsets": "\(stretch.offsets.lowerBound)-\(stretch.offsets.upperBound - 1)", "from": source,
                    ])
                if !log.isDamaged { healed(host.partition) }
                host.damageHealed()
            }
            done()
        }
    }

    private func done() {
        isWorking = false
        world.timers.soon { [weak self] in self?.look() }
    }

    private func tell(_ host: PartitionHost, _ stretch: DamagedStretch, _ reason: String) {
        let what = Told(
            partition: host.partition, segment: stretch.segment, position: stretch.bytes.lowerBound, reason: reason)
        guard told.insert(what).inserted else { return }
        world.journal.error(
            "LB-3042 \(host.partition): damaged records cannot be put right: readers get CORRUPT_MESSAGE there; "
                + "a backup of the file can be put in its place while the broker is stopped, "
                + "or consumers go on behind them (kafka-consumer-groups.sh --reset-offsets --to-offset "
                + "\(stretch.offsets.upperBound)), or a replica that is whole is copied anew "
                + "(kafka-reassign-partitions.sh)",
            [
                "partition": host.partition, "segment": stretch.segment, "position": stretch.bytes.lowerBound,
                "offsets": "\(stretch.offsets.lowerBound)-\(stretch.offsets.upperBound - 1)", "reason": reason,
            ])
    }
}
