import Platform

/// One way of sharing partitions out that a member offers, with what it wants to tell the leader.
package struct MemberProtocol: Equatable, Sendable {
    package var name: String
    package var metadata: [UInt8]
    package init(name: String, metadata: [UInt8]) {
        self.name = name
        self.metadata = metadata
    }
}

package struct GroupMember: Sendable {
    package var id: String
    /// `group.instance.id`: who has one is static and may come back under a new member id without a rebalance (KIP-345).
    package var instanceID: String?
    package var client: ClientIdentity
    package var sessionTimeout: Duration
    package var rebalanceTimeout: Duration
    /// In the member's order of preference.
    package var protocols: [MemberProtocol]
    package var assignment: [UInt8] = []

    /// Members are listed, and leaders chosen, in the order of joining.
    var order: UInt64 = 0
    /// Has not been in a completed generation yet; such a member may be dropped while it waits in JoinGroup.
    var isNew = false
    var awaitingJoin: ReplyToken?
    var awaitingSync: ReplyToken?
    /// Removed when this passes without a sign of life.
    var deadline: Instant?

    package var isStatic: Bool { instanceID != nil }

    init(
        id: String, instanceID: String?, client: ClientIdentity, sessionTimeout: Duration, rebalanceTimeout: Duration,
        protocols: [MemberProtocol]
    ) {
        self.id = id
        self.instanceID = instanceID
        self.client = client
        self.sessionTimeout = sessionTimeout
        self.rebalanceTimeout = rebalanceTimeout
        self.protocols = protocols
    }

    /// While the broker owes this member an answer, its silence is not its fault.
    var mustNotExpire: Bool { !isNew && (awaitingJoin != nil || awaitingSync != nil) }

    func metadata(for name: String?) -> [UInt8] { protocols.first { $0.name == name }?.metadata ?? [] }

    /// Its first preference among protocols that everybody offers.
    func vote(_ candidates: Set<String>) -> String? { protocols.first { candidates.contains($0.name) }?.name }
}
