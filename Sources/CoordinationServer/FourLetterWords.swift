import Bytes
import Coordination
import CoordinationProtocol
import Platform

/// Questions of four letters, asked instead of a session: `echo ruok | nc localhost 2181`.
enum FourLetterWords {
    static let version = "3.9.4-letterbox"
    static let known: Set<String> = [
        "ruok", "srvr", "stat", "mntr", "conf", "cons", "isro", "envi", "wchs", "dump", "dirs", "srst", "crst",
    ]
    /// Words of ZooKeeper that have no meaning here; they are told so instead of being taken for a length.
    static let elsewhere: Set<String> = [
        "wchc", "wchp", "gtmk", "stmk", "hash", "lead", "icfg", "orst", "obsr", "reqs", "kill",
    ]

    /// - Returns: whether the bytes were not the beginning of a session; they are answered then.
    static func answer(_ bytes: UnsafeRawBufferPointer, for asker: ClientConnection) -> Bool {
        let word = String(decoding: bytes.prefix(4), as: UTF8.self)
        if let text = explanation(bytes, word) {
            asker.server.world.journal.info(
                "closed a connection that does not speak the coordination protocol",
                ["peer": asker.connection.peer, "speaks": bytes[0] == 0x16 ? "TLS" : "HTTP"])
            asker.connection.send([UInt8](text.utf8))
            return true
        }
        guard known.contains(word) || elsewhere.contains(word) else { return false }
        let server = asker.server
        let text: String
        if !server.config.words.contains("*"), !server.config.words.contains(word) {
            text =
                "\(word) is not executed because it is not in the whitelist.\n"
                + "To allow it, add it to 4lw.commands.whitelist in the coordinator's properties and restart it.\n"
        } else if elsewhere.contains(word) {
            text = "\(word) is not offered here.\n"
        } else {
            text = answer(word, server, asker)
        }
        asker.connection.send([UInt8](text.utf8))
        return true
    }

    private static func explanation(_ bytes: UnsafeRawBufferPointer, _ word: String) -> String? {
        if ["GET ", "POST", "HEAD", "PUT ", "OPTI"].contains(word) {
            let body = "This is a coordinator's client port (ZooKeeper's protocol), not HTTP.\n"
            return
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
                + body
        }
        // A TLS handshake record: 22, then version 3.x. As a length it would be 369 MB.
        if bytes[0] == 0x16, bytes[1] == 0x03 { return "" }
        return nil
    }

    private static func answer(_ word: String, _ server: CoordinationServer, _ asker: ClientConnection) -> String {
        switch word {
        case "ruok": return "imok"
        case "isro": return "rw"
        case "srvr": return head + summary(server)
        case "stat":
            var text = head + "Clients:\n"
            for connection in server.connections {
                guard let connection else { continue }
                text += " " + place(connection, asker) + counts(connection) + ")\n"
            }
            return text + "\n" + summary(server)
        case "cons":
            var text = ""
            for connection in server.connections {
                guard let connection else { continue }
                text += " " + place(connection, asker) + counts(connection)
                let session = server.core.session(of: connection.client)
                if session != 0 {
                    let since =
                        server.world.clock.wallMs - (server.world.clock.now - connection.since).wholeMilliseconds
                    let reply =
                        server.world.clock.wallMs - (server.world.clock.now - connection.lastReply).wholeMilliseconds
                    text += ",sid=0x\(LogFormat.hex(session)),lop=\(connection.lastOp?.shortName ?? "NA"),est=\(since)"
                    text +=
                        ",to=\(connection.sessionTimeout),lcxid=0x\(String(UInt32(bitPattern: connection.lastXid), radix: 16))"
                    text +=
                        ",lzxid=0x\(LogFormat.hex(min(connection.lastZxid, server.durableZxid))),lresp=\(reply),llat=0,minlat=0,avglat=0,maxlat=0"
                }
                text += ")\n"
            }
            return text + "\n"
        case "conf":
            let config = server.config
            return """
                clientPort=\(server.port)
                secureClientPort=-1
                dataDir=\(config.dataDir)/version-2
                dataDirSize=\(size(config.dataDir + "/version-2", server))
                dataLogDir=\(config.dataLogDir)/version-2
                dataLogSize=\(size(config.dataLogDir + "/version-2", server))
                tickTime=\(config.rules.tick)
                maxClientCnxns=\(config.maxClientConnections)
                minSessionTimeout=\(config.rules.minSessionTimeout)
                maxSessionTimeout=\(config.rules.maxSessionTimeout)
                clientPortListenBacklog=-1
                serverId=0

                """
        case "envi":
            return """
                Environment:
                zookeeper.version=\(version)
                host.name=\(server.world.hostName)
                os.name=Linux

                """
        case "wchs":
            let watches = watchCounts(server)
            return "\(watches.clients) connections watching \(watches.paths) paths\nTotal watches:\(watches.all)\n"
        case "dump": return dump(server)
        case "dirs":
            return
                "datadir_size: \(size(server.config.dataDir + "/version-2", server))\nlogdir_size: \(size(server.config.dataLogDir + "/version-2", server))\n"
        case "srst":
            server.statistics.reset()
            return "Server stats reset.\n"
        case "crst":
            for connection in server.connections {
                connection?.received = 0
                connection?.sent = 0
            }
            return "Connection stats reset.\n"
        case "mntr": return monitor(server)
        default: return ""
        }
    }

