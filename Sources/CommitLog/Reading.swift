import ClusterModel
import Platform
import Records

extension PartitionLog {
    /// - Parameter below: high watermark, last stable offset or log end: only whole batches below it are in the slice.
    /// - Parameter atLeastOneBatch: when the first batch is larger than `maxBytes` the slice holds it whole all the same
    ///   (KIP-74); otherwise it is cut.
    /// Cost: none for reads near the end; otherwise an index look-up and a scan of some batch headers. One slice never spans two
    /// segments.
    package func read(
        from offset: Offset, maxBytes: Int, below: Offset, atLeastOneBatch: Bool
    ) throws(ReadError) -> LogSlice {
        if let refusal { throw .offline(reason: "\(refusal)") }
        guard offset >= logStartOffset, offset <= logEndOffset else {
            throw .outOfRange(asked: offset, start: logStartOffset, end: logEndOffset)
        }
        let bound = min(below, logEndOffset)
        let nothing = LogSlice(region: nil, startOffset: offset)
        guard offset < bound, maxBytes > 0 || atLeastOneBatch else { return nothing }
        let found: Result<LogSlice, ReadError>
        do throws(DiskError) {
            found = try slice(from: offset, maxBytes: maxBytes, bound: bound, atLeastOneBatch: atLeastOneBatch)
        } catch {
            // Out of memory or descriptors says nothing about the disk.
            if ![12, 23, 24].contains(error.code) { fail(error) }
            throw .disk(error)
        }
        return try found.get()
    }

    private func slice(
        from offset: Offset, maxBytes: Int, bound: Offset, atLeastOneBatch: Bool
    ) throws(DiskError) -> Result<LogSlice, ReadError> {
        let nothing = LogSlice(region: nil, startOffset: offset)
        var index = segmentIndex(of: offset)
        // A batch at or behind `offset` may be in a later segment: compaction leaves gaps.
        while index < segments.count, segments[index].baseOffset < bound {
            let segment = segments[index]
            if let stretch = segment.damaged.covering(offset) { return .failure(.damaged(stretch)) }
            let first: Segment.Place
            switch try find(offset, in: segment) {
            case .found(let place): first = place
            case .nothing:
                index += 1
                continue
            // Never passed over as if compaction had left nothing there.
            case .noBatch(let position):
                return .failure(.damaged(suspect(segment, at: index, position, offset)))
            }
            guard first.baseOffset < bound, let file = segment.file else { break }
            var end = try position(of: bound, inSegmentAt: index)
            if let next = segment.damaged.first(where: { $0.bytes.lowerBound >= first.position }) {
                end = min(end, next.bytes.lowerBound)
            }
            guard end > first.position else { break }
            let wanted = atLeastOneBatch ? max(maxBytes, first.size) : maxBytes
            let length = Int(min(end - first.position, Int64(wanted)))
            return .success(
                LogSlice(
                    region: FileRegion(file: file, offset: first.position, length: length),
                    startOffset: first.baseOffset))
        }
        return .success(nothing)
    }

