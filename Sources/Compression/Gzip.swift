import Bytes
import CZlib

/// RFC 1952, any number of members one behind another.
enum Gzip {
    /// zlib counts in 32 bits; a batch never comes near.
    private static let largest = 1 << 30

    static func pack(_ bytes: UnsafeRawBufferPointer, into out: inout ByteWriter, level: Int?) throws(CompressionError)
    {
        guard bytes.count <= largest else { throw .failed(.gzip, "\(bytes.count) bytes at once") }
        var stream = z_stream()
        // 16 + 15: a gzip header and the largest window.
        let begun = deflateInit2_(
            &stream, Int32(level ?? -1), Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard begun == Z_OK else { throw .failed(.gzip, "deflateInit2 gave \(begun)") }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bound)
        defer { memory.deallocate() }
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(bytes.count)
        stream.next_out = memory
        stream.avail_out = UInt32(bound)
        let ended = deflate(&stream, Z_FINISH)
        guard ended == Z_STREAM_END else { throw .failed(.gzip, "deflate gave \(ended)") }
        out.raw(UnsafeRawBufferPointer(start: memory, count: bound - Int(stream.avail_out)))
    }

    static func unpack(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(CompressionError)
        -> UnsafeMutableRawBufferPointer
    {
        guard bytes.count <= largest else { throw .corrupt(.gzip, "\(bytes.count) bytes at once") }
        var stream = z_stream()
        let begun = inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard begun == Z_OK else { throw .failed(.gzip, "inflateInit2 gave \(begun)") }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(bytes.count)
        var memory = GrowingMemory(expecting: bytes.count * 4, limit: limit)
        while true {
            // At the limit one byte more is asked for, to tell the end from too much.
            var spare: UInt8 = 0
            let room = memory.room()
            let status = withUnsafeMutablePointer(to: &spare) { spare in
                stream.next_out = room?.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? spare
                stream.avail_out = UInt32(clamping: room?.count ?? 1)
                return inflate(&stream, Z_NO_FLUSH)
            }
            let written = Int(UInt32(clamping: room?.count ?? 1) - stream.avail_out)
            if room == nil, written > 0 { throw .tooLarge(limit: limit) }
            memory.filled(room == nil ? 0 : written)
            switch status {
            case Z_STREAM_END:
                guard stream.avail_in > 0 else { return memory.take() }
                guard inflateReset(&stream) == Z_OK else { throw .failed(.gzip, "inflateReset") }
            case Z_OK:
                continue
            case Z_BUF_ERROR where stream.avail_in == 0:
                throw .corrupt(.gzip, "the stream ends early")
            case Z_BUF_ERROR where written > 0 || room == nil:
                continue
            default:
                throw .corrupt(.gzip, "inflate gave \(status)")
            }
        }
    }
}
