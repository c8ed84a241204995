/// One listener and where it is: `PLAINTEXT://host:9092`. The listener's name need not be its security protocol's.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package var listener: String
    /// Empty for every address (only in `listeners`, never in what clients are told).
    package var host: String
    package var port: Int32

    package init(listener: String, host: String, port: Int32) {
        self.listener = listener
        self.host = host
        self.port = port
    }

    /// Nil for what is not `NAME://[host]:port`. An IPv6 address stands in brackets.
    package init?(_ text: String) {
        guard let colon = text.firstRange(of: "://"), colon.lowerBound > text.startIndex else { return nil }
        listener = text[..<colon.lowerBound].uppercased()
        guard listener.utf8.allSatisfy({ $0.isWordByte }) else { return nil }
        let rest = text[colon.upperBound...]
        guard let last = rest.lastIndex(of: ":"), let port = Int32(rest[rest.index(after: last)...]),
            (0...65535).contains(port)
        else { return nil }
        self.port = port
        var host = rest[..<last]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.contains(where: { $0 == "/" || $0 == " " }) else { return nil }
        self.host = String(host)
    }

    package var description: String {
        host.contains(":") ? "\(listener)://[\(host)]:\(port)" : "\(listener)://\(host):\(port)"
    }
}

extension UInt8 {
    fileprivate var isWordByte: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
            UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
