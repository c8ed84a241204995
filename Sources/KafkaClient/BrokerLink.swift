import Bytes
import KafkaProtocol
import Platform

package struct LinkOptions {
    package var clientID: String?
    package var connectTimeout: Duration = .seconds(10)
    /// Counts from `send`.
    package var requestTimeout: Duration = .seconds(30)
    package var maxFrameBytes = 100 << 20
    package init(clientID: String?) { self.clientID = clientID }
}

/// One connection to one broker. Agrees on versions first; requests made earlier wait for that. Requests are pipelined and
/// answered in order. A link that has ended stays ended: its owner makes a new one.
package final class BrokerLink: ConnectionHandler {
    package enum State: Equatable {
        case idle
        case connecting
        /// Asking which versions the broker speaks.
        case agreeing
        case ready
        case ended(LinkError)
    }

    package let address: BrokerAddress
    package private(set) var state = State.idle
    /// What the broker says it speaks.
    package private(set) var peerVersions: [ApiKey: ClosedRange<Int16>] = [:]
    /// Every API the broker names, in its order, those unknown here included.
    package private(set) var peerApis: [ApiVersionsResponse.ApiVersion] = []
    /// Called once, after every request has been told.
    package var onEnd: ((LinkError) -> Void)?
    /// What waits to be sent has become little again, see ``Connection/unsentBytes``.
    package var onDrained: (() -> Void)?

    private let world: any World
    private let options: LinkOptions
    private var connection: (any Connection)?
    private var writer = WireWriter()
    private var lastCorrelation: Int32 = 0
    private var pending: [Pending] = []
    private var firstPending = 0
    private var waiting: [Waiting] = []
    private var timer: TimerID?
    /// What is to be said of an end that we caused.
    private var verdict: LinkError?

    private struct Pending {
        var correlationID: Int32
        var key: ApiKey
        var version: Int16
        var deadline: Instant
        var timeout: Duration
        /// Returns what is wrong with the response, if anything.
        var complete: (Result<UnsafeRawBufferPointer, LinkError>) -> LinkError?
    }

    private struct Waiting {
        var start: () -> Void
        var fail: (LinkError) -> Void
    }

    package init(world: any World, to address: BrokerAddress, options: LinkOptions) {
        self.world = world
        self.address = address
        self.options = options
    }

    package var isReady: Bool { state == .ready }
    package var isEnded: Bool {
        if case .ended = state { return true }
        return false
    }
    package var inFlight: Int { pending.count - firstPending }
    package var unsentBytes: Int { connection?.unsentBytes ?? 0 }

    /// Begins to connect; the first `send` does it too.
    package func connect() {
        guard state == .idle else { return }
        state = .connecting
        connection = world.network.connect(
            host: address.host, port: address.port, timeout: options.connectTimeout, handler: self)
    }

    /// Ends the link; everything unanswered fails with `closed`.
    package func close() {
        switch state {
        case .idle: end(.closed(address))
        case .ended: break
        default: fail(.closed(address))
        }
    }

    /// The highest version that both sides speak; nil before they have agreed, or if there is none.
    package func version(of key: ApiKey, atMost limit: Int16 = .max) -> Int16? {
        guard let theirs = peerVersions[key] else { return nil }
        let ours = key.versions
        let highest = min(ours.upperBound, theirs.upperBound, limit)
        return highest >= max(ours.lowerBound, theirs.lowerBound) ? highest : nil
    }

    /// Calls `then` once the versions are agreed on, or the link has ended.
    package func whenReady(then: @escaping (Result<Void, LinkError>) -> Void) {
        onceReady(start: { then(.success(())) }, fail: { then(.failure($0)) })
    }

    /// Sends a request. `then` is called once, never from within; slices of records in the response are valid during that
    /// call only.
    /// - Parameter atMost: for requests whose meaning needs an older version.
    package func send<R: RequestMessage>(
        _ request: R, atMost limit: Int16 = .max, timeout: Duration? = nil,
        then: @escaping (Result<R.Response, LinkError>) -> Void
    ) {
        let timeout = timeout ?? options.requestTimeout
        let deadline = world.clock.now + timeout
        onceReady(
            start: { [self] in start(request, limit, deadline, timeout, then) },
            fail: { then(.failure($0)) })
    }

    /// Sends a request that has no answer: Produce with acks=0.
    package func tell<R: RequestMessage>(_ request: R) {
        onceReady(
            start: { [self] in
                guard let version = version(of: R.key) else { return }
                writer.clear()
                lastCorrelation &+= 1
                do throws(WireError) {
                    try writer.frame(
                        request, version: version, correlationID: lastCorrelation, clientID: options.clientID)
                    connection?.send(writer.bytes.bytes)
                } catch {
                    world.journal.error("a request could not be written", ["api": R.key.name, "reason": "\(error)"])
                }
            }, fail: { _ in })
    }

    private func onceReady(start: @escaping () -> Void, fail: @escaping (LinkError) -> Void) {
        switch state {
        case .ready: start()
        case .ended(let error): world.timers.soon { fail(error) }
        case .idle, .connecting, .agreeing:
            waiting.append(Waiting(start: start, fail: fail))
            connect()
        }
    }

    private func start<R: RequestMessage>(
        _ request: R, _ limit: Int16, _ deadline: Instant, _ timeout: Duration,
        _ then: @escaping (Result<R.Response, LinkError>) -> Void
    ) {
        guard let version = version(of: R.key, atMost: limit) else {
            let error = LinkError.noCommonVersion(address, R.key)
            return world.timers.soon { then(.failure(error)) }
        }
        transmit(request, version, deadline, timeout) { [address] result in
            switch result {
            case .failure(let error):
                then(.failure(error))
                return nil
            case .success(let bytes):
                do throws(WireError) {
                    let response = try R.Response.decode(bytes, version: version)
                    then(.success(response))
                    return nil
                } catch {
                    let wrong = LinkError.malformed(address, R.key, error)
                    then(.failure(wrong))
                    return wrong
                }
            }
        }
    }

    private func transmit<R: RequestMessage>(
        _ request: R, _ version: Int16, _ deadline: Instant, _ timeout: Duration,
        _ complete: @escaping (Result<UnsafeRawBufferPointer, LinkError>) -> LinkError?
    ) {
        lastCorrelation &+= 1
        writer.clear()
        do throws(WireError) {
            try writer.frame(request, version: version, correlationID: lastCorrelation, clientID: options.clientID)
            // Regions of files are a server's business.
            if !writer.splices.isEmpty { throw .unwritable }
        } catch {
            let wrong = LinkError.unwritable(R.key, version: version, error)
            return world.timers.soon { _ = complete(.failure(wrong)) }
        }
        pending.append(
            Pending(
                correlationID: lastCorrelation, key: R.key, version: version, deadline: deadline, timeout: timeout,
                complete: complete))
        connection?.send(writer.bytes.bytes)
        if timer == nil { setTimer(deadline) }
    }

    // MARK: Deadlines

    private func setTimer(_ deadline: Instant) {
        timer = world.timers.schedule(at: deadline) { [weak self] in self?.timerFired() }
    }

    private func timerFired() {
        timer = nil
        guard firstPending < pending.count else { return }
        let now = world.clock.now
        var earliest = Instant.distantFuture
        for index in firstPending..<pending.count { earliest = min(earliest, pending[index].deadline) }
        guard earliest <= now else { return setTimer(earliest) }
        // Answers come in order: behind one that does not come, none can be waited for.
        for index in firstPending..<pending.count where pending[index].deadline <= now {
            return fail(
                .timedOut(address, pending[index].key, milliseconds: pending[index].timeout.wholeMilliseconds))
        }
    }

    // MARK: Versions

    private func agree(_ version: Int16) {
        var request = ApiVersionsRequest()
        if version >= 3 {
            request.clientSoftwareName = "letterbox"
            request.clientSoftwareVersion = "0.1.0"
        }
        let timeout = options.requestTimeout
        transmit(request, version, world.clock.now + timeout, timeout) { [self] result in
            guard case .success(let bytes) = result else { return nil }
            do throws(WireError) {
                // A broker that does not know this version says so in the oldest one, and names those it knows.
                let refused = bytes.count >= 2 && bytes[0] == 0 && bytes[1] == ErrorCode.unsupportedVersion.rawValue
                if refused {
                    guard version > 0 else { return .noCommonVersion(address, .apiVersions) }
                    let told = try? ApiVersionsResponse.decode(bytes, version: 0)
                    let known = told?.apiKeys.first { $0.apiKey == ApiKey.apiVersions.rawValue }?.maxVersion ?? 0
                    agree(max(0, min(known, version - 1)))
                    return nil
                }
                let response = try ApiVersionsResponse.decode(bytes, version: version)
                guard response.errorCode == .none else {
                    return .notBroker(address, "\(response.errorCode)")
                }
                agreed(response)
                return nil
            } catch {
                return .malformed(address, .apiVersions, error)
            }
        }
    }

    private func agreed(_ response: ApiVersionsResponse) {
        peerApis = response.apiKeys
        for api in response.apiKeys {
            guard let key = ApiKey(rawValue: api.apiKey), api.minVersion <= api.maxVersion else { continue }
            peerVersions[key] = api.minVersion...api.maxVersion
        }
        state = .ready
        let held = waiting
        waiting = []
        for one in held {
            // The first may have closed the link.
            if case .ended(let error) = state { one.fail(error) } else { one.start() }
        }
    }

    // MARK: The connection

    package func opened(_ connection: any Connection) {
        guard state == .connecting else { return }
        state = .agreeing
        agree(ApiKey.apiVersions.versions.upperBound)
    }

    package func drained(_ connection: any Connection) { onDrained?() }

    package func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        let bytes = UnsafeRawBufferPointer(bytes)
        var done = 0
        while verdict == nil {
            let left = bytes.count - done
            guard left >= 4 else { break }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: done, as: Int32.self)))
            if let wrong = misread(length, firstAnswer: state == .agreeing) {
                fail(wrong)
                break
            }
            guard left >= 4 + length else {
                connection.needs(4 + length)
                return done
            }
            let frame = UnsafeRawBufferPointer(rebasing: bytes[(done + 4)..<(done + 4 + length)])
            done += 4 + length
            take(frame)
        }
        connection.needs(1)
        return verdict == nil ? done : bytes.count
    }

    /// A length that cannot be one tells what the peer speaks instead.
    private func misread(_ length: Int, firstAnswer: Bool) -> LinkError? {
        if firstAnswer {
            // An alert or a handshake record of TLS 1.0 and later.
            if length >> 24 == 0x15 || length >> 24 == 0x16, (length >> 16) & 0xff == 3 { return .speaksTLS(address) }
            if length == 0x4854_5450 { return .notBroker(address, "it speaks HTTP") }
        }
        if length < 4 { return .notBroker(address, "a response of \(length) bytes") }
        if length > options.maxFrameBytes {
            return .frameTooLarge(address, bytes: length, limit: options.maxFrameBytes)
        }
        return nil
    }

    private func take(_ frame: UnsafeRawBufferPointer) {
        guard firstPending < pending.count else { return fail(.notBroker(address, "an answer to nothing")) }
        let next = pending[firstPending]
        firstPending += 1
        if firstPending == pending.count {
            pending.removeAll(keepingCapacity: true)
            firstPending = 0
        } else if firstPending > 256 {
            pending.removeSubrange(..<firstPending)
            firstPending = 0
        }
        var reader = WireReader(frame)
        do throws(WireError) {
            let header = try ResponseHeader.read(from: &reader, key: next.key, version: next.version)
            guard header.correlationID == next.correlationID else {
                let wrong = LinkError.notBroker(
                    address, "an answer to request \(header.correlationID) instead of \(next.correlationID)")
                _ = next.complete(.failure(wrong))
                return fail(wrong)
            }
        } catch {
            let wrong = LinkError.malformed(address, next.key, error)
            _ = next.complete(.failure(wrong))
            return fail(wrong)
        }
        if let wrong = next.complete(.success(reader.rest)) { fail(wrong) }
    }

    /// Ends the connection; the requests are told when it has ended.
    private func fail(_ error: LinkError) {
        guard verdict == nil else { return }
        verdict = error
        connection?.close()
    }

    package func closed(_ connection: any Connection, _ reason: CloseReason) {
        switch (verdict, state) {
        case (let verdict?, _): end(verdict)
        case (nil, .connecting): end(.unreachable(address, reason.description))
        case (nil, .agreeing): end(.notBroker(address, reason.description))
        case (nil, _): end(.lost(address, reason.description))
        }
    }

    private func end(_ error: LinkError) {
        guard !isEnded else { return }
        state = .ended(error)
        connection = nil
        if let timer { world.timers.cancel(timer) }
        timer = nil
        let unanswered = pending[firstPending...]
        let held = waiting
        pending = []
        firstPending = 0
        waiting = []
        for one in unanswered { _ = one.complete(.failure(error)) }
        for one in held { one.fail(error) }
        onEnd?(error)
        onEnd = nil
        onDrained = nil
    }
}
