import Coordination
import CoordinationProtocol
import Platform

/// The texts of the four-letter words, line by line as ZooKeeper 3.9 writes them.
extension CoordinationServer {
    /// What version of ZooKeeper's service this is, in its own form.
    static let fullVersion = "3.9.4-letterbox, built on 2026-11-21 00:00 UTC"

    var versionLine: String { "Zookeeper version: \(CoordinationServer.fullVersion)\n" }

    var summaryReport: String {
        let latency = statistics.latency
        return """
            Latency min/avg/max: \(latency.smallest / 1000)/\(fourDecimals(latency.average / 1000))/\(latency.largest / 1000)
            Received: \(statistics.received)
            Sent: \(statistics.sent)
            Connections: \(connectionCount)
            Outstanding: \(outstanding)
            Zxid: 0x\(LogFormat.hex(durableZxid))
            Mode: standalone
            Node count: \(shownNodeCount)

            """
    }

    /// With the root's own entry under the empty path, which ZooKeeper counts.
    var shownNodeCount: Int { core.nodeCount + 1 }

    func clientsReport(besides asker: ClientConnection) -> String {
        var text = "Clients:\n"
        for case let connection? in connections { text += " \(place(connection, asker))\(counts(connection)))\n" }
        return text + "\n"
    }

    func connectionsReport(besides asker: ClientConnection) -> String {
        var text = ""
        for case let connection? in connections {
            text += " \(place(connection, asker))\(counts(connection))"
            let session = core.session(of: connection.client)
            let told = connection.statistics
            if session != 0 {
                text += ",sid=0x\(LogFormat.hex(session)),lop=\(told.lastOp?.shortName ?? "NA")"
                text += ",est=\(wallMs(at: connection.since)),to=\(connection.sessionTimeout)"
                // Pings and the like have none.
                if told.lastXid >= 0 { text += ",lcxid=0x\(String(told.lastXid, radix: 16))" }
                text += ",lzxid=0x\(LogFormat.hex(min(told.lastZxid, durableZxid))),lresp=\(wallMs(at: told.lastReply))"
                text +=
                    ",llat=\(told.lastMs),minlat=\(told.shortestMs),avglat=\(told.averageMs),maxlat=\(told.longestMs)"
            }
            text += ")\n"
        }
        return text + "\n"
    }

    var configurationReport: String {
        """
        clientPort=\(port)
        secureClientPort=-1
        dataDir=\(config.dataDir)/version-2
        dataDirSize=\(bytesOnDisk(config.dataDir))
        dataLogDir=\(config.dataLogDir)/version-2
        dataLogSize=\(bytesOnDisk(config.dataLogDir))
        tickTime=\(config.rules.tick)
        maxClientCnxns=\(config.maxClientConnections)
        minSessionTimeout=\(config.rules.minSessionTimeout)
        maxSessionTimeout=\(config.rules.maxSessionTimeout)
        clientPortListenBacklog=\(config.backlog == CoordinatorConfig.usualBacklog ? -1 : config.backlog)
        serverId=0

        """
    }

    var dumpReport: String {
        var text = "SessionTracker dump:\nSession "
        text += sets(core.sessionDeadlines.map { (deadline: $0.deadline, line: "0x" + LogFormat.hex($0.id)) })
        let owners = core.ephemeralsBySession
        text += "ephemeral nodes dump:\nSessions with Ephemerals (\(owners.count)):\n"
        for (session, paths) in owners {
            text += "0x\(LogFormat.hex(session)):\n"
            for path in paths { text += "\t\(path)\n" }
        }
        let deadlines = Dictionary(
            core.sessionDeadlines.map { ($0.id, $0.deadline) }, uniquingKeysWith: { first, _ in first })
        text += "Connections dump:\nConnections "
        text += sets(
            connections.compactMap { connection in
                guard let connection else { return nil }
                let session = core.session(of: connection.client)
                return (
                    deadline: deadlines[session]
                        ?? (connection.since + config.sessionlessTimeout).nanoseconds / 1_000_000,
                    line: "ip: /\(connection.connection.peer) sessionId: 0x\(LogFormat.hex(session))"
                )
            })
        return text
    }

