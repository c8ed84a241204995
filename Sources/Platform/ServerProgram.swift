/// Why a server cannot start, or go on: one line that says what, why, and what to do.
package struct ServerFailure: Error, Equatable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// A server as the executable runs it; made from its settings and a world, then started once.
package protocol ServerProgram: AnyObject {
    /// Begins, and returns; what takes time goes on in callbacks.
    /// - Parameter failed: called when it cannot go on; the process then ends with status 1 at once.
    func start(failed: @escaping (ServerFailure) -> Void) throws(ServerFailure)
    /// A clean end (SIGTERM): everything handed over and synced, then `then`, once. May come before the start is complete.
    func stop(then: @escaping () -> Void)
}
