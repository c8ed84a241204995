/// A value that its key does not take. The words are Kafka's, since people search for them.
package struct ConfigError: Error, Equatable, CustomStringConvertible {
    package var key: String
    /// As it was written; nil when a value is missing.
    package var value: String?
    package var reason: String
    package init(key: String, value: String?, reason: String) {
        self.key = key
        self.value = value
        self.reason = reason
    }
    package var description: String {
        guard let value else { return "Missing required configuration \"\(key)\": \(reason)" }
        return "Invalid value \(value) for configuration \(key): \(reason)"
    }
}

/// DescribeConfigs' type ids.
package enum ConfigType: Int8, Sendable {
    case boolean = 1, string, int, short, long, double, list, `class`, password

    package var name: String {
        switch self {
        case .boolean: "boolean"
        case .string: "string"
        case .int: "int"
        case .short: "short"
        case .long: "long"
        case .double: "double"
        case .list: "list"
        case .class: "class"
        case .password: "password"
        }
    }
}

package enum ConfigImportance: Sendable { case high, medium, low }

/// When a changed value takes effect, and for whom it may be changed while the broker runs.
package enum ConfigChange: Sendable {
    case atStart
    case perBroker
    /// For the whole cluster, or for one broker.
    case clusterWide
}

/// What a number counts. Durations are `Duration` in the program and a whole number of this in the file.
package enum ConfigUnit: Sendable {
    case milliseconds, seconds, minutes, hours, bytes, count

    package var duration: Duration {
        switch self {
        case .seconds: .seconds(1)
        case .minutes: .seconds(60)
        case .hours: .seconds(3600)
        default: .milliseconds(1)
        }
    }
}

/// A range with a lower end, an upper end or both: `1...`, `...9`, `0...100`.
package protocol ConfigRange<Bound> {
    associatedtype Bound: Comparable
    var lowest: Bound? { get }
    var highest: Bound? { get }
}
extension ClosedRange: ConfigRange {
    package var lowest: Bound? { lowerBound }
    package var highest: Bound? { upperBound }
}
extension PartialRangeFrom: ConfigRange {
    package var lowest: Bound? { lowerBound }
    package var highest: Bound? { nil }
}
extension PartialRangeThrough: ConfigRange {
    package var lowest: Bound? { nil }
    package var highest: Bound? { upperBound }
}

/// The same, in a form that closures may hold.
private struct Limits<N: Comparable & Sendable>: Sendable {
    var lowest: N?
    var highest: N?
    init(_ range: (any ConfigRange<N>)?) {
        lowest = range?.lowest
        highest = range?.highest
    }
}

/// A key without the type of its value: what `--help`, DescribeConfigs and the check of a whole file need.
package protocol AnyConfigKey: Sendable {
    var name: String { get }
    var type: ConfigType { get }
    /// The default as DescribeConfigs shows it; nil when unset.
    var defaultText: String? { get }
    /// What is allowed, for people: `[1,...]`, `[delete, compact]`; empty when everything of its type is.
    var allowedText: String { get }
    var importance: ConfigImportance { get }
    var change: ConfigChange { get }
    var isSensitive: Bool { get }
    var summary: String { get }
    func check(_ text: String) throws(ConfigError)
    /// The value as it is kept, with the type the key was declared with.
    func parsed(_ text: String) throws(ConfigError) -> any Sendable
}

