/// Who a request says it is for. A page from elsewhere can point its own name at this machine (DNS rebinding) and then read what
/// is served here; it cannot make a browser send a Host that is an address, or a name that only this machine bears.
package struct HostGuard: Equatable, Sendable {
    private let names: Set<String>

    /// - Parameter names: accepted besides addresses and `localhost`: the machine's own, the configured one.
    package init(names: [String] = []) {
        self.names = Set(names.map { $0.lowercased() }.filter { !$0.isEmpty }).union(["localhost"])
    }

    /// - Parameter host: the header's value; nil is right only before HTTP/1.1, which no browser speaks any more.
    package func accepts(_ host: String?, minorVersion: Int) -> Bool {
        guard let host else { return minorVersion == 0 }
        guard let name = HostGuard.name(of: host.lowercased()) else { return false }
        return names.contains(name) || name.hasSuffix(".localhost") || HostGuard.isAddress(name)
    }

    /// Whether a request that changes something was made by the page served here, or by no page at all.
    /// Rule: Fetch Metadata where the browser sends it, else Origin (CSRF).
    package static func isOwnPage(_ request: HTTPRequest) -> Bool {
        if let site = request.header("sec-fetch-site"), site != "same-origin", site != "none" { return false }
        guard let origin = request.header("origin") else { return true }
        return origin.lowercased() == "http://" + (request.header("host") ?? "").lowercased()
    }

    /// Without the port; of `[::1]:2180` what stands in brackets.
    private static func name(of host: String) -> String? {
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            guard isPort(host[host.index(after: end)...]) else { return nil }
            return String(host[...end])
        }
        let name = host.prefix { $0 != ":" }
        return !name.isEmpty && isPort(host[name.endIndex...]) ? String(name) : nil
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.isEmpty || text.first == ":" && text.dropFirst().utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    private static func isAddress(_ name: String) -> Bool {
        if name.hasPrefix("[") {
            return name.dropFirst().dropLast().utf8.allSatisfy {
                (0x30...0x3a).contains($0) || (0x61...0x66).contains($0) || $0 == 0x2e
            }
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && !$0.hasPrefix("+") }
    }
}
