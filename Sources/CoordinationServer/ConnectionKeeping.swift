import Coordination
import CoordinationProtocol
import Platform

/// Who is let in, and what is kept of those who are.
extension CoordinationServer {
    func accept(_ connection: any Connection) -> (any ConnectionHandler)? {
        if isStopping { return nil }
        let host = connection.peer.host
        let count = perHost[host, default: 0]
        if config.maxConnections > 0, connectionCount >= config.maxConnections {
            refused(
                .limit, "refused \(connection.peer): all \(config.maxConnections) connections of maxCnxns are taken")
            return nil
        }
        if config.maxClientConnections > 0, count >= config.maxClientConnections {
            refused(
                .limit,
                "refused \(connection.peer): its address has all \(config.maxClientConnections) connections of maxClientCnxns"
            )
            return nil
        }
        perHost[host] = count + 1
        if host.hasPrefix("127.") || host == "::1" || host.hasPrefix("::ffff:127.") {
            statistics.localConnections += 1
        } else {
            statistics.remoteConnections += 1
        }
        let client = core.clientOpened(address: host)
        let accepted = ClientConnection(server: self, connection: connection, client: client, now: world.clock.now)
        while connections.count <= client.raw { connections.append(nil) }
        connections[client.raw] = accepted
        connectionCount += 1
        return accepted
    }

    /// Counts a connection that is not let in, or not let on, and says so.
    func refused(_ kind: Narrator.Kind, _ text: @autoclosure () -> String) {
        if kind == .large { statistics.refusedLargeRequests += 1 }
        if kind == .limit { statistics.refusedConnections += 1 } else { statistics.droppedConnections += 1 }
        narrator.tell(kind, level: .warning, text())
    }

    /// Whether a session may begin or go on now, by the throttle.
    func admits(_ request: ConnectRequest, _ connection: ClientConnection, _ now: Instant) -> Bool {
        guard throttle.rules.tokens > 0 else { return true }
        let chance = Double(world.random() >> 11) / Double(1 << 53)
        let admitted = throttle.admits(
            resuming: request.sessionID != 0, now: now.nanoseconds / 1_000_000, chance: chance)
        statistics.tokenDeficit.add(Int64(throttle.deficit))
        if !admitted {
            refused(
                .limit,
                "refused \(connection.connection.peer): sessions come faster than connection_throttle_tokens allows")
        }
        return admitted
    }

    /// Replies that wait for the disk.
    var outstanding: Int { flying.replies + gathering.replies }

    /// The configured limits; what is not configured is bounded in bytes (`isLogCrowded`, `OutputLimits`).
    func isOverLimit(_ connection: ClientConnection) -> Bool {
        if config.outstandingLimit > 0, outstanding > config.outstandingLimit, connection.heldReplies > 0 {
            return true
        }
        return config.requestLimit > 0 && outstanding >= config.requestLimit
    }

    /// Whether a request of this length may be read, beside the large ones under way.
    func admitsLarge(_ length: Int) -> Bool {
        guard config.largeRequestThreshold > 0, length > config.largeRequestThreshold else { return true }
        return flying.largeBytes + gathering.largeBytes + length <= config.largeRequestMaxBytes
    }

    func connectionClosed(_ connection: ClientConnection) {
        guard connections[connection.client.raw] === connection else { return }
        connections[connection.client.raw] = nil
        connectionCount -= 1
        let host = connection.connection.peer.host
        if let count = perHost[host] { perHost[host] = count > 1 ? count - 1 : nil }
        let session = core.session(of: connection.client)
        if session != 0 { detachedPeers[session] = connection.connection.peer }
        core.clientClosed(connection.client)
    }

    /// Connections that never said what they want.
    func closeSilent(_ now: Instant) {
        for connection in connections {
            guard let connection, connection.phase == .greeting || connection.phase == .connecting else { continue }
            guard now - connection.since > config.sessionlessTimeout else { continue }
            statistics.silentConnections += 1
            narrator.tell(
                .silent,
                "closed \(connection.connection.peer): no session within \(config.sessionlessTimeout.wholeMilliseconds) ms"
            )
            connection.end(abruptly: true)
        }
    }
}
