import Platform

/// What the groups' driver asks of the coordination service: nothing beyond ZooKeeper 3.8's operations, and nothing of its wire.
package protocol GroupTree: AnyObject {
    /// The present session; ephemerals bearing it are this broker's. 0 without one.
    var sessionID: Int64 { get }
    /// Until when the session is known to be alive, counted from the last thing the service answered; nil without one.
    var provenAliveUntil: Instant? { get }

    /// All or nothing. Versions: of what was set, 0 for what was created, -1 otherwise.
    func multi(_ operations: [TreeOperation], then: @escaping (Result<[Int32], TreeFailure>) -> Void)
    func read(_ path: String, then: @escaping (Result<TreeNode, TreeFailure>) -> Void)
    func children(_ path: String, then: @escaping (Result<[String], TreeFailure>) -> Void)
    /// The node or nil, and one call of `changed` when it is created, deleted or set after that.
    func observe(
        _ path: String, changed: @escaping () -> Void, then: @escaping (Result<TreeNode?, TreeFailure>) -> Void)
}

package struct TreeNode: Equatable {
    package var data: [UInt8]
    package var version: Int32
    package var modifiedMs: Int64
    package var ephemeralOwner: Int64
    package var childCount: Int32
    package init(
        data: [UInt8], version: Int32 = 0, modifiedMs: Int64 = 0, ephemeralOwner: Int64 = 0, childCount: Int32 = 0
    ) {
        self.data = data
        self.version = version
        self.modifiedMs = modifiedMs
        self.ephemeralOwner = ephemeralOwner
        self.childCount = childCount
    }
}

package enum TreeOperation: Equatable {
    case check(String, version: Int32)
    case create(String, [UInt8], ephemeral: Bool = false)
    /// Whatever its version.
    case set(String, [UInt8])
    case delete(String)

    /// About what it weighs on the wire and in the service's log.
    package var weight: Int {
        switch self {
        case .check(let path, _): path.utf8.count + 24
        case .create(let path, let data, _): path.utf8.count + data.count + 64
        case .set(let path, let data): path.utf8.count + data.count + 32
        case .delete(let path): path.utf8.count + 24
        }
    }
}

package struct TreeFailure: Error, Equatable {
    package enum Cause: Equatable {
        case noNode, nodeExists, badVersion, notEmpty
        /// Sent, perhaps done, never answered.
        case connectionLost
        /// The session this was asked under is over.
        case sessionExpired
        case other(String)
    }
    package var cause: Cause
    /// Which operation of a multi it was.
    package var operation: Int
    package init(_ cause: Cause, operation: Int = 0) {
        self.cause = cause
        self.operation = operation
    }
}
