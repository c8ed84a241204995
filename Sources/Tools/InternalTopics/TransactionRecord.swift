import Bytes
import ClusterModel

/// A record of Kafka's `__transaction_state`: what a transactional producer is in the middle of. Rule: Kafka 3.9's transaction
/// coordinator, and what its `kafka-dump-log --transaction-log-decoder` shows.
package enum TransactionRecord {
    private static let key = StoredLayout(versions: 0...0, fields: [.field("transactionalId", .text)])

    private static let value = StoredLayout(
        versions: 0...1, flexibleSince: 1,
        fields: [
            .field("producerId", .int64), .field("producerEpoch", .int16), .field("transactionTimeoutMs", .int32),
            .field("transactionStatus", .int8),
            .field(
                "transactionPartitions",
                .list(.structure("PartitionsSchema", [.field("topic", .text), .field("partitionIds", .list(.int32))])),
                nullable: true),
            .field("transactionLastUpdateTimestampMs", .int64), .field("transactionStartTimestampMs", .int64),
        ])

    /// By number.
    private static let states = [
        "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
        "PrepareEpochFence",
    ]

    /// What Kafka's tool shows for key and value. Where that gives up, on a key or a value that it cannot read, this says why and
    /// goes on.
    package static func words(
        at offset: Offset, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?
    ) -> (key: String?, payload: String?) {
        func skipped(_ error: StoredMessageError) -> String {
            "Error at offset \(offset), skipping. \(error.reason ?? "It ends too early.")"
        }
        guard let key else { return (skipped(.init(reason: "The record has no key.")), nil) }
        let id: String
        do throws(StoredMessageError) {
            let (version, content) = try read(key, self.key)
            guard let content else { return ("unknown::version=\(version)", nil) }
            id = content["transactionalId"]?.text ?? ""
        } catch { return (skipped(error), nil) }
        let shown = "transaction_metadata::transactionalId=\(id)"
        guard let value else { return (shown, "<DELETE>") }
        do throws(StoredMessageError) { return (shown, try words(value)) } catch { return (shown, skipped(error)) }
    }

    private static func words(_ bytes: UnsafeRawBufferPointer) throws(StoredMessageError) -> String {
        let (version, content) = try read(bytes, value)
        guard let content else {
            throw StoredMessageError(reason: "Unknown version \(version) from the transaction log message value")
        }
        func number(_ name: String) -> Int64 { content[name]?.integer ?? -1 }
        let code = number("transactionStatus")
        guard states.indices.contains(Int(code)) else {
            throw StoredMessageError(
                reason: "Unknown transaction state id \(code) from the transaction status message")
        }
        var partitions = HashSetOrder()
        // One that is empty has none, whatever stands there.
        if code != 0 {
            guard let topics = content["transactionPartitions"]?.list else {
                throw StoredMessageError(reason: "A transaction that is \(states[Int(code)]) has no partitions.")
            }
            for topic in topics {
                partitions.add(
                    topic["topic"]?.text ?? "",
                    (topic["partitionIds"]?.list ?? []).map { Int32(truncatingIfNeeded: $0.integer ?? -1) })
            }
        }
        return "producerId:\(number("producerId")),producerEpoch:\(number("producerEpoch")),state=\(states[Int(code)]),"
            + "partitions=[\(partitions.ordered.joined(separator: ","))],"
            + "txnLastUpdateTimestamp=\(number("transactionLastUpdateTimestampMs")),"
            + "txnTimeoutMs=\(number("transactionTimeoutMs"))"
    }

    /// Nil content for versions that Kafka does not read.
    private static func read(
        _ bytes: UnsafeRawBufferPointer, _ layout: StoredLayout
    ) throws(StoredMessageError) -> (version: Int16, content: StoredValue?) {
        var reader = ByteReader(bytes)
        guard let version = try? reader.int16() else { throw StoredMessageError() }
        guard layout.versions.contains(version) else { return (version, nil) }
        return (version, try layout.read(&reader, version: version))
    }
}

/// Partitions in the order in which Kafka's tool shows them: that of a hash set of Scala 2.13. So that two dumps of one log can be
/// laid beside each other.
struct HashSetOrder {
    private struct Entry {
        var hash: UInt32
        var name: String
    }
    private var entries: [Entry] = []
    private var known: Set<String> = []
    private var tableSize = 16

    private var threshold: Int { tableSize * 3 / 4 }

    /// A topic's partitions come as one set: a small one is taken in one by one, a larger one makes room for itself beforehand.
    mutating func add(_ topic: String, _ partitions: [Int32]) {
        var topicHash: Int32 = 0
        for unit in topic.utf16 { topicHash = topicHash &* 31 &+ Int32(unit) }
        var seen: Set<Int32> = []
        let distinct = partitions.filter { seen.insert($0).inserted }
        let wanted = HashSetOrder.tableSize(for: (distinct.count + 1) * 4 / 3)
        if wanted > tableSize { tableSize = wanted }
        for partition in distinct {
            if distinct.count <= 4, entries.count + 1 >= threshold { tableSize *= 2 }
            let name = "\(topic)-\(partition)"
            guard known.insert(name).inserted else { continue }
            let hash = UInt32(bitPattern: (31 &+ partition) &* 31 &+ topicHash)
            entries.append(Entry(hash: hash ^ hash >> 16, name: name))
        }
    }

    private static func tableSize(for capacity: Int) -> Int {
        var size = 8
        while size < capacity { size *= 2 }
        return size
    }

    /// By place in the table, then by hash; what is equal in both stays in the order in which it came.
    var ordered: [String] {
        let mask = UInt32(truncatingIfNeeded: tableSize - 1)
        return entries.enumerated().sorted { a, b in
            (a.element.hash & mask, Int32(bitPattern: a.element.hash), a.offset)
                < (b.element.hash & mask, Int32(bitPattern: b.element.hash), b.offset)
        }.map(\.element.name)
    }
}
