import Platform

/// What the system says about this process, read when somebody asks. Where there is no `/proc` (a simulation) nothing is known.
struct ProcessFacts {
    var openFiles: Int?
    var openFilesLimit: Int?
    var residentBytes: Int64?
    var cpuSeconds: Double?
    private let world: any World

    init(_ world: any World) {
        self.world = world
        // The file's size, since Linux 6.2: ten thousand names are not read and sorted to be counted.
        if let directory = try? world.disk.open("/proc/self/fd", .read) {
            openFiles = directory.size > 0 ? Int(directory.size) : (try? world.disk.list("/proc/self/fd"))?.count
            directory.close()
        }
        if let limits = ProcessFacts.text("/proc/self/limits", world) {
            let line = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") }
            openFilesLimit = line.flatMap { Int($0.split(separator: " ").dropFirst(3).first ?? "") }
        }
        if let pages = ProcessFacts.text("/proc/self/statm", world)?.split(separator: " ").dropFirst().first {
            residentBytes = Int64(pages).map { $0 * 4096 }
        }
        // Behind the name in brackets: fields 14 and 15, in hundredths of a second.
        if let text = ProcessFacts.text("/proc/self/stat", world), let end = text.lastIndex(of: ")") {
            let fields = text[end...].split(separator: " ")
            if fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) {
                cpuSeconds = (user + system) / 100
            }
        }
    }

    /// `envi`'s entries, in ZooKeeper's order. What only a virtual machine has is not available here.
    func environment(version: String) -> [(name: String, value: String)] {
        let missing = "<NA>"
        let variables = ProcessFacts.environment(world)
        let memory = ProcessFacts.text("/proc/meminfo", world) ?? ""
        func megabytes(_ name: String) -> String {
            let line = memory.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return line.flatMap { Int64($0.split(separator: " ").dropFirst().first ?? "") }.map { "\($0 / 1024)MB" }
                ?? missing
        }
        #if arch(x86_64)
            let architecture = "amd64"
        #elseif arch(arm64)
            let architecture = "aarch64"
        #else
            let architecture = missing
        #endif
        return [
            ("zookeeper.version", version), ("host.name", world.hostName), ("java.version", missing),
            ("java.vendor", missing), ("java.home", missing), ("java.class.path", missing),
            ("java.library.path", missing), ("java.io.tmpdir", missing), ("java.compiler", missing),
            ("os.name", "Linux"), ("os.arch", architecture),
            (
                "os.version",
                ProcessFacts.text("/proc/sys/kernel/osrelease", world)?.split(separator: "\n").first.map(String.init)
                    ?? missing
            ),
            ("user.name", variables["USER"] ?? variables["LOGNAME"] ?? missing),
            ("user.home", variables["HOME"] ?? missing), ("user.dir", variables["PWD"] ?? missing),
            ("os.memory.free", megabytes("MemAvailable")), ("os.memory.max", megabytes("MemTotal")),
            ("os.memory.total", residentBytes.map { "\($0 >> 20)MB" } ?? missing),
        ]
    }

    /// The variables this process was started with.
    static func environment(_ world: any World) -> [String: String] {
        var variables: [String: String] = [:]
        for entry in (text("/proc/self/environ", world) ?? "").split(separator: "\0") {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return variables
    }

    /// Files that tell no size: what one read of 64 KB gives.
    private static func text(_ path: String, _ world: any World) -> String? {
        guard let file = try? world.disk.open(path, .read) else { return nil }
        defer { file.close() }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        var count = 0
        bytes.withUnsafeMutableBytes { count = (try? file.read(into: $0, at: 0)) ?? 0 }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
