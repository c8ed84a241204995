import Configuration

/// The keys of `server.properties` that this broker acts on. Names, defaults and bounds are Kafka 3.9's.
package enum BrokerKeys {
    // MARK: Who it is, and where the coordinator is

    package static let brokerID = ConfigKey<Int>(
        "broker.id", default: -1, importance: .high,
        "This broker's number; -1 takes the one in meta.properties or draws one.")
    package static let generateID = ConfigKey<Bool>(
        "broker.id.generation.enable", default: true, "Whether a broker without a number may draw one from the tree.")
    package static let reservedMaxID = ConfigKey<Int>(
        "reserved.broker.max.id", default: 1000, allowed: 0..., "Drawn numbers begin above this one.")
    package static let rack = ConfigKey<String>(
        "broker.rack", default: "", "Where it stands: replicas are spread over racks."
    ).unsetByDefault
    package static let coordinator = ConfigKey<String>(
        "zookeeper.connect", default: "", importance: .high, "The coordinator: host:port[,host:port…][/chroot]."
    ).unsetByDefault
    package static let coordinatorConnectTimeout = ConfigKey<Duration>(
        "zookeeper.connection.timeout.ms", default: .seconds(18), importance: .high,
        "How long a start waits for the coordinator; unset: the session timeout."
    ).unsetByDefault
    package static let sessionTimeout = ConfigKey<Duration>(
        "zookeeper.session.timeout.ms", default: .seconds(18), importance: .high,
        "A broker the coordinator has not heard of for so long counts as dead.")

    // MARK: Listeners and requests

    package static let listeners = ConfigKey<String>(
        "listeners", default: "PLAINTEXT://:9092", importance: .high, changes: .perBroker,
        "What to bind: NAME://host:port,…; no host binds every address.")
    package static let advertisedListeners = ConfigKey<String>(
        "advertised.listeners", default: "", importance: .high, changes: .perBroker,
        "What clients are told to connect to; unset: the listeners."
    ).unsetByDefault
    package static let protocolMap = ConfigKey<String>(
        "listener.security.protocol.map",
        default: "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", importance: .low,
        changes: .perBroker, "Which security protocol each listener name speaks.")
    package static let interBrokerListener = ConfigKey<String>(
        "inter.broker.listener.name", default: "", "The listener brokers use among themselves."
    ).unsetByDefault
    package static let interBrokerProtocol = ConfigKey<String>(
        "security.inter.broker.protocol", default: "PLAINTEXT",
        oneOf: ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        "The listener brokers use among themselves, by its protocol.")
    package static let requestMaxBytes = ConfigKey<Int>(
        "socket.request.max.bytes", default: 104_857_600, allowed: 1..., importance: .high,
        "The largest request accepted.")
    package static let maxIdle = ConfigKey<Int>(
        "connections.max.idle.ms", type: .long, default: 600_000,
        "Connections idle for longer are closed; negative: never.")
    package static let requestTimeout = ConfigKey<Duration>(
        "request.timeout.ms", default: .seconds(30), importance: .high, "How long to wait for another broker's answer.")
    package static let fetchMaxBytes = ConfigKey<Int>(
        "fetch.max.bytes", default: 57_671_680, allowed: 1024..., "The most bytes one fetch is answered with.")
    package static let fetchSessionSlots = ConfigKey<Int>(
        "max.incremental.fetch.session.cache.slots", default: 1000, allowed: 0..., "How many fetch sessions are kept.")

    // MARK: Topics

    package static let autoCreate = ConfigKey<Bool>(
        "auto.create.topics.enable", default: true, importance: .high, "Whether asking for a missing topic makes it.")
    package static let partitions = ConfigKey<Int>(
        "num.partitions", default: 1, allowed: 1..., "Partitions of a topic made without saying how many.")
    package static let replicationFactor = ConfigKey<Int>(
        "default.replication.factor", default: 1, "Replicas of a topic made without saying how many.")
    package static let deleteTopics = ConfigKey<Bool>(
        "delete.topic.enable", default: true, importance: .high, "Whether topics can be deleted.")
    package static let minInSync = ConfigKey<Int>(
        "min.insync.replicas", default: 1, allowed: 1..., importance: .high, changes: .clusterWide,
        "How many in-sync replicas acks=all needs.")
    package static let uncleanElection = ConfigKey<Bool>(
        "unclean.leader.election.enable", default: false, importance: .high, changes: .clusterWide,
        "Whether a replica outside the in-sync set may lead when no other is left: records may be lost.")
    package static let messageMaxBytes = ConfigKey<Int>(
        "message.max.bytes", default: 1_048_588, allowed: 0..., importance: .high, changes: .clusterWide,
        "The largest record batch accepted.")
    package static let compression = ConfigKey<String>(
        "compression.type", default: "producer", oneOf: ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        importance: .high, changes: .clusterWide,
        "How the broker packs batches that come packed otherwise; producer keeps what the producer chose.")
    package static let gzipLevel = CompressionLevels.gzip()
    package static let lz4Level = CompressionLevels.lz4()
    package static let zstdLevel = CompressionLevels.zstd()
    package static let downConversion = ConfigKey<Bool>(
        "log.message.downconversion.enable", default: true, importance: .low, changes: .clusterWide,
        "Whether consumers older than Kafka 0.11 get records in their format, or UNSUPPORTED_VERSION.")

    // MARK: Logs

    package static let logDir = ConfigKey<String>(
        "log.dir", default: "/tmp/kafka-logs", importance: .high, "Where the records are, unless log.dirs says so.")
    package static let logDirs = ConfigKey<String>(
        "log.dirs", default: "", importance: .high, "Where the records are: directories, comma-separated."
    ).unsetByDefault
    package static let segmentBytes = ConfigKey<Int>(
        "log.segment.bytes", default: 1 << 30, allowed: 14..., importance: .high, changes: .clusterWide,
        "How large a segment file may grow.")
    package static let rollHours = ConfigKey<Int>(
        "log.roll.hours", default: 168, allowed: 1..., importance: .high, "When a segment is closed for its age.")
    package static let rollMs = ConfigKey<Int>(
        "log.roll.ms", type: .long, default: 0, importance: .high, changes: .clusterWide,
        "The same in milliseconds; wins."
    ).unsetByDefault
    package static let rollJitterHours = ConfigKey<Int>(
        "log.roll.jitter.hours", default: 0, allowed: 0..., importance: .high, "How far rolls are spread.")
    package static let rollJitterMs = ConfigKey<Int>(
        "log.roll.jitter.ms", type: .long, default: 0, importance: .high, changes: .clusterWide,
        "The same in milliseconds; wins."
    ).unsetByDefault
    package static let retentionHours = ConfigKey<Int>(
        "log.retention.hours", default: 168, importance: .high, "How long records are kept.")
    package static let retentionMinutes = ConfigKey<Int>(
        "log.retention.minutes", default: 0, importance: .high, "The same in minutes; wins over hours."
    ).unsetByDefault
    package static let retentionMs = ConfigKey<Int>(
        "log.retention.ms", type: .long, default: 0, importance: .high, changes: .clusterWide,
        "The same in milliseconds; wins over both."
    ).unsetByDefault
    package static let retentionBytes = ConfigKey<Int>(
        "log.retention.bytes", type: .long, default: -1, importance: .high, changes: .clusterWide,
        "How many bytes a partition keeps; -1: no limit.")
    package static let retentionCheck = ConfigKey<Duration>(
        "log.retention.check.interval.ms", type: .long, default: .seconds(300), allowed: Duration.milliseconds(1)...,
        "How often retention is looked at.")
    package static let minFreeBytes = ConfigKey<Int>(
        "log.dir.min.free.bytes", type: .long, default: 16 << 20, allowed: 0...,
        "Records are refused while fewer bytes are free in their log directory's file system (on a small one: than a "
            + "twentieth of it), and taken again when twice as many are. Reads go on.")
    package static let deleteDelay = ConfigKey<Int>(
        "log.segment.delete.delay.ms", type: .long, default: 60_000, allowed: 0..., importance: .high,
        changes: .clusterWide, "How long deleted files stay on disk.")
    package static let flushMessages = ConfigKey<Int>(
        "log.flush.interval.messages", type: .long, default: .max, allowed: 1..., importance: .high,
        changes: .clusterWide, "After how many records a log is synced before the reply.")
    package static let flushMs = ConfigKey<Int>(
        "log.flush.interval.ms", type: .long, default: 0, importance: .high, changes: .clusterWide,
        "How long a record may stay unsynced."
    ).unsetByDefault
    package static let flushScheduler = ConfigKey<Int>(
        "log.flush.scheduler.interval.ms", type: .long, default: .max, importance: .high,
        "The same, when the other is unset.")
    package static let recoveryCheckpoint = ConfigKey<Duration>(
        "log.flush.offset.checkpoint.interval.ms", default: .seconds(60), allowed: Duration.zero..., importance: .high,
        "How often recovery points and log starts are written down.")
    package static let indexInterval = ConfigKey<Int>(
        "log.index.interval.bytes", default: 4096, allowed: 0..., changes: .clusterWide,
        "Bytes between two index entries.")
    package static let indexBytes = ConfigKey<Int>(
        "log.index.size.max.bytes", default: 10_485_760, allowed: 4..., changes: .clusterWide,
        "How large an index may grow.")
    package static let cleanupPolicy = ConfigKey<[String]>(
        "log.cleanup.policy", default: ["delete"], oneOf: ["compact", "delete"], changes: .clusterWide,
        "Whether old records are deleted, or all but the newest of each key.")
    package static let timestampType = ConfigKey<String>(
        "log.message.timestamp.type", default: "CreateTime", oneOf: ["CreateTime", "LogAppendTime"],
        changes: .clusterWide, "Whose clock stamps the records.")
    package static let timestampBefore = ConfigKey<Int>(
        "log.message.timestamp.before.max.ms", type: .long, default: .max, allowed: 0..., changes: .clusterWide,
        "How far before the broker's clock a timestamp may lie.")
    package static let timestampAfter = ConfigKey<Int>(
        "log.message.timestamp.after.max.ms", type: .long, default: .max, allowed: 0..., changes: .clusterWide,
        "How far after the broker's clock a timestamp may lie.")
    package static let timestampDifference = ConfigKey<Int>(
        "log.message.timestamp.difference.max.ms", type: .long, default: .max, allowed: 0..., changes: .clusterWide,
        "Both of them; out of date.")
    package static let producerExpiration = ConfigKey<Int>(
        "producer.id.expiration.ms", default: 86_400_000, allowed: 1..., importance: .low, changes: .clusterWide,
        "How long an idle idempotent producer is remembered.")

    // MARK: Replicas and the controller

    package static let lagMax = ConfigKey<Duration>(
        "replica.lag.time.max.ms", type: .long, default: .seconds(30), allowed: Duration.milliseconds(1)...,
        importance: .high,
        "How long a follower may trail the leader's log end before it leaves the in-sync set.")
    package static let replicaFetchWait = ConfigKey<Duration>(
        "replica.fetch.wait.max.ms", default: .milliseconds(500), importance: .high,
        "How long a follower's fetch may wait.")
    package static let replicaFetchMinBytes = ConfigKey<Int>(
        "replica.fetch.min.bytes", default: 1, importance: .high, "How many bytes a follower's fetch waits for.")
    package static let replicaFetchMaxBytes = ConfigKey<Int>(
        "replica.fetch.max.bytes", default: 1_048_576, allowed: 0...,
        "How many bytes of a partition a follower asks for.")
    package static let replicaResponseMaxBytes = ConfigKey<Int>(
        "replica.fetch.response.max.bytes", default: 10_485_760, allowed: 0..., "… and of all of them.")
    package static let replicaBackoff = ConfigKey<Duration>(
        "replica.fetch.backoff.ms", default: .seconds(1), allowed: Duration.zero...,
        "How long a follower waits after an error.")
    package static let replicaSocketTimeout = ConfigKey<Duration>(
        "replica.socket.timeout.ms", default: .seconds(30), importance: .high,
        "How long a follower waits for an answer.")
    package static let leaderThrottledRate = ConfigKey<Int>(
        "leader.replication.throttled.rate", type: .long, default: .max, allowed: 0..., changes: .clusterWide,
        "Bytes a second that this broker's leaders send to replicas named by leader.replication.throttled.replicas.")
    package static let followerThrottledRate = ConfigKey<Int>(
        "follower.replication.throttled.rate", type: .long, default: .max, allowed: 0..., changes: .clusterWide,
        "Bytes a second that this broker's replicas named by follower.replication.throttled.replicas fetch.")
    package static let alterLogDirsRate = ConfigKey<Int>(
        "replica.alter.log.dirs.io.max.bytes.per.second", type: .long, default: .max, allowed: 0...,
        changes: .clusterWide, "Bytes a second that replicas moving between log directories copy.")
    package static let replicaSelector = ConfigKey<String>(
        "replica.selector.class", default: "",
        "Where consumers read: RackAwareReplicaSelector sends them to an in-sync replica of their rack; unset: the leader."
    ).unsetByDefault
    package static let highWatermarkCheckpoint = ConfigKey<Duration>(
        "replica.high.watermark.checkpoint.interval.ms", type: .long, default: .seconds(5), importance: .high,
        "How often high watermarks are written down.")
    package static let autoRebalance = ConfigKey<Bool>(
        "auto.leader.rebalance.enable", default: true, importance: .high,
        "Whether leadership returns to preferred replicas.")
    package static let imbalanceCheck = ConfigKey<Duration>(
        "leader.imbalance.check.interval.seconds", type: .long, unit: .seconds, default: .seconds(300),
        allowed: Duration.seconds(1)..., importance: .high, "How often the controller looks at that.")
    package static let imbalancePercentage = ConfigKey<Int>(
        "leader.imbalance.per.broker.percentage", default: 10, importance: .high, "What it bears.")
    package static let controlledShutdown = ConfigKey<Bool>(
        "controlled.shutdown.enable", default: true, "Whether a clean stop hands its leaderships over first.")
    package static let controlledShutdownRetries = ConfigKey<Int>(
        "controlled.shutdown.max.retries", default: 3, "How often that is tried.")
    package static let controlledShutdownBackoff = ConfigKey<Duration>(
        "controlled.shutdown.retry.backoff.ms", type: .long, default: .seconds(5), "How long between two tries.")
    package static let controllerSocketTimeout = ConfigKey<Duration>(
        "controller.socket.timeout.ms", default: .seconds(30), "How long the controller waits for a broker's answer.")

    // MARK: Groups

    package static let groupInitialDelay = ConfigKey<Duration>(
        "group.initial.rebalance.delay.ms", default: .seconds(3), "How long a new group waits for more members.")
    package static let groupMaxSession = ConfigKey<Duration>(
        "group.max.session.timeout.ms", default: .seconds(1800), "The longest session a member may ask for.")
    package static let groupMinSession = ConfigKey<Duration>(
        "group.min.session.timeout.ms", default: .seconds(6), "The shortest.")
    package static let groupMaxSize = ConfigKey<Int>(
        "group.max.size", default: Int(Int32.max), allowed: 1..., "How many members a group may have.")
    package static let offsetMetadataMax = ConfigKey<Int>(
        "offset.metadata.max.bytes", default: 4096, importance: .high, "How much a commit may say about itself.")
    package static let offsetsCommitTimeout = ConfigKey<Duration>(
        "offsets.commit.timeout.ms", default: .seconds(5), allowed: Duration.milliseconds(1)..., importance: .high,
        "How long a commit may wait for the tree.")
    package static let offsetsRetentionCheck = ConfigKey<Duration>(
        "offsets.retention.check.interval.ms", type: .long, default: .seconds(600),
        allowed: Duration.milliseconds(1)...,
        importance: .high, "How often old offsets are looked for.")
    package static let offsetsRetention = ConfigKey<Duration>(
        "offsets.retention.minutes", unit: .minutes, default: .seconds(604_800), allowed: Duration.seconds(60)...,
        importance: .high, "How long the offsets of an empty group are kept.")

    package static let all: [any AnyConfigKey] = active + cleaner + scrub + InertKeys.all + ours

    private static let active: [any AnyConfigKey] = [
        brokerID, generateID, reservedMaxID, rack, coordinator, coordinatorConnectTimeout, sessionTimeout, listeners,
        advertisedListeners, protocolMap, interBrokerListener, interBrokerProtocol, requestMaxBytes, maxIdle,
        requestTimeout, fetchMaxBytes, fetchSessionSlots, autoCreate, partitions, replicationFactor, deleteTopics,
        minInSync, uncleanElection, messageMaxBytes, compression, gzipLevel, lz4Level, zstdLevel, downConversion,
        logDir, logDirs, segmentBytes, rollHours, rollMs,
        rollJitterHours, rollJitterMs, retentionHours, retentionMinutes, retentionMs, retentionBytes, retentionCheck,
        minFreeBytes,
        deleteDelay, flushMessages, flushMs, flushScheduler, recoveryCheckpoint, indexInterval, indexBytes,
        cleanupPolicy, timestampType, timestampBefore, timestampAfter, timestampDifference, producerExpiration, lagMax,
        replicaFetchWait, replicaFetchMinBytes, replicaFetchMaxBytes, replicaResponseMaxBytes, replicaBackoff,
        replicaSocketTimeout, leaderThrottledRate, followerThrottledRate, alterLogDirsRate, replicaSelector,
        highWatermarkCheckpoint, autoRebalance, imbalanceCheck, imbalancePercentage,
        controlledShutdown, controlledShutdownRetries, controlledShutdownBackoff, controllerSocketTimeout,
        groupInitialDelay, groupMaxSession, groupMinSession, groupMaxSize, offsetMetadataMax, offsetsCommitTimeout,
        offsetsRetentionCheck, offsetsRetention,
    ]

    /// Not Kafka's; read by the executable before the broker is made.
    private static let ours: [any AnyConfigKey] = [
        ConfigKey<String>(
            "log.style", default: "narrated", oneOf: ["narrated", "classic"], importance: .low, "How lines look."),
        ConfigKey<String>("log.level", default: "info", importance: .low, "Which lines are written."),
    ]

    /// Read by Kafka's authorizer from the same file: no mistakes, though nothing here reads them.
    static let authorizers: Set<String> = [
        "super.users", "allow.everyone.if.no.acl.found", "authorizer.zookeeper.url",
        "authorizer.zookeeper.connection.timeout.ms", "authorizer.zookeeper.session.timeout.ms",
        "authorizer.zookeeper.max.in.flight.requests",
    ]
}