/// One configuration key, declared once: parsing, default, bounds, help and DescribeConfigs all read this value.
package struct ConfigKey<Value: Sendable>: AnyConfigKey {
    package let name: String
    package let type: ConfigType
    package let defaultValue: Value
    package let defaultText: String?
    package let allowedText: String
    package let importance: ConfigImportance
    package let change: ConfigChange
    package let summary: String
    package var isSensitive: Bool { type == .password }
    private let read: @Sendable (String) throws(ConfigError) -> Value

    /// The general form; the initialisers below are what declarations use.
    package init(
        _ name: String, type: ConfigType, default defaultValue: Value, defaultText: String?, allowedText: String = "",
        importance: ConfigImportance, changes: ConfigChange, _ summary: String,
        parse: @escaping @Sendable (String) throws(ConfigError) -> Value
    ) {
        self.name = name
        self.type = type
        self.defaultValue = defaultValue
        self.defaultText = defaultText
        self.allowedText = allowedText
        self.importance = importance
        self.change = changes
        self.summary = summary
        self.read = parse
    }

    /// The value `text` stands for; blanks around it do not count.
    package func value(_ text: String) throws(ConfigError) -> Value { try read(trimmed(text)) }
    package func check(_ text: String) throws(ConfigError) { _ = try value(text) }
    package func parsed(_ text: String) throws(ConfigError) -> any Sendable { try value(text) }

    /// The same key with no default: nil unless it is set.
    package var unsetByDefault: ConfigKey<Value?> {
        let read = self.read
        return ConfigKey<Value?>(
            name, type: type, default: nil, defaultText: nil, allowedText: allowedText, importance: importance,
            changes: change, summary, parse: { (text) throws(ConfigError) in try read(text) })
    }
}

extension ConfigKey where Value == Bool {
    package init(
        _ name: String, default value: Bool, importance: ConfigImportance = .medium, changes: ConfigChange = .atStart,
        _ summary: String
    ) {
        self.init(
            name, type: .boolean, default: value, defaultText: String(value), importance: importance, changes: changes,
            summary
        ) { (text) throws(ConfigError) in
            switch text.lowercased() {
            case "true": return true
            case "false": return false
            default: throw ConfigError(key: name, value: text, reason: "Expected value to be either true or false")
            }
        }
    }
}

extension ConfigKey where Value == Int {
    /// - Parameter type: `.int`, `.long` or `.short`, which sets the limits of what can be written.
    package init(
        _ name: String, type: ConfigType = .int, unit: ConfigUnit = .count, default value: Int,
        allowed: (any ConfigRange<Int>)? = nil, importance: ConfigImportance = .medium,
        changes: ConfigChange = .atStart, _ summary: String
    ) {
        let limits = Limits(allowed)
        self.init(
            name, type: type, default: value, defaultText: String(value), allowedText: words(limits) { String($0) },
            importance: importance, changes: changes, summary
        ) { (text) throws(ConfigError) in
            try bounded(try whole(text, type, name), limits, name, text) { String($0) }
        }
    }
}

extension ConfigKey where Value == Double {
    package init(
        _ name: String, default value: Double, allowed: (any ConfigRange<Double>)? = nil,
        importance: ConfigImportance = .medium, changes: ConfigChange = .atStart, _ summary: String
    ) {
        let limits = Limits(allowed)
        self.init(
            name, type: .double, default: value, defaultText: String(value), allowedText: words(limits) { String($0) },
            importance: importance, changes: changes, summary
        ) { (text) throws(ConfigError) in
            guard let number = Double(text), number.isFinite else {
                throw ConfigError(key: name, value: text, reason: "Not a number of type DOUBLE")
            }
            return try bounded(number, limits, name, text) { String($0) }
        }
    }
}

extension ConfigKey where Value == Duration {
    /// - Parameter unit: what one of the file's numbers is worth; the name says it too (`….ms`, `….hours`).
    package init(
        _ name: String, type: ConfigType = .int, unit: ConfigUnit = .milliseconds, default value: Duration,
        allowed: (any ConfigRange<Duration>)? = nil, importance: ConfigImportance = .medium,
        changes: ConfigChange = .atStart, _ summary: String
    ) {
        let limits = Limits(allowed)
        let each = unit.duration
        let text = { @Sendable (duration: Duration) in String(wholeNumber(of: each, in: duration)) }
        self.init(
            name, type: type, default: value, defaultText: text(value), allowedText: words(limits, text),
            importance: importance, changes: changes, summary
        ) { (written) throws(ConfigError) in
            let number = try whole(written, type, name)
            return try bounded(each * number, limits, name, written, text)
        }
    }
}

