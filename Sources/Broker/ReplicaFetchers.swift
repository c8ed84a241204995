import ClusterModel
import KafkaClient
import Platform

/// The fetchers of this broker, one for each broker that leads something followed here. A partition belongs to the fetcher of
/// its leader, and moves with each new leader epoch.
package final class ReplicaFetchers {
    private let world: any World
    private let me: BrokerID
    private let settings: ReplicaFetcher.Settings
    private let rates: ReplicationRates
    private let address: (BrokerID) -> BrokerAddress?
    private let brokerEpoch: () -> BrokerEpoch
    private var fetchers: [BrokerID: ReplicaFetcher] = [:]
    private var sources: [TopicPartition: BrokerID] = [:]
    private var isOpen = true
    /// Records that replicas here have cut off to follow their leaders, since the start.
    package private(set) var recordsCut: Int64 = 0

    init(
        world: any World, me: BrokerID, settings: ReplicaFetcher.Settings, rates: ReplicationRates,
        address: @escaping (BrokerID) -> BrokerAddress?,
        brokerEpoch: @escaping () -> BrokerEpoch
    ) {
        self.world = world
        self.me = me
        self.settings = settings
        self.rates = rates
        self.address = address
        self.brokerEpoch = brokerEpoch
    }

    /// Brokers fetched from, ascending, each with how many partitions.
    package var counts: [(source: BrokerID, partitions: Int)] {
        fetchers.keys.sorted().map { ($0, fetchers[$0]?.count ?? 0) }
    }

    /// A replica here follows a leader, leads, or does neither.
    func roleChanged(of host: PartitionHost) {
        guard isOpen else { return }
        left(host.partition)
        guard host.role == .follower, host.leaderID.raw >= 0, host.leaderID != me else { return }
        let source = host.leaderID
        sources[host.partition] = source
        let fetcher: ReplicaFetcher
        if let known = fetchers[source] {
            fetcher = known
        } else {
            let address = address
            fetcher = ReplicaFetcher(
                world: world, me: me, source: source, settings: settings, rates: rates, address: { address(source) },
                brokerEpoch: brokerEpoch)
            fetcher.cut = { [weak self] records in self?.recordsCut += records }
            fetchers[source] = fetcher
        }
        fetcher.follow(host)
    }

    func left(_ partition: TopicPartition) {
        guard let source = sources.removeValue(forKey: partition) else { return }
        fetchers[source]?.leave(partition)
        guard fetchers[source]?.count == 0 else { return }
        // Not at once: in one LeaderAndIsr a partition may go and another come.
        world.timers.soon { [weak self] in
            guard let self, let fetcher = self.fetchers[source], fetcher.count == 0 else { return }
            fetcher.stop()
            self.fetchers[source] = nil
        }
    }

    func stop() {
        isOpen = false
        for source in fetchers.keys.sorted() { fetchers[source]?.stop() }
        fetchers = [:]
        sources = [:]
    }
}
