import CoordinationProtocol
import Platform

/// What a client may ask for.
enum Request {
    case change(MultiOperation)
    case setACL(String, [ACL], version: Int32)
    case multi([MultiOperation])
    case close
    case exists(String, watch: Bool)
    case getData(String, watch: Bool)
    case getChildren(String, watch: Bool)
    case getACL(String)
    case check(VersionedPathRequest)
    case sync(String)
    case ephemerals(below: String)
    case descendants(of: String)
    case reads([MultiOperation])
    case setWatches(SetWatches2)
    case addWatch(String, recursive: Bool)
    case removeWatches(String, WatcherType)
    case checkWatches(String, WatcherType)

    /// Does it take a place in the order of changes?
    var isWrite: Bool {
        switch self {
        case .change, .setACL, .multi, .close: true
        default: false
        }
    }

    var op: OpCode {
        switch self {
        case .change(let operation): operation.op
        case .setACL: .setACL
        case .multi: .multi
        case .close: .closeSession
        case .exists: .exists
        case .getData: .getData
        case .getChildren: .getChildren2
        case .getACL: .getACL
        case .check: .check
        case .sync: .sync
        case .ephemerals: .getEphemerals
        case .descendants: .getAllChildrenNumber
        case .reads: .multiRead
        case .setWatches: .setWatches2
        case .addWatch: .addWatch
        case .removeWatches: .removeWatches
        case .checkWatches: .checkWatches
        }
    }

    func packet(xid: Int32) -> [UInt8] {
        var writer = JuteWriter()
        func write(_ body: (some JuteRecord)?) -> [UInt8] {
            writer.request(xid: xid, op, body)
            return writer.bytes.array
        }
        switch self {
        case .change(let operation):
            switch operation {
            case .create(let r), .create2(let r), .createContainer(let r): return write(r)
            case .createTTL(let r): return write(r)
            case .delete(let r), .check(let r): return write(r)
            case .setData(let r): return write(r)
            case .getData(let r), .getChildren(let r): return write(r)
            }
        case .setACL(let path, let acl, let version):
            return write(SetACLRequest(path: path, acl: acl, version: version))
        case .multi(let operations), .reads(let operations): return write(MultiRequest(operations))
        case .close: return write(Optional<PathRequest>.none)
        case .exists(let path, let watch), .getData(let path, let watch), .getChildren(let path, let watch):
            return write(WatchablePathRequest(path: path, watch: watch))
        case .getACL(let path), .sync(let path), .ephemerals(let path), .descendants(let path):
            return write(PathRequest(path: path))
        case .check(let r): return write(r)
        case .setWatches(let r): return write(r)
        case .addWatch(let path, let recursive): return write(AddWatchRequest(path: path, recursive: recursive))
        case .removeWatches(let path, let type), .checkWatches(let path, let type):
            return write(WatchesRequest(path: path, type))
        }
    }
}

/// One request and what became of it.
final class Exchange {
    struct Answer {
        var zxid: Int64
        var error: CoordinationError
        var body: [UInt8]
        var at: Instant
    }
    let stream: StreamHistory
    let xid: Int32
    let request: Request
    let sentAt: Instant
    /// The newest zxid anybody had been told of when this was sent: what it meets is at least as new.
    let floor: Int64
    /// Nil: nobody knows whether it was done.
    var answer: Answer?

    init(_ request: Request, xid: Int32, on stream: StreamHistory, at now: Instant, floor: Int64) {
        self.request = request
        self.xid = xid
        self.stream = stream
        sentAt = now
        self.floor = floor
    }
}

/// A session as its owner saw it.
final class SessionHistory {
    let client: String
    /// 0 until it was granted.
    var id: Int64 = 0
    var password: [UInt8] = []
    var timeout = Duration.zero
    var lastXid: Int32 = 0
    var exchanges: [Int32: Exchange] = [:]
    /// When the last request was sent that the service answered: it had heard of the session then, or later.
    var lastProof = Instant.start
    /// Its owner has been told that it is over, or has left it to itself.
    var isLeft = false

    init(client: String) { self.client = client }
}

/// One connection as its client saw it.
final class StreamHistory {
    enum Item {
        case reply(Exchange)
        case event(zxid: Int64, WatchEvent, at: Instant)
        case pong(zxid: Int64)
    }
    let number: Int
    let client: String
    let session: SessionHistory
    let identities: Set<String>
    var sent: [Exchange] = []
    var received: [Item] = []
    var isOver = false
    /// The service said that the session is over, with the right password in its hands.
    var wasRefused = false

    init(number: Int, session: SessionHistory, identities: Set<String>) {
        self.number = number
        client = session.client
        self.session = session
        self.identities = identities
    }
}

/// Everything all clients saw, and what was seen to be wrong while it happened.
final class History {
    private(set) var sessions: [SessionHistory] = []
    private(set) var streams: [StreamHistory] = []
    /// The newest zxid anybody was told.
    private(set) var newest: Int64 = 0
    private(set) var violations: [String] = []

    func session(of client: String) -> SessionHistory {
        let session = SessionHistory(client: client)
        sessions.append(session)
        return session
    }

    func stream(for session: SessionHistory, identities: Set<String>) -> StreamHistory {
        let stream = StreamHistory(number: streams.count + 1, session: session, identities: identities)
        streams.append(stream)
        return stream
    }

    func told(_ zxid: Int64) { newest = max(newest, zxid) }

    func violated(_ words: String) {
        if violations.count < 20 { violations.append(words) }
    }
}
