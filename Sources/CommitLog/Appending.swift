import ClusterModel
import Platform
import Records

extension PartitionLog {
    /// The leader's append. `batches`: whole, validated v2 batches (`BatchValidator`): one from a producer, or any number without
    /// producer ids; their base offsets and leader epochs are overwritten in place. Checks sequence numbers first (section 5 of
    /// Kafka's rules), so that nothing is written on error.
    /// - Parameter then: once, possibly within the call, after the write and, with `flush.messages`, after the sync.
    /// Cost: one write of all bytes from where they are. They may be reused as soon as this returns.
    package func append(
        _ batches: UnsafeMutableRawBufferPointer, leaderEpoch: LeaderEpoch,
        then: @escaping (Result<AppendedRange, AppendError>) -> Void
    ) {
        if let refusal { return then(.failure(refusal)) }
        if isFull { return refuse(then) }
        if isExclusive {
            var copy = [UInt8](batches)
            waiting.append { [self] in copy.withUnsafeMutableBytes { append($0, leaderEpoch: leaderEpoch, then: then) }
            }
            return
        }
        guard batches.count <= settings.segmentBytes else {
            return then(.failure(.setTooLarge(bytes: batches.count, limit: settings.segmentBytes)))
        }
        var set = AppendSet(nextOffset)
        do throws(AppendError) {
            if let duplicate = try judge(batches, into: &set) { return answerDuplicate(duplicate, then) }
        } catch { return then(.failure(error)) }
        guard set.end > nextOffset else {
            return then(.success(AppendedRange(offsets: nextOffset..<nextOffset, isDuplicate: false, maxTimestamp: -1)))
        }
        rollIfNeeded(set, bytes: batches.count)
        let segment = active
        // Everything was looked at before: from here on nothing fails.
        var position = 0
        var offset = nextOffset
        while position < batches.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: batches[position...])
            RecordBatch.place(rest, at: offset, leaderEpoch: leaderEpoch)
            guard let batch = try? RecordBatch(UnsafeRawBufferPointer(rest)) else {
                preconditionFailure("batch changed")
            }
            recent.append(
                baseOffset: offset, lastOffset: batch.lastOffset, position: segment.size + Int64(position),
                size: batch.size)
            if let aborted = ledger.appended(batch) { segment.aborted?.append(aborted) }
            offset = batch.nextOffset
            position += batch.size
        }
        if epochs.assign(leaderEpoch, from: nextOffset) { epochsChanged() }
        submit(UnsafeRawBufferPointer(batches), set, then)
    }

    /// What a leader sent: offsets and epochs stay as they are. A cut batch at the end is left out. An empty range when no
    /// whole batch was there. Refuses offsets below `nextOffset`; gaps are fine (compaction makes them).
    package func appendAsFollower(
        _ batches: UnsafeRawBufferPointer, then: @escaping (Result<AppendedRange, AppendError>) -> Void
    ) {
        if let refusal { return then(.failure(refusal)) }
        if isFull { return refuse(then) }
        if isExclusive {
            let copy = [UInt8](batches)
            waiting.append { [self] in copy.withUnsafeBytes { appendAsFollower($0, then: then) } }
            return
        }
        var set = AppendSet(nextOffset)
        var entries = LogEntries(batches)
        var taken = 0
        do throws(RecordError) {
            while let entry = try entries.next() {
                let header = entry.header
                guard header.matches(entry.bytes) else {
                    throw .corrupt("checksum of the batch at \(header.baseOffset)")
                }
                guard header.baseOffset >= set.end, header.lastOffset < 1 << 62 else {
                    return then(.failure(.unexpectedOffset(got: header.baseOffset, logEnd: set.end)))
                }
                // A segment's offsets fit 32 bits; what compaction left may not, and the rest will be fetched again.
                if set.end > nextOffset, header.lastOffset - set.first > Int64(Int32.max) { break }
                // A packed message of the old formats tells its last offset only: its first is behind what is here.
                set.add(
                    header.maxTimestamp, from: header.magic < 2 ? set.end : header.baseOffset,
                    nextOffset: header.lastOffset + 1)
                taken = entries.position
            }
        } catch { return then(.failure(.unreadable(error))) }
        guard set.end > nextOffset else {
            return then(.success(AppendedRange(offsets: nextOffset..<nextOffset, isDuplicate: false, maxTimestamp: -1)))
        }
        ledEpoch = nil
        let bytes = UnsafeRawBufferPointer(rebasing: batches[..<taken])
        rollIfNeeded(set, bytes: bytes.count)
        let segment = active
        var position = 0
        var hasNewEpoch = false
        while let header = BatchHeader(UnsafeRawBufferPointer(rebasing: bytes[position...])) {
            recent.append(
                baseOffset: header.baseOffset, lastOffset: header.lastOffset,
                position: segment.size + Int64(position), size: header.size)
            if header.magic == 2, let batch = try? RecordBatch(UnsafeRawBufferPointer(rebasing: bytes[position...])) {
                if let aborted = ledger.appended(batch) { segment.aborted?.append(aborted) }
                if epochs.assign(batch.leaderEpoch, from: batch.baseOffset) { hasNewEpoch = true }
            }
            position += header.size
        }
        if hasNewEpoch { epochsChanged() }
        submit(bytes, set, then)
    }

    /// What one append adds, batches taken together.
    struct AppendSet {
        /// Of the first batch.
        private(set) var first: Offset
        var end: Offset
        var maxTimestamp: Int64 = -1
        var offsetOfMaxTimestamp: Offset

        init(_ nextOffset: Offset) {
            first = nextOffset
            end = nextOffset
            offsetOfMaxTimestamp = nextOffset
        }

        private var isEmpty = true

        mutating func add(_ timestamp: Int64, from baseOffset: Offset, nextOffset: Offset) {
            if isEmpty { first = baseOffset }
            isEmpty = false
            end = nextOffset
            if timestamp > maxTimestamp {
                maxTimestamp = timestamp
                offsetOfMaxTimestamp = nextOffset - 1
            }
        }
    }

    /// Looks at every batch before any is changed.
    private func judge(
        _ batches: UnsafeMutableRawBufferPointer, into set: inout AppendSet
    ) throws(AppendError) -> AppendedRange? {
        var position = 0
        while position < batches.count {
            let batch: RecordBatch
            do throws(RecordError) {
                batch = try RecordBatch(UnsafeRawBufferPointer(rebasing: batches[position...]))
            } catch { throw .unreadable(error) }
            guard batch.lastOffsetDelta >= 0 else {
                throw .unreadable(.invalid("last offset delta \(batch.lastOffsetDelta)"))
            }
            if case .duplicate(let offsets, let timestamp) = try ledger.judge(batch) {
                return AppendedRange(offsets: offsets, isDuplicate: true, maxTimestamp: timestamp)
            }
            set.add(batch.maxTimestamp, from: set.end, nextOffset: set.end + Int64(batch.lastOffsetDelta) + 1)
            position += batch.size
        }
        return nil
    }

    /// Not before the original is held: the promise is the same.
    private func answerDuplicate(
        _ range: AppendedRange, _ then: @escaping (Result<AppendedRange, AppendError>) -> Void
    ) {
        let end = range.offsets.upperBound
        if end <= heldEnd { return then(.success(range)) }
        duplicates.append((end: end, answer: { then($0.map { .failure($0) } ?? .success(range)) }))
        // Its own sync may have failed for want of room.
        if end <= logEndOffset { sync { _ in } }
    }

    // MARK: Writing

    private func submit(
        _ bytes: UnsafeRawBufferPointer, _ set: AppendSet,
        _ then: @escaping (Result<AppendedRange, AppendError>) -> Void
    ) {
        let segment = active
        let position = segment.size
        let count = bytes.count
        segment.accepted(
            bytes.count, lastOffset: set.end - 1, maxTimestamp: set.maxTimestamp,
            offsetOfMaxTimestamp: set.offsetOfMaxTimestamp, indexInterval: settings.indexIntervalBytes)
        nextOffset = set.end
        inFlight += 1
        let written: (DiskError?) -> Void = { [self] error in
            if let error {
                if error.isWantOfRoom, offlineReason == nil {
                    foundNoRoom(error, segment, position)
                } else {
                    fail(error)
                }
            }
            wrote(set, segment, bytes: count, then)
        }
        if !isRolling, deferred.isEmpty, let file = segment.file {
            lane.write(bytes, to: file, at: position, then: written)
        } else {
            deferred.append(.write(bytes: [UInt8](bytes), segment: segment, position: position, then: written))
        }
    }

    private func refuse(_ then: (Result<AppendedRange, AppendError>) -> Void) {
        room.counted()
        then(.failure(.noRoom(directory: directory)))
    }

    private func wrote(
        _ set: AppendSet, _ segment: Segment, bytes: Int,
        _ then: @escaping (Result<AppendedRange, AppendError>) -> Void
    ) {
        // After the lane's first failure nothing counts as written, even if later writes worked: there would be a hole.
        if let offlineReason {
            then(.failure(.offline(reason: offlineReason)))
        } else if unwritten != nil {
            refuse(then)
        } else {
            segment.wrote(bytes)
            logEndOffset = set.end
            let range = AppendedRange(offsets: set.first..<set.end, isDuplicate: false, maxTimestamp: set.maxTimestamp)
            if logEndOffset - recoveryPoint >= settings.flushMessages {
                sync { error in then(error.map { .failure($0) } ?? .success(range)) }
            } else {
                holds(set.end)
                then(.success(range))
            }
        }
        landed()
    }

    /// Whatever is below `end` counts as held from now on.
    func holds(_ end: Offset) {
        heldEnd = max(heldEnd, end)
        if !duplicates.isEmpty { answerDuplicates(upTo: heldEnd, nil) }
    }

    func answerDuplicates(upTo end: Offset, _ error: AppendError?) {
        let ready = duplicates.filter { $0.end <= end }
        duplicates.removeAll { $0.end <= end }
        for duplicate in ready { duplicate.answer(error) }
    }

    /// Something in flight has completed.
    func landed() {
        inFlight -= 1
        if inFlight == 0, let operation = whenQuiet {
            whenQuiet = nil
            operation()
        }
    }

    // MARK: Rolling

    /// What sealing one segment and making the next takes, as values that the lane's helper may have.
    struct Roll {
        var old: Segment
        var new: Segment
        var indexes: [(path: String, bytes: [UInt8])]
        var snapshot: [UInt8]
    }

    private func rollIfNeeded(_ set: AppendSet, bytes: Int) {
        let isDue = active.mustRoll(
            before: bytes, lastOffset: set.end - 1, maxTimestamp: set.maxTimestamp, settings: settings,
            nowMs: world.clock.wallMs)
        if isDue { roll(at: set.first) }
    }

    /// Seals the last segment and begins a new one. Its file is made by the lane; until then writes wait.
    func roll(at baseOffset: Offset) {
        let old = active
        guard baseOffset > old.baseOffset else { return }
        let segment = Segment(baseOffset: baseOffset, directory: directory, nowMs: world.clock.wallMs, disk: disk)
        segment.rollJitterMs = drawJitter()
        old.finishTimes()
        segments.append(segment)
        recent.clear()
        let roll = Roll(
            old: old, new: segment,
            indexes: unwrittenIndexes(old),
            snapshot: ProducerSnapshot.bytes(ledger))
        inFlight += 1
        if isRolling || !deferred.isEmpty { deferred.append(.roll(roll)) } else { perform(roll) }
        world.journal.debug("rolled a segment", ["partition": partition, "base": baseOffset])
    }

    func unwrittenIndexes(_ segment: Segment) -> [(path: String, bytes: [UInt8])] {
        var indexes = [segment.offsetIndex.file, segment.timeIndex.file].map {
            (path: $0.path, bytes: $0.unwritten ?? [])
        }
        let path = SegmentFiles.path(directory, segment.baseOffset, .transactionIndex)
        if let aborted = segment.aborted, !aborted.isEmpty {
            indexes.append((path: path, bytes: TransactionIndex.bytes(aborted)))
        }
        return indexes
    }

    /// Logs that were begun together shall not roll together.
    func drawJitter() -> Int64 {
        let most = min(settings.segmentJitterMs, settings.segmentMs)
        return most <= 0 ? 0 : Int64(world.random() % UInt64(most))
    }

    private func perform(_ roll: Roll) {
        isRolling = true
        let snapshotPath = SegmentFiles.path(directory, roll.new.baseOffset, .snapshot)
        let path = roll.new.path
        let disk = self.disk
        let indexes = roll.indexes
        let snapshot = roll.snapshot
        lane.perform { () throws(DiskError) -> any File in
            for index in indexes { try disk.write(index.bytes, to: index.path) }
            try disk.write(snapshot, to: snapshotPath)
            return try disk.open(path, .replace)
        } then: { [self] result in
            isRolling = false
            switch result {
            case .success(let file):
                roll.new.file = file
                roll.old.offsetIndex.file.seal()
                roll.old.timeIndex.file.seal()
                if roll.old.aborted?.isEmpty == false { roll.old.aborted = nil }
                goOn()
                sync { _ in }
                let next = afterRoll
                afterRoll = nil
                next?()
            case .failure(let error) where error.isWantOfRoom:
                afterRoll = nil
                foundNoRoom(error, roll.new, 0)
                goOn()
            case .failure(let error):
                fail(error)
                goOn()
            }
            landed()
        }
    }

    /// What waited for a segment's file, up to the next one's.
    private func goOn() {
        while !isRolling, !deferred.isEmpty {
            switch deferred.removeFirst() {
            case .write(let bytes, let segment, let position, let then):
                guard offlineReason == nil, unwritten == nil, let file = segment.file else {
                    then(
                        unwritten?.error
                            ?? DiskError(operation: "write", path: directory, code: 0, reason: "the log is offline"))
                    continue
                }
                bytes.withUnsafeBytes { raw in lane.write(raw, to: file, at: position, then: then) }
            case .roll(let next):
                if offlineReason == nil, unwritten == nil { perform(next) } else { landed() }
            }
        }
    }
}
