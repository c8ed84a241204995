import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// A packet's way to the core, and its answer's way back, behind the disk.
extension CoordinationServer {
    /// What both clocks say.
    struct Moment {
        var now: Instant
        var wallMs: Int64
    }

    var moment: Moment { Moment(now: world.clock.now, wallMs: world.clock.wallMs) }

    func packet(_ bytes: UnsafeRawBufferPointer, from connection: ClientConnection, at moment: Moment) {
        if isStopping { return connection.end(abruptly: true) }
        statistics.received += 1
        statistics.bytesReceived += Int64(bytes.count + 4)
        connection.statistics.received += 1
        if connection.phase == .connecting { return connect(bytes, connection) }
        let now = moment.now
        scratch.bytes.clear()
        let outcome = core.handle(
            bytes, from: connection.client, now: now.nanoseconds / 1_000_000, wallMs: moment.wallMs,
            durable: log.durable, reply: &scratch)
        if let change = outcome.change {
            append(change)
            if change.header.op == .closeSession { told(closedBy: connection, change) }
        }
        deliver()
        warnOfQuotas()
        if let audit { audit.handled(bytes, outcome, connection, core) }
        if isTracing { trace(bytes, outcome, connection) }
        connection.statistics.lastOp = outcome.op
        if bytes.count >= 4 { connection.statistics.lastXid = Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)) }
        connection.statistics.lastZxid = core.zxid
        connection.statistics.lastReply = now
        let mayOvertake = outcome.op == .ping && connection.heldBytes == 0
        reply(
            scratch.bytes.bytes, to: connection, at: now, mayOvertake: mayOvertake, isUpdate: outcome.change != nil,
            asked: bytes.count)
        if outcome.ending == .afterReply {
            if outcome.op == .auth { statistics.failedAuthentications += 1 }
            connection.end(abruptly: false)
        }
    }

    private func connect(_ bytes: UnsafeRawBufferPointer, _ connection: ClientConnection) {
        let request: ConnectRequest
        do throws(JuteError) { request = try ConnectRequest.decode(bytes) } catch {
            refused(.malformed, "closed \(connection.connection.peer): what it sent is no session request")
            return connection.end(abruptly: true)
        }
        let now = world.clock.now
        statistics.connectionRequests += 1
        guard admits(request, connection, now) else { return connection.end(abruptly: true) }
        switch core.connect(
            request, from: connection.client, now: now.nanoseconds / 1_000_000, wallMs: world.clock.wallMs)
        {
        case .fromTheFuture:
            refused(
                .unknown,
                "closed \(connection.connection.peer): its client has seen zxid 0x\(LogFormat.hex(request.lastZxidSeen)), which this server does not know"
            )
            connection.end(abruptly: true)
        case .refused:
            var response = ConnectResponse()
            response.readOnly = request.readOnly.map { _ in false }
            scratch.bytes.clear()
            scratch.packet(response)
            narrator.tell(
                .unknown,
                "session 0x\(LogFormat.hex(request.sessionID)) is expired or unknown; \(connection.connection.peer) was told so"
            )
            reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: false, isUpdate: false, asked: 0)
            connection.end(abruptly: false)
        case .resumed(let response, let evicted):
            statistics.resumedSessions += 1
            told(resumed: response, by: connection, evicted: evicted.flatMap { connections[$0.raw] })
            if let evicted { connections[evicted.raw]?.end(abruptly: true) }
            // It tells of nothing newer than the session, whose beginning its client was told of. Behind a disk that stands still
            // it would come too late, and a client that lives would lose its ephemerals.
            welcome(response, connection, now, isUpdate: false, mayOvertake: true)
        case .created(let response, let change):
            append(change)
            told(began: response, by: connection, change)
            welcome(response, connection, now, isUpdate: true, mayOvertake: false)
        }
    }

    private func welcome(
        _ response: ConnectResponse, _ connection: ClientConnection, _ now: Instant, isUpdate: Bool, mayOvertake: Bool
    ) {
        connection.phase = .serving
        connection.sessionTimeout = response.timeout
        connection.statistics.lastOp = .createSession
        connection.statistics.lastZxid = core.zxid
        connection.statistics.lastReply = now
        scratch.bytes.clear()
        scratch.packet(response)
        reply(scratch.bytes.bytes, to: connection, at: now, mayOvertake: mayOvertake, isUpdate: isUpdate, asked: 0)
    }

    func append(_ change: TreeChange) {
        log.append(change)
        statistics.changes += 1
        untilSnapshot -= 1
        noteNodes(of: change)
        if !log.isFlying { flySoon() }
    }

    /// Each watcher hears of the last change before any reply that shows it.
    func deliver() {
        if core.deliveries.isEmpty { return }
        let now = world.clock.now
        // A change tells of a node's beginning, end or data, and of its parent's children: few kinds, counted for each.
        var told: (Int64, Int64, Int64, Int64) = (0, 0, 0, 0)
        // All who watch one node get the same bytes: they are made once.
        var made: WatchDelivery?
        for index in core.deliveries.indices {
            let delivery = core.deliveries[index]
            switch delivery.event {
            case 1: told.0 += 1
            case 2: told.1 += 1
            case 3: told.2 += 1
            default: told.3 += 1
            }
            guard let connection = connections[delivery.client.raw] else { continue }
            if made?.tellsTheSame(as: delivery) != true {
                eventScratch.bytes.clear()
                let frame = eventScratch.beginFrame()
                eventScratch.int32(SpecialXid.watchEvent)
                eventScratch.int64(delivery.zxid)
                eventScratch.int32(0)
                eventScratch.int32(delivery.event)
                eventScratch.int32(3)
                eventScratch.slice(delivery.path)
                eventScratch.endFrame(frame)
                made = delivery
            }
            let bytes = eventScratch.bytes.bytes
            statistics.watchBytes += Int64(bytes.count)
            statistics.sent += 1
            connection.statistics.sent += 1
            hold(bytes, for: connection, .event, at: now)
        }
        if told.0 > 0 { statistics.watchEvents[0].add(told.0) }
        if told.1 > 0 { statistics.watchEvents[1].add(told.1) }
        if told.2 > 0 { statistics.watchEvents[2].add(told.2) }
        if told.3 > 0 { statistics.watchEvents[3].add(told.3) }
    }

    /// - Parameter asked: the request's bytes.
    private func reply(
        _ bytes: UnsafeRawBufferPointer, to connection: ClientConnection, at now: Instant, mayOvertake: Bool,
        isUpdate: Bool, asked: Int
    ) {
        statistics.answered(bytes: bytes.count)
        connection.statistics.sent += 1
        if mayOvertake {
            statistics.answeredAtOnce()
            connection.statistics.answeredAtOnce()
            return connection.connection.send(bytes)
        }
        let waits = hold(bytes, for: connection, isUpdate ? .update : .read, at: now)
        if waits, asked > config.largeRequestThreshold, config.largeRequestThreshold > 0 {
            (log.isGathering ? gathering : flying).largeBytes += asked
        }
    }

    /// Sends now when nothing is on its way to the disk; else with the batch that holds what these bytes have seen.
    /// - Returns: whether they wait.
    @discardableResult
    private func hold(
        _ bytes: UnsafeRawBufferPointer, for connection: ClientConnection, _ content: ReplyBatch.Content,
        at now: Instant
    ) -> Bool {
        if log.isGathering {
            gathering.add(bytes, to: connection, content, at: now)
        } else if log.isFlying {
            flying.add(bytes, to: connection, content, at: now)
        } else {
            if content != .event {
                statistics.answeredAtOnce()
                connection.statistics.answeredAtOnce()
            }
            connection.connection.send(bytes)
            return false
        }
        return true
    }
}