extension ConfigKey where Value == String {
    /// - Parameter oneOf: the only values there are, compared exactly; empty for any text.
    package init(
        _ name: String, type: ConfigType = .string, default value: String, oneOf: [String] = [],
        importance: ConfigImportance = .medium, changes: ConfigChange = .atStart, _ summary: String
    ) {
        self.init(
            name, type: type, default: value, defaultText: value, allowedText: words(oneOf),
            importance: importance, changes: changes, summary
        ) { (text) throws(ConfigError) in
            guard oneOf.isEmpty || oneOf.contains(text) else {
                throw ConfigError(key: name, value: text, reason: "String must be one of: \(joined(oneOf))")
            }
            return text
        }
    }
}

extension ConfigKey where Value == [String] {
    package init(
        _ name: String, default value: [String], oneOf: [String] = [], importance: ConfigImportance = .medium,
        changes: ConfigChange = .atStart, _ summary: String
    ) {
        self.init(
            name, type: .list, default: value, defaultText: value.joined(separator: ","), allowedText: words(oneOf),
            importance: importance, changes: changes, summary
        ) { (text) throws(ConfigError) in
            let items = configList(text)
            for item in items where !oneOf.isEmpty && !oneOf.contains(item) {
                throw ConfigError(key: name, value: item, reason: "String must be one of: \(joined(oneOf))")
            }
            return items
        }
    }
}

/// A list as Kafka reads it: nothing for an empty text, else split at commas with the blanks around them.
package func configList(_ text: String) -> [String] {
    let text = trimmed(text)
    return text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0) }
}

private func joined(_ words: [String]) -> String { words.joined(separator: ", ") }
private func words(_ oneOf: [String]) -> String { oneOf.isEmpty ? "" : "[\(joined(oneOf))]" }

private func words<N>(_ range: Limits<N>, _ text: (N) -> String) -> String {
    switch (range.lowest.map(text), range.highest.map(text)) {
    case (let low?, let high?): return "[\(low),...,\(high)]"
    case (let low?, nil): return "[\(low),...]"
    case (nil, let high?): return "[...,\(high)]"
    case (nil, nil): return ""
    }
}

private func wholeNumber(of unit: Duration, in duration: Duration) -> Int64 {
    let milliseconds = duration.components.seconds.multipliedReportingOverflow(by: 1000)
    if milliseconds.overflow { return duration < .zero ? .min : .max }
    let fraction = duration.components.attoseconds / 1_000_000_000_000_000
    let sum = milliseconds.partialValue.addingReportingOverflow(fraction)
    if sum.overflow { return duration < .zero ? .min : .max }
    return sum.partialValue
        / max(1, unit.components.seconds * 1000 + unit.components.attoseconds / 1_000_000_000_000_000)
}

private func whole(_ text: String, _ type: ConfigType, _ key: String) throws(ConfigError) -> Int {
    let number: Int?
    switch type {
    case .short: number = Int16(text).map(Int.init)
    case .int: number = Int32(text).map(Int.init)
    default: number = Int(text)
    }
    guard let number else {
        throw ConfigError(key: key, value: text, reason: "Not a number of type \(type.name.uppercased())")
    }
    return number
}

private func bounded<N>(
    _ value: N, _ range: Limits<N>, _ key: String, _ written: String, _ text: (N) -> String
) throws(ConfigError) -> N {
    if let low = range.lowest, value < low {
        throw ConfigError(key: key, value: written, reason: "Value must be at least \(text(low))")
    }
    if let high = range.highest, value > high {
        throw ConfigError(key: key, value: written, reason: "Value must be no more than \(text(high))")
    }
    return value
}
