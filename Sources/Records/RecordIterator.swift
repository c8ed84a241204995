import Bytes
import ClusterModel
import Compression

/// The records of one v2 batch, unpacked when the batch is: give `next` until nil. What it gives lies in the batch's bytes or in
/// the iterator's own memory, and is valid as long as both.
package struct RecordIterator: ~Copyable {
    /// What a batch may unpack to where nothing else is said.
    package static let defaultLimit = 128 << 20

    private let baseOffset: Offset
    private let baseTimestamp: Int64
    /// LogAppendTime: what every record's timestamp is.
    private let appendTime: Int64?
    private let count: Int32
    private var taken: Int32 = 0
    private var reader: ByteReader
    private let unpacked: UnsafeMutableRawBufferPointer?
    /// All records' bytes, unpacked; valid as long as the iterator.
    let contents: UnsafeRawBufferPointer

    /// - Parameter limit: the bytes that the records may unpack to.
    package init(_ batch: RecordBatch, limit: Int = RecordIterator.defaultLimit) throws(RecordError) {
        guard let codec = batch.codec else { throw .invalid("compression code \(batch.attributes & 7)") }
        guard batch.count >= 0 else { throw .invalid("record count \(batch.count)") }
        let memory = codec == .none || batch.count == 0 ? nil : try RecordIterator.unpack(batch.payload, codec, limit)
        unpacked = memory
        contents = memory.map { UnsafeRawBufferPointer($0) } ?? batch.payload
        reader = ByteReader(contents)
        baseOffset = batch.baseOffset
        baseTimestamp = batch.baseTimestamp
        appendTime = batch.isLogAppendTime ? batch.maxTimestamp : nil
        count = batch.count
    }

    deinit { unpacked?.deallocate() }

    static func unpack(
        _ bytes: UnsafeRawBufferPointer, _ codec: Codec, _ limit: Int, legacyLZ4: Bool = false
    ) throws(RecordError) -> UnsafeMutableRawBufferPointer {
        do throws(CompressionError) {
            return try codec.unpack(bytes, limit: limit, legacyLZ4: legacyLZ4)
        } catch {
            switch error {
            case .tooLarge(let limit): throw .tooLarge(bytes: limit + 1, limit: limit)
            case .corrupt(let codec, let why), .failed(let codec, let why): throw .corrupt("\(codec.name): \(why)")
            }
        }
    }

    package mutating func next() throws(RecordError) -> Record? {
        guard taken < count else {
            guard reader.isAtEnd else { throw .invalid("\(reader.left) bytes behind the last of \(count) records") }
            return nil
        }
        taken += 1
        do throws(ByteError) {
            let length = Int(try reader.varint())
            var body = ByteReader(try reader.slice(length))
            _ = try body.int8()
            let timestampDelta = try body.varlong()
            let offsetDelta = try body.varint()
            let keyLength = Int(try body.varint())
            let key = keyLength < 0 ? nil : try body.slice(keyLength)
            let valueLength = Int(try body.varint())
            let value = valueLength < 0 ? nil : try body.slice(valueLength)
            let headerCount = Int(try body.varint())
            let headerBytes = body.rest
            guard headerCount >= 0, headerCount <= body.left else { throw .badLength(headerCount) }
            for _ in 0..<headerCount { _ = try Record.header(&body) }
            guard body.isAtEnd else { throw .badLength(body.left) }
            return Record(
                offset: baseOffset &+ Int64(offsetDelta), timestamp: appendTime ?? (baseTimestamp &+ timestampDelta),
                key: key, value: value, headerCount: headerCount, headerBytes: headerBytes)
        } catch {
            throw .invalid("record \(taken) of \(count): \(error)")
        }
    }
}

extension RecordBatch {
    /// All records, copied: for what is small or rare.
    package func ownedRecords(limit: Int = RecordIterator.defaultLimit) throws(RecordError) -> [OwnedRecord] {
        var records: [OwnedRecord] = []
        var iterator = try RecordIterator(self, limit: limit)
        while let record = try iterator.next() { records.append(record.owned) }
        return records
    }
}
