import Bytes
import Testing

@testable import Compression

@Suite("A codec")
struct CodecTests {
    static func sample(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 / 7) ^ ($0 % 13)) }
    }

    static func packed(_ bytes: [UInt8], _ codec: Codec, level: Int? = nil) throws -> [UInt8] {
        var out = ByteWriter()
        try bytes.withUnsafeBytes { try codec.pack($0, into: &out, level: level) }
        return out.array
    }

    @Test("gives back what it packed, whatever the size", arguments: Codec.allCases)
    func roundTrip(codec: Codec) throws {
        for count in [0, 1, 100, 32_768, 32_769, 100_000, 300_000] {
            let bytes = CodecTests.sample(count)
            let unpacked = try codec.unpacked(try CodecTests.packed(bytes, codec), limit: count)
            #expect(unpacked == bytes, "\(count) bytes")
        }
    }

    @Test("refuses to unpack beyond the limit", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func bomb(codec: Codec) throws {
        let packed = try CodecTests.packed([UInt8](repeating: 0, count: 1 << 20), codec)
        #expect(throws: CompressionError.tooLarge(limit: 1000)) { try codec.unpacked(packed, limit: 1000) }
        #expect(throws: CompressionError.tooLarge(limit: (1 << 20) - 1)) {
            try codec.unpacked(packed, limit: (1 << 20) - 1)
        }
        #expect(try codec.unpacked(packed, limit: 1 << 20).count == 1 << 20)
    }

    @Test("tells of cut or changed bytes and never traps", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func damage(codec: Codec) throws {
        let bytes = CodecTests.sample(3000)
        let packed = try CodecTests.packed(bytes, codec)
        for length in 0..<packed.count {
            let unpacked = try? codec.unpacked([UInt8](packed[..<length]), limit: 10_000)
            #expect(unpacked != bytes || codec == .zstd, "cut to \(length)")
        }
        for position in packed.indices {
            var changed = packed
            changed[position] ^= 0x41
            _ = try? codec.unpacked(changed, limit: 10_000)
        }
    }

    @Test("reads a bare snappy block, as librdkafka sends it") func bareSnappy() throws {
        // Length 5, a literal of 5 bytes.
        #expect(try Codec.snappy.unpacked([5, 4 << 2] + Array("hello".utf8), limit: 100) == Array("hello".utf8))
    }

    @Test("reads an LZ4 frame with the header checksum of magic 0") func legacyLZ4() throws {
        // FLG 0x60, BD 0x40: 0x82 is right, 0x1a is what old clients wrote.
        let packed = try CodecTests.packed(Array("hello".utf8), .lz4)
        #expect(Array(packed[..<7]) == [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])
        var old = packed
        old[6] = 0x1a
        #expect(throws: CompressionError.self) { try Codec.lz4.unpacked(old, limit: 100) }
        #expect(try Codec.lz4.unpacked(old, limit: 100, legacyLZ4: true) == Array("hello".utf8))
    }

    @Test("keeps limits smaller than any memory it begins with", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func smallLimits(codec: Codec) throws {
        let packed = try CodecTests.packed(CodecTests.sample(44), codec)
        for limit in [0, 1, 43] {
            #expect(throws: CompressionError.tooLarge(limit: limit)) { try codec.unpacked(packed, limit: limit) }
        }
        #expect(try codec.unpacked(packed, limit: 44).count == 44)
    }

    @Test("refuses a zstd frame whose header claims a larger window than may ever be filled") func zstdWindow() throws {
        // A frame of one raw byte whose descriptor asks for a window of 64 MiB, and one of 8 MiB.
        let claims: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x80, 0x09, 0x00, 0x00, 0x7a]
        var modest = claims
        modest[5] = 0x68
        #expect(throws: CompressionError.self) { try Codec.zstd.unpacked(claims, limit: 1 << 20) }
        #expect(try Codec.zstd.unpacked(claims, limit: 1 << 26) == [0x7a])
        #expect(try Codec.zstd.unpacked(modest, limit: 1) == [0x7a])
    }

    @Test("knows no zstd frame from before its format was fixed") func zstdOfOld() throws {
        // Of version 0.7, whose reader allocates what the header says: 16 MB here.
        let old: [UInt8] = [
            0x27, 0xb5, 0x2f, 0xfd, 0xa0, 0x70, 0x10, 0xfe, 0, 0x55, 0, 0, 0x10, 0, 0, 1, 0, 0x6b, 0x11,
        ]
        #expect(throws: CompressionError.corrupt(.zstd, "no frame of version 1")) {
            try Codec.zstd.unpacked(old, limit: 1 << 20)
        }
    }

    @Test("is known by Kafka's names") func names() {
        #expect(Codec(name: "uncompressed") == Codec.none)
        #expect(Codec(name: "zstd") == .zstd)
        #expect(Codec(name: "producer") == nil)
    }
}
