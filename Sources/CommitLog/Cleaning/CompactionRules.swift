import ClusterModel

/// What a topic's configuration says of compaction. Defaults are Kafka 3.9's.
package struct CompactionRules: Equatable, Sendable {
    /// `min.cleanable.dirty.ratio`: cleaned when more than this part of its bytes was not cleaned yet.
    package var minDirtyRatio = 0.5
    /// `min.compaction.lag.ms`: younger records stay.
    package var minLagMs: Int64 = 0
    /// `max.compaction.lag.ms`: older ones are cleaned whatever the ratio is.
    package var maxLagMs = Int64.max
    /// `delete.retention.ms`: how long a tombstone or a marker stays after it was first cleaned.
    package var deleteRetentionMs: Int64 = 86_400_000
    package init() {}
}

/// What is to be cleaned of a log, and how urgent it is.
package struct Cleanable: Equatable {
    /// Below this everything was cleaned before.
    package var firstDirty: Offset
    /// The beginning of the first segment that must be left alone.
    package var firstUncleanable: Offset
    package var cleanBytes: Int64
    package var dirtyBytes: Int64
    /// A record waits longer than `max.compaction.lag.ms`.
    package var isOverdue: Bool
    package var dirtyRatio: Double {
        cleanBytes + dirtyBytes == 0 ? 0 : Double(dirtyBytes) / Double(cleanBytes + dirtyBytes)
    }
    /// What the checkpoint said cannot be: the log was cut, or its start moved.
    package var hasBadCheckpoint: Bool

    package func isDue(_ rules: CompactionRules) -> Bool {
        dirtyBytes > 0 && (isOverdue || dirtyRatio > rules.minDirtyRatio)
    }
}

/// The facts from which follows what to clean.
/// Rule: Kafka 3.9's `LogCleanerManager.cleanableOffsets` and `Cleaner.groupSegmentsBySize`.
package struct CompactionFacts: Equatable {
    package struct Piece: Equatable {
        package var baseOffset: Offset
        package var size: Int64
        package var offsetIndexBytes = 0
        package var timeIndexBytes = 0
        /// The largest timestamp of its records; where none has one, the file's last change.
        package var newestMs: Int64
        /// Its first batch's timestamp; -1 when it has none.
        package var firstMs: Int64
        package init(
            baseOffset: Offset, size: Int64, offsetIndexBytes: Int = 0, timeIndexBytes: Int = 0, newestMs: Int64 = 0,
            firstMs: Int64 = -1
        ) {
            self.baseOffset = baseOffset
            self.size = size
            self.offsetIndexBytes = offsetIndexBytes
            self.timeIndexBytes = timeIndexBytes
            self.newestMs = newestMs
            self.firstMs = firstMs
        }
    }

    /// Oldest first; the last one grows and is never cleaned.
    package var pieces: [Piece]
    package var logStartOffset: Offset
    package var logEndOffset: Offset
    /// What `cleaner-offset-checkpoint` says.
    package var checkpoint: Offset?
    /// Nothing at or above it may be cleaned: it is not committed, its transaction is open, or it is not synced.
    package var settledBelow: Offset

    package init(
        pieces: [Piece], logStartOffset: Offset, logEndOffset: Offset, checkpoint: Offset?, settledBelow: Offset
    ) {
        self.pieces = pieces
        self.logStartOffset = logStartOffset
        self.logEndOffset = logEndOffset
        self.checkpoint = checkpoint
        self.settledBelow = settledBelow
    }

    package func cleanable(_ rules: CompactionRules, nowMs: Int64) -> Cleanable {
        let known = checkpoint ?? logStartOffset
        let isBad = known < logStartOffset || known > logEndOffset
        let firstDirty = isBad ? logStartOffset : known
        let sealed = pieces.dropLast()
        // From the piece that holds an offset on.
        func from(_ offset: Offset) -> ArraySlice<Piece> {
            let first = sealed.lastIndex { $0.baseOffset <= offset } ?? sealed.startIndex
            return sealed[first...]
        }
        var bound = min(settledBelow, pieces.last?.baseOffset ?? 0)
        if rules.minLagMs > 0, let young = from(firstDirty).first(where: { nowMs - $0.newestMs < rules.minLagMs }) {
            bound = min(bound, young.baseOffset)
        }
        bound = max(bound, firstDirty)
        // A segment is cleaned whole or not at all.
        let uncleanable = pieces.last { $0.baseOffset <= bound }?.baseOffset ?? firstDirty
        let dirty = from(min(firstDirty, uncleanable)).filter { $0.baseOffset < uncleanable }
        let oldest = from(firstDirty).filter { $0.baseOffset < uncleanable && $0.firstMs > 0 }.map(\.firstMs).min()
        return Cleanable(
            firstDirty: firstDirty, firstUncleanable: uncleanable,
            cleanBytes: pieces.reduce(0) { $1.baseOffset < min(firstDirty, uncleanable) ? $0 + $1.size : $0 },
            dirtyBytes: uncleanable > firstDirty ? dirty.reduce(0) { $0 + $1.size } : 0,
            isOverdue: oldest.map { nowMs - $0 > rules.maxLagMs } ?? false, hasBadCheckpoint: isBad && checkpoint != nil
        )
    }

    /// Which segments below `end` become one: as many neighbours as fit a segment, its indexes and its 32 bits of offsets.
    /// - Returns: ranges of indices into `pieces`.
    package func groups(below end: Offset, segmentBytes: Int, indexBytes: Int) -> [Range<Int>] {
        var groups: [Range<Int>] = []
        var first = 0
        var total = Piece(baseOffset: 0, size: 0)
        for (index, piece) in pieces.enumerated() where piece.baseOffset < end && index < pieces.count - 1 {
            let last = pieces[index + 1].baseOffset - 1
            let fits =
                total.size + piece.size <= Int64(segmentBytes)
                && total.offsetIndexBytes + piece.offsetIndexBytes <= indexBytes
                && total.timeIndexBytes + piece.timeIndexBytes <= indexBytes
                && (piece.size == 0 || last - pieces[first].baseOffset <= Int64(Int32.max))
            if index > first, fits {
                groups[groups.count - 1] = first..<(index + 1)
            } else {
                first = index
                groups.append(index..<(index + 1))
                total = Piece(baseOffset: 0, size: 0)
            }
            total.size += piece.size
            total.offsetIndexBytes += piece.offsetIndexBytes
            total.timeIndexBytes += piece.timeIndexBytes
        }
        return groups
    }
}
