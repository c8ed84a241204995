import Bytes
import ClusterModel
import Compression

/// Builds one v2 batch, record by record, as a client sends it: base offset 0, leader epoch -1.
package struct BatchBuilder: ~Copyable {
    package struct Producer: Equatable, Sendable {
        package var id: Int64
        package var epoch: Int16
        package var baseSequence: Int32
        package init(id: Int64, epoch: Int16, baseSequence: Int32) {
            self.id = id
            self.epoch = epoch
            self.baseSequence = baseSequence
        }
        package static let none = Producer(id: -1, epoch: -1, baseSequence: -1)
    }

    package let codec: Codec
    /// Records so far.
    package private(set) var count: Int32 = 0
    package private(set) var maxTimestamp: Int64 = -1
    private var baseTimestamp: Int64 = -1
    private var lastOffsetDelta: Int32 = -1
    private var body = ByteWriter(capacity: 1024)

    package init(codec: Codec = .none) { self.codec = codec }

    /// What the batch is at most, give or take the codec's framing.
    package var estimatedSize: Int { RecordBatch.headerSize + body.count }

    /// What one more record would add.
    package static func sizeBound(keyBytes: Int, valueBytes: Int, headers: [RecordHeader] = []) -> Int {
        headers.reduce(36 + keyBytes + valueBytes) { $0 + 10 + $1.key.count + ($1.value?.count ?? 0) }
    }

    package mutating func append(_ record: OwnedRecord) {
        append(timestamp: record.timestamp, key: record.key, value: record.value, headers: record.headers)
    }

    package mutating func append(timestamp: Int64, key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = []) {
        let delta = lastOffsetDelta + 1
        begin(timestamp)
        let size = BatchBuilder.bodySize(
            timestampDelta: timestamp &- baseTimestamp, offsetDelta: delta, keyBytes: key?.count,
            valueBytes: value?.count,
            headers: headers)
        body.varint(Int32(size))
        body.int8(0)
        body.varlong(timestamp &- baseTimestamp)
        body.varint(delta)
        BatchBuilder.put(key, &body)
        BatchBuilder.put(value, &body)
        body.varint(Int32(headers.count))
        for header in headers {
            BatchBuilder.put(header.key, &body)
            BatchBuilder.put(header.value, &body)
        }
        lastOffsetDelta = delta
        count += 1
    }

    /// A record whose parts lie elsewhere, without headers: conversion of old formats.
    mutating func append(timestamp: Int64, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) {
        let delta = lastOffsetDelta + 1
        begin(timestamp)
        RecordLayout.put(
            timestampDelta: timestamp &- baseTimestamp, offsetDelta: delta, key: key, value: value, headerCount: 0,
            headerBytes: nil, into: &body)
        lastOffsetDelta = delta
        count += 1
    }

    private mutating func begin(_ timestamp: Int64) {
        if count == 0 { baseTimestamp = timestamp }
        maxTimestamp = max(maxTimestamp, timestamp)
    }

    /// The finished batch. The builder may go on: more records, another `build`.
    /// - Parameter level: the codec's own scale; nil for Kafka's default.
    package func build(
        producer: Producer = .none, isTransactional: Bool = false, isControl: Bool = false, baseOffset: Offset = 0,
        leaderEpoch: LeaderEpoch = .none, logAppendTime: Int64? = nil, level: Int? = nil
    ) throws(CompressionError) -> [UInt8] {
        var attributes: Int16 = 0
        if isTransactional { attributes |= RecordBatch.transactionalBit }
        if isControl { attributes |= RecordBatch.controlBit }
        if logAppendTime != nil { attributes |= RecordBatch.logAppendTimeBit }
        return try BatchHeaderFields(
            baseOffset: baseOffset, leaderEpoch: leaderEpoch, attributes: attributes, lastOffsetDelta: lastOffsetDelta,
            baseTimestamp: baseTimestamp, maxTimestamp: logAppendTime ?? maxTimestamp, producer: producer, count: count
        ).batch(of: body.bytes, codec: codec, level: level)
    }

    private static func put(_ bytes: [UInt8]?, _ body: inout ByteWriter) {
        guard let bytes else {
            body.varint(-1)
            return
        }
        body.varint(Int32(bytes.count))
        body.raw(bytes)
    }

    private static func bodySize(
        timestampDelta: Int64, offsetDelta: Int32, keyBytes: Int?, valueBytes: Int?, headers: [RecordHeader]
    ) -> Int {
        func part(_ bytes: Int?) -> Int { RecordLayout.varintSize(Int64(bytes ?? -1)) + (bytes ?? 0) }
        var size =
            1 + RecordLayout.varintSize(timestampDelta) + RecordLayout.varintSize(Int64(offsetDelta)) + part(keyBytes)
            + part(valueBytes)
        size += RecordLayout.varintSize(Int64(headers.count))
        for header in headers { size += part(header.key.count) + part(header.value?.count) }
        return size
    }
}