    /// `Sets (1)/(2):`, then those of each moment together.
    private func sets(_ entries: [(deadline: Int64, line: String)]) -> String {
        let moments = Dictionary(grouping: entries) { $0.deadline }
        var text = "Sets (\(moments.count))/(\(entries.count)):\n"
        for moment in moments.keys.sorted() {
            let together = moments[moment] ?? []
            text += "\(together.count) expire at \(CalendarText.java(wallMs(atMs: moment))):\n"
            for entry in together { text += "\t\(entry.line)\n" }
        }
        return text
    }

    var watchesBySessionReport: String {
        watchesBySession.map { entry in
            "0x\(LogFormat.hex(entry.session))\n" + entry.paths.map { "\t\($0)\n" }.joined()
        }.joined() + "\n"
    }

    var watchesByPathReport: String {
        core.watches.described().map { entry in
            "\(entry.path)\n" + entry.clients.map { "\t0x\(LogFormat.hex(core.session(of: $0)))\n" }.joined()
        }.joined() + "\n"
    }

    var watchesBySession: [(session: Int64, paths: [String])] {
        var sessions: [Int64: [String]] = [:]
        for entry in core.watches.described() {
            for client in entry.clients { sessions[core.session(of: client), default: []].append(entry.path) }
        }
        return sessions.keys.sorted().map { (session: $0, paths: sessions[$0] ?? []) }
    }

    /// Files below `version-2`, in bytes as they are long.
    func bytesOnDisk(_ directory: String) -> Int64 {
        let directory = directory + "/version-2"
        var total: Int64 = 0
        for entry in (try? world.disk.list(directory)) ?? [] where !entry.isDirectory {
            if let file = try? world.disk.open(directory + "/" + entry.name, .read) {
                total += file.size
                file.close()
            }
        }
        return total
    }

    func resetConnectionStatistics() {
        for connection in connections { connection?.statistics.reset(now: world.clock.now) }
    }

    func wallMs(at instant: Instant) -> Int64 { world.clock.wallMs - (world.clock.now - instant).wholeMilliseconds }
    private func wallMs(atMs moment: Int64) -> Int64 { world.clock.wallMs + moment - nowMs }

    /// What it is watched for: 1 to be read from. Of the one that asks nothing more is read.
    func interest(in connection: ClientConnection) -> Int {
        connection.phase == .ended || connection.isPaused ? 0 : 1
    }

    private func place(_ connection: ClientConnection, _ asker: ClientConnection) -> String {
        "/\(connection.connection.peer)[\(connection === asker ? 0 : interest(in: connection))]"
    }

    private func counts(_ connection: ClientConnection) -> String {
        "(queued=\(connection.heldReplies),recved=\(connection.statistics.received),sent=\(connection.statistics.sent)"
    }
}

/// Moments for people.
enum CalendarText {
    /// `Sun Nov 22 03:59:09 UTC 2026`, as java.util.Date prints it.
    /// - Parameter wallMs: milliseconds since 1970.
    static func java(_ wallMs: Int64) -> String {
        let date = parts(wallMs)
        let day = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(((date.days % 7) + 7) % 7)]
        let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][date.month - 1]
        return
            "\(day) \(month) \(two(date.day)) \(two(date.seconds / 3600)):\(two(date.seconds / 60 % 60)):\(two(date.seconds % 60)) UTC \(date.year)"
    }

    /// `2026-11-22T03:59:09.000+00:00`.
    static func iso(_ wallMs: Int64) -> String {
        let date = parts(wallMs)
        let thousandths = String(1000 + ((wallMs % 1000) + 1000) % 1000).dropFirst()
        return
            "\(date.year)-\(two(date.month))-\(two(date.day))T\(two(date.seconds / 3600)):\(two(date.seconds / 60 % 60)):\(two(date.seconds % 60)).\(thousandths)+00:00"
    }

    /// The Gregorian calendar over days counted from 1970 (eras of 400 years that begin in March).
    private static func parts(_ wallMs: Int64) -> (days: Int64, year: Int64, month: Int, day: Int, seconds: Int) {
        let seconds = wallMs >= 0 ? wallMs / 1000 : (wallMs - 999) / 1000
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * ofYear + 2) / 153
        let month = Int(march < 10 ? march + 3 : march - 9)
        return (
            days, yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, Int(ofYear - (153 * march + 2) / 5 + 1),
            Int(seconds - days * 86_400)
        )
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
