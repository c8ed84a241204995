/// Where a group stands in its rebalance.
package enum GroupState: Equatable, Sendable {
    /// No members; offsets may exist.
    case empty
    /// Collecting JoinGroup.
    case preparingRebalance
    /// The generation is decided; waiting for the leader's assignment to come and to be written.
    case completingRebalance
    case stable
    /// Being removed from the tree.
    case dead

    /// As DescribeGroups and ListGroups spell it.
    package var name: String {
        switch self {
        case .empty: "Empty"
        case .preparingRebalance: "PreparingRebalance"
        case .completingRebalance: "CompletingRebalance"
        case .stable: "Stable"
        case .dead: "Dead"
        }
    }
}
