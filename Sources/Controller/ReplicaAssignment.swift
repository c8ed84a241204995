import ClusterModel

/// Where a partition's replicas are, and while it moves, which of them come and which go.
/// Rule: KIP-455. While a partition moves, `replicas` are those that come, then those that were there.
package struct ReplicaAssignment: Equatable, Sendable {
    package var replicas: [BrokerID]
    package var adding: [BrokerID] = []
    package var removing: [BrokerID] = []
    package init(_ replicas: [BrokerID], adding: [BrokerID] = [], removing: [BrokerID] = []) {
        self.replicas = replicas
        self.adding = adding
        self.removing = removing
    }

    package var isMoving: Bool { !adding.isEmpty || !removing.isEmpty }
    /// Where it is going.
    package var target: [BrokerID] { replicas.filter { !removing.contains($0) } }
    /// Where it was before it began to move.
    package var origin: [BrokerID] { replicas.filter { !adding.contains($0) } }

    /// On the way to other replicas. What an unfinished move has added and the new target does not want is dropped at once.
    package func moving(to target: [BrokerID]) -> ReplicaAssignment {
        let origin = origin
        return ReplicaAssignment(
            target + origin.filter { !target.contains($0) },
            adding: target.filter { !origin.contains($0) }, removing: origin.filter { !target.contains($0) })
    }

    /// Replicas of `self` that `other` has no more.
    package func dropped(by other: ReplicaAssignment) -> [BrokerID] {
        replicas.filter { !other.replicas.contains($0) }
    }
}

/// How far one replica's log goes: who wrote its last record, and where it ends. Of two logs of one partition, the greater one
/// holds everything that was promised about the lesser one.
package struct LogEnd: Comparable, Sendable {
    /// -1 of an empty log.
    package var epoch: LeaderEpoch
    package var offset: Offset
    package init(epoch: LeaderEpoch, offset: Offset) {
        self.epoch = epoch
        self.offset = offset
    }
    package static func < (a: LogEnd, b: LogEnd) -> Bool {
        a.epoch != b.epoch ? a.epoch < b.epoch : a.offset < b.offset
    }
}
