import ClusterModel

/// Replicas in the order of the assignment; small, so that looking one up is a scan and the order on the wire is always the same.
package struct InSyncSet: Equatable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    package private(set) var members: [BrokerID]

    /// Keeps the first of equal members.
    package init(_ members: [BrokerID]) {
        var seen: [BrokerID] = []
        for member in members where !seen.contains(member) { seen.append(member) }
        self.members = seen
    }
    package init(arrayLiteral elements: BrokerID...) { self.init(elements) }

    package var count: Int { members.count }
    package func contains(_ broker: BrokerID) -> Bool { members.contains(broker) }
    package func adding(_ broker: BrokerID) -> InSyncSet { contains(broker) ? self : InSyncSet(members + [broker]) }
    package func removing(_ brokers: [BrokerID]) -> InSyncSet { InSyncSet(members.filter { !brokers.contains($0) }) }
    /// Same members, whatever their order.
    package func sameMembers(as other: InSyncSet) -> Bool { count == other.count && members.allSatisfy(other.contains) }
    package var description: String { members.map(\.description).joined(separator: ",") }
}
