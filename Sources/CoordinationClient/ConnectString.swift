/// `zookeeper.connect`: `host:2181,[::1]:2182,other/chroot`. The port may be left away; the chroot counts for all hosts.
package struct ConnectString: Hashable, Sendable, CustomStringConvertible {
    package struct Host: Hashable, Sendable, CustomStringConvertible {
        /// IPv6 without brackets.
        package var name: String
        package var port: Int
        package init(name: String, port: Int = ConnectString.defaultPort) {
            self.name = name
            self.port = port
        }
        package var description: String { name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)" }
    }

    package static let defaultPort = 2181
    package var hosts: [Host]
    /// Empty, or beginning with a slash and not ending with one.
    package var chroot: String

    package init(hosts: [Host], chroot: String = "") {
        self.hosts = hosts
        self.chroot = chroot
    }

    package init(_ text: String) throws(ConnectStringError) {
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        var chroot = text[slash...]
        while chroot.last == "/" { chroot = chroot.dropLast() }
        if chroot.contains("//") { throw .init(text, "its chroot has an empty element") }
        var hosts: [Host] = []
        for part in text[..<slash].split(separator: ",") {
            let item = part.drop { $0 == " " }
            guard let host = ConnectString.host(item.last == " " ? item.prefix { $0 != " " } : item) else {
                throw .init(text, "'\(part)' is not HOST or HOST:PORT (an IPv6 address stands in brackets)")
            }
            hosts.append(host)
        }
        if hosts.isEmpty { throw .init(text, "it names no host") }
        self.init(hosts: hosts, chroot: String(chroot))
    }

    private static func host(_ text: Substring) -> Host? {
        var name = text
        var port = defaultPort
        if let colon = text.lastIndex(of: ":"), text.last != "]" {
            guard let number = UInt16(text[text.index(after: colon)...]), number > 0 else { return nil }
            port = Int(number)
            name = text[..<colon]
        }
        if name.first == "[", name.last == "]" {
            name = name.dropFirst().dropLast()
            guard name.contains(":") else { return nil }
        } else if name.contains(":") {
            return nil
        }
        guard !name.isEmpty, !name.contains(where: { $0 == " " || $0 == "[" || $0 == "]" }) else { return nil }
        return Host(name: String(name), port: port)
    }

    package var description: String { hosts.map(\.description).joined(separator: ",") + chroot }

    /// The server's path for one of ours.
    package func serverPath(_ path: String) -> String {
        if chroot.isEmpty { return path }
        return path == "/" ? chroot : chroot + path
    }

    /// Our path for one of the server's; nil for what is not below the chroot.
    package func clientPath(_ path: String) -> String? {
        if chroot.isEmpty { return path }
        if path == chroot { return "/" }
        guard path.hasPrefix(chroot + "/") else { return nil }
        return String(path.dropFirst(chroot.count))
    }
}

package struct ConnectStringError: Error, Equatable, CustomStringConvertible {
    package var text: String
    package var reason: String
    init(_ text: String, _ reason: String) {
        self.text = text
        self.reason = reason
    }
    package var description: String { "'\(text)' does not say where the coordinator is: \(reason)" }
}
