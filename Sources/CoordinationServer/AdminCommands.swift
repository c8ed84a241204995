import Configuration
import Coordination
import HTTP
import Platform

/// One of AdminServer's commands. Rule: ZooKeeper 3.9's `Commands`, as a standalone server answers them.
struct AdminCommand {
    var name: String
    var aliases: [String] = []
    /// It changes something, so a page from elsewhere may not cause it.
    var changes = false
    var answer: (CoordinationServer, HTTPRequest) -> Answer

    enum Answer {
        case members([JSON.Member])
        /// - Parameter status: 200 for what ZooKeeper reports as an answer all the same.
        case error(String, status: Int = 200)
    }

    static func run(_ name: String, _ request: HTTPRequest, _ server: CoordinationServer) -> HTTPResponse {
        guard let command = offered.first(where: { $0.name == name || $0.aliases.contains(name) }) else {
            if name == "snapshot" || name == "snap" || name == "restore" || name == "rest" {
                return failure(
                    name, status: 403,
                    "\(name) is not offered over HTTP, where nobody proves who they are; copy the newest snapshot and logs of dataDir"
                )
            }
            return failure(name, status: 404, "Unknown command: \(name)")
        }
        guard !command.changes || HostGuard.isOwnPage(request) else {
            return failure(command.name, status: 403, "a page from elsewhere may not do this")
        }
        switch command.answer(server, request) {
        case .members(let members):
            return HTTPResponse(
                json: .object(members + [JSON.Member("command", .string(command.name)), JSON.Member("error", .null)]))
        case .error(let why, let status):
            return HTTPResponse(
                status: status, json: .object(["error": .string(why), "command": .string(command.name)]))
        }
    }

    private static func failure(_ name: String, status: Int, _ why: String) -> HTTPResponse {
        HTTPResponse(status: status, json: .object(["command": .string(name), "error": .string(why)]))
    }

    private init(
        _ name: String, _ aliases: String..., changes: Bool = false,
        _ members: @escaping (CoordinationServer) -> KeyValuePairs<String, JSON>
    ) {
        self.name = name
        self.aliases = aliases
        self.changes = changes
        answer = { server, _ in .members(members(server).map { JSON.Member($0.key, $0.value) }) }
    }

    private init(
        _ name: String, aliases: [String], changes: Bool = false,
        answer: @escaping (CoordinationServer, HTTPRequest) -> Answer
    ) {
        self.name = name
        self.aliases = aliases
        self.changes = changes
        self.answer = answer
    }