    private static let head = "Zookeeper version: \(version), built on 2026-11-21 00:00 UTC\n"

    private static func summary(_ server: CoordinationServer) -> String {
        let statistics = server.statistics
        return """
            Latency min/avg/max: \(statistics.quickest)/\(statistics.average)/\(statistics.slowest)
            Received: \(statistics.received)
            Sent: \(statistics.sent)
            Connections: \(server.connectionCount)
            Outstanding: \(outstanding(server))
            Zxid: 0x\(LogFormat.hex(server.durableZxid))
            Mode: standalone
            Node count: \(server.core.nodeCount + 1)

            """
    }

    /// The asking connection shows 0: it is not read from any more.
    private static func place(_ connection: ClientConnection, _ asker: ClientConnection) -> String {
        "/\(connection.connection.peer)[\(connection === asker ? 0 : 1)]"
    }

    private static func counts(_ connection: ClientConnection) -> String {
        "(queued=\(connection.heldBytes > 0 ? 1 : 0),recved=\(connection.received),sent=\(connection.sent)"
    }

    private static func outstanding(_ server: CoordinationServer) -> Int {
        server.connections.reduce(0) { $0 + (($1?.heldBytes ?? 0) > 0 ? 1 : 0) }
    }

    private static func watchCounts(_ server: CoordinationServer) -> (clients: Int, paths: Int, all: Int) {
        server.core.watchCounts
    }

    private static func size(_ directory: String, _ server: CoordinationServer) -> Int64 {
        var total: Int64 = 0
        for entry in (try? server.world.disk.list(directory)) ?? [] where !entry.isDirectory {
            if let file = try? server.world.disk.open(directory + "/" + entry.name, .read) {
                total += file.size
                file.close()
            }
        }
        return total
    }

    private static func dump(_ server: CoordinationServer) -> String {
        var text = "SessionTracker dump:\n"
        let sessions = server.core.sessionDeadlines
        let deadlines = Set(sessions.map(\.deadline)).sorted()
        text += "Session Sets (\(deadlines.count))/(\(sessions.count)):\n"
        for deadline in deadlines {
            let together = sessions.filter { $0.deadline == deadline }
            text += "\(together.count) expire in \(max(deadline - server.nowMs, 0)) ms:\n"
            for session in together { text += "\t0x\(LogFormat.hex(session.id))\n" }
        }
        let owners = server.core.ephemeralsBySession
        text += "ephemeral nodes dump:\nSessions with Ephemerals (\(owners.count)):\n"
        for (session, paths) in owners {
            text += "0x\(LogFormat.hex(session)):\n"
            for path in paths { text += "\t\(path)\n" }
        }
        text += "Connections dump:\nConnections Sets (\(1))/(\(server.connectionCount)):\n"
        for connection in server.connections {
            if let connection {
                text +=
                    "\tip: /\(connection.connection.peer) sessionId: 0x\(LogFormat.hex(server.core.session(of: connection.client)))\n"
            }
        }
        return text
    }

    private static func monitor(_ server: CoordinationServer) -> String {
        let statistics = server.statistics
        let lines: [(String, String)] = [
            ("version", "\(version), built on 2026-11-21 00:00 UTC"), ("server_state", "standalone"),
            ("avg_latency", statistics.average), ("max_latency", "\(statistics.slowest)"),
            ("min_latency", "\(statistics.quickest)"), ("packets_received", "\(statistics.received)"),
            ("packets_sent", "\(statistics.sent)"), ("num_alive_connections", "\(server.connectionCount)"),
            ("outstanding_requests", "\(outstanding(server))"),
            ("uptime", "\((server.world.clock.now - server.startedAt).wholeMilliseconds)"),
            ("znode_count", "\(server.core.nodeCount + 1)"), ("watch_count", "\(server.core.watchCounts.all)"),
            ("ephemerals_count", "\(server.core.ephemeralCount)"),
            ("approximate_data_size", "\(server.core.dataSize)"),
            ("global_sessions", "\(server.core.sessionCount)"), ("local_sessions", "0"),
            ("fsync_count", "\(statistics.flights)"), ("last_zxid", "0x\(LogFormat.hex(server.durableZxid))"),
        ]
        return lines.map { "zk_\($0.0)\t\($0.1)\n" }.joined()
    }
}
