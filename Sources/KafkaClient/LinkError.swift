import KafkaProtocol

/// Why a request got no answer from a broker. The words are for people: what happened, and where.
package enum LinkError: Error, Equatable, CustomStringConvertible {
    /// No connection came about; the system's words.
    case unreachable(BrokerAddress, String)
    /// There was a connection, and it ended before the answer came.
    case lost(BrokerAddress, String)
    case timedOut(BrokerAddress, ApiKey, milliseconds: Int64)
    /// It ended, or said something else, before it had answered anything: probably not a broker.
    case notBroker(BrokerAddress, String)
    /// It answered as a TLS listener answers plain bytes.
    case speaksTLS(BrokerAddress)
    case frameTooLarge(BrokerAddress, bytes: Int, limit: Int)
    /// No version of this API is spoken by both sides.
    case noCommonVersion(BrokerAddress, ApiKey)
    case malformed(BrokerAddress, ApiKey, WireError)
    /// Our own request cannot be said in the version agreed on.
    case unwritable(ApiKey, version: Int16, WireError)
    /// The link was closed on this side.
    case closed(BrokerAddress)

    package var description: String {
        switch self {
        case .unreachable(let address, let words): "\(address) cannot be reached (\(words))"
        case .lost(let address, let words): "the connection to \(address) was lost (\(words))"
        case .timedOut(let address, let key, let milliseconds):
            "\(address) did not answer \(key.name) within \(milliseconds) ms"
        case .notBroker(let address, let words): "\(address) does not answer as a broker (\(words))"
        case .speaksTLS(let address): "\(address) speaks TLS; set security.protocol=SSL"
        case .frameTooLarge(let address, let bytes, let limit):
            "\(address) announced a response of \(bytes) bytes; the limit is \(limit)"
        case .noCommonVersion(let address, let key): "\(address) speaks no version of \(key.name) that is known here"
        case .malformed(let address, let key, let error):
            "\(address) sent a response to \(key.name) that is not one (\(error))"
        case .unwritable(let key, let version, let error): "\(key.name) version \(version) cannot say this (\(error))"
        case .closed(let address): "the connection to \(address) was closed"
        }
    }

    /// Whether nobody listens there.
    package var isUnreachable: Bool {
        if case .unreachable = self { return true }
        return false
    }

    /// Asking again, or another broker, may help.
    package var isRetriable: Bool {
        switch self {
        case .unreachable, .lost, .timedOut: true
        default: false
        }
    }
}
