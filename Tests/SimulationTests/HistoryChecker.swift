import CoordinationProtocol
import Platform

/// Holds what all clients saw against the one order of changes in the log, played through the model: every reply and every event of
/// every connection is foretold exactly, or the service has broken a promise.
struct HistoryChecker {
    private let history: History
    private let transactions: [WitnessedTransaction]
    private let clock: ServerClock
    private var tree = ModelTree()
    private var streams: [StreamCursor]
    /// By id.
    private var sessions: [Int64: SessionHistory] = [:]
    private var everOpened: Set<Int64> = []
    private var closedAt: [Int64: Int64] = [:]
    private var lastXid: [Int64: Int32] = [:]
    private var lastWrite: [Int: Int] = [:]
    private var outcomes: [ObjectIdentifier: (zxid: Int64, outcome: Result<[MultiResult], CoordinationError>)] = [:]
    private(set) var violations: [String] = []

    init(_ history: History, _ transactions: [WitnessedTransaction], _ clock: ServerClock) {
        self.history = history
        self.transactions = transactions
        self.clock = clock
        streams = history.streams.map { StreamCursor($0) }
        for session in history.sessions where session.id != 0 {
            if sessions[session.id] != nil { violations.append("session \(hex(session.id)) was given twice") }
            sessions[session.id] = session
        }
    }

    /// Sessions that are open at the end, by the log.
    var openSessions: Set<Int64> { Set(tree.sessions.keys) }

    mutating func check() {
        advanceStreams(to: 0, allOfASession: false)
        for (index, transaction) in transactions.enumerated() {
            guard transaction.zxid == Int64(index) + 1 else {
                return found("the log goes from zxid \(index) to \(transaction.zxid)")
            }
            tree.begin()
            apply(transaction)
            advanceStreams(to: transaction.zxid, allOfASession: transaction.kind == .closeSession)
            if violations.count > 5 { return }
        }
        for cursor in streams {
            if let item = cursor.next {
                found("\(cursor.name) was told of \(describe(item)), but the log ends with zxid \(transactions.count)")
            }
        }
        for stream in history.streams where stream.wasRefused {
            if tree.sessions[stream.session.id] != nil {
                found("\(stream.client) was refused session \(hex(stream.session.id)), which is open")
            }
        }
    }

    private mutating func found(_ words: String) {
        if violations.count < 20 { violations.append(words) }
    }

    // MARK: Changes

    private mutating func apply(_ transaction: WitnessedTransaction) {
        let zxid = transaction.zxid, id = transaction.session
        switch transaction.kind {
        case .createSession(let timeout):
            if !everOpened.insert(id).inserted { found("session \(hex(id)) was made again at zxid \(zxid)") }
            tree.sessions[id] = timeout
            return
        case .reap(let path):
            if let problem = tree.reap(path, zxid: zxid, time: transaction.time) {
                found("the service took a node away at zxid \(zxid): \(problem)")
            }
            return
        case .closeSession where transaction.cxid == 0:
            expire(transaction)
            return
        default: break
        }
        guard tree.sessions[id] != nil else {
            return found("zxid \(zxid) is a change by session \(hex(id)), which is not open")
        }
        guard let exchange = sessions[id]?.exchanges[transaction.cxid] else {
            return found("zxid \(zxid): nobody asked for \(transaction.cxid) of session \(hex(id))")
        }
        attribute(transaction, to: exchange)
        if case .close = exchange.request {
            if transaction.kind != .closeSession { found("zxid \(zxid): \(transaction.kind) instead of a close") }
            tree.close(id, zxid: zxid)
            closedAt[id] = zxid
            outcomes[ObjectIdentifier(exchange)] = (zxid, .success([]))
            return
        }
        guard exchange.request.isWrite else { return found("zxid \(zxid): a read of \(exchange.stream.client)") }
        let author = ModelTree.Author(
            session: id, identities: exchange.stream.identities, zxid: zxid, time: transaction.time)
        let outcome: Result<[MultiResult], CoordinationError>
        do throws(CoordinationError) {
            outcome = .success(try tree.perform(exchange.request, by: author))
        } catch { outcome = .failure(error) }
        outcomes[ObjectIdentifier(exchange)] = (zxid, outcome)
        let expected: WitnessedTransaction.Kind
        switch outcome {
        case .failure(let error): expected = .failed(error)
        case .success(let results):
            let errors: [CoordinationError] = results.compactMap {
                if case .error(let error) = $0 { error } else { nil }
            }
            expected = errors.isEmpty ? .done(exchange.request.op) : .failedMulti(errors)
        }
        if transaction.kind != expected {
            found("zxid \(zxid), \(describe(exchange)): the log says \(transaction.kind), it should be \(expected)")
        }
    }

