import ClusterModel
import Controller

/// What the controller's and the topic administration's drivers take from the configuration.
package struct ControllerSettings {
    package var broker: BrokerID
    /// The listener brokers use among themselves (`inter.broker.listener.name`).
    package var interBrokerListener = "PLAINTEXT"
    package var core = ControllerCore.Settings()
    /// `leader.imbalance.check.interval.seconds`
    package var rebalanceInterval = Duration.seconds(300)
    /// `num.partitions`
    package var defaultPartitions: Int32 = 1
    /// `default.replication.factor`
    package var defaultReplicationFactor: Int16 = 1
    /// How long a Metadata answer waits for a topic created by its asking to have a leader.
    package var autoCreationWait = Duration.milliseconds(500)
    package init(broker: BrokerID) { self.broker = broker }
}
