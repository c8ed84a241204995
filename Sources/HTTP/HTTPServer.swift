import Platform

/// HTTP/1.1 on the deciding thread: one request at a time and connection, answered in order, bounded in every direction.
/// What is served is the handler's matter; everything that is wrong with a request is answered here.
package final class HTTPServer {
    package struct Options {
        package var limits = HTTPLimits()
        /// A stream without a whole request for this long is closed.
        package var idleTimeout = Duration.seconds(30)
        package var connections = 100
        /// Methods that reach the handler; others are answered with 405.
        package var methods = ["GET", "HEAD"]
        package var hosts = HostGuard()
        package init() {}
    }

    let world: any World
    let options: Options
    private let answer: (HTTPRequest) -> HTTPResponse
    private var listener: (any Listener)?
    private var streams: [ObjectIdentifier: HTTPStream] = [:]
    private var watch: TimerID?

    /// The real port also when 0 was asked for; 0 when nobody listens.
    package var port: Int { listener?.port ?? 0 }

    /// - Parameter answer: called for each request that is whole and allowed; HEAD arrives as HEAD, its body is left away later.
    /// - Throws: when the port cannot be had, with the system's words.
    package init(
        host: String, port: Int, world: any World, options: Options = Options(),
        answer: @escaping (HTTPRequest) -> HTTPResponse
    ) throws(NetworkError) {
        self.world = world
        self.options = options
        self.answer = answer
        listener = try world.network.listen(host: host, port: port) { [weak self] connection in
            self?.accept(connection)
        }
    }

    package func close() {
        listener?.close()
        listener = nil
        for stream in streams.values { stream.connection.close() }
        if let watch { world.timers.cancel(watch) }
        watch = nil
    }

    private func accept(_ connection: any Connection) -> (any ConnectionHandler)? {
        guard streams.count < options.connections else { return nil }
        let stream = HTTPStream(server: self, connection: connection, now: world.clock.now)
        streams[ObjectIdentifier(stream)] = stream
        if watch == nil { lookAgain() }
        return stream
    }

    func closed(_ stream: HTTPStream) { streams[ObjectIdentifier(stream)] = nil }

    /// One timer for all streams, and none while there is no stream.
    private func lookAgain() {
        watch = world.after(options.idleTimeout / 4) { [weak self] in
            guard let self else { return }
            watch = nil
            let now = world.clock.now
            for stream in streams.values where now - stream.heard > options.idleTimeout { stream.connection.close() }
            if !streams.isEmpty { lookAgain() }
        }
    }

    /// Checks what holds for every request, whatever is served.
    func respond(to request: HTTPRequest) -> HTTPResponse {
        guard options.hosts.accepts(request.header("host"), minorVersion: request.minorVersion) else {
            return HTTPResponse(
                status: request.header("host") == nil ? 400 : 403,
                text: "Host must be this machine: an address, localhost, or its own name.\n")
        }
        guard options.methods.contains(request.method) else { return .notAllowed(options.methods) }
        return answer(request)
    }
}

/// One stream of requests.
final class HTTPStream: ConnectionHandler {
    private let server: HTTPServer
    let connection: any Connection
    /// When the last whole request came, or the stream began: slow heads do not prolong it.
    private(set) var heard: Instant
    private var isDone = false
    private var isWaiting = false

    init(server: HTTPServer, connection: any Connection, now: Instant) {
        self.server = server
        self.connection = connection
        heard = now
    }

    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        var consumed = 0
        while !isDone, consumed < bytes.count {
            // Who does not read its answers is not read from.
            if connection.unsentBytes > OutputLimits.highWater {
                isWaiting = true
                connection.pause()
                break
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            switch HTTPParser.parse(rest, server.options.limits) {
            case .incomplete(let needs):
                connection.needs(needs)
                return consumed
            case .problem(let problem):
                send(HTTPResponse(problem), keepsAlive: false, withBody: true)
            case .request(let request, let taken):
                consumed += taken
                heard = server.world.clock.now
                send(server.respond(to: request), keepsAlive: request.keepsAlive, withBody: request.method != "HEAD")
            }
        }
        return isDone ? bytes.count : consumed
    }

    private func send(_ response: HTTPResponse, keepsAlive: Bool, withBody: Bool) {
        connection.send([UInt8](response.head(keepsAlive: keepsAlive).utf8))
        if withBody { connection.send(response.body) }
        guard !keepsAlive else { return }
        isDone = true
        connection.closeWhenSent()
    }

    func drained(_ connection: any Connection) {
        guard isWaiting else { return }
        isWaiting = false
        connection.resume()
    }

    func closed(_ connection: any Connection, _ reason: CloseReason) { server.closed(self) }
}