    /// Once, in the order of asking, and not before it was asked for.
    private mutating func attribute(_ transaction: WitnessedTransaction, to exchange: Exchange) {
        let zxid = transaction.zxid
        if let before = outcomes[ObjectIdentifier(exchange)] {
            found("\(describe(exchange)) was done at zxid \(before.zxid) and again at \(zxid)")
        }
        if zxid <= exchange.floor {
            found("\(describe(exchange)) took effect at zxid \(zxid), but \(exchange.floor) was known when it was sent")
        }
        if exchange.xid <= lastXid[transaction.session, default: 0] {
            found("\(describe(exchange)) was overtaken by request \(lastXid[transaction.session, default: 0])")
        }
        lastXid[transaction.session] = exchange.xid
        if !clock.moments(transaction.time).contains(where: { $0 + .milliseconds(1) >= exchange.sentAt }) {
            found("\(describe(exchange)) has the time \(transaction.time), before it was sent at \(exchange.sentAt)")
        }
        // What was sent before it on this stream was done before it.
        let stream = exchange.stream
        let writes = stream.sent.filter { $0.request.isWrite }
        let done = lastWrite[stream.number, default: 0]
        if done < writes.count, writes[done] !== exchange {
            found("\(describe(exchange)) was done, and \(describe(writes[done])) before it was not")
        }
        lastWrite[stream.number] = done + 1
    }

    private mutating func expire(_ transaction: WitnessedTransaction) {
        let id = transaction.session
        guard tree.sessions[id] != nil else {
            return found("session \(hex(id)) expired at zxid \(transaction.zxid) without being open")
        }
        tree.close(id, zxid: transaction.zxid)
        closedAt[id] = transaction.zxid
        guard let session = sessions[id] else { return }
        let moments = clock.moments(transaction.time)
        if !moments.contains(where: { $0 + .milliseconds(2) >= session.lastProof + session.timeout }) {
            found(
                "session \(hex(id)) of \(session.client) expired at \(moments.first.map { "\($0)" } ?? "?"), though a request "
                    + "sent at \(session.lastProof) was answered, and its timeout is \(session.timeout)")
        }
    }

    // MARK: What the clients saw

    private mutating func advanceStreams(to zxid: Int64, allOfASession: Bool) {
        for index in streams.indices where !streams[index].isAtEnd {
            let problems = streams[index].advance(
                to: zxid, notices: tree.notices, inAnyOrder: allOfASession, tree: tree)
            for problem in problems { found("\(streams[index].name): \(problem)") }
            for exchange in streams[index].answered { verify(exchange, zxid) }
        }
    }

    private mutating func verify(_ exchange: Exchange, _ zxid: Int64) {
        guard let answer = exchange.answer else { return }
        if let closed = closedAt[exchange.stream.session.id], closed < zxid {
            found("\(describe(exchange)) was answered at \(zxid) for a session that ended at \(closed)")
        }
        if zxid < exchange.floor {
            found("\(describe(exchange)) was answered with \(zxid), after \(exchange.floor) had been told")
        }
        guard exchange.request.isWrite else {
            if let problem = ReadExpectation(exchange, answer, tree).problem {
                found("\(describe(exchange)) at zxid \(zxid): \(problem)")
            }
            return
        }
        guard let (at, outcome) = outcomes[ObjectIdentifier(exchange)], at == zxid else {
            return found("\(describe(exchange)) was acknowledged at zxid \(zxid), where the log has something else")
        }
        switch outcome {
        case .failure(let error):
            if answer.error != error { found("\(describe(exchange)): answered \(answer.error), should be \(error)") }
        case .success(let results):
            guard answer.error == .ok else {
                return found("\(describe(exchange)): answered \(answer.error), should be done: \(results)")
            }
            let shown = exchange.request.results(in: answer.body)
            if shown != results { found("\(describe(exchange)): answered \(shown), should be \(results)") }
        }
    }
}

func describe(_ exchange: Exchange) -> String {
    "\(exchange.stream.client) \(exchange.xid) on stream \(exchange.stream.number), sent \(exchange.sentAt): \(exchange.request)"
}

func describe(_ item: StreamHistory.Item) -> String {
    switch item {
    case .reply(let exchange):
        "the reply to \(describe(exchange)) with zxid \(exchange.answer?.zxid ?? 0) and \(exchange.answer?.error ?? .ok)"
    case .event(let zxid, let event, let at):
        "\(event.kind.map { "\($0)" } ?? "\(event.type)") \(event.path) with zxid \(zxid) at \(at)"
    case .pong(let zxid): "an answered ping with zxid \(zxid)"
    }
}

extension Request {
    /// What a reply to a write says was done.
    func results(in body: [UInt8]) -> [MultiResult] {
        switch self {
        case .change(let operation):
            switch operation {
            case .create: return [.created(path: (try? CreateResponse.decode(body))?.path ?? "unreadable")]
            case .create2, .createContainer, .createTTL:
                guard let reply = try? Create2Response.decode(body) else { return [] }
                return [.created2(path: reply.path, reply.stat)]
            case .delete: return body.isEmpty ? [.deleted] : []
            case .setData: return (try? SetDataResponse.decode(body)).map { [.set($0.stat)] } ?? []
            default: return []
            }
        case .setACL: return (try? SetACLResponse.decode(body)).map { [.set($0.stat)] } ?? []
        case .multi: return (try? MultiResponse.decode(body))?.results ?? []
        default: return []
        }
    }
}
