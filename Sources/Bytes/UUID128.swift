/// Kafka's 128-bit id: topics, clusters, log directories. Zero means absent.
package struct UUID128: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static let zero = UUID128(high: 0, low: 0)
    package var isZero: Bool { high == 0 && low == 0 }

    package static func < (a: UUID128, b: UUID128) -> Bool { (a.high, a.low) < (b.high, b.low) }

    /// A random (version 4) id whose text does not begin with `-`, as Kafka draws them: tools would take it for an option.
    package static func random(using random: inout some RandomNumberGenerator) -> UUID128 {
        while true {
            let id = UUID128(
                high: (random.next() & ~0xf000) | 0x4000,
                low: (random.next() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000)
            if !id.text.hasPrefix("-") { return id }
        }
    }

    private static let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// URL-safe base64 without padding: 22 characters.
    package var text: String {
        var digits: [UInt8] = []
        digits.reserveCapacity(22)
        // 128 bits are 21 digits of six bits and a last one of two, moved to the top.
        for digit in 0..<22 {
            let top = 128 - 6 * (digit + 1)
            let value: UInt64
            if top >= 64 {
                value = high >> UInt64(top - 64)
            } else if top > 58 {
                value = (high << UInt64(64 - top)) | (low >> UInt64(top))
            } else if top >= 0 {
                value = low >> UInt64(top)
            } else {
                value = low << UInt64(-top)
            }
            digits.append(UUID128.alphabet[Int(value & 63)])
        }
        return String(decoding: digits, as: UTF8.self)
    }

    package init?(text: String) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var count = 0
        for byte in text.utf8 {
            guard let digit = UUID128.alphabet.firstIndex(of: byte) else { return nil }
            count += 1
            if count < 22 {
                high = (high << 6) | (low >> 58)
                low = (low << 6) | UInt64(digit)
            } else {
                high = (high << 2) | (low >> 62)
                low = (low << 2) | (UInt64(digit) >> 4)
            }
        }
        guard count == 22 else { return nil }
        self.init(high: high, low: low)
    }
}
