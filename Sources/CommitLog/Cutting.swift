import ClusterModel
import Platform
import Records

extension PartitionLog {
    /// Cuts away `offset` and all behind it (from the beginning of the batch that holds it). Appends asked for afterwards wait until
    /// it is done. Reads go on meanwhile, below the cut.
    package func truncate(to offset: Offset, then: @escaping (AppendError?) -> Void) {
        if let refusal { return then(refusal) }
        ledEpoch = nil
        exclusively { [self] in
            if let refusal { return finish(refusal, then) }
            if offset < segments[0].baseOffset { return startOver(at: offset, then) }
            guard offset < nextOffset else {
                // Nothing to cut; but an epoch that began at the end without a record contradicts the leader.
                if epochs.truncateEnd(to: offset) { epochsChanged() }
                return finish(nil, then)
            }
            do throws(DiskError) {
                try cut(at: offset, then)
            } catch {
                fail(error)
                finish(.offline(reason: error.description), then)
            }
        }
    }

    /// Forgets everything and goes on at `offset`: the leader's log begins behind the end of this one.
    package func restart(at offset: Offset, then: @escaping (AppendError?) -> Void) {
        if let refusal { return then(refusal) }
        ledEpoch = nil
        exclusively { [self] in
            if let refusal { return finish(refusal, then) }
            startOver(at: offset, then)
        }
    }

    /// DeleteRecords, and the leader's log start as told to followers. Never backwards, never beyond `logEndOffset`.
    package func advanceLogStart(to offset: Offset) {
        guard refusal == nil, offset > logStartOffset, offset <= logEndOffset else { return }
        logStartOffset = offset
        if epochs.truncateStart(to: offset) { epochsChanged() }
    }

    private func finish(_ error: AppendError?, _ then: (AppendError?) -> Void) {
        then(error)
        exclusiveDone()
    }

    private func cut(at offset: Offset, _ then: @escaping (AppendError?) -> Void) throws(DiskError) {
        let index = segmentIndex(of: offset)
        let segment = segments[index]
        let place = try segment.place(of: offset)
        let position = place?.position ?? segment.size
        let end = min(offset, place?.baseOffset ?? offset)
        let removed = segments[(index + 1)...].map(\.baseOffset)
        let aborted = try segment.abortedTransactions(disk)
        try segment.truncate(to: end, position: position)
        segment.aborted = aborted.filter { $0.lastOffset < end }
        segments.removeSubrange((index + 1)...)
        ends(at: end)
        let kept = segments.compactMap(\.stored)
        let file = segment.file
        let disk = self.disk
        let directory = self.directory
        untilThereIsRoom { () throws(DiskError) -> ProducerLedger in
            // Newest first: a crash in between leaves no hole.
            for base in removed.reversed() { try LogRecovery.removeSegment(directory, base, disk) }
            // It comes again when the segment is sealed; until then nothing may be believed of what is cut off.
            let transactions = SegmentFiles.path(directory, segment.baseOffset, .transactionIndex)
            if disk.exists(transactions) {
                // Only of a log's last segment is it made anew by a start.
                try disk.syncDirectory(directory)
                try disk.remove(transactions)
            }
            try file?.truncate(to: position)
            try file?.sync()
            // Snapshots above the end go too, and must not come back.
            let ledger = try LogRecovery.ledger(directory, disk: disk, upTo: end, segments: kept)
            try disk.syncDirectory(directory)
            return ledger
        } then: { [self] result in
            wasCut(result, then)
        }
    }

    private func startOver(at offset: Offset, _ then: @escaping (AppendError?) -> Void) {
        let removed = segments.map(\.baseOffset)
        let segment = Segment(baseOffset: offset, directory: directory, nowMs: world.clock.wallMs, disk: disk)
        segment.rollJitterMs = drawJitter()
        segments = [segment]
        logStartOffset = offset
        ends(at: offset)
        heldEnd = offset
        epochs.clear()
        let path = segment.path
        let disk = self.disk
        let directory = self.directory
        untilThereIsRoom { () throws(DiskError) -> any File in
            for base in removed.reversed() { try LogRecovery.removeSegment(directory, base, disk) }
            for entry in try disk.list(directory) {
                if let found = SegmentFiles.parse(entry.name), found.kind == .snapshot {
                    try disk.remove("\(directory)/\(entry.name)")
                }
            }
            let file = try disk.open(path, .replace)
            try disk.syncDirectory(directory)
            return file
        } then: { [self] result in
            if case .success(let file) = result {
                segment.file = file
                segment.nameIsDurable = true
            }
            wasCut(result.map { _ in ProducerLedger() }, then)
        }
    }

    /// A job that changes nothing more when it is done again. Appends are refused meanwhile.
    private func untilThereIsRoom<T>(
        _ job: @escaping () throws(DiskError) -> T, then: @escaping (Result<T, DiskError>) -> Void
    ) {
        lane.perform(job) { [self] result in
            guard case .failure(let error) = result, error.isWantOfRoom, room.isOpen else { return then(result) }
            room.ranOut(error)
            room.whenThereIsRoom { [self] in untilThereIsRoom(job, then: then) }
        }
    }

    private func ends(at offset: Offset) {
        cuts += 1
        recent.clear()
        logEndOffset = offset
        heldEnd = min(heldEnd, offset)
        nextOffset = offset
        recoveryPoint = min(recoveryPoint, offset)
        logStartOffset = min(logStartOffset, offset)
        _ = epochs.truncateEnd(to: offset)
    }

    private func wasCut(_ result: Result<ProducerLedger, DiskError>, _ then: @escaping (AppendError?) -> Void) {
        switch result {
        case .failure(let error):
            fail(error)
            finish(.offline(reason: error.description), then)
        case .success(let ledger):
            self.ledger = ledger
            writeEpochs()
            // A recovery point above the new end would make a start believe what is written there next.
            guard let persistRecoveryPoint else { return finish(nil, then) }
            persistRecoveryPoint { [self] in finish(refusal, then) }
        }
    }
}
