import ClusterModel
import Compression

/// The leader's checks of what a client produced, in the order in which Kafka finds fault: of the header here, of the records, for
/// topics whose settings need that, in ``BatchPreparation``.
package enum BatchValidator {
    package struct Rules: Equatable, Sendable {
        /// `max.message.bytes`, the twelve bytes of overhead included.
        package var maxBatchBytes = 1_048_588
        /// Produce below 7 has no zstd.
        package var allowsZstd = true
        /// `message.timestamp.before.max.ms` and `.after.max.ms`, around `nowMs`, for each record.
        package var oldestMs = Int64.max
        package var newestMs = Int64.max
        /// The topic's `message.timestamp.type` is LogAppendTime: timestamps will be overwritten, whatever they are.
        package var usesLogAppendTime = false
        package var nowMs: Int64 = 0
        /// The topic is compacted: a record without a key could never be replaced.
        package var needsKeys = false
        /// `compression.type` other than `producer`: how batches are to be packed. Nil: as they come.
        package var packing: Packing?
        /// For the words of refusals: `topic-0`.
        package var partition = ""
        package init() {}

        /// Timestamps are compared with the clock.
        package var boundsTimestamps: Bool { !usesLogAppendTime && (oldestMs != .max || newestMs != .max) }
        /// Whether a batch that is packed so has to be looked into. False for a topic of default settings: its batches are
        /// believed once header and checksum agree.
        package func looksInside(_ codec: Codec) -> Bool {
            needsKeys || boundsTimestamps || (packing.map { $0.codec != codec } ?? false)
        }
    }

    /// A topic's own choice of codec and level.
    package struct Packing: Equatable, Sendable {
        package var codec: Codec
        /// Nil for the codec's default.
        package var level: Int?
        package init(_ codec: Codec, level: Int? = nil) {
            self.codec = codec
            self.level = level
        }

        /// Nil for `producer` (and for what no key allows).
        /// - Parameter level: of a codec that has levels, by its name.
        package init?(type: String, level: (String) -> Int) {
            guard let codec = Codec(name: type) else { return nil }
            self.init(codec, level: codec.levels == nil ? nil : level(codec.name))
        }
    }

    /// Exactly one batch, as Produce from version 3 on must bring.
    /// Cost: one pass for the checksum.
    package static func checkProduced(_ bytes: UnsafeRawBufferPointer, _ rules: Rules) throws(RecordError)
        -> RecordBatch
    {
        guard bytes.count >= RecordBatch.overhead + 5 else {
            throw bytes.isEmpty ? .invalid("no batch") : .corrupt("\(bytes.count) bytes are less than a batch header")
        }
        let magic = bytes[16]
        guard magic == 2 else { throw .invalid("magic \(magic) where 2 is expected") }
        let batch = try RecordBatch(bytes)
        guard batch.size == bytes.count else {
            throw .invalid("\(bytes.count - batch.size) bytes behind the first batch; a request may bring one")
        }
        try check(batch, rules)
        return batch
    }

    static func check(_ batch: RecordBatch, _ rules: Rules) throws(RecordError) {
        guard let codec = batch.codec else { throw .invalid("compression code \(batch.attributes & 7)") }
        if codec == .zstd, !rules.allowsZstd { throw .unsupportedCompression(.zstd) }
        guard batch.baseOffset == 0 else { throw .invalid("base offset \(batch.baseOffset) from a producer") }
        guard batch.size <= rules.maxBatchBytes else { throw .tooLarge(bytes: batch.size, limit: rules.maxBatchBytes) }
        guard batch.crcMatches else { throw .corrupt("CRC \(batch.crc), computed \(batch.computedCRC)") }
        guard batch.lastOffsetDelta >= 0, batch.count > 0, batch.count == batch.lastOffsetDelta &+ 1 else {
            throw .invalid("\(batch.count) records with last offset delta \(batch.lastOffsetDelta)")
        }
        // The least a record needs is seven bytes; only without a codec can that be compared.
        if codec == .none, Int(batch.count) * 7 > batch.payload.count {
            throw .invalid("\(batch.count) records in \(batch.payload.count) bytes")
        }
        guard !batch.isControl else { throw .invalid("a control batch from a producer") }
        if batch.hasProducerID {
            guard batch.baseSequence >= 0 else {
                throw .invalid("producer id with base sequence \(batch.baseSequence)")
            }
            guard batch.producerEpoch >= 0 else { throw .invalid("producer id with epoch \(batch.producerEpoch)") }
        }
        if batch.isTransactional, !batch.hasProducerID { throw .invalid("a transactional batch without a producer id") }
    }
}
