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
        neverUsedKey,
        extendedTypesKey, emulate353Key, enforceQuotaKey, reconfigEnabledKey, skipACLKey,
        superDigestKey, adminEnableKey, adminAddressKey, adminPortKey,
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

    package init(_ given: Properties) throws(ConfigError) {
        var properties = Properties()
        for name in given.names {
            properties[name.hasPrefix("zookeeper.") ? String(name.dropFirst(10)) : name] = given[name]
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
        let members = properties.names.filter { $0.hasPrefix("server.") }
        if members.count > 1 {
            throw ConfigError(
                key: members[1], value: properties[members[1]],
                reason:
                    "an ensemble is not offered; remove the server.N lines, or use Apache ZooKeeper for several machines"
            )
        }
        let inert: Set<String> = [
            "initLimit", "syncLimit", "standaloneEnabled", "globalOutstandingLimit",
            "clientPortListenBacklog", "log.style", "log.level", "admin.idleTimeout",
            "admin.commandURL", "digest.enabled", "commitLogCount",
        ]
        notUnderstood = settings.notUnderstood.filter { !inert.contains($0.name) && !$0.name.hasPrefix("server.") }
    }
}
