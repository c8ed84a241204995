/// A line of a properties file that cannot be read.
package struct PropertiesError: Error, Equatable, CustomStringConvertible {
    /// The first physical line is 1.
    package var line: Int
    package var reason: String
    package init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }
    package var description: String { "line \(line): \(reason)" }
}

/// What a Java properties file says: keys and values as texts, in the order of the file, a later duplicate winning.
/// Rule: `java.util.Properties.load`; a file that is not UTF-8 is read as ISO-8859-1.
package struct Properties: Equatable, Sendable {
    package private(set) var names: [String] = []
    private var values: [String: String] = [:]
    private var lines: [String: Int] = [:]

    package init() {}

    package init(_ pairs: KeyValuePairs<String, String>) {
        for (key, value) in pairs { self[key] = value }
    }

    package init(parsing bytes: [UInt8]) throws(PropertiesError) {
        let text =
            String(validating: bytes, as: UTF8.self)
            ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        try self.init(parsing: text)
    }

    package init(parsing text: String) throws(PropertiesError) {
        for line in logicalLines(of: text) {
            var scanner = LineScanner(line.scalars, number: line.number)
            let key = try scanner.key()
            let value = try scanner.value()
            self[key] = value
            lines[key] = line.number
        }
    }

    package subscript(_ name: String) -> String? {
        get { values[name] }
        set {
            if values[name] == nil, newValue != nil { names.append(name) }
            if newValue == nil { names.removeAll { $0 == name } }
            values[name] = newValue
            lines[name] = nil
        }
    }

    /// Where the value stands that won; nil when it did not come from a file.
    package func line(of name: String) -> Int? { lines[name] }

    /// Takes `key=value` from a command line (`--override`). False when there is no `=` or no key.
    package mutating func override(_ assignment: String) -> Bool {
        guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else { return false }
        self[trimmed(assignment[..<equals])] = trimmed(assignment[assignment.index(after: equals)...])
        return true
    }

    /// The other one's values win.
    package mutating func merge(_ other: Properties) {
        for name in other.names { self[name] = other[name] }
    }
}

/// Without blanks around it, as every value is before it is interpreted.
package func trimmed(_ text: some StringProtocol) -> String {
    var scalars = Substring(text).unicodeScalars
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return String(scalars)
}

private struct LogicalLine {
    var scalars: [Unicode.Scalar]
    var number: Int
}

/// Lines with their continuations joined; comments and blank ones left out. A comment is never continued.
private func logicalLines(of text: String) -> [LogicalLine] {
    var result: [LogicalLine] = []
    var open: LogicalLine?
    var number = 0
    var rest = text.unicodeScalars[...]
    if rest.first == "\u{feff}" { rest.removeFirst() }
    while !rest.isEmpty {
        let end = rest.firstIndex { $0 == "\n" || $0 == "\r" } ?? rest.endIndex
        let line = rest[..<end].drop { $0 == " " || $0 == "\t" || $0 == "\u{0c}" }
        rest = rest[end...]
        if rest.first == "\r" {
            rest.removeFirst(); if rest.first == "\n" { rest.removeFirst() }
        } else {
            rest = rest.dropFirst()
        }
        number += 1

        if open == nil {
            guard let first = line.first, first != "#", first != "!" else { continue }
            open = LogicalLine(scalars: [], number: number)
        }
        var scalars = Array(line)
        let slashes = scalars.reversed().prefix { $0 == "\\" }.count
        let continues = slashes % 2 == 1
        if continues { scalars.removeLast() }
        open?.scalars += scalars
        if !continues, let whole = open {
            result.append(whole)
            open = nil
        }
    }
    if let whole = open { result.append(whole) }
    return result
}

private struct LineScanner {
    private var rest: ArraySlice<Unicode.Scalar>
    private let number: Int

    init(_ scalars: [Unicode.Scalar], number: Int) {
        rest = scalars[...]
        self.number = number
    }

    mutating func key() throws(PropertiesError) -> String {
        let key = try text(endingAt: { $0 == "=" || $0 == ":" || isBlank($0) })
        rest = rest.drop(while: isBlank)
        if let separator = rest.first, separator == "=" || separator == ":" {
            rest = rest.dropFirst().drop(while: isBlank)
        }
        return key
    }

    mutating func value() throws(PropertiesError) -> String { try text(endingAt: { _ in false }) }

    private mutating func text(endingAt ends: (Unicode.Scalar) -> Bool) throws(PropertiesError) -> String {
        var units: [UInt16] = []
        while let next = rest.first, !ends(next) {
            rest.removeFirst()
            if next != "\\" {
                units.append(contentsOf: String(next).utf16)
                continue
            }
            guard let escaped = rest.popFirst() else { break }
            switch escaped {
            case "t": units.append(9)
            case "n": units.append(10)
            case "r": units.append(13)
            case "f": units.append(12)
            case "u":
                let digits = rest.prefix(4)
                guard digits.count == 4, digits.allSatisfy({ $0.properties.isASCIIHexDigit }),
                    let unit = UInt16(String(String.UnicodeScalarView(digits)), radix: 16)
                else { throw PropertiesError(line: number, reason: "\\u must be followed by four hexadecimal digits") }
                rest = rest.dropFirst(4)
                units.append(unit)
            default: units.append(contentsOf: String(escaped).utf16)
            }
        }
        return String(decoding: units, as: UTF16.self)
    }
}

private func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" || scalar == "\u{0c}" }
