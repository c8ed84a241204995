/// What an operator may set about groups; names and defaults are Kafka's.
package struct GroupSettings: Sendable {
    /// `group.min.session.timeout.ms`, `group.max.session.timeout.ms`
    package var minSessionTimeout: Duration = .seconds(6)
    package var maxSessionTimeout: Duration = .seconds(1800)
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits for more members.
    package var initialRebalanceDelay: Duration = .seconds(3)
    /// `group.max.size`
    package var maxSize = Int(Int32.max)
    /// `offset.metadata.max.bytes`
    package var offsetMetadataMaxBytes = 4096
    /// `offsets.retention.minutes`
    package var offsetsRetention: Duration = .seconds(7 * 24 * 3600)
    /// `offsets.retention.check.interval.ms`
    package var retentionCheckInterval: Duration = .seconds(600)
    /// `offsets.commit.timeout.ms`: how long a write for a group may wait for the tree before its client is told so.
    package var commitTimeout: Duration = .seconds(5)
    package init() {}
}

/// Who asks: what DescribeGroups shows of a member.
package struct ClientIdentity: Hashable, Sendable {
    package var clientID: String
    /// As Kafka writes it: `/127.0.0.1`.
    package var host: String
    package init(clientID: String, host: String) {
        self.clientID = clientID
        self.host = host
    }
}

/// Names one waiting reply. The driver makes them and keeps what they stand for.
package struct ReplyToken: Hashable, Sendable {
    package var raw: UInt64
    package init(raw: UInt64) { self.raw = raw }
}

/// Names one write to the tree, from its order to its outcome.
package struct WriteID: Hashable, Comparable, Sendable {
    package var raw: UInt64
    package init(raw: UInt64) { self.raw = raw }
    package static func < (a: WriteID, b: WriteID) -> Bool { a.raw < b.raw }
}
