import CoordinationProtocol
import Platform

extension CoordinationClient {
    package enum ClosingOutcome: Equatable, Sendable {
        /// It lived, and is closed now.
        case closed
        /// It was over already.
        case gone
        /// Nobody could be asked in time.
        case unreachable(String)
    }

    /// Attaches to a session that an earlier life of this process left behind, and closes it, so that its ephemerals go at once and
    /// not when it expires.
    /// - Parameter trouble: hears why each attempt failed, while trying goes on.
    package static func closeSession(
        _ identity: SessionIdentity, world: any World, connect: ConnectString, sessionTimeout: Duration,
        patience: Duration, trouble: @escaping (String) -> Void = { _ in }, then: @escaping (ClosingOutcome) -> Void
    ) {
        let closer = SessionCloser(world: world, trouble: trouble, then: then)
        closer.begin(identity, connect: connect, sessionTimeout: sessionTimeout, patience: patience)
    }
}

/// Holds itself until it has an outcome.
private final class SessionCloser {
    private let world: any World
    private let then: (CoordinationClient.ClosingOutcome) -> Void
    private let trouble: (String) -> Void
    private var client: CoordinationClient?
    private var deadline: TimerID?
    private var lastFailure = "no answer in time"
    private var keeper: SessionCloser?

    init(
        world: any World, trouble: @escaping (String) -> Void,
        then: @escaping (CoordinationClient.ClosingOutcome) -> Void
    ) {
        self.world = world
        self.trouble = trouble
        self.then = then
    }

    func begin(_ identity: SessionIdentity, connect: ConnectString, sessionTimeout: Duration, patience: Duration) {
        keeper = self
        // That this session may be over is no news: the outcome says it.
        var journal = world.journal
        journal.level = .error
        let client = CoordinationClient(
            world: world, connect: connect, sessionTimeout: sessionTimeout, identity: identity, journal: journal
        ) { [weak self] event in self?.heard(event) }
        self.client = client
        deadline = world.after(patience) { [weak self] in self?.finish(.unreachable(self?.lastFailure ?? "")) }
        client.start()
    }

    private func heard(_ event: SessionEvent) {
        switch event {
        case .connected:
            client?.close { [weak self] confirmed in
                self?.finish(confirmed ? .closed : .unreachable("the connection was lost"))
            }
        case .attemptFailed(_, let reason), .disconnected(let reason):
            lastFailure = reason
            trouble(reason)
        case .expired: finish(.gone)
        case .authFailed: finish(.unreachable("the credentials were refused"))
        }
    }

    private func finish(_ outcome: CoordinationClient.ClosingOutcome) {
        guard keeper != nil else { return }
        keeper = nil
        if let deadline { world.timers.cancel(deadline) }
        let client = client
        self.client = nil
        // Not from within the client's own call.
        world.timers.soon { [then] in
            if let client, !client.isOver { client.abandon() }
            then(outcome)
        }
    }
}
