/// Where a broker listens: `localhost:9092`, `[::1]:9092`.
package struct BrokerAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package init?(_ text: some StringProtocol) {
        var host = text[...]
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), 1...65535 ~= port
        else { return nil }
        host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    /// `host1:port1,host2:port2`; nil when one of them is not such an address.
    package static func list(_ text: String) -> [BrokerAddress]? {
        var addresses: [BrokerAddress] = []
        for part in text.split(separator: ",") {
            let word = part.drop { $0 == " " }
            guard let address = BrokerAddress(word) else { return nil }
            addresses.append(address)
        }
        return addresses.isEmpty ? nil : addresses
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
