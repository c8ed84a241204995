import CommitLog
import Records
import Replication

/// Why a partition here did not do what it was asked.
package enum PartitionError: Error, Equatable {
    /// No replica here, or not the leader and the request needs one.
    case notLeaderOrFollower
    /// The asker's leader epoch is older than the one known here.
    case fencedLeaderEpoch
    /// … newer: this broker has not heard of that leader yet.
    case unknownLeaderEpoch
    /// The replica's log directory does not work.
    case storage(String)
    case refused(AcksRefusal)
    case records(RecordError)
    case append(AppendError)
    case read(ReadError)
    /// An offset between the high watermark and the epoch's start was asked for just after an election.
    case offsetNotAvailable

    /// A transactional batch, while there are no transactions here.
    case noTransactions

    /// The number that goes on the wire.
    package var wireCode: Int16 {
        switch self {
        case .notLeaderOrFollower: 6
        case .fencedLeaderEpoch: 74
        case .unknownLeaderEpoch: 75
        case .storage: 56
        case .refused(.notEnoughReplicas): 19
        case .refused(.notEnoughReplicasAfterAppend): 20
        case .records(let error): error.wireCode
        case .append(let error): error.wireCode
        case .read(let error): error.wireCode
        case .offsetNotAvailable: 78
        case .noTransactions: 48
        }
    }

    /// Records at fault, and what is wrong with each.
    package var recordFaults: RecordFaults? {
        guard case .records(.records(let faults)) = self else { return nil }
        return faults
    }

    /// Words for the reply's error message, where there is more to say than the code does.
    package var detail: String? {
        switch self {
        case .records(.records(let faults)): faults.summary
        case .records(let error): "\(error)"
        case .append(.noRoom(let directory)): "no room is left for records in \(directory): try again later"
        case .append(let error): "\(error)"
        case .storage(let reason): reason
        default: nil
        }
    }
}
