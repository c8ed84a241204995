import Bytes

@testable import Compression

extension FuzzTarget {
    /// Packed bytes of each codec and framing. An input is a byte that names the codec and how, one for the limit, and the bytes.
    static let decompression = FuzzTarget(name: "decompression", maxLength: 8 << 10, mallocLimitMB: 12) { input in
        var choices = Choices(input)
        let how = choices.byte()
        let limits = [1 << 20, 1 << 16, 1000, 0, 1, 63, 64, 65]
        let limit = limits[Int(choices.byte() & 7)]
        guard let codec = Codec(rawValue: how % 5) else { return }
        let isLegacy = how & 0x80 != 0
        try withCopy(choices.rest) { bytes in
            let packed = UnsafeRawBufferPointer(bytes)
            guard let memory = try? codec.unpack(packed, limit: limit, legacyLZ4: isLegacy) else { return }
            defer { memory.deallocate() }
            try expect(memory.count <= limit, "\(memory.count) bytes unpacked with a limit of \(limit)")
            // Every byte that is given out was written.
            var sum: UInt8 = 0
            for byte in memory { sum = sum &+ byte }
            guard how & 0x40 != 0 else { return }
            var again = ByteWriter(capacity: 64)
            try codec.pack(UnsafeRawBufferPointer(memory), into: &again)
            let copy = try codec.unpack(again.bytes, limit: limit)
            defer { copy.deallocate() }
            try expect(
                copy.count == memory.count && copy.elementsEqual(memory), "packed and unpacked, bytes differ (\(sum))")
        }
    } seeds: {
        let text = Array("a record, and a record, and another record: ".utf8)
        let contents: [[UInt8]] = [
            [], [7], text, Array(repeatElement(text, count: 40).joined()),
            (0..<700).map { UInt8(($0 &* 2_654_435) >> 7 & 0xff) },
            [UInt8](repeating: 0, count: 70_000),
        ]
        var seeds: [[UInt8]] = []
        for codec in Codec.allCases {
            for content in contents {
                var out = ByteWriter(capacity: 64)
                guard (try? content.withUnsafeBytes { try codec.pack($0, into: &out) }) != nil else { continue }
                seeds += [[codec.rawValue, 0] + out.array, [codec.rawValue + 65, 0] + out.array]
                if codec == .gzip || codec == .zstd { seeds.append([codec.rawValue, 0] + out.array + out.array) }
                // Without Java's framing, as librdkafka sends it.
                if codec == .snappy, out.count > 20 { seeds.append([codec.rawValue, 0] + out.array[20...]) }
                if codec == .lz4 { seeds.append([0x80 + 3 + 1, 0] + out.array) }
            }
        }
        // With checksums, content sizes, dictionaries' names and large windows: what the libraries know and we never write.
        let frames = [
            "28b52ffd2004210000616263640000", "28b52ffd04000100003ac7fe5b", "28b52ffd00f80900006162",
            "28b52ffd60ff0f0900007a", "502a4d1804000000aabbccdd28b52ffd0400010000",
            "04224d186c40050000000000000017050000806869686968b1c8d50c00000000",
            "04224d187d7005000000000000000100000000",
        ]
        for frame in frames {
            let bytes = Golden.hex(frame.utf8)
            seeds += [[4, 0] + bytes, [3, 0] + bytes, [0x80 + 0, 0] + bytes]
        }
        for batch in Golden.batches where batch.count > 80 && batch[16] == 2 {
            seeds.append([batch[22] & 7, 0] + batch[61...])
        }
        return seeds
    }
}
