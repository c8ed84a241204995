import ClusterModel
import Platform

// What nobody has used for `offsets.retention.minutes` is forgotten.
extension GroupCatalog {
    /// Every `offsets.retention.check.interval.ms`.
    package mutating func expire(at moment: Moment, into effects: inout GroupEffects) {
        guard hasAuthority else { return }
        let retentionMs = settings.offsetsRetention.wholeMilliseconds
        for id in groups.keys.sorted() {
            _ = change(id) { $0.expire(at: moment, retentionMs: retentionMs, into: &effects) }
        }
    }
}

extension Group {
    mutating func expire(at moment: Moment, retentionMs: Int64, into effects: inout GroupEffects) {
        guard state != .dead else { return }
        let expired = expiredOffsets(atMs: moment.wallMs, retentionMs: retentionMs)
        let held = offsets.topics.values.reduce(0) { $0 + $1.partitions.count }
        if state == .empty, pending.isEmpty, writes.isEmpty, expired.count == held {
            die(for: nil, into: &effects)
        } else if !expired.isEmpty {
            writes[effects.write(id, .removeOffsets(expired))] = .removeOffsets(expired, nil)
        }
    }

    /// Which offsets have had their time (KIP-211): counted from when the group became empty, or, for topics nobody in it reads
    /// and for groups without members, from the commit.
    func expiredOffsets(atMs nowMs: Int64, retentionMs: Int64) -> [TopicPartition] {
        let since: (CommittedOffset) -> Int64
        var spared: Set<String> = []
        switch (protocolType, state) {
        case (.some, .empty):
            let emptySinceMs = stateSinceMs
            since = { _ in emptySinceMs }
        case ("consumer", .stable):
            guard let subscribed else { return [] }
            spared = subscribed
            since = { $0.commitMs }
        case (nil, _):
            since = { $0.commitMs }
        default:
            return []
        }
        let beingCommitted = partitionsBeingCommitted
        var expired: [TopicPartition] = []
        for (topic, _, partitions) in offsets.all() where !spared.contains(topic) {
            for (partition, value) in partitions where !beingCommitted.contains(TopicPartition(topic, partition)) {
                let isOver = value.expireMs >= 0 ? nowMs >= value.expireMs : nowMs - since(value) >= retentionMs
                if isOver { expired.append(TopicPartition(topic, partition)) }
            }
        }
        return expired
    }
}
