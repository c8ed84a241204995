/// How the records of a batch are packed: bits 0 to 2 of its attributes.
package enum Codec: UInt8, Sendable, CaseIterable {
    case none = 0
    case gzip = 1
    case snappy = 2
    case lz4 = 3
    case zstd = 4

    /// As `compression.type` spells it.
    package var name: String {
        switch self {
        case .none: "none"
        case .gzip: "gzip"
        case .snappy: "snappy"
        case .lz4: "lz4"
        case .zstd: "zstd"
        }
    }

    /// Also `uncompressed`, which topics say where producers say `none`.
    package init?(name: String) {
        if name == "uncompressed" {
            self = .none
            return
        }
        guard let codec = Codec.allCases.first(where: { $0.name == name }) else { return nil }
        self = codec
    }
}

package enum CompressionError: Error, Equatable {
    /// The bytes are not what the codec's framing promises.
    case corrupt(Codec, String)
    /// Unpacked, they would be larger than the caller allows: a mistake or a bomb.
    case tooLarge(limit: Int)
    /// The library refused to pack.
    case failed(Codec, String)
}
