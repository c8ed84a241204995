/// What a producer waits for before it may believe its records (`acks` on the wire).
package enum AcksRequirement: Equatable, Sendable {
    /// 0: nothing is answered at all.
    case none
    /// 1: the leader has appended.
    case leader
    /// -1: the high watermark has passed the records.
    case allInSync

    /// - Returns: nil for anything but -1, 0 and 1 (INVALID_REQUIRED_ACKS).
    package init?(wire acks: Int16) {
        switch acks {
        case 0: self = .none
        case 1: self = .leader
        case -1: self = .allInSync
        default: return nil
        }
    }
}

/// Why records were not admitted, or cannot be promised.
package enum AcksRefusal: Error, Equatable, Sendable {
    /// Before the append: the recorded in-sync set is smaller than `min.insync.replicas`. Nothing was written.
    case notEnoughReplicas(inSync: Int, needed: Int)
    /// After it: the records are in the log, but too few replicas stand behind the high watermark.
    case notEnoughReplicasAfterAppend(inSync: Int, needed: Int)
}

/// How an `acks=all` append stands.
package enum AcksVerdict: Equatable, Sendable {
    case waiting
    case acknowledged
    case refused(AcksRefusal)
}
