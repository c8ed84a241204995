import CSystem
import Glibc

/// Who listens on a TCP port of this machine, for the line that says why a server cannot: `PID 4242 (java)`. Nil when nobody is
/// found, or when it is another user's process.
func portHolder(_ port: Int) -> String? {
    var sockets: Set<String> = []
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in wholeFile(table).split(separator: "\n").dropFirst() {
            let columns = line.split(separator: " ", omittingEmptySubsequences: true)
            guard columns.count > 9, columns[3] == "0A",
                let colon = columns[1].lastIndex(of: ":"),
                Int(columns[1][columns[1].index(after: colon)...], radix: 16) == port
            else { continue }
            sockets.insert("socket:[\(columns[9])]")
        }
    }
    guard !sockets.isEmpty else { return nil }
    for process in names(in: "/proc") where Int(process) != nil {
        for descriptor in names(in: "/proc/\(process)/fd") {
            guard sockets.contains(linkTarget("/proc/\(process)/fd/\(descriptor)")) else { continue }
            let words = wholeFile("/proc/\(process)/cmdline").split(separator: "\0")
            let program = words.first?.split(separator: "/").last.map(String.init) ?? "?"
            return
                "PID \(process) (\(([program] + words.dropFirst().prefix(1).map(String.init)).joined(separator: " ")))"
        }
    }
    return nil
}

private func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        names.append(
            withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            })
    }
    return names
}

private func linkTarget(_ path: String) -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    let count = readlink(path, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
}

private func wholeFile(_ path: String) -> String {
    let fd = csystem_open(path, O_RDONLY, 0)
    guard fd >= 0 else { return "" }
    defer { close(fd) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while bytes.count < 16 << 20 {
        let count = read(fd, &chunk, chunk.count)
        if count <= 0 { break }
        bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}
