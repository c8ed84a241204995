import Coordination
import Platform

/// One thing that is measured, for `mntr`, `/commands/monitor` and `/metrics` alike: one list, three spellings.
struct Metric {
    enum Value {
        case text(String)
        case counter(Int64)
        case gauge(Int64)
        case decimal(Double)
        /// - Parameter scale: what a shown unit is worth: 1000 for microseconds shown as milliseconds.
        case summary(Distribution, scale: Double, hasQuantiles: Bool)
    }

    /// ZooKeeper's name where it has one.
    var name: String
    var value: Value
    /// Not among ZooKeeper's: only in `/metrics`, where it has its own prefix.
    var isOurs = false
    var help = ""

    /// Name and text, as `mntr` lists them; a summary is several.
    var entries: [(name: String, text: String, isText: Bool)] {
        switch value {
        case .text(let text): return [(name, text, true)]
        case .counter(let number), .gauge(let number): return [(name, String(number), false)]
        case .decimal(let number): return [(name, fourDecimals(number), false)]
        case .summary(let all, let scale, let hasQuantiles):
            func whole(_ number: Int64) -> String { String(Int64((Double(number) / scale).rounded(.down))) }
            var entries = [
                ("avg_\(name)", fourDecimals(all.average / scale), false),
                ("min_\(name)", whole(all.smallest), false), ("max_\(name)", whole(all.largest), false),
                ("cnt_\(name)", String(all.count), false), ("sum_\(name)", String(Int64(all.total / scale)), false),
            ]
            if hasQuantiles {
                for (title, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
                    entries.append(("\(title)_\(name)", whole(all.quantile(share)), false))
                }
            }
            return entries.map { (name: $0.0, text: $0.1, isText: $0.2) }
        }
    }

    /// Prometheus' text format 0.0.4; nothing for texts.
    var prometheus: String {
        func titled(_ kind: String) -> String {
            (help.isEmpty ? "" : "# HELP \(name) \(help)\n") + "# TYPE \(name) \(kind)\n"
        }
        switch value {
        case .text: return ""
        case .counter(let number): return titled("counter") + "\(name) \(number)\n"
        case .gauge(let number): return titled("gauge") + "\(name) \(number)\n"
        case .decimal(let number): return titled("gauge") + "\(name) \(number)\n"
        case .summary(let all, let scale, let hasQuantiles):
            var text = titled("summary")
            for share in hasQuantiles ? [0.5, 0.9, 0.99] : [0.5] {
                text +=
                    "\(name){quantile=\"\(share)\"} \(all.count == 0 ? "NaN" : String(Double(all.quantile(share)) / scale))\n"
            }
            return text + "\(name)_count \(all.count)\n\(name)_sum \(all.total / scale)\n"
        }
    }
}

extension CoordinationServer {
    /// Everything measured, ZooKeeper's first and in its order, without what only an ensemble, a JVM or TLS has.
    func metrics() -> [Metric] {
        let facts = ProcessFacts(world)
        return stateMetrics(facts) + countMetrics + summaryMetrics + ourMetrics(facts)
    }

    private func stateMetrics(_ facts: ProcessFacts) -> [Metric] {
        let all = statistics, latency = all.latency
        var metrics = [
            Metric(name: "version", value: .text(CoordinationServer.fullVersion)),
            Metric(name: "server_state", value: .text("standalone")),
            Metric(name: "ephemerals_count", value: .gauge(Int64(core.ephemeralCount))),
            Metric(name: "num_alive_connections", value: .gauge(Int64(connectionCount))),
            Metric(name: "avg_latency", value: .decimal(latency.average / 1000)),
            Metric(name: "outstanding_requests", value: .gauge(Int64(outstanding))),
            Metric(name: "znode_count", value: .gauge(Int64(shownNodeCount))),
            Metric(name: "global_sessions", value: .gauge(Int64(core.sessionCount))),
            Metric(name: "non_mtls_remote_conn_count", value: .gauge(all.remoteConnections)),
            Metric(name: "last_client_response_size", value: .gauge(Int64(all.lastResponse))),
            Metric(name: "packets_sent", value: .gauge(all.sent)),
            Metric(name: "packets_received", value: .gauge(all.received)),
            Metric(name: "max_client_response_size", value: .gauge(Int64(all.longestResponse))),
            Metric(name: "connection_drop_probability", value: .decimal(throttle.drop)),
            Metric(name: "watch_count", value: .gauge(Int64(core.watchCounts.all))),
            Metric(name: "auth_failed_count", value: .gauge(all.failedAuthentications)),
            Metric(name: "min_latency", value: .gauge(latency.smallest / 1000)),
        ]
        if let limit = facts.openFilesLimit {
            metrics.append(Metric(name: "max_file_descriptor_count", value: .gauge(Int64(limit))))
        }
        metrics.append(Metric(name: "approximate_data_size", value: .gauge(Int64(core.dataSize))))
        if let open = facts.openFiles {
            metrics.append(Metric(name: "open_file_descriptor_count", value: .gauge(Int64(open))))
        }
        return metrics + [
            Metric(name: "local_sessions", value: .gauge(0)),
            Metric(name: "uptime", value: .gauge((world.clock.now - startedAt).wholeMilliseconds)),
            Metric(name: "max_latency", value: .gauge(latency.largest / 1000)),
            Metric(name: "min_client_response_size", value: .gauge(Int64(all.shortestResponse))),
            Metric(name: "non_mtls_local_conn_count", value: .gauge(all.localConnections)),
            Metric(name: "fsync_threshold_exceed_count", value: .gauge(all.slowSyncs)),
        ]
    }

