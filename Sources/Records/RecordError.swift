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
    /// Records of a batch that the topic does not take.
    case records(RecordFaults)

    /// The number that goes on the wire (KafkaProtocol's ErrorCode).
    package var wireCode: Int16 {
        switch self {
        case .corrupt: 2
        case .records(let faults): faults.hasTimestamps ? 32 : 87
        case .invalid: 87
        case .tooLarge: 10
        case .unsupportedCompression: 76
        case .unsupportedForFormat: 43
        case .invalidTimestamp: 32
        }
    }
}

/// What is wrong with single records of one batch, which is refused as a whole for any of them (KIP-467).
package struct RecordFaults: Error, Equatable, Sendable {
    /// How many are listed: a batch that unpacks to millions of them must not become a reply of gigabytes.
    package static let mostListed = 4096

    package struct Fault: Equatable, Sendable {
        /// The record's place in its batch, from 0.
        package var index: Int32
        package var reason: String
    }

    package private(set) var listed: [Fault] = []
    package private(set) var count = 0
    /// A timestamp out of bounds speaks for the whole (error 32), whatever else there is.
    package private(set) var hasTimestamps = false
    package var isEmpty: Bool { count == 0 }

    package init() {}

    package mutating func add(_ index: Int32, _ reason: @autoclosure () -> String, isTimestamp: Bool = false) {
        count += 1
        if isTimestamp { hasTimestamps = true }
        if listed.count < RecordFaults.mostListed { listed.append(Fault(index: index, reason: reason())) }
    }

    /// In Kafka's words.
    package var summary: String {
        if hasTimestamps { return "One or more records have been rejected due to invalid timestamp" }
        let first = listed.prefix(3).map { "RecordError(batchIndex=\($0.index), message='\($0.reason)')" }
        return
            "One or more records have been rejected due to \(count) record errors in total, and only showing the first "
            + "three errors at most: [\(first.joined(separator: ", "))]"
    }
}
