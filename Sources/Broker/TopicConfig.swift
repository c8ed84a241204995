import ClusterModel
import CommitLog
import Configuration
import Controller
import Records
import Replication

/// A topic's settings as its partitions need them: its own values, else the broker's.
package struct TopicConfig: Equatable, Sendable {
    package var log = LogSettings()
    /// `cleanup.policy`
    package var deletes = true
    package var compacts = false
    /// `retention.ms`, `retention.bytes`: -1 for no limit.
    package var retentionMs: Int64 = 604_800_000
    package var retentionBytes: Int64 = -1
    package var compaction = CompactionRules()
    package var retention: RetentionRules {
        RetentionRules(
            deletes: deletes, milliseconds: retentionMs < 0 ? nil : retentionMs,
            bytes: retentionBytes < 0 ? nil : retentionBytes)
    }
    /// `min.insync.replicas`
    package var minInSync = 1
    /// `max.message.bytes`
    package var maxMessageBytes = 1_048_588
    /// `message.timestamp.type` is LogAppendTime.
    package var usesLogAppendTime = false
    /// `message.timestamp.before.max.ms`, `message.timestamp.after.max.ms`
    package var timestampBeforeMaxMs = Int64.max
    package var timestampAfterMaxMs = Int64.max
    /// `compression.type` and the level of its codec; nil for `producer`: batches stay as they come.
    package var packing: BatchValidator.Packing?
    /// `message.downconversion.enable`: consumers that speak Fetch 0 to 3 get records in their format.
    package var convertsForOldConsumers = true
    /// `unclean.leader.election.enable`, and `min.insync.replicas` once more.
    package var electionRules = ElectionRules()
    /// `leader.replication.throttled.replicas`, `follower.replication.throttled.replicas`
    package var leaderThrottled = ThrottledReplicas.none
    package var followerThrottled = ThrottledReplicas.none
    /// What was set for the topic itself, as it was written.
    package var overrides: [String: String] = [:]

    package init() {}

    /// Values that do not parse are left at the broker's: the tree may have been written by others.
    package init(overrides: [String: String], defaults: TopicDefaults) {
        self.overrides = overrides
        func value<V>(_ key: ConfigKey<V>) -> V {
            if let text = overrides[key.name], let value = try? key.value(text) { return value }
            if let text = defaults.text(key.name), let value = try? key.value(text) { return value }
            return key.defaultValue
        }
        log.segmentBytes = value(TopicKeys.segmentBytes)
        log.segmentMs = Int64(value(TopicKeys.segmentMs))
        log.indexIntervalBytes = value(TopicKeys.indexInterval)
        log.segmentIndexBytes = value(TopicKeys.indexBytes)
        log.flushMessages = Int64(value(TopicKeys.flushMessages))
        log.flushMs = Int64(value(TopicKeys.flushMs))
        log.segmentJitterMs = Int64(value(TopicKeys.segmentJitter))
        log.fileDeleteDelayMs = Int64(value(TopicKeys.fileDeleteDelay))
        log.producerExpirationMs = defaults.producerExpirationMs
        let policy = value(TopicKeys.cleanupPolicy)
        deletes = policy.contains("delete")
        compacts = policy.contains("compact")
        compaction.minDirtyRatio = value(TopicKeys.minDirtyRatio)
        compaction.minLagMs = Int64(value(TopicKeys.minCompactionLag))
        compaction.maxLagMs = Int64(value(TopicKeys.maxCompactionLag))
        compaction.deleteRetentionMs = Int64(value(TopicKeys.deleteRetention))
        // The growing segment is never compacted: it must not grow longer than records may wait.
        if compacts { log.segmentMs = min(log.segmentMs, compaction.maxLagMs) }
        retentionMs = Int64(value(TopicKeys.retentionMs))
        retentionBytes = Int64(value(TopicKeys.retentionBytes))
        minInSync = value(TopicKeys.minInSync)
        maxMessageBytes = value(TopicKeys.maxMessageBytes)
        usesLogAppendTime = value(TopicKeys.timestampType) == "LogAppendTime"
        // The old key speaks for both where the new ones say nothing.
        let both = Int64(value(TopicKeys.timestampDifference))
        timestampBeforeMaxMs = Int64(value(TopicKeys.timestampBefore))
        if timestampBeforeMaxMs == .max { timestampBeforeMaxMs = both }
        timestampAfterMaxMs = Int64(value(TopicKeys.timestampAfter))
        if timestampAfterMaxMs == .max { timestampAfterMaxMs = both }
        packing = BatchValidator.Packing(type: value(TopicKeys.compression)) { codec in
            switch codec {
            case "gzip": value(TopicKeys.gzipLevel)
            case "lz4": value(TopicKeys.lz4Level)
            default: value(TopicKeys.zstdLevel)
            }
        }
        convertsForOldConsumers = value(TopicKeys.downConversion)
        electionRules = ElectionRules(uncleanElection: value(TopicKeys.uncleanElection), minInSync: minInSync)
        leaderThrottled = overrides[TopicKeys.leaderThrottled.name].flatMap { ThrottledReplicas($0) } ?? .none
        followerThrottled = overrides[TopicKeys.followerThrottled.name].flatMap { ThrottledReplicas($0) } ?? .none
    }
}

