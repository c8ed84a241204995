import ClusterModel
import Platform

extension PartitionLog {
    /// Syncs all that is written. `recoveryPoint` moves when it is done.
    package func flush(then: @escaping (AppendError?) -> Void) {
        if let refusal { return then(refusal) }
        sync(then)
    }

    /// Calls back when all that is written is held, with a sync where `flush.messages` wants one.
    package func whenHeld(then: @escaping (AppendError?) -> Void) {
        if let refusal { return then(refusal) }
        if heldEnd >= logEndOffset { then(nil) } else { sync(then) }
    }

    /// `flush.ms`: call it now and then.
    package func flushIfDue() {
        guard refusal == nil, settings.flushMs != .max, recoveryPoint < logEndOffset,
            (world.clock.now - lastSync).wholeMilliseconds >= settings.flushMs
        else { return }
        sync { _ in }
    }

    /// Forgets producers that wrote nothing for `producer.id.expiration.ms`.
    package func expireProducers() {
        ledger.expire(nowMs: world.clock.wallMs, expirationMs: settings.producerExpirationMs)
    }

    /// One sync covers all that were asked for while the one before it was under way.
    func sync(_ then: @escaping (AppendError?) -> Void) {
        syncWaiters.append(then)
        // Not beside a cut, which removes what would be synced.
        if !isSyncing, !isExclusive { startSync() }
    }

    private func startSync() {
        let waiters = syncWaiters
        syncWaiters = []
        let target = logEndOffset
        guard target > recoveryPoint else {
            for waiter in waiters { waiter(nil) }
            return
        }
        guard !isClosed else {
            for waiter in waiters { waiter(.closed) }
            return
        }
        isSyncing = true
        inFlight += 1
        lastSync = world.clock.now
        let dirty = unsyncedSegments
        let work = syncWork(dirty)
        let cuts = self.cuts
        syncLane.perform { () throws(DiskError) in
            try work.perform()
        } then: { [self] result in
            isSyncing = false
            switch result {
            case .success:
                if cuts == self.cuts {
                    recoveryPoint = max(recoveryPoint, target)
                    for segment in dirty { segment.nameIsDurable = true }
                    holds(recoveryPoint)
                }
                for waiter in waiters { waiter(nil) }
            case .failure(let error) where error.isWantOfRoom:
                // The epochs' file was not written, and nothing was synced: both are done again with the next sync.
                storedEpochs = nil
                room.ranOut(error)
                for waiter in waiters { waiter(.noRoom(directory: directory)) }
                answerDuplicates(upTo: target, .noRoom(directory: directory))
            case .failure(let error):
                // Nothing written to these files may be believed durable any more.
                fail(error)
                for waiter in waiters { waiter(.offline(reason: error.description)) }
            }
            if !syncWaiters.isEmpty, !isExclusive { startSync() }
            landed()
        }
    }

    /// Those that may hold something at or behind the recovery point, and the one that ends there: its indexes were perhaps
    /// written after it was synced.
    private var unsyncedSegments: [Segment] {
        segments.indices.filter { $0 == segments.count - 1 || segments[$0 + 1].baseOffset >= recoveryPoint }
            .map { segments[$0] }.filter { $0.file != nil }
    }

    private func syncWork(_ dirty: [Segment]) -> SyncWork {
        let indexes = dirty.flatMap { [$0.offsetIndex.file, $0.timeIndex.file] }.filter(\.isSealed).map(\.path)
        let transactions = dirty.filter { $0.isSealed && $0.aborted == nil }.map {
            SegmentFiles.path(directory, $0.baseOffset, .transactionIndex)
        }
        let namesChanged = dirty.contains { !$0.nameIsDurable }
        let metadata = "\(directory)/\(PartitionLog.metadataFile)"
        return SyncWork(
            disk: disk, directory: directory, epochs: unwrittenEpochs(), files: dirty.compactMap(\.file),
            others: indexes + transactions + (namesChanged && topicID != nil ? [metadata] : []),
            namesChanged: namesChanged)
    }

    struct SyncWork {
        var disk: any Disk
        var directory: String
        /// Before the records whose epochs they are.
        var epochs: SmallFile?
        var files: [any File]
        /// Small ones, written a while ago: sealed indexes.
        var others: [String]
        var namesChanged: Bool

        func perform() throws(DiskError) {
            if let epochs { try disk.replace(epochs.path, with: epochs.bytes) }
            for file in files { try file.sync() }
            for path in others {
                let file = try disk.open(path, .update)
                defer { file.close() }
                try file.sync()
            }
            guard namesChanged else { return }
            try disk.syncDirectory(directory)
            // The log's own name, in its first life.
            try disk.syncDirectory(parentDirectory(of: directory))
        }
    }

    // MARK: Alone

    /// Runs `operation` when nothing is in flight and holds up everything asked for later until `exclusiveDone`.
    func exclusively(_ operation: @escaping () -> Void) {
        cancelCleaning()
        if isExclusive {
            waiting.append { [self] in exclusively(operation) }
            return
        }
        isExclusive = true
        if inFlight == 0 { operation() } else { whenQuiet = operation }
    }

    func exclusiveDone() {
        isExclusive = false
        if !syncWaiters.isEmpty, !isSyncing { startSync() }
        while !isExclusive, !waiting.isEmpty { waiting.removeFirst()() }
    }

    // MARK: The end

    /// Writes out indexes and the producers' state, syncs, closes. Nothing else works afterwards.
    package func close(then: @escaping (AppendError?) -> Void) {
        if let refusal { return then(refusal == .closed ? nil : refusal) }
        exclusively { [self] in
            if let refusal {
                then(refusal == .closed ? nil : refusal)
                return exclusiveDone()
            }
            let last = active
            last.finishTimes()
            let indexes = unwrittenIndexes(last)
            let snapshot = ProducerSnapshot.bytes(ledger)
            let snapshotPath = SegmentFiles.path(directory, nextOffset, .snapshot)
            var work = syncWork(unsyncedSegments)
            work.others += indexes.map(\.path) + [snapshotPath]
            work.namesChanged = true
            let disk = self.disk
            let end = logEndOffset
            let jobWork = work
            isClosed = true
            // In the lane of syncs: behind the epochs' last writing.
            syncLane.perform { () throws(DiskError) in
                for index in indexes { try disk.write(index.bytes, to: index.path) }
                try disk.write(snapshot, to: snapshotPath)
                try jobWork.perform()
            } then: { [self] result in
                switch result {
                case .success:
                    recoveryPoint = end
                    then(nil)
                case .failure(let error):
                    offlineReason = offlineReason ?? error.description
                    then(.offline(reason: error.description))
                }
                exclusiveDone()
            }
        }
    }

    /// The files go to `newDirectory`, to be removed there; the caller syncs the parent directory. Appends are refused from now on.
    func moveAway(to newDirectory: String, then: @escaping (DiskError?) -> Void) {
        let wasClosed = isClosed
        isClosed = true
        cancelCleaning()
        let disk = self.disk
        let directory = self.directory
        let move = { [self] in
            syncLane.perform { () throws(DiskError) in
                try disk.rename(directory, to: newDirectory)
            } then: { [self] result in
                switch result {
                case .success: then(nil)
                case .failure(let error): then(error)
                }
                if !wasClosed { exclusiveDone() }
            }
        }
        if wasClosed { move() } else { exclusively(move) }
    }
}
