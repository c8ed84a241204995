import Platform

/// One end of a stream between two nodes.
final class SimulatedConnection: Connection {
    enum State {
        case connecting, open
        /// `closed` has been called or will be; nothing else happens any more.
        case over
    }
    enum Piece {
        case bytes([UInt8])
        /// The end of the stream.
        case end
        case reset
    }
    private enum Output {
        case bytes([UInt8], from: Int)
        case region(FileRegion)
    }

    let node: SimulatedNode
    let life: Int
    unowned let network: SimulatedNetwork
    var peer: PeerAddress
    let local: PeerAddress
    var handler: (any ConnectionHandler)?
    var other: SimulatedConnection?
    var state = State.connecting

    // Towards the peer.
    private var output: [Output] = []
    private(set) var unsentBytes = 0
    private var wasAboveHighWater = false
    private var flushIsDue = false
    private var closesWhenSent = false
    private var sentEnd = false
    /// Bytes the peer's system holds or will hold, and its owner has not read.
    private var underWay = 0
    private var lastArrival = Instant.start
    /// Sent and not arrived, in order; each arrival takes the first.
    private var onTheWay: [Piece] = []
    /// Arrivals that wait for a partition's end.
    private(set) var stalled = 0

    // From the peer.
    private var isEstablished = false
    private var systemBuffer: [UInt8] = []
    private var buffer: [UInt8] = []
    private var needed = 1
    private var isPaused = false
    private var peerEnded = false
    private var isReading = false
    private var lastHeard = Instant.start

    private var simulation: Simulation { network.simulation }

    init(node: SimulatedNode, network: SimulatedNetwork, peer: PeerAddress, local: PeerAddress) {
        self.node = node
        self.network = network
        self.peer = peer
        self.local = local
        life = node.life
    }

    var isOpen: Bool { state == .open && isEstablished }

    func later(_ label: String, _ action: @escaping () -> Void) {
        simulation.schedule(at: simulation.now, on: node, life: life, label, action)
    }

    // MARK: The owner's calls

    func send(_ bytes: UnsafeRawBufferPointer) {
        guard state != .over, !closesWhenSent, !bytes.isEmpty else { return }
        output.append(.bytes([UInt8](bytes), from: 0))
        added(bytes.count)
    }

    func send(_ region: FileRegion) {
        guard state != .over, !closesWhenSent, region.length > 0 else { return }
        output.append(.region(region))
        added(region.length)
    }

    private func added(_ count: Int) {
        unsentBytes += count
        if unsentBytes > OutputLimits.highWater { wasAboveHighWater = true }
        flushLater()
    }

    var silence: Duration { simulation.now - lastHeard }

    func needs(_ count: Int) { needed = max(1, count) }

