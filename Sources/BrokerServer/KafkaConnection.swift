import Broker
import Bytes
import ClusterModel
import KafkaProtocol
import Platform

/// One client's stream: frames in, replies out, strictly in order. A request is answered before the next one is looked
/// at;
/// while a reply waits (for other replicas, for records, for a group) nothing more is read, as Kafka does it.
final class KafkaConnection: ConnectionHandler {
    let listener: String
    private let router: RequestRouter
    private let stream: any Connection
    private let ended: (KafkaConnection) -> Void
    /// Counts requests; the reply to an older one than this has been given.
    private var serial: UInt64 = 0
    private var isAnswering = false
    private var isParked = false
    private var isHeldBack = false
    private var isEnding = false
    private(set) var lastUse: Instant
    /// What waits in the waiting room for this connection, so that it can leave when the client does.
    var visitor: WaitingRoom.Visitor?
    /// Said once by the client's first ApiVersions.
    var software = ""

    /// - Parameter ended: told once when the stream is gone.
    init(router: RequestRouter, stream: any Connection, listener: String, ended: @escaping (KafkaConnection) -> Void) {
        self.router = router
        self.stream = stream
        self.listener = listener
        self.ended = ended
        lastUse = router.node.world.clock.now
    }

    var peer: PeerAddress { stream.peer }
    /// Nothing is owed to the client.
    var isIdle: Bool { !isAnswering && stream.unsentBytes == 0 }

    // MARK: Frames

    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        var consumed = 0
        lastUse = router.node.world.clock.now
        while !isAnswering, !isEnding {
            guard router.isServing else {
                hold()
                break
            }
            if connection.unsentBytes > OutputLimits.highWater {
                // The client asks faster than it reads.
                hold()
                break
            }
            let left = bytes.count - consumed
            guard left >= 4, let base = bytes.baseAddress else {
                connection.needs(4)
                break
            }
            let size = Int(Int32(bigEndian: (base + consumed).loadUnaligned(as: Int32.self)))
            if serial == 0, greetsOtherwise(UnsafeRawBufferPointer(start: base + consumed, count: left)) {
                return bytes.count
            }
            guard size >= 8, size <= router.requestMaxBytes else {
                end("a request of \(size) bytes (socket.request.max.bytes is \(router.requestMaxBytes))")
                return bytes.count
            }
            guard left - 4 >= size else {
                connection.needs(4 + size)
                break
            }
            let frame = UnsafeMutableRawBufferPointer(start: base + consumed + 4, count: size)
            consumed += 4 + size
            take(frame)
        }
        if isAnswering, !isParked {
            isParked = true
            connection.pause()
        }
        return isEnding ? bytes.count : consumed
    }

    private func take(_ frame: UnsafeMutableRawBufferPointer) {
        serial += 1
        isAnswering = true
        do throws(WireError) {
            try router.route(UnsafeRawBufferPointer(frame), from: self, serial: serial)
        } catch {
            // The first four bytes say what it took itself for.
            let words = frame.count >= 4 ? UnsafeRawBufferPointer(frame) : nil
            let (api, version) = words.map { ($0.word(at: 0), $0.word(at: 2)) } ?? (-1, -1)
            let name = ApiKey(rawValue: api)?.name ?? "api \(api)"
            end("\(name) version \(version) from \(software.isEmpty ? "a client" : software): \(error)")
        }
    }

    private func hold() {
        isHeldBack = true
        stream.pause()
    }

    func drained(_ connection: any Connection) { release() }

    /// After a hold: the output has drained, or the broker has begun to serve.
    func release() {
        guard isHeldBack else { return }
        isHeldBack = false
        if !isParked { stream.resume() }
    }

    // MARK: Replies

    /// The reply to the request of that number. Regions fill the response's records in their order.
    func answer(_ serial: UInt64, _ header: RequestHeader, _ response: some Message, regions: [FileRegion] = []) {
        guard finish(serial) else { return }
        do throws(WireError) {
            try router.put(response, answering: header, regions: regions, on: stream)
        } catch {
            router.node.world.journal.error(
                "a reply could not be written",
                ["api": header.key.name, "version": Int(header.version), "reason": "\(error)"])
            end("a reply that could not be written")
        }
        goOn()
    }

    /// Produce with acks=0: nothing is said.
    func answerNothing(_ serial: UInt64) {
        guard finish(serial) else { return }
        goOn()
    }

    private func finish(_ serial: UInt64) -> Bool {
        precondition(serial == self.serial && isAnswering, "request \(serial) was answered twice")
        isAnswering = false
        visitor = nil
        lastUse = router.node.world.clock.now
        return !isEnding
    }

    private func goOn() {
        guard isParked else { return }
        isParked = false
        if !isHeldBack { stream.resume() }
    }

    // MARK: The end

    /// Ends the stream and says why in the journal. Replies given already still leave.
    func end(_ reason: String) {
        guard !isEnding else { return }
        isEnding = true
        router.complaints.tell("ended a connection", peer: peer, reason: reason)
        stream.closeWhenSent()
    }

    /// Without a word: an idle one, or the broker stops.
    func endQuietly() {
        isEnding = true
        stream.closeWhenSent()
    }

    func closed(_ connection: any Connection, _ reason: CloseReason) {
        isEnding = true
        if let visitor { router.node.waiting.leave(visitor) }
        visitor = nil
        ended(self)
    }

    /// A browser, or a client that speaks TLS: recognised by its first bytes, which as a length would be absurd.
    private func greetsOtherwise(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let answer = StrangeGreeting.answer(to: bytes) else { return false }
        isEnding = true
        router.complaints.tell(answer.journal, peer: peer, reason: "listener \(listener), port \(stream.local.port)")
        stream.send(answer.bytes)
        stream.closeWhenSent()
        return true
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func word(at offset: Int) -> Int16 {
        Int16(bigEndian: loadUnaligned(fromByteOffset: offset, as: Int16.self))
    }
}

