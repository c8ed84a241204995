import Coordination
import Platform

/// Who is let in, and what is kept of those who are.
extension CoordinationServer {
    func accept(_ connection: any Connection) -> (any ConnectionHandler)? {
        if isStopping { return nil }
        let host = connection.peer.host
        let count = perHost[host, default: 0]
        if config.maxClientConnections > 0, count >= config.maxClientConnections {
            world.journal.warning(
                "refused a connection: maxClientCnxns is reached",
                ["peer": connection.peer, "limit": config.maxClientConnections])
            return nil
        }
        perHost[host] = count + 1
        let client = core.clientOpened(address: host)
        let accepted = ClientConnection(server: self, connection: connection, client: client, now: world.clock.now)
        while connections.count <= client.raw { connections.append(nil) }
        connections[client.raw] = accepted
        connectionCount += 1
        return accepted
    }

    func connectionClosed(_ connection: ClientConnection) {
        guard connections[connection.client.raw] === connection else { return }
        connections[connection.client.raw] = nil
        connectionCount -= 1
        let host = connection.connection.peer.host
        if let count = perHost[host] { perHost[host] = count > 1 ? count - 1 : nil }
        core.clientClosed(connection.client)
    }

    /// Connections that never said what they want.
    func closeSilent(_ now: Instant) {
        for connection in connections {
            guard let connection, connection.phase == .greeting || connection.phase == .connecting else { continue }
            if now - connection.since > .seconds(10) { connection.end(abruptly: true) }
        }
    }
}