    nonisolated(unsafe) static let offered: [AdminCommand] = [
        AdminCommand("configuration", "conf", "config") { $0.configurationMembers },
        AdminCommand("connection_stat_reset", "crst", changes: true) { server in
            server.resetConnectionStatistics()
            return [:]
        },
        AdminCommand("connections", "cons") {
            ["connections": .array($0.connectionItems(brief: false)), "secure_connections": .array([])]
        },
        AdminCommand("dirs") {
            [
                "datadir_size": .integer($0.bytesOnDisk($0.config.dataDir)),
                "logdir_size": .integer($0.bytesOnDisk($0.config.dataLogDir)),
            ]
        },
        AdminCommand("dump") { $0.dumpMembers },
        AdminCommand("environment", aliases: ["env", "envi"]) { server, _ in
            .members(
                ProcessFacts(server.world).environment(version: CoordinationServer.fullVersion).map {
                    JSON.Member($0.name, .string($0.value))
                })
        },
        AdminCommand("get_trace_mask", "gtmk") { ["tracemask": .integer($0.traceMask.rawValue)] },
        // Digests of the tree are not kept.
        AdminCommand("hash") { _ in ["digests": .array([])] },
        AdminCommand("initial_configuration", "icfg") { ["initial_configuration": .string($0.initialConfiguration)] },
        AdminCommand("is_read_only", "isro") { _ in ["read_only": .bool(false)] },
        AdminCommand("last_snapshot", "lsnp") { $0.lastSnapshotMembers },
        AdminCommand("leader", aliases: ["lead"]) { _, _ in .error("server is not initialized") },
        AdminCommand("monitor", aliases: ["mntr"]) { server, _ in .members(server.monitorMembers) },
        AdminCommand("observer_connection_stat_reset", "orst", changes: true) { _ in [:] },
        AdminCommand("observers", "obsr") { _ in ["synced_observers": .integer(0), "observers": .array([])] },
        AdminCommand("ruok") { _ in [:] },
        AdminCommand("server_stats", "srvr") { $0.serverMembers },
        AdminCommand("set_trace_mask", aliases: ["stmk"], changes: true) { server, request in
            guard let text = request.parameter("traceMask") else {
                return .error("setTraceMask requires long traceMask argument")
            }
            guard let mask = Int64(text) else {
                return .error("setTraceMask requires long traceMask argument, got \(text)")
            }
            server.traceMask = TraceMask(rawValue: mask)
            return .members([JSON.Member("tracemask", .integer(mask))])
        },
        AdminCommand("stat_reset", "srst", changes: true) { server in
            server.statistics.reset()
            return [:]
        },
        AdminCommand("stats", aliases: ["stat"]) { server, _ in
            .members(
                server.serverMembers.map { JSON.Member($0.key, $0.value) } + [
                    JSON.Member("connections", .array(server.connectionItems(brief: true))),
                    JSON.Member("secure_connections", .array([])),
                ])
        },
        AdminCommand("system_properties", aliases: ["sysp"]) { server, _ in .members(server.settingMembers) },
        AdminCommand("voting_view") { _ in ["current_config": .object([])] },
        AdminCommand("watch_summary", "wchs") {
            let watches = $0.core.watchCounts
            return [
                "num_connections": .integer(watches.clients), "num_paths": .integer(watches.paths),
                "num_total_watches": .integer(watches.all),
            ]
        },
        AdminCommand("watches", "wchc") { server in
            [
                "session_id_to_watched_paths": .object(
                    server.watchesBySession.map {
                        JSON.Member(String($0.session), .array($0.paths.map { .string($0) }))
                    })
            ]
        },
        AdminCommand("watches_by_path", "wchp") { server in
            [
                "path_to_session_ids": .object(
                    server.core.watches.described().map { entry in
                        JSON.Member(entry.path, .array(entry.clients.map { .integer(server.core.session(of: $0)) }))
                    })
            ]
        },
        AdminCommand("zabstate") { _ in ["voting": .bool(false), "zabstate": .string("")] },
    ]
}

extension CoordinationServer {
    fileprivate var configurationMembers: KeyValuePairs<String, JSON> {
        [
            "client_port": .integer(port), "data_dir": .string(config.dataDir + "/version-2"),
            "data_log_dir": .string(config.dataLogDir + "/version-2"), "tick_time": .integer(config.rules.tick),
            "max_client_cnxns": .integer(config.maxClientConnections),
            "min_session_timeout": .integer(config.rules.minSessionTimeout),
            "max_session_timeout": .integer(config.rules.maxSessionTimeout), "server_id": .integer(0),
            "client_port_listen_backlog": .integer(
                config.backlog == CoordinatorConfig.usualBacklog ? -1 : config.backlog),
        ]
    }

    fileprivate func connectionItems(brief: Bool) -> [JSON] {
        connections.compactMap { connection in
            guard let connection else { return nil }
            let told = connection.statistics
            var members: [JSON.Member] = [
                JSON.Member("remote_socket_address", .string(connection.connection.peer.description)),
                JSON.Member("interest_ops", .integer(interest(in: connection))),
                JSON.Member("outstanding_requests", .integer(connection.heldReplies)),
                JSON.Member("packets_received", .integer(told.received)),
                JSON.Member("packets_sent", .integer(told.sent)),
            ]
            if brief { return .object(members) }
            members += [
                JSON.Member("session_id", .integer(core.session(of: connection.client))),
                JSON.Member("last_operation", .string(told.lastOp?.shortName ?? "NA")),
                JSON.Member("established", .string(CalendarText.iso(wallMs(at: connection.since)))),
                JSON.Member("session_timeout", .integer(connection.sessionTimeout)),
                JSON.Member("last_cxid", .integer(told.lastXid)),
                JSON.Member("last_zxid", .integer(min(told.lastZxid, durableZxid))),
                JSON.Member("last_response_time", .integer(wallMs(at: told.lastReply))),
                JSON.Member("last_latency", .integer(told.lastMs)),
                JSON.Member("min_latency", .integer(told.shortestMs)),
                JSON.Member("avg_latency", .integer(told.averageMs)),
                JSON.Member("max_latency", .integer(told.longestMs)),
            ]
            return .object(members)
        }
    }

