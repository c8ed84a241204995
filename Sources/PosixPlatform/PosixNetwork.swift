import CSystem
import Glibc
import Platform

package final class PosixNetwork: Network {
    private let loop: EventLoop
    private let journal: Journal
    /// Name look-ups block; they have a thread of their own.
    private let resolver = HelperThread(name: "resolver")

    init(loop: EventLoop, journal: Journal) {
        self.loop = loop
        self.journal = journal
    }

    package func listen(
        host: String, port: Int, backlog: Int, accept: @escaping (any Connection) -> (any ConnectionHandler)?
    ) throws(NetworkError) -> any Listener {
        var targets: [Address.Target]
        switch Address.resolve(host.isEmpty ? "::" : host, port, passive: true) {
        case .success(let found): targets = found
        case .failure(let error): throw error
        }
        if host.isEmpty, case .success(let fallback) = Address.resolve("0.0.0.0", port, passive: true) {
            targets += fallback  // a machine without IPv6
        }
        let listener = PosixListener(loop: loop, journal: journal, backlog: backlog, accept: accept)
        var problem = NetworkError(code: 0, "\(host) has no address")
        for target in targets {
            do throws(NetworkError) {
                try listener.bind(target, dualStack: host.isEmpty)
                // One socket hears both families; of a name with several addresses each gets its own, if the port was given.
                if host.isEmpty || port == 0 { return listener }
            } catch {
                problem = error
                if error.code == EADDRINUSE { break }
            }
        }
        if listener.port == 0 {
            throw problem
        } else if problem.code == EADDRINUSE {
            listener.close()
            throw problem
        }
        return listener
    }

    @discardableResult
    package func connect(
        host: String, port: Int, timeout: Duration, handler: any ConnectionHandler
    ) -> any Connection {
        let connection = PosixConnection(
            loop: loop, dialing: PeerAddress(host: host, port: port), handler: handler)
        let dialer = Dialer(loop: loop, connection: connection, timeout: timeout)
        let inbox = loop.inbox
        let carried = Carried(dialer)
        // Numbers need no look-up and no thread.
        var scratch = in6_addr()
        if inet_pton(AF_INET, host, &scratch) == 1 || inet_pton(AF_INET6, host, &scratch) == 1 {
            let found = Address.resolve(host, port, passive: false)
            loop.soon { carried.value.resolved(found) }
        } else {
            resolver.run {
                let found = Address.resolve(host, port, passive: false)
                inbox.post { carried.value.resolved(found) }
            }
        }
        return connection
    }
}

/// Tries one address after another until one answers or the time is over.
private final class Dialer: EventSource {
    private let loop: EventLoop
    private let connection: PosixConnection
    private var targets: ArraySlice<Address.Target> = []
    private var fd: Int32 = -1
    private var timer: TimerID?
    private var problem = "no address"

    init(loop: EventLoop, connection: PosixConnection, timeout: Duration) {
        self.loop = loop
        self.connection = connection
        timer = loop.schedule(at: loop.now + timeout) { [self] in
            timer = nil
            problem = "no answer within \(timeout.wholeMilliseconds) ms"
            giveUp()
        }
    }

    func resolved(_ found: Result<[Address.Target], NetworkError>) {
        guard timer != nil else { return }
        switch found {
        case .success(let all):
            targets = all[...]
            tryNext()
        case .failure(let error):
            problem = error.description
            giveUp()
        }
    }

    private func tryNext() {
        drop()
        guard connection.isDialing else { return cancelTimer() }
        guard let target = targets.popFirst() else { return giveUp() }
        fd = socket(
            target.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0
        )
        guard fd >= 0 else {
            problem = Address.words(errno)
            return tryNext()
        }
        Address.tune(fd)
        let result = Address.withRaw(target) { Glibc.connect(fd, $0, $1) }
        if result == 0 {
            established()
        } else if errno == EINPROGRESS {
            if !loop.watch(fd, EPOLLOUT.rawValue, self) {
                problem = Address.words(errno)
                tryNext()
            }
        } else {
            problem = Address.words(errno)
            tryNext()
        }
    }

    func ready(_ events: UInt32) {
        var code: Int32 = 0
        var length = socklen_t(4)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length)
        if code == 0 {
            established()
        } else {
            problem = Address.words(code)
            tryNext()
        }
    }

    private func established() {
        let done = fd
        loop.forget(done)
        fd = -1
        cancelTimer()
        guard connection.isDialing else {
            Glibc.close(done)
            return
        }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(done, $0, &length) }
        }
        connection.connected(done, to: result == 0 ? Address.decode(&storage, length) : connection.peer)
    }

    private func giveUp() {
        drop()
        cancelTimer()
        if connection.isDialing { connection.finish(.failed(problem)) }
    }

    private func drop() {
        guard fd >= 0 else { return }
        loop.forget(fd)
        Glibc.close(fd)
        fd = -1
    }

    private func cancelTimer() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }
}

