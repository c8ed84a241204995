/// What of a topic's configuration concerns its logs. Defaults are Kafka 3.9's.
package struct LogSettings: Equatable, Sendable {
    /// `segment.bytes`: a segment is not grown beyond this.
    package var segmentBytes = 1 << 30
    /// `segment.ms`: by the records' own timestamps; by the wall clock where they have none.
    package var segmentMs: Int64 = 604_800_000
    /// `segment.jitter.ms`: each segment's `segment.ms` is shortened by up to this.
    package var segmentJitterMs: Int64 = 0
    /// `file.delete.delay.ms`: how long what was deleted stays on the disk.
    package var fileDeleteDelayMs: Int64 = 60_000
    /// `index.interval.bytes`
    package var indexIntervalBytes = 4096
    /// `segment.index.bytes`: when either index has no room left the segment is rolled.
    package var segmentIndexBytes = 10 << 20
    /// `flush.messages`: an append that makes this many records unsynced is answered after a sync.
    package var flushMessages = Int64.max
    /// `flush.ms`: for ``PartitionLog/flushIfDue(nowMs:)``.
    package var flushMs = Int64.max
    /// `producer.id.expiration.ms`
    package var producerExpirationMs: Int64 = 86_400_000

    package init() {}
}
