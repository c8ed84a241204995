import ClusterModel
import CommitLog
import Platform

/// One broker, assembled: what every handler and driver reaches for. It decides nothing.
package final class BrokerNode {
    package let world: any World
    package let config: BrokerConfig
    package let id: BrokerID
    package let metadata = MetadataCache()
    package let waiting: WaitingRoom
    package let partitions: PartitionDirectory
    package let fetchSessions: FetchSessions
    package let rates: ReplicationRates
    /// The czxid of the registration; ``BrokerEpoch/none`` while not registered.
    package var epoch = BrokerEpoch.none
    /// `/cluster/id`
    package var clusterID = ""
    // Assembled when there is a coordinator to speak with, and before the first request is served.
    package var topicSettings: TopicSettings?
    package var configAdmin: ConfigAdmin?
    var tree: ClientTree?
    package var controller: ControllerDriver?
    package var topicAdmin: TopicAdmin?
    package var registration: Registration?
    package var producerIDs: ProducerIDs?
    package var groups: GroupDriver?
    package var fetchers: ReplicaFetchers?
    var housekeeping: Housekeeping?
    var inSyncPublisher: InSyncPublisher?
    /// The first Metadata has waited for the controller's word, in vain or not.
    package var hasWaited = false
    /// There is nothing left to serve from.
    var allDirectoriesLost: (_ reason: String) -> Void = { _ in }
    /// LeaderAndIsr and StopReplica, one after another.
    let replicaOrders = Turnstile()
    /// A clean stop has begun.
    package var isStopping = false

    /// As they stand now: the file's, and what the tree says.
    package var settings: BrokerSettings { topicSettings?.broker ?? fileSettings }
    private let fileSettings: BrokerSettings

    package init(world: any World, config: BrokerConfig, id: BrokerID) {
        self.world = world
        world.journal.loggers.components = BrokerLoggers.components
        self.config = config
        fileSettings = BrokerSettings(file: config.settings)
        self.id = id
        rates = ReplicationRates(clock: world.clock, settings: fileSettings)
        waiting = WaitingRoom(timers: world.timers, clock: world.clock)
        fetchSessions = FetchSessions(
            slots: config[BrokerKeys.fetchSessionSlots], waiting: waiting, lagMax: config.replicaLagMax,
            clock: world.clock, random: { world.random() })
        let metadata = metadata
        partitions = PartitionDirectory(
            me: id, world: world, waiting: waiting, lagMax: config.replicaLagMax, mayJoin: { metadata.isAlive($0) })
    }
}
