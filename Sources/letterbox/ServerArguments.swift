import CSystem
import Configuration
import Glibc
import Platform

/// What stands behind `letterbox broker` or `letterbox coordinator`: a file, overrides, switches.
struct ServerArguments {
    var file: String
    var properties: Properties
    /// `log.style` and `log.level`, which are the process's and not the server's; the environment wins over the file.
    private(set) var logStyle: String
    private(set) var logLevel: String
    /// Words that begin with `--` and take no value, without the dashes: `strict-config`.
    var switches: Set<String> = []

    /// - Throws: the line to print before the process ends with status 1.
    init(_ words: [String], kind: String, knownSwitches: [String]) throws(ServerFailure) {
        guard let file = words.first, !file.hasPrefix("-") else {
            throw ServerFailure(
                "which properties file?  letterbox \(kind) config/\(kind == "broker" ? "server" : "zookeeper").properties"
            )
        }
        self.file = file
        properties = try ServerArguments.read(file)
        logStyle = ""
        logLevel = ""
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            if word == "--override" || word.hasPrefix("--override=") {
                let text = word == "--override" ? rest.popFirst() : String(word.dropFirst("--override=".count))
                guard let text else { throw ServerFailure("--override needs key=value behind it") }
                guard properties.override(text) else { throw ServerFailure("--override \(text): key=value is needed") }
            } else if word.hasPrefix("--"), knownSwitches.contains(String(word.dropFirst(2))) {
                switches.insert(String(word.dropFirst(2)))
            } else {
                let nearest = nearestName(to: word, among: knownSwitches.map { "--\($0)" } + ["--override"])
                throw ServerFailure("\(word) is not understood" + (nearest.map { "; did you mean \($0)?" } ?? ""))
            }
        }
        logStyle = environment("LETTERBOX_LOG_STYLE") ?? properties["log.style"] ?? "narrated"
        logLevel = environment("LETTERBOX_LOG_LEVEL") ?? properties["log.level"] ?? "info"
        properties["log.style"] = nil
        properties["log.level"] = nil
    }

    private static func read(_ file: String) throws(ServerFailure) -> Properties {
        let fd = csystem_open(file, O_RDONLY, 0)
        guard fd >= 0 else { throw ServerFailure("\(file) cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ServerFailure("\(file) cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= 4 << 20 else { throw ServerFailure("\(file) is larger than any properties file") }
        }
        do throws(PropertiesError) { return try Properties(parsing: bytes) } catch {
            throw ServerFailure("\(file) \(error)")
        }
    }
}

/// A variable that is set and not empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}
