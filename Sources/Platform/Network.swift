/// Why a connection ended, from this side's point of view.
package enum CloseReason: Equatable, Sendable, CustomStringConvertible {
    /// `close` or `closeWhenSent` was called here.
    case byUs
    /// The peer ended the stream.
    case byPeer
    /// Nobody could be reached, or the stream broke: the system's words.
    case failed(String)

    package var description: String {
        switch self {
        case .byUs: "closed here"
        case .byPeer: "closed by the peer"
        case .failed(let words): words
        }
    }
}

package struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    /// Numeric: `127.0.0.1`, `::1`.
    package var host: String
    package var port: Int
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

package struct NetworkError: Error, Equatable, CustomStringConvertible {
    /// The system's error number, so that the address in use can be told from the name not found (0).
    package var code: Int32
    package var description: String
    package init(code: Int32, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// What a stream's owner is told. All calls come on the deciding thread, none from within a call to the connection.
package protocol ConnectionHandler: AnyObject {
    /// The stream is up: for an accepted one soon after it was accepted, for an outgoing one when connected.
    func opened(_ connection: any Connection)
    /// Everything received and not consumed yet, at least as much as was last asked for with `needs`. The bytes may be changed
    /// in place, and are valid during this call only.
    /// - Returns: how many of them are done with. The rest comes again, with more behind it.
    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int
    /// What waits to be sent has fallen below `lowWater`, after it had been above `highWater`.
    func drained(_ connection: any Connection)
    /// The last call. Also for an outgoing connection that never opened.
    func closed(_ connection: any Connection, _ reason: CloseReason)
}

extension ConnectionHandler {
    package func opened(_ connection: any Connection) {}
    package func drained(_ connection: any Connection) {}
}

/// One TCP stream. What is sent leaves at the end of the turn, in order, in as few system calls as it takes.
package protocol Connection: AnyObject {
    var peer: PeerAddress { get }
    var local: PeerAddress { get }
    var isOpen: Bool { get }
    /// Bytes accepted by `send` that the system has not taken yet, those of file regions included.
    var unsentBytes: Int { get }
    /// How long no byte has come from the peer, read or not: also while paused.
    var silence: Duration { get }

    /// Copies `bytes` to the output.
    func send(_ bytes: UnsafeRawBufferPointer)
    /// Puts a part of a file behind what was sent before, without passing it through this process's memory where it can.
    /// The file stays open until it has left. Ends the connection when the file turns out to be shorter.
    func send(_ region: FileRegion)

    /// Do not call `received` again before this many bytes are there; they will lie in one piece. Back to one afterwards.
    func needs(_ count: Int)
    /// Back-pressure: while paused nothing is read from the socket and `received` is not called.
    func pause()
    func resume()

    /// Ends the stream now; unsent bytes are dropped. `closed` follows later.
    func close()
    /// Ends the stream as soon as everything sent so far has left, and reads nothing more. The platform gives a peer that does
    /// not take it a few seconds.
    func closeWhenSent()
}

extension Connection {
    package func send(_ bytes: [UInt8]) { bytes.withUnsafeBytes { send($0) } }
}

package enum OutputLimits {
    /// Above this many unsent bytes a handler should stop working for the connection until `drained`.
    package static let highWater = 1 << 20
    package static let lowWater = 1 << 18
}

package protocol Listener: AnyObject {
    /// The real port, also when 0 was asked for.
    var port: Int { get }
    func close()
}

package protocol Network: AnyObject {
    /// - Parameter host: empty for every address of both families.
    /// - Parameter backlog: how many streams may wait to be accepted.
    /// - Parameter accept: returns the new stream's owner, or nil to end it at once.
    func listen(
        host: String, port: Int, backlog: Int, accept: @escaping (any Connection) -> (any ConnectionHandler)?
    ) throws(NetworkError) -> any Listener
    /// Resolves and connects; `handler.opened` or `handler.closed` tells how it went, never from within this call.
    @discardableResult
    func connect(host: String, port: Int, timeout: Duration, handler: any ConnectionHandler) -> any Connection
}

extension Network {
    package static var usualBacklog: Int { 1024 }

    package func listen(host: String, port: Int, accept: @escaping (any Connection) -> (any ConnectionHandler)?)
        throws(NetworkError) -> any Listener
    {
        try listen(host: host, port: port, backlog: Self.usualBacklog, accept: accept)
    }
}
