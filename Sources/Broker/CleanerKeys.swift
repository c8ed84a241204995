import Configuration

extension BrokerKeys {
    static let cleanerEnabled = ConfigKey<Bool>(
        "log.cleaner.enable", default: true, "Whether topics with cleanup.policy=compact are compacted here.")
    static let cleanerThreads = ConfigKey<Int>(
        "log.cleaner.threads", default: 1, allowed: 0..., changes: .clusterWide,
        "How many logs may be compacted at once.")
    static let cleanerMemory = ConfigKey<Int>(
        "log.cleaner.dedupe.buffer.size", type: .long, default: 134_217_728, changes: .clusterWide,
        "Bytes for the keys of the logs that are being compacted; all of them together.")
    static let cleanerLoadFactor = ConfigKey<Double>(
        "log.cleaner.io.buffer.load.factor", default: 0.9, changes: .clusterWide,
        "How full that memory may become, 0 to 1.")
    static let cleanerStep = ConfigKey<Int>(
        "log.cleaner.io.buffer.size", default: 524_288, allowed: 0..., changes: .clusterWide,
        "Bytes that compaction reads at a time.")
    static let cleanerRate = ConfigKey<Double>(
        "log.cleaner.io.max.bytes.per.second", default: 1.7976931348623157e308, changes: .clusterWide,
        "Bytes a second that compaction reads and writes at most.")
    static let cleanerBackoff = ConfigKey<Duration>(
        "log.cleaner.backoff.ms", type: .long, default: .seconds(15), allowed: Duration.zero..., changes: .clusterWide,
        "How often it is looked for logs to compact.")

    static let cleaner: [any AnyConfigKey] = [
        cleanerEnabled, cleanerThreads, cleanerMemory, cleanerLoadFactor, cleanerStep, cleanerRate, cleanerBackoff,
        ConfigKey<Int>(
            "log.cleaner.delete.retention.ms", type: .long, default: 86_400_000, allowed: 0..., changes: .clusterWide,
            "How long a deletion stays visible in a compacted log."),
        ConfigKey<Int>(
            "log.cleaner.max.compaction.lag.ms", type: .long, default: .max, allowed: 1..., changes: .clusterWide,
            "Older records are compacted, whatever part of the log they are."),
        ConfigKey<Double>(
            "log.cleaner.min.cleanable.ratio", default: 0.5, allowed: 0.0...1.0, changes: .clusterWide,
            "A log is compacted when more than this part of it was not compacted yet."),
        ConfigKey<Int>(
            "log.cleaner.min.compaction.lag.ms", type: .long, default: 0, allowed: 0..., changes: .clusterWide,
            "Younger records are left alone."),
    ]
}
