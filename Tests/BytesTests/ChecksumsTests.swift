import Testing

@testable import Bytes

@Suite("Checksums")
struct ChecksumsTests {
    @Test("agree with the published check values") func checkValues() {
        let digits = [UInt8]("123456789".utf8)
        digits.withUnsafeBytes {
            #expect(Checksum.crc32c($0) == 0xE306_9283)
            #expect(Checksum.crc32($0) == 0xCBF4_3926)
            #expect(Checksum.adler32($0) == 0x091E_01DE)
        }
    }

    @Test("CRC-32C of every length equals its bit-by-bit definition, whole and in two parts")
    func everyLength() {
        var state: UInt64 = 42
        let bytes = (0..<13_000).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        var plain: UInt32 = ~0
        bytes.withUnsafeBytes { all in
            for count in 0...bytes.count {
                if count % 61 == 0 || count < 300 {
                    #expect(Checksum.crc32c(UnsafeRawBufferPointer(rebasing: all[..<count])) == ~plain)
                    let half = UnsafeRawBufferPointer(rebasing: all[..<(count / 2)])
                    let other = UnsafeRawBufferPointer(rebasing: all[(count / 2)..<count])
                    #expect(Checksum.crc32c(other, continuing: Checksum.crc32c(half)) == ~plain)
                }
                guard count < bytes.count else { break }
                plain ^= UInt32(bytes[count])
                for _ in 0..<8 { plain = (plain >> 1) ^ (plain & 1 == 1 ? 0x82F6_3B78 : 0) }
            }
        }
    }
}

@Suite("UUID text")
struct UUID128Tests {
    @Test("goes there and back") func roundTrip() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let id = UUID128.random(using: &random)
            #expect(id.text.utf8.count == 22)
            #expect(UUID128(text: id.text) == id)
        }
        #expect(UUID128.zero.text == "AAAAAAAAAAAAAAAAAAAAAA")
        #expect(UUID128(high: 0, low: 1).text == "AAAAAAAAAAAAAAAAAAAAAQ")
        #expect(UUID128(text: "AAAAAAAAAAAAAAAAAAAAAQ") == UUID128(high: 0, low: 1))
        #expect(UUID128(text: "short") == nil)
        #expect(UUID128(text: "AAAAAAAAAAAAAAAAAAAAA*") == nil)
    }
}
