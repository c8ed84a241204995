import Coordination
import CoordinationProtocol
import Platform

/// The lines of a session's life, and of the nodes that tell who leads and who is there.
extension CoordinationServer {
    func told(began response: ConnectResponse, by connection: ClientConnection, _ change: TreeChange) {
        narrator.tell(
            .began, after: change.header.zxid,
            "session 0x\(LogFormat.hex(response.sessionID)) of \(connection.connection.peer) began: timeout \(response.timeout) ms"
        )
    }

    func told(resumed response: ConnectResponse, by connection: ClientConnection, evicted: ClientConnection?) {
        let session = LogFormat.hex(response.sessionID)
        let former = detachedPeers.removeValue(forKey: response.sessionID)
        if let evicted {
            narrator.tell(
                .evicted,
                "connection \(evicted.connection.peer) closed: its session 0x\(session) speaks from \(connection.connection.peer) now"
            )
        }
        narrator.tell(
            .resumed,
            "session 0x\(session) of \(connection.connection.peer) resumed"
                + (former.map { ": it was at \($0) before" } ?? ""))
    }

    func told(closedBy connection: ClientConnection, _ change: TreeChange) {
        let session = change.header.sessionID
        audit?.ended(session, change)
        narrator.tell(
            .closed, after: change.header.zxid, ephemerals: change.ephemerals?.count ?? 0,
            "session 0x\(LogFormat.hex(session)) of \(connection.connection.peer) closed by its client"
                + removed(change))
    }

    func told(expired session: Int64, after timeout: Int32, _ connection: ClientConnection?, _ change: TreeChange) {
        let former = detachedPeers.removeValue(forKey: session)
        statistics.expiredSessions += 1
        audit?.ended(session, change)
        narrator.tell(
            .expired, after: change.header.zxid, ephemerals: change.ephemerals?.count ?? 0,
            "session 0x\(LogFormat.hex(session))"
                + ((connection?.connection.peer ?? former).map { " of \($0)" } ?? "")
                + " expired: \(timeout) ms silent" + removed(change))
    }

    /// `; 3 ephemerals removed: /brokers/ids/1, /controller, …`
    private func removed(_ change: TreeChange) -> String {
        guard let paths = change.ephemerals else { return "; its ephemerals removed" }
        if paths.isEmpty { return "" }
        let notable = paths.filter { NotableNode($0) != nil } + paths.filter { NotableNode($0) == nil }
        return "; \(grouped(paths.count)) ephemeral\(paths.count == 1 ? "" : "s") removed: "
            + notable.prefix(2).map { String(decoding: $0, as: UTF8.self) }.joined(separator: ", ")
            + (paths.count > 2 ? ", …" : "")
    }

    /// Called for every change: decides with a few comparisons that most are of no interest.
    @inline(__always)
    func noteNodes(of change: TreeChange) {
        switch change.record {
        case .setData(let path, let data, _):
            if NotableNode(path) != nil { tellNode(path, "became", data, change.header) }
        case .create(let txn):
            if NotableNode(txn.path) != nil { tellNode(txn.path, "appeared", txn.data, change.header) }
        case .delete(let path): if NotableNode(path) != nil { tellNode(path, "vanished", nil, change.header) }
        case .multi(let parts): noteNodes(of: parts, change.header)
        case .closeSession(let paths?):
            for path in paths where NotableNode(path) != nil { tellNode(path, "vanished", nil, change.header) }
        default: break
        }
    }

    private func noteNodes(of parts: [TransactionPart], _ header: TransactionHeader) {
        for part in parts {
            switch part.record {
            case .setData(let path, let data, _): if NotableNode(path) != nil { tellNode(path, "became", data, header) }
            case .create(let txn): if NotableNode(txn.path) != nil { tellNode(txn.path, "appeared", txn.data, header) }
            case .delete(let path): if NotableNode(path) != nil { tellNode(path, "vanished", nil, header) }
            default: break
            }
        }
    }

    private func tellNode(
        _ path: UnsafeRawBufferPointer, _ verb: String, _ data: UnsafeRawBufferPointer?, _ header: TransactionHeader
    ) {
        var text = String(decoding: path, as: UTF8.self)
        if let data, NotableNode(path)?.showsData == true {
            text += " \(verb) \(shown(data))"
        } else {
            text += verb == "became" ? " changed" : " \(verb)"
        }
        text += header.op == .closeSession ? " with session" : " by session"
        narrator.tell(.node, after: header.zxid, text + " 0x\(LogFormat.hex(header.sessionID))")
    }

    /// A node's data in one line of bounded length.
    private func shown(_ data: UnsafeRawBufferPointer) -> String {
        var text = ""
        for scalar in String(decoding: data.prefix(100), as: UTF8.self).unicodeScalars {
            text.unicodeScalars.append(scalar.properties.generalCategory == .control ? "?" : scalar)
        }
        return text + (data.count > 100 ? "…" : "")
    }
}

/// Nodes of Kafka's layout whose changes are the cluster's history.
enum NotableNode {
    case controller
    case controllerEpoch
    case broker

    /// What is worth reading in a line: the epoch's number, the controller's id.
    var showsData: Bool { self != .broker }

    @inline(__always)
    init?(_ path: UnsafeRawBufferPointer) {
        // `/controller`, `/controller_epoch`, `/brokers/ids/N`.
        guard path.count >= 11, path.count <= 64, path[0] == UInt8(ascii: "/"),
            path[1] == UInt8(ascii: "c") || path[1] == UInt8(ascii: "b")
        else { return nil }
        self.init(named: path)
    }

    private init?(named path: UnsafeRawBufferPointer) {
        if path.elementsEqual("/controller".utf8) {
            self = .controller
        } else if path.elementsEqual("/controller_epoch".utf8) {
            self = .controllerEpoch
        } else if path.count > 13, path.starts(with: "/brokers/ids/".utf8) {
            self = .broker
        } else {
            return nil
        }
    }
}

extension TreeChange {
    /// Of a session's end; nil when they are too many to be listed, or this is no such change.
    var ephemerals: [UnsafeRawBufferPointer]? {
        if case .closeSession(let paths) = record { paths } else { nil }
    }
}