    func pause() { isPaused = true }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        later("resumed") { [self] in read() }
    }

    func close() {
        guard state != .over else { return }
        if state == .open { transmit(.end) }
        ended(.byUs)
    }

    func closeWhenSent() {
        guard state != .over, !closesWhenSent else { return }
        closesWhenSent = true
        simulation.schedule(at: simulation.now + .seconds(5), on: node, life: life, "close limit") { [self] in close() }
        flushLater()
    }

    // MARK: Sending

    private func flushLater() {
        guard !flushIsDue else { return }
        flushIsDue = true
        later("flush") { [self] in
            flushIsDue = false
            flush()
        }
    }

    /// Hands the system as much as its window takes, cut into pieces.
    private func flush() {
        guard state == .open, isEstablished else { return }
        while underWay < simulation.options.window, let first = output.first {
            let room = simulation.options.window - underWay
            let count = Int.random(
                in: 1...max(1, min(room, simulation.options.largestPiece)), using: &simulation.random)
            var piece: [UInt8] = []
            switch first {
            case .bytes(let bytes, let from):
                piece = Array(bytes[from..<min(from + count, bytes.count)])
                let next = from + piece.count
                if next == bytes.count { output.removeFirst() } else { output[0] = .bytes(bytes, from: next) }
            case .region(var region):
                piece = [UInt8](repeating: 0, count: min(count, region.length))
                let got = piece.withUnsafeMutableBytes { (try? region.file.read(into: $0, at: region.offset)) ?? -1 }
                guard got == piece.count else {
                    transmit(.reset)
                    return broken("the file \(region.file.path) is shorter than it was")
                }
                region.offset += Int64(got)
                region.length -= got
                if region.length == 0 { output.removeFirst() } else { output[0] = .region(region) }
            }
            unsentBytes -= piece.count
            underWay += piece.count
            if simulation.chance(simulation.options.connectionLoss) {
                other?.broken("Connection reset by peer")
                return broken("Connection reset by peer")
            }
            transmit(.bytes(piece))
        }
        if wasAboveHighWater, unsentBytes < OutputLimits.lowWater {
            wasAboveHighWater = false
            later("drained") { [self] in if state == .open { handler?.drained(self) } }
        }
        guard unsentBytes == 0 else { return }
        if closesWhenSent {
            transmit(.end)
            ended(.byUs)
        } else if peerEnded {
            transmit(.end)
            ended(.byPeer)
        }
    }

    private func transmit(_ piece: Piece) {
        if case .end = piece {
            if sentEnd { return }
            sentEnd = true
        }
        onTheWay.append(piece)
        depart("piece")
    }

    private func depart(_ label: String) {
        guard let other else { return onTheWay.removeAll() }
        lastArrival = max(lastArrival, simulation.now + network.delay(node, other.node))
        simulation.at(lastArrival, "\(label) \(node.name) \(other.node.name)") { [self] in arrive() }
    }

    /// A partition ended: what waited leaves now.
    func retransmit() {
        let count = stalled
        stalled = 0
        for _ in 0..<count { depart("piece again") }
        if state == .over { network.forget(self) }
    }

    /// At the peer's machine, whether or not its program runs just now.
    private func arrive() {
        guard let other, !onTheWay.isEmpty else { return }
        guard stalled == 0, !network.isBlocked(node, other.node) else {
            stalled += 1
            return
        }
        let piece = onTheWay.removeFirst()
        guard other.state != .over, other.life == other.node.life, other.node.isUp else {
            // Its system knows nothing of this stream (any more), and says so when it runs.
            if case .bytes = piece, other.node.hasPower, state != .over {
                simulation.schedule(at: simulation.now + network.delay(other.node, node), on: node, life: life, "reset")
                {
                    self.broken("Connection reset by peer")
                }
            }
            return
        }
        simulation.schedule(at: simulation.now, on: other.node, life: other.life, "arrived") { other.received(piece) }
    }

    private func peerRead(_ count: Int) {
        underWay -= count
        // As TCP does: not for every few bytes, or the pieces would become ever smaller.
        if state == .open, !output.isEmpty, underWay <= simulation.options.window / 2 { flush() }
    }

    // MARK: Receiving

    func established() {
        guard state != .over, !isEstablished else { return }
        state = .open
        isEstablished = true
        handler?.opened(self)
        if unsentBytes > 0 || closesWhenSent { flushLater() }
        read()
    }

    private func received(_ piece: Piece) {
        guard state != .over else { return }
        switch piece {
        case .bytes(let bytes):
            bytes.withUnsafeBytes { simulation.mix($0) }
            systemBuffer += bytes
            lastHeard = simulation.now
        case .end: peerEnded = true
        case .reset: return broken("Connection reset by peer")
        }
        read()
    }

    private func read() {
        guard state == .open, isEstablished, !isPaused, !closesWhenSent, !isReading else { return }
        isReading = true
        defer { isReading = false }
        if !systemBuffer.isEmpty {
            let count = systemBuffer.count
            buffer += systemBuffer
            systemBuffer = []
            if let other {
                simulation.schedule(
                    at: simulation.now + network.delay(node, other.node), on: other.node, life: other.life, "window"
                ) { other.peerRead(count) }
            }
        }
        while state == .open, !isPaused, !closesWhenSent, !buffer.isEmpty, buffer.count >= needed {
            needed = 1
            // The buffer is a copy of its own meanwhile: the handler may end the connection.
            var given = buffer
            let done = given.withUnsafeMutableBytes { handler?.received(self, $0) ?? 0 }
            precondition(done >= 0 && done <= given.count, "received returned \(done) of \(given.count)")
            guard state == .open else { return }
            given.removeFirst(done)
            buffer = given
            if done == 0 { break }
        }
        if state == .open, peerEnded, !isPaused { flushLater() }
    }

    // MARK: The end

    func broken(_ words: String) {
        guard state != .over else { return }
        ended(.failed(words))
    }

    /// Tells the owner, once, later in this instant.
    func ended(_ reason: CloseReason) {
        guard state != .over else { return }
        if state == .connecting { transmit(.end) }
        state = .over
        output = []
        unsentBytes = 0
        buffer = []
        systemBuffer = []
        if stalled == 0 { network.forget(self) }
        later("closed") { [self] in
            let handler = self.handler
            self.handler = nil
            if other?.state == .over {
                other?.other = nil
                other = nil
            }
            handler?.closed(self, reason)
        }
    }

    func letGo() {
        state = .over
        handler = nil
        other = nil
        output = []
        onTheWay = []
    }

    /// The node crashed: the system closes for a dead process, and a dead system says nothing.
    func ownerDied(_ kind: CrashKind) {
        if kind == .process, state == .open {
            transmit(Bool.random(using: &simulation.random) ? .end : .reset)
        }
        state = .over
        handler = nil
        output = []
    }
}
