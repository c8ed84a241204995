import ClusterModel

/// The first replica of an assignment is its preferred leader; while everybody is, load is spread as it was placed.
package enum PreferredLeaders {
    /// - Returns: the partitions to give back, of those brokers that lack more than `percentage` of what they should lead.
    package static func toMove(in cluster: ClusterView, except: [String], percentage: Int) -> [TopicPartition] {
        var preferring: [BrokerID: [TopicPartition]] = [:]
        for partition in cluster.allPartitions where !except.contains(partition.topic) {
            guard let view = cluster[partition], view.recorded != nil, let first = view.replicas.first else { continue }
            preferring[first, default: []].append(partition)
        }
        var result: [TopicPartition] = []
        for broker in preferring.keys.sorted() where cluster.isLive(broker) {
            let all = preferring[broker] ?? []
            let elsewhere = all.filter { cluster[$0]?.recorded?.state.leader != broker }
            guard elsewhere.count * 100 > percentage * all.count else { continue }
            result += elsewhere.filter { partition in
                guard let view = cluster[partition], let state = view.recorded?.state else { return false }
                return LeaderChoice.forPreferred(
                    assignment: view.replicas, inSync: state.inSync,
                    live: {
                        cluster.isLive($0) && !view.failedReplicas.contains($0) && cluster.stands($0, in: state)
                    }) != nil && !view.assignment.isMoving && view.move == nil
            }
        }
        return result
    }
}
