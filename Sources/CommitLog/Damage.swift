import ClusterModel
import Platform
import Records

/// Bytes of a segment that are no longer what was written there: no batch in them has the checksum it should have.
package struct DamagedStretch: Equatable, Sendable {
    /// The segment's base.
    package var segment: Offset
    package var bytes: Range<Int64>
    /// What lay there: from behind the last whole batch to the next one.
    package var offsets: Range<Offset>

    package init(segment: Offset, bytes: Range<Int64>, offsets: Range<Offset>) {
        self.segment = segment
        self.bytes = bytes
        self.offsets = offsets
    }
}

extension [DamagedStretch] {
    /// Where to go on at `position`, passing over what is damaged.
    func skip(_ position: Int64) -> Int64 {
        var position = position
        for stretch in self where stretch.bytes.contains(position) { position = stretch.bytes.upperBound }
        return position
    }

    func covering(_ offset: Offset) -> DamagedStretch? { first { $0.offsets.contains(offset) } }
}

/// What a bad batch means to a start. A value; the rule is one: what was synced is never cut away.
enum BadBatch: Equatable {
    /// A write that never ended: the log ends before it.
    case torn
    /// The medium changed what was synced there.
    case damage

    /// - Parameter offset: the one that the batch should hold.
    /// - Parameter durableBelow: everything below was synced once.
    init(at offset: Offset, durableBelow: Offset) { self = offset < durableBelow ? .damage : .torn }
}

/// Goes over a segment's batches and compares their checksums, a piece at a time. Blocks; belongs to a lane or a start.
struct SegmentCheck {
    private static let window = 256 << 10

    let segment: Offset
    private let file: any File
    private let end: Int64
    /// No offset of this segment is at or above it.
    private let nextBase: Offset
    private(set) var position: Int64
    private(set) var expected: Offset
    private(set) var found: [DamagedStretch] = []

    init(
        segment: Offset, file: any File, from position: Int64 = 0, to end: Int64, expecting expected: Offset,
        nextBase: Offset
    ) {
        self.segment = segment
        self.file = file
        self.end = end
        self.nextBase = nextBase
        self.position = position
        self.expected = expected
    }

    var isDone: Bool { position >= end }

    /// At least `bytes` further.
    mutating func step(_ bytes: Int) throws(DiskError) {
        let stop = position + Int64(bytes)
        var scanner = BatchScanner(file, from: position, to: end)
        while position < end, position < stop {
            if let (header, raw) = try scanner.next(), SegmentCheck.isGood(header, raw, expected, nextBase) {
                position += Int64(header.size)
                expected = header.lastOffset + 1
                continue
            }
            try passDamage()
            scanner = BatchScanner(file, from: position, to: end)
        }
    }

    static func isGood(
        _ header: BatchHeader, _ bytes: UnsafeRawBufferPointer, _ expected: Offset, _ nextBase: Offset
    ) -> Bool {
        // Old formats' wrappers tell their last offset only.
        (header.magic < 2 || header.baseOffset >= expected) && header.lastOffset >= expected
            && header.lastOffset < nextBase && header.matches(bytes)
    }

    private mutating func passDamage() throws(DiskError) {
        let (next, offset) = try Resync.nextGood(file, after: position, to: end, expected, nextBase)
        found.append(
            DamagedStretch(segment: segment, bytes: position..<next, offsets: expected..<max(expected, offset)))
        position = next
        expected = max(expected, offset)
    }
}

/// Finds where batches go on behind bytes that are none.
enum Resync {
    private static let window = 256 << 10

    /// The first place in `bytes` where a batch may begin that holds offsets of `expected..<below`; nil when there is none.
    /// Cost: a comparison a byte.
    static func candidate(_ bytes: UnsafeRawBufferPointer, from start: Int, expected: Offset, below: Offset) -> Int? {
        guard bytes.count >= 26 else { return nil }
        var index = start
        while index + 26 <= bytes.count {
            let offset = Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: index, as: Int64.self))
            if offset >= expected, offset < below,
                let header = BatchHeader(UnsafeRawBufferPointer(rebasing: bytes[index...])), header.lastOffset < below
            {
                return index
            }
            index += 1
        }
        return nil
    }

    /// - Returns: the end of the file and `nextBase` when nothing follows.
    static func nextGood(
        _ file: any File, after position: Int64, to end: Int64, _ expected: Offset, _ nextBase: Offset
    ) throws(DiskError) -> (position: Int64, offset: Offset) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: window, alignment: 16)
        defer { buffer.deallocate() }
        var start = position + 1
        while start < end {
            let size = Int(min(Int64(window), end - start))
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]), at: start)
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            var index = 0
            while let place = candidate(bytes, from: index, expected: expected, below: nextBase) {
                var scanner = BatchScanner(file, from: start + Int64(place), to: end)
                if let (header, raw) = try scanner.next(), header.matches(raw) {
                    return (start + Int64(place), header.baseOffset)
                }
                index = place + 1
            }
            // A header may lie across two windows.
            guard count == window else { break }
            start += Int64(count - BatchHeader.wanted + 1)
        }
        return (end, nextBase)
    }
}

