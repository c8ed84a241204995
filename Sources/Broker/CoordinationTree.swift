import CoordinationClient
import CoordinationProtocol
import Platform

/// The broker's session as its roles see it.
package final class CoordinationTree: Tree {
    private let client: CoordinationClient

    package init(_ client: CoordinationClient) { self.client = client }

    package var sessionID: Int64 { client.sessionID }
    package var provenAliveUntil: Instant? { client.provenAliveUntil }

    package func getData(_ path: String, watch: (() -> Void)?, then: @escaping Answer<ReadNode>) {
        client.getData(path, watch: handler(watch)) { result in
            then(result.map { ReadNode(data: $0.data ?? [], stat: $0.stat) })
        }
    }

    package func exists(_ path: String, watch: (() -> Void)?, then: @escaping Answer<Stat?>) {
        client.exists(path, watch: handler(watch), then: then)
    }

    package func getChildren(_ path: String, watch: (() -> Void)?, then: @escaping Answer<[String]>) {
        client.getChildren(path, watch: handler(watch)) { result in then(result.map(\.children)) }
    }

    package func multi(
        _ operations: [MultiOperation], then: @escaping (Result<[MultiResult], MultiFailure>) -> Void
    ) {
        client.multi(operations) { (result: Result<[MultiResult], MultiError>) in
            then(result.mapError { MultiFailure(index: $0.index, error: $0.error) })
        }
    }

    private func handler(_ watch: (() -> Void)?) -> CoordinationClient.WatchHandler? {
        watch.map { watch in { _ in watch() } }
    }
}
