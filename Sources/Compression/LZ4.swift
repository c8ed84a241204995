import Bytes
import CLZ4

/// LZ4 frames as Java's clients write them: independent blocks of 64 KiB, no checksums, no content size.
enum LZ4 {
    /// - Parameter legacy: with the header checksum that readers of magic 0 expect.
    static func pack(
        _ bytes: UnsafeRawBufferPointer, into out: inout ByteWriter, level: Int?, legacy: Bool = false
    ) throws(CompressionError) {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockSizeID = LZ4F_max64KB
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.compressionLevel = libraryLevel(level)
        preferences.autoFlush = 1
        let bound = LZ4F_compressFrameBound(bytes.count, &preferences)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bound, alignment: 16)
        defer { memory.deallocate() }
        let packed = LZ4F_compressFrame(memory, bound, bytes.baseAddress, bytes.count, &preferences)
        guard LZ4F_isError(packed) == 0 else { throw .failed(.lz4, name(of: packed)) }
        if legacy, packed > 6 {
            // No content size: the header is seven bytes.
            let covered = UnsafeRawBufferPointer(start: memory, count: 6)
            memory.storeBytes(of: UInt8(truncatingIfNeeded: xxHash32(covered) >> 8), toByteOffset: 6, as: UInt8.self)
        }
        out.raw(UnsafeRawBufferPointer(start: memory, count: packed))
    }

    /// Kafka's 9, the default, is the fast compressor; every other level is the thorough one's, which this library takes for meant
    /// from 3 on (1 and 2 search as little as 3 does there).
    static func libraryLevel(_ level: Int?) -> Int32 {
        guard let level, level != 9 else { return 0 }
        return Int32(clamping: min(max(level, 3), 12))
    }

    static func unpack(
        _ bytes: UnsafeRawBufferPointer, limit: Int, legacy: Bool
    ) throws(CompressionError) -> UnsafeMutableRawBufferPointer {
        guard legacy else { return try unpack(bytes, limit: limit) }
        // Magic 0: the header checksum was computed over the frame's magic too. The library wants the right one.
        guard bytes.count >= 7 else { throw .corrupt(.lz4, "\(bytes.count) bytes are less than a frame header") }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        defer { copy.deallocate() }
        copy.copyMemory(from: bytes)
        let checksumAt = bytes[4] & 0x08 != 0 ? 14 : 6
        guard bytes.count > checksumAt else { throw .corrupt(.lz4, "cut frame header") }
        copy[checksumAt] = UInt8(
            truncatingIfNeeded: xxHash32(UnsafeRawBufferPointer(rebasing: bytes[4..<checksumAt])) >> 8)
        return try unpack(UnsafeRawBufferPointer(copy), limit: limit)
    }

    private static func unpack(
        _ bytes: UnsafeRawBufferPointer, limit: Int
    ) throws(CompressionError) -> UnsafeMutableRawBufferPointer {
        var context: OpaquePointer?
        let made = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(made) == 0, let context else { throw .failed(.lz4, name(of: made)) }
        defer { LZ4F_freeDecompressionContext(context) }
        guard let from = bytes.baseAddress else { throw .corrupt(.lz4, "no bytes") }
        var memory = GrowingMemory(expecting: bytes.count * 4, limit: limit)
        var position = 0
        while true {
            var spare: UInt8 = 0
            let room = memory.room()
            var taken = bytes.count - position
            var written = room?.count ?? 1
            let hint = withUnsafeMutablePointer(to: &spare) { spare in
                LZ4F_decompress(
                    context, room?.baseAddress ?? UnsafeMutableRawPointer(spare), &written, from + position, &taken, nil
                )
            }
            guard LZ4F_isError(hint) == 0 else { throw .corrupt(.lz4, name(of: hint)) }
            if room == nil, written > 0 { throw .tooLarge(limit: limit) }
            memory.filled(room == nil ? 0 : written)
            position += taken
            if hint == 0 { return memory.take() }
            if taken == 0, written == 0 { throw .corrupt(.lz4, "the frame ends early") }
        }
    }

    private static func name(of code: Int) -> String {
        LZ4F_getErrorName(code).map { String(cString: $0) } ?? "error \(code)"
    }

    /// xxHash32 of fewer than 16 bytes, which is all that a frame header has.
    static func xxHash32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        func rotated(_ x: UInt32, _ by: UInt32) -> UInt32 { (x << by) | (x >> (32 - by)) }
        var hash: UInt32 = 374_761_393 &+ UInt32(truncatingIfNeeded: bytes.count)
        var position = 0
        while position + 4 <= bytes.count {
            let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
            hash = rotated(hash &+ word &* 3_266_489_917, 17) &* 668_265_263
            position += 4
        }
        while position < bytes.count {
            hash = rotated(hash &+ UInt32(bytes[position]) &* 374_761_393, 11) &* 2_654_435_761
            position += 1
        }
        hash = (hash ^ (hash >> 15)) &* 2_246_822_519
        hash = (hash ^ (hash >> 13)) &* 3_266_489_917
        return hash ^ (hash >> 16)
    }
}