/// Whether what another replica holds may take a damaged stretch's place. A value: bytes in, verdict out.
package enum Healing: Equatable {
    /// So many of the bytes, from the first on.
    case heals(length: Int)
    /// Good so far, in that many bytes; more is wanted from this offset on.
    case wantsMore(whole: Int, from: Offset)
    /// In words.
    case refused(String)

    /// - Parameter bytes: batches that another replica sent, from the stretch's first offset on; the last one may be cut.
    /// - Parameter isEnd: nothing lies behind it, so that the length does not matter.
    /// - Parameter epochs: this replica's own: a batch of another epoch is another batch (KIP-101).
    package static func judge(
        _ bytes: UnsafeRawBufferPointer, for stretch: DamagedStretch, isEnd: Bool, epochs: EpochCache
    ) -> Healing {
        var position = 0
        var expected = stretch.offsets.lowerBound
        func whole() -> Healing {
            position == stretch.bytes.count || isEnd
                ? .heals(length: position)
                : .refused("the other replica holds it in \(position) bytes, here it took \(stretch.bytes.count)")
        }
        while expected < stretch.offsets.upperBound {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            guard let header = BatchHeader(rest), header.size <= rest.count else {
                return position > stretch.bytes.count && !isEnd ? whole() : .wantsMore(whole: position, from: expected)
            }
            // Compaction left nothing more here.
            if header.baseOffset >= stretch.offsets.upperBound { return whole() }
            guard header.magic < 2 || header.baseOffset >= expected, header.lastOffset >= expected,
                header.lastOffset < stretch.offsets.upperBound
            else {
                return .refused("the other replica's batch at \(header.baseOffset) lies across the damaged part's ends")
            }
            guard header.matches(UnsafeRawBufferPointer(rebasing: rest[..<header.size])) else {
                return .refused("the other replica's batch at \(header.baseOffset) is damaged too")
            }
            if header.magic == 2, let known = epochs.epoch(of: header.baseOffset), known != header.leaderEpoch {
                return .refused(
                    "the other replica's batch at \(header.baseOffset) is of epoch \(header.leaderEpoch), here it was of \(known)"
                )
            }
            position += header.size
            expected = header.lastOffset + 1
        }
        return whole()
    }
}

extension PartitionLog {
    package var isDamaged: Bool { segments.contains { !$0.damaged.isEmpty } }
    /// What is known to be damaged, oldest first.
    package var damage: [DamagedStretch] { segments.flatMap(\.damaged) }

    /// Segments that do not grow any more and are synced, by their bases.
    package var closedSegments: [Offset] {
        zip(segments, segments.dropFirst()).filter { $0.isSealed && $1.baseOffset <= recoveryPoint }.map(\.0.baseOffset)
    }

    /// Compares a segment's checksums in the disk's background lane; what is found is told by `foundDamage`.
    /// - Parameter pause: how long to wait after so many bytes.
    /// - Parameter then: with how many bytes were read.
    package func check(
        _ base: Offset, stepBytes: Int, pause: @escaping (Int) -> Duration, then: @escaping (Int64) -> Void
    ) {
        suspects.remove(base)
        guard refusal == nil, let index = segments.firstIndex(where: { $0.baseOffset == base }),
            let file = segments[index].file
        else { return then(0) }
        let segment = segments[index]
        let next = index + 1 < segments.count ? segments[index + 1].baseOffset : nil
        // Behind the end of what is written anything may stand just now.
        guard segment.written == segment.size else { return then(0) }
        let check = SegmentCheck(
            segment: base, file: file, to: segment.size, expecting: base, nextBase: next ?? logEndOffset)
        go(on: check, segment, (stepBytes, disk.backgroundLane(parentDirectory(of: directory)), pause), cuts, then)
    }