    fileprivate var dumpMembers: KeyValuePairs<String, JSON> {
        let moments = Dictionary(grouping: core.sessionDeadlines) { $0.deadline }
        return [
            "expiry_time_to_session_ids": .object(
                moments.keys.sorted().map { moment in
                    JSON.Member(String(moment), .array((moments[moment] ?? []).map { .integer($0.id) }))
                }),
            "session_id_to_ephemeral_paths": .object(
                core.ephemeralsBySession.map {
                    JSON.Member(String($0.session), .array($0.paths.map { .string($0) }))
                }),
        ]
    }

    /// The file's lines as they were read, without secrets.
    fileprivate var initialConfiguration: String {
        config.given.names.map { name in
            "\(name)=\(CoordinatorConfig.isSecret(name) ? "[hidden]" : config.given[name] ?? "")\n"
        }.joined()
    }

    /// What ZooKeeper takes from system properties is in the file here: every setting with the value in force.
    fileprivate var settingMembers: [JSON.Member] {
        guard let settings = try? Settings(config.given, keys: CoordinatorConfig.keys) else { return [] }
        return CoordinatorConfig.keys.sorted { $0.name < $1.name }.compactMap { key in
            settings.text(key).map { text in
                JSON.Member("zookeeper.\(key.name)", .string(CoordinatorConfig.isSecret(key.name) ? "[hidden]" : text))
            }
        }
    }

    fileprivate var lastSnapshotMembers: KeyValuePairs<String, JSON> {
        let directory = config.dataDir + "/version-2"
        let snapshots = ((try? world.disk.list(directory)) ?? []).compactMap { SnapshotFile($0.name, in: directory) }
        guard let newest = snapshots.max(by: { $0.zxid < $1.zxid }) else {
            return ["zxid": .string("ffffffffffffffff"), "timestamp": .integer(-1)]
        }
        let changed = try? world.disk.modifiedMs(newest.path)
        return ["zxid": .string(LogFormat.hex(newest.zxid)), "timestamp": .integer(changed.map { $0 / 1000 } ?? -1)]
    }

    fileprivate var monitorMembers: [JSON.Member] {
        metrics().filter { !$0.isOurs }.flatMap(\.entries).map { entry in
            if entry.isText { return JSON.Member(entry.name, .string(entry.text)) }
            return JSON.Member(
                entry.name, Int64(entry.text).map { .integer($0) } ?? .number(Double(entry.text) ?? 0))
        }
    }

    fileprivate var serverMembers: KeyValuePairs<String, JSON> {
        let sizes = JSON.object([
            "last_buffer_size": .integer(statistics.lastResponse),
            "min_buffer_size": .integer(statistics.shortestResponse),
            "max_buffer_size": .integer(statistics.longestResponse),
        ])
        return [
            "version": .string(CoordinationServer.fullVersion), "read_only": .bool(false),
            "server_stats": .object([
                "packets_sent": .integer(statistics.sent), "packets_received": .integer(statistics.received),
                "fsync_threshold_exceed_count": .integer(statistics.slowSyncs), "client_response_stats": sizes,
                "data_dir_size": .integer(bytesOnDisk(config.dataDir)),
                "log_dir_size": .integer(bytesOnDisk(config.dataLogDir)), "provider_null": .bool(false),
                "server_state": .string("standalone"), "last_processed_zxid": .integer(durableZxid),
                "outstanding_requests": .integer(outstanding),
                "avg_latency": .number(
                    Double(fourDecimals(statistics.latency.average / 1000)) ?? 0),
                "max_latency": .integer(statistics.latency.largest / 1000),
                "min_latency": .integer(statistics.latency.smallest / 1000),
                "num_alive_client_connections": .integer(connectionCount),
                "uptime": .integer((world.clock.now - startedAt).wholeMilliseconds),
                "auth_failed_count": .integer(statistics.failedAuthentications),
                "non_mtlsremote_conn_count": .integer(statistics.remoteConnections),
                "non_mtlslocal_conn_count": .integer(statistics.localConnections),
            ]),
            "client_response": sizes, "node_count": .integer(shownNodeCount),
        ]
    }
}
