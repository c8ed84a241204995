import Bytes
import ClusterModel
import Compression

/// One message of the formats before record batches (magic 0 and 1), where it lies. A wrapper's value is a packed message set.
package struct LegacyMessage {
    /// Offset and size in front of each message.
    package static let overhead = 12
    /// Of a message without key and value, the overhead not counted.
    static let leastSize = 14

    package var offset: Offset
    package var magic: UInt8
    package var codec: Codec
    /// -1 in magic 0.
    package var timestamp: Int64
    package var isLogAppendTime: Bool
    /// Compared with the bytes already.
    package var crc: UInt32
    package var key: UnsafeRawBufferPointer?
    package var value: UnsafeRawBufferPointer?
    /// The entry's bytes, offset and size included.
    package var size: Int
}

/// The messages of a set, one behind another, checksums checked; wrappers are not opened. A cut message at the end of a set is
/// left out, as brokers may send it.
package struct LegacyMessages {
    private let bytes: UnsafeRawBufferPointer
    package private(set) var position = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package mutating func next() throws(RecordError) -> LegacyMessage? {
        let left = UnsafeRawBufferPointer(rebasing: bytes[position...])
        guard left.count >= LegacyMessage.overhead else { return nil }
        let offset = Int64(bigEndian: left.loadUnaligned(as: Int64.self))
        let size = Int(Int32(bigEndian: left.loadUnaligned(fromByteOffset: 8, as: Int32.self)))
        guard size >= LegacyMessage.leastSize else { throw .corrupt("message size \(size)") }
        guard size <= left.count - LegacyMessage.overhead else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: left[LegacyMessage.overhead..<LegacyMessage.overhead + size])
        let crc = UInt32(bigEndian: body.loadUnaligned(as: UInt32.self))
        let computed = Checksum.crc32(UnsafeRawBufferPointer(rebasing: body[4...]))
        guard crc == computed else { throw .corrupt("message CRC \(crc), computed \(computed)") }
        let magic = body[4]
        guard magic <= 1 else { throw .invalid("magic \(magic) in a message set of an older one") }
        let attributes = body[5]
        guard let codec = Codec(rawValue: attributes & 7), codec != .zstd else {
            throw .invalid("compression code \(attributes & 7) in magic \(magic)")
        }
        do throws(ByteError) {
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: body[6...]))
            let timestamp = magic == 1 ? try reader.int64() : -1
            let keyLength = Int(try reader.int32())
            let key = keyLength < 0 ? nil : try reader.slice(keyLength)
            let valueLength = Int(try reader.int32())
            let value = valueLength < 0 ? nil : try reader.slice(valueLength)
            position += LegacyMessage.overhead + size
            return LegacyMessage(
                offset: offset, magic: magic, codec: codec, timestamp: timestamp,
                isLogAppendTime: magic == 1 && attributes & 8 != 0, crc: crc, key: key, value: value,
                size: LegacyMessage.overhead + size)
        } catch {
            throw .corrupt("message: \(error)")
        }
    }

    /// All records of a set in order, wrappers opened: what a reader of the old formats sees. Offsets and times are those that
    /// count; the bytes are there during the call only.
    package static func forEach(
        _ bytes: UnsafeRawBufferPointer, limit: Int = RecordIterator.defaultLimit, _ body: (LegacyMessage) -> Void
    ) throws(RecordError) {
        var messages = LegacyMessages(bytes)
        while let message = try messages.next() {
            guard message.codec != .none else {
                body(message)
                continue
            }
            let unpacked = try message.opened(limit: limit)
            defer { unpacked.deallocate() }
            var found: [LegacyMessage] = []
            var inside = LegacyMessages(UnsafeRawBufferPointer(unpacked))
            while var inner = try inside.next() {
                guard inner.codec == .none else { throw .invalid("a packed message inside a packed message") }
                if message.isLogAppendTime { inner.timestamp = message.timestamp }
                found.append(inner)
            }
            // Magic 1 counts the offsets inside from 0 and gives the last one's absolute offset outside.
            let shift = message.magic == 1 ? message.offset &- (found.last?.offset ?? message.offset) : 0
            for var inner in found {
                inner.offset &+= shift
                body(inner)
            }
        }
    }

    package static func records(
        _ bytes: UnsafeRawBufferPointer, limit: Int = RecordIterator.defaultLimit
    ) throws(RecordError) -> [OwnedRecord] {
        var records: [OwnedRecord] = []
        try forEach(bytes, limit: limit) { records.append($0.owned) }
        return records
    }
}

extension LegacyMessage {
    /// A wrapper's message set, in fresh memory which the caller deallocates.
    func opened(limit: Int) throws(RecordError) -> UnsafeMutableRawBufferPointer {
        guard let value else { throw .corrupt("a wrapper without a value") }
        return try RecordIterator.unpack(value, codec, limit, legacyLZ4: magic == 0)
    }

    var owned: OwnedRecord {
        OwnedRecord(
            offset: offset, timestamp: timestamp, key: key.map { [UInt8]($0) }, value: value.map { [UInt8]($0) })
    }
}
