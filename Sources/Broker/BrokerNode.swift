import ClusterModel
import CommitLog
import Platform

/// One broker, assembled: what every handler and driver reaches for. It decides nothing.
///
/// Names the parts are found under, each declared here by who builds it: `controller: ControllerDriver?`,
/// `topicAdmin: TopicAdmin?`, `registration: Registration?`.
package final class BrokerNode {
    package let world: any World
    package let config: BrokerConfig
    package let id: BrokerID
    package let metadata = MetadataCache()
    package let waiting: WaitingRoom
    package let partitions: PartitionDirectory
    /// The czxid of the registration; ``BrokerEpoch/none`` while not registered.
    package var epoch = BrokerEpoch.none
    /// This broker's part in coordinating groups; there before the first request is served.
    package var groups: GroupDriver?
    /// `/cluster/id`
    package var clusterID = ""
    /// A clean stop has begun.
    package var isStopping = false

    package init(world: any World, config: BrokerConfig, id: BrokerID) {
        self.world = world
        self.config = config
        self.id = id
        waiting = WaitingRoom(timers: world.timers, clock: world.clock)
        let metadata = metadata
        partitions = PartitionDirectory(
            me: id, world: world, waiting: waiting, lagMax: config.replicaLagMax, mayJoin: { metadata.isAlive($0) })
    }
}
