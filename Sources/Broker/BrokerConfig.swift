import ClusterModel
import Configuration

/// `server.properties`, read and checked.
package struct BrokerConfig: Sendable {
    package let settings: Settings
    /// `replica.lag.time.max.ms`
    package var replicaLagMax: Duration { .seconds(30) }
}
