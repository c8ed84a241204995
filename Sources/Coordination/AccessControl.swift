import CoordinationProtocol

/// Who a connection is: its address, and what it has proven since.
package struct Identities: Equatable {
    package private(set) var list: [ClientInfo]
    /// Knows the super password: every check passes.
    package private(set) var isSuper = false

    /// - Parameter address: numeric, without a port.
    package init(address: String) {
        // An IPv4 client on an IPv6 socket is the IPv4 client.
        let plain = address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
        list = [ClientInfo(scheme: "ip", user: plain)]
    }

    /// An `auth` packet. A wrong password is not found out here: it proves another identity.
    /// - Returns: false for a scheme that is not known, or no credentials at all.
    package mutating func add(scheme: String, credentials: [UInt8]?, superDigest: String?) -> Bool {
        switch scheme {
        case "digest":
            guard let credentials else { return false }
            let digest = AccessControl.digest(credentials)
            if let superDigest, digest == superDigest { isSuper = true }
            let identity = ClientInfo(scheme: "digest", user: digest)
            if !list.contains(identity) { list.append(identity) }
            return true
        case "ip": return true
        default: return false
        }
    }

    /// As whoAmI tells them: names without secrets.
    var told: [ClientInfo] {
        var told = list.map { identity in
            guard identity.scheme == "digest" else { return identity }
            return ClientInfo(scheme: "digest", user: String(identity.user.prefix { $0 != ":" }))
        }
        if isSuper { told.append(ClientInfo(scheme: "super", user: "")) }
        return told
    }
}

/// What lists allow, and which lists are allowed.
enum AccessControl {
    /// `user:base64(SHA-1("user:password"))`.
    static func digest(_ credentials: [UInt8]) -> String {
        // Made text first, as what is not UTF-8 would otherwise prove another identity than with Apache's server.
        let text = String(decoding: credentials, as: UTF8.self)
        return text.prefix { $0 != ":" } + ":" + SHA1.base64(SHA1.hash(Array(text.utf8)))
    }

    static func allows(_ list: [ACL], _ needed: Permissions, to identities: Identities) -> Bool {
        if list.isEmpty || identities.isSuper { return true }
        for entry in list where !entry.permissions.isDisjoint(with: needed) {
            if entry.scheme == "world", entry.id == "anyone" { return true }
            for identity in identities.list where identity.scheme == entry.scheme {
                if entry.scheme == "ip" ? matches(identity.user, network: entry.id) : identity.user == entry.id {
                    return true
                }
            }
        }
        return false
    }

    /// The list a node is to get, made of the one asked for: duplicates gone, `auth` replaced by the asker's identities.
    static func fixed(_ asked: [ACL], for identities: Identities) throws(CoordinationError) -> [ACL] {
        var list: [ACL] = []
        func add(_ entry: ACL) {
            if !list.contains(entry) { list.append(entry) }
        }
        for entry in asked {
            switch entry.scheme {
            case "world":
                guard entry.id == "anyone" else { throw .invalidACL }
                add(entry)
            case "auth":
                let proven = identities.list.filter { $0.scheme == "digest" }
                if proven.isEmpty { throw .invalidACL }
                for identity in proven { add(ACL(entry.permissions, scheme: identity.scheme, id: identity.user)) }
            case "digest":
                var parts = entry.id.split(separator: ":", omittingEmptySubsequences: false)
                while parts.last?.isEmpty == true { parts.removeLast() }
                guard parts.count == 2 else { throw .invalidACL }
                add(entry)
            case "ip":
                guard network(entry.id) != nil else { throw .invalidACL }
                add(entry)
            default: throw .invalidACL
            }
        }
        if list.isEmpty { throw .invalidACL }
        return list
    }

    /// Digests are shown without their secret part to those who may not administrate.
    static func masked(_ list: [ACL]) -> [ACL] {
        list.map { entry in
            guard entry.scheme == "digest", let colon = entry.id.firstIndex(of: ":") else { return entry }
            return ACL(entry.permissions, scheme: entry.scheme, id: entry.id[..<colon] + ":x")
        }
    }

    private static func matches(_ address: String, network text: String) -> Bool {
        guard let network = network(text), let bytes = addressBytes(address), bytes.count == network.bytes.count else {
            return false
        }
        for bit in 0..<network.bits {
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            if (bytes[bit / 8] ^ network.bytes[bit / 8]) & mask != 0 { return false }
        }
        return true
    }

    /// `10.1.2.3`, `10.1.0.0/16`, `fe80::/10`.
    private static func network(_ text: String) -> (bytes: [UInt8], bits: Int)? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, let bytes = addressBytes(String(address)) else { return nil }
        guard parts.count == 2 else { return (bytes, bytes.count * 8) }
        guard let bits = Int(parts[1]), (0...bytes.count * 8).contains(bits) else { return nil }
        return (bytes, bits)
    }

    static func addressBytes(_ text: String) -> [UInt8]? {
        if text.contains(":") { return ipv6(text) }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard let byte = UInt8(part), !part.hasPrefix("+") else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func ipv6(_ text: String) -> [UInt8]? {
        func groups(_ side: Substring) -> [UInt8]? {
            if side.isEmpty { return [] }
            var bytes: [UInt8] = []
            for group in side.split(separator: ":", omittingEmptySubsequences: false) {
                guard (1...4).contains(group.count), let value = UInt16(group, radix: 16) else { return nil }
                bytes += [UInt8(value >> 8), UInt8(value & 0xff)]
            }
            return bytes
        }
        let address = Substring(text.prefix { $0 != "%" })
        var scan = address.startIndex
        while scan < address.endIndex {
            let after = address.index(after: scan)
            if address[scan] == ":", after < address.endIndex, address[after] == ":" {
                guard let head = groups(address[..<scan]), let tail = groups(address[address.index(after: after)...]),
                    head.count + tail.count <= 14
                else { return nil }
                return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
            }
            scan = after
        }
        guard let all = groups(address), all.count == 16 else { return nil }
        return all
    }
}