    private func go(
        on check: SegmentCheck, _ segment: Segment,
        _ means: (step: Int, lane: any DiskLane, pause: (Int) -> Duration), _ cuts: Int,
        _ then: @escaping (Int64) -> Void
    ) {
        means.lane.perform { () throws(DiskError) -> SegmentCheck in
            var check = check
            try check.step(means.step)
            return check
        } then: { [self] result in
            // Meanwhile it may have been cut, compacted or deleted: what was read says nothing about what is there now.
            guard refusal == nil, cuts == self.cuts, segments.contains(where: { $0 === segment }) else {
                return then(check.position)
            }
            switch result {
            case .failure(let error):
                if error.code != 0 { fail(error) }
                then(check.position)
            case .success(let next) where next.isDone:
                note(next.found, in: segment)
                then(next.position)
            case .success(let next):
                let pause = means.pause(Int(next.position - check.position))
                world.after(pause) { [self] in go(on: next, segment, means, cuts, then) }
            }
        }
    }

    func note(_ found: [DamagedStretch], in segment: Segment) {
        let news = found.filter { !segment.damaged.contains($0) }
        guard !news.isEmpty else { return }
        // What was found before may be part of it.
        segment.damaged =
            (segment.damaged.filter { known in
                !found.contains { $0.bytes.overlaps(known.bytes) }
            } + found).sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
        for stretch in news { tell(of: stretch) }
        foundDamage?()
    }

    func tell(of stretch: DamagedStretch) {
        world.journal.error(
            "LB-3040 \(partition): records on the disk are damaged; they are not served, and nothing is cut away",
            [
                "partition": partition, "file": SegmentFiles.path(directory, stretch.segment, .log),
                "position": stretch.bytes.lowerBound, "bytes": stretch.bytes.count,
                "offsets": "\(stretch.offsets.lowerBound)-\(stretch.offsets.upperBound - 1)",
            ])
    }

    /// Compares the checksums of what was sent before and is asked for again: a reader that cannot go on may have been sent damaged
    /// records. Reads what was sent a moment ago; blocks no longer than that takes.
    /// - Throws: `damaged`.
    package func recheck(_ slice: LogSlice, asked offset: Offset) throws(ReadError) {
        guard let region = slice.region, let index = segments.firstIndex(where: { $0.file === region.file }) else {
            return
        }
        let segment = segments[index]
        let isLast = index + 1 == segments.count
        // Behind the end of what is written anything may stand just now.
        let isBusy = segment.written != segment.size
        let end = isBusy ? min(segment.written, region.offset + Int64(region.length)) : segment.size
        do throws(DiskError) {
            var check = SegmentCheck(
                segment: segment.baseOffset, file: region.file, from: region.offset, to: end,
                expecting: slice.startOffset,
                nextBase: isLast ? logEndOffset : segments[index + 1].baseOffset)
            try check.step(region.length)
            note(check.found.filter { $0.bytes.upperBound < end || !isBusy }, in: segment)
        } catch { throw .disk(error) }
        if let stretch = segment.damaged.covering(offset) { throw .damaged(stretch) }
    }

    /// Puts what another replica holds in a damaged stretch's place, in the file itself: until it is synced the stretch counts as
    /// damaged, so that a crash at any point leaves what was there before, or what is right.
    /// - Parameter bytes: what ``Healing/judge(_:for:isEnd:epochs:)`` found good.
    /// - Parameter then: whether it is healed.
    package func heal(_ stretch: DamagedStretch, with bytes: [UInt8], then: @escaping (Bool) -> Void) {
        guard refusal == nil else { return then(false) }
        exclusively { [self] in
            guard refusal == nil, bytes.count == stretch.bytes.count || isEnd(stretch),
                let segment = segments.first(where: { $0.baseOffset == stretch.segment }),
                segment.damaged.contains(stretch), let file = segment.file
            else {
                then(false)
                return exclusiveDone()
            }
            let end = isEnd(stretch) ? stretch.bytes.lowerBound + Int64(bytes.count) : nil
            lane.perform { () throws(DiskError) in
                var problem: DiskError?
                bytes.withUnsafeBytes { raw in
                    do throws(DiskError) { try file.write(raw, at: stretch.bytes.lowerBound) } catch { problem = error }
                }
                if let problem { throw problem }
                if let end, end < stretch.bytes.upperBound { try file.truncate(to: end) }
                try file.sync()
            } then: { [self] result in
                switch result {
                case .success:
                    segment.damaged.removeAll { $0 == stretch }
                    if let end { segment.size = end }
                    then(true)
                case .failure(let error):
                    if !error.isWantOfRoom { fail(error) }
                    then(false)
                }
                exclusiveDone()
            }
        }
    }

    /// Nothing was written behind it yet: what takes its place may be longer or shorter.
    package func isEnd(_ stretch: DamagedStretch) -> Bool {
        active.baseOffset == stretch.segment && active.size == stretch.bytes.upperBound
            && stretch.offsets.upperBound == nextOffset
    }
}
