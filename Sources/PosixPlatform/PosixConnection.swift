import CSystem
import Glibc
import Platform

/// One TCP stream on the loop. States: dialing (no descriptor yet), open, ending (sends what is left), closed.
final class PosixConnection: Connection, EventSource {
    private let loop: EventLoop
    private var handler: (any ConnectionHandler)?
    private var fd: Int32
    private(set) var peer: PeerAddress
    private(set) var local: PeerAddress

    private enum State { case dialing, open, ending, lingering, closed }
    private var state: State

    // Input: bytes `start..<end` of a buffer borrowed from the pool while there are any.
    private var input: UnsafeMutableRawPointer?
    private var capacity = 0
    private var start = 0
    private var end = 0
    private var needed = 1
    private var paused = false
    private var peerEnded = false
    private var delivering = false

    // Output: `items` in order, the bytes of all of them in one buffer.
    private struct Item {
        var bytes: Int
        var region: FileRegion?
    }
    private var items: [Item] = []
    private var firstItem = 0
    private var output: UnsafeMutableRawPointer?
    private var outputCapacity = 0
    private var outputStart = 0
    private var outputEnd = 0
    private(set) var unsentBytes = 0
    private var flushAsked = false
    private var aboveHighWater = false
    private var interest: UInt32 = 0
    private var lingerTimer: TimerID?

    /// Below this a region is read into the output: one system call less than sendfile's two.
    private static let copiedBelow = 2048
    private static let readAtOnce = 1 << 20
    private static let lingerLimit = Duration.seconds(5)

    /// An outgoing connection, until `connected`.
    init(loop: EventLoop, dialing peer: PeerAddress, handler: any ConnectionHandler) {
        self.loop = loop
        self.handler = handler
        self.peer = peer
        local = PeerAddress(host: "", port: 0)
        fd = -1
        state = .dialing
    }

    /// An accepted one.
    init(loop: EventLoop, accepted fd: Int32, peer: PeerAddress) {
        self.loop = loop
        self.fd = fd
        self.peer = peer
        local = Address.local(of: fd)
        state = .open
    }

    deinit {
        if let input { input.deallocate() }
        if let output { output.deallocate() }
    }

    var isOpen: Bool { state == .open }
    var isDialing: Bool { state == .dialing }

    /// For an accepted stream: its owner is known now.
    func adopt(_ handler: any ConnectionHandler) {
        self.handler = handler
        begin()
    }

    func connected(_ fd: Int32, to peer: PeerAddress) {
        self.fd = fd
        self.peer = peer
        local = Address.local(of: fd)
        state = .open
        begin()
    }

    private func begin() {
        interest = EPOLLIN.rawValue
        guard loop.watch(fd, interest, self) else {
            finish(.failed("epoll_ctl: \(Address.words(errno))"))
            return
        }
        loop.soon { [self] in
            if state == .open { handler?.opened(self) }
        }
    }

    // MARK: Input

    /// The system counts what it has received, whether or not it was read.
    var silence: Duration {
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        guard fd >= 0, getsockopt(fd, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0 else { return .zero }
        return .milliseconds(Int(info.tcpi_last_data_recv))
    }

    func needs(_ count: Int) { needed = max(count, 1) }

    func pause() { paused = true }

    func resume() {
        guard paused else { return }
        paused = false
        guard state == .open else { return }
        if !peerEnded { setInterest(interest | EPOLLIN.rawValue) }
        if end > start || peerEnded { loop.soon { [self] in continueInput() } }
    }

    private func continueInput() {
        guard state == .open, !paused else { return }
        deliver()
        if state == .open, peerEnded, !paused { endOfStream() }
    }

    func ready(_ events: UInt32) {
        switch state {
        case .open:
            if events & EPOLLOUT.rawValue != 0 { flush() }
            guard state == .open else { return }
            if paused, events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
                // Cannot be masked, and would wake the loop for ever while nobody reads.
                broken()
            } else if events & ~EPOLLOUT.rawValue != 0 {
                receive()
            }
        case .ending:
            if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { finish(.byUs) } else { flush() }
        case .lingering: discard()
        case .dialing, .closed: break
        }
    }

