import ClusterModel
import CoordinationProtocol
import Platform

/// The groups' view of the broker's session.
package final class GroupTreeOnTree: GroupTree {
    private let tree: any Tree
    private let aliveUntil: () -> Instant?

    /// - Parameter aliveUntil: until when the session is known to be alive, counted from the last thing the service answered.
    package init(_ tree: any Tree, aliveUntil: @escaping () -> Instant?) {
        self.tree = tree
        self.aliveUntil = aliveUntil
    }

    package var sessionID: Int64 { tree.sessionID }
    package var provenAliveUntil: Instant? { aliveUntil() }

    package func multi(_ operations: [TreeOperation], then: @escaping (Result<[Int32], TreeFailure>) -> Void) {
        tree.multi(operations.map(\.onTheWire)) { result in
            switch result {
            case .failure(let failure): then(.failure(TreeFailure(failure.error, operation: failure.index ?? -1)))
            case .success(let results):
                then(
                    .success(
                        results.map { result in
                            switch result {
                            case .created: 0
                            case .set(let stat): stat.version
                            default: -1
                            }
                        }))
            }
        }
    }

    package func read(_ path: String, then: @escaping (Result<TreeNode, TreeFailure>) -> Void) {
        tree.getData(path, watch: nil) { then($0.map(TreeNode.init).mapError { TreeFailure($0) }) }
    }

    package func children(_ path: String, then: @escaping (Result<[String], TreeFailure>) -> Void) {
        tree.getChildren(path, watch: nil) { then($0.mapError { TreeFailure($0) }) }
    }

    package func observe(
        _ path: String, changed: @escaping () -> Void, then: @escaping (Result<TreeNode?, TreeFailure>) -> Void
    ) {
        tree.exists(path, watch: changed) { [self] result in
            switch result {
            case .failure(let error): then(.failure(TreeFailure(error)))
            case .success(nil): then(.success(nil))
            case .success:
                tree.getData(path, watch: nil) { result in
                    switch result {
                    case .success(let node): then(.success(TreeNode(node)))
                    case .failure(.noNode): then(.success(nil))
                    case .failure(let error): then(.failure(TreeFailure(error)))
                    }
                }
            }
        }
    }
}

extension TreeNode {
    fileprivate init(_ node: ReadNode) {
        self.init(
            data: node.data, version: node.stat.version, modifiedMs: node.stat.mtime,
            ephemeralOwner: node.stat.ephemeralOwner, childCount: node.stat.numChildren)
    }
}

extension TreeOperation {
    fileprivate var onTheWire: MultiOperation {
        switch self {
        case .check(let path, let version): .check(path, version: version)
        case .create(let path, let data, let ephemeral): .create(path, data, mode: ephemeral ? .ephemeral : .persistent)
        case .set(let path, let data): .set(path, data, version: -1)
        case .delete(let path): .delete(path)
        }
    }
}

extension TreeFailure {
    fileprivate init(_ error: CoordinationError, operation: Int = 0) {
        let cause: Cause =
            switch error {
            case .noNode: .noNode
            case .nodeExists: .nodeExists
            case .badVersion: .badVersion
            case .notEmpty: .notEmpty
            case .connectionLoss: .connectionLost
            case .sessionExpired: .sessionExpired
            default: .other("\(error)")
            }
        self.init(cause, operation: operation)
    }
}
