import ClusterModel
import Platform

/// One batch as it lies in a log.
struct KnownBatch: Equatable {
    var base: Offset
    var last: Offset
    var epoch: Int32
    var crc: UInt32
    var producer: Int64
    var producerEpoch: Int16
    var sequence: Int32
}

/// One replica of a partition, as far as it was seen: what its files hold, whether or not its broker runs.
struct Copy {
    /// The host that was looked at last, and its broker's life; another one has read its files anew.
    var host: ObjectIdentifier?
    var life = 0
    var batches: [KnownBatch] = []
    /// So many batches, from the first on, are those that were committed.
    var agreed = 0
    /// So many of them, at most, a start must find: behind a power failure, what it had acknowledged before.
    var owed = Int.max
    /// It lost power since it last held everything committed: what it holds proves nothing.
    var isDamaged = false
    /// It was taken out of the assignment since it was last in sync: it may have been removed, and begin empty.
    var wasDropped = false
    /// Told by a host: the last seen.
    var leads = false
    var leaderEpoch: Int32 = -1
    var highWatermark: Offset = 0

    var end: Offset { batches.last.map { $0.last + 1 } ?? 0 }
}

/// A partition as nobody in the cluster knows it: what was committed, by whom it was led, what each replica holds.
final class PartitionTruth {
    let partition: TopicPartition
    /// Everything below some leader's high watermark, in order; it never changes.
    private(set) var committed: [KnownBatch] = []
    /// The words of each committed batch's records.
    private(set) var words: [[String]] = []
    var copies: [Copy]
    /// Who led under which leader epoch.
    var leaders: [Int32: Int] = [:]
    /// What the tree says: the state and its version.
    var recorded: PartitionState?
    var recordedVersion: Int32 = -1
    /// Who should hold it, and whether that is being changed.
    private(set) var replicas: [Int] = []
    private(set) var isMoving = false
    var assignmentVersion: Int32 = -1
    /// An offset and an epoch name one batch, in all replicas and for ever.
    private var names: [Name: UInt32] = [:]
    private var written: [Name: [String]] = [:]
    /// The number that each producer's next record has.
    private var expected: [String: Int] = [:]

    private struct Name: Hashable {
        var base: Offset
        var epoch: Int32
    }

    init(_ partition: TopicPartition, brokers: Int) {
        self.partition = partition
        copies = Array(repeating: Copy(), count: brokers)
    }

    var end: Offset { committed.last.map { $0.last + 1 } ?? 0 }

    func assigned(_ assignment: TopicAssignment) {
        replicas = (assignment.replicas[partition.partition] ?? []).map { Int($0.raw) }
        isMoving =
            assignment.adding[partition.partition]?.isEmpty == false
            || assignment.removing[partition.partition]?.isEmpty == false
        for id in copies.indices where !replicas.contains(id) { copies[id].wasDropped = true }
    }

    /// - Returns: the other checksum under this name, when there is one.
    func name(_ batch: KnownBatch) -> UInt32? {
        let name = Name(base: batch.base, epoch: batch.epoch)
        if let known = names[name] { return known == batch.crc ? nil : known }
        names[name] = batch.crc
        return nil
    }

    func remember(_ words: [String], of batch: KnownBatch) {
        written[Name(base: batch.base, epoch: batch.epoch)] = words
    }
    func words(of batch: KnownBatch) -> [String] { written[Name(base: batch.base, epoch: batch.epoch)] ?? [] }

    /// Finds how far a copy agrees with what was committed; it looks only at what it has not compared yet.
    func compare(_ copy: Int) {
        var agreed = min(copies[copy].agreed, copies[copy].batches.count)
        while agreed < copies[copy].batches.count, agreed < committed.count,
            copies[copy].batches[agreed] == committed[agreed]
        {
            agreed += 1
        }
        copies[copy].agreed = agreed
    }

    func holdsAll(_ copy: Int) -> Bool { copies[copy].agreed == committed.count }

    func commit(_ batch: KnownBatch, _ words: [String]) {
        committed.append(batch)
        self.words.append(words)
    }

    /// A committed record's producer and number: idempotent ones come once and in order, plain ones may come again.
    /// - Returns: what is wrong.
    func count(_ word: String) -> String? {
        let parts = word.split(separator: "/")
        guard parts.count == 3, let number = Int(parts[2]), let kind = Setting.ProducerKind(rawValue: String(parts[1]))
        else {
            return "nobody wrote \(word)"
        }
        let key = String(parts[0])
        let next = expected[key, default: 0]
        switch kind {
        case .idempotent:
            if number != next {
                return "\(key) wrote \(number) where \(next) was due: " + (number < next ? "twice" : "a gap")
            }
            expected[key] = next + 1
        case .plain:
            if number > next { return "\(key) wrote \(number) where \(next) was due: a gap" }
            expected[key] = max(next, number + 1)
        case .leaderOnly: break
        }
        return nil
    }

    /// The committed batch that holds `offset`.
    func index(of offset: Offset) -> Int? {
        var (low, high) = (0, committed.count)
        while low < high {
            let middle = (low + high) / 2
            if committed[middle].last < offset { low = middle + 1 } else { high = middle }
        }
        guard low < committed.count, committed[low].base <= offset else { return nil }
        return low
    }
}
