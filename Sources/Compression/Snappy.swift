import Bytes
import CSnappy

/// Java's framing (xerial): a magic, two version numbers, then blocks of at most 32 KiB, each behind its packed length. A raw
/// snappy block without all that, as librdkafka sends it, is read too.
enum Snappy {
    private static let magic: [UInt8] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
    private static let blockSize = 32 << 10

    static func pack(_ bytes: UnsafeRawBufferPointer, into out: inout ByteWriter) throws(CompressionError) {
        out.raw(magic)
        out.int32(1)
        out.int32(1)
        let bound = snappy_max_compressed_length(blockSize)
        let memory = UnsafeMutablePointer<CChar>.allocate(capacity: bound)
        defer { memory.deallocate() }
        var position = 0
        while position < bytes.count {
            let take = min(blockSize, bytes.count - position)
            guard let from = bytes.baseAddress else { break }
            var packed = bound
            let status = snappy_compress((from + position).assumingMemoryBound(to: CChar.self), take, memory, &packed)
            guard status == SNAPPY_OK else { throw .failed(.snappy, "snappy_compress gave \(status.rawValue)") }
            out.int32(Int32(packed))
            out.raw(UnsafeRawBufferPointer(start: memory, count: packed))
            position += take
        }
    }

    static func unpack(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(CompressionError)
        -> UnsafeMutableRawBufferPointer
    {
        guard bytes.count >= 16, bytes.prefix(8).elementsEqual(magic) else { return try bareBlock(bytes, limit: limit) }
        // Two passes: the blocks say how much they hold before any is unpacked.
        var total = 0
        try forEachBlock(bytes) { (_, length) throws(CompressionError) in
            total += length
            guard total <= limit else { throw .tooLarge(limit: limit) }
        }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(total, 1), alignment: 16)
        var filled = 0
        do throws(CompressionError) {
            try forEachBlock(bytes) { (block, length) throws(CompressionError) in
                try unpackBlock(block, into: UnsafeMutableRawBufferPointer(rebasing: memory[filled..<filled + length]))
                filled += length
            }
        } catch {
            memory.deallocate()
            throw error
        }
        return UnsafeMutableRawBufferPointer(start: memory.baseAddress, count: total)
    }

    private static func forEachBlock(
        _ bytes: UnsafeRawBufferPointer, _ use: (UnsafeRawBufferPointer, Int) throws(CompressionError) -> Void
    ) throws(CompressionError) {
        var position = 16
        while position < bytes.count {
            guard bytes.count - position >= 4 else { throw .corrupt(.snappy, "cut block length") }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int32.self)))
            position += 4
            guard length > 0, length <= bytes.count - position else {
                throw .corrupt(.snappy, "block length \(length)")
            }
            let block = UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
            try use(block, try unpackedLength(block))
            position += length
        }
    }

    private static func bareBlock(
        _ bytes: UnsafeRawBufferPointer, limit: Int
    ) throws(CompressionError) -> UnsafeMutableRawBufferPointer {
        let length = try unpackedLength(bytes)
        guard length <= limit else { throw .tooLarge(limit: limit) }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(length, 1), alignment: 16)
        do throws(CompressionError) {
            try unpackBlock(bytes, into: UnsafeMutableRawBufferPointer(start: memory.baseAddress, count: length))
        } catch {
            memory.deallocate()
            throw error
        }
        return UnsafeMutableRawBufferPointer(start: memory.baseAddress, count: length)
    }

    private static func unpackedLength(_ block: UnsafeRawBufferPointer) throws(CompressionError) -> Int {
        var length = 0
        let status = snappy_uncompressed_length(
            block.baseAddress?.assumingMemoryBound(to: CChar.self), block.count, &length)
        // Snappy packs at most about 1 : 21; what claims more lies, and would be allocated for.
        guard status == SNAPPY_OK, length >= 0, length <= block.count * 64 + 64 else {
            throw .corrupt(.snappy, "no believable length in front of a block")
        }
        return length
    }

    private static func unpackBlock(
        _ block: UnsafeRawBufferPointer, into memory: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        var length = memory.count
        var nothing: CChar = 0
        let status = withUnsafeMutablePointer(to: &nothing) { nothing in
            snappy_uncompress(
                block.baseAddress?.assumingMemoryBound(to: CChar.self), block.count,
                memory.baseAddress?.assumingMemoryBound(to: CChar.self) ?? nothing, &length)
        }
        guard status == SNAPPY_OK, length == memory.count else { throw .corrupt(.snappy, "a block does not unpack") }
    }
}
