import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// A packet's way to the core, and its answer's way back, behind the disk.
extension CoordinationServer {
    func packet(_ bytes: UnsafeRawBufferPointer, from connection: ClientConnection) {
        if isStopping { return connection.end(abruptly: true) }
        statistics.received += 1
        if connection.phase == .connecting { return connect(bytes, connection) }
        let now = world.clock.now
        scratch.bytes.clear()
        let outcome = core.handle(
            bytes, from: connection.client, now: now.nanoseconds / 1_000_000, wallMs: world.clock.wallMs,
            durable: log.durable, reply: &scratch)
        if let change = outcome.change { append(change) }
        deliver()
        warnOfQuotas()
        connection.lastOp = outcome.op
        if bytes.count >= 4 { connection.lastXid = Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)) }
        connection.lastZxid = core.zxid
        connection.lastReply = now
        let mayOvertake = outcome.op == .ping && connection.heldBytes == 0
        reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: mayOvertake)
        if outcome.ending == .afterReply { connection.end(abruptly: false) }
    }

    func connect(_ bytes: UnsafeRawBufferPointer, _ connection: ClientConnection) {
        let request: ConnectRequest
        do throws(JuteError) { request = try ConnectRequest.decode(bytes) } catch {
            return connection.end(abruptly: true)
        }
        let now = world.clock.now
        switch core.connect(
            request, from: connection.client, now: now.nanoseconds / 1_000_000, wallMs: world.clock.wallMs)
        {
        case .fromTheFuture:
            world.journal.info(
                "closed a connection: its client has seen a later zxid than this server knows",
                ["peer": connection.connection.peer, "seen": "0x" + LogFormat.hex(request.lastZxidSeen)])
            connection.end(abruptly: true)
        case .refused:
            var response = ConnectResponse()
            response.readOnly = request.readOnly.map { _ in false }
            scratch.bytes.clear()
            scratch.packet(response)
            world.journal.info(
                "refused an expired or unknown session",
                ["session": "0x" + LogFormat.hex(request.sessionID), "peer": connection.connection.peer])
            reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: false)
            connection.end(abruptly: false)
        case .resumed(let response, let evicted):
            if let evicted { connections[evicted.raw]?.end(abruptly: true) }
            welcome(response, connection, now)
        case .created(let response, let change):
            append(change)
            welcome(response, connection, now)
        }
    }

    func welcome(_ response: ConnectResponse, _ connection: ClientConnection, _ now: Instant) {
        connection.phase = .serving
        connection.sessionTimeout = response.timeout
        scratch.bytes.clear()
        scratch.packet(response)
        reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: false)
        world.journal.debug(
            "opened a session",
            [
                "session": "0x" + LogFormat.hex(response.sessionID), "peer": connection.connection.peer,
                "timeout": response.timeout,
            ])
    }

    func append(_ change: TreeChange) {
        log.append(change)
        untilSnapshot -= 1
        if !log.isFlying { flySoon() }
    }

    /// Each watcher hears of the last change before any reply that shows it.
    func deliver() {
        if core.deliveries.isEmpty { return }
        for index in core.deliveries.indices {
            let delivery = core.deliveries[index]
            guard let connection = connections[delivery.client.raw] else { continue }
            eventScratch.bytes.clear()
            let frame = eventScratch.beginFrame()
            eventScratch.int32(SpecialXid.watchEvent)
            eventScratch.int64(delivery.zxid)
            eventScratch.int32(0)
            eventScratch.int32(delivery.event)
            eventScratch.int32(3)
            eventScratch.slice(delivery.path)
            eventScratch.endFrame(frame)
            hold(eventScratch.bytes.bytes, for: connection)
        }
    }

    func reply(
        _ bytes: UnsafeRawBufferPointer, to connection: ClientConnection, at now: Instant, mayOvertake: Bool
    ) {
        statistics.sent += 1
        connection.sent += 1
        if mayOvertake { return connection.connection.send(bytes) }
        hold(bytes, for: connection)
    }

    /// Sends now when nothing is on its way to the disk; else with the batch that holds what these bytes have seen.
    func hold(_ bytes: UnsafeRawBufferPointer, for connection: ClientConnection) {
        if log.isGathering {
            gathering.add(bytes, to: connection)
        } else if log.isFlying {
            flying.add(bytes, to: connection)
        } else {
            connection.connection.send(bytes)
        }
    }
}
