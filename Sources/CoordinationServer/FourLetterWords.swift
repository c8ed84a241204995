import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// Questions of four letters, asked instead of a session: `echo ruok | nc localhost 2181`.
enum FourLetterWords {
    /// Those of ZooKeeper 3.9. Anything else is the length of a packet.
    static let known: Set<String> = [
        "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst", "srvr", "stat",
        "stmk", "wchc", "wchp", "wchs",
    ]

    enum Recognition {
        /// A session begins.
        case notOne
        /// This many bytes decide.
        case needs(Int)
        case answered
    }

    /// - Parameter bytes: the first of a connection, at least four.
    static func answer(_ bytes: UnsafeRawBufferPointer, for asker: ClientConnection) -> Recognition {
        let word = String(decoding: bytes.prefix(4), as: UTF8.self)
        let server = asker.server
        if let foreign = ForeignProtocol(bytes) {
            server.narrator.tell(
                .foreign, "closed \(asker.connection.peer): it speaks \(foreign), this port speaks ZooKeeper's protocol"
            )
            asker.connection.send(foreign.answer(adminURL: server.adminURL))
            return .answered
        }
        // What telnet sends when it is interrupted; the end is not worth a line.
        if bytes.prefix(4).elementsEqual([0xff, 0xf4, 0xff, 0xfd]) { return .answered }
        guard known.contains(word) else { return .notOne }
        let allowed = server.config.words.contains("*") || server.config.words.contains(word) || word == "srvr"
        if word == "stmk", allowed, bytes.count < 12 { return .needs(12) }
        server.statistics.received += 1
        asker.statistics.received += 1
        let text =
            allowed
            ? answer(word, bytes, server, asker)
            : "\(word) is not executed because it is not in the whitelist.\n"
                + "To allow it, add it to 4lw.commands.whitelist in the coordinator's properties and restart it.\n"
        server.statistics.sent += 1
        asker.connection.send([UInt8](text.utf8))
        return .answered
    }

    private static func answer(
        _ word: String, _ bytes: UnsafeRawBufferPointer, _ server: CoordinationServer, _ asker: ClientConnection
    ) -> String {
        switch word {
        case "ruok": return "imok"
        case "isro": return "rw"
        case "srvr": return server.versionLine + server.summaryReport
        case "stat": return server.versionLine + server.clientsReport(besides: asker) + server.summaryReport
        case "cons": return server.connectionsReport(besides: asker)
        case "conf": return server.configurationReport
        case "envi":
            return "Environment:\n"
                + ProcessFacts(server.world).environment(version: CoordinationServer.fullVersion)
                .map { "\($0.name)=\($0.value)\n" }.joined()
        case "wchs":
            let watches = server.core.watchCounts
            return "\(watches.clients) connections watching \(watches.paths) paths\nTotal watches:\(watches.all)\n"
        case "wchc": return server.watchesBySessionReport
        case "wchp": return server.watchesByPathReport
        case "dump": return server.dumpReport
        case "dirs":
            return "datadir_size: \(server.bytesOnDisk(server.config.dataDir))\n"
                + "logdir_size: \(server.bytesOnDisk(server.config.dataLogDir))\n"
        case "mntr":
            return server.metrics().filter { !$0.isOurs }.flatMap(\.entries).map { "zk_\($0.name)\t\($0.text)\n" }
                .joined()
        case "srst":
            server.statistics.reset()
            return "Server stats reset.\n"
        case "crst":
            server.resetConnectionStatistics()
            return "Connection stats reset.\n"
        case "gtmk": return String(server.traceMask.rawValue)
        case "stmk":
            server.traceMask = TraceMask(
                rawValue: Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: Int64.self)))
            return String(server.traceMask.rawValue)
        // Digests of the tree are not kept (`digest.enabled=false`, as ZooKeeper calls it): an empty history.
        default: return ""
        }
    }
}

/// Those who came to the wrong port.
enum ForeignProtocol: String, CustomStringConvertible {
    case http = "HTTP"
    case tls = "TLS"

    var description: String { rawValue }

    init?(_ bytes: UnsafeRawBufferPointer) {
        // A TLS handshake record: 22, then version 3.x. As a length it would be 369 MB.
        if bytes[0] == 0x16, bytes[1] == 0x03 {
            self = .tls
        } else if ["GET ", "POST", "HEAD", "PUT ", "OPTI", "DELE", "PATC"].contains(
            String(decoding: bytes.prefix(4), as: UTF8.self))
        {
            self = .http
        } else {
            return nil
        }
    }

    /// - Parameter adminURL: where HTTP is offered; nil when it is not.
    func answer(adminURL: String?) -> [UInt8] {
        switch self {
        // An alert: fatal, protocol version. The other side says so instead of waiting.
        case .tls: return [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]
        case .http:
            let link =
                adminURL.map { "HTTP is at <a href=\"\($0)\">\($0)</a>." }
                ?? "HTTP is off: admin.enableServer=true turns it on."
            let body =
                "<!doctype html><title>Not HTTP</title><p>This is a coordinator's client port (ZooKeeper's protocol), not HTTP. \(link)</p>\n"
            return [UInt8](
                ("HTTP/1.1 400 Bad Request\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n"
                    + "Connection: close\r\n\r\n" + body).utf8)
        }
    }
}
