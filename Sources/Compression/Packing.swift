import Bytes

extension Codec {
    /// Packs `bytes` in Kafka's framing behind what `out` holds.
    /// - Parameter level: the codec's own scale; nil for Kafka's default.
    /// - Parameter legacyLZ4: for a magic 0 message.
    package func pack(
        _ bytes: UnsafeRawBufferPointer, into out: inout ByteWriter, level: Int? = nil, legacyLZ4: Bool = false
    ) throws(CompressionError) {
        switch self {
        case .none: out.raw(bytes)
        case .gzip: try Gzip.pack(bytes, into: &out, level: level)
        case .snappy: try Snappy.pack(bytes, into: &out)
        case .lz4: try LZ4.pack(bytes, into: &out, level: level, legacy: legacyLZ4)
        case .zstd: try Zstd.pack(bytes, into: &out, level: level)
        }
    }

    /// Unpacks into fresh memory, which the caller deallocates.
    /// - Parameter limit: more than this many bytes are refused; memory grows with what really comes out.
    /// - Parameter legacyLZ4: a magic 0 message, whose frame has a header checksum of its own kind.
    package func unpack(
        _ bytes: UnsafeRawBufferPointer, limit: Int, legacyLZ4: Bool = false
    ) throws(CompressionError) -> UnsafeMutableRawBufferPointer {
        switch self {
        case .none:
            guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
            copy.copyMemory(from: bytes)
            return copy
        case .gzip: return try Gzip.unpack(bytes, limit: limit)
        case .snappy: return try Snappy.unpack(bytes, limit: limit)
        case .lz4: return try LZ4.unpack(bytes, limit: limit, legacy: legacyLZ4)
        case .zstd: return try Zstd.unpack(bytes, limit: limit)
        }
    }

    /// `unpack` into an array, for what is small or rare.
    package func unpacked(_ bytes: [UInt8], limit: Int, legacyLZ4: Bool = false) throws(CompressionError) -> [UInt8] {
        let memory: UnsafeMutableRawBufferPointer
        let result = bytes.withUnsafeBytes { raw -> Result<UnsafeMutableRawBufferPointer, CompressionError> in
            do throws(CompressionError) {
                return .success(try unpack(raw, limit: limit, legacyLZ4: legacyLZ4))
            } catch { return .failure(error) }
        }
        memory = try result.get()
        defer { memory.deallocate() }
        return [UInt8](memory)
    }
}

extension Codec {
    /// What `compression.<codec>.level` may be; nil where there is no such setting.
    /// Rule: KIP-390.
    package var levels: ClosedRange<Int>? {
        switch self {
        case .none, .snappy: nil
        case .gzip: 1...9
        case .lz4: 1...17
        case .zstd: -131_072...22
        }
    }
    package var defaultLevel: Int? {
        switch self {
        case .none, .snappy: nil
        case .gzip: -1
        case .lz4: 9
        case .zstd: 3
        }
    }
}
