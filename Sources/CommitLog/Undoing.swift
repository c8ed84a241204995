import ClusterModel
import Platform

// A write that found no room: whatever was accepted and not written is taken back, so that the log is what it was before.
extension PartitionLog {
    /// Where the first write that failed would have begun.
    struct Unwritten {
        var segment: Segment
        var position: Int64
        var error: DiskError
    }

    /// Nothing behind the first failed write counts, even if later ones worked: there would be a hole.
    func foundNoRoom(_ error: DiskError, _ segment: Segment, _ position: Int64) {
        room.ranOut(error)
        guard unwritten == nil else { return }
        unwritten = Unwritten(segment: segment, position: position, error: error)
        if !isExclusive {
            exclusively { [self] in undo { [self] in exclusiveDone() } }
        } else if let operation = whenQuiet {
            // It waits for quiet to work on the log: on the log as it is then.
            whenQuiet = { [self] in undo(then: operation) }
        }
    }

    /// Alone, with nothing in flight. Needs no new space.
    private func undo(then: @escaping () -> Void) {
        guard let unwritten, refusal == nil else {
            self.unwritten = nil
            return then()
        }
        let end = logEndOffset
        var removed: [Offset] = []
        var file: (any File)?
        var position = unwritten.position
        do throws(DiskError) {
            if let index = segments.firstIndex(where: { $0 === unwritten.segment }) {
                // The failed one itself goes too when its file could not even be made.
                let kept = unwritten.segment.file == nil && index > 0 ? index : index + 1
                removed = segments[kept...].map(\.baseOffset)
                segments.removeSubrange(kept...)
                if kept == index { position = active.size }
                try active.truncate(to: end, position: position)
                active.aborted = try active.abortedTransactions(disk).filter { $0.lastOffset < end }
                file = active.file
            }
        } catch {
            self.unwritten = nil
            fail(error)
            return then()
        }
        takeBack(to: end)
        let kept = segments.compactMap(\.stored)
        let disk = self.disk
        let directory = self.directory
        let cut = file
        let size = position
        let gone = removed
        lane.perform { () throws(DiskError) -> ProducerLedger in
            for base in gone.reversed() { try LogRecovery.removeSegment(directory, base, disk) }
            if let cut, cut.size > size { try cut.truncate(to: size) }
            return try LogRecovery.ledger(directory, disk: disk, upTo: end, segments: kept)
        } then: { [self] result in
            switch result {
            case .success(let ledger):
                self.ledger = ledger
                self.unwritten = nil
            case .failure(let error) where error.isWantOfRoom && room.isOpen:
                // Cutting itself needs room on some file systems: as soon as there is some.
                room.ranOut(error)
                return room.whenThereIsRoom { [self] in undo(then: then) }
            case .failure(let error):
                self.unwritten = nil
                fail(error)
            }
            then()
        }
    }

    private func takeBack(to end: Offset) {
        cuts += 1
        recent.clear()
        nextOffset = end
        _ = epochs.truncateEnd(to: end)
        // The leader's own epoch has begun, whether it has a record or not.
        if let ledEpoch, ledEpoch > epochs.latest ?? .none { _ = epochs.assign(ledEpoch, from: end) }
        epochsChanged()
        let refused = duplicates.filter { $0.end > end }
        duplicates.removeAll { $0.end > end }
        for duplicate in refused { duplicate.answer(.noRoom(directory: directory)) }
    }
}