    /// The stream is over in both directions, whatever is still unread.
    private func broken() {
        var code: Int32 = 0
        var length = socklen_t(4)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length)
        finish(code == 0 ? .byPeer : .failed(Address.words(code)))
    }

    private func receive() {
        if paused {
            // Level-triggered: what is not wanted now must not wake the loop again and again.
            setInterest(interest & ~EPOLLIN.rawValue)
            return
        }
        makeRoom()
        guard let input else { return }
        let count = Glibc.recv(fd, input + end, min(capacity - end, PosixConnection.readAtOnce), 0)
        if count > 0 {
            end += count
            if end - start >= needed { deliver() }
        } else if count == 0 {
            peerEnded = true
            setInterest(interest & ~EPOLLIN.rawValue)
            if end - start >= needed { deliver() }
            if state == .open, !paused { endOfStream() }
        } else if errno != EAGAIN && errno != EINTR {
            finish(.failed(Address.words(errno)))
        }
        releaseIfEmpty()
    }

    /// The peer will send nothing more. What was answered already still goes out.
    private func endOfStream() {
        if unsentBytes == 0 { finish(.byPeer) }
    }

    /// Room behind what is held for at least what was asked for, or for one more byte.
    private func makeRoom() {
        let held = end - start
        let wanted = max(needed, held + 1)
        guard let input else {
            (self.input, capacity) = loop.buffers.take(max(wanted, BufferPool.usual))
            start = 0
            end = 0
            return
        }
        if capacity < wanted {
            let larger = loop.buffers.take(max(wanted, capacity * 2))
            memcpy(larger.base, input + start, held)
            loop.buffers.give(input, capacity)
            (self.input, capacity) = larger
        } else if capacity - start < wanted || capacity - end < BufferPool.usual / 4, start > 0 {
            memmove(input, input + start, held)
        } else {
            return
        }
        start = 0
        end = held
    }

    private func deliver() {
        guard !delivering else { return }
        delivering = true
        defer { delivering = false }
        while state == .open, !paused, end > start, end - start >= needed, let input {
            needed = 1
            let consumed =
                handler?.received(self, UnsafeMutableRawBufferPointer(start: input + start, count: end - start)) ?? 0
            precondition(consumed >= 0 && consumed <= end - start, "consumed \(consumed) of \(end - start) bytes")
            start += consumed
            if consumed == 0 { break }
        }
    }

    private func releaseIfEmpty() {
        guard start == end, let input else { return }
        loop.buffers.give(input, capacity)
        self.input = nil
        capacity = 0
        start = 0
        end = 0
    }

    // MARK: Output

    func send(_ bytes: UnsafeRawBufferPointer) {
        guard state == .open || state == .dialing, let from = bytes.baseAddress, bytes.count > 0 else { return }
        memcpy(outputRoom(bytes.count), from, bytes.count)
        queued(bytes.count)
    }

    func send(_ region: FileRegion) {
        guard state == .open || state == .dialing, region.length > 0 else { return }
        if region.length < PosixConnection.copiedBelow || !(region.file is PosixFile) {
            let room = outputRoom(region.length)
            let count = try? region.file.read(
                into: UnsafeMutableRawBufferPointer(start: room, count: region.length), at: region.offset)
            guard count == region.length else {
                outputEnd -= region.length
                finish(.failed("a file region could not be read whole"))
                return
            }
            queued(region.length)
        } else {
            items.append(Item(bytes: 0, region: region))
            unsentBytes += region.length
            askFlush()
        }
    }

    private func queued(_ count: Int) {
        if firstItem < items.count, items[items.count - 1].region == nil {
            items[items.count - 1].bytes += count
        } else {
            items.append(Item(bytes: count, region: nil))
        }
        unsentBytes += count
        askFlush()
    }

    private func outputRoom(_ count: Int) -> UnsafeMutableRawPointer {
        if outputCapacity - outputEnd < count {
            let held = outputEnd - outputStart
            if let output, outputCapacity - held >= count, outputStart > 0 {
                memmove(output, output + outputStart, held)
            } else {
                var larger = max(outputCapacity * 2, 4096)
                while larger < held + count { larger *= 2 }
                let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 64)
                if let output {
                    memcpy(moved, output + outputStart, held)
                    output.deallocate()
                }
                output = moved
                outputCapacity = larger
            }
            outputStart = 0
            outputEnd = held
        }
        guard let output else { preconditionFailure("an output buffer was just made") }
        let room = output + outputEnd
        outputEnd += count
        return room
    }

    private func askFlush() {
        if unsentBytes > OutputLimits.highWater { aboveHighWater = true }
        guard !flushAsked else { return }
        flushAsked = true
        loop.flushLater(self)
    }

    func flush() {
        flushAsked = false
        guard fd >= 0, state == .open || state == .ending else { return }
        while firstItem < items.count {
            let last = firstItem == items.count - 1
            if let region = items[firstItem].region, let file = region.file as? PosixFile {
                var offset = off_t(region.offset)
                let count = sendfile(fd, file.fd, &offset, region.length)
                if count > 0 {
                    unsentBytes -= count
                    if count == region.length {
                        firstItem += 1
                    } else {
                        items[firstItem].region = FileRegion(
                            file: file, offset: region.offset + Int64(count), length: region.length - count)
                    }
                } else if count == 0 {
                    return finish(.failed("\(file.path) is shorter than what was promised of it"))
                } else if errno == EAGAIN {
                    break
                } else if errno != EINTR {
                    return finish(.failed(Address.words(errno)))
                }
            } else if let output {
                let flags = Int32(MSG_NOSIGNAL) | (last ? 0 : Int32(MSG_MORE))
                let count = Glibc.send(fd, output + outputStart, items[firstItem].bytes, flags)
                if count >= 0 {
                    unsentBytes -= count
                    outputStart += count
                    items[firstItem].bytes -= count
                    if items[firstItem].bytes == 0 { firstItem += 1 }
                } else if errno == EAGAIN {
                    break
                } else if errno != EINTR {
                    return finish(.failed(Address.words(errno)))
                }
            }
        }
        if firstItem == items.count {
            items.removeAll(keepingCapacity: items.count < 64)
            firstItem = 0
            outputStart = 0
            outputEnd = 0
            if outputCapacity > 256 << 10 {
                output?.deallocate()
                output = nil
                outputCapacity = 0
            }
            setInterest(interest & ~EPOLLOUT.rawValue)
            if state == .ending { return linger() }
            if peerEnded, !paused, start == end { return finish(.byPeer) }
        } else {
            if firstItem > 64 {
                items.removeFirst(firstItem)
                firstItem = 0
            }
            setInterest(interest | EPOLLOUT.rawValue)
        }
        if aboveHighWater, unsentBytes < OutputLimits.lowWater {
            aboveHighWater = false
            handler?.drained(self)
        }
    }

    private func setInterest(_ wanted: UInt32) {
        guard wanted != interest, fd >= 0 else { return }
        interest = wanted
        loop.change(fd, wanted)
    }

    // MARK: The end

    func close() { finish(.byUs) }

    func closeWhenSent() {
        switch state {
        case .dialing: finish(.byUs)
        case .open:
            state = .ending
            setInterest(interest & ~EPOLLIN.rawValue)
            lingerTimer = loop.schedule(at: loop.now + PosixConnection.lingerLimit) { [weak self] in
                self?.lingerTimer = nil
                self?.finish(.byUs)
            }
            if unsentBytes == 0 { linger() } else { askFlush() }
        case .ending, .lingering, .closed: break
        }
    }

    /// Everything is sent. Closing now with unread input would make the system send a reset, which can overtake our last
    /// words on the peer's side: so end our half, and read theirs to nowhere for a while.
    private func linger() {
        state = .lingering
        shutdown(fd, Int32(SHUT_WR))
        setInterest(EPOLLIN.rawValue)
        discard()
    }

    private func discard() {
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) { scratch in
            while true {
                let count = recv(fd, scratch.baseAddress, scratch.count, 0)
                if count > 0 { continue }
                if count < 0, errno == EAGAIN || errno == EINTR { return }
                return finish(.byUs)
            }
        }
    }

    /// From any state to closed, once. The handler hears of it later, never from inside its own call.
    func finish(_ reason: CloseReason) {
        guard state != .closed else { return }
        state = .closed
        if let lingerTimer { loop.cancel(lingerTimer) }
        lingerTimer = nil
        if fd >= 0 {
            loop.forget(fd)
            Glibc.close(fd)
            fd = -1
        }
        items.removeAll()
        firstItem = 0
        unsentBytes = 0
        loop.soon { [self] in
            releaseBuffers()
            let told = handler
            handler = nil
            told?.closed(self, reason)
        }
    }

    private func releaseBuffers() {
        if let input { loop.buffers.give(input, capacity) }
        input = nil
        capacity = 0
        start = 0
        end = 0
        output?.deallocate()
        output = nil
        outputCapacity = 0
        outputStart = 0
        outputEnd = 0
    }
}
