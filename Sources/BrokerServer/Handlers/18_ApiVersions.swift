import Broker
import KafkaProtocol

extension RequestRouter {
    /// Tells exactly what works here.
    func apiVersions(
        _ request: ApiVersionsRequest, _ context: RequestContext, then: @escaping (ApiVersionsResponse) -> Void
    ) {
        var response = ApiVersionsResponse()
        if context.version >= 3,
            !isSoftwareName(request.clientSoftwareName) || !isSoftwareName(request.clientSoftwareVersion)
        {
            response.errorCode = .invalidRequest
            return then(response)
        }
        response.apiKeys = RequestRouter.spoken.map { spoken in
            .with {
                $0.apiKey = spoken.key.rawValue
                $0.minVersion = spoken.versions.lowerBound
                $0.maxVersion = spoken.versions.upperBound
            }
        }
        if context.version >= 3 {
            context.connection?.software = "\(request.clientSoftwareName) \(request.clientSoftwareVersion)"
        }
        then(response)
    }
}

/// KIP-511: letters and digits, with dots and dashes between them.
private func isSoftwareName(_ text: String) -> Bool {
    func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
    guard let first = text.utf8.first, let last = text.utf8.last, isPlain(first), isPlain(last) else { return false }
    return text.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
}
