import Bytes
import ClusterModel

/// One record, its parts in the batch's (unpacked) bytes: valid as long as the iterator that gave it.
package struct Record {
    package var offset: Offset
    /// -1: none.
    package var timestamp: Int64
    package var key: UnsafeRawBufferPointer?
    package var value: UnsafeRawBufferPointer?
    package var headerCount: Int
    /// The headers' bytes, checked when the record was read.
    let headerBytes: UnsafeRawBufferPointer

    package struct Header {
        package var key: UnsafeRawBufferPointer
        package var value: UnsafeRawBufferPointer?
    }

    package var headers: [Header] {
        var found: [Header] = []
        found.reserveCapacity(headerCount)
        var reader = ByteReader(headerBytes)
        for _ in 0..<headerCount {
            guard let header = try? Record.header(&reader) else { break }
            found.append(header)
        }
        return found
    }

    static func header(_ reader: inout ByteReader) throws(ByteError) -> Header {
        let keyLength = Int(try reader.varint())
        let key = try reader.slice(keyLength)
        let valueLength = Int(try reader.varint())
        return Header(key: key, value: valueLength < 0 ? nil : try reader.slice(valueLength))
    }

    package var owned: OwnedRecord {
        OwnedRecord(
            offset: offset, timestamp: timestamp, key: key.map { [UInt8]($0) }, value: value.map { [UInt8]($0) },
            headers: headerCount == 0
                ? [] : headers.map { RecordHeader(key: [UInt8]($0.key), value: $0.value.map { [UInt8]($0) }) })
    }
}

package struct RecordHeader: Equatable, Sendable {
    /// UTF-8, as Kafka wants it; not checked.
    package var key: [UInt8]
    package var value: [UInt8]?
    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// A record with memory of its own.
package struct OwnedRecord: Equatable, Sendable {
    package var offset: Offset
    package var timestamp: Int64
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [RecordHeader]
    package init(
        offset: Offset = -1, timestamp: Int64, key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = []
    ) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }
}
