import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// One client's stream: four-letter word or session, then requests in order.
final class ClientConnection: ConnectionHandler {
    enum Phase {
        /// The first four bytes tell what this is.
        case greeting
        case connecting
        case serving
        /// Nothing more is read.
        case ended
    }

    unowned let server: CoordinationServer
    let connection: any Connection
    let client: ClientID
    let since: Instant
    var phase = Phase.greeting
    /// Bytes, and replies among them, that wait for the disk.
    var heldBytes = 0
    var heldReplies = 0
    private var endsWhenReleased = false
    private var pausedAt: Instant?
    var isPaused: Bool { pausedAt != nil }
    /// Not read from, and not because it does not read its answers: its silence says nothing.
    var isHeldUp: Bool { pausedAt != nil && !isFull }
    var statistics: ConnectionStatistics
    var sessionTimeout: Int32 = 0

    init(server: CoordinationServer, connection: any Connection, client: ClientID, now: Instant) {
        self.server = server
        self.connection = connection
        self.client = client
        since = now
        statistics = ConnectionStatistics(now: now)
        connection.needs(4)
    }

    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        // Counted once for all requests of this read, and so is the time taken: they arrived together.
        let server = self.server
        var moment = server.moment
        var sinceMoment = 0
        var consumed = 0
        while phase != .ended {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard rest.count >= 4 else {
                connection.needs(4)
                break
            }
            if phase == .greeting {
                switch FourLetterWords.answer(rest, for: self) {
                case .notOne: break
                case .needs(let count):
                    connection.needs(count)
                    return consumed
                case .answered:
                    phase = .ended
                    connection.closeWhenSent()
                    return bytes.count
                }
                phase = .connecting
            }
            let length = Int(Int32(bigEndian: rest.loadUnaligned(as: Int32.self)))
            guard length > 0, length <= server.config.maxBuffer else {
                server.refused(
                    .malformed,
                    "closed \(connection.peer): a packet of \(length) bytes is not between 1 and jute.maxbuffer")
                end(abruptly: true)
                break
            }
            guard server.admitsLarge(length) else {
                server.refused(
                    .large,
                    "closed \(connection.peer): a request of \(length) bytes, and largeRequestMaxBytes are under way")
                end(abruptly: true)
                break
            }
            guard rest.count >= 4 + length else {
                connection.needs(4 + length)
                break
            }
            if isFull || isCrowded(server) && !overtakes(rest, length) {
                pause()
                break
            }
            consumed += 4 + length
            sinceMoment += 1
            if sinceMoment == ClientConnection.momentLasts {
                sinceMoment = 0
                moment = server.moment
            }
            server.packet(UnsafeRawBufferPointer(rebasing: rest[4..<(4 + length)]), from: self, at: moment)
        }
        return phase == .ended ? bytes.count : consumed
    }

    /// The client does not read its answers: no more work for it now.
    private var isFull: Bool { heldBytes + connection.unsentBytes > OutputLimits.highWater }

    /// The disk is far behind, or a configured limit is reached: no more work for now.
    private func isCrowded(_ server: CoordinationServer) -> Bool { server.isLogCrowded || server.isOverLimit(self) }

    /// What keeps a session alive asks nothing of the disk, and is heard however far behind that is: a session that goes on, a ping.
    private func overtakes(_ packet: UnsafeRawBufferPointer, _ length: Int) -> Bool {
        if phase == .connecting {
            // Behind the length: protocol version, last zxid seen and timeout, then the session.
            return length >= 24 && packet.loadUnaligned(fromByteOffset: 20, as: Int64.self) != 0
        }
        return length >= 8
            && Int32(bigEndian: packet.loadUnaligned(fromByteOffset: 8, as: Int32.self)) == OpCode.ping.rawValue
    }

    /// Requests in a row that are taken to be of one moment.
    private static let momentLasts = 32

    private func pause() {
        pausedAt = server.world.clock.now
        connection.pause()
        server.paused.append(self)
        server.statistics.throttleWaits += 1
    }

    func resumeIfRoom() -> Bool {
        guard let pausedAt, phase != .ended else { return true }
        if isFull || isCrowded(server) { return false }
        server.statistics.throttleTime.add((server.world.clock.now - pausedAt).nanoseconds / 1000)
        self.pausedAt = nil
        connection.resume()
        return true
    }

    /// Ends after what it has been told, or at once.
    func end(abruptly: Bool) {
        phase = .ended
        if abruptly {
            connection.close()
        } else if heldBytes > 0 {
            endsWhenReleased = true
        } else {
            connection.closeWhenSent()
        }
    }

    /// Bytes that need not wait any longer.
    func released(_ bytes: UnsafeRawBufferPointer) {
        heldBytes -= bytes.count
        connection.send(bytes)
        if endsWhenReleased, heldBytes == 0 { connection.closeWhenSent() }
    }

    func drained(_ connection: any Connection) { server.resumePaused() }

    func closed(_ connection: any Connection, _ reason: CloseReason) {
        phase = .ended
        server.connectionClosed(self)
    }
}