    /// Of the last segment whose base is not above `offset`.
    func segmentIndex(of offset: Offset) -> Int {
        var low = 0
        var high = segments.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if segments[middle].baseOffset <= offset { low = middle } else { high = middle }
        }
        return low
    }

    private func find(_ offset: Offset, in segment: Segment) throws(DiskError) -> Segment.Finding {
        if segment === active, let place = recent.place(of: offset) { return .found(place) }
        return try segment.find(offset)
    }

    private func place(of offset: Offset, in segment: Segment) throws(DiskError) -> Segment.Place? {
        if case .found(let place) = try find(offset, in: segment) { return place }
        return nil
    }

    /// Batches break off at `position`: how far the damage goes, the next check of the segment tells.
    private func suspect(_ segment: Segment, at index: Int, _ position: Int64, _ offset: Offset) -> DamagedStretch {
        suspects.insert(segment.baseOffset)
        foundDamage?()
        let end = index + 1 < segments.count ? segments[index + 1].baseOffset : logEndOffset
        return DamagedStretch(
            segment: segment.baseOffset, bytes: position..<max(position, segment.size),
            offsets: offset..<max(offset + 1, end))
    }

    /// Where a segment's part below `bound` ends: never behind what has been written. What waits for a slow disk may be in an
    /// earlier segment than the last.
    private func position(of bound: Offset, inSegmentAt index: Int) throws(DiskError) -> Int64 {
        let segment = segments[index]
        if index + 1 < segments.count, segments[index + 1].baseOffset <= bound { return segment.written }
        if bound >= logEndOffset { return segment.written }
        return try place(of: bound, in: segment)?.position ?? segment.written
    }

    // MARK: By time

    /// Where segments begin, and when each file was changed last (ms since 1970), oldest first; at the end, when the last one holds
    /// anything, the log's end and `nowMs`. All that ListOffsets 0 can ask for.
    /// Cost: a look at each file.
    package func segmentTimes(nowMs: Int64) throws(ReadError) -> [(offset: Offset, ms: Int64)] {
        if let refusal { throw .offline(reason: "\(refusal)") }
        var times: [(offset: Offset, ms: Int64)] = []
        do throws(DiskError) {
            for segment in segments {
                // Being made: it has not been changed since now.
                let ms = segment.file == nil ? nowMs : try disk.modifiedMs(segment.path)
                times.append((max(segment.baseOffset, logStartOffset), ms))
            }
        } catch { throw .disk(error) }
        if active.size > 0 { times.append((logEndOffset, nowMs)) }
        return times
    }

    /// The first record (among those below `below`) whose timestamp is at least `timestamp`; nil when there is none.
    package func offset(forTimestamp timestamp: Int64, below: Offset) throws(ReadError) -> TimestampOffset? {
        if let refusal { throw .offline(reason: "\(refusal)") }
        let bound = min(below, logEndOffset)
        for segment in segments where segment.maxTimestamp >= timestamp && segment.baseOffset < bound {
            do throws(DiskError) {
                let from = try segment.timeIndex.entry(atOrBefore: timestamp)?.offset ?? segment.baseOffset
                let position = try segment.offsetIndex.position(
                    atOrBefore: max(from, logStartOffset), logSize: segment.size)
                guard let file = segment.file else { continue }
                var scanner = HeaderScanner(file, from: position, to: segment.written)
                while let header = try scanner.next(), header.baseOffset < bound {
                    guard header.maxTimestamp >= timestamp, header.lastOffset >= logStartOffset else { continue }
                    let region = FileRegion(file: file, offset: scanner.batchPosition, length: header.size)
                    let found = try firstRecord(region, header) {
                        $0.timestamp >= timestamp && $0.offset >= self.logStartOffset
                    }
                    if let found { return found.offset < bound ? found : nil }
                }
            } catch { throw .disk(error) }
        }
        return nil
    }

    /// The first record with the largest timestamp (KIP-734): ListOffsets -3. Nil when no record has a timestamp.
    /// Cost: one batch is unpacked, where segments know which; else, when that one lies below the log's start or compaction has
    /// emptied it, headers are scanned and batches unpacked until no header promises more.
    package func offsetOfMaxTimestamp() throws(ReadError) -> TimestampOffset? {
        if let refusal { throw .offline(reason: "\(refusal)") }
        var known: Segment?
        for segment in segments where segment.maxTimestamp > known?.maxTimestamp ?? -1 { known = segment }
        guard let known else { return nil }
        do throws(DiskError) {
            if let file = known.file, let place = try place(of: known.offsetOfMaxTimestamp, in: known),
                place.baseOffset < logEndOffset
            {
                let region = FileRegion(file: file, offset: place.position, length: place.size)
                let bytes = try region.contents()
                let header = bytes.withUnsafeBytes { BatchHeader($0) }
                let wanted = known.maxTimestamp
                if let header,
                    let found = try firstRecord(
                        region, header,
                        where: {
                            $0.timestamp == wanted && $0.offset >= self.logStartOffset
                        })
                {
                    return found
                }
            }
            var best: TimestampOffset?
            for segment in segments.sorted(by: { $0.maxTimestamp > $1.maxTimestamp }) {
                try look(in: segment, for: &best)
            }
            return best
        } catch { throw .disk(error) }
    }

    /// A larger timestamp than the best so far, or the same one earlier.
    private func look(in segment: Segment, for best: inout TimestampOffset?) throws(DiskError) {
        func isBetter(_ timestamp: Int64, _ offset: Offset) -> Bool {
            guard let best else { return timestamp >= 0 }
            return timestamp > best.timestamp || timestamp == best.timestamp && offset < best.offset
        }
        guard let file = segment.file, isBetter(segment.maxTimestamp, segment.baseOffset) else { return }
        let from = try segment.offsetIndex.position(
            atOrBefore: max(segment.baseOffset, logStartOffset), logSize: segment.size)
        var scanner = HeaderScanner(file, from: from, to: segment.written)
        while let header = try scanner.next(), header.lastOffset < logEndOffset {
            guard header.lastOffset >= logStartOffset, isBetter(header.maxTimestamp, header.baseOffset) else {
                continue
            }
            let region = FileRegion(file: file, offset: scanner.batchPosition, length: header.size)
            var largest: Int64 = -1
            _ = try firstRecord(region, header) { record in
                if record.offset >= self.logStartOffset { largest = max(largest, record.timestamp) }
                return false
            }
            let found = try firstRecord(region, header) {
                $0.timestamp == largest && $0.offset >= self.logStartOffset
            }
            if let found, isBetter(found.timestamp, found.offset) { best = found }
        }
    }

    /// Unpacks one batch. Nil too when it cannot be unpacked: somebody else will complain.
    private func firstRecord(
        _ region: FileRegion, _ header: BatchHeader, where isWanted: (OwnedRecord) -> Bool
    ) throws(DiskError) -> TimestampOffset? {
        let bytes = try region.contents()
        let found: OwnedRecord? = bytes.withUnsafeBytes { raw in
            if header.magic < 2 { return (try? LegacyMessages.records(raw))?.first(where: isWanted) }
            guard let batch = try? RecordBatch(raw), var iterator = try? RecordIterator(batch) else { return nil }
            while let record = try? iterator.next() {
                let plain = OwnedRecord(offset: record.offset, timestamp: record.timestamp, key: nil, value: nil)
                if isWanted(plain) { return plain }
            }
            return nil
        }
        return found.map {
            TimestampOffset(timestamp: $0.timestamp, offset: $0.offset, leaderEpoch: header.leaderEpoch)
        }
    }
}
