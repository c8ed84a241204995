import Configuration
import Coordination

/// What the coordinator's file says. Keys are ZooKeeper's; those that are system properties there stand in the file here.
package struct CoordinatorConfig {
    package var dataDir = ""
    package var dataLogDir = ""
    package var clientPort = 2181
    /// Empty: every address.
    package var clientPortAddress = ""
    package var maxClientConnections = 60
    /// Of all addresses together; 0 is no limit.
    package var maxConnections = 0
    package var backlog = CoordinatorConfig.usualBacklog
    /// Replies waiting for the disk above which a client that has one is not read from; 0 is by bytes only.
    package var outstandingLimit = 0
    /// The same for every client.
    package var requestLimit = 0
    /// Bytes from which a request counts as large; 0 for none.
    package var largeRequestThreshold = 0
    package var largeRequestMaxBytes = 100 << 20
    package var sessionlessTimeout = Duration.seconds(10)
    var throttle = ConnectionThrottle.Rules()
    package var audits = false
    /// Nil: no HTTP.
    package var adminPort: Int?
    package var adminAddress = "127.0.0.1"
    package var adminPath = "/commands"
    package var adminIdleTimeout = Duration.seconds(30)
    /// As it was read.
    package var given = Properties()
    package var maxBuffer = 0xfffff
    package var snapCount = 100_000
    /// Of log since the last snapshot.
    package var snapshotAfterBytes: Int64? = 4 << 30
    package var snapshotInterval: Duration?
    package var trustEmptySnapshot = false
    /// Bytes.
    package var preallocation: Int64 = 64 << 20
    package var forceSync = true
    package var syncWarning = Duration.milliseconds(1000)
    package var purgeInterval: Duration?
    package var snapshotsKept = 3
    package var words: Set<String> = ["srvr"]
    package var containerCheckInterval = Duration.seconds(60)
    package var reapsPerMinute = 10_000
    package var rules = CoordinationRules()
    /// Keys nobody reads here, each with the nearest one that is read.
    package var notUnderstood: [(name: String, nearest: String?)] = []

    package init(dataDir: String) {
        self.dataDir = dataDir
        dataLogDir = dataDir
    }

    package static let keys: [any AnyConfigKey] = [
        dataDirKey, dataLogDirKey, clientPortKey, clientPortAddressKey, tickTimeKey, minSessionTimeoutKey,
        maxSessionTimeoutKey, maxClientCnxnsKey, maxBufferKey, snapCountKey, snapSizeLimitKey,
        snapIntervalKey, trustEmptyKey, preAllocSizeKey, forceSyncKey,
        syncWarningKey, purgeIntervalKey, snapRetainCountKey, wordsKey, containerCheckKey, reapsPerMinuteKey,
        neverUsedKey, extendedTypesKey, emulate353Key, enforceQuotaKey, reconfigEnabledKey, skipACLKey,
        superDigestKey, adminEnableKey, adminAddressKey, adminPortKey, adminPathKey, adminIdleKey, maxCnxnsKey,
        backlogKey,
        outstandingLimitKey, requestLimitKey, largeThresholdKey, largeMaxKey, sessionlessKey, auditKey, readOnlyModeKey,
        throttleTokensKey, throttleFillTimeKey, throttleFillCountKey, throttleFreezeTimeKey, throttleIncreaseKey,
        throttleDecreaseKey, throttleRatioKey, throttleWeightedKey, throttleNewWeightKey, throttleResumeWeightKey,
    ]

    static let dataDirKey = ConfigKey<String>("dataDir", default: "", "Where snapshots are kept.").unsetByDefault
    static let dataLogDirKey = ConfigKey<String>(
        "dataLogDir", default: "", "Where transaction logs are kept; dataDir when unset."
    ).unsetByDefault
    static let clientPortKey = ConfigKey(
        "clientPort", default: 2181, allowed: 0...65535, "The port clients connect to.")
    static let clientPortAddressKey = ConfigKey<String>(
        "clientPortAddress", default: "", "The address to listen on; all when unset.")
    static let tickTimeKey = ConfigKey(
        "tickTime", unit: .milliseconds, default: 3000, allowed: 1...,
        "The unit of session timeouts and of their checks.")
    static let minSessionTimeoutKey = ConfigKey(
        "minSessionTimeout", unit: .milliseconds, default: -1, "The shortest session granted; -1 is two ticks.")
    static let maxSessionTimeoutKey = ConfigKey(
        "maxSessionTimeout", unit: .milliseconds, default: -1, "The longest session granted; -1 is twenty ticks.")
    static let maxClientCnxnsKey = ConfigKey(
        "maxClientCnxns", default: 60, allowed: 0..., "Connections of one address; 0 is no limit.")
    static let maxBufferKey = ConfigKey(
        "jute.maxbuffer", unit: .bytes, default: 0xfffff, allowed: 1024...(1 << 30), "The largest packet of a client.")
    static let snapCountKey = ConfigKey(
        "snapCount", default: 100_000, allowed: 2..., "Transactions between snapshots, at most.")
    static let snapSizeLimitKey = ConfigKey(
        "snapSizeLimitInKb", default: 4_194_304, allowed: (-1)...(1 << 40),
        "KiB of log between snapshots, at most; 0 and -1 are no limit.")
    static let snapIntervalKey = ConfigKey(
        "snapshot.intervalMs", unit: .milliseconds, default: 0, allowed: 0...,
        "How often a snapshot is taken when there were changes; 0 is by count and size only.")
    static let trustEmptyKey = ConfigKey(
        "snapshot.trust.empty", default: false,
        "Whether logs without a snapshot are believed to be everything. For one start.")
    static let preAllocSizeKey = ConfigKey(
        "preAllocSize", default: 65536, allowed: 0...(1 << 21), "KiB by which a transaction log grows.")
    static let forceSyncKey = ConfigKey<String>(
        "forceSync", default: "yes", "yes: what is acknowledged is on the disk.")
    static let syncWarningKey = ConfigKey(
        "fsync.warningthresholdms", unit: .milliseconds, default: 1000, "A slower sync is worth a line.")
    static let purgeIntervalKey = ConfigKey(
        "autopurge.purgeInterval", unit: .hours, default: 0, allowed: 0..., "Hours between purges; 0 is never.")
    static let snapRetainCountKey = ConfigKey(
        "autopurge.snapRetainCount", default: 3, "Snapshots a purge keeps; at least 3.")
    static let wordsKey = ConfigKey<String>(
        "4lw.commands.whitelist", default: "srvr", "Four-letter words that are answered; * is all.")
    static let containerCheckKey = ConfigKey(
        "znode.container.checkIntervalMs", unit: .milliseconds, default: 60_000, allowed: 1...,
        "How often empty containers and TTL nodes are looked for.")
    static let reapsPerMinuteKey = ConfigKey(
        "znode.container.maxPerMinute", default: 10_000, allowed: 1..., "Containers and TTL nodes removed in a minute.")
    static let neverUsedKey = ConfigKey(
        "znode.container.maxNeverUsedIntervalMs", unit: .milliseconds, default: 0, allowed: 0...,
        "How long a container that never had a child stays; 0 is for ever.")
    static let emulate353Key = ConfigKey(
        "emulate353TTLNodes", default: false, "Whether TTL nodes made by ZooKeeper 3.5.3 are taken for such.")
    static let enforceQuotaKey = ConfigKey(
        "enforceQuota", default: false, "Whether hard quotas refuse; soft ones only warn.")
    static let reconfigEnabledKey = ConfigKey(
        "reconfigEnabled", default: false,
        "Decides only how reconfig is refused: a server that stands alone has no members.")
    static let extendedTypesKey = ConfigKey("extendedTypesEnabled", default: false, "Whether TTL nodes can be created.")
    static let skipACLKey = ConfigKey<String>("skipACL", default: "no", "yes: access control lists are not enforced.")
    static let superDigestKey = ConfigKey<String>(
        "DigestAuthenticationProvider.superDigest", default: "", "super:digest of the one whom no list binds."
    )
    .unsetByDefault
    static let adminEnableKey = ConfigKey("admin.enableServer", default: true, "Whether HTTP is offered.")
    static let adminAddressKey = ConfigKey<String>("admin.serverAddress", default: "127.0.0.1", "HTTP's address.")
    static let adminPortKey = ConfigKey("admin.serverPort", default: 2180, allowed: 0...65535, "HTTP's port.")
    static let adminPathKey = ConfigKey<String>(
        "admin.commandURL", default: "/commands", "Where HTTP's commands begin.")
    static let adminIdleKey = ConfigKey(
        "admin.idleTimeout", unit: .milliseconds, default: Duration.seconds(30), allowed: Duration.milliseconds(100)...,
        "How long an HTTP stream may be silent.")
    static let auditKey = ConfigKey("audit.enable", default: false, "Whether each change is told with who made it.")
    static let readOnlyModeKey = ConfigKey(
        "readonlymode.enabled", default: false,
        "Adds isro to the four-letter words; a single server never is read-only.")

    // MARK: Limits

    static let usualBacklog = 1024
    static let maxCnxnsKey = ConfigKey(
        "maxCnxns", default: 0, allowed: 0..., "Connections of all addresses together; 0 is no limit.")
    static let backlogKey = ConfigKey(
        "clientPortListenBacklog", default: -1, allowed: (-1)...65535,
        "Connections that may wait to be accepted; -1 is 1024.")
    static let outstandingLimitKey = ConfigKey(
        "globalOutstandingLimit", default: 0, allowed: 0...,
        "Replies waiting for the disk above which clients that wait for one are not read from; 0 leaves it to the limits in bytes."
    )
    static let requestLimitKey = ConfigKey(
        "requestThrottleLimit", default: 0, allowed: 0...,
        "Replies waiting for the disk from which on nobody is read from; 0 is no limit.")
    static let largeThresholdKey = ConfigKey(
        "largeRequestThreshold", unit: .bytes, default: -1, "From how many bytes on a request is large; -1 is never.")
    static let largeMaxKey = ConfigKey(
        "largeRequestMaxBytes", unit: .bytes, default: 100 << 20, allowed: 1...,
        "Bytes of large requests under way beyond which another one is refused.")
    static let sessionlessKey = ConfigKey(
        "nio.sessionlessCnxnTimeout", unit: .milliseconds, default: Duration.seconds(10),
        allowed: Duration.milliseconds(1)..., "How long a connection may be without a session.")
    static let throttleTokensKey = ConfigKey(
        "connection_throttle_tokens", default: 0, allowed: 0...1_000_000_000,
        "Sessions that may begin at once; 0 is no limit.")
    static let throttleFillTimeKey = ConfigKey(
        "connection_throttle_fill_time", unit: .milliseconds, default: 1, allowed: 1...,
        "Milliseconds in which connection_throttle_fill_count sessions more may begin.")
    static let throttleFillCountKey = ConfigKey(
        "connection_throttle_fill_count", default: 1, allowed: 0...1_000_000_000, "See connection_throttle_fill_time.")
    static let throttleFreezeTimeKey = ConfigKey(
        "connection_throttle_freeze_time", unit: .milliseconds, default: -1, allowed: (-1)...,
        "Milliseconds between changes of the chance of refusal; -1 is no such chance.")
    static let throttleIncreaseKey = ConfigKey(
        "connection_throttle_drop_increase", default: 0.02, allowed: 0.0...1.0, "How the chance of refusal grows.")
    static let throttleDecreaseKey = ConfigKey(
        "connection_throttle_drop_decrease", default: 0.002, allowed: 0.0...1.0, "How the chance of refusal falls.")
    static let throttleRatioKey = ConfigKey(
        "connection_throttle_decrease_ratio", default: 0.0, allowed: 0.0...1.0,
        "The chance falls while no larger share of the tokens is missing.")
    static let throttleWeightedKey = ConfigKey(
        "connection_throttle_weight_enabled", default: false, "Whether a new session costs more than a resumed one.")
    static let throttleNewWeightKey = ConfigKey(
        "connection_throttle_global_session_weight", default: 3, allowed: 1...1000, "What a new session costs.")
    static let throttleResumeWeightKey = ConfigKey(
        "connection_throttle_renew_session_weight", default: 2, allowed: 1...1000, "What a resumed session costs.")

    /// Names under which ZooKeeper knows the same settings as system properties.
    static let otherNames = [
        "request_throttle_max_requests": "requestThrottleLimit"
    ]

    package init(_ given: Properties) throws(ConfigError) {
        var properties = Properties()
        for name in given.names {
            let plain = name.hasPrefix("zookeeper.") ? String(name.dropFirst(10)) : name
            properties[CoordinatorConfig.otherNames[plain] ?? plain] = given[name]
        }
        // As ZooKeeper's documentation writes its default, 0xfffff.
        if let text = properties[CoordinatorConfig.maxBufferKey.name], text.lowercased().hasPrefix("0x"),
            let value = Int(text.dropFirst(2), radix: 16)
        {
            properties[CoordinatorConfig.maxBufferKey.name] = String(value)
        }
        let settings = try Settings(properties, keys: CoordinatorConfig.keys)
        guard let directory = settings[CoordinatorConfig.dataDirKey], !directory.isEmpty else {
            throw ConfigError(
                key: "dataDir", value: nil, reason: "name a directory, for example dataDir=data/zookeeper")
        }
        self.init(dataDir: directory)
        dataLogDir = settings[CoordinatorConfig.dataLogDirKey] ?? directory
        clientPort = settings[CoordinatorConfig.clientPortKey]
        clientPortAddress = settings[CoordinatorConfig.clientPortAddressKey]
        maxClientConnections = settings[CoordinatorConfig.maxClientCnxnsKey]
        maxBuffer = settings[CoordinatorConfig.maxBufferKey]
        snapCount = settings[CoordinatorConfig.snapCountKey]
        let limit = settings[CoordinatorConfig.snapSizeLimitKey]
        snapshotAfterBytes = limit > 0 ? Int64(limit) << 10 : nil
        let interval = settings[CoordinatorConfig.snapIntervalKey]
        snapshotInterval = interval > 0 ? .milliseconds(interval) : nil
        trustEmptySnapshot = settings[CoordinatorConfig.trustEmptyKey]
        preallocation = Int64(settings[CoordinatorConfig.preAllocSizeKey]) << 10
        forceSync = settings[CoordinatorConfig.forceSyncKey] != "no"
        syncWarning = .milliseconds(settings[CoordinatorConfig.syncWarningKey])
        let hours = settings[CoordinatorConfig.purgeIntervalKey]
        purgeInterval = hours > 0 ? .seconds(hours * 3600) : nil
        snapshotsKept = max(settings[CoordinatorConfig.snapRetainCountKey], 3)
        words = Set(configList(settings[CoordinatorConfig.wordsKey]))
        containerCheckInterval = .milliseconds(settings[CoordinatorConfig.containerCheckKey])
        rules.tick = Int64(settings[CoordinatorConfig.tickTimeKey])
        let shortest = settings[CoordinatorConfig.minSessionTimeoutKey]
        let longest = settings[CoordinatorConfig.maxSessionTimeoutKey]
        rules.minSessionTimeout = Int32(clamping: shortest == -1 ? Int(rules.tick) * 2 : shortest)
        rules.maxSessionTimeout = Int32(clamping: longest == -1 ? Int(rules.tick) * 20 : longest)
        guard rules.minSessionTimeout <= rules.maxSessionTimeout else {
            throw ConfigError(
                key: "minSessionTimeout", value: String(shortest),
                reason: "it is larger than maxSessionTimeout \(rules.maxSessionTimeout)")
        }
        reapsPerMinute = settings[CoordinatorConfig.reapsPerMinuteKey]
        rules.neverUsedContainerMs = Int64(settings[CoordinatorConfig.neverUsedKey])
        rules.emulates353TTL = settings[CoordinatorConfig.emulate353Key]
        rules.enforceQuota = settings[CoordinatorConfig.enforceQuotaKey]
        rules.reconfigEnabled = settings[CoordinatorConfig.reconfigEnabledKey]
        rules.extendedTypes = settings[CoordinatorConfig.extendedTypesKey]
        rules.skipACL = settings[CoordinatorConfig.skipACLKey] == "yes"
        rules.superDigest = settings[CoordinatorConfig.superDigestKey]
        readLimits(settings)
        self.given = given
        audits = settings[CoordinatorConfig.auditKey]
        if settings[CoordinatorConfig.readOnlyModeKey] { words.insert("isro") }
        if settings[CoordinatorConfig.adminEnableKey] { adminPort = settings[CoordinatorConfig.adminPortKey] }
        adminAddress = settings[CoordinatorConfig.adminAddressKey]
        adminIdleTimeout = settings[CoordinatorConfig.adminIdleKey]
        adminPath = settings[CoordinatorConfig.adminPathKey]
        guard adminPath.hasPrefix("/"), adminPath.utf8.count > 1, !adminPath.hasSuffix("/") else {
            throw ConfigError(
                key: "admin.commandURL", value: adminPath, reason: "write a path such as /commands")
        }
        for name in properties.names {
            guard let why = CoordinatorConfig.notOffered(name) else { continue }
            throw ConfigError(key: name, value: properties[name], reason: why)
        }
        let members = properties.names.filter { $0.hasPrefix("server.") }
        if members.count > 1 {
            throw ConfigError(
                key: members[1], value: properties[members[1]],
                reason:
                    "an ensemble is not offered; remove the server.N lines, or use Apache ZooKeeper for several machines"
            )
        }
        let inert: Set<String> = [
            "initLimit", "syncLimit", "standaloneEnabled", "log.style", "log.level",
            "digest.enabled",
            "commitLogCount", "connection_throttle_local_session_weight", "requestThrottleStallTime",
            "request_throttle_stall_time", "requestThrottleDropStale", "request_throttle_drop_stale",
            "requestStaleLatencyCheck", "request_stale_latency_check", "requestStaleConnectionCheck",
            "request_stale_connection_check", "cnxTimeout", "electionAlg", "leaderServes", "electionPortBindRetry",
            "quorumListenOnAllIPs", "peerType", "dynamicConfigFile", "nio.numSelectorThreads", "nio.numWorkerThreads",
            "nio.directBufferBytes", "serverCnxnFactory", "tcpKeepAlive", "fastleader.minNotificationInterval",
            "fastleader.maxNotificationInterval", "admin.rateLimiterIntervalInMS", "admin.httpVersion",
        ]
        notUnderstood = settings.notUnderstood.filter { !inert.contains($0.name) && !$0.name.hasPrefix("server.") }
    }

    private mutating func readLimits(_ settings: Settings) {
        maxConnections = settings[CoordinatorConfig.maxCnxnsKey]
        let asked = settings[CoordinatorConfig.backlogKey]
        backlog = asked > 0 ? asked : CoordinatorConfig.usualBacklog
        outstandingLimit = settings[CoordinatorConfig.outstandingLimitKey]
        requestLimit = settings[CoordinatorConfig.requestLimitKey]
        largeRequestThreshold = max(settings[CoordinatorConfig.largeThresholdKey], 0)
        largeRequestMaxBytes = settings[CoordinatorConfig.largeMaxKey]
        sessionlessTimeout = settings[CoordinatorConfig.sessionlessKey]
        throttle.tokens = settings[CoordinatorConfig.throttleTokensKey]
        throttle.fillTime = settings[CoordinatorConfig.throttleFillTimeKey]
        throttle.fillCount = settings[CoordinatorConfig.throttleFillCountKey]
        throttle.freezeTime = settings[CoordinatorConfig.throttleFreezeTimeKey]
        throttle.dropIncrease = settings[CoordinatorConfig.throttleIncreaseKey]
        throttle.dropDecrease = settings[CoordinatorConfig.throttleDecreaseKey]
        throttle.decreaseRatio = settings[CoordinatorConfig.throttleRatioKey]
        throttle.isWeighted = settings[CoordinatorConfig.throttleWeightedKey]
        throttle.newWeight = settings[CoordinatorConfig.throttleNewWeightKey]
        throttle.resumeWeight = settings[CoordinatorConfig.throttleResumeWeightKey]
    }

    /// Settings that promise something which is not there: going on without would be worse than not starting.
    private static func notOffered(_ name: String) -> String? {
        if name.hasPrefix("secureClientPort") || name.hasPrefix("ssl.") || name == "client.secure" {
            return "TLS is not offered; remove it, and keep the port on loopback or behind a tunnel"
        }
        if name.hasPrefix("authProvider") || name == "sessionRequireClientSASLAuth" || name == "enforce.auth.enabled" {
            return "SASL and other authentication providers are not offered; remove it"
        }
        return nil
    }

    /// Whether a value must not be shown to whoever asks.
    static func isSecret(_ name: String) -> Bool {
        name.lowercased().contains("digest") && name.contains("uper") || name.lowercased().contains("password")
    }
}
