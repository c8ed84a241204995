import Compression

/// What can be wrong with records from outside.
package enum RecordError: Error, Equatable {
    /// The bytes cannot be a batch: a length, a header or a checksum that does not fit.
    case corrupt(String)
    /// A batch whose fields contradict each other or the protocol's rules.
    case invalid(String)
    case tooLarge(bytes: Int, limit: Int)
    /// The request's version does not allow the codec.
    case unsupportedCompression(Codec)
    /// A producer id in a format that has no place for its sequence numbers.
    case unsupportedForFormat(String)
    case invalidTimestamp(String)
    /// Records of a batch, by their places in it, that the topic does not take, and why.
    case records([Int32], String)

    /// The number that goes on the wire (KafkaProtocol's ErrorCode).
    package var wireCode: Int16 {
        switch self {
        case .corrupt: 2
        case .invalid, .records: 87
        case .tooLarge: 10
        case .unsupportedCompression: 76
        case .unsupportedForFormat: 43
        case .invalidTimestamp: 32
        }
    }
}
