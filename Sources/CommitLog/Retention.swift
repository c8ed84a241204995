import ClusterModel

/// What a topic's configuration says of old records.
package struct RetentionRules: Equatable, Sendable {
    /// `cleanup.policy` contains `delete`. Without it only what lies before the log's start goes.
    package var deletes = true
    /// `retention.ms`; nil: for ever.
    package var milliseconds: Int64?
    /// `retention.bytes`; nil: no limit.
    package var bytes: Int64?

    package init(deletes: Bool = true, milliseconds: Int64? = nil, bytes: Int64? = nil) {
        self.deletes = deletes
        self.milliseconds = milliseconds
        self.bytes = bytes
    }
}

/// Which of a log's oldest segments are to go. Facts in, a verdict out.
/// Rule: Kafka 3.9's `UnifiedLog.deleteOldSegments`: by start offset, then by size, then by time, each from the oldest segment on
/// and each up to the first that stays; never at or above the high watermark; never an empty last segment.
package struct Retention: Equatable {
    package struct Piece: Equatable {
        package var baseOffset: Offset
        package var size: Int64
        /// The largest timestamp of its records; where none has one, the file's last change. Milliseconds since 1970.
        package var newestMs: Int64
        package init(baseOffset: Offset, size: Int64, newestMs: Int64) {
            self.baseOffset = baseOffset
            self.size = size
            self.newestMs = newestMs
        }
    }

    package enum Reason: String, Sendable {
        case start = "it lies before the log's start"
        case size = "the log is larger than retention.bytes"
        case time = "its records are older than retention.ms"
    }

    /// Oldest first.
    package var pieces: [Piece]
    package var logStartOffset: Offset
    package var nextOffset: Offset
    package var highWatermark: Offset

    package init(pieces: [Piece], logStartOffset: Offset, nextOffset: Offset, highWatermark: Offset) {
        self.pieces = pieces
        self.logStartOffset = logStartOffset
        self.nextOffset = nextOffset
        self.highWatermark = highWatermark
    }

    /// Why each of the first segments goes; as many as go.
    package func verdict(_ rules: RetentionRules, nowMs: Int64) -> [Reason] {
        var gone: [Reason] = []
        func take(_ reason: Reason, while isDue: (Piece, _ next: Offset?) -> Bool) {
            while gone.count < pieces.count {
                let piece = pieces[gone.count]
                let next = gone.count + 1 < pieces.count ? pieces[gone.count + 1].baseOffset : nil
                guard highWatermark >= next ?? nextOffset, next != nil || piece.size > 0, isDue(piece, next) else {
                    return
                }
                gone.append(reason)
            }
        }
        take(.start) { _, next in next.map { $0 <= logStartOffset } ?? false }
        guard rules.deletes else { return gone }
        if let limit = rules.bytes {
            var excess = pieces[gone.count...].reduce(-limit) { $0 + $1.size }
            take(.size) { piece, _ in
                guard excess >= piece.size, excess >= 0 else { return false }
                excess -= piece.size
                return true
            }
        }
        if let limit = rules.milliseconds {
            take(.time) { piece, _ in
                let (age, overflow) = nowMs.subtractingReportingOverflow(piece.newestMs)
                return !overflow && age > limit
            }
        }
        return gone
    }
}
