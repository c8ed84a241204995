import CoordinationProtocol

/// What administrators ask for, and snapshots.
extension CoordinationCore {
    package var nodeCount: Int { tree.nodeCount }
    package var dataSize: Int { tree.dataSize }
    package var ephemeralCount: Int { tree.ephemeralCount }
    package var sessionCount: Int { sessions.count }
    package var watchCounts: (clients: Int, paths: Int, all: Int) {
        (watches.clientCount, watches.pathCount, watches.count)
    }
    /// Who a client has proven to be, without secrets: for the audit.
    package func users(of client: ClientID) -> [String] { clients[client.raw].asker.identities.told.map(\.user) }
    /// By id.
    package var sessionDeadlines: [(id: Int64, deadline: Int64)] {
        sessions.entries.map { (id: $0.key, deadline: $0.value.deadline) }.sorted { $0.id < $1.id }
    }
    package var ephemeralsBySession: [(session: Int64, paths: [String])] {
        tree.ephemerals.filter { !$0.value.isEmpty }.keys.sorted().map { session in
            (session: session, paths: tree.ephemeralPaths(of: session).map(\.text))
        }
    }

    package mutating func beginSnapshot(into writer: inout JuteWriter) -> Int64 { tree.beginSnapshot(into: &writer) }
    /// - Returns: true when that was the last piece.
    package mutating func continueSnapshot(nodes: Int, into writer: inout JuteWriter) -> Bool {
        tree.continueSnapshot(nodes: nodes, into: &writer)
    }
    package mutating func abandonSnapshot() { tree.abandonSnapshot() }
}
