import ClusterModel
import Platform
import Records

/// Why an append did not happen. Unless it says `offline`, the log is unchanged.
package enum AppendError: Error, Equatable {
    /// The log's disk failed before; nothing is accepted until the broker starts again.
    case offline(reason: String)
    case closed
    /// The disk is full. The log is as it was, and takes records again when there is room.
    case noRoom(directory: String)
    case unreadable(RecordError)
    /// The whole set would not fit an empty segment.
    case setTooLarge(bytes: Int, limit: Int)
    /// A follower was given a batch that lies below the end of its log.
    case unexpectedOffset(got: Offset, logEnd: Offset)
    case sequenceGap(producerID: Int64, expected: Int32, got: Int32)
    case staleProducerEpoch(producerID: Int64, current: Int16, got: Int16)
    case invalidTransactionState(producerID: Int64)
    case transactionCoordinatorFenced(current: Int32, got: Int32)

    /// The number that goes on the wire (KafkaProtocol's ErrorCode).
    package var wireCode: Int16 {
        switch self {
        // Producers and followers try that one again, whatever client they are.
        case .offline, .closed, .noRoom: 56
        case .unreadable(let error): error.wireCode
        case .setTooLarge: 18
        case .unexpectedOffset: -1
        case .sequenceGap: 45
        case .staleProducerEpoch: 47
        case .invalidTransactionState: 48
        case .transactionCoordinatorFenced: 52
        }
    }
}

package enum ReadError: Error, Equatable {
    /// OFFSET_OUT_OF_RANGE. Reading at the end itself is not an error: it gives an empty slice.
    case outOfRange(asked: Offset, start: Offset, end: Offset)
    case offline(reason: String)
    case disk(DiskError)
    case unreadable(RecordError)
    /// CORRUPT_MESSAGE: what was written there is no longer what stands there.
    case damaged(DamagedStretch)

    package var wireCode: Int16 {
        switch self {
        case .damaged: 2
        case .outOfRange: 1
        case .offline, .disk: 56
        case .unreadable: 2
        }
    }
}

/// Why a log or a directory of logs could not be opened: one line for the operator.
package struct LogOpenError: Error, Equatable, CustomStringConvertible {
    package var path: String
    package var description: String
    /// The disk itself refuses, whatever it says (EIO, EROFS, ENOTDIR, EUCLEAN, ESTALE …): other directories may serve without this one.
    /// Not so what a file says, a lock that somebody holds (EAGAIN), and want of memory or descriptors, which no directory is to blame for.
    package var isDiskFailure = false
    /// The disk is full: worth trying again when there is room.
    package var isWantOfRoom = false
    package init(path: String, _ description: String) {
        self.path = path
        self.description = description
    }
    package init(_ error: DiskError) {
        self.init(path: error.path, error.description)
        isWantOfRoom = error.isWantOfRoom
        isDiskFailure = ![0, 11, 12, 23, 24].contains(error.code)
    }
}
