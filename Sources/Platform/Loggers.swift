/// How much a logger lets through, in the words of log4j and KIP-412.
package enum LoggerLevel: String, CaseIterable, Sendable {
    case fatal = "FATAL"
    case error = "ERROR"
    case warn = "WARN"
    case info = "INFO"
    case debug = "DEBUG"
    case trace = "TRACE"

    package init(_ level: JournalLevel) {
        switch level {
        case .debug: self = .debug
        case .info, .notice: self = .info
        case .warning: self = .warn
        case .error: self = .error
        }
    }

    package func lets(_ level: JournalLevel) -> Bool {
        switch self {
        case .fatal: false
        case .error: level >= .error
        case .warn: level >= .warning
        case .info: level >= .info
        case .debug, .trace: true
        }
    }
}

/// The journal's levels by component, as operators set them while the process runs; one for all copies of a journal. A component
/// is known by the source files that speak for it. A name inherits from the name before its last dot, in the end from `root`.
package final class Loggers {
    package static let root = "root"

    package struct Component: Sendable {
        package var name: String
        /// Beginnings of `Module/File.swift`; none for a name that others only inherit from.
        package var sources: [String]
        package init(_ name: String, _ sources: [String] = []) {
            self.name = name
            self.sources = sources
        }
    }

    /// The first whose sources fit speaks.
    package var components: [Component] = [] {
        didSet { answers = [:] }
    }
    private let base: LoggerLevel
    private var own: [String: LoggerLevel] = [:]
    /// By the address of a file's name, which is a literal.
    private var answers: [UnsafePointer<UInt8>: LoggerLevel] = [:]

    /// - Parameter base: root's level, until it is set.
    package init(base: JournalLevel) { self.base = LoggerLevel(base) }

    /// Nothing was set: the journal's own level holds.
    var isUntouched: Bool { own.isEmpty }

    /// Sorted.
    package var names: [String] { ([Loggers.root] + components.map(\.name)).sorted() }
    package func exists(_ name: String) -> Bool { name == Loggers.root || components.contains { $0.name == name } }

    /// Its own or an inherited one.
    package func level(of name: String) -> LoggerLevel {
        var name = name[...]
        while true {
            if let level = own[String(name)] { return level }
            guard let dot = name.lastIndex(of: ".") else { return own[Loggers.root] ?? base }
            name = name[..<dot]
        }
    }

    /// - Parameter level: nil to inherit again.
    package func set(_ name: String, to level: LoggerLevel?) {
        own[name] = level
        answers = [:]
    }

    /// - Parameter file: `Module/File.swift`.
    func lets(_ level: JournalLevel, from file: StaticString) -> Bool {
        guard file.hasPointerRepresentation else { return self.level(of: Loggers.root).lets(level) }
        if let known = answers[file.utf8Start] { return known.lets(level) }
        let text = "\(file)"
        let name = components.first { $0.sources.contains { text.hasPrefix($0) } }?.name ?? Loggers.root
        let found = self.level(of: name)
        answers[file.utf8Start] = found
        return found.lets(level)
    }
}
