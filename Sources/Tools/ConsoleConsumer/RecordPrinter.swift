import Bytes
import KafkaProtocol
import Records

/// Turns fetched batches into lines on stdout, through one large buffer.
final class RecordPrinter {
    enum Outcome: Equatable {
        case goOn
        /// As many records as were asked for.
        case limit
        /// Nobody reads stdout any more.
        case deafEars
        case failed(String)
    }

    private let tool: any ToolWorld
    private let settings: ConsumerSettings
    private let isPlain: Bool
    private(set) var count = 0
    private var out = ByteWriter(capacity: 1 << 18)
    private static let full = 1 << 17

    init(_ tool: any ToolWorld, _ settings: ConsumerSettings) {
        self.tool = tool
        self.settings = settings
        isPlain = settings.format.isPlain
    }

    /// False when nobody reads any more.
    func flush() -> Bool {
        guard out.count > 0 else { return true }
        let isHeard = tool.write(out.bytes)
        out.clear()
        return isHeard
    }

    /// Prints what lies at and behind the cursor's position and moves it.
    func print(_ data: FetchResponse.PartitionData, at cursor: Cursor) -> Outcome {
        data.records.withBytes { bytes in
            do throws(RecordError) {
                return try print(bytes, data, cursor)
            } catch {
                return trouble("Received exception when fetching the next record from \(cursor.place): \(error)")
            }
        }
    }

    private func print(
        _ bytes: UnsafeRawBufferPointer, _ data: FetchResponse.PartitionData, _ cursor: Cursor
    ) throws(RecordError) -> Outcome {
        var entries = LogEntries(bytes)
        var aborted = (data.abortedTransactions ?? []).sorted { $0.firstOffset < $1.firstOffset }[...]
        var abortedProducers: Set<Int64> = []
        while let entry = try entries.next() {
            guard entry.header.magic == 2 else {
                let outcome = try printOld(entry.bytes, cursor)
                guard outcome == .goOn else { return outcome }
                cursor.position = max(cursor.position ?? 0, entry.header.lastOffset &+ 1)
                continue
            }
            let batch = try RecordBatch(entry.bytes)
            while let next = aborted.first, next.firstOffset <= batch.lastOffset {
                abortedProducers.insert(next.producerID)
                aborted.removeFirst()
            }
            if batch.isControl {
                if try ControlRecord(batch)?.kind == .abort { abortedProducers.remove(batch.producerID) }
                cursor.position = max(cursor.position ?? 0, batch.nextOffset)
                continue
            }
            let isAborted =
                settings.isReadCommitted && batch.isTransactional && abortedProducers.contains(batch.producerID)
            if batch.lastOffset < cursor.position ?? 0 || isAborted {
                cursor.position = max(cursor.position ?? 0, batch.nextOffset)
                continue
            }
            let outcome = try print(batch, cursor)
            guard outcome == .goOn else { return outcome }
        }
        return .goOn
    }

    /// A log from before Kafka 0.11 may hold messages of its formats: each is printed as a batch of one record.
    private func printOld(_ bytes: UnsafeRawBufferPointer, _ cursor: Cursor) throws(RecordError) -> Outcome {
        for record in try LegacyMessages.records(bytes) where record.offset >= cursor.position ?? 0 {
            var builder = BatchBuilder()
            builder.append(record)
            // Without a codec nothing can fail.
            let batch = (try? builder.build(baseOffset: record.offset)) ?? []
            var result: Result<Outcome, RecordError> = .success(.goOn)
            batch.withUnsafeBytes { raw in
                do throws(RecordError) { result = .success(try print(RecordBatch(raw), cursor)) } catch {
                    result = .failure(error)
                }
            }
            let outcome = try result.get()
            guard outcome == .goOn else { return outcome }
        }
        return .goOn
    }

    private func print(_ batch: RecordBatch, _ cursor: Cursor) throws(RecordError) -> Outcome {
        do throws(RecordError) {
            if settings.checksCRC, !batch.crcMatches {
                throw .corrupt("the batch at offset \(batch.baseOffset) has CRC \(batch.crc), not \(batch.computedCRC)")
            }
            var records = try RecordIterator(batch)
            let from = cursor.position ?? 0
            let most = settings.maxMessages ?? .max
            let partition = cursor.place.partition
            while count < most, let record = try records.next() {
                guard record.offset >= from else { continue }
                cursor.position = record.offset &+ 1
                count += 1
                if isPlain {
                    if let value = record.value { out.raw(value) } else { out.raw(settings.format.nullLiteral) }
                    if settings.format.lineSeparator.count == 1 {
                        out.uint8(settings.format.lineSeparator[0])
                    } else {
                        out.raw(settings.format.lineSeparator)
                    }
                } else {
                    do throws(ToolFailure) {
                        try settings.format.write(
                            record, partition: partition, isLogAppendTime: batch.isLogAppendTime, into: &out)
                    } catch {
                        let outcome = trouble("\(error.message) (\(cursor.place), offset \(record.offset))")
                        guard outcome == .goOn else { return outcome }
                    }
                }
                if out.count >= RecordPrinter.full, !flush() { return .deafEars }
            }
            if count >= most, cursor.position ?? 0 < batch.nextOffset { return .limit }
        } catch {
            guard settings.skipsErrors else { throw error }
            tool.warn("ERROR Error processing message, skipping this message: \(error) (\(cursor.place))")
        }
        cursor.position = max(cursor.position ?? 0, batch.nextOffset)
        return count >= settings.maxMessages ?? .max ? .limit : .goOn
    }

    private func trouble(_ words: String) -> Outcome {
        guard settings.skipsErrors else { return .failed(words) }
        tool.warn("ERROR Error processing message, skipping this message: \(words)")
        return .goOn
    }
}