    private var countMetrics: [Metric] {
        let all = statistics
        return [
            ("watch_bytes", all.watchBytes), ("large_requests_rejected", all.refusedLargeRequests),
            ("connection_rejected", all.refusedConnections), ("sessionless_connections_expired", all.silentConnections),
            ("connection_drop_count", all.droppedConnections), ("bytes_received_count", all.bytesReceived),
            ("request_throttle_wait_count", all.throttleWaits), ("prep_processor_request_queued", all.received),
            ("connection_request_count", all.connectionRequests), ("response_bytes", all.responseBytes),
            ("connection_revalidate_count", all.resumedSessions), ("snapshot_error_count", all.failedSnapshots),
            ("stale_sessions_expired", all.expiredSessions), ("sync_processor_request_queued", all.changes),
        ].map { Metric(name: $0.0, value: .counter($0.1)) }
    }

    private var summaryMetrics: [Metric] {
        let all = statistics
        func once(_ value: Int64) -> Distribution {
            var one = Distribution()
            one.add(value)
            return one
        }
        let basic: [(String, Distribution, Double)] = [
            ("node_created_watch_count", all.watchEvents[0], 1), ("node_deleted_watch_count", all.watchEvents[1], 1),
            ("node_changed_watch_count", all.watchEvents[2], 1), ("node_children_watch_count", all.watchEvents[3], 1),
            ("connection_token_deficit", all.tokenDeficit, 1), ("fsynctime", all.syncTime, 1000),
            ("snapshottime", all.snapshotTime, 1000), ("sync_processor_batch_size", all.batchSize, 1),
            ("startup_txns_loaded", once(Int64(startStatistics.transactions)), 1),
            ("dbinittime", once(startStatistics.initialisationMs), 1),
        ]
        let detailed: [(String, Distribution, Double)] = [
            ("updatelatency", all.updateLatency, 1000), ("readlatency", all.readLatency, 1000),
            ("request_throttle_queue_time_ms", all.throttleTime, 1000),
        ]
        return basic.map { Metric(name: $0.0, value: .summary($0.1, scale: $0.2, hasQuantiles: false)) }
            + detailed.map { Metric(name: $0.0, value: .summary($0.1, scale: $0.2, hasQuantiles: true)) }
    }

    private func ourMetrics(_ facts: ProcessFacts) -> [Metric] {
        var metrics = [
            Metric(
                name: "letterbox_zxid", value: .gauge(durableZxid), isOurs: true, help: "The last durable transaction."),
            Metric(
                name: "letterbox_log_bytes_ahead", value: .gauge(Int64(log.gatheredBytes)), isOurs: true,
                help: "Bytes of changes that gather for the next sync."),
            Metric(
                name: "letterbox_fsync_seconds",
                value: .summary(statistics.syncTime, scale: 1_000_000, hasQuantiles: true),
                isOurs: true, help: "From a batch's way to the disk until it is durable."),
            Metric(
                name: "letterbox_batch_changes", value: .summary(statistics.batchSize, scale: 1, hasQuantiles: true),
                isOurs: true, help: "Changes made durable by one sync."),
            Metric(
                name: "letterbox_request_seconds",
                value: .summary(statistics.latency, scale: 1_000_000, hasQuantiles: true),
                isOurs: true, help: "From a request's arrival until its answer may leave."),
            Metric(
                name: "letterbox_pause_seconds",
                value: .summary(statistics.pauses, scale: 1_000_000, hasQuantiles: false),
                isOurs: true, help: "How long the process stood still, each time it did."),
            Metric(
                name: "letterbox_watched_paths", value: .gauge(Int64(core.watchCounts.paths)), isOurs: true,
                help: "Paths that somebody watches."),
            Metric(
                name: "letterbox_paused_connections", value: .gauge(Int64(paused.count)), isOurs: true,
                help: "Connections not read from until there is room."),
        ]
        // The names every Prometheus client uses.
        if let bytes = facts.residentBytes {
            metrics.append(Metric(name: "process_resident_memory_bytes", value: .gauge(bytes), isOurs: true))
        }
        if let seconds = facts.cpuSeconds {
            metrics.append(Metric(name: "process_cpu_seconds_total", value: .decimal(seconds), isOurs: true))
        }
        metrics.append(
            Metric(name: "process_start_time_seconds", value: .gauge(wallMs(at: startedAt) / 1000), isOurs: true))
        return metrics
    }
}
