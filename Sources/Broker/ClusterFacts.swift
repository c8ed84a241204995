import ClusterModel
import ConsumerGroups

/// What group ownership and offsets need to know of the cluster; the metadata cache knows it.
package protocol ClusterFacts: AnyObject {
    /// Nil when there is no topic of that name.
    func topicFact(_ name: String) -> TopicFact?
    /// Brokers that are registered now, this one among them once it is; in any order.
    var liveBrokerIDs: [BrokerID] { get }
    /// Where clients of that listener reach a live broker.
    func endpoint(of broker: BrokerID, listener: String) -> (host: String, port: Int32)?
}

extension MetadataCache: ClusterFacts {
    package func topicFact(_ name: String) -> TopicFact? {
        topic(name).map { TopicFact(id: $0.id, partitionCount: ($0.partitions.last?.index ?? -1) + 1) }
    }
    package var liveBrokerIDs: [BrokerID] { brokers.map(\.id) }
    package func endpoint(of broker: BrokerID, listener: String) -> (host: String, port: Int32)? {
        self.broker(broker)?.address(listener: listener).map { ($0.host, $0.port) }
    }
}