/// What the broker's own settings make of each topic key.
package struct TopicDefaults: Equatable, Sendable {
    private var texts: [String: String] = [:]
    package var producerExpirationMs: Int64

    package init(_ settings: Settings) {
        producerExpirationMs = Int64(settings[BrokerKeys.producerExpiration])
        for topic in TopicKeys.all {
            for synonym in topic.synonyms {
                // The last synonym's default counts when nothing is set; the earlier ones are unset by default.
                guard let key = TopicDefaults.brokerKeys[synonym.name], let text = settings.text(key) else { continue }
                texts[topic.key.name] = synonym.converted(text)
                break
            }
        }
        if texts["retention.ms"].flatMap({ Int($0) }).map({ $0 < 0 }) == true { texts["retention.ms"] = "-1" }
    }

    package func text(_ topicKey: String) -> String? { texts[topicKey] }

    static let brokerKeys = Dictionary(BrokerKeys.all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}

/// The keys that can be set for one topic.
package enum TopicKeys {
    /// A broker key that a topic key takes its default from, and how many of the topic's units one of the broker's is.
    package struct Synonym: Sendable {
        package var name: String
        package var factor: Int
        package func converted(_ text: String) -> String {
            guard factor != 1, let number = Int(text) else { return text }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            return String(overflow ? .max : product)
        }
    }
    package struct TopicKey: Sendable {
        package var key: any AnyConfigKey
        /// The first that is set wins.
        package var synonyms: [Synonym]
        fileprivate init(_ key: any AnyConfigKey, _ synonyms: (String, Int)...) {
            self.key = key
            self.synonyms = synonyms.map { Synonym(name: $0.0, factor: $0.1) }
        }
        fileprivate init(_ key: any AnyConfigKey, _ synonym: String) { self.init(key, (synonym, 1)) }
    }

    static let segmentBytes = ConfigKey<Int>(
        "segment.bytes", default: 1 << 30, allowed: 14..., "How large a segment file may grow.")
    static let segmentMs = ConfigKey<Int>(
        "segment.ms", type: .long, default: 604_800_000, allowed: 1..., "When a segment is closed for its age.")
    static let segmentJitter = ConfigKey<Int>(
        "segment.jitter.ms", type: .long, default: 0, allowed: 0..., "How far rolls are spread.")
    static let indexInterval = ConfigKey<Int>(
        "index.interval.bytes", default: 4096, allowed: 0..., "Bytes between two index entries.")
    static let indexBytes = ConfigKey<Int>(
        "segment.index.bytes", default: 10_485_760, allowed: 4..., "How large an index may grow.")
    static let flushMessages = ConfigKey<Int>(
        "flush.messages", type: .long, default: .max, allowed: 1...,
        "After how many records a log is synced before the reply.")
    static let flushMs = ConfigKey<Int>(
        "flush.ms", type: .long, default: .max, allowed: 0..., "How long a record may stay unsynced.")
    static let cleanupPolicy = ConfigKey<[String]>(
        "cleanup.policy", default: ["delete"], oneOf: ["compact", "delete"],
        "Whether old records are deleted, or all but the newest of each key.")
    static let retentionMs = ConfigKey<Int>(
        "retention.ms", type: .long, default: 604_800_000, allowed: (-1)..., "How long records are kept; -1: for ever.")
    static let retentionBytes = ConfigKey<Int>(
        "retention.bytes", type: .long, default: -1, "How many bytes a partition keeps; -1: no limit.")
    static let minDirtyRatio = ConfigKey<Double>(
        "min.cleanable.dirty.ratio", default: 0.5, allowed: 0.0...1.0,
        "A log is compacted when more than this part of it was not compacted yet.")
    static let minCompactionLag = ConfigKey<Int>(
        "min.compaction.lag.ms", type: .long, default: 0, allowed: 0..., "Younger records are left alone.")
    static let maxCompactionLag = ConfigKey<Int>(
        "max.compaction.lag.ms", type: .long, default: .max, allowed: 1...,
        "Older records are compacted, whatever part of the log they are.")
    static let deleteRetention = ConfigKey<Int>(
        "delete.retention.ms", type: .long, default: 86_400_000, allowed: 0...,
        "How long a deletion stays visible in a compacted log.")
    static let minInSync = ConfigKey<Int>(
        "min.insync.replicas", default: 1, allowed: 1..., "How many in-sync replicas acks=all needs.")
    static let maxMessageBytes = ConfigKey<Int>(
        "max.message.bytes", default: 1_048_588, allowed: 0..., "The largest record batch accepted.")
    static let timestampType = ConfigKey<String>(
        "message.timestamp.type", default: "CreateTime", oneOf: ["CreateTime", "LogAppendTime"],
        "Whose clock stamps the records.")
    static let timestampBefore = ConfigKey<Int>(
        "message.timestamp.before.max.ms", type: .long, default: .max, allowed: 0...,
        "How far before the broker's clock a timestamp may lie.")
    static let timestampAfter = ConfigKey<Int>(
        "message.timestamp.after.max.ms", type: .long, default: .max, allowed: 0...,
        "How far after the broker's clock a timestamp may lie.")
    static let timestampDifference = ConfigKey<Int>(
        "message.timestamp.difference.max.ms", type: .long, default: .max, allowed: 0..., "Both of them; out of date.")
    static let fileDeleteDelay = ConfigKey<Int>(
        "file.delete.delay.ms", type: .long, default: 60_000, allowed: 0..., "How long deleted files stay on disk.")
    static let uncleanElection = ConfigKey<Bool>(
        "unclean.leader.election.enable", default: false,
        "Whether a replica outside the in-sync set may lead when no other is left.")
    static let compression = ConfigKey<String>(
        "compression.type", default: "producer", oneOf: ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        "How the broker packs batches that come packed otherwise; producer keeps what the producer chose.")
    static let gzipLevel = CompressionLevels.gzip()
    static let lz4Level = CompressionLevels.lz4()
    static let zstdLevel = CompressionLevels.zstd()
    static let downConversion = ConfigKey<Bool>(
        "message.downconversion.enable", default: true,
        "Whether consumers older than Kafka 0.11 get records in their format, or UNSUPPORTED_VERSION.")

    static let leaderThrottled = ConfigKey<[String]>(
        "leader.replication.throttled.replicas", default: [],
        "Replicas the leader is slow to send to: *, or PARTITION:BROKER,…")
    static let followerThrottled = ConfigKey<[String]>(
        "follower.replication.throttled.replicas", default: [],
        "Replicas that are slow to fetch: *, or PARTITION:BROKER,…")

    private static func long(_ name: String, _ value: Int, _ allowed: PartialRangeFrom<Int>) -> ConfigKey<Int> {
        ConfigKey(name, type: .long, default: value, allowed: allowed, "Understood; it changes nothing here.")
    }
    private static func flag(_ name: String, _ value: Bool = false) -> ConfigKey<Bool> {
        ConfigKey(name, default: value, "Understood; it changes nothing here.")
    }

    /// By name, as DescribeConfigs lists them.
    package static let all: [TopicKey] = [
        TopicKey(cleanupPolicy, "log.cleanup.policy"),
        TopicKey(gzipLevel, "compression.gzip.level"),
        TopicKey(lz4Level, "compression.lz4.level"),
        TopicKey(compression, "compression.type"),
        TopicKey(zstdLevel, "compression.zstd.level"),
        TopicKey(deleteRetention, "log.cleaner.delete.retention.ms"),
        TopicKey(fileDeleteDelay, "log.segment.delete.delay.ms"),
        TopicKey(flushMessages, "log.flush.interval.messages"),
        TopicKey(flushMs, ("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)),
        TopicKey(followerThrottled),
        TopicKey(indexInterval, "log.index.interval.bytes"),
        TopicKey(leaderThrottled),
        TopicKey(long("local.retention.bytes", -2, (-2)...), "log.local.retention.bytes"),
        TopicKey(long("local.retention.ms", -2, (-2)...), "log.local.retention.ms"),
        TopicKey(maxCompactionLag, "log.cleaner.max.compaction.lag.ms"),
        TopicKey(maxMessageBytes, "message.max.bytes"),
        TopicKey(downConversion, "log.message.downconversion.enable"),
        TopicKey(
            ConfigKey<String>(
                "message.format.version", default: "3.0-IV1", "Understood; records are always of format 2."),
            "log.message.format.version"),
        TopicKey(timestampAfter, "log.message.timestamp.after.max.ms"),
        TopicKey(timestampBefore, "log.message.timestamp.before.max.ms"),
        TopicKey(timestampDifference, "log.message.timestamp.difference.max.ms"),
        TopicKey(timestampType, "log.message.timestamp.type"),
        TopicKey(minDirtyRatio, "log.cleaner.min.cleanable.ratio"),
        TopicKey(minCompactionLag, "log.cleaner.min.compaction.lag.ms"),
        TopicKey(minInSync, "min.insync.replicas"),
        TopicKey(flag("preallocate"), "log.preallocate"),
        TopicKey(flag("remote.log.copy.disable")),
        TopicKey(flag("remote.log.delete.on.disable")),
        TopicKey(flag("remote.storage.enable")),
        TopicKey(retentionBytes, "log.retention.bytes"),
        TopicKey(
            retentionMs, ("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)),
        TopicKey(segmentBytes, "log.segment.bytes"),
        TopicKey(indexBytes, "log.index.size.max.bytes"),
        TopicKey(segmentJitter, ("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", 3_600_000)),
        TopicKey(segmentMs, ("log.roll.ms", 1), ("log.roll.hours", 3_600_000)),
        TopicKey(uncleanElection, "unclean.leader.election.enable"),
    ]

    /// Whether a topic can be made or changed with these settings; the words are Kafka's.
    /// - Returns: nil when it can, else the message that goes with INVALID_CONFIG.
    package static func problem(_ settings: [(name: String, value: String?)]) -> String? {
        for (name, value) in settings {
            guard let entry = all.first(where: { $0.key.name == name }) else {
                return "Unknown topic config name: \(name)"
            }
            guard let value else { return "Null value not supported for topic configs: \(name)" }
            do throws(ConfigError) { try entry.key.check(value) } catch { return error.description }
        }
        for key in [leaderThrottled, followerThrottled] {
            guard let text = settings.last(where: { $0.name == key.name })?.value else { continue }
            guard ThrottledReplicas(text) != nil else {
                return
                    "Invalid value \(text) for configuration \(key.name): \(key.name) must be the literal '*' or a list of "
                    + "replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
            }
        }
        func number(_ name: String, _ otherwise: Int) -> Int {
            settings.last { $0.name == name }?.value.flatMap { Int(trimmed($0)) } ?? otherwise
        }
        let (least, most) = (number("min.compaction.lag.ms", 0), number("max.compaction.lag.ms", .max))
        if least > most {
            return "conflict topic config setting min.compaction.lag.ms (\(least)) > max.compaction.lag.ms (\(most))"
        }
        return nil
    }
}

/// The keys of KIP-390, which topics and brokers spell alike.
enum CompressionLevels {
    /// -1 is zlib's own choice; 0, which would not pack at all, is none.
    static func gzip() -> ConfigKey<Int> {
        ConfigKey<Int>(
            "compression.gzip.level", type: .int, default: -1, defaultText: "-1", allowedText: "[1,...,9] or -1",
            importance: .medium, changes: .clusterWide, "How hard gzip tries, where compression.type is gzip."
        ) { text throws(ConfigError) in
            guard let level = Int32(text) else {
                throw ConfigError(
                    key: "compression.gzip.level", value: text, reason: "Not a number of type INT")
            }
            guard level == -1 || (1...9).contains(level) else {
                throw ConfigError(
                    key: "compression.gzip.level", value: text, reason: "Value must be between 1 and 9 or equal to -1")
            }
            return Int(level)
        }
    }
    static func lz4() -> ConfigKey<Int> {
        ConfigKey<Int>(
            "compression.lz4.level", default: 9, allowed: 1...17, changes: .clusterWide,
            "How hard lz4 tries, where compression.type is lz4; 9 is the fast compressor.")
    }
    static func zstd() -> ConfigKey<Int> {
        ConfigKey<Int>(
            "compression.zstd.level", default: 3, allowed: -131_072...22, changes: .clusterWide,
            "How hard zstd tries, where compression.type is zstd.")
    }
}
