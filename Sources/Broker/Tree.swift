import CoordinationClient
import CoordinationProtocol

/// The coordination service as the broker's roles use it: everything written goes through a multi, so that what must hold
/// (a version, the controller's epoch, the owner's) is checked in the same transaction. All calls answer on the deciding
/// thread, and belong to the session under which they were made: they fail with `sessionExpired` when it ends first.
package protocol Tree: AnyObject {
    typealias Answer<T> = (Result<T, CoordinationError>) -> Void
    /// The present session's, 0 without one.
    var sessionID: Int64 { get }
    /// - Parameter watch: called once when the node changes or goes; kept only when the read succeeds.
    func getData(_ path: String, watch: (() -> Void)?, then: @escaping Answer<ReadNode>)
    /// Nil when there is no such node; the watch also waits for its creation.
    func exists(_ path: String, watch: (() -> Void)?, then: @escaping Answer<Stat?>)
    func getChildren(_ path: String, watch: (() -> Void)?, then: @escaping Answer<[String]>)
    func multi(_ operations: [MultiOperation], then: @escaping (Result<[MultiResult], MultiFailure>) -> Void)
}

package struct ReadNode: Equatable, Sendable {
    package var data: [UInt8]
    package var stat: Stat
    package init(data: [UInt8], stat: Stat) {
        self.data = data
        self.stat = stat
    }
}

/// Nothing of it was done, unless the error is `connectionLoss`: then nobody knows.
package struct MultiFailure: Error, Equatable, Sendable {
    /// The operation that failed; nil when the multi failed as a whole.
    package var index: Int?
    package var error: CoordinationError
    package init(index: Int?, error: CoordinationError) {
        self.index = index
        self.error = error
    }
}

extension MultiOperation {
    static func set(_ path: String, _ data: [UInt8]?, version: Int32) -> MultiOperation {
        .setData(path, data, version: version)
    }
}

extension Tree {
    /// Reads are asked again after a lost connection: the answer is as good the second time.
    func read(_ path: String, watch: (() -> Void)? = nil, then: @escaping Answer<ReadNode>) {
        getData(path, watch: watch) { [self] result in
            if case .failure(.connectionLoss) = result { return read(path, watch: watch, then: then) }
            then(result)
        }
    }
    /// Nil when there is none.
    func readIfThere(_ path: String, watch: (() -> Void)? = nil, then: @escaping Answer<ReadNode?>) {
        read(path, watch: watch) { result in
            switch result {
            case .success(let node): then(.success(node))
            case .failure(.noNode): then(.success(nil))
            case .failure(let error): then(.failure(error))
            }
        }
    }
    func stat(_ path: String, watch: (() -> Void)? = nil, then: @escaping Answer<Stat?>) {
        exists(path, watch: watch) { [self] result in
            if case .failure(.connectionLoss) = result { return stat(path, watch: watch, then: then) }
            then(result)
        }
    }
    /// By name; none where the parent is not there.
    func children(_ path: String, watch: (() -> Void)? = nil, then: @escaping Answer<[String]>) {
        getChildren(path, watch: watch) { [self] result in
            switch result {
            case .failure(.connectionLoss): children(path, watch: watch, then: then)
            case .failure(.noNode): then(.success([]))
            case .success(let names): then(.success(names.sorted()))
            case .failure(let error): then(.failure(error))
            }
        }
    }

    /// Makes a node with its parents; it is no error when it is there.
    func ensure(_ path: String, data: [UInt8]? = nil, then: @escaping (CoordinationError?) -> Void) {
        multi([.create(path, data)]) { [self] result in
            guard case .failure(let failure) = result else { return then(nil) }
            switch failure.error {
            case .nodeExists: then(nil)
            case .connectionLoss: ensure(path, data: data, then: then)
            case .noNode:
                guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return then(failure.error) }
                ensure(String(path[..<slash])) { error in
                    if let error { return then(error) }
                    self.ensure(path, data: data, then: then)
                }
            default: then(failure.error)
            }
        }
    }
    func ensure(all paths: [String], then: @escaping (CoordinationError?) -> Void) {
        guard let first = paths.first else { return then(nil) }
        ensure(first) { [self] error in
            if let error { return then(error) }
            ensure(all: Array(paths.dropFirst()), then: then)
        }
    }

    /// Reads all `paths` and answers once with what is there, in their order; the first failure ends it.
    func readAll<T>(
        _ paths: [String], read one: (String, @escaping Answer<T>) -> Void,
        then: @escaping Answer<[(path: String, value: T)]>
    ) {
        guard !paths.isEmpty else { return then(.success([])) }
        let gathering = Gathering<T>(count: paths.count, then: then)
        for (index, path) in paths.enumerated() {
            one(path) { gathering.answered(index, path, $0) }
        }
    }
}

/// Collects answers that come in any order.
private final class Gathering<T> {
    private var values: [(path: String, value: T)?]
    private var left: Int
    private var then: ((Result<[(path: String, value: T)], CoordinationError>) -> Void)?

    init(count: Int, then: @escaping (Result<[(path: String, value: T)], CoordinationError>) -> Void) {
        values = Array(repeating: nil, count: count)
        left = count
        self.then = then
    }

    func answered(_ index: Int, _ path: String, _ result: Result<T, CoordinationError>) {
        guard let then else { return }
        switch result {
        case .failure(let error):
            self.then = nil
            then(.failure(error))
        case .success(let value):
            values[index] = (path, value)
            left -= 1
            if left == 0 {
                self.then = nil
                then(.success(values.compactMap { $0 }))
            }
        }
    }
}

/// The tree through a session with the coordination service.
package final class ClientTree: Tree {
    private let client: CoordinationClient
    package init(_ client: CoordinationClient) { self.client = client }
    package var sessionID: Int64 { client.isOver ? 0 : client.sessionID }

    package func getData(_ path: String, watch: (() -> Void)?, then: @escaping Answer<ReadNode>) {
        client.getData(path, watch: watch.map { watch in { _ in watch() } }) { result in
            then(result.map { ReadNode(data: $0.data ?? [], stat: $0.stat) })
        }
    }
    package func exists(_ path: String, watch: (() -> Void)?, then: @escaping Answer<Stat?>) {
        client.exists(path, watch: watch.map { watch in { _ in watch() } }, then: then)
    }
    package func getChildren(_ path: String, watch: (() -> Void)?, then: @escaping Answer<[String]>) {
        client.getChildren(path, watch: watch.map { watch in { _ in watch() } }) { then($0.map(\.children)) }
    }
    package func multi(_ operations: [MultiOperation], then: @escaping (Result<[MultiResult], MultiFailure>) -> Void) {
        client.multi(operations) { result in
            then(result.mapError { MultiFailure(index: $0.index, error: $0.error) })
        }
    }
}
