import CSystem
import Glibc
import Platform

/// Socket addresses and their words.
enum Address {
    static func words(_ code: Int32) -> String { String(cString: strerror(code)) }

    /// `host` and `port` of a raw address, numeric. An IPv4 address that came in over IPv6 is shown as the former.
    static func decode(_ storage: inout sockaddr_storage, _ length: socklen_t) -> PeerAddress {
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                var host = [CChar](repeating: 0, count: 128)
                var service = [CChar](repeating: 0, count: 16)
                guard
                    getnameinfo(
                        address, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                        NI_NUMERICHOST | NI_NUMERICSERV) == 0
                else { return PeerAddress(host: "?", port: 0) }
                var text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if text.hasPrefix("::ffff:"), text.contains(".") { text.removeFirst(7) }
                let port = String(decoding: service.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                return PeerAddress(host: text, port: Int(port) ?? 0)
            }
        }
    }

    static func local(of fd: Int32) -> PeerAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        return result == 0 ? decode(&storage, length) : PeerAddress(host: "?", port: 0)
    }

    /// One way to reach a host.
    struct Target: @unchecked Sendable {
        var family: Int32
        var storage: sockaddr_storage
        var length: socklen_t
    }

    /// Blocks while names are looked up.
    static func resolve(_ host: String, _ port: Int, passive: Bool) -> Result<[Target], NetworkError> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = passive ? AI_PASSIVE : 0
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &found)
        guard code == 0 else {
            return .failure(NetworkError(code: 0, "\(host): \(String(cString: gai_strerror(code)))"))
        }
        defer { freeaddrinfo(found) }
        var targets: [Target] = []
        var next = found
        while let info = next?.pointee {
            if let address = info.ai_addr, Int(info.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size {
                var storage = sockaddr_storage()
                memcpy(&storage, address, Int(info.ai_addrlen))
                targets.append(Target(family: info.ai_family, storage: storage, length: info.ai_addrlen))
            }
            next = info.ai_next
        }
        return .success(targets)
    }

    static func port(of target: Target) -> Int {
        var storage = target.storage
        return decode(&storage, target.length).port
    }

    static func withRaw<R>(_ target: Target, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        withUnsafePointer(to: target.storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, target.length) }
        }
    }

    /// Answers at once, and a peer that lost its power is found out after a minute.
    static func tune(_ fd: Int32) {
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, 4)
        var idle: Int32 = 30
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, &idle, 4)
        var interval: Int32 = 10
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, &interval, 4)
        var count: Int32 = 3
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_KEEPCNT, &count, 4)
    }
}