/// What other protocols' clients say first, and what is said back.
enum StrangeGreeting {
    struct Answer: Equatable {
        var journal: String
        var bytes: [UInt8]
    }

    /// Nil when the four bytes are a length, as far as one can tell.
    static func answer(to bytes: UnsafeRawBufferPointer) -> Answer? {
        guard bytes.count >= 4 else { return nil }
        let word = String(decoding: bytes[0..<4], as: UTF8.self)
        if ["GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "CONN"].contains(word) {
            let text = "This port speaks Kafka, not HTTP.\n"
            let reply =
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(text.utf8.count)\r\n"
                + "Connection: close\r\n\r\n" + (word == "HEAD" ? "" : text)
            return Answer(journal: "an HTTP client came to a Kafka port", bytes: [UInt8](reply.utf8))
        }
        if bytes[0] == 0x16, bytes[1] == 0x03, bytes[2] <= 0x04 {
            // A fatal alert: protocol version. The client says so instead of waiting.
            return Answer(
                journal: "a TLS client came to a plaintext port", bytes: [0x15, 0x03, bytes[2], 0x00, 0x02, 0x02, 0x46])
        }
        return nil
    }
}

/// Lines about misbehaving clients, at most one a second: they must not fill the disk.
final class Complaints {
    private let world: any World
    private var next = Instant.start
    private var silenced = 0

    init(world: any World) { self.world = world }

    func tell(_ text: String, peer: PeerAddress, reason: String) {
        let now = world.clock.now
        guard now >= next else {
            silenced += 1
            return
        }
        next = now + .seconds(1)
        if silenced > 0 {
            world.journal.info(text, ["peer": peer, "reason": reason, "and_others": silenced])
        } else {
            world.journal.info(text, ["peer": peer, "reason": reason])
        }
        silenced = 0
    }
}
