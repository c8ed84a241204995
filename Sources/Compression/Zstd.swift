import Bytes
import CZstd

/// Standard frames, one or several.
enum Zstd {
    static func pack(_ bytes: UnsafeRawBufferPointer, into out: inout ByteWriter, level: Int?) throws(CompressionError)
    {
        let bound = ZSTD_compressBound(bytes.count)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(bound, 64), alignment: 16)
        defer { memory.deallocate() }
        let packed = ZSTD_compress(memory, bound, bytes.baseAddress, bytes.count, Int32(clamping: level ?? 3))
        guard ZSTD_isError(packed) == 0 else { throw .failed(.zstd, name(of: packed)) }
        out.raw(UnsafeRawBufferPointer(start: memory, count: packed))
    }

    static func unpack(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(CompressionError)
        -> UnsafeMutableRawBufferPointer
    {
        guard let stream = ZSTD_createDStream() else { throw .failed(.zstd, "ZSTD_createDStream") }
        defer { ZSTD_freeDStream(stream) }
        let allowed = ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, windowLog(limit))
        guard ZSTD_isError(allowed) == 0 else { throw .failed(.zstd, name(of: allowed)) }
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        var memory = GrowingMemory(expecting: bytes.count * 4, limit: limit)
        // Zero behind a whole frame.
        var hint = 1
        var isAtFrame = true
        while true {
            if hint == 0, input.pos == input.size { return memory.take() }
            guard !isAtFrame || isStandard(UnsafeRawBufferPointer(rebasing: bytes[input.pos...])) else {
                throw .corrupt(.zstd, "no frame of version 1")
            }
            var spare: UInt8 = 0
            let room = memory.room()
            let before = input.pos
            var written = 0
            hint = withUnsafeMutablePointer(to: &spare) { spare in
                var output = ZSTD_outBuffer(
                    dst: room?.baseAddress ?? UnsafeMutableRawPointer(spare), size: room?.count ?? 1, pos: 0)
                let hint = ZSTD_decompressStream(stream, &output, &input)
                written = output.pos
                return hint
            }
            guard ZSTD_isError(hint) == 0 else { throw .corrupt(.zstd, name(of: hint)) }
            if room == nil, written > 0 { throw .tooLarge(limit: limit) }
            memory.filled(room == nil ? 0 : written)
            isAtFrame = hint == 0
            if hint != 0, input.pos == before, written == 0 { throw .corrupt(.zstd, "the frame ends early") }
        }
    }

    /// Frames of RFC 8878, or what readers skip. The library may know formats from before, whose windows have no limit.
    private static func isStandard(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // Cut short, the library tells what is missing.
        guard bytes.count >= 4 else { return true }
        let magic = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        return magic == 0xfd2f_b528 || magic & 0xffff_fff0 == 0x184d_2a50
    }

    /// The library allocates as large a window as a frame's header asks for, 128 MiB for twenty bytes that lie. A window larger than
    /// all that may come out is of use to nobody; 8 MiB are what writers of streams ask for up to level 19, however little follows.
    private static func windowLog(_ limit: Int) -> Int32 {
        let needed = Int.bitWidth - max(limit - 1, 0).leadingZeroBitCount
        return Int32(min(max(needed, 23), 27))
    }

    private static func name(of code: Int) -> String {
        ZSTD_getErrorName(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