/// Accepts on one port, on one or two sockets.
final class PosixListener: Listener {
    private let loop: EventLoop
    private let journal: Journal
    private let accept: (any Connection) -> (any ConnectionHandler)?
    private let backlog: Int32
    private var sockets: [Socket] = []
    private(set) var port = 0
    /// Since when no descriptor can be had.
    private var starvedSince: Instant?
    /// Descriptors from here on are for files: a server whose clients had them all could not begin its next log.
    private let keptFrom: Int32

    init(
        loop: EventLoop, journal: Journal, backlog: Int,
        accept: @escaping (any Connection) -> (any ConnectionHandler)?
    ) {
        self.loop = loop
        self.backlog = Int32(clamping: max(backlog, 1))
        self.journal = journal
        self.accept = accept
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        let descriptors = isKnown ? Int32(clamping: limit.rlim_cur) : .max
        keptFrom = descriptors - min(descriptors / 4, PosixListener.keptAtMost)
    }
    private static let keptAtMost: Int32 = 64

    func bind(_ target: Address.Target, dualStack: Bool) throws(NetworkError) {
        let fd = socket(
            target.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0
        )
        guard fd >= 0 else { throw NetworkError(code: errno, "socket: \(Address.words(errno))") }
        var one: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        if target.family == AF_INET6 {
            var only: Int32 = dualStack ? 0 : 1
            setsockopt(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, 4)
        }
        let bound = Address.withRaw(target) { Glibc.bind(fd, $0, $1) }
        guard bound == 0, Glibc.listen(fd, backlog) == 0 else {
            let code = errno
            Glibc.close(fd)
            var words = Address.words(code)
            if code == EADDRINUSE, let holder = portHolder(Address.port(of: target)) { words += " by \(holder)" }
            throw NetworkError(code: code, words)
        }
        let socket = Socket(listener: self, fd: fd)
        guard loop.watch(fd, EPOLLIN.rawValue, socket) else {
            let code = errno
            Glibc.close(fd)
            throw NetworkError(code: code, "epoll_ctl: \(Address.words(code))")
        }
        sockets.append(socket)
        if port == 0 { port = Address.local(of: fd).port }
    }

    func close() {
        for socket in sockets where socket.fd >= 0 {
            loop.forget(socket.fd)
            Glibc.close(socket.fd)
            socket.fd = -1
        }
        sockets = []
    }

    private final class Socket: EventSource {
        unowned let listener: PosixListener
        var fd: Int32
        init(listener: PosixListener, fd: Int32) {
            self.listener = listener
            self.fd = fd
        }
        func ready(_ events: UInt32) { listener.acceptAll(self) }
    }

    private func acceptAll(_ socket: Socket) {
        // A bound on one turn's work: a flood of connections must not keep the others from being served.
        for _ in 0..<64 {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let fd = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { csystem_accept(socket.fd, $0, &length) }
            }
            guard fd >= 0 else {
                let code = errno
                if code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM { rest(socket, code) }
                return
            }
            // The system gives the lowest that is free.
            guard fd < keptFrom else {
                Glibc.close(fd)
                return rest(socket, EMFILE)
            }
            if let since = starvedSince {
                starvedSince = nil
                journal.info(
                    "connections can be accepted again",
                    ["port": port, "after_ms": (loop.now - since).wholeMilliseconds])
            }
            Address.tune(fd)
            let connection = PosixConnection(
                loop: loop, accepted: fd, peer: Address.decode(&storage, length))
            if let handler = accept(connection) {
                connection.adopt(handler)
            } else {
                connection.finish(.byUs)
            }
            guard socket.fd >= 0 else { return }
        }
    }

    /// Out of descriptors: looking again at once would only burn the processor, and saying so each time the log.
    private func rest(_ socket: Socket, _ code: Int32) {
        if starvedSince == nil {
            starvedSince = loop.now
            journal.warning(
                "no new connection can be accepted; raise the limit of open files (ulimit -n)",
                ["port": port, "reason": Address.words(code)])
        }
        loop.change(socket.fd, 0)
        _ = loop.schedule(at: loop.now + .milliseconds(200)) { [weak self, weak socket] in
            guard let self, let socket, socket.fd >= 0 else { return }
            self.loop.change(socket.fd, EPOLLIN.rawValue)
        }
    }
}
